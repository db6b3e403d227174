"""What goes into a mailbox and comes out of it: messages, changes, flags, summaries.  mailbox.py has all names."""

from collections.abc import Mapping
from enum import Enum, IntEnum, auto
from enum import Flag as EnumFlag
from typing import Final, Protocol

import msgspec

from pillarbox.mailstore.content.large_content import LargeContent
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import ModSeq, Uid, UidValidity

MAX_KEYWORDS: Final = 4096
"""Keywords of one mailbox: 26 have letters in Maildir file names, the rest live in a file of ours."""


class QuotaState(msgspec.Struct, frozen=True, array_like=True):
    """One quota of an account.  A limit of 0 is none."""

    root: str
    octets: int
    max_octets: int
    messages: int
    max_messages: int
    is_hidden: bool = False  # told to those only who know its name


class ChangeKind(Enum):
    """What the journal of a mailbox tells."""

    ADDED = auto()
    FLAGS = auto()
    EXPUNGED = auto()


class Change(msgspec.Struct, frozen=True, array_like=True):
    """One thing that happened to one message.

    `origin` is the view that asked for it (so that STORE .SILENT can be silent to its own session only),
    or None when another program or the delivery did it.
    """

    kind: ChangeKind
    uid: Uid
    modseq: ModSeq
    origin: object | None = None


class KeptFlags(msgspec.Struct, frozen=True):
    """Which of their flags copies keep."""

    flags: Flag
    keywords: bool


KEEP_ALL: Final = KeptFlags(
    Flag.SEEN | Flag.ANSWERED | Flag.FLAGGED | Flag.DELETED | Flag.DRAFT, keywords=True
)


class MailboxStatus(msgspec.Struct, frozen=True):
    """What STATUS can tell without selecting."""

    messages: int
    recent: int
    unseen: int
    uid_next: Uid
    uid_validity: UidValidity
    highest_modseq: ModSeq
    size: int  # sum of RFC822.SIZE
    guid: bytes  # 32 hex digits
    deleted: int = 0  # messages with \Deleted
    deleted_size: int = 0  # sum of their RFC822.SIZE


SPOOL_AT: Final = 1 << 19
"""Octets of a message from which on it is written as it comes."""


class Spool(Protocol):
    """A message that is coming."""

    size: int
    """Octets with LF line ends, so far."""

    async def add(self, data: bytes) -> None:
        """Take octets with any line ends."""
        ...

    async def finish(self) -> None:
        """All has come, and is on the disk.  OverQuota, StoreUnavailable."""
        ...

    async def content(self) -> bytes | LargeContent:
        """What has come, with CRLF line ends, once it is finished.  StoreUnavailable."""
        ...

    async def discard(self) -> None:
        """It is not needed, or has been taken."""
        ...


class NewMessage(msgspec.Struct, frozen=True):
    """A message to append: content with any line ends, flags, keywords and INTERNALDATE."""

    content: bytes | Spool  # a spool is one of the mailbox's own
    flags: Flag = Flag.NONE
    keywords: tuple[bytes, ...] = ()
    internal_date: float | None = None  # seconds since 1970; None: now


class FlagAction(Enum):
    """FLAGS, +FLAGS, -FLAGS of STORE."""

    REPLACE = auto()
    ADD = auto()
    REMOVE = auto()


class FlagChange(msgspec.Struct, frozen=True):
    """What STORE asks for.

    With `expected`, UID → flags and keyword bits as the table had them, a message that has others by now is
    left as it is (STORE UNCHANGEDSINCE).
    """

    action: FlagAction
    flags: Flag = Flag.NONE
    keywords: tuple[bytes, ...] = ()
    expected: Mapping[int, tuple[int, int]] | None = None
    scope: KeptFlags = KEEP_ALL
    """What REPLACE replaces; other flags stay."""

    def applied(self, before: tuple[int, int], flags: int, keywords: int) -> tuple[int, int]:
        """What becomes of flags and keyword bits; `flags`, `keywords`: this change's, as bits."""
        if self.action is FlagAction.ADD:
            return before[0] | flags, before[1] | keywords
        if self.action is FlagAction.REMOVE:
            return before[0] & ~flags, before[1] & ~keywords
        if self.scope is KEEP_ALL:
            return flags, keywords
        kept_flags = before[0] & ~int(self.scope.flags)
        return kept_flags | flags, keywords if self.scope.keywords else before[1] | keywords


class Fields(EnumFlag):
    """Which columns of a `MessageSummary` are wanted; the rest may come empty."""

    DATE = auto()
    SIZE = auto()
    ENVELOPE = auto()
    BODY = auto()  # BODY, the non-extensible form of BODYSTRUCTURE
    BODYSTRUCTURE = auto()
    HEADER = auto()
    SAVED = auto()  # when it came into this mailbox  RFC 8514
    PREVIEW = auto()  # RFC 8970


class TextPlace(IntEnum):
    """Where SEARCH looks for a text."""

    HEADER = 0
    BODY = 1


class MessageSummary(msgspec.Struct, frozen=True, array_like=True):
    """What the cache holds of one message, as it goes on the wire."""

    uid: Uid
    internal_date: int  # seconds since 1970
    size: int  # RFC822.SIZE, octets with CRLF
    envelope: bytes  # `("date" "subject" …)`  RFC 3501 §7.4.2
    body: bytes
    body_structure: bytes
    header: bytes  # the header with CRLF and the empty line, as BODY[HEADER] gives it
    saved: int = 0  # seconds since 1970
    preview: bytes = b""  # UTF-8, at most 200 characters


class SortColumn(Enum):
    """What SORT and THREAD compare (message/sort_keys.py); the value is the column of the cache."""

    ARRIVAL = "date"
    SIZE = "size"
    SENT = "sent"
    SUBJECT = "subject"
    IS_REPLY = "is_reply"
    SENDER = "sender"
    RECIPIENT = "recipient"
    COPIED = "copied"
    DISPLAY_SENDER = "display_sender"
    DISPLAY_RECIPIENT = "display_recipient"
    MESSAGE_ID = "message_id"
    REFERENCES = "refs"


SortValue = int | str | bytes


class Pop3Fields(msgspec.Struct, frozen=True):
    """What a mailbox has written down of a message for POP3."""

    unique_id: bytes
    """Empty: none of its own."""
    order: int
    """Those with a number come first, in that order; 0: none."""
