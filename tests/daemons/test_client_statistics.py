"""When statistics of clients are logged."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from pillarbox.access.client_peaks import ClientPeaks
from pillarbox.config.snapshot import Snapshot
from pillarbox.daemons.client_statistics import ClientStatistics
from pillarbox.observability.events import Event, Noted
from pillarbox.vocabulary.clock import ManualClock


class Timers:
    """What is to be called, and in how many seconds; what is cancelled is not."""

    def __init__(self) -> None:
        self.waiting: dict[float, Callable[[], None]] = {}

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        timers, waiting = self, self.waiting

        class Handle:
            def cancel(self) -> None:
                timers.waiting.pop(delay, None)

        waiting[delay] = callback
        return cast("asyncio.TimerHandle", Handle())

    def passes(self, delay: float) -> None:
        """The time of one of them has come."""
        self.waiting.pop(delay)()


def test_every_so_often_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first client on; after the last one smtpd(8) waits for max_idle, and then anvil(8) for its own time."""
    timers, told = Timers(), list[Event]()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: timers)
    peaks = ClientPeaks(ManualClock())
    snapshot = Snapshot.of({"max_idle": "40s", "anvil_rate_time_unit": "60s"})
    statistics = ClientStatistics(peaks, snapshot, told.append)

    def lines() -> int:
        """How many have been logged since."""
        assert all(isinstance(event, Noted) and event.program == "anvil" for event in told)
        found = len(told)
        told.clear()
        return found

    assert not timers.waiting
    with statistics.client():
        peaks.clients(1)
        timers.passes(600)
        assert lines() == 1
        timers.passes(600)
        assert lines() == 0
        peaks.clients(1)
        with statistics.client():
            assert list(timers.waiting) == [600]
    assert sorted(timers.waiting) == [100, 600]
    with statistics.client():
        assert list(timers.waiting) == [600]
    timers.passes(100)
    assert lines() == 1
    assert not timers.waiting
