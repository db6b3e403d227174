"""What a mailbox and an account promise, whatever keeps them: the Protocols of the store.

DESCRIPTION
    An `Account` is one user's tree of mailboxes; a `Mailbox` is one of them, opened.  All sessions of a
    worker that select the same mailbox share one `Mailbox` object: its messages stand in compact arrays
    (`MessageTable`), and what changes is written to its `journal`, from which every session's view
    (`mailstore/view.py`) learns what to tell its client.

    Names are Unicode with `/` between levels (mailstore/namespaces/namespaced_account.py knows other separators);
    `INBOX` is spelled so.  Message content is given with CRLF
    line ends, as RFC822.SIZE counts it, whatever the files hold.

PROMISES
    append    when it returns, the messages survive a crash: file and directory fsynced, UID assigned.
    expunge   when it returns, the files are gone.
    flags     a rename without fsync, as Dovecot's: a crash may undo the last changes, never a message.
    refresh   what other programs did to the files before the call is seen after it.

    Two implementations, one contract test: `maildir` (files) and `memory` (tests).
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum, IntEnum, auto
from enum import Flag as EnumFlag
from typing import Final, Protocol

import msgspec

from pillarbox.mailstore.content.large_content import LargeContent
from pillarbox.mailstore.faults import AttributesFull as AttributesFull
from pillarbox.mailstore.faults import FailedReads as FailedReads
from pillarbox.mailstore.faults import MailboxExists as MailboxExists
from pillarbox.mailstore.faults import MailboxNameRefused as MailboxNameRefused
from pillarbox.mailstore.faults import MailTooLarge as MailTooLarge
from pillarbox.mailstore.faults import MessageGone as MessageGone
from pillarbox.mailstore.faults import NoSuchMailbox as NoSuchMailbox
from pillarbox.mailstore.faults import OverQuota as OverQuota
from pillarbox.mailstore.faults import PermissionDenied as PermissionDenied
from pillarbox.mailstore.faults import QuotaExceeded as QuotaExceeded
from pillarbox.mailstore.faults import StoreBusy as StoreBusy
from pillarbox.mailstore.faults import StoreUnavailable as StoreUnavailable
from pillarbox.mailstore.mailbox_list import MailboxList
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import ModSeq, Uid, UidValidity

MAX_KEYWORDS: Final = 64
"""Keywords of one mailbox: 26 have letters in Maildir file names, the rest live in a file of ours."""


class QuotaState(msgspec.Struct, frozen=True, array_like=True):
    """One quota of an account.  A limit of 0 is none."""

    root: str
    octets: int
    max_octets: int
    messages: int
    max_messages: int
    is_hidden: bool = False  # told to those only who know its name


SPARSE: Final = 8
"""Of so many messages one is wanted where each is looked for on its own."""


class MessageTable:
    """The messages of a mailbox in UID order, one array per column, so that 100,000 of them stay small.

    The row of a UID is found by bisection; rows move when messages are expunged, UIDs never do.
    """

    __slots__ = ("flags", "keywords", "modseqs", "uids")

    def __init__(self) -> None:
        self.uids: array[int] = array("I")
        self.flags = bytearray()  # system flags, vocabulary.flags.Flag without RECENT
        self.keywords: array[int] = array("Q")  # bit i = Mailbox.keywords[i]
        self.modseqs: array[int] = array("Q")

    def __len__(self) -> int:
        return len(self.uids)

    def row(self, uid: int) -> int | None:
        """The row of a message, or None if there is none."""
        row = bisect_left(self.uids, uid)
        return row if row < len(self.uids) and self.uids[row] == uid else None

    def rows(self, uids: Sequence[int]) -> Sequence[int]:
        """The rows of messages (rising), -1 for those that are gone; a range if they are side by side."""
        if not uids:
            return range(0)
        known = self.uids
        start, end = bisect_left(known, uids[0]), bisect_right(known, uids[-1])
        if end - start > SPARSE * len(uids):
            return [-1 if (row := self.row(uid)) is None else row for uid in uids]
        between = known[start:end]
        if end - start == len(uids) and between == array("I", uids):
            return range(start, end)
        if end - start == uids[-1] - uids[0] + 1:  # there is a message for every UID between them
            before = uids[0] - start
            return [uid - before for uid in uids]
        row_of = dict(zip(between, range(start, end), strict=True))
        return [row_of.get(uid, -1) for uid in uids]


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


class Mailbox(Protocol):
    """An opened mailbox, shared by the sessions of this worker."""

    name: str
    uid_validity: UidValidity
    guid: bytes  # 32 hex digits
    messages: MessageTable
    keywords: list[bytes]  # index = bit in MessageTable.keywords; only grows
    memo: dict[object, object]
    """What has been found out about the messages and does not change; forgotten when messages are added."""
    lasting_memo: dict[object, object]
    """The same of what stays true then; forgotten with the mailbox, which is kept loaded for a while."""
    failed_reads: FailedReads

    @property
    def watched_directories(self) -> tuple[bytes, ...]:
        """Where something changes whenever `watch` would tell of another program."""
        ...

    @property
    def uid_next(self) -> Uid:
        """UIDNEXT: no message will get a lower UID."""
        ...

    @property
    def highest_modseq(self) -> ModSeq:
        """HIGHESTMODSEQ (RFC 7162 §3.1.2.1); its history counts once `track_modseqs` was called."""
        ...

    @property
    def has_modseqs(self) -> bool:
        """Whether a client has used mod-sequences of this mailbox, ever."""
        ...

    async def track_modseqs(self) -> None:
        """From now on, mod-sequences are those of the mailbox's history, and are kept: they cost a row a message,
        which is spared for mailboxes whose clients do not use them."""
        ...

    async def vanished_since(self, modseq: int) -> list[Uid] | None:
        """UIDs that were expunged after that mod-sequence, rising; None if the history does not reach so far
        back.  Only after `track_modseqs`."""
        ...

    @property
    def first_recent_uid(self) -> Uid:
        """Messages from this UID on have not been seen by any session before."""
        ...

    def claim_recent(self) -> Uid:
        """Give the \\Recent messages to the calling session: the old `first_recent_uid`; it moves on."""
        ...

    @property
    def journal_position(self) -> int:
        """Position after the last change; grows by one with each."""
        ...

    def changes_since(self, position: int) -> list[Change] | None:
        """Changes from `position` on, oldest first; None if the journal no longer reaches so far back."""
        ...

    async def refresh(self, *, read_only: bool = False) -> None:
        """Take in what deliveries and other programs did.  Raises NoSuchMailbox if it was deleted.

        With `read_only` the files stay as they are: a Maildir's new messages are not moved to cur/ (EXAMINE).
        """
        ...

    async def spool(self, size: int) -> Spool:
        """For a message of about so many octets that is written as it comes.  OverQuota if there is no room."""
        ...

    async def append(self, messages: Sequence[NewMessage]) -> list[Uid]:
        """Store messages, all or none.  Raises OverQuota, StoreUnavailable."""
        ...

    async def change_flags(
        self, uids: Sequence[Uid], change: FlagChange, *, origin: object | None = None
    ) -> list[Uid]:
        """Change flags of those of `uids` that exist; the UIDs whose flags really changed.

        Raises OverflowError when the mailbox has no room for another keyword.
        """
        ...

    async def expunge(self, uids: Sequence[Uid], *, origin: object | None = None) -> list[Uid]:
        """Remove messages for good; the UIDs that were there."""
        ...

    async def copy(
        self, uids: Sequence[Uid], target: "Mailbox", *, keeping: KeptFlags = KEEP_ALL
    ) -> list[tuple[Uid, Uid]]:
        """Copy messages with flags and dates; (source UID, target UID) pairs.

        All or none: raises MessageGone if one of them is not there.
        """
        ...

    async def move(
        self,
        uids: Sequence[Uid],
        target: "Mailbox",
        *,
        keeping: KeptFlags = KEEP_ALL,
        origin: object | None = None,
    ) -> list[tuple[Uid, Uid]]:
        """Move messages (RFC 6851), all or none as `copy`; a crash may leave a copy in both, never in none."""
        ...

    async def content(self, uid: Uid) -> bytes | LargeContent:
        """The whole message with CRLF line ends; a huge one in its file.  Raises MessageGone, StoreUnavailable."""
        ...

    def content_at_once(self, uid: Uid, *, limit: int) -> bytes | None:
        """The same if its file has at most `limit` octets and can be read without waiting; None if not."""
        ...

    def is_huge(self, uid: Uid) -> bool:
        """Whether the message is known to be one that is read in pieces."""
        ...

    async def may_hold(self, uids: list[int], text: str, places: Collection[TextPlace]) -> list[int]:
        """Those of `uids` (rising) of which one of the places may hold the text, folded as SEARCH does; the others
        need not be looked at."""
        ...

    async def matching(self, uids: Sequence[Uid], matches: Callable[[bytes], bool]) -> list[Uid]:
        """Those of the messages whose content, with any line ends, matches; gone ones do not, nor do those that
        cannot be read, which are noted.

        `matches` is called in another thread.  Callers ask for some dozens at a time.
        """
        ...

    async def summaries(self, uids: Sequence[Uid], fields: Fields) -> list[MessageSummary]:
        """Cached columns of the messages, in the order of `uids`; gone ones are left out, and those that cannot be
        read, which are noted in `failed_reads`.

        Callers ask for at most a few hundred at a time, so that the loop is free in between.
        """
        ...

    async def sort_columns(
        self, uids: Sequence[Uid], columns: Sequence[SortColumn]
    ) -> list[tuple[SortValue, ...]]:
        """(UID, then the columns) of each message, in the order of `uids`; gone ones are left out."""
        ...

    async def email_ids(self, uids: Sequence[int]) -> list[bytes]:
        """EMAILIDs, the same wherever a copy of the message is (RFC 8474 §5.1); empty for one that is gone."""
        ...

    async def identities(self, uids: Sequence[int]) -> list[tuple[bytes, bytes]]:
        """What else names each message: (base name of its file, GUID); both empty for one that is gone."""
        ...

    async def pop3_fields(self) -> dict[int, Pop3Fields]:
        """By UID, of messages for which another program wrote such a thing down."""
        ...

    async def save_unique_ids(self, unique_ids: Mapping[int, bytes]) -> None:
        """Write unique ids of messages down, by UID.  StoreUnavailable."""
        ...

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` (on the loop, soon) when the mailbox may have changed, by a session of this worker,
        a delivery or another program.  The result ends the watch."""
        ...

    def close(self) -> None:
        """This user of the object is done with it; files are closed with the last one."""
        ...


