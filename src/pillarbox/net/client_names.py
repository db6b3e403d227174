"""Names of clients: reverse lookups that are confirmed by a forward lookup.

DESCRIPTION
    `lookup()` gives the verified name and the name as the PTR record has it; either may be `unknown`.  A name
    counts only if it leads back to the address.  Answers are remembered for a while, since a busy client
    comes again and again.

STANDARDS
    RFC 1912 §2.1 (PTR and A records match); postconf(5), smtpd_peername_lookup
"""

import asyncio
import encodings.idna  # noqa: F401 - getaddrinfo() loads it when first called, by then without the right to
import socket
from collections import OrderedDict
from typing import Final

from pillarbox.vocabulary.clock import Clock

UNKNOWN: Final = "unknown"
_REMEMBERED: Final = 4096
_SECONDS: Final = 300.0


class ClientNames:
    """Verified names by address."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: OrderedDict[str, tuple[float, str, str]] = OrderedDict()

    async def lookup(self, address: str) -> tuple[str, str]:
        """(verified name, name of the PTR record)."""
        now = self._clock.monotonic()
        known = self._answers.get(address)
        if known is not None and known[0] > now:
            return known[1], known[2]
        name, reverse = await _look_up(address)
        self._answers[address] = (now + _SECONDS, name, reverse)
        if len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        return name, reverse


async def _look_up(address: str) -> tuple[str, str]:
    loop = asyncio.get_running_loop()
    try:
        reverse, _ = await loop.getnameinfo((address, 0), socket.NI_NAMEREQD)
    except OSError:
        return UNKNOWN, UNKNOWN
    try:
        found = await loop.getaddrinfo(reverse, None, type=socket.SOCK_STREAM)
    except OSError:
        return UNKNOWN, reverse
    if any(entry[4][0] == address for entry in found):
        return reverse, reverse
    return UNKNOWN, reverse
