"""A connection to a server, as main.cf wants it: from an address (smtp_bind_address), with tcp_windowsize.

IPv6 goes by the kernel's connect(2): libuv picks an interface for a link-local address without a zone (RFC 4007
§6), and waits for a host that is not there, where connect(2) says at once that it is no address to connect to.
"""

import asyncio
import contextlib
import os
import socket

from pillarbox.delivery.smtp.mail_exchangers import Target
from pillarbox.net.connection import Connection
from pillarbox.net.tcp_window import set_window
from pillarbox.observability import events


class CannotBind(Exception):
    """The address that smtp_bind_address_enforce wants cannot be used."""


async def connect(
    target: Target,
    *,
    limit: float,
    source: str | None = None,
    must_bind: bool = False,
    window: int = 0,
    tell: events.EventSink = lambda _: None,
) -> Connection:
    """A connection.  OSError or TimeoutError; CannotBind if it `must_bind` to `source` and cannot."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(limit or None):
        if not target.port:
            _, connection = await loop.create_unix_connection(Connection, target.address)
        elif source is None and not window and ":" not in target.address:
            _, connection = await loop.create_connection(Connection, target.address, target.port)
        else:
            with contextlib.ExitStack() as undo:
                sock = undo.enter_context(
                    socket.socket(socket.AF_INET6 if ":" in target.address else socket.AF_INET)
                )
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                set_window(sock, window)
                if source is not None:
                    _bind(sock, source, must=must_bind, tell=tell)
                await loop.sock_connect(sock, (target.address, target.port))
                _, connection = await loop.create_connection(Connection, sock=sock)
                undo.pop_all()
    return connection


def _bind(sock: socket.socket, source: str, *, must: bool, tell: events.EventSink) -> None:
    """smtp_bind_address."""
    try:
        sock.bind((source, 0))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        tell(events.Warned(f"smtp_connect_addr: bind {source}: {reason}"))
        if must:
            raise CannotBind("server configuration error") from error
