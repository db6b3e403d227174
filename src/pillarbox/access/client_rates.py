"""How often a client does what it does: the counts behind smtpd_client_*_rate_limit, as anvil(8) keeps them.

DESCRIPTION
    `ClientRates.of()` gives the counts of one client at one service; clients whose leading address bits are the
    same (smtpd_client_ipv4_prefix_length, …) are one.  A count begins with the first event and is set back
    anvil_rate_time_unit later.  One smtpd process serves all sessions, so it counts for all of them; a new
    generation after a reload begins anew.

LIMITS
    `_REMEMBERED` clients; the oldest counts are forgotten first

STANDARDS
    TUNING_README, "Measures against clients that make too many connections"
"""

from collections import OrderedDict
from enum import Enum
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final

import msgspec

from pillarbox.vocabulary.clock import Clock

_REMEMBERED: Final = 100_000


class Event(Enum):
    """What is counted, in the words of the log."""

    CONNECTION = "Connection"
    MESSAGE = "Message delivery request"
    RECIPIENT = "Recipient address"
    AUTH = "AUTH command"
    NEW_TLS = "New TLS session"


class _Counts(msgspec.Struct):
    begun: float
    counts: dict[Event, int]


class RateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """A service's limits; 0 is none."""

    service: str
    limits: dict[Event, int]
    unit: float  # anvil_rate_time_unit
    ipv4_prefix: int = 32
    ipv6_prefix: int = 84


class ClientRates:
    """Counts by service and client."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._clients: OrderedDict[tuple[str, str], _Counts] = OrderedDict()

    def of(self, address: IPv4Address | IPv6Address, limits: RateLimits) -> "ClientRate":
        """The counts of one client."""
        return ClientRate(self, address, limits)

    def count(self, key: tuple[str, str], event: Event, unit: float) -> int:
        """One more; how many that makes."""
        now = self._clock.monotonic()
        found = self._clients.get(key)
        if found is None or now - found.begun >= unit:
            found = self._clients[key] = _Counts(now, {})
            self._clients.move_to_end(key)
            if len(self._clients) > _REMEMBERED:
                self._clients.popitem(last=False)
        found.counts[event] = found.counts.get(event, 0) + 1
        return found.counts[event]


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

    def exceeded(self, event: Event) -> int:
        """Count an event; the count if that is too many, else 0."""
        limit = self._limits.limits.get(event, 0)
        if not limit:
            return 0
        count = self._rates.count(self._key, event, self._limits.unit)
        return count if count > limit else 0

    @cached_property
    def _key(self) -> tuple[str, str]:
        """Service and network; made where there is a limit only."""
        address, limits = self._address, self._limits
        prefix = limits.ipv4_prefix if address.version == 4 else limits.ipv6_prefix
        return limits.service, str(ip_network((address, prefix), strict=False))

    def warning(self, event: Event, count: int, client: str) -> str:
        """`Connection rate limit exceeded: 31 from name[address] for service smtp`"""
        return f"{event.value} rate limit exceeded: {count} from {client} for service {self._limits.service}"
