"""What a mailbox and an account promise, whatever keeps them: the Protocols of the store.

DESCRIPTION
    An `Account` is one user's tree of mailboxes; a `Mailbox` is one of them, opened.  All sessions of a
    worker that select the same mailbox share one `Mailbox` object: its messages stand in compact arrays
    (`MessageTable`), and what changes is written to its `journal`, from which every session's view
    (`mailstore/view.py`) learns what to tell its client.

    Names are Unicode with `/` between levels (mailstore/namespaces/namespaced_account.py knows other separators);
    `INBOX` is spelled so.  Message content is given with CRLF line ends, as RFC822.SIZE counts it, whatever the
    files hold.

    What goes in and comes out is in mailbox_values.py, message_table.py and faults.py.

PROMISES
    append    when it returns, the messages survive a crash: file and directory fsynced, UID assigned.
    expunge   when it returns, the files are gone.
    flags     a rename without fsync, as Dovecot's: a crash may undo the last changes, never a message.
    refresh   what other programs did to the files before the call is seen after it.

    Two implementations, one contract test: `maildir` (files) and `memory` (tests).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

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
from pillarbox.mailstore.mailbox_values import KEEP_ALL as KEEP_ALL
from pillarbox.mailstore.mailbox_values import MAX_KEYWORDS as MAX_KEYWORDS
from pillarbox.mailstore.mailbox_values import SPOOL_AT as SPOOL_AT
from pillarbox.mailstore.mailbox_values import Change as Change
from pillarbox.mailstore.mailbox_values import ChangeKind as ChangeKind
from pillarbox.mailstore.mailbox_values import Fields as Fields
from pillarbox.mailstore.mailbox_values import FlagAction as FlagAction
from pillarbox.mailstore.mailbox_values import FlagChange as FlagChange
from pillarbox.mailstore.mailbox_values import KeptFlags as KeptFlags
from pillarbox.mailstore.mailbox_values import MailboxStatus as MailboxStatus
from pillarbox.mailstore.mailbox_values import MessageSummary as MessageSummary
from pillarbox.mailstore.mailbox_values import NewMessage as NewMessage
from pillarbox.mailstore.mailbox_values import Pop3Fields as Pop3Fields
from pillarbox.mailstore.mailbox_values import QuotaState as QuotaState
from pillarbox.mailstore.mailbox_values import SortColumn as SortColumn
from pillarbox.mailstore.mailbox_values import SortValue as SortValue
from pillarbox.mailstore.mailbox_values import Spool as Spool
from pillarbox.mailstore.mailbox_values import TextPlace as TextPlace
from pillarbox.mailstore.message_table import SPARSE as SPARSE
from pillarbox.mailstore.message_table import MessageTable as MessageTable
from pillarbox.vocabulary.identifiers import ModSeq, Uid, UidValidity


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
