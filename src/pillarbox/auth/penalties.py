"""How long a client has to wait before its next login is looked at, after wrong passwords.

DESCRIPTION
    Every address (of IPv6: every /48) has a count of wrong passwords in a row.  After the n-th was answered, the
    next attempt has to wait 4, 8, then 15 seconds.  Trying the same wrong password of the same user again counts
    once: that is a mail program with an old password, and no guesser.  A right password sets the count back,
    and so do some minutes of quiet.  Nobody is asked to wait where dovecot.conf closes the door to the counts:
    `service anvil { unix_listener anvil-auth-penalty { mode = 0 } }`.

STANDARDS
    Dovecot 2.3 Authentication.Penalty
"""

import hashlib
import hmac
import os
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from typing import Final

import msgspec

from pillarbox.vocabulary.clock import Clock

FIRST_SECONDS: Final = 4
MOST_SECONDS: Final = 15
FORGOTTEN_SECONDS: Final = 60 * 5
MOST_ADDRESSES: Final = 10000
_MOST_REMEMBERED: Final = 10


class _Count(msgspec.Struct):
    failures: int
    last: float
    tried: list[bytes]


class Penalties:
    """The counts of all addresses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._key = os.urandom(32)

    def seconds(self, address: str) -> float:
        """How long the next attempt has to wait."""
        count = self._find(address)
        if count is None or not count.failures:
            return 0.0
        wait = min(FIRST_SECONDS << min(count.failures - 1, 8), MOST_SECONDS)
        return max(0.0, wait - (self._clock.monotonic() - count.last))

    def failed(self, address: str, user: str, password: bytes) -> None:
        """A wrong password."""
        network = _network(address)
        if not network:
            return
        digest = hmac.digest(self._key, user.encode() + b"\0" + password, hashlib.sha256)[:8]
        count = self._find(address) or _Count(0, 0.0, [])
        self._counts[network] = count
        self._counts.move_to_end(network)
        count.last = self._clock.monotonic()
        if digest not in count.tried:
            count.failures += 1
            count.tried = [*count.tried[-_MOST_REMEMBERED + 1 :], digest]
        if len(self._counts) > MOST_ADDRESSES:
            self._counts.popitem(last=False)

    def answered(self, address: str) -> None:
        """The refusal was held back, and is told now: the wait begins anew."""
        count = self._find(address)
        if count is not None:
            count.last = self._clock.monotonic()

    def succeeded(self, address: str) -> None:
        """A right password."""
        self._counts.pop(_network(address), None)

    def listing(self) -> list[tuple[str, int, float]]:
        """Address, count and seconds since the last failure of each."""
        now = self._clock.monotonic()
        return [(network, count.failures, now - count.last) for network, count in self._counts.items()]

    def _find(self, address: str) -> _Count | None:
        network = _network(address)
        count = self._counts.get(network)
        if count is not None and self._clock.monotonic() - count.last > FORGOTTEN_SECONDS:
            del self._counts[network]
            return None
        return count


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Address(int(parsed) >> 80 << 80))
    return str(parsed)
