"""The addresses at which this system is reached: user@[address] is then local, and such a client is ourselves.

DESCRIPTION
    The interfaces of the host that inet_interfaces names, and those of proxy_interfaces.
"""

import socket
from functools import lru_cache
from ipaddress import ip_address, ip_interface
from typing import Final

from pillarbox.config.computed_defaults import listens_on
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.snapshot import Snapshot
from pillarbox.vocabulary.ip_addresses import is_ip_address
from pillarbox.wire.smtp.paths import address_of_literal

IP_VERSIONS: Final = {"all": (4, 6), "ipv4": (4,), "ipv6": (6,)}
"""What the words of inet_protocols stand for."""


def ip_versions(identity: Identity) -> frozenset[int]:
    """What inet_protocols allows."""
    return frozenset(version for word in identity.inet_protocols for version in IP_VERSIONS.get(word, ()))


def interface_addresses(snapshot: Snapshot) -> frozenset[str]:
    """Those of the host's interfaces, as text."""
    identity = snapshot.group(Identity)
    versions = ip_versions(identity)
    wanted = [word.lower() for word in identity.inet_interfaces]
    wanted += [address for word in wanted for address in _of_name(word)]
    return frozenset(
        str(interface.ip)
        for _, text in snapshot.facts.interfaces
        if listens_on(interface := ip_interface(text), wanted) and interface.version in versions
    )


def own_addresses(snapshot: Snapshot) -> frozenset[str]:
    """Those of the interfaces and of proxy_interfaces, as text."""
    found = set(interface_addresses(snapshot))
    for word in snapshot.group(Identity).proxy_interfaces:
        try:
            found.add(str(ip_address(word.strip("[]"))))
        except ValueError:
            continue  # a name: it stands for no literal
    return frozenset(found)


def is_own_literal(domain: str, own: frozenset[str]) -> bool:
    """Whether a domain, in lower case, is one of these addresses in brackets."""
    address = address_of_literal(domain)
    return bool(address) and str(ip_address(address)) in own


@lru_cache(100)
def _of_name(word: str) -> list[str]:
    """The addresses of a host that inet_interfaces names; none for what is no name, or is not known."""
    if word in ("all", "loopback-only") or is_ip_address(word.strip("[]")):
        return []
    try:
        found = socket.getaddrinfo(word, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(entry[4][0]) for entry in found]
