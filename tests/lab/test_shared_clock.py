"""The clock that several processes share."""

import asyncio
import os
from collections.abc import Callable, Iterator

import pytest

from pillarbox.net.shared_clock import LabClock, new_clock_memory


@pytest.fixture
def memory() -> Iterator[int]:
    """Of one clock."""
    descriptor = new_clock_memory()
    yield descriptor
    os.close(descriptor)


async def until(known: Callable[[], float | bool | None]) -> float:
    """What `known` says as soon as it says something."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[float] = loop.create_future()

    def look() -> None:
        if value := known():
            found.set_result(float(value))
        elif not found.done():
            loop.call_soon(look)

    look()
    return await found


def test_all_see_what_one_skips(memory: int) -> None:
    """Wall clock and monotonic time, in every process that has the memory."""
    mover, watcher = LabClock(memory), LabClock(memory)
    before = watcher.now(), watcher.monotonic()
    mover.skip(86_400)
    assert 86_400 <= watcher.now() - before[0] < 86_460
    assert 86_400 <= watcher.monotonic() - before[1] < 86_460


def test_time_does_not_go_back(memory: int) -> None:
    """ValueError."""
    with pytest.raises(ValueError, match="does not go back"):
        LabClock(memory).skip(-1)


def test_a_sleeper_says_until_when_and_wakes(memory: int) -> None:
    """The earliest of several; skipped time counts as slept."""
    mover, sleeper = LabClock(memory), LabClock(memory)
    woken: list[str] = []

    async def sleep(name: str, seconds: float) -> None:
        await sleeper.sleep(seconds)
        woken.append(name)

    async def scenario() -> None:
        async with asyncio.timeout(45), asyncio.TaskGroup() as tasks:
            tasks.create_task(sleep("late", 7200))
            tasks.create_task(sleep("early", 3600))
            for name, at_most in (("early", 3600), ("late", 3600)):
                wakes = await until(lambda: mover.until_sleeper_wakes)
                assert at_most - 30 < wakes <= at_most
                mover.skip(wakes)
                await until(lambda name=name: name in woken)  # type: ignore[misc]

    asyncio.run(scenario())
    assert woken == ["early", "late"]


def test_who_has_work_is_not_asleep(memory: int) -> None:
    """While `idle` is false nobody may skip."""
    mover, sleeper = LabClock(memory), LabClock(memory)
    idle = False
    sleeper.idle = lambda: idle

    async def scenario() -> None:
        nonlocal idle
        async with asyncio.timeout(45), asyncio.TaskGroup() as tasks:
            sleeping = tasks.create_task(sleeper.sleep(3600))
            for _ in range(20):
                await asyncio.sleep(0.001)
                assert mover.until_sleeper_wakes is None
            idle = True
            await until(lambda: mover.until_sleeper_wakes)
            sleeping.cancel()

    asyncio.run(scenario())
    assert mover.until_sleeper_wakes is None
