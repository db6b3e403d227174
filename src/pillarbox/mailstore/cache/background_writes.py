"""What is written to the cache behind the answer: nobody waits for it but whoever closes the account."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor


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
