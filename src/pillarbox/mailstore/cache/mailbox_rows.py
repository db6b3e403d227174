"""What the account's caches keep of one mailbox: its rows, its words, and how they come there.

DESCRIPTION
    Summaries and sort keys come from the cache, or are read and put there (mailstore/cache/summary_reading.py).
    From `begin_filling` on the rest is read in the background, while no client uses the mailbox: messages that a
    deliverer has noted are taken from its notes, those that were copied from the rows of the originals, and no
    file is opened for either.

FAULTS
    StoreUnavailable, NoSuchMailbox  as those of `run`
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from functools import partial

from pillarbox.mailstore.cache.account_caches import AccountCaches
from pillarbox.mailstore.cache.arrival_adoption import adopt_arrivals
from pillarbox.mailstore.cache.cached_mailboxes import cached_mailbox
from pillarbox.mailstore.cache.copied_rows import CopiedRows
from pillarbox.mailstore.cache.filling import CacheFilling
from pillarbox.mailstore.cache.message_cache import CachedMailbox
from pillarbox.mailstore.cache.message_summaries import total_size
from pillarbox.mailstore.cache.sort_key_cache import read_sort_columns
from pillarbox.mailstore.cache.summary_reading import SummaryReading
from pillarbox.mailstore.cache.text_searching import TextSearching
from pillarbox.mailstore.mailbox import Fields, MessageSummary, SortColumn, SortValue
from pillarbox.mailstore.maildir.folder_files import Event, FolderFiles
from pillarbox.mailstore.maildir.prompt_work import Run
from pillarbox.vocabulary.identifiers import Uid


class MailboxRows:
    """Of one mailbox.  All methods but `load` are called on the event loop."""

    def __init__(
        self,
        folder: FolderFiles,
        caches: AccountCaches,
        *,
        executor: Executor | None,
        run: Run,
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        """`run` has something done in a thread, `later` in the background."""
        self.number = 0
        """The mailbox's in the cache."""
        self.filled_to = 0
        """UIDs up to it have their rows."""
        self.is_filled = False
        """Whether messages that come are read in the background."""
        self._folder = folder
        self._caches = caches
        self._run: Run = run
        self._later = later
        self._reading = SummaryReading(
            folder, caches.rows, caches.indexers, executor=executor, run=run, later=later
        )
        self.filling = CacheFilling(self._fill, slice_size=self._reading.slice_size)
        self.texts = TextSearching(
            folder,
            caches.rows,
            caches.words,
            caches.indexers,
            caches.index_policy,
            executor=executor,
            run=run,
            later=later,
        )
        self._copied = CopiedRows(caches.rows, caches.leisure, folder.clock)

    def load(self, *, first_unseen: int) -> CachedMailbox:
        """Find the mailbox's rows, when the folder is known.  Blocks."""
        found = cached_mailbox(
            self._caches.rows, self._caches.places, self._folder, first_unseen=first_unseen
        )
        self.number = self._reading.number = self._copied.number = found.number
        self.texts.load(found.number)
        return found

    # --- filling ------------------------------------------------------------------------------------

    def begin_filling(self, uids: Sequence[int]) -> None:
        """From now on, what the cache does not hold of the messages, `uids`, is put there in the background."""
        if not self.is_filled:
            self.is_filled = True
            self._later(self._folder.arrivals.prepare)
            self._adopt_arrivals()
            self.filling.want(uids[bisect_right(uids, self.filled_to) :])
            self.texts.fill()

    def stop_filling(self, uids: Sequence[int]) -> None:
        """Fill neither cache nor index any more, but with what is in memory; `uids` are those of the messages."""
        if self.is_filled and self.filling.finished.is_set() and self.number:
            self.filled_to = uids[-1] if uids else 0
        self.is_filled = False
        if self._folder.fresh.uids:
            self._later(self._reading.keep_fresh)
        self.filling.stop()
        self.texts.filling.stop()

    @property
    def is_busy(self) -> bool:
        """Whether something is read in the background."""
        return not (self.filling.finished.is_set() and self.texts.filling.finished.is_set())

    def note_use(self, now: float) -> None:
        """A client uses the mailbox, at this time of the loop's: what is done in the background waits."""
        self.filling.note_use(now)
        self.texts.filling.note_use(now)
        self._caches.leisure.note_use(now)

    def note_added(self, events: Sequence[Event]) -> None:
        """Messages have come."""
        fresh = self._folder.fresh
        if self.is_filled:
            uids = [event.uid for event in events]
            if not all(uid in fresh for uid in uids):  # else no deliverer has noted them
                self._adopt_arrivals()
            self.filling.want(uids)
            self.texts.note_new(uids)
        elif stored_here := set(fresh.uids):
            self.filling.want([event.uid for event in events if event.uid in stored_here])

    def tidy(self) -> None:
        """Nobody has the mailbox open any more."""
        self._reading.forget()
        self.texts.tidy()

    # --- copies -------------------------------------------------------------------------------------

    def forget(self, gone: Sequence[Uid]) -> None:
        """Messages were expunged: as UIDs are not given again, nobody has to wait for this."""
        self._copied.forget(gone)

    def hand_over(
        self,
        target: "MailboxRows | None",
        pairs: Sequence[tuple[Uid, Uid]],
        *,
        base_of: Callable[[int], bytes],
        gone: Sequence[Uid] = (),
    ) -> None:
        """Messages were copied, (UID, UID of the copy), to where a `target` has a cache; some are `gone` since.

        `base_of` tells in a thread the base of a copy's file name, empty if it is gone.
        """
        there = target._copied if target is not None else None
        self._copied.hand_over(there, pairs, base_of=base_of, gone=gone)

    # --- asking -------------------------------------------------------------------------------------

    async def summaries(self, uids: Sequence[Uid], fields: Fields) -> list[MessageSummary]:
        """Cached columns of the messages, in the order of `uids`; gone ones are left out."""
        await self._copied.come()
        with self.filling.held(), self.texts.filling.held():
            return await self._reading.read(uids, fields)

    async def sort_columns(
        self, uids: Sequence[Uid], columns: Sequence[SortColumn]
    ) -> list[tuple[SortValue, ...]]:
        """(UID, then the columns) of each message, in the order of `uids`."""
        await self._copied.come()
        return await self._run(read_sort_columns, self._folder, self._caches.rows, self.number, uids, columns)

    async def total_size(self, some: Collection[int]) -> tuple[int, int]:
        """Octets of all messages, and of `some` of them."""
        return await self._run(total_size, self._folder, self._caches.rows, self.number, some)

    # --- inside -------------------------------------------------------------------------------------

    def _fill(self, uids: list[int]) -> "asyncio.Future[int]":
        if not self._copied.are_coming:
            return self._reading.fill(uids)
        self._copied.when_come(lambda: self.filling.want(uids) if self.is_filled else None)
        nothing_read: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        nothing_read.set_result(0)
        return nothing_read

    def _adopt_arrivals(self) -> None:
        """What deliverers have noted goes into the cache."""
        if not self._folder.arrivals.is_empty():
            self._later(partial(adopt_arrivals, self._folder, self._caches.rows, self.number))
