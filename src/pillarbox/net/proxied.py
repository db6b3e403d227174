"""The header of a proxy, read from a connection before anything else.

FAULTS
    NoHeader  what came is none, or the connection ended (ProxyGone), or the time was over (ProxySilent)

STANDARDS
    HAProxy's proxy-protocol.txt
"""

import asyncio

from pillarbox.net.connection import Connection
from pillarbox.wire.proxy_protocol import ProxyFault, ProxyHeader, read_header


class NoHeader(Exception):
    """There is no header; `data` is what had come until then."""

    def __init__(self, data: bytes, fault: ProxyFault | None = None) -> None:
        super().__init__()
        self.data = data
        self.fault = fault


class ProxyGone(NoHeader):
    """The connection ended."""


class ProxySilent(NoHeader):
    """The time is over."""


async def receive_header(connection: Connection, *, seconds: float) -> ProxyHeader:
    """Take the header from a connection; what the client has said behind it is left there.  NoHeader."""
    data = b""
    try:
        async with asyncio.timeout(seconds):
            while (header := _header_of(data)) is None:
                more = await connection.receive()
                if not more:
                    raise ProxyGone(data)
                data += more
    except TimeoutError:
        raise ProxySilent(data) from None
    connection.unreceive(data[header.octets :])
    return header


def _header_of(data: bytes) -> ProxyHeader | None:
    if not data:
        return None
    try:
        return read_header(data)
    except ProxyFault as fault:
        raise NoHeader(data, fault) from fault
