"""Work that nobody waits for, done when the clients of an account have been silent for a moment.

DESCRIPTION
    After COPY, MOVE and EXPUNGE the cache is to be told what has become of its rows.  A thread that does so at
    once takes the interpreter from the client's next command again and again.  So it is done when no command has
    come for `REST` seconds, or when it has waited for `LONGEST`; in the order in which it came, in one thread.

    Who needs what it does does not wait so long: `hurry` begins it now.

FAULTS
    What a piece of work raises is a mistake of ours; it ends up with the loop's exception handler, and the others
    are done all the same.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final

REST: Final = 0.05
LONGEST: Final = 1.0
TICK: Final = 0.001
"""Seconds by which a timer of the loop may go off too early."""

Work = Callable[[], None]
_Waiting = tuple[Work, "asyncio.Future[None]"]


class Leisure:
    """Of one account.  All methods are called on the event loop."""

    def __init__(self, executor: Executor | None) -> None:
        self._executor = executor
        self._waiting: list[_Waiting] = []
        self._begins_at = 0.0  # at the latest
        self._used_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_running = False

    @property
    def is_busy(self) -> bool:
        """Whether something waits or is being done."""
        return bool(self._waiting) or self._is_running

    def note_use(self, now: float) -> None:
        """A command needs a thread, at this time of the loop's."""
        self._used_at = now

    def add(self, work: Work) -> "asyncio.Future[None]":
        """Do this some time; the result is set afterwards."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        if not self._waiting:
            self._begins_at = loop.time() + LONGEST
        self._waiting.append((work, done))
        if self._timer is None and not self._is_running:
            self._timer = loop.call_later(REST, self._look)
        return done

    def hurry(self) -> None:
        """Begin now."""
        self._begins_at = 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._look()

    async def finish(self) -> None:
        """All that waits is done when this returns."""
        while self.is_busy:
            last = self.add(lambda: None)
            self.hurry()
            await asyncio.wait([last])

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        until = min(self._used_at + REST, self._begins_at)
        if until - now > TICK:
            self._timer = loop.call_later(until - now, self._look)
            return
        self._timer = None
        batch, self._waiting = self._waiting, []
        self._is_running = True
        future = loop.run_in_executor(self._executor, _do_all, [work for work, _ in batch])
        future.add_done_callback(partial(self._done, batch))

    def _done(self, batch: Sequence[_Waiting], future: "asyncio.Future[list[Exception]]") -> None:
        self._is_running = False
        for _, done in batch:
            if not done.done():
                done.set_result(None)
        loop = asyncio.get_running_loop()
        for fault in () if future.cancelled() else future.result():
            loop.call_exception_handler({"message": "work of an account's leisure", "exception": fault})
        if self._waiting:
            self._timer = loop.call_later(0, self._look)


def _do_all(works: Sequence[Work]) -> list[Exception]:
    faults: list[Exception] = []
    for work in works:
        try:
            work()
        except Exception as fault:
            faults.append(fault)
    return faults
