"""Scans of incoming and deferred: which messages are there to be tried.

DESCRIPTION
    A scan reads the names of a queue and hands on those that are due, no faster than they are taken up: the queue
    may hold far more than can be active.  Who asks while one is under way is given another after it, which
    begins anew, as with qmgr(8).

    Directories are read, and times looked at, by a thread, some hundred names at a time.

STANDARDS
    Postfix qmgr(8); postqueue(1) -f
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from itertools import islice
from typing import Final

from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import QueueId

STEP: Final = 500
"""Names that are looked at in one go."""

Found = Callable[[list[QueueId], bool], Awaitable[None]]
"""Is given messages, and whether they are to be tried whatever their time; returns when there is room for more."""


class QueueScan:
    """One queue, read as often as it is asked for."""

    def __init__(
        self,
        directories: QueueDirectories,
        queue: str,
        *,
        found: Found,
        threads: Executor,
        clock: Clock,
        due_only: bool = False,
    ) -> None:
        """`due_only`: pass over messages whose time is yet to come."""
        self._directories = directories
        self._queue = queue
        self._found = found
        self._threads = threads
        self._clock = clock
        self._due_only = due_only
        self._requested = asyncio.Event()
        self._at_once = False
        self._running = False

    @property
    def is_idle(self) -> bool:
        """Nothing is being read, nor will be before somebody asks."""
        return not self._running and not self._requested.is_set()

    def request(self, *, at_once: bool = False) -> None:
        """Read the queue once more from its beginning; `at_once`: whatever the times of its messages."""
        self._at_once |= at_once
        self._requested.set()

    async def run(self) -> None:
        """Read when asked, until cancelled."""
        while True:
            await self._requested.wait()
            self._requested.clear()
            at_once, self._at_once = self._at_once, False
            self._running = True
            try:
                await self._scan(at_once)
            finally:
                self._running = False

    async def _scan(self, at_once: bool) -> None:
        loop = asyncio.get_running_loop()
        names = self._directories.scan(self._queue)
        while (found := await loop.run_in_executor(self._threads, self._step, names, at_once)) is not None:
            if found:
                await self._found(found, at_once)

    def _step(self, names: Iterator[QueueId], at_once: bool) -> list[QueueId] | None:
        """Those of the next names that are due; None at the end."""
        ids = list(islice(names, STEP))
        if not ids:
            return None
        return self._due(ids) if self._due_only and not at_once else ids

    def _due(self, ids: list[QueueId]) -> list[QueueId]:
        now = self._clock.now()
        due: list[QueueId] = []
        for queue_id in ids:
            try:
                modified = os.stat(self._directories.path(self._queue, queue_id)).st_mtime
            except OSError:
                continue  # it went on meanwhile
            if modified <= now + 1:
                due.append(queue_id)
        return due
