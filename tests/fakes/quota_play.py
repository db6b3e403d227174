"""Messages of a size, a socket that hears warnings, and maildirsize: what tests of quotas have in common."""

import os
import socket
import threading
from pathlib import Path

from fakes.dovecot_pair import Server
from fakes.mail_system import PATIENCE

SMALL = b"Subject: a\r\n\r\n" + b"x" * 78 + b"\r\n"


def of_size(size: int) -> bytes:
    """A message of about that many octets."""
    return b"Subject: s\r\n\r\n" + (b"y" * 72 + b"\r\n") * (size // 74)


class Warnings:
    """A socket to which a server sends its warnings."""

    def __init__(self, server: Server) -> None:
        path = server.base / "run" / "quota-warning"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        os.chmod(path, 0o666)
        self._socket.listen(20)
        self.heard: list[bytes] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                said = b""
                while not said.endswith(b"\n\n") and (part := client.recv(4096)):
                    said += part
                self.heard.append(said)

    def close(self) -> list[bytes]:
        """All that was heard."""
        self._socket.shutdown(socket.SHUT_RDWR)  # who has come is heard all the same
        self._thread.join(PATIENCE)
        self._socket.close()
        return self.heard


def maildirsize(home: Path) -> list[str]:
    """The file's lines."""
    path = home / "Maildir" / "maildirsize"
    return path.read_text().splitlines() if path.exists() else []
