"""What can go wrong with mailboxes, in the words of the store; `mailbox.py` has the names, too."""

import os
from collections import deque
from itertools import count
from typing import Final

MAX_NOTED: Final = 16
"""Messages that could not be read of which something is remembered."""


class NoSuchMailbox(Exception):
    """The name names no mailbox ("Mailbox doesn't exist: X"); `reason` says why it never could, for the client."""

    def __init__(self, name: str = "", *, reason: str = "") -> None:
        super().__init__(name)
        self.reason = reason


class MailboxExists(Exception):
    """CREATE or RENAME to a name that is taken ("Mailbox already exists")."""


class MailboxNameRefused(Exception):
    """A name that the store cannot hold; `str()` says why, for the client.

    Where it is a sentence with a full stop, doveadm prints that, and IMAP ends with the time.
    """


class MessageGone(Exception):
    """The message was expunged by another session or program while it was being read."""


class StoreUnavailable(Exception):
    """The files cannot be read or written now (permissions, disk full); `str()` is for the log."""


class MessageUnreadable(StoreUnavailable):
    """The file of one message is damaged or cannot be read; those of the others can."""

    def __init__(self, path: bytes, fault: StoreUnavailable | OSError) -> None:
        reason = fault.strerror if isinstance(fault, OSError) else fault
        super().__init__(f"{os.fsdecode(path)}: {reason}")


class StoreBusy(StoreUnavailable):
    """Another program has held a lock for too long ("Timeout while waiting for lock")."""


class OverQuota(Exception):
    """A quota, of ours or of the file system, says no ("Quota exceeded")."""


class AttributesFull(Exception):
    """No room for more annotations in this account (METADATA TOOMANY)."""


class PermissionDenied(Exception):
    """An access list says no (RFC 4314)."""


class QuotaExceeded(OverQuota):
    """A quota of ours says no; `str()` is for the client."""


class MailTooLarge(OverQuota):
    """The message is larger than quota_max_mail_size; `str()` is for the client."""


class FailedReads:
    """Messages of a mailbox that were left out of an answer because their files could not be read.

    Worker threads note them.  Whoever asks for many messages looks before and after.
    """

    def __init__(self) -> None:
        self.count = 0
        """Grows with each."""
        self._numbers = count(1)
        self._noted: deque[tuple[int, MessageUnreadable]] = deque(maxlen=MAX_NOTED)

    def note(self, fault: MessageUnreadable) -> None:
        """One more."""
        number = next(self._numbers)
        self._noted.append((number, fault))
        self.count = max(self.count, number)

    def since(self, number: int) -> list[MessageUnreadable]:
        """The last ones of those after `number` were counted, oldest first."""
        return [fault for at, fault in self._noted if at > number]

    def check(self, number: int) -> None:
        """Raise the first of them: for whoever cannot do without any message."""
        for fault in self.since(number):
            raise fault
