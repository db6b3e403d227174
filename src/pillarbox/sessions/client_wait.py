"""Waiting for a client in a way that can be cut short.

DESCRIPTION
    A session is one task that waits for its client most of the time.  Whatever else it has to notice (a
    change of the mailbox, the end of the server) calls `wake()`, which lets the wait time out at once.  An
    idle session so owns one timer and no second task.
"""

import asyncio

from pillarbox.sessions.transport import Transport


class ClientWait:
    """The wait of one session for its client."""

    __slots__ = ("_deadline", "shutting_down", "transport", "woken")

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.shutting_down = False
        self.woken = False  # the last wait was ended by `wake()`, though time was not up
        self._deadline: asyncio.Timeout | None = None

    async def receive(self, *, limit: float) -> bytes | None:
        """Bytes, b"" when the client has closed; None when time is up, `wake()` was called, or we close."""
        if self.shutting_down:
            return None
        self.woken = False
        try:
            async with asyncio.timeout(limit) as deadline:
                self._deadline = deadline
                return await self.transport.receive()
        except TimeoutError:
            return None
        finally:
            self._deadline = None

    def wake(self) -> None:
        """End the wait, if there is one."""
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            self.woken = True
            deadline.reschedule(0)  # a moment that has passed: at the next turn of the loop

    def shut_down(self) -> None:
        """End the wait, and every later one."""
        self.shutting_down = True
        self.wake()
