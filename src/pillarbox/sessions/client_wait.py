"""Waiting for a client in a way that can be cut short.

DESCRIPTION
    A session is one task that waits for its client most of the time.  Whatever else it has to notice (a
    change of the mailbox, the end of the server) calls `wake()`, which lets the wait time out at once.  An
    idle session so owns one timer and no second task.

    What asyncio.timeout does, for one kind of wait: a tenth of the time that a small command takes was its.
"""

import asyncio

from pillarbox.sessions.transport import Transport


class ClientWait:
    """The wait of one session for its client."""

    __slots__ = ("_ends", "_task", "shutting_down", "transport", "woken")

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.shutting_down = False
        self.woken = False  # the last wait was ended by `wake()`, though time was not up
        self._task: asyncio.Task[object] | None = None  # that waits
        self._ends = False  # we have ended its wait

    async def receive(self, *, limit: float) -> bytes | None:
        """Bytes, b"" when the client has closed; None when time is up, `wake()` was called, or we close."""
        if self.shutting_down:
            return None
        self.woken = False
        task = asyncio.current_task()
        assert task is not None
        others = task.cancelling()  # who have cancelled the task before: not ours to take back
        timer = asyncio.get_running_loop().call_later(limit, self._end)
        self._task, self._ends = task, False
        try:
            return await self.transport.receive()
        except asyncio.CancelledError:
            if self._ends and task.uncancel() <= others:
                return None
            raise
        finally:
            self._task = None
            timer.cancel()

    def wake(self) -> None:
        """End the wait, if there is one."""
        if self._task is not None:
            self.woken = True
            self._end()

    def shut_down(self) -> None:
        """End the wait, and every later one."""
        self.shutting_down = True
        self.wake()

    def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._ends = True
            task.cancel()
