"""The last place of a service's process limit: who waits, what is warned of, and how long there is stress."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from pillarbox.daemons.service_load import SECONDS_OF_STRESS, ServiceLoad
from pillarbox.observability.events import Event, Warned
from pillarbox.vocabulary.clock import ManualClock


def load(limit: int, told: list[Event], *, public: bool = True) -> tuple[ServiceLoad, ManualClock]:
    clock = ManualClock()
    one = ServiceLoad('"smtp" (25)', limit, public=public, clock=clock)
    one.tell = told.append
    return one, clock


def test_the_last_place_is_the_first_under_stress() -> None:

    async def play() -> None:
        one, _ = load(2, [])
        async with one:
            assert not one.is_under_stress
            async with one:
                assert one.is_under_stress

    asyncio.run(play())


def test_stress_lasts_until_the_last_place_was_free_for_a_while() -> None:

    async def play() -> None:
        one, clock = load(2, [])
        async with one:
            async with one:
                clock.advance(SECONDS_OF_STRESS / 2)
            async with one:  # taken again: from now
                pass
            clock.advance(SECONDS_OF_STRESS - 1)
            assert one.is_under_stress
            clock.advance(1)
            assert not one.is_under_stress

    asyncio.run(play())


def test_who_comes_later_waits() -> None:

    async def play() -> None:
        one, _ = load(1, [])
        order: list[str] = []

        async def later() -> None:
            async with one:
                order.append("later")

        async with asyncio.TaskGroup() as tasks:
            async with one:
                tasks.create_task(later())
                await asyncio.sleep(0)
                order.append("first")
        assert order == ["first", "later"]

    asyncio.run(play())


def test_warnings_are_given_once_in_a_while() -> None:

    async def play() -> None:
        told: list[Event] = []
        one, clock = load(2, told)
        async with one:
            for _ in range(3):
                async with one:
                    pass
            assert told == [
                Warned(
                    'service "smtp" (25) has reached its process limit "2": new clients may experience noticeable delays'
                ),
                Warned(
                    "to avoid this condition, increase the process count in master.cf or reduce the service time per client"
                ),
                Warned(
                    "see http://www.postfix.org/STRESS_README.html for examples of stress-adapting configuration settings"
                ),
            ]
            clock.advance(SECONDS_OF_STRESS)
            async with one:
                pass
        assert len(told) == 6

    asyncio.run(play())


@pytest.mark.parametrize(("limit", "public"), [(1, True), (2, False)])
def test_services_that_know_no_stress(*, limit: int, public: bool) -> None:
    """One of a single process, whose limit is reached all the time; one that only the host itself reaches."""
    told: list[Event] = []
    one, _ = load(limit, told, public=public)

    async def play() -> None:
        async with AsyncExitStack() as sessions:
            for _ in range(limit):
                await sessions.enter_async_context(one)
            assert not one.is_under_stress

    asyncio.run(play())
    assert not one.may_have_stress
    assert told == []