class Account(Protocol):
    """One user's mailboxes."""

    separator: str
    """Between the levels of a name."""
    prefix: str
    """Before every name but INBOX."""

    def name_of(self, mailbox: Mailbox) -> str:
        """The name of an opened mailbox, as this account has it."""
        ...

    async def list_mailboxes(self) -> MailboxList:
        """Every mailbox, and every parent without one, in name order; INBOX is always there."""
        ...

    async def create(self, name: str) -> None:
        """CREATE.  Raises MailboxExists, MailboxNameRefused."""
        ...

    async def delete(self, name: str) -> None:
        """DELETE.  Raises NoSuchMailbox; INBOX is refused with MailboxNameRefused."""
        ...

    async def rename(self, old: str, new: str) -> None:
        """RENAME with all children.  Raises NoSuchMailbox, MailboxExists, MailboxNameRefused."""
        ...

    async def identities(self) -> dict[str, bytes]:
        """Every mailbox that can be selected → its GUID, b"" if it has none yet."""
        ...

    def watch_names(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` (on the loop, soon) when mailboxes, subscriptions or annotations may have changed.  The
        result ends the watch."""
        ...

    @property
    def name_directories(self) -> tuple[bytes, ...]:
        """Where something changes whenever `watch_names` would tell of another program."""
        ...

    @property
    def annotation_files(self) -> tuple[bytes, ...]:
        """The files that annotations are in; a change replaces one."""
        ...

    async def subscribe(self, name: str) -> None:
        """SUBSCRIBE (the name need not exist, RFC 3501 §6.3.6)."""
        ...

    async def unsubscribe(self, name: str) -> None:
        """UNSUBSCRIBE."""
        ...

    async def subscriptions(self) -> list[str]:
        """Subscribed names, existing or not."""
        ...

    async def attributes(self, name: str) -> dict[str, bytes]:
        """Annotations of a mailbox (METADATA), `private/comment` → value; of the account for "".

        `private/specialuse` is the special use that the mailbox was given.  Raises NoSuchMailbox.
        """
        ...

    async def change_attributes(self, name: str, changes: Mapping[str, bytes | None]) -> None:
        """Set annotations, or remove those whose value is None; all or none.  HIGHESTMODSEQ grows (RFC 7162 §3.2).

        Raises NoSuchMailbox, AttributesFull.
        """
        ...

    async def url_key(self, guid: bytes, new: bytes = b"") -> bytes:
        """The user's secret for URLs of a mailbox (RFC 4467 §7), `new` if there was none; empty if none is."""
        ...

    async def forget_url_keys(self, guids: Sequence[bytes]) -> None:
        """Those of some mailboxes are no more."""
        ...

    async def open(self, name: str, *, read_only: bool = False) -> Mailbox:
        """The opened mailbox, refreshed; `read_only` as in `Mailbox.refresh`.

        Raises NoSuchMailbox, StoreUnavailable.
        """
        ...

    async def open_target(self, name: str) -> Mailbox:
        """The opened mailbox, to put something into it: it is there, but need not be refreshed.

        Raises NoSuchMailbox, StoreUnavailable, PermissionDenied.
        """
        ...

    async def status(self, name: str, *, with_modseq: bool = False, with_size: bool = True) -> MailboxStatus:
        """STATUS; `highest_modseq` counts only `with_modseq`, the sizes only `with_size`.  Raises NoSuchMailbox."""
        ...

    async def quotas(self) -> list[QuotaState] | None:
        """What is used of each quota; None if the account has none.  Raises StoreUnavailable."""
        ...

    async def recalculate_quotas(self) -> None:
        """Count the mail anew.  Raises StoreUnavailable."""
        ...

    async def close(self) -> None:
        """Give back all files."""
        ...
