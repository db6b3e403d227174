"""Which addresses and ports an inet service of master.cf listens on.

FAULTS
    ConfigurationFault  a service name that is neither a port nor known in /etc/services
"""

import socket
from ipaddress import ip_address
from typing import Final

from pillarbox.config.master_cf import Service
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.snapshot import Snapshot
from pillarbox.routing.own_addresses import ip_versions
from pillarbox.supervisor.listeners import InetListener
from pillarbox.vocabulary.faults import ConfigurationFault

_PORTS: Final = {"smtp": 25, "submission": 587, "submissions": 465, "smtps": 465}
"""known_tcp_ports: /etc/services is not needed for these."""


def inet_listeners(
    service: Service, snapshot: Snapshot, *, listen: str, port_offset: int
) -> list[InetListener]:
    """Listeners of `[host:]port`, on inet_interfaces unless the service or `listen` names an address."""
    host, colon, port = service.name.rpartition(":")
    number = _port(port, service) + port_offset
    addresses = [host.strip("[]")] if colon and host else [listen] if listen else _interfaces(snapshot)
    return [
        InetListener(service.name if at == 0 else f"{service.name}/{at}", address, number)
        for at, address in enumerate(addresses)
    ]


def _port(text: str, service: Service) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
        return int(text)
    if text in _PORTS:
        return _PORTS[text]
    try:
        return socket.getservbyname(text, "tcp")
    except OSError:
        raise ConfigurationFault(
            service.where, f'unknown service "{text}"', mend="give the port as a number"
        ) from None


def _interfaces(snapshot: Snapshot) -> list[str]:
    """inet_interfaces within inet_protocols."""
    identity = snapshot.group(Identity)
    versions = ip_versions(identity)
    addresses: list[str] = []
    for word in identity.inet_interfaces:
        if word == "all":
            addresses += ["0.0.0.0", "::"]  # noqa: S104 - inet_interfaces = all says so
        elif word == "loopback-only":
            addresses += ["127.0.0.1", "::1"]
        else:
            addresses += _addresses(word.strip("[]"), snapshot)
    return [address for address in addresses if ip_address(address).version in versions]


def _addresses(word: str, snapshot: Snapshot) -> list[str]:
    """An address as it is, a host name by its addresses: inet_interfaces may name either."""
    try:
        return [str(ip_address(word))]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(word, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigurationFault(
            f"{snapshot.where('inet_interfaces')}, parameter inet_interfaces",
            f'no address for "{word}": {error.strerror}',
            mend="give addresses, or put the name into /etc/hosts",
        ) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
