"""Fills the cache of a mailbox in the background, so that no client waits for messages to be parsed.

DESCRIPTION
    `want()` takes the UIDs of messages that were seen for the first time in this process; what is not in the
    cache yet is read, parsed and put there, a few messages at a time, by a worker thread or by indexers.  Work
    begins a moment after it was asked for, rests between two slices, and waits while clients use the mailbox: who
    asks for an envelope now must not wait for those that nobody wants yet.

    Parsing holds the interpreter of a thread; `SLICE` messages take about two milliseconds.

FAULTS
    What cannot be read is left out; the client that asks for it is told.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

SLICE: Final = 64
"""Messages in one go of a thread."""
DELAY: Final = 0.2
"""Seconds after which it begins, and for which the mailbox must have been left alone."""
REST: Final = 0.01
"""Seconds between two slices that found something to do."""
TICK: Final = 0.001
"""Seconds by which a timer of the loop may go off too early: a timer for less would go off again and again."""


class CacheFilling:
    """The filling of one mailbox's cache.  All methods are called on the event loop."""

    def __init__(
        self,
        fill: Callable[[list[int]], "asyncio.Future[int]"],
        *,
        slice_size: Callable[[int, int], int],
        delay: float = DELAY,
    ) -> None:
        """`fill` fills the cache for some UIDs; its result is the number of messages that had to be read.

        `slice_size` says how many it takes at once, from how many wait and what the last result was.
        """
        self._fill = fill
        self._slice_size = slice_size
        self._found = 0
        self._delay = delay
        self._wanted: deque[int] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_running = False
        self._used_at = 0.0
        self._holders = 0
        self.finished = asyncio.Event()
        """Set while nothing is wanted."""
        self.finished.set()

    def want(self, uids: Iterable[int]) -> None:
        """These messages are new to us."""
        self._wanted.extend(uids)
        if self._wanted and not self._is_running and self._timer is None:
            self.finished.clear()
            self._later(self._delay)

    def note_use(self, now: float) -> None:
        """A client uses the mailbox, at this time of the loop's."""
        self._used_at = now

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is begun meanwhile, however long it takes: a client waits for messages that are being read."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            self._used_at = asyncio.get_running_loop().time()

    def stop(self) -> None:
        """Fill no more."""
        self._wanted.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.finished.set()

    def _later(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        left = self._delay if self._holders else self._used_at + self._delay - loop.time()
        if left > TICK:
            self._later(left)
            return
        size = self._slice_size(len(self._wanted), self._found)
        uids = [self._wanted.popleft() for _ in range(min(size, len(self._wanted)))]
        self._is_running = True
        self._fill(uids).add_done_callback(self._done)

    def _done(self, future: "asyncio.Future[int]") -> None:
        self._is_running = False
        if future.cancelled():
            self.stop()
            return
        if future.exception() is None:  # else: what could not be read is not filled in
            self._found = future.result()
        if not self._wanted:
            self.finished.set()
        else:
            self._later(REST if future.exception() is not None or self._found else 0)
