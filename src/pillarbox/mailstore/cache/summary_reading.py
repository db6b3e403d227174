"""Summaries of one mailbox's messages for FETCH: few by a thread, many that nobody has looked at by indexers.

DESCRIPTION
    What the cache has is asked of it; a few others are read in a worker thread
    (mailstore/cache/message_summaries.py). Where many are missing, indexers read them
    (mailstore/cache/indexers.py), and, as clients ask for a whole mailbox one batch after the other, the next
    three as long as this one are read ahead while it is told.

    Whatever an indexer did not find is looked for again here, where files that were renamed are followed.
"""

import asyncio
import contextlib
import os
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final

import msgspec

from pillarbox.mailstore.cache.arrival_adoption import adopt_arrivals
from pillarbox.mailstore.cache.filling import SLICE
from pillarbox.mailstore.cache.indexers import PORTION, Indexers, Source
from pillarbox.mailstore.cache.indexing import Indexed
from pillarbox.mailstore.cache.message_cache import Cache
from pillarbox.mailstore.cache.message_summaries import (
    Writes,
    alive,
    fill_cache,
    known_summaries,
    read_summaries,
)
from pillarbox.mailstore.cache.sort_key_cache import keep_sort_keys
from pillarbox.mailstore.mailbox import Fields, MessageSummary, NoSuchMailbox, StoreUnavailable
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.prompt_work import Run, promptly

MANY: Final = 64
"""Messages for which indexers are worth it."""
FEW: Final = 128
"""Messages that are read here while indexers are being started."""
DEPTH: Final = 3
"""Batches that are read ahead: on a busy machine indexers have the next when the worker gets to ask for it."""

_PARSED: Final = Fields.ENVELOPE | Fields.BODY | Fields.BODYSTRUCTURE | Fields.HEADER

_Answers = list["asyncio.Future[Indexed | None]"]


class _Ahead(msgspec.Struct, frozen=True):
    """Messages that are read before they are asked for."""

    first: int
    last: int
    fields: Fields
    answers: _Answers


