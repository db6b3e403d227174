"""A server of tcp: and of socketmap: tables, with an answer for each key."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Final

Answers = Callable[[bytes], bytes | None]
"""Key → what is written, as it is; None: the connection is ended."""


class TableServer:
    """Threads that answer at sockets of either kind until `close()`."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._connections: list[socket.socket] = []
        self.asked: list[bytes] = []

    def tcp(self, sock: socket.socket, answers: Answers) -> None:
        """Serve tcp_table(5) at a socket that listens."""
        self._serve(sock, re.compile(rb"get ([^\n]*)\n"), answers)

    def socketmap(self, sock: socket.socket, answers: Answers) -> None:
        """Serve socketmap_table(5) at a socket that listens; `answers` gets the name with the key."""
        self._serve(sock, _NETSTRING, answers)

    def close(self) -> None:
        """End all."""
        for sock in (*self._sockets, *self._connections):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _serve(self, sock: socket.socket, form: re.Pattern[bytes], answers: Answers) -> None:
        self._sockets.append(sock)

        def accept() -> None:
            while True:
                try:
                    connection, _address = sock.accept()
                except OSError:
                    return
                self._connections.append(connection)
                threading.Thread(target=self._talk, args=(connection, form, answers), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    def _talk(self, connection: socket.socket, form: re.Pattern[bytes], answers: Answers) -> None:
        heard = b""
        with contextlib.suppress(OSError), connection:
            while octets := connection.recv(65536):
                heard += octets
                while (found := form.match(heard)) is not None:
                    heard = heard[found.end() :]
                    self.asked.append(found[0])
                    answer = answers(found[1])
                    if answer is None:
                        connection.shutdown(socket.SHUT_RDWR)
                        return
                    connection.sendall(answer)


_NETSTRING: Final = re.compile(rb"\d+:([^,]*),")


def netstring(text: bytes) -> bytes:
    """As it is on the wire."""
    return b"%d:%s," % (len(text), text)


def of_lines(values: Mapping[bytes, bytes], otherwise: bytes = b"500 not found\n") -> Answers:
    """Answers of a tcp: table."""
    return lambda key: values.get(key, otherwise)


def of_netstrings(values: Mapping[bytes, bytes], otherwise: bytes = b"NOTFOUND ") -> Answers:
    """Answers of a socketmap: table."""
    return lambda key: netstring(values.get(key, otherwise))
