"""What time it is, as a parameter.

DESCRIPTION
    Nothing but the real clock (`net/system_clock.py`) asks the operating system for the time: whatever
    needs it takes a `Clock`.  Tests and the lab pass a `ManualClock` and let five days of retries go by
    in a second.
"""

from typing import Protocol


class Clock(Protocol):
    """Wall-clock and monotonic time."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


class ManualClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._start = now

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._now - self._start

    def advance(self, seconds: float) -> None:
        """Let `seconds` go by."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._now += seconds
