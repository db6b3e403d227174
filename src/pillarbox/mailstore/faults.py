"""What can go wrong with mailboxes, in the words of the store; `mailbox.py` has the names, too."""


class NoSuchMailbox(Exception):
    """The name names no mailbox ("Mailbox doesn't exist: X"); `reason` says why it never could, for the client."""

    def __init__(self, name: str = "", *, reason: str = "") -> None:
        super().__init__(name)
        self.reason = reason


class MailboxExists(Exception):
    """CREATE or RENAME to a name that is taken ("Mailbox already exists")."""


class MailboxNameRefused(Exception):
    """A name that the store cannot hold; `str()` says why, for the client."""


class MessageGone(Exception):
    """The message was expunged by another session or program while it was being read."""


class StoreUnavailable(Exception):
    """The files cannot be read or written now (permissions, disk full); `str()` is for the log."""


class StoreBusy(StoreUnavailable):
    """Another program has held a lock for too long ("Timeout while waiting for lock")."""


class OverQuota(Exception):
    """No room: ENOSPC or a quota ("Quota exceeded")."""


class AttributesFull(Exception):
    """No room for more annotations in this account (METADATA TOOMANY)."""


class PermissionDenied(Exception):
    """An access list says no (RFC 4314)."""


class QuotaExceeded(OverQuota):
    """A quota of ours says no; `str()` is for the client."""


class MailTooLarge(OverQuota):
    """The message is larger than quota_max_mail_size; `str()` is for the client."""
