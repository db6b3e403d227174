"""A wait that ends within the callback that ends it."""

import asyncio
import contextvars
from collections.abc import Callable

import pytest
import uvloop

from pillarbox.net.prompt_wait import PromptWait

LOOPS = pytest.mark.parametrize(
    "new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
_NAME: contextvars.ContextVar[str] = contextvars.ContextVar("_NAME", default="nobody's")


async def _turn() -> None:
    """One turn of the loop."""
    await asyncio.sleep(0)


@LOOPS
def test_the_task_goes_on_within_the_callback(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Called by the loop, `end()` returns when the task waits again or is over; in its own context."""

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        wait = PromptWait(loop)
        said: list[str] = []

        async def waits() -> None:
            _NAME.set("the task's")
            for number in range(3):
                await wait
                said.append(f"{number} {_NAME.get()} {asyncio.current_task() is task}")

        def ends() -> None:
            for _ in range(3):
                wait.end()
                said.append(f"ended, {_NAME.get()}")
            assert task.done()
            assert not wait.is_awaited
            wait.end()  # nobody waits

        task = loop.create_task(waits())
        await _turn()
        assert wait.is_awaited
        loop.call_soon(ends)
        await task
        assert said == [
            text for number in range(3) for text in (f"{number} the task's True", "ended, nobody's")
        ]

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scene())


@LOOPS
def test_a_task_does_not_go_on_within_another(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Called by a task, `end()` is a future's; a second one means nothing before the task has gone on."""

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        wait = PromptWait(loop)
        gone_on: list[int] = []

        async def waits() -> None:
            for number in range(2):
                await wait
                gone_on.append(number)

        task = loop.create_task(waits())
        await _turn()
        wait.end()
        wait.end()
        assert gone_on == []
        await _turn()
        assert gone_on == [0]
        wait.end()
        await task

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scene())


@LOOPS
def test_a_wait_is_cancelled(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """As a future's, also in the turn in which it was ended; whoever takes it back waits anew."""

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        wait = PromptWait(loop)
        seen: list[str] = []

        async def waits() -> None:
            for _ in range(2):
                try:
                    await wait
                    seen.append("ended")
                except asyncio.CancelledError:
                    seen.append("cancelled")

        task = loop.create_task(waits())
        await _turn()
        task.cancel()
        wait.end()  # comes too late
        await _turn()
        assert seen == ["cancelled"]
        assert wait.is_awaited
        wait.end()
        task.cancel()  # before it has gone on
        await task
        assert seen == ["cancelled", "cancelled"]

        fails = loop.create_task(_fail_after(wait))
        await _turn()
        loop.call_soon(wait.end)  # does not raise there
        with pytest.raises(ValueError, match="the task's"):
            await fails
        assert not wait.cancel()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scene())


async def _fail_after(wait: PromptWait) -> None:
    await wait
    raise ValueError("the task's")
