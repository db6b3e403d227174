"""The most that clients have done of each kind, for the statistics that anvil(8) logs.

DESCRIPTION
    `lines()` says who did the most since it was last asked, how much that was, and when.  What nobody has done is
    not mentioned.

STANDARDS
    anvil(8), "LOGGING"
"""

import time
from typing import Final

import msgspec

from pillarbox.vocabulary.clock import Clock

_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_CONNECTIONS: Final = "connection count"
_CLIENTS: Final = "cache size"
_ORDER: Final = (
    "connection rate",
    _CONNECTIONS,
    "message rate",
    "recipient rate",
    "newtls rate",
    "auth rate",
    _CLIENTS,
)


class _Peak(msgspec.Struct, frozen=True):
    value: int
    shown: str  # the value, and who made it
    when: float  # seconds of the epoch


class ClientPeaks:
    """Peaks by kind."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._peaks: dict[str, _Peak] = {}

    def rate(self, kind: str, number: int, client: str, unit: float) -> None:
        """`number` events of a kind in `unit` seconds, by a client: `service:address`."""
        if self._is_more(kind := f"{kind} rate", number):
            self._keep(kind, number, f"{number}/{unit:.0f}s for ({client})")

    def connections(self, number: int, client: str) -> None:
        """So many connections of a client at once."""
        if self._is_more(_CONNECTIONS, number):
            self._keep(_CONNECTIONS, number, f"{number} for ({client})")

    def clients(self, number: int) -> None:
        """So many clients are counted."""
        if self._is_more(_CLIENTS, number):
            self._keep(_CLIENTS, number, str(number))

    def lines(self) -> list[str]:
        """The statistics for the log; the next ones begin anew."""
        found = [
            f"statistics: max {kind} {peak.shown} at {_date(peak.when)}"
            for kind in _ORDER
            if (peak := self._peaks.get(kind)) is not None
        ]
        self._peaks.clear()
        return found

    def _is_more(self, kind: str, number: int) -> bool:
        known = self._peaks.get(kind)
        return known is None or number > known.value

    def _keep(self, kind: str, number: int, shown: str) -> None:
        self._peaks[kind] = _Peak(number, shown, self._clock.now())


def _date(when: float) -> str:
    """As in a line of the log."""
    local = time.localtime(when)
    return f"{_MONTHS[local.tm_mon - 1]} {local.tm_mday:2d} {time.strftime('%H:%M:%S', local)}"
