"""An IMAP client that only sends commands and counts what comes back: the server is measured, not the client."""

import socket
import time


class Client:
    """One connection, logged in."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._number = 0
        self._until(b"\r\n")
        self.command(f"LOGIN {user} {password}")

    def command(self, text: str) -> tuple[float, int]:
        """Send a command; (seconds, octets) until its tagged answer, which must be OK."""
        self._number += 1
        tag = b"t%d" % self._number
        start = time.perf_counter()
        self._sock.sendall(tag + b" " + text.encode() + b"\r\n")
        octets = self._until_tagged(tag)
        return time.perf_counter() - start, octets

    def idle(self) -> None:
        """Begin IDLE and leave it at that."""
        self._sock.sendall(b"idle IDLE\r\n")
        self._until(b"+ idling\r\n")

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def _until(self, end: bytes) -> None:
        data = b""
        while not data.endswith(end):
            part = self._sock.recv(65536)
            if not part:
                raise ConnectionError(data[-200:])
            data += part

    def _until_tagged(self, tag: bytes) -> int:
        octets, tail = 0, b""
        while True:
            part = self._sock.recv(1 << 20)
            if not part:
                raise ConnectionError(tail)
            octets += len(part)
            tail = (tail + part)[-1000:]
            last = tail[:-2].rpartition(b"\r\n")[2] if tail.endswith(b"\r\n") else b""
            if last.startswith(tag + b" "):
                if not last.startswith(tag + b" OK"):
                    raise ConnectionError(last)
                return octets
