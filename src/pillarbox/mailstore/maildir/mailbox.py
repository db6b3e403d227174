"""A mailbox in a Maildir, as sessions see it: `Mailbox` over files.

DESCRIPTION
    `MaildirMailbox` keeps the tables of mailbox.py in memory and has the files handled by `FolderFiles` in
    worker threads, one hop per operation.  What a thread found or did comes back as events; only the event
    loop puts them into `messages` and the journal, so that sessions never see a table half changed.

    `refresh` costs a few stat calls when nothing has happened, and no thread hop; no directory is listed.

    Mod-sequences are those of mailstore/maildir/modseq_keeping.py; what is asked of rows and words that the cache
    keeps goes to mailstore/cache/mailbox_rows.py.

FAULTS
    NoSuchMailbox      the directory is gone, or another mailbox is in its place
    StoreUnavailable   the files cannot be read or written; `str()` is for the log

STANDARDS
    RFC 3501 §2.3.1 (UIDs), §2.3.2 (\\Recent); RFC 7162 §3.1.1 (MODSEQ)
"""

import asyncio
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Final, Protocol, TypeVar

import msgspec

from pillarbox.files.inotify import Inotify
from pillarbox.mailstore.cache.account_caches import AccountCaches
from pillarbox.mailstore.cache.background_writes import BackgroundWrites
from pillarbox.mailstore.cache.mailbox_rows import MailboxRows
from pillarbox.mailstore.cache.snapshot_format import Snapshot, SnapshotHeader
from pillarbox.mailstore.content.large_content import LargeContent
from pillarbox.mailstore.content.spool import SpoolFile
from pillarbox.mailstore.copy_elsewhere import copy_elsewhere
from pillarbox.mailstore.dovecot_files.takeover import read_index, seed_history
from pillarbox.mailstore.journal import Journal
from pillarbox.mailstore.mailbox import (
    KEEP_ALL,
    Change,
    ChangeKind,
    Fields,
    FlagChange,
    KeptFlags,
    Mailbox,
    MailboxStatus,
    MessageSummary,
    MessageTable,
    NewMessage,
    NoSuchMailbox,
    Pop3Fields,
    SortColumn,
    SortValue,
    TextPlace,
)
from pillarbox.mailstore.maildir import folder_changes, pop3_fields
from pillarbox.mailstore.maildir.file_names import short_guid
from pillarbox.mailstore.maildir.folder_files import Event, FolderFiles
from pillarbox.mailstore.maildir.folder_snapshots import (
    Known,
    go_on_from,
    path_in,
    read_snapshot,
    write_snapshot,
)
from pillarbox.mailstore.maildir.folder_watch import FolderWatch
from pillarbox.mailstore.maildir.group_commit import CommonCommits, GroupCommit
from pillarbox.mailstore.maildir.mailbox_faults import mailbox_faults
from pillarbox.mailstore.maildir.message_contents import MessageContents
from pillarbox.mailstore.maildir.modseq_keeping import ModSeqKeeping
from pillarbox.mailstore.maildir.prompt_work import promptly
from pillarbox.mailstore.maildir.table_changes import add_rows, additions, change_rows, expunge_rows
from pillarbox.mailstore.maildir.temporary_files import remove_old_temporaries
from pillarbox.mailstore.quota.maildirsize import Size
from pillarbox.vocabulary.flags import Flag, count_flag, having_flag
from pillarbox.vocabulary.identifiers import ModSeq, Uid, UidValidity

MAX_JOURNAL: Final = 20_000
"""Changes that are kept for sessions that have not looked for a while, besides those that came with the last."""

_UNDELETED: Final = KeptFlags(KEEP_ALL.flags & ~Flag.DELETED, keywords=True)

_T = TypeVar("_T")


class ExpungeKeeper(Protocol):
    """Keeps what is about to be expunged elsewhere (mailstore/maildir/lazy_expunge.py)."""

    async def keep(
        self, mailbox: "MaildirMailbox", uids: Sequence[Uid], *, moved_to: Mailbox | None = None
    ) -> None:
        """Copy messages, unless they may go for good; `moved_to` has them already.  StoreUnavailable."""
        ...

    async def close(self) -> None:
        """The account is closed."""
        ...


