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
from ipaddress import ip_address
from typing import Final

from pillarbox.net.dns.records import DnsFault, RecordType, Resolver
from pillarbox.vocabulary.clock import Clock

UNKNOWN: Final = "unknown"
_REMEMBERED: Final = 4096
_SECONDS: Final = 300.0


class ClientNames:
    """Verified names by address."""

    def __init__(self, clock: Clock, *, resolver: Resolver | None = None) -> None:
        """`resolver` instead of the system's own lookups (nsswitch.conf)."""
        self._clock = clock
        self._resolver = resolver
        self._answers: OrderedDict[str, tuple[float, str, str]] = OrderedDict()

    async def lookup(self, address: str) -> tuple[str, str]:
        """(verified name, name of the PTR record)."""
        now = self._clock.monotonic()
        known = self._answers.get(address)
        if known is not None and known[0] > now:
            return known[1], known[2]
        name, reverse = await (_ask(self._resolver, address) if self._resolver else _look_up(address))
        self._answers[address] = (now + _SECONDS, name, reverse)
        if len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        return name, reverse


async def _ask(resolver: Resolver, address: str) -> tuple[str, str]:
    """The same as `_look_up`, by the DNS alone."""
    try:
        pointer = await resolver.resolve(ip_address(address).reverse_pointer, RecordType.PTR)
        if not pointer.records:
            return UNKNOWN, UNKNOWN
        reverse = str(pointer.records[0])
    except DnsFault:
        return UNKNOWN, UNKNOWN
    try:
        kind = RecordType.AAAA if ":" in address else RecordType.A
        forward = await resolver.resolve(reverse, kind)
    except DnsFault:
        return UNKNOWN, reverse
    return (reverse if address in forward.records else UNKNOWN), reverse


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
