"""The addresses at which this system is reached: user@[address] is then local, and such a client is ourselves.

DESCRIPTION
    The interfaces of the host that inet_interfaces names, and those of proxy_interfaces.
"""

from ipaddress import ip_address, ip_interface
from typing import Final

from pillarbox.config.computed_defaults import listens_on
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.snapshot import Snapshot
from pillarbox.wire.smtp.paths import address_of_literal

IP_VERSIONS: Final = {"all": (4, 6), "ipv4": (4,), "ipv6": (6,)}
"""What the words of inet_protocols stand for."""


def ip_versions(identity: Identity) -> frozenset[int]:
    """What inet_protocols allows."""
    return frozenset(version for word in identity.inet_protocols for version in IP_VERSIONS.get(word, ()))


def own_addresses(snapshot: Snapshot) -> frozenset[str]:
    """The addresses, as text."""
    identity = snapshot.group(Identity)
    versions = ip_versions(identity)
    wanted = [word.lower() for word in identity.inet_interfaces]
    found = {
        str(interface.ip)
        for _, text in snapshot.facts.interfaces
        if listens_on(interface := ip_interface(text), wanted) and interface.version in versions
    }
    for word in identity.proxy_interfaces:
        try:
            found.add(str(ip_address(word.strip("[]"))))
        except ValueError:
            continue  # a name: it stands for no literal
    return frozenset(found)


def is_own_literal(domain: str, own: frozenset[str]) -> bool:
    """Whether a domain, in lower case, is one of these addresses in brackets."""
    address = address_of_literal(domain)
    return bool(address) and str(ip_address(address)) in own
