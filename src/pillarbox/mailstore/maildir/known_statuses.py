"""What STATUS told of mailboxes that are not loaded any more, as long as nothing has happened to them.

DESCRIPTION
    A client that asks for the STATUS of five thousand mailboxes (LIST-STATUS, or one after the other) wants to know
    of a few numbers that hardly ever change.  Those are kept, with what two stat calls tell of the mailbox's
    directories; the mailbox itself, with its names and UIDs, is given back.

    Only what can be told so later is kept: not that of a mailbox that changed in the moment in which it was read
    (mailstore/maildir/directory_state.py), and not one with more keywords than Dovecot has letters for.

STANDARDS
    RFC 3501 §6.3.10 (STATUS); RFC 5819 (LIST-STATUS)
"""

from typing import Final

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.mailbox import MailboxStatus
from pillarbox.mailstore.maildir.folder_stamp import FolderStamp
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.vocabulary.clock import Clock

MAX_KNOWN: Final = 10_000
"""Mailboxes of which something is kept; the oldest go."""

LOOK_AFTER: Final = 1.0
"""Seconds after which the uidlist is looked at, too."""


class _Known(msgspec.Struct):
    stamp: FolderStamp
    status: MailboxStatus
    has_size: bool
    looked_at: float  # when the uidlist was, by clock.monotonic()


class KnownStatuses:
    """Those of one account.  All methods are called on the event loop."""

    def __init__(self, files: FileSystem, clock: Clock) -> None:
        self._files = files
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def keep(self, mailbox: MaildirMailbox) -> None:
        """The mailbox is given back."""
        self._known.pop(mailbox.name, None)
        told = mailbox.told_status()
        stamp = mailbox.folder.stamp() if told is not None else None
        if told is None or stamp is None:
            return
        self.note(mailbox.name, stamp, *told)

    def note(self, name: str, stamp: FolderStamp, status: MailboxStatus, has_size: bool) -> None:
        """This is true as long as the stamp holds."""
        if len(self._known) >= MAX_KNOWN:
            self._known.pop(next(iter(self._known)))
        self._known[name] = _Known(stamp, status, has_size, looked_at=self._clock.monotonic())

    def find(self, name: str, *, with_size: bool) -> MailboxStatus | None:
        """What STATUS would tell, if it is known: two stat calls, or four."""
        known = self._known.get(name)
        if known is None or (with_size and not known.has_size):
            return None
        now = self._clock.monotonic()
        deeply = now >= known.looked_at + LOOK_AFTER
        if known.stamp.holds(self._files, deeply=deeply):
            known.looked_at = now if deeply else known.looked_at
            return known.status
        del self._known[name]
        return None

    def forget(self, name: str) -> None:
        """The mailbox has gone, or has another name."""
        self._known.pop(name, None)
