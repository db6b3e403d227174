"""Names of clients: reverse lookups that are confirmed by a forward lookup.

DESCRIPTION
    `lookup()` gives the verified name and the name as the PTR record has it; either may be `unknown`.  A name
    counts only if it leads back to the address; if it does not, there is a warning for the log.
    Answers are remembered for a while, since a busy client comes again and again; but not that there was none.

STANDARDS
    RFC 1912 §2.1 (PTR and A records match); postconf(5), smtpd_peername_lookup
"""

import asyncio
import encodings.idna  # noqa: F401 - getaddrinfo() loads it when first called, by then without the right to
import socket
from collections import OrderedDict
from ipaddress import ip_address
from typing import Final, NamedTuple

from pillarbox.net.dns.records import DnsFault, Outcome, RecordType, Resolver
from pillarbox.vocabulary.clock import Clock

UNKNOWN: Final = "unknown"
TEMPORARY: Final = "Temporary failure in name resolution"
NO_ADDRESS: Final = "No address associated with hostname"
NO_HOST: Final = "Name or service not known"
"""What getaddrinfo(3) says."""

_REMEMBERED: Final = 4096
_SECONDS: Final = 300.0


class ClientName(NamedTuple):
    """Who has an address."""

    verified: str
    reverse: str  # as the PTR record has it
    warning: str = ""
    may_change: bool = False  # a lookup failed: what is unknown may be known the next time


_NOBODY: Final = ClientName(UNKNOWN, UNKNOWN)
_NOBODY_YET: Final = ClientName(UNKNOWN, UNKNOWN, may_change=True)
_TEMPORARY_ERRORS: Final = (socket.EAI_AGAIN, socket.EAI_MEMORY, socket.EAI_SYSTEM)


class ClientNames:
    """Verified names by address."""

    def __init__(self, clock: Clock, *, resolver: Resolver | None = None) -> None:
        """`resolver` instead of the system's own lookups (nsswitch.conf)."""
        self._clock = clock
        self._resolver = resolver
        self._answers: OrderedDict[str, tuple[float, ClientName]] = OrderedDict()

    async def lookup(self, address: str) -> ClientName:
        """Both names."""
        now = self._clock.monotonic()
        known = self._answers.get(address)
        if known is not None and known[0] > now:
            return known[1]
        name = await (_ask(self._resolver, address) if self._resolver else _look_up(address))
        if name.may_change:
            return name
        self._answers[address] = (now + _SECONDS, name)
        if len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        return name


async def _ask(resolver: Resolver, address: str) -> ClientName:
    """The same as `_look_up`, by the DNS alone."""
    try:
        pointer = await resolver.resolve(ip_address(address).reverse_pointer, RecordType.PTR)
        if not pointer.records:
            return _NOBODY
        reverse = str(pointer.records[0])
    except DnsFault:
        return _NOBODY_YET
    try:
        kind = RecordType.AAAA if ":" in address else RecordType.A
        forward = await resolver.resolve(reverse, kind)
    except DnsFault:
        return _forged(reverse, address, TEMPORARY, may_change=True)
    if address in forward.records:
        return ClientName(reverse, reverse)
    reason = "" if forward.records else NO_ADDRESS if forward.outcome is Outcome.NO_DATA else NO_HOST
    return _forged(reverse, address, reason)


async def _look_up(address: str) -> ClientName:
    loop = asyncio.get_running_loop()
    try:
        reverse, _ = await loop.getnameinfo((address, 0), socket.NI_NAMEREQD)
    except OSError as error:
        return _NOBODY_YET if error.errno in _TEMPORARY_ERRORS else _NOBODY
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        found = await loop.getaddrinfo(reverse, None, family=family, type=socket.SOCK_STREAM)
    except OSError as error:
        return _forged(
            reverse, address, error.strerror or str(error), may_change=error.errno in _TEMPORARY_ERRORS
        )
    if any(entry[4][0] == address for entry in found):
        return ClientName(reverse, reverse)
    return _forged(reverse, address)


def _forged(name: str, address: str, reason: str = "", *, may_change: bool = False) -> ClientName:
    """A name that does not lead back to the address."""
    warning = f"hostname {name} does not resolve to address {address}"
    return ClientName(UNKNOWN, name, f"{warning}: {reason}" if reason else warning, may_change)
