"""The connection of a table to the server that answers for it.

DESCRIPTION
    It is made when something is asked, kept for the next question, and made anew once if it turns out to have
    ended.  Who asks waits for the answer, and with him all clients of his process: so the wait is `PATIENCE`
    seconds, not the 100 of Postfix, and a server that kept silent is left alone for as long again.

    A process that was forked after the connection was made makes its own.

FAULTS
    ServerFault  no connection, no answer, or one that is too long; the reason in the words of the log

STANDARDS
    tcp_table(5), socketmap_table(5)
"""

import os
import socket
from collections.abc import Callable
from typing import Final, TypeVar

from pillarbox.vocabulary.clock import Clock

PATIENCE: Final = 10.0
"""Seconds for a connection, a question and its answer."""
_IDLE: Final = 10.0
"""Seconds after which a connection is not used any more."""
Answer = TypeVar("Answer")


class ServerFault(Exception):
    """What is wrong, as it is logged."""


class Ended(ServerFault):
    """The connection ended before there was a whole answer; another one may bring it."""


class ServerConnection:
    """To an address: (host, port), or the path of a Unix-domain socket."""

    def __init__(self, address: tuple[str, str] | str, *, clock: Clock, keep_idle: bool) -> None:
        self._address = address
        self._clock = clock
        self._keep_idle = keep_idle
        self._socket: socket.socket | None = None
        self._owner = 0
        self._used = 0.0
        self._silent_until = 0.0
        self._deadline = 0.0
        self._buffer = bytearray()

    def ask(self, question: bytes, read: Callable[["ServerConnection"], Answer]) -> Answer:
        """Send the question and read the answer.  ServerFault, OSError if there is no connection."""
        now = self._clock.monotonic()
        if now < self._silent_until:
            raise ServerFault("the server did not answer a moment ago")
        self._deadline = now + PATIENCE
        self._leave_old(now)
        try:
            try:
                return self._exchange(question, read)
            except Ended:
                self.close()
                return self._exchange(question, read)
        except TimeoutError:
            self._silent_until = self._clock.monotonic() + PATIENCE
            self.close()
            raise
        except (OSError, ServerFault):
            self.close()
            raise

    def read_until(self, end: bytes, *, limit: int) -> bytes:
        """What comes before `end`, in `limit` octets at most.  Ended, ServerFault."""
        while (at := self._buffer.find(end)) < 0 and len(self._buffer) <= limit:
            self._receive()
        if at < 0 or at > limit:
            raise ServerFault(f"text longer than {limit}")
        found = bytes(self._buffer[:at])
        del self._buffer[: at + len(end)]
        return found

    def read_octets(self, count: int) -> bytes:
        """So many octets.  Ended."""
        while len(self._buffer) < count:
            self._receive()
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    def close(self) -> None:
        """The next question makes a new connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._buffer.clear()

    def _leave_old(self, now: float) -> None:
        if self._socket is None:
            return
        if self._owner != os.getpid() or (not self._keep_idle and now - self._used > _IDLE):
            self.close()

    def _exchange(self, question: bytes, read: Callable[["ServerConnection"], Answer]) -> Answer:
        try:
            if self._socket is None:
                self._connect()
            assert self._socket is not None
            self._socket.settimeout(self._left())
            self._socket.sendall(question)
            answer = read(self)
        except (BrokenPipeError, ConnectionResetError) as error:
            if self._socket is None:
                raise
            raise Ended("unexpected disconnect") from error
        self._used = self._clock.monotonic()
        return answer

    def _connect(self) -> None:
        self._owner = os.getpid()
        if isinstance(self._address, str):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(self._left())
            try:
                connection.connect(self._address)
            except OSError:
                connection.close()
                raise
            self._socket = connection
        else:
            host, port = self._address
            number = int(port) if port.isdecimal() else socket.getservbyname(port, "tcp")
            self._socket = socket.create_connection((host, number), timeout=self._left())

    def _receive(self) -> None:
        assert self._socket is not None
        self._socket.settimeout(self._left())
        octets = self._socket.recv(65536)
        if not octets:
            raise Ended("unexpected disconnect")
        self._buffer += octets

    def _left(self) -> float:
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError("Connection timed out")
        return left
