"""Sockets that wake a service: letters come, nothing is answered.

DESCRIPTION
    `postqueue -f`, sendmail and Postfix's own programs connect, write some letters and a NUL, and wait until the
    server closes.  public/qmgr: W and I scan incoming, D scan deferred, A whatever its time is, F forget which
    destinations were dead.  public/pickup: W scan maildrop.

    What only flushing does needs a user whom authorized_flush_users allows.

STANDARDS
    Postfix trigger_server(3), qmgr(8), pickup(8)
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from pillarbox.net.accepting import serve_clients
from pillarbox.net.peer_credentials import peer_uid
from pillarbox.observability import events
from pillarbox.tables.authorized_users import AuthorizedUsers
from pillarbox.tables.table import LookupFault

_LARGEST: Final = 100
_CLIENTS: Final = 50
_PATIENCE: Final = 5.0
_HARMLESS: Final = b"WI"


async def serve_triggers(
    listener: socket.socket,
    act: Callable[[bytes], None],
    *,
    authorized: AuthorizedUsers,
    tell: events.EventSink,
) -> None:
    """Hear requests until cancelled; `act` is given those letters that the client may use."""
    loop = asyncio.get_running_loop()

    async def hear(client: socket.socket) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                letters = (await loop.sock_recv(client, _LARGEST)).removesuffix(b"\0")
            if any(letter not in _HARMLESS for letter in letters) and not authorized.may(peer_uid(client)):
                tell(events.Warned(f"user {peer_uid(client)} is not allowed to flush the mail queue"))
                letters = bytes(letter for letter in letters if letter in _HARMLESS)
        except LookupFault:
            return
        if letters:
            act(letters)

    await serve_clients(listener, hear, at_once=_CLIENTS, tell=lambda text: tell(events.Warned(text)))
