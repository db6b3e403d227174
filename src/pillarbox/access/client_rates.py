"""How often a client does what it does: the counts behind smtpd_client_*_limit, as anvil(8) keeps them.

DESCRIPTION
    `ClientRates.of()` gives the counts of one client at one service; clients whose leading address bits are the
    same (smtpd_client_ipv4_prefix_length, …) are one.  A rate begins with the first event and is set back
    anvil_rate_time_unit later; a client that has gone is forgotten as long after its last connection.  One smtpd
    process serves all sessions, so it counts for all of them; a new generation after a reload begins anew.
    Who is counted is kept in `Peaks`, too, for the log's statistics.

LIMITS
    `_REMEMBERED` clients that have gone; the oldest counts are forgotten first

STANDARDS
    TUNING_README, "Measures against clients that make too many connections"; anvil(8)
"""

from collections import OrderedDict
from enum import Enum
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final

import msgspec

from pillarbox.access.client_peaks import ClientPeaks
from pillarbox.vocabulary.clock import Clock

_REMEMBERED: Final = 100_000


class Event(Enum):
    """What is counted, in the words of the log."""

    CONNECTION = "Connection"
    MESSAGE = "Message delivery request"
    RECIPIENT = "Recipient address"
    AUTH = "AUTH command"
    NEW_TLS = "New TLS session"


_OF_RATE: Final = {
    Event.CONNECTION: "connection",
    Event.MESSAGE: "message",
    Event.RECIPIENT: "recipient",
    Event.AUTH: "auth",
    Event.NEW_TLS: "newtls",
}
"""The same in the words of the statistics."""


class _Counts(msgspec.Struct):
    begun: float
    counts: dict[Event, int]
    unit: float
    connections: int = 0
    left: float = 0.0  # when the last of them ended


class RateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """A service's limits; 0 is none."""

    service: str
    limits: dict[Event, int]
    unit: float  # anvil_rate_time_unit
    connections: int = 0  # smtpd_client_connection_count_limit
    ipv4_prefix: int = 32
    ipv6_prefix: int = 84

    @property
    def is_counted(self) -> bool:
        """Whether anything is limited: connections are counted for the sake of any limit."""
        return bool(self.connections) or any(self.limits.values())


class ClientRates:
    """Counts by service and client."""

    def __init__(self, clock: Clock, peaks: ClientPeaks) -> None:
        self._clock = clock
        self._peaks = peaks
        self._present: dict[str, _Counts] = {}
        self._gone: OrderedDict[str, _Counts] = OrderedDict()  # in the order in which they left

    def of(self, address: IPv4Address | IPv6Address, limits: RateLimits) -> "ClientRate":
        """The counts of one client."""
        return ClientRate(self, address, limits)

    def connect(self, key: str, unit: float) -> tuple[int, int]:
        """One connection more: how many there are now, and how many there have been in this span of time."""
        known = self._known(key, unit)
        if not known.connections:
            self._gone.pop(key, None)
            self._present[key] = known
        known.connections += 1
        self._peaks.connections(known.connections, key)
        return known.connections, self.count(key, Event.CONNECTION, unit)

    def disconnect(self, key: str) -> None:
        """One connection less."""
        known = self._present[key]
        known.connections -= 1
        if known.connections:
            return
        del self._present[key]
        known.left = self._clock.monotonic()
        self._gone[key] = known
        if len(self._gone) > _REMEMBERED:
            self._gone.popitem(last=False)

    def count(self, key: str, event: Event, unit: float) -> int:
        """One event more; how many that makes."""
        known = self._known(key, unit)
        now = self._clock.monotonic()
        if now - known.begun >= unit:
            known.begun = now
            known.counts.clear()
        number = known.counts[event] = known.counts.get(event, 0) + 1
        self._peaks.rate(_OF_RATE[event], number, key, unit)
        return number

    def _known(self, key: str, unit: float) -> _Counts:
        found = self._present.get(key) or self._gone.get(key)
        now = self._clock.monotonic()
        if found is not None and (found.connections or now - found.left < found.unit):
            return found
        self._forget(now)
        self._gone.pop(key, None)
        made = self._gone[key] = _Counts(now, {}, unit, left=now)
        self._peaks.clients(len(self._present) + len(self._gone))
        return made

    def _forget(self, now: float) -> None:
        """Those who left long ago."""
        while self._gone:
            key, oldest = next(iter(self._gone.items()))
            if now - oldest.left < oldest.unit:
                return
            del self._gone[key]


class ClientRate:
    """One client at one service."""

    def __init__(self, rates: ClientRates, address: IPv4Address | IPv6Address, limits: RateLimits) -> None:
        self._rates = rates
        self._address = address
        self._limits = limits

    def of(self, address: IPv4Address | IPv6Address) -> "ClientRate":
        """Those of another client at the same service."""
        return ClientRate(self._rates, address, self._limits)

    def has_limit(self, event: Event) -> bool:
        """Whether there can be too many."""
        return bool(self._limits.limits.get(event))

    def connect(self, client: str) -> str:
        """Count a connection, which is to be followed by `disconnect()`.

        The log's warning if `client` has too many of them, or comes too often; empty if it does not.
        """
        limits = self._limits
        connections, rate = self._rates.connect(self._key, limits.unit)
        if 0 < limits.connections < connections:
            return (
                f"Connection concurrency limit exceeded: {connections} from {client} "
                f"for service {limits.service}"
            )
        limit = limits.limits.get(Event.CONNECTION, 0)
        return self.warning(Event.CONNECTION, rate, client) if 0 < limit < rate else ""

    def disconnect(self) -> None:
        """The connection is over."""
        self._rates.disconnect(self._key)

    def exceeded(self, event: Event) -> int:
        """Count an event; the count if that is too many, else 0."""
        limit = self._limits.limits.get(event, 0)
        if not limit:
            return 0
        count = self._rates.count(self._key, event, self._limits.unit)
        return count if count > limit else 0

    @cached_property
    def _key(self) -> str:
        """Service and address, or network, in the form of the statistics."""
        address, limits = self._address, self._limits
        prefix = limits.ipv4_prefix if address.version == 4 else limits.ipv6_prefix
        if prefix == address.max_prefixlen:
            return f"{limits.service}:{address}"
        return f"{limits.service}:{ip_network((address, prefix), strict=False)}"

    def warning(self, event: Event, count: int, client: str) -> str:
        """`Connection rate limit exceeded: 31 from name[address] for service smtp`"""
        return f"{event.value} rate limit exceeded: {count} from {client} for service {self._limits.service}"
