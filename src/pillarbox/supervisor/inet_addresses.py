"""Which addresses and ports an inet service of master.cf listens on.

FAULTS
    ConfigurationFault  a service name that is neither a port nor known in /etc/services; a name or address in
                        inet_interfaces that this host does not have
"""

import errno
import socket
from ipaddress import ip_address
from typing import Final

from pillarbox.config.master_cf import Service
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.snapshot import Snapshot
from pillarbox.routing.own_addresses import ip_versions
from pillarbox.supervisor.listeners import InetListener
from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.vocabulary.faults import ConfigurationFault

_PORTS: Final = {"smtp": 25, "submission": 587, "submissions": 465, "smtps": 465}
"""known_tcp_ports: /etc/services is not needed for these."""


def inet_listeners(
    service: Service, snapshot: Snapshot, *, listen: str, port_offset: int
) -> list[InetListener]:
    """Listeners of `[host:]port`, on inet_interfaces unless the service or `listen` names an address."""
    host, colon, port = service.name.rpartition(":")
    number = _port(port, service) + port_offset
    addresses = (
        _host_addresses(host.strip("[]"), service, snapshot)
        if colon and host
        else [listen]
        if listen
        else interface_addresses(snapshot)
    )
    return [
        InetListener(service.name if at == 0 else f"{service.name}/{at}", address, number)
        for at, address in enumerate(addresses)
    ]


def _host_addresses(host: str, service: Service, snapshot: Snapshot) -> list[str]:
    """An address as it is; a host name's addresses within inet_protocols."""
    try:
        return [str(ip_address(host))]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigurationFault(
            service.where,
            f"host not found: {host}: {error.strerror}",
            mend="give an address, or put the name into /etc/hosts",
        ) from error
    versions = ip_versions(snapshot.group(Identity))
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return [address for address in addresses if ip_address(address).version in versions]


def _port(text: str, service: Service) -> int:
    if is_decimal_text(text) and 0 < int(text) < 65536:
        return int(text)
    if text in _PORTS:
        return _PORTS[text]
    try:
        return socket.getservbyname(text, "tcp")
    except OSError:
        raise ConfigurationFault(
            service.where, f'unknown service "{text}"', mend="give the port as a number"
        ) from None


def interface_addresses(snapshot: Snapshot) -> list[str]:
    """inet_interfaces within inet_protocols; of `all` and `loopback-only`, what this host has."""
    identity = snapshot.group(Identity)
    versions = ip_versions(identity)
    addresses: list[str] = []
    for word in identity.inet_interfaces:
        if word == "all":
            addresses += filter(_is_here, ["0.0.0.0", "::"])  # noqa: S104 - inet_interfaces = all says so
        elif word == "loopback-only":
            addresses += filter(_is_here, ["127.0.0.1", "::1"])
        else:
            addresses += _addresses(word.strip("[]"), snapshot)
    return [address for address in addresses if ip_address(address).version in versions]


def _is_here(address: str) -> bool:
    """Whether this host can listen on the address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return False
        raise
    return True


def _addresses(word: str, snapshot: Snapshot) -> list[str]:
    """An address as it is, a host name by its addresses: inet_interfaces may name either."""
    where = snapshot.where("inet_interfaces")
    try:
        found = [str(ip_address(word))]
    except ValueError:
        found = _addresses_of_name(word, where)
    for address in found:
        if not _is_here(address):
            raise ConfigurationFault(
                where, f"parameter inet_interfaces: no local interface found for {address}"
            )
    return found


def _addresses_of_name(word: str, where: str) -> list[str]:
    try:
        found = socket.getaddrinfo(word, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigurationFault(
            where,
            f"parameter inet_interfaces: host not found: {word}: {error.strerror}",
            mend="give addresses, or put the name into /etc/hosts",
        ) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
