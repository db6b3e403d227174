"""Where a server is, as a setting says: `host:port`, `port`, `inet:host:port`, `unix:path`.

FAULTS
    ConfigurationFault  in Postfix's words
    OSError             EADDRNOTAVAIL: a port that does not exist

STANDARDS
    tcp_table(5), socketmap_table(5)
"""

import errno
import os
import socket
from typing import Final

from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.vocabulary.faults import ConfigurationFault

_LAST_PORT: Final = 65535


def tcp_port(name: str) -> int:
    """The number of a port, given by name or number.  OSError where there is none, or it is above 65535."""
    if is_decimal_text(name) and int(name) <= _LAST_PORT:
        return int(name)
    try:
        return socket.getservbyname(name, "tcp")
    except OSError:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL)) from None


def endpoint(server: str, *, where: str, known: bool = True) -> tuple[str, str]:
    """Host and port of `host:port`, or of a port of this host.  ConfigurationFault.

    Not `known`: that the port exists need not be known before it is used.
    """
    host, _colon, port = server.rpartition(":")
    if host[:1] == "[" and host[-1:] == "]":
        host = host[1:-1]
    if not port.isascii() or not port:
        raise ConfigurationFault(
            where, f"valid hostname or network address required in server description: {server}"
        )
    if port[0].isdigit() and not port.isdecimal():
        raise ConfigurationFault(where, f"{port}: garbage after numerical service")
    if known and not port.isdecimal():
        try:
            socket.getservbyname(port, "tcp")
        except OSError as error:
            raise ConfigurationFault(
                where, f"host or service {server} not found: Servname not supported for ai_socktype"
            ) from error
    return host or "localhost", port


def service(name: str, *, where: str) -> tuple[str, str] | str:
    """Host and port of `inet:host:port`, path of `unix:path`.  ConfigurationFault."""
    transport, _colon, rest = name.partition(":")
    if transport == "unix":
        return rest
    if transport == "inet":
        return endpoint(rest, where=where)
    raise ConfigurationFault(where, f"invalid transport name: {transport} in service: {name}")


def printable(text: str, replacement: str) -> str:
    """The text, with something in place of what cannot be shown."""
    return "".join(character if character.isprintable() else replacement for character in text)
