"""How a half is, over a Unix socket: one JSON document per connection."""

import asyncio
import json
import socket
from collections.abc import Callable

from pillarbox.net.accepting import Acceptor


class StatusServer:
    """Answers on a listening socket for as long as the supervisor runs."""

    def __init__(
        self, sock: socket.socket, *, report: Callable[[], dict[str, object]], tell: Callable[[str], None]
    ) -> None:
        self._sock = sock
        self._report = report
        self._acceptor = Acceptor(sock, tell=tell)
        asyncio.get_running_loop().add_reader(sock.fileno(), self._answer)

    def close(self) -> None:
        """Answer no more."""
        asyncio.get_running_loop().remove_reader(self._sock.fileno())

    def _answer(self) -> None:
        client = self._acceptor.accept()
        if client is None:
            return
        with client:
            client.settimeout(1)
            try:
                client.sendall(json.dumps(self._report()).encode())
            except OSError:
                return
