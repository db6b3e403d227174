"""SMTP as one types it, and the log that comes of it, on a tutorial's host."""

import re
from typing import Final

from fakes.host import ADDRESS, Host
from fakes.mail_system import until
from fakes.tutorial_host import MAIL_HOST

QUEUE_ID: Final = "[0-9A-F]{6,}"


class Typed:
    """An SMTP session: a line, and the answer."""

    def __init__(self, host: Host, *, address: str = ADDRESS) -> None:
        self._sock = host.connect(25, address=address)
        self._file = self._sock.makefile("rb")
        self.banner = self._answer()

    def __call__(self, line: str) -> str:
        self._sock.sendall(line.encode() + b"\r\n")
        return self._answer()

    def _answer(self) -> str:
        return self._file.readline().decode().rstrip("\r\n")

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._sock.close()


def send(host: Host, *, to: str, subject: str) -> str:
    """One message, typed; its queue id."""
    session = Typed(host)
    assert session("HELO client.tutorial.test") == f"250 {MAIL_HOST}"
    assert session("MAIL FROM:<sender@tutorial.test>") == "250 2.1.0 Ok"
    assert session(f"RCPT TO:<{to}>") == "250 2.1.5 Ok"
    assert session("DATA") == "354 End data with <CR><LF>.<CR><LF>"
    queued = session(f"From: sender@tutorial.test\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nHello.\r\n.")
    match = re.fullmatch(f"250 2\\.0\\.0 Ok: queued as ({QUEUE_ID})", queued)
    assert match is not None, queued
    assert session("QUIT") == "221 2.0.0 Bye"
    session.close()
    return match[1]


def logged(host: Host, text: str) -> list[str]:
    """Lines of the log that hold a text: without the time and the process id."""
    found: list[str] = []
    for line in host.log().split("\n")[:-1]:
        match = re.fullmatch(r"\w{3} [ \d]\d \d\d:\d\d:\d\d mail ([^\[ ]+)(?:\[\d+\])?: (.*)", line)
        assert match is not None, line
        if text in match[2]:
            found.append(f"{match[1]}: {match[2]}")
    return found


def until_gone(host: Host, queue_id: str) -> list[str]:
    """Wait until the message has left the queue; what the log says of it."""
    until(
        lambda: any(line.endswith(f"{queue_id}: removed") for line in logged(host, queue_id)),
        what=lambda: f"{queue_id} is removed:\n" + host.log(),
    )
    return logged(host, queue_id)
