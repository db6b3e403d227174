"""The nexthop of a transport, taken apart.

DESCRIPTION
    `example.org`             the mail exchangers of a domain
    `example.org:submission`  the same, or what SRV records say of the service (use_srv_lookup)
    `[mx.example.org]:587`    a host, no MX lookup; the port may be a service name
    `[192.0.2.1]`, `[2001:db8::1]`, `[ipv6:2001:db8::1]:2525`   an address
    `2001:db8::1:25`          the same without brackets, in which the last colon is the port's
    `unix:private/dovecot-lmtp`, `inet:host:port`   for LMTP, where there are no MX lookups at all

    Several, between commas, are tried one after the other (as in relayhost).

FAULTS
    ValueError  the text names no destination
"""

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from pillarbox.net.dns.records import host_name
from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.ip_addresses import is_ip_address
from pillarbox.wire.smtp.paths import is_host_name


class Destination(msgspec.Struct, frozen=True):
    """Where to."""

    text: str  # as written: the key of TLS policies and passwords
    host: str = ""  # a name for the DNS, or an address as written
    port: int = 25
    mx: bool = False  # look for the host's mail exchangers
    path: str = ""  # of a Unix socket
    service: str = ""  # look for SRV records of this service of the host

    @property
    def is_address(self) -> bool:
        """Whether there is nothing to look up."""
        return _is_address(self.host)


_REMEMBERED: Final = 1000
_is_address = lru_cache(_REMEMBERED)(is_ip_address)
Ports = Mapping[str, int]


def known_ports(items: Sequence[str]) -> dict[str, int]:
    """known_tcp_ports: `smtps=submissions=465`.  ValueError for an item without a number."""
    ports: dict[str, int] = {}
    for item in items:
        *names, number = item.split("=")
        if not names:
            raise ValueError(f'"{item}": expected name=port')
        port = decimal(number.strip().encode(), max_digits=5)
        ports |= {name.strip(): port for name in names}
    return ports


def port_number(text: str, ports: Ports) -> int:
    """A port or service name.  ValueError if there is no such service."""
    if text in ports:
        return ports[text]
    if text.isascii() and text.isdigit():
        number = decimal(text.encode(), max_digits=9)
        if not 0 < number < 65536:
            raise ValueError(f"bad network port: {text}")
        return number
    try:
        return socket.getservbyname(text, "tcp")
    except OSError:
        raise ValueError(f"unknown service: {text}/tcp") from None


def read_destinations(
    nexthop: str,
    *,
    port: str,
    ports: Ports,
    lmtp: bool,
    mx: bool = True,
    services: Collection[str] = (),
) -> list[Destination]:
    """All destinations that a nexthop names; `mx` is false with disable_dns_lookups.

    `services` are those of use_srv_lookup.
    """
    found: list[Destination] = []
    for text in nexthop.replace(",", " ").split():
        if lmtp and text.startswith("unix:"):
            if not text[5:]:
                raise _fault("no path", text)
            found.append(Destination(text, path=text[5:]))
            continue
        rest = text[5:] if lmtp and text.startswith("inet:") else text
        found.append(_inet(text, rest, port=port, ports=ports, mx=mx and not lmtp, services=services))
    if not found:
        raise ValueError("empty nexthop hostname")
    return found


def destination_reader(
    *, port: str, ports: Ports, lmtp: bool, mx: bool, services: Collection[str] = ()
) -> Callable[[str], tuple[Destination, ...]]:
    """`read_destinations()` for one service, which has few nexthops: the last thousand are remembered."""

    @lru_cache(_REMEMBERED)
    def read(nexthop: str) -> tuple[Destination, ...]:
        found = read_destinations(nexthop, port=port, ports=ports, lmtp=lmtp, mx=mx, services=services)
        return tuple(found)

    return read


def _inet(
    text: str, rest: str, *, port: str, ports: Ports, mx: bool, services: Collection[str]
) -> Destination:
    is_host = rest.startswith("[")
    host, own_port = _host_and_port(rest)
    port = own_port or port
    if port[:1].isdigit() and not port.isdigit():
        raise _fault("garbage after numerical service", rest)
    number = port_number(port, ports)
    if _is_address(host) and "%" not in host:
        return Destination(text, host, number, mx=False)
    try:
        name = host_name(host)
    except ValueError:
        name = ""
    if not is_host_name(name.encode()):
        raise _fault("valid hostname or network address required", rest)
    service = port if port in services and not is_host else ""
    return Destination(text, name, number, mx=mx and not is_host, service=service)


def _host_and_port(text: str) -> tuple[str, str]:
    """As they are written; no port is empty.  ValueError."""
    if not text.startswith("["):
        host, colon, port = text.rpartition(":")
        return (host, port) if colon else (text, "")
    host, bracket, behind = text[1:].partition("]")
    if not bracket:
        raise _fault('missing "]"', text)
    if behind and not behind.startswith(":"):
        raise _fault('garbage after "]"', text)
    if host[:5].lower() == "ipv6:":
        host = host[5:]
        if ":" not in host or not _is_address(host):
            raise _fault("malformed IPv6 address", text)
    return host, behind[1:]


def _fault(what: str, text: str) -> ValueError:
    return ValueError(f"{what} in server description: {text}")