class SummaryReading:
    """The reading for one mailbox; methods are called on the event loop."""

    def __init__(
        self,
        folder: FolderFiles,
        cache: Cache,
        indexers: Indexers | None,
        *,
        executor: Executor | None,
        run: Run,
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self.number = 0
        """The mailbox's in the cache."""
        self._folder = folder
        self._cache = cache
        self._indexers = indexers
        self._executor = executor
        self._run: Run = run
        self._later = later
        self._ahead: deque[_Ahead] = deque()

    async def read(self, uids: Sequence[int], fields: Fields) -> list[MessageSummary]:
        """Summaries of the messages, in the order of `uids` (rising); gone ones are left out."""
        indexers = self._indexers
        if indexers is None or len(uids) < MANY or fields & Fields.PREVIEW or not fields & _PARSED:
            return await self._read_here(uids, fields)
        found: dict[int, MessageSummary] = {}
        if self._ahead and (uids[0], fields) == (self._ahead[0].first, self._ahead[0].fields):
            answers = self._ahead.popleft().answers
            await self._read_ahead(indexers, uids[-1], len(uids), fields)
            await _take(answers, found)
        else:
            found = await self._run(known_summaries, self._folder, self._cache, self.number, uids, fields)
        missing = [uid for uid in uids if uid not in found]
        while len(missing) >= MANY:
            indexers.want()
            if indexers.ready:
                answers = self._ask(
                    indexers, *await promptly(self._folder, self._run, self._folder.paths_of, missing), fields
                )
                if len(missing) > len(uids) // 2:
                    self._ahead.clear()
                    await self._read_ahead(indexers, uids[-1], len(uids), fields)
                await _take(answers, found)
                break
            for summary in await self._read_here(missing[:FEW], fields):
                found[summary.uid] = summary
            del missing[:FEW]
        missing = [uid for uid in missing if uid not in found]
        if missing:
            for summary in await self._read_here(missing, fields):
                found[summary.uid] = summary
        there = await promptly(self._folder, self._run, alive, self._folder, uids)
        return [found[uid] for uid in there if uid in found]

    def fill(self, uids: list[int]) -> "asyncio.Future[int]":
        """Fill the cache for messages (rising); the result is how many had to be read."""
        loop = asyncio.get_running_loop()
        indexers, folder = self._indexers, self._folder
        if (
            indexers is None
            or not indexers.ready
            or any(uid in folder.fresh for uid in uids)
            or not folder.mutex.acquire(blocking=False)
        ):
            return loop.run_in_executor(self._executor, self._fill_here, uids)
        try:
            there, paths = folder.paths_of(uids)
        finally:
            folder.mutex.release()
        counted: asyncio.Future[int] = loop.create_future()
        answers = self._ask(indexers, there, paths, Fields(0))
        if not answers:  # all of them are gone
            counted.set_result(0)
            return counted
        [answer] = answers
        answer.add_done_callback(partial(_count, counted))
        return counted

    def slice_size(self, wanted: int, found: int) -> int:
        """Messages to fill the cache for at once; `wanted` wait for it, `found` had to be read the last time."""
        indexers = self._indexers
        if indexers is None:
            return SLICE
        if found and wanted >= MANY:
            indexers.want()
        return PORTION if indexers.ready else SLICE

    def forget(self) -> None:
        """Nobody goes on reading."""
        self._ahead.clear()

    async def _read_here(self, uids: Sequence[int], fields: Fields) -> list[MessageSummary]:
        """In a worker thread; what was found in files is kept when the client has its answer."""
        writes: Writes = []
        read = partial(read_summaries, fields=fields, later=writes)
        found = await self._run(read, self._folder, self._cache, self.number, uids)
        for write in writes:
            self._later(write)
        return found

    def _fill_here(self, uids: list[int]) -> int:
        try:
            adopt_arrivals(self._folder, self._cache, self.number)
            rows = fill_cache(self._folder, self._cache, self.number, uids)
            keep_sort_keys(self._cache, self.number, rows)
        finally:
            self._folder.fresh.forget(uids)  # also where the cache cannot be written
        return len(rows)

    def keep_fresh(self) -> None:
        """What is in memory goes into the cache, if it can; in a thread."""
        with contextlib.suppress(OSError, NoSuchMailbox, StoreUnavailable):
            self._fill_here(self._folder.fresh.uids)

    async def _read_ahead(self, indexers: Indexers, last: int, count: int, fields: Fields) -> None:
        """Have the messages after `last` read, which will be asked for next."""
        while len(self._ahead) < DEPTH:
            after = self._ahead[-1].last if self._ahead else last
            uids, paths = await promptly(self._folder, self._run, self._paths_after, after, count)
            if not uids:
                return
            self._ahead.append(_Ahead(uids[0], uids[-1], fields, self._ask(indexers, uids, paths, fields)))

    def _paths_after(self, last: int, count: int) -> tuple[list[int], list[bytes]]:
        folder = self._folder
        with folder.mutex:
            start = bisect_right(folder.uids, last)
            return folder.paths_of(folder.uids[start : start + count])

    def _ask(
        self, indexers: Indexers, uids: Sequence[int], paths: Sequence[bytes], fields: Fields
    ) -> _Answers:
        source = Source(os.fsencode(self._cache.directory), self.number, self._folder.directory)
        return indexers.ask(source, uids, paths, fields)


async def _take(answers: _Answers, found: dict[int, MessageSummary]) -> None:
    """Wait for answers, and add what they bring."""
    for answer in answers:
        indexed = await answer
        if indexed is not None:
            for summary in indexed.summaries:
                found[summary.uid] = summary


def _count(counted: "asyncio.Future[int]", answer: "asyncio.Future[Indexed | None]") -> None:
    if not counted.done():
        indexed = None if answer.cancelled() else answer.result()
        counted.set_result(0 if indexed is None else indexed.count)