class MaildirMailbox:
    """`Mailbox` over a Maildir folder; made by `MaildirAccount.open`."""

    def __init__(
        self,
        name: str,
        folder: FolderFiles,
        *,
        caches: AccountCaches,
        executor: Executor | None,
        inotify: Inotify | None,
        commits: CommonCommits,
        on_close: Callable[["MaildirMailbox"], None],
    ) -> None:
        self.name = name
        self.uid_validity = UidValidity(0)
        self.guid = b""
        self.messages = MessageTable()
        self.keywords = folder.keywords.names
        self.memo: dict[object, object] = {}
        self.lasting_memo: dict[object, object] = {}
        self.folder, self.failed_reads = folder, folder.failed_reads
        self.users = 0
        """How many sessions have it open."""
        self.lazy_expunge: ExpungeKeeper | None = None
        """Where messages go before they are expunged."""
        self._caches = caches
        self._first_recent = 1
        self._executor = executor
        self._watch = FolderWatch(lambda: folder.directory, inotify)
        self._on_close = on_close
        self._journal = Journal()
        self._status: tuple[tuple[int, int, int, int, bool], MailboxStatus] | None = None  # as told last
        self._writes = BackgroundWrites(executor)
        self._later = self._writes.begin
        self.rows = MailboxRows(folder, caches, executor=executor, run=self._run, later=self._later)
        """What the cache and the index of texts keep of it."""
        self._modseqs = ModSeqKeeping(caches.rows, folder.clock, self._writes, run=self._run)
        self._appends = GroupCommit(partial(commits.store, folder), stored=self.take_events)
        self._contents = MessageContents(folder, executor)
        self._snapshot: SnapshotHeader | None = None  # as it was read

    # --- what is known without asking ---------------------------------------------------------------

    @property
    def watched_directories(self) -> tuple[bytes, ...]:
        """new/ and cur/."""
        return self._watch.places

    @property
    def uid_next(self) -> Uid:
        """UIDNEXT."""
        return Uid(self.folder.next_uid)

    @property
    def highest_modseq(self) -> ModSeq:
        """HIGHESTMODSEQ."""
        return self._modseqs.counter.highest

    @property
    def has_modseqs(self) -> bool:
        """Whether a client has used mod-sequences of this mailbox, ever."""
        return self._modseqs.counter.has_history

    async def track_modseqs(self) -> None:
        """From now on, mod-sequences are those of the mailbox's history, and are kept."""
        await self._modseqs.track(self.messages)

    async def note_annotation(self) -> None:
        """An annotation has changed: so has HIGHESTMODSEQ, if anybody has ever asked for it (RFC 7162 §3.2)."""
        await self._modseqs.note_annotation(self.messages)

    async def vanished_since(self, modseq: int) -> list[Uid] | None:
        """UIDs that were expunged after that mod-sequence."""
        return await self._modseqs.vanished_since(modseq, self.messages)

    @property
    def first_recent_uid(self) -> Uid:
        """Messages from this UID on have not been seen by any session before."""
        return Uid(self._first_recent)

    def claim_recent(self) -> Uid:
        """Give the \\Recent messages to the calling session."""
        first, uid_next = self._first_recent, self.folder.next_uid
        if first < uid_next:
            self._first_recent = uid_next
            self._later(partial(self._caches.rows.set_first_recent, self.rows.number, self._first_recent))
        return Uid(first)

    @property
    def journal_position(self) -> int:
        """Position after the last change."""
        return self._journal.position

    def changes_since(self, position: int) -> list[Change] | None:
        """Changes from `position` on; None if they are no longer kept."""
        return self._journal.since(position)

    @property
    def is_as_listed(self) -> bool:
        """Whether new/ and cur/ are there, and nobody else has changed them."""
        try:
            return self.folder.is_quiet()
        except (OSError, NoSuchMailbox):
            return False

    # --- asking the files ---------------------------------------------------------------------------

    async def load(self) -> None:
        """Read the folder for the first time."""
        await self._run(self._load)
        self.uid_validity = UidValidity(self.folder.uid_validity)
        self.guid = self.folder.guid

    async def refresh(self, *, read_only: bool = False) -> None:
        """Take in what deliveries and other programs did."""
        if not self.is_current(read_only=read_only):
            await self._run(partial(self.folder.sync, move_new=not read_only))

    def is_current(self, *, read_only: bool) -> bool:
        """Whether it is certain, without waiting, that there is nothing to be taken in from the files."""
        try:
            current = self.folder.is_current(move_new=not read_only)
        except (OSError, NoSuchMailbox):
            return False  # the thread meets it again, and says what it means
        if current and self.folder.events:
            self.take_events()
        return current

    def fill_cache(self) -> None:
        """From now on, what the cache does not hold of the messages is put there in the background."""
        self.rows.begin_filling(self.messages.uids)

    def stop_filling(self) -> None:
        """Fill neither cache nor index any more, but with what is in memory."""
        self.rows.stop_filling(self.messages.uids)

    @property
    def is_busy(self) -> bool:
        """Whether something is done in the background."""
        return self._writes.is_pending or self._watch.is_pending or self.rows.is_busy

    async def finish(self) -> None:
        """The account is closed: what was begun in the background is done."""
        self.stop_filling()
        await self._writes.finish()

    async def spool(self, size: int) -> SpoolFile:
        """For a message that is written as it comes."""
        folder = self.folder
        if folder.quota is not None:
            await self._run(folder.quota.check, [Size(size, size)])
        return SpoolFile(
            folder.directory,
            folder.new_names.take(),
            files=folder.files,
            executor=self._executor,
            packing=folder.packing,
        )

    async def append(self, messages: Sequence[NewMessage]) -> list[Uid]:
        """Store messages, all or none."""
        self._note_use()
        with mailbox_faults(self.name, self.folder.directory):
            return await self._appends.append(messages)

    async def change_flags(
        self, uids: Sequence[Uid], change: FlagChange, *, origin: object | None = None
    ) -> list[Uid]:
        """Change flags of those that exist; the UIDs whose flags really changed."""
        return await self._run(partial(folder_changes.change_flags, origin=origin), self.folder, uids, change)

    async def expunge(self, uids: Sequence[Uid], *, origin: object | None = None) -> list[Uid]:
        """Remove messages for good, or to where lazy_expunge says; the UIDs that were there."""
        if self.lazy_expunge is not None:
            await self.lazy_expunge.keep(self, uids)
        gone = await self._run(partial(folder_changes.expunge, origin=origin), self.folder, uids)
        if gone:
            self.rows.forget(gone)
        return gone

    async def copy(
        self, uids: Sequence[Uid], target: Mailbox, *, keeping: KeptFlags = KEEP_ALL
    ) -> list[tuple[Uid, Uid]]:
        """Copy messages with flags and dates; (source UID, target UID) pairs.  All or none."""
        pairs = await self._copy(uids, target, keeping, is_move=False)
        self._hand_over(target, pairs)
        return pairs

    async def move(
        self,
        uids: Sequence[Uid],
        target: Mailbox,
        *,
        keeping: KeptFlags = KEEP_ALL,
        origin: object | None = None,
    ) -> list[tuple[Uid, Uid]]:
        """Copy, then expunge: a crash may leave a copy in both, never in none."""
        pairs = await self._copy(uids, target, keeping, is_move=True)
        there = [source for source, _ in pairs]
        if self.lazy_expunge is not None:
            await self.lazy_expunge.keep(self, there, moved_to=target)
        gone = await self._run(partial(folder_changes.expunge, origin=origin), self.folder, there)
        self._hand_over(target, pairs, gone)
        return pairs

    async def copy_for_keeping(self, uids: Sequence[Uid], target: "MaildirMailbox") -> None:
        """Copy what is about to be expunged, without \\Deleted and whatever a quota says.  MessageGone."""
        self._hand_over(target, await self._copy(uids, target, _UNDELETED, is_move=True))

    async def last_instances(self, uids: Sequence[Uid]) -> list[Uid]:
        """Those of which no other copy would be left."""
        return await self._run(folder_changes.last_instances, self.folder, uids)

    async def _copy(
        self, uids: Sequence[Uid], target: Mailbox, keeping: KeptFlags, *, is_move: bool
    ) -> list[tuple[Uid, Uid]]:
        if not isinstance(target, MaildirMailbox):
            return await copy_elsewhere(self, uids, target, keeping=keeping)
        try:
            copy = partial(folder_changes.copy, keeping=keeping, is_move=is_move)
            return await self._run(copy, self.folder, uids, target.folder)
        finally:
            target.take_events()

    def _hand_over(self, target: Mailbox, pairs: Sequence[tuple[Uid, Uid]], gone: Sequence[Uid] = ()) -> None:
        there = target if isinstance(target, MaildirMailbox) else None
        rows, folder = (there.rows, there.folder) if there is not None else (None, self.folder)
        self.rows.hand_over(rows, pairs, base_of=folder.base_of, gone=gone)

    async def content(self, uid: Uid) -> bytes | LargeContent:
        """The whole message with CRLF line ends; a huge one in its file."""
        opened = self._contents.opened(uid)
        if opened is not None:
            return opened
        content = self._contents.at_once(uid)
        if content is None:
            return await self._run(self._contents.read, uid)
        self._note_use()
        return content

    def content_at_once(self, uid: Uid, *, limit: int) -> bytes | None:
        """The same of a message that is small and in memory; None of others, and of those that are gone."""
        self._note_use()
        return self._contents.at_once(uid, limit=limit)

    def is_huge(self, uid: Uid) -> bool:
        """Whether its file's name says that it is read in pieces."""
        return self._contents.is_huge(uid)

    async def may_hold(self, uids: list[int], text: str, places: Collection[TextPlace]) -> list[int]:
        """Those of `uids` of which one of the places may hold the text."""
        return await self.rows.texts.may_hold(uids, text, places)

    async def matching(self, uids: Sequence[Uid], matches: Callable[[bytes], bool]) -> list[Uid]:
        """Those whose content matches."""
        return await self._run(self._contents.matching, uids, matches)

    async def summaries(self, uids: Sequence[Uid], fields: Fields) -> list[MessageSummary]:
        """Cached columns of the messages, in the order of `uids`; gone ones are left out."""
        self._note_use()
        return await self.rows.summaries(uids, fields)

    async def sort_columns(
        self, uids: Sequence[Uid], columns: Sequence[SortColumn]
    ) -> list[tuple[SortValue, ...]]:
        """(UID, then the columns) of each message, in the order of `uids`."""
        return await self.rows.sort_columns(uids, columns)

    async def email_ids(self, uids: Sequence[int]) -> list[bytes]:
        """From the messages' GUIDs: a copy has that of its original."""
        return [short_guid(guid) if name else b"" for name, guid in await self.identities(uids)]

    async def identities(self, uids: Sequence[int]) -> list[tuple[bytes, bytes]]:
        """Base names of the files, and GUIDs."""
        return await promptly(self.folder, self._run, pop3_fields.identities, self.folder, uids)

    async def pop3_fields(self) -> dict[int, Pop3Fields]:
        """Those of dovecot-uidlist."""
        return await promptly(self.folder, self._run, pop3_fields.fields_of, self.folder)

    async def save_unique_ids(self, unique_ids: Mapping[int, bytes]) -> None:
        """Into dovecot-uidlist."""
        await self._run(pop3_fields.save_unique_ids, self.folder, unique_ids)

    async def status(self, *, with_size: bool) -> MailboxStatus:
        """STATUS, without moving new messages."""
        await self.refresh(read_only=True)
        state = self._state(with_size=with_size)
        if self._status is None or self._status[0] != state:
            self._status = (state, await self._count(with_size=with_size))
        return self._status[1]

    def writing_down(self) -> Callable[[], None]:
        """What is known now, to be written down for the next worker by a thread, when nobody uses the mailbox."""
        change_number = self.folder.change_number
        self.take_events()
        table, told = self.messages, self.told_status()
        status = told[0] if told is not None and told[1] else None
        known = Known(
            change_number=change_number,
            uids=array("I", table.uids),
            flags=bytearray(table.flags),
            keyword_bits=table.keywords[:],
            modseqs=array("Q", table.modseqs) if self._modseqs.counter.is_tracking else None,
            highest_modseq=self.highest_modseq,
            first_recent=self._first_recent,
            recent=len(table) - bisect_left(table.uids, self._first_recent),
            size=None if status is None else status.size,
            deleted_size=0 if status is None else status.deleted_size,
            cache_number=self.rows.number,
            filled_to=self.rows.filled_to,
        )
        return partial(write_snapshot, self.folder, known, before=self._snapshot)

    def told_status(self) -> tuple[MailboxStatus, bool] | None:
        """What STATUS told last and whether with the size, if nothing that is known has changed it since."""
        if self._status is None:
            return None
        state, status = self._status
        with_size = state[-1]
        return (status, with_size) if state == self._state(with_size=with_size) else None

    @property
    def was_opened(self) -> bool:
        """Whether a session has had it open, and not only its STATUS was asked for."""
        return self.rows.is_filled

    def _state(self, *, with_size: bool) -> tuple[int, int, int, int, bool]:
        """What STATUS depends on."""
        return (self._journal.position, self._first_recent, self.uid_next, self.highest_modseq, with_size)

    async def _count(self, *, with_size: bool) -> MailboxStatus:
        uids, flags = self.messages.uids, self.messages.flags
        deleted = frozenset(having_flag(uids, flags, Flag.DELETED, wanted=True))
        status = MailboxStatus(  # of one moment: while the sizes are added up the mailbox may change
            messages=len(uids),
            recent=len(uids) - bisect_left(uids, self._first_recent),
            unseen=len(uids) - count_flag(flags, Flag.SEEN),
            uid_next=self.uid_next,
            uid_validity=self.uid_validity,
            highest_modseq=self.highest_modseq,
            size=0,
            guid=self.guid,
            deleted=len(deleted),
            deleted_size=0,
        )
        if not with_size:
            return status
        size, deleted_size = await self.rows.total_size(deleted)
        return msgspec.structs.replace(status, size=size, deleted_size=deleted_size)

    # --- being told ---------------------------------------------------------------------------------

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` soon when the mailbox may have changed; the result ends the watch."""
        return self._watch.watch(notify)

    def close(self) -> None:
        """One user less."""
        self.users -= 1
        if self.users == 0:
            self._contents.close()
            self.rows.tidy()
            self.folder.forget_lines()
            self._on_close(self)

    def release(self) -> None:
        """Forget the messages: nobody will use the mailbox any more, and what refers to what goes much later."""
        self.messages = MessageTable()
        self.memo.clear()
        self.lasting_memo.clear()
        self.folder.release()

    # --- inside -------------------------------------------------------------------------------------

    async def _run(self, function: Callable[..., _T], *arguments: object) -> _T:
        """One thread hop; afterwards the tables hold what it found and did."""
        loop = self._note_use()
        with mailbox_faults(self.name, self.folder.directory):
            try:
                return await loop.run_in_executor(self._executor, partial(function, *arguments))
            finally:
                self.take_events()

    def _note_use(self) -> asyncio.AbstractEventLoop:
        """What is done in the background waits for a moment in which no client uses the mailbox."""
        loop = asyncio.get_running_loop()
        self.rows.note_use(loop.time())
        return loop

    def take_events(self) -> None:
        """Put what threads found or did into the tables and the journal.  Only on the loop."""
        queue = self.folder.events
        if not queue:
            return
        counter = self._modseqs.counter
        modseq = counter.next() if self.uid_validity or counter.is_tracking else counter.begin()
        events = [queue.popleft() for _ in range(len(queue))]
        for kind, group in groupby(events, key=attrgetter("kind")):
            if kind is ChangeKind.ADDED:
                self._add_rows(list(group), modseq)
            elif kind is ChangeKind.EXPUNGED:
                self.rows.texts.note_expunged()
                self._journal.extend(expunge_rows(self.messages, list(group), modseq))
            else:
                self._journal.extend(change_rows(self.messages, group, modseq))
        self._modseqs.note_changes(self.messages, events)
        self._journal.trim(MAX_JOURNAL + len(events))
        self._watch.tell()

    def _add_rows(self, events: Sequence[Event], modseq: ModSeq) -> None:
        self.memo.clear()
        add_rows(self.messages, events, modseq)
        if self.uid_validity:
            self._journal.extend(additions(events, modseq))
        else:  # the mailbox is being loaded: nobody knows of it yet
            self._journal.pass_over(len(events))
        self.rows.note_added(events)

    def _load(self) -> None:
        folder = self.folder
        dovecots = read_index(folder)
        snapshot = read_snapshot(folder.files, path_in(folder.index_directory)) if dovecots is None else None
        if snapshot is not None and not go_on_from(folder, snapshot):
            snapshot = None
        folder.sync(move_new=False)
        remove_old_temporaries(folder.directory, folder.files, now=folder.clock.now())
        first_recent = dovecots.first_recent if dovecots is not None else 0
        cached = self.rows.load(first_unseen=first_recent or folder.first_unseen())
        self._first_recent = max(cached.first_recent, first_recent)
        kept = cached.highest_modseq
        if dovecots is not None and not kept:
            kept = seed_history(self._modseqs.history, cached.number, folder, dovecots)
        self._modseqs.load(cached.number, kept)
        if snapshot is not None:
            self._go_on_from(snapshot)

    def _go_on_from(self, snapshot: Snapshot) -> None:
        """The table as it was; what has happened since is still to come as events."""
        table, header = self.messages, snapshot.header
        self._snapshot = header
        table.uids, table.flags, table.keywords = snapshot.uids, snapshot.flags, snapshot.keyword_bits
        is_same_cache = self.rows.number == header.cache_number != 0
        if is_same_cache and snapshot.modseqs is not None and header.highest_modseq == self._modseqs.kept:
            table.modseqs = snapshot.modseqs
            self._modseqs.counter.go_on_from(header.highest_modseq)
        else:
            table.modseqs = array("Q", [self._modseqs.counter.begin()]) * len(table.uids)
        self.rows.filled_to = header.filled_to if is_same_cache else 0
