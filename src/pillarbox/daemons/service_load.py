"""How many sessions an inet service of master.cf may have at once, and when it is under stress.

DESCRIPTION
    A service whose process limit is set (its line in master.cf, or default_process_limit in main.cf) has as many
    sessions as that; who comes later waits for the greeting.  When the last place is taken, master(8) warns, and
    new sessions have the settings of `stress = yes`: the defaults then have shorter timeouts, and fewer errors are
    suffered.  That lasts until the last place has not been taken for a thousand seconds.

    As at Postfix that is so for services with a limit of two or more that other hosts can reach; others just wait.

STANDARDS
    https://www.postfix.org/STRESS_README.html; master(8)
"""

import asyncio
from types import TracebackType
from typing import Final, Self

from pillarbox.observability.events import EventSink, Warned
from pillarbox.vocabulary.clock import Clock

SECONDS_OF_STRESS: Final = 1000.0
"""After the last place was taken."""
_SECONDS_BETWEEN_WARNINGS: Final = 1000.0


class ServiceLoad:
    """The sessions of one service: `async with load:` around each."""

    def __init__(self, name: str, limit: int, *, public: bool, clock: Clock) -> None:
        """`name` is how master(8) names the service; `public`: not on loopback addresses alone."""
        self.tell: EventSink = lambda _: None  # the log of master(8)
        self._name = name
        self._limit = limit
        self._public = public
        self._clock = clock
        self._slots = asyncio.Semaphore(limit)
        self._sessions = 0
        self._stress_until = self._quiet_until = clock.monotonic()

    @property
    def may_have_stress(self) -> bool:
        """Whether there are settings for stress."""
        return self._public and self._limit > 1

    @property
    def is_under_stress(self) -> bool:
        """Whether a session that begins now has the settings for stress."""
        return self._clock.monotonic() < self._stress_until

    async def __aenter__(self) -> Self:
        """Wait for a place."""
        await self._slots.acquire()
        self._sessions += 1
        if self._sessions == self._limit and self.may_have_stress:
            self._note_last_place()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the place back."""
        self._sessions -= 1
        self._slots.release()

    def _note_last_place(self) -> None:
        now = self._clock.monotonic()
        self._stress_until = now + SECONDS_OF_STRESS
        if now < self._quiet_until:
            return
        self._quiet_until = now + _SECONDS_BETWEEN_WARNINGS
        self.tell(
            Warned(
                f"service {self._name} has reached its process limit "
                f'"{self._limit}": new clients may experience noticeable delays'
            )
        )
        self.tell(
            Warned(
                "to avoid this condition, increase the process count in master.cf or reduce the service time "
                "per client"
            )
        )
        self.tell(
            Warned(
                "see http://www.postfix.org/STRESS_README.html for examples of stress-adapting "
                "configuration settings"
            )
        )
