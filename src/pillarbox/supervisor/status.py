"""How a half is, over a Unix socket: one JSON document per connection."""

import asyncio
import json
import socket
from collections.abc import Callable, Sequence


class StatusServer:
    """Answers on a listening socket for as long as the supervisor runs."""

    def __init__(self, sock: socket.socket, *, report: Callable[[], dict[str, object]]) -> None:
        self._sock = sock
        self._report = report
        sock.setblocking(False)
        asyncio.get_running_loop().add_reader(sock.fileno(), self._answer)

    def close(self) -> None:
        """Answer no more."""
        asyncio.get_running_loop().remove_reader(self._sock.fileno())

    def _answer(self) -> None:
        try:
            client, _ = self._sock.accept()
        except OSError:
            return
        with client:
            client.settimeout(1)
            try:
                client.sendall(json.dumps(self._report()).encode())
            except OSError:
                return


def ask_status(path: str) -> dict[str, object] | None:
    """What the supervisor behind a status socket says; None if there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        try:
            sock.connect(path)
            parts: Sequence[bytes] = list(iter(lambda: sock.recv(65536), b""))
        except OSError:
            return None
    try:
        answer = json.loads(b"".join(parts))
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None
