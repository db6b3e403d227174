"""What is written to the cache behind the answer: nobody waits for it but whoever closes the account."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

ANSWER_SECONDS: Final = 0.02
"""So long after a change what has to be written of it waits for the client to be answered."""


class BackgroundWrites:
    """Of one mailbox, in worker threads.  Only to be called on the loop."""

    def __init__(self, executor: Executor | None) -> None:
        self._executor = executor
        self._pending: set[asyncio.Future[None]] = set()

    @property
    def is_pending(self) -> bool:
        """Whether something is not written yet."""
        return bool(self._pending)

    async def finish(self) -> None:
        """Wait until all is written, also what is begun meanwhile."""
        while self._pending:
            await asyncio.wait(self._pending)

    def begin(self, write: Callable[[], None]) -> None:
        """Write something now."""
        future = asyncio.get_running_loop().run_in_executor(self._executor, write)
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)

    def begin_after_answer(self, write: Callable[[], None]) -> None:
        """The same, when whoever has caused it was answered: a thread would take the interpreter from the loop."""
        loop = asyncio.get_running_loop()
        begun: asyncio.Future[None] = loop.create_future()

        def begin() -> None:
            self.begin(write)
            begun.set_result(None)

        self._pending.add(begun)
        begun.add_done_callback(self._pending.discard)
        loop.call_later(ANSWER_SECONDS, begin)
