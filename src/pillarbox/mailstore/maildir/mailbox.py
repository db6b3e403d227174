"""A mailbox in a Maildir, as sessions see it: `Mailbox` over files.

DESCRIPTION
    `MaildirMailbox` keeps the tables of mailbox.py in memory and has the files handled by `FolderFiles` in
    worker threads, one hop per operation.  What a thread found or did comes back as events; only the event
    loop puts them into `messages` and the journal, so that sessions never see a table half changed.

    `refresh` costs a few stat calls when nothing has happened, and no thread hop; no directory is listed.

    Mod-sequences are those of mailstore/maildir/modseqs.py; once a client has asked for them, each batch of changes
    is written to the cache behind it.

FAULTS
    NoSuchMailbox      the directory is gone, or another mailbox is in its place
    StoreUnavailable   the files cannot be read or written; `str()` is for the log

STANDARDS
    RFC 3501 §2.3.1 (UIDs), §2.3.2 (\\Recent); RFC 7162 §3.1.1 (MODSEQ)
"""

import asyncio
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Final, Protocol, TypeVar

import msgspec

from pillarbox.files.inotify import Inotify
from pillarbox.mailstore.cache.arrival_adoption import adopt_arrivals
from pillarbox.mailstore.cache.background_writes import BackgroundWrites
from pillarbox.mailstore.cache.cached_mailboxes import CachedPlaces, cached_mailbox
from pillarbox.mailstore.cache.copied_rows import CopiedRows
from pillarbox.mailstore.cache.filling import CacheFilling
from pillarbox.mailstore.cache.indexers import Indexers
from pillarbox.mailstore.cache.leisure import Leisure
from pillarbox.mailstore.cache.message_cache import Cache
from pillarbox.mailstore.cache.message_summaries import total_size
from pillarbox.mailstore.cache.snapshot_format import Snapshot, SnapshotHeader
from pillarbox.mailstore.cache.sort_key_cache import read_sort_columns
from pillarbox.mailstore.cache.summary_reading import SummaryReading
from pillarbox.mailstore.cache.text_index import TextIndex
from pillarbox.mailstore.cache.text_searching import IndexPolicy, TextSearching
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
from pillarbox.mailstore.maildir.modseq_history import ModSeqHistory, ModSeqRow
from pillarbox.mailstore.maildir.modseqs import ModSeqs
from pillarbox.mailstore.maildir.prompt_work import promptly
from pillarbox.mailstore.maildir.table_changes import add_rows, additions, change_rows, expunge_rows
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
        cache: Cache,
        places: CachedPlaces,
        executor: Executor | None,
        inotify: Inotify | None,
        indexers: Indexers | None,
        text_index: TextIndex,
        index_policy: IndexPolicy,
        commits: CommonCommits,
        leisure: Leisure,
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
        self._cache, self._places = cache, places
        self._history = ModSeqHistory(cache)
        self._cache_number = 0
        self._first_recent = 1
        self._executor = executor
        self._watch = FolderWatch(lambda: folder.directory, inotify)
        self._on_close = on_close
        self._modseqs = ModSeqs(folder.clock)
        self._kept_modseq = 0
        self._journal = Journal()
        self._status: tuple[tuple[int, int, int, int, bool], MailboxStatus] | None = None  # as told last
        self._writes = BackgroundWrites(executor)
        self._later = self._writes.begin
        self._reading = SummaryReading(
            folder, cache, indexers, executor=executor, run=self._run, later=self._later
        )
        self.filling = CacheFilling(self._fill, slice_size=self._reading.slice_size)
        self._is_filling = False
        self.texts = TextSearching(
            folder,
            cache,
            text_index,
            indexers,
            index_policy,
            executor=executor,
            run=self._run,
            later=self._later,
        )
        self._appends = GroupCommit(partial(commits.store, folder), stored=self.take_events)
        self._contents = MessageContents(folder, executor)
        self._leisure = leisure
        self._copied_rows = CopiedRows(cache, leisure, folder.clock)
        self._snapshot: SnapshotHeader | None = None  # as it was read
        self._filled_to = 0  # UIDs up to it have their rows in the cache

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
        return self._modseqs.highest

    @property
    def has_modseqs(self) -> bool:
        """Whether a client has used mod-sequences of this mailbox, ever."""
        return self._modseqs.has_history

    async def track_modseqs(self) -> None:
        """From now on, mod-sequences are those of the mailbox's history, and are kept."""
        if not self._modseqs.is_tracking:
            history = await self._run(self._history.modseqs, self._cache_number)
        if not self._modseqs.is_tracking:  # else another session was faster
            rows = self._modseqs.adopt(self.messages, history, self._kept_modseq)
            known = set(self.messages.uids)
            if self._modseqs.begins_now:
                self._later(
                    partial(self._history.set_vanished_floor, self._cache_number, self.highest_modseq)
                )
            self._keep_modseqs(rows, [uid for uid in history if uid not in known])

    async def note_annotation(self) -> None:
        """An annotation has changed: so has HIGHESTMODSEQ, if anybody has ever asked for it (RFC 7162 §3.2)."""
        if self.has_modseqs:
            await self.track_modseqs()
            self._modseqs.next()
            self._keep_modseqs({}, [])

    async def vanished_since(self, modseq: int) -> list[Uid] | None:
        """UIDs that were expunged after that mod-sequence."""
        await self._writes.finish()  # what is not in the cache yet
        found = await self._run(self._history.vanished_since, self._cache_number, modseq)
        # A mailbox that was restored from a backup may have given a UID again that was another message's.
        return None if found is None else [Uid(uid) for uid in found if self.messages.row(uid) is None]

    @property
    def first_recent_uid(self) -> Uid:
        """Messages from this UID on have not been seen by any session before."""
        return Uid(self._first_recent)

    def claim_recent(self) -> Uid:
        """Give the \\Recent messages to the calling session."""
        first = self._first_recent
        if first < self.uid_next:
            self._first_recent = self.uid_next
            self._later(partial(self._cache.set_first_recent, self._cache_number, self._first_recent))
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
        try:
            if self.folder.is_current(move_new=not read_only):
                self.take_events()
                return
        except (OSError, NoSuchMailbox):
            pass  # the thread meets it again, and says what it means
        await self._run(partial(self.folder.sync, move_new=not read_only))

    def fill_cache(self) -> None:
        """From now on, what the cache does not hold of the messages is put there in the background."""
        if not self._is_filling:
            self._is_filling = True
            self._later(self.folder.arrivals.prepare)
            self._adopt_arrivals()
            self.filling.want(self.messages.uids[bisect_right(self.messages.uids, self._filled_to) :])
            self.texts.fill()

    def stop_filling(self) -> None:
        """Fill neither cache nor index any more, but with what is in memory."""
        if self._is_filling and self.filling.finished.is_set() and self._cache_number:
            self._filled_to = self.messages.uids[-1] if self.messages.uids else 0
        self._is_filling = False
        if self.folder.fresh.uids:
            self._later(self._reading.keep_fresh)
        self.filling.stop()
        self.texts.filling.stop()

    @property
    def is_busy(self) -> bool:
        """Whether something is done in the background."""
        idle = self.filling.finished.is_set() and self.texts.filling.finished.is_set()
        return self._writes.is_pending or self._watch.is_pending or not idle

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
        if gone:  # UIDs are not given again, so nobody has to wait for this
            self._copied_rows.forget(gone)
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
        rows, folder = (there._copied_rows, there.folder) if there is not None else (None, self.folder)
        self._copied_rows.hand_over(rows, pairs, base_of=folder.base_of, gone=gone)

    def _fill(self, uids: list[int]) -> "asyncio.Future[int]":
        if not self._copied_rows.are_coming:
            return self._reading.fill(uids)
        self._copied_rows.when_come(lambda: self.filling.want(uids) if self._is_filling else None)
        nothing_read: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        nothing_read.set_result(0)
        return nothing_read

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
        return await self.texts.may_hold(uids, text, places)

    async def matching(self, uids: Sequence[Uid], matches: Callable[[bytes], bool]) -> list[Uid]:
        """Those whose content matches."""
        return await self._run(self._contents.matching, uids, matches)

    async def summaries(self, uids: Sequence[Uid], fields: Fields) -> list[MessageSummary]:
        """Cached columns of the messages, in the order of `uids`; gone ones are left out."""
        self._note_use()
        await self._copied_rows.come()
        with self.filling.held(), self.texts.filling.held():
            return await self._reading.read(uids, fields)

    async def sort_columns(
        self, uids: Sequence[Uid], columns: Sequence[SortColumn]
    ) -> list[tuple[SortValue, ...]]:
        """(UID, then the columns) of each message, in the order of `uids`."""
        await self._copied_rows.come()
        return await self._run(read_sort_columns, self.folder, self._cache, self._cache_number, uids, columns)

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
            modseqs=array("Q", table.modseqs) if self._modseqs.is_tracking else None,
            highest_modseq=self.highest_modseq,
            first_recent=self._first_recent,
            recent=len(table) - bisect_left(table.uids, self._first_recent),
            size=None if status is None else status.size,
            deleted_size=0 if status is None else status.deleted_size,
            cache_number=self._cache_number,
            filled_to=self._filled_to,
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
        return self._is_filling

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
        sizes = partial(total_size, self.folder, self._cache, self._cache_number)
        size, deleted_size = await self._run(sizes, deleted)
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
            self._reading.forget()
            self.texts.tidy()
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
        now = loop.time()
        self.filling.note_use(now)
        self.texts.filling.note_use(now)
        self._leisure.note_use(now)
        return loop

    def take_events(self) -> None:
        """Put what threads found or did into the tables and the journal.  Only on the loop."""
        queue = self.folder.events
        if not queue:
            return
        is_known = self.uid_validity or self._modseqs.is_tracking
        modseq = self._modseqs.next() if is_known else self._modseqs.begin()
        events = [queue.popleft() for _ in range(len(queue))]
        for kind, group in groupby(events, key=attrgetter("kind")):
            if kind is ChangeKind.ADDED:
                self._add_rows(list(group), modseq)
            elif kind is ChangeKind.EXPUNGED:
                self.texts.note_expunged()
                self._journal.extend(expunge_rows(self.messages, list(group), modseq))
            else:
                self._journal.extend(change_rows(self.messages, group, modseq))
        if self._modseqs.is_tracking:
            gone = [event.uid for event in events if event.kind is ChangeKind.EXPUNGED]
            self._keep_modseqs(self._modseqs.rows(self.messages, {event.uid for event in events}), gone)
        self._journal.trim(MAX_JOURNAL + len(events))
        self._watch.tell()

    def _add_rows(self, events: Sequence[Event], modseq: ModSeq) -> None:
        self.memo.clear()
        add_rows(self.messages, events, modseq)
        if self.uid_validity:
            self._journal.extend(additions(events, modseq))
        else:  # the mailbox is being loaded: nobody knows of it yet
            self._journal.pass_over(len(events))
        if self._is_filling:
            uids = [event.uid for event in events]
            if not all(uid in self.folder.fresh for uid in uids):  # else no deliverer has noted them
                self._adopt_arrivals()
            self.filling.want(uids)
            self.texts.note_new(uids)
        elif fresh := set(self.folder.fresh.uids):
            self.filling.want([event.uid for event in events if event.uid in fresh])

    def _load(self) -> None:
        folder = self.folder
        dovecots = read_index(folder)
        snapshot = read_snapshot(folder.files, path_in(folder.index_directory)) if dovecots is None else None
        if snapshot is not None and not go_on_from(folder, snapshot):
            snapshot = None
        folder.sync(move_new=False)
        folder.remove_old_temporaries()
        first_recent = dovecots.first_recent if dovecots is not None else 0
        cached = cached_mailbox(
            self._cache, self._places, folder, first_unseen=first_recent or folder.first_unseen()
        )
        self._cache_number, self._first_recent = cached.number, cached.first_recent
        self._kept_modseq = cached.highest_modseq
        if dovecots is not None and not self._kept_modseq:
            self._kept_modseq = seed_history(self._history, self._cache_number, folder, dovecots)
        self._first_recent = max(self._first_recent, first_recent)
        self._reading.number = self._copied_rows.number = self._cache_number
        self._modseqs.has_history = self._kept_modseq != 0
        if snapshot is not None:
            self._go_on_from(snapshot)
        self.texts.load(self._cache_number)

    def _go_on_from(self, snapshot: Snapshot) -> None:
        """The table as it was; what has happened since is still to come as events."""
        table, header = self.messages, snapshot.header
        self._snapshot = header
        table.uids, table.flags, table.keywords = snapshot.uids, snapshot.flags, snapshot.keyword_bits
        is_same_cache = self._cache_number == header.cache_number != 0
        if is_same_cache and snapshot.modseqs is not None and header.highest_modseq == self._kept_modseq:
            table.modseqs = snapshot.modseqs
            self._modseqs.go_on_from(header.highest_modseq)
        else:
            table.modseqs = array("Q", [self._modseqs.begin()]) * len(table.uids)
        self._filled_to = header.filled_to if is_same_cache else 0

    def _keep_modseqs(self, rows: dict[int, ModSeqRow], gone: list[int]) -> None:
        """Write mod-sequences down, in the background: a crash loses none that `adopt` would not replace."""

        def write() -> None:
            self._history.set_modseqs(self._cache_number, highest, rows)
            if gone:
                self._history.add_vanished(self._cache_number, highest, gone)
                self._cache.remove(self._cache_number, gone)

        highest = self._modseqs.highest
        self._later(write)

    def _adopt_arrivals(self) -> None:
        """What deliverers have noted goes into the cache."""
        if not self.folder.arrivals.is_empty():
            self._later(partial(adopt_arrivals, self.folder, self._cache, self._cache_number))
