"""Appends that come while others are being stored go together: one lock, one fsync of a directory for all.

DESCRIPTION
    Storing a message is mostly waiting for the disk.  While a batch is being stored, what other sessions append to
    the same mailbox gathers, and is the next batch; each of them is answered as if it had been alone.

    Who no longer waits (a session that was cut) has its message stored all the same.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final

from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.vocabulary.identifiers import Uid

MAX_MESSAGES: Final = 200
"""Messages of one batch; the last group may go beyond."""

Outcome = list[Uid] | Exception
_Waiting = tuple[Sequence[NewMessage], "asyncio.Future[list[Uid]]"]


class GroupCommit:
    """The appends of one mailbox.  All methods are called on the event loop."""

    def __init__(
        self,
        store: Callable[[Sequence[Sequence[NewMessage]]], list[Outcome]],
        *,
        executor: Executor | None,
        stored: Callable[[], None],
    ) -> None:
        """`store` blocks; `stored` is called after each batch, before anybody is told of it."""
        self._store = store
        self._executor = executor
        self._stored = stored
        self._waiting: list[_Waiting] = []
        self._is_busy = False

    async def append(self, messages: Sequence[NewMessage]) -> list[Uid]:
        """Store messages, all or none."""
        mine: asyncio.Future[list[Uid]] = asyncio.get_running_loop().create_future()
        self._waiting.append((messages, mine))
        if not self._is_busy:
            self._begin()
        return await mine

    def _begin(self) -> None:
        count = 0
        taken = 0
        while taken < len(self._waiting) and count < MAX_MESSAGES:
            count += len(self._waiting[taken][0])
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._is_busy = True
        loop = asyncio.get_running_loop()
        groups = [messages for messages, _ in batch]
        loop.run_in_executor(self._executor, self._store, groups).add_done_callback(
            partial(self._done, batch)
        )

    def _done(self, batch: list[_Waiting], future: "asyncio.Future[list[Outcome]]") -> None:
        self._is_busy = False
        fault = asyncio.CancelledError() if future.cancelled() else future.exception()
        outcomes: Sequence[Outcome | BaseException]
        outcomes = future.result() if fault is None else [fault] * len(batch)
        self._stored()
        for (_, waiter), outcome in zip(batch, outcomes, strict=True):
            if waiter.done():
                continue
            if isinstance(outcome, asyncio.CancelledError):
                waiter.cancel()
            elif isinstance(outcome, BaseException):
                waiter.set_exception(outcome)
            else:
                waiter.set_result(outcome)
        if self._waiting:
            self._begin()
