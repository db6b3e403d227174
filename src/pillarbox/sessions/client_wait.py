"""Waiting for a client in a way that can be cut short.

DESCRIPTION
    A session is one task that waits for its client most of the time.  Whatever else it has to notice (a
    change of the mailbox, the end of the server) calls `wake()`, which lets the wait time out at once.  An
    idle session so owns one timer and no second task.

    What asyncio.timeout does, for one kind of wait: a tenth of the time that a small command takes was its.  The
    timer is not made anew for each wait, but moved on when it goes off too early; `close()` gives it back.
"""

import asyncio

from pillarbox.sessions.transport import Transport


class ClientWait:
    """The wait of one session for its client."""

    __slots__ = ("_ends", "_task", "_timer", "_until", "shutting_down", "transport", "woken")

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.shutting_down = False
        self.woken = False  # the last wait was ended by `wake()`, though time was not up
        self._task: asyncio.Task[object] | None = None  # that waits
        self._ends = False  # we have ended its wait
        self._timer: asyncio.TimerHandle | None = None
        self._until = 0.0  # by the loop's clock: the end of the wait, or of the last one

    async def receive(self, *, limit: float) -> bytes | None:
        """Bytes, b"" when the client has closed; None when time is up, `wake()` was called, or we close."""
        if self.shutting_down:
            return None
        self.woken = False
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        others = task.cancelling()  # who have cancelled the task before: not ours to take back
        self._task, self._ends = task, False
        self._until = loop.time() + limit
        if self._timer is None or self._timer.when() > self._until:
            self.close()
            self._timer = loop.call_at(self._until, self._look)
        try:
            return await self.transport.receive()
        except asyncio.CancelledError:
            if self._ends and task.uncancel() <= others:
                return None
            raise
        finally:
            self._task = None

    def wake(self) -> None:
        """End the wait, if there is one."""
        if self._task is not None:
            self.woken = True
            self._end()

    def shut_down(self) -> None:
        """End the wait, and every later one."""
        self.shutting_down = True
        self.wake()

    def close(self) -> None:
        """The session is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """The timer went off: time is up, or it is moved on."""
        self._timer = None
        loop = asyncio.get_running_loop()
        if self._task is None:
            return
        if loop.time() < self._until:
            self._timer = loop.call_at(self._until, self._look)
        else:
            self._end()

    def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._ends = True
            task.cancel()
