"""What nobody waits for on an event loop is told in the log."""

import asyncio
import gc
from collections.abc import Callable

import pytest
import uvloop

from pillarbox.observability.events import Event, Warned
from pillarbox.observability.loop_mistakes import tell_loop_mistakes

LOOPS = (asyncio.new_event_loop, uvloop.new_event_loop)


def _broken() -> None:
    raise KeyError(3)


async def _unasked() -> None:
    raise ValueError("no")


@pytest.mark.parametrize("new_loop", LOOPS, ids=("asyncio", "uvloop"))
def test_callbacks_and_tasks(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Each in one line with its place; the same at once is told once, and later again."""
    told, now = list[Event](), [0.0]

    async def play() -> None:
        loop = asyncio.get_running_loop()
        tell_loop_mistakes(loop, told.append, now=lambda: now[0])
        for moment in (0.0, 0.5, 1.0):
            now[0] = moment
            loop.call_soon(_broken)
            await asyncio.sleep(0)
        loop.create_task(_unasked())  # noqa: RUF006 - that nobody keeps it is what is tried
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gc.collect()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(play())
    texts = [event.reason for event in told if isinstance(event, Warned)]
    kinds = [text.partition(" at ")[0] for text in texts]
    assert kinds == ["panic: KeyError: 3", "panic: KeyError: 3", "panic: ValueError: no"]
    assert all(f"{__file__}:" in text for text in texts)


def test_mistakes_that_take_turns_are_told_once_a_second() -> None:
    """Each of them."""
    told, now = list[Event](), [0.0]

    async def play() -> None:
        loop = asyncio.get_running_loop()
        tell_loop_mistakes(loop, told.append, now=lambda: now[0])
        for _ in range(3):
            for text in ("one", "other") * 10:
                loop.call_exception_handler({"message": text})
            now[0] += 1
        for number in range(1000):
            loop.call_exception_handler({"message": f"{number}"})

    asyncio.run(play())
    assert told[:6] == [Warned("panic: one"), Warned("panic: other")] * 3
    assert len(told) == 1006


def test_a_connection_that_breaks_is_none() -> None:
    """Its protocol hears of it."""
    told = list[Event]()

    async def play() -> None:
        loop = asyncio.get_running_loop()
        tell_loop_mistakes(loop, told.append)
        loop.call_exception_handler({"message": "x", "exception": TimeoutError(110, "x"), "transport": None})
        loop.call_exception_handler({"message": "nothing else"})

    asyncio.run(play())
    assert told == [Warned("panic: nothing else")]
