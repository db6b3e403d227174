"""A clock that several processes share and one of them moves: the lab's.

DESCRIPTION
    `LabClock` shows the operating system's time plus what has been skipped, a number in shared memory.  Whoever
    made the clock skips time while there is nothing to do but wait, so that days of retries go by in seconds;
    between the skips time passes as it always does, and nobody's timeout on the network means anything else.

    One process at a time sleeps on the clock: the queue manager.  While it has nothing to do (`idle`) it says in
    the shared memory until when it sleeps, and counts how often it has said so: what it said before something
    happened is worth nothing after it.

    Layout of the memory, native doubles: seconds skipped; when the sleeper wakes (monotonic seconds; 0: it is
    awake, or has work); how often it has looked whether it has work.
"""

import asyncio
import heapq
import mmap
import os
from collections.abc import Callable
from typing import Final

from pillarbox.net.system_clock import SystemClock

_SIZE: Final = 24
_SKIPPED: Final = 0
_WAKES: Final = 1
_LOOKS: Final = 2
_LOOKS_SECONDS: Final = 0.001


class LabClock:
    """`vocabulary.clock.Clock`, with a hand that is moved."""

    def __init__(self, descriptor: int) -> None:
        """The memory behind `descriptor`, which the caller keeps or closes."""
        self._system = SystemClock()
        self._memory = mmap.mmap(descriptor, _SIZE)
        self._cells = memoryview(self._memory).cast("d")
        self._sleeping: list[float] = []
        self.idle: Callable[[], bool] = lambda: True
        """Whether this process has nothing to do but sleep."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return self._system.now() + self._cells[_SKIPPED]

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return self._system.monotonic() + self._cells[_SKIPPED]

    async def sleep(self, seconds: float) -> None:
        """Wait until that much time has gone by or was skipped."""
        wakes = self.monotonic() + seconds
        heapq.heappush(self._sleeping, wakes)
        try:
            while self.monotonic() < wakes:
                self._cells[_WAKES] = self._sleeping[0] if self.idle() else 0.0
                self._cells[_LOOKS] += 1
                await asyncio.sleep(_LOOKS_SECONDS)
        finally:
            self._cells[_WAKES] = 0.0
            self._sleeping.remove(wakes)
            heapq.heapify(self._sleeping)

    # -- for whoever moves the hand --------------------------------------------------------------------

    def skip(self, seconds: float) -> None:
        """Let that much time be over.  ValueError if it is negative."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._cells[_SKIPPED] += seconds

    @property
    def until_sleeper_wakes(self) -> float | None:
        """Seconds until the one who sleeps has something to do; None while it is awake."""
        wakes = self._cells[_WAKES]
        return None if not wakes else max(0.0, wakes - self.monotonic())

    @property
    def looks(self) -> float:
        """How often the sleeper has looked whether it has something to do."""
        return self._cells[_LOOKS]


def new_clock_memory() -> int:
    """The descriptor of memory for a clock that shows the right time."""
    descriptor = os.memfd_create("clock", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, _SIZE)
    return descriptor
