"""Conversations with an SMTP server, and a client that notes every reply: to be had with two servers and compared.

DESCRIPTION
    An `Exchange` is a list of steps.  A step of plain bytes is a command line, answered by one reply; `Raw` is
    sent as it is and brings as many replies as it says; `Asked` is sent if the last reply asks for it; `StartTls` is
    followed by a handshake if the server agrees.  After the last step the client says QUIT, sends nothing more
    once that is answered, and notes whatever comes until the server closes, so that nothing is overlooked.  A server
    that has closed before is noted too.
"""

import re
import socket
import ssl
from typing import Final, NamedTuple

from fakes.mail_system import PATIENCE

CLOSED: Final = "(closed)"
SILENCE: Final = "(silence)"


class Raw(NamedTuple):
    """Bytes that are no command line, and how many replies they bring."""

    data: bytes
    replies: int = 0


class Asked(NamedTuple):
    """Content or a line of AUTH, and the code of the reply that asks for it; it brings one more."""

    data: bytes
    code: str = "354"


class StartTls(NamedTuple):
    """The command, and the handshake."""

    data: bytes = b"STARTTLS\r\n"


Step = bytes | Raw | Asked | StartTls


class Exchange(NamedTuple):
    """One conversation with a service."""

    name: str
    steps: tuple[Step, ...]
    service: str = "smtp"
    tls: bool = False  # from the first octet after STARTTLS
    host: str = "127.0.0.1"


class _Client:
    """A connection whose replies are noted."""

    def __init__(self, host: str, port: int) -> None:
        self._sock: socket.socket = socket.create_connection((host, port), timeout=PATIENCE)
        self._input = b""

    def close(self) -> None:
        self._sock.close()

    def send(self, data: bytes) -> None:
        try:
            self._sock.sendall(data)
        except OSError:  # it has closed; what it said before can still be read
            pass

    def end(self) -> None:
        """Says nothing more; TLS has no such half of a connection."""
        if isinstance(self._sock, ssl.SSLSocket):
            return
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:  # it has closed
            pass

    def reply(self) -> list[str]:
        """The lines of one reply."""
        lines: list[str] = []
        while True:
            line = self._line()
            lines.append(line)
            if line in (CLOSED, SILENCE) or line[3:4] != "-":
                return lines

    def start_tls(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._sock = context.wrap_socket(self._sock)

    def _line(self) -> str:
        while b"\n" not in self._input:
            try:
                data = self._sock.recv(65536)
            except TimeoutError:
                return SILENCE
            except OSError:
                data = b""
            if not data:
                return CLOSED
            self._input += data
        line, _, self._input = self._input.partition(b"\n")
        return _normalised(line.removesuffix(b"\r").decode("utf-8", "backslashreplace"))


def have(exchange: Exchange, port: int) -> list[list[str]]:
    """The replies to each step, and to QUIT; lines of one reply are joined by what stands on the wire."""
    client = _Client(exchange.host, port)
    try:
        said = [client.reply()]
        if exchange.tls:
            client.send(b"EHLO client.example\r\nSTARTTLS\r\n"[:21])
            client.reply()
            client.send(b"STARTTLS\r\n")
            client.reply()
            client.start_tls()
        for step in exchange.steps:
            lines = _take(client, step, said[-1])
            said.append(lines)
            if lines and lines[-1] == CLOSED:
                return said
        client.send(b"QUIT\r\n")
        rest = client.reply()
        client.end()  # a server may have taken QUIT for something else
        while not rest or rest[-1] not in (CLOSED, SILENCE):
            rest += client.reply()
        said.append(rest)
        return said
    finally:
        client.close()


def _take(client: _Client, step: Step, before: list[str]) -> list[str]:
    """The replies that a step brings."""
    if isinstance(step, Asked):
        is_wanted = bool(before) and before[-1].startswith(step.code)
        raw = Raw(step.data, 1) if is_wanted else Raw(b"")
    else:
        raw = (
            Raw(step + b"\r\n", 1) if isinstance(step, bytes) else Raw(step.data, getattr(step, "replies", 1))
        )
    client.send(raw.data)
    lines: list[str] = []
    for _ in range(raw.replies):
        lines += client.reply()
        if lines[-1] in (CLOSED, SILENCE):
            break
    if isinstance(step, StartTls) and lines[-1].startswith("220"):
        client.start_tls()
    return lines if raw.data or not isinstance(step, Asked) else list(before[-1:])


def _normalised(line: str) -> str:
    return re.sub(r"(?<=queued as )[0-9A-Za-z]+", "ID", line)
