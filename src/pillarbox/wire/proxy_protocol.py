"""The header with which a proxy says for whom it has opened a connection: versions 1 (text) and 2 (binary).

DESCRIPTION
    `read_header()` takes all that has come so far.  The header is the first thing on a connection, before TLS and
    before any greeting; what stands behind it is the client's.

    A proxy that asks on its own behalf (a health check) says so: LOCAL in version 2.  UNKNOWN in version 1, and
    no family in version 2, is a client of which the proxy does not know who it is: whether that one may have the
    proxy's place is up to the server.

FAULTS
    ProxyFault  what has come is no such header, or one that cannot be used

STANDARDS
    HAProxy's proxy-protocol.txt §2.1, §2.2
"""

from enum import Enum, auto
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import msgspec

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_HEAD: Final = len(_SIGNATURE) + 4
"""Octets of version 2 in front of the addresses."""
_MAX_LINE: Final = 107
"""§2.1: octets of version 1 with CRLF."""
_MAX_BODY: Final = 4096
"""Octets of addresses and what follows them in version 2; a header of more than a few hundred is no proxy's."""
_TCP: Final = 1
_FAMILIES: Final = {1: 4, 2: 16}
"""Octets of an address, of IPv4 and IPv6."""
_SSL: Final = 0x20
"""§2.2.5: PP2_TYPE_SSL"""
_CLIENT_SSL: Final = 0x01


class Trouble(Enum):
    """What is wrong with a header."""

    HEADER = auto()
    VERSION = auto()
    UNFINISHED = auto()
    COMMAND = auto()
    TRANSPORT = auto()
    FAMILY = auto()
    SHORT = auto()
    EXTENSION = auto()
    PROTOCOL = auto()
    CLIENT_ADDRESS = auto()
    SERVER_ADDRESS = auto()
    CLIENT_PORT = auto()
    SERVER_PORT = auto()
    EXTRA = auto()


class ProxyFault(Exception):
    """No usable header.  `shown` is the field that is wrong, `version` 0 if it is not known yet."""

    def __init__(self, trouble: Trouble, version: int = 0, shown: str = "") -> None:
        super().__init__(trouble.name)
        self.trouble, self.version, self.shown = trouble, version, shown


class ProxyHeader(msgspec.Struct, frozen=True):
    """What a proxy has said.  Addresses and ports; `octets`: how long the header is."""

    octets: int
    client: tuple[str, int] | None
    server: tuple[str, int] | None
    is_local: bool = False
    """The proxy speaks for itself."""
    has_tls: bool = False
    """The client speaks TLS with the proxy."""


def read_header(data: bytes) -> ProxyHeader | None:
    """The header at the beginning; None: more is needed.  ProxyFault."""
    if data[: len(_SIGNATURE)] == _SIGNATURE[: len(data)]:
        return _binary(data)
    if data[:6] == b"PROXY "[: len(data)]:
        return _text(data)
    raise ProxyFault(Trouble.HEADER)


def _text(data: bytes) -> ProxyHeader | None:
    newline = data.find(b"\n", 0, _MAX_LINE)
    if newline < 0 and len(data) < _MAX_LINE:
        return None
    end = newline - 1
    if newline < 0 or data[end:newline] != b"\r":
        raise ProxyFault(Trouble.UNFINISHED, 1)
    protocol, *fields = data[6:end].decode("ascii", "replace").split(" ")
    if protocol == "UNKNOWN":
        return ProxyHeader(end + 2, None, None)
    if protocol not in ("TCP4", "TCP6"):
        raise ProxyFault(Trouble.PROTOCOL, 1, protocol)
    kind = IPv4Address if protocol == "TCP4" else IPv6Address
    fields += [""] * (4 - len(fields))
    client, server = (
        _address(fields[0], kind, Trouble.CLIENT_ADDRESS),
        _address(fields[1], kind, Trouble.SERVER_ADDRESS),
    )
    client_port, server_port = _port(fields[2], Trouble.CLIENT_PORT), _port(fields[3], Trouble.SERVER_PORT)
    if len(fields) > 4:
        raise ProxyFault(Trouble.EXTRA, 1, fields[4])
    return ProxyHeader(end + 2, (client, client_port), (server, server_port))


def _address(text: str, kind: type[IPv4Address | IPv6Address], trouble: Trouble) -> str:
    try:
        return str(kind(text))
    except ValueError:
        raise ProxyFault(trouble, 1, text) from None


def _port(text: str, trouble: Trouble) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 5 or int(text) > 65535:
        raise ProxyFault(trouble, 1, text)
    return int(text)


def _binary(data: bytes) -> ProxyHeader | None:
    if len(data) < _HEAD:
        return None
    version, command = data[12] >> 4, data[12] & 15
    family, transport = data[13] >> 4, data[13] & 15
    length = int.from_bytes(data[14:16])
    if version != 2:
        raise ProxyFault(Trouble.VERSION, 0, f"{version:02x}")
    if command > 1:
        raise ProxyFault(Trouble.COMMAND, 2, f"{command:02x}")
    if length > _MAX_BODY:
        raise ProxyFault(Trouble.UNFINISHED, 2)
    if len(data) < _HEAD + length:
        return None
    octets, body = _HEAD + length, data[_HEAD : _HEAD + length]
    if command == 0:
        return ProxyHeader(octets, None, None, is_local=True)
    if data[13] == 0:
        return ProxyHeader(octets, None, None)
    if transport != _TCP and family in _FAMILIES:
        raise ProxyFault(Trouble.TRANSPORT, 2, f"{transport:02x}")
    size = _FAMILIES.get(family)
    if size is None:
        raise ProxyFault(Trouble.FAMILY, 2, f"{family:02x}")
    if len(body) < 2 * size + 4:
        raise ProxyFault(Trouble.SHORT, 2, "IPv4" if size == 4 else "IPv6")
    kind = IPv4Address if size == 4 else IPv6Address
    client, server = str(kind(body[:size])), str(kind(body[size : 2 * size]))
    ports = body[2 * size : 2 * size + 4]
    return ProxyHeader(
        octets,
        (client, int.from_bytes(ports[:2])),
        (server, int.from_bytes(ports[2:])),
        has_tls=_has_tls(body[2 * size + 4 :]),
    )


def _has_tls(extensions: bytes) -> bool:
    """Whether one of them tells of the client's TLS.  ProxyFault."""
    found = False
    while extensions:
        size = int.from_bytes(extensions[1:3])
        if len(extensions) < 3 + size:
            raise ProxyFault(Trouble.EXTENSION, 2)
        if extensions[0] == _SSL and size:
            found |= bool(extensions[3] & _CLIENT_SSL)
        extensions = extensions[3 + size :]
    return found
