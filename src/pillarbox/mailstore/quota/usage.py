"""How much the mailboxes of an account hold, by the names of their files.

DESCRIPTION
    `TreeUsage` counts each mailbox once, and again when one of its directories has changed behind our back
    (mailstore/maildir/directory_state.py).  What we do ourselves is noted, without a new listing.  Of `MANY`
    mailboxes the directories are looked at once in `TRUST_SECONDS`: what other programs delivered counts that
    much later.

    Sizes are those of the names, `W` (with CRLF) or `S`.  Where there is none, the uidlist may tell it, and if not,
    the file is read.

    Blocks; called in worker threads.

FAULTS
    OSError  a directory cannot be read

STANDARDS
    RFC 9208 (QUOTA), STORAGE and MESSAGE; Dovecot 2.3, Quota back-ends count and maildir
"""

import threading
from collections.abc import Callable
from typing import Final

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.content.message_files import message_at
from pillarbox.mailstore.dovecot_files.uidlist import UidList
from pillarbox.mailstore.mailbox import StoreUnavailable
from pillarbox.mailstore.mailbox_names import INBOX
from pillarbox.mailstore.maildir.directory_state import DirectoryState
from pillarbox.mailstore.maildir.file_names import base, sizes
from pillarbox.mailstore.maildir.mailbox_tree import MailboxTree
from pillarbox.mailstore.quota.maildirsize import Usage
from pillarbox.message.line_ends import crlf_size
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.digits import decimal, is_decimal

TRUST_SECONDS: Final = 1.0
MANY: Final = 200
"""Mailboxes from which on it is not worth looking at all of them for every message."""


class _Record:
    """One mailbox."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.states = {b"new": DirectoryState(), b"cur": DirectoryState()}
        self.untold: dict[bytes, int] = {}
        """Base → size, of messages whose names do not tell it."""


class TreeUsage:
    """The mailboxes of one account."""

    def __init__(self, tree: MailboxTree, *, with_crlf: bool, files: FileSystem, clock: Clock) -> None:
        self._tree = tree
        self._with_crlf = with_crlf
        self._files = files
        self._clock = clock
        self._records: dict[str, _Record] = {}
        self._looked_at = -TRUST_SECONDS
        self._lock = threading.Lock()

    def total(self, counts: Callable[[str], bool]) -> Usage:
        """Of all mailboxes that count."""
        with self._lock:
            now = self._clock.monotonic()
            if len(self._records) < MANY or now - self._looked_at >= TRUST_SECONDS:
                self._look()
                self._looked_at = now
            total = Usage()
            for name, record in self._records.items():
                if counts(name):
                    total += record.usage
            return total

    def note(self, name: str, delta: Usage) -> None:
        """We have put that into a mailbox, or taken it out."""
        with self._lock:
            record = self._records.get(name)
            if record is None:
                return  # not counted yet
            now = int(self._clock.now() * 1e9)
            for place, state in record.states.items():
                try:
                    mtime = self._files.stat(self._tree.directory(name) + b"/" + place).st_mtime_ns
                except OSError:
                    self._records.pop(name, None)
                    return
                state.note_own_change(mtime, now)
            record.usage += delta
            if record.usage.octets < 0 or record.usage.messages < 0:  # what has gone had not been counted
                del self._records[name]
                self._looked_at = -TRUST_SECONDS

    def forget(self) -> None:
        """Mailboxes have come, gone or been renamed: look at once."""
        with self._lock:
            self._looked_at = -TRUST_SECONDS

    def _look(self) -> None:
        names = [INBOX, *(name for name, holds in self._tree.entries().items() if holds)]
        for gone in self._records.keys() - set(names):
            del self._records[gone]
        for name in names:
            record = self._records.setdefault(name, _Record())
            self._refresh(name, record)

    def _refresh(self, name: str, record: _Record) -> None:
        directory = self._tree.directory(name)
        now = int(self._clock.now() * 1e9)
        mtimes: dict[bytes, int] = {}
        for place in record.states:
            try:
                mtimes[place] = self._files.stat(directory + b"/" + place).st_mtime_ns
            except FileNotFoundError:
                continue
        if not any(record.states[place].is_stale(mtime, now) for place, mtime in mtimes.items()):
            return
        octets = messages = 0
        untold: dict[bytes, int] = {}
        told: dict[bytes, int] | None = None
        for place, mtime in mtimes.items():
            record.states[place].note_listing(mtime, now)
            for entry in self._files.listdir(directory + b"/" + place):
                if entry.startswith(b"."):
                    continue
                identity = base(entry)
                stored, with_crlf = sizes(identity)
                size = with_crlf if self._with_crlf else stored
                if size is None:
                    size = record.untold.get(identity)
                    if size is None and told is None:
                        told = self._told(name)
                    if size is None and told is not None:
                        size = told.get(identity)
                    if size is None:
                        size = self._measure(b"%b/%b/%b" % (directory, place, entry))
                    untold[identity] = size
                octets += size
                messages += 1
        record.usage, record.untold = Usage(octets, messages), untold

    def _told(self, name: str) -> dict[bytes, int]:
        """Sizes that the uidlist has."""
        letter = b"W" if self._with_crlf else b"S"
        uidlist = UidList(self._tree.control_directory(name), self._files)
        try:
            uidlist.refresh()
        except OSError:
            return {}
        found = {}
        for identity, uid in uidlist.uids.items():
            for field in uidlist.fields.get(uid, b"").split(b" "):
                if field[:1] == letter and is_decimal(field[1:]):
                    found[identity] = decimal(field[1:])
        return found

    def _measure(self, path: bytes) -> int:
        """By the file itself; nothing if it has gone."""
        try:
            if not self._with_crlf:
                return self._files.stat(path).st_size
            content, _ = message_at(self._files, path)
        except (FileNotFoundError, StoreUnavailable):
            return 0
        return crlf_size(content) if isinstance(content, bytes) else len(content)
