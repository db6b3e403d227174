"""A task's wait that ends at once: within the callback that says so, not in the loop's next turn.

DESCRIPTION
    A future's task goes on by way of a handle that the loop takes later.  `end()` goes on with the task there and
    then, in the task's own context, if it is called by the loop and not by another task; else as a future does.

    One object serves all waits of its owner, one task at a time.  It is a future to asyncio's tasks by what
    asyncio.isfuture() asks for, and can be awaited by nothing else.

FAULTS
    What the task raises is the task's, as ever.
"""

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context


class PromptWait:
    """Awaited again and again."""

    __slots__ = ("_asyncio_future_blocking", "_cancelled", "_context", "_go_on", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._cancelled = False
        self._loop = loop
        self._go_on: Callable[[PromptWait], object] | None = None  # with the task that waits
        self._context: Context | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether a task waits, and has not been told to go on."""
        return self._go_on is not None

    def end(self) -> None:
        """Whoever waits goes on, now if it can be; nothing happens if nobody does."""
        go_on, context = self._go_on, self._context
        if go_on is None:
            return
        self._go_on = self._context = None
        if context is None or asyncio.current_task(self._loop) is not None:
            self._loop.call_soon(go_on, self, context=context)
        else:
            context.run(go_on, self)

    # For asyncio.Task.

    def __await__(self) -> "Generator[PromptWait, None, None]":
        self._cancelled = False
        self._asyncio_future_blocking = True
        yield self

    def add_done_callback(
        self, go_on: "Callable[[PromptWait], object]", *, context: Context | None = None
    ) -> None:
        """The task waits."""
        self._go_on, self._context = go_on, context

    def cancel(self, msg: object = None) -> bool:
        """The task shall not wait any more."""
        go_on, context = self._go_on, self._context
        if go_on is None:
            return False
        self._go_on = self._context = None
        self._cancelled = True
        self._loop.call_soon(go_on, self, context=context)
        return True

    def result(self) -> None:
        """CancelledError, if that is how it ended."""
        if self._cancelled:
            raise asyncio.CancelledError

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Where the task runs."""
        return self._loop
