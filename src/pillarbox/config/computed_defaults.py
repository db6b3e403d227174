"""Defaults that depend on the host: myhostname, mydomain, mynetworks.

DESCRIPTION
    Pure functions of the host's facts and the other parameters.  `HostFacts` is gathered once, by the
    supervisor or a command (host_facts.py), and travels with the settings.

    myhostname   the system's host name; when that has no dot, `name.$mydomain`
    mydomain     $myhostname without its first label, or `localdomain`
    mynetworks   by mynetworks_style, for the addresses of inet_interfaces: `host` gives each address alone,
                 `subnet` its network as the interface is configured, `class` its class A, B or C network

FAULTS
    ConfigurationFault from expanding a parameter that a default depends on.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from pillarbox.config.value import BUILT_IN, Value

if TYPE_CHECKING:  # most commands ask for no addresses
    from ipaddress import IPv4Address, IPv4Interface, IPv6Interface

LOCAL_DOMAIN: Final = "localdomain"


class HostFacts(msgspec.Struct, frozen=True):
    """What the operating system says of this host."""

    hostname: str = "localhost"
    interfaces: tuple[tuple[str, str], ...] = (("lo", "127.0.0.1/8"), ("lo", "::1/128"))
    """Name of the interface, and address with prefix length, in the system's order."""


class Lookups(msgspec.Struct, frozen=True):
    """How a default looks at other parameters.

    `explicit` gives what the admin set, unexpanded, or None; `expanded` the value in the end; `without` the
    value in the end while the second name counts as undefined.
    """

    explicit: Callable[[str], Value | None]
    expanded: Callable[[str], str]
    without: Callable[[str, str], str]


def computed_default(name: str, *, lookups: Lookups, facts: HostFacts) -> Value | None:
    """The default of a parameter that depends on the host; None if `name` is not such a parameter."""
    compute = COMPUTED.get(name)
    return None if compute is None else Value(compute(lookups, facts), BUILT_IN)


def _myhostname(lookups: Lookups, facts: HostFacts) -> str:
    if "." in facts.hostname:
        return facts.hostname
    domain = lookups.expanded("mydomain") if lookups.explicit("mydomain") is not None else LOCAL_DOMAIN
    return f"{facts.hostname}.{domain}"


def _mydomain(lookups: Lookups, facts: HostFacts) -> str:
    if lookups.explicit("myhostname") is None:
        hostname = facts.hostname
    else:
        # `myhostname = mx.$mydomain` without mydomain: each would wait for the other.
        hostname = lookups.without("myhostname", "mydomain")
    return hostname.partition(".")[2] or LOCAL_DOMAIN


def _mynetworks(lookups: Lookups, facts: HostFacts) -> str:
    return _networks(
        facts,
        lookups.expanded("mynetworks_style"),
        tuple(lookups.expanded("inet_protocols").replace(",", " ").lower().split()),
        tuple(lookups.expanded("inet_interfaces").replace(",", " ").split()),
    )


@lru_cache(maxsize=64)
def _networks(facts: HostFacts, style: str, protocols: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    from ipaddress import ip_interface

    found: dict[str, None] = {}
    interfaces = [ip_interface(address) for _name, address in facts.interfaces]
    for version in (4, 6):
        if "all" not in protocols and f"ipv{version}" not in protocols:
            continue
        for interface in interfaces:
            if interface.version == version and listens_on(interface, wanted):
                found[_block(interface, style)] = None
    return " ".join(found)


def listens_on(interface: "IPv4Interface | IPv6Interface", wanted: Sequence[str]) -> bool:
    """Whether inet_interfaces, in words, has an address of this host."""
    if not wanted or "all" in wanted:
        return True
    if interface.ip.is_loopback and ("loopback-only" in wanted or "localhost" in wanted):
        return True
    return str(interface.ip) in (word.strip("[]") for word in wanted)


def _block(interface: "IPv4Interface | IPv6Interface", style: str) -> str:
    from ipaddress import IPv4Interface, IPv6Interface

    if isinstance(interface, IPv6Interface):
        network = interface.network if style == "subnet" else IPv6Interface(interface.ip).network
        return f"[{network.network_address}]/{network.prefixlen}"
    match style:
        case "subnet":
            return str(interface.network)
        case "class":
            return str(IPv4Interface(f"{interface.ip}/{_class_prefix(interface.ip)}").network)
    return f"{interface.ip}/32"


def _class_prefix(address: "IPv4Address") -> int:
    """The prefix length of the class A, B or C network that holds the address."""
    top = address.packed[0]
    return 8 if top < 128 else 16 if top < 192 else 24


COMPUTED: Final[dict[str, Callable[[Lookups, HostFacts], str]]] = {
    "myhostname": _myhostname,
    "mydomain": _mydomain,
    "mynetworks": _mynetworks,
}
"""How each default is computed, by parameter."""
