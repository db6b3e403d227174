"""Messages that are put on hold by Debian's SMTP server and by ours: replies, log lines, queue files.

DESCRIPTION
    Both servers hold whatever they accept, so that the queue file is what cleanup(8) has made of the message.
    Left out: ids, times, ports, sizes of whole files, and in which order the records of the envelope are.
"""

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import msgspec

from fakes.mail_system import PATIENCE
from pillarbox.queue.records import LINE, PARTIAL, BytesSource, RecordReader

PLAIN: Final = b"From: someone@elsewhere.test\r\nTo: other@elsewhere.test\r\nSubject: x\r\n\r\nbody\r\n"


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A message for a service; recipients may have parameters behind `> `."""

    sender: str = "x@out.test"
    recipients: tuple[str, ...] = ("y@out.test",)
    options: str = ""  # of MAIL
    message: bytes = PLAIN


class Holder(msgspec.Struct, frozen=True):
    """One of the two."""

    queue: Path
    log: Callable[[], str]

    def send(self, letter: Letter, port: int) -> str:
        """All replies but the first two, a line each; `queued as ID` is as it came."""
        with (
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock,
            sock.makefile("rb") as file,
        ):
            commands = [
                b"",
                b"EHLO client.test\r\n",
                f"MAIL FROM:<{letter.sender}> {letter.options}".encode().rstrip() + b"\r\n",
                *(_rcpt(recipient) for recipient in letter.recipients),
                b"DATA\r\n",
            ]
            replies = [_exchange(sock, file, command) for command in commands]
            if replies[-1].startswith("354"):
                stuffed = re.sub(rb"(?m)^\.", b"..", letter.message)
                replies.append(_exchange(sock, file, stuffed + b".\r\n"))
            sock.sendall(b"QUIT\r\n")
            file.read()
        return "\n".join(replies[2:])

    def told(self, replies: str) -> str:
        """What came of a message by these replies."""
        found = re.search(r"queued as (\w+)", replies)
        if not found:
            return replies
        path = self.queue / found[1]
        text = _text(path.read_bytes()) if path.exists() else "(not held)"
        lines = re.findall(rf"/cleanup\[\d+\]: {found[1]}: (.*)", self.log())
        said = "\n".join(line for line in lines if not line.startswith("message-id="))
        return re.sub(
            r"\w{3}, +\d+ \w{3} 20\d\d \d\d:\d\d:\d\d [+-]0\d00 ?(\(\w+\))?",
            "DATE",
            re.sub(r"\b\d{14}\.", "TIME.", f"{replies}\n{said}\n{text}".replace(found[1], "ID")),
        )


_OF_RECIPIENTS: Final = ("dsn_orig_rcpt=", "notify_flags=")
_VARYING: Final = tuple(
    f"{name}=" for name in "log_ident create_time message_id log_client_port client_port server_port".split()
)
"""Attributes that are not compared."""


def _text(data: bytes) -> str:
    """Records of the envelope, sorted, recipients with what belongs to them at their end; then the content."""
    general: set[str] = set()
    recipients: list[str] = []
    one: list[str] = []
    content, within = b"", False
    for kind, _, payload in RecordReader(BytesSource(data)).records():
        name, text = chr(kind), payload.decode("utf-8", "backslashreplace")
        if name in "MX":
            within = name == "M"
        elif within and kind in (LINE, PARTIAL):  # elsewhere L is content_filter
            content += payload + (b"\n" if kind == LINE else b"")
        elif name == "O" or text.startswith(_OF_RECIPIENTS):
            one.append(f"{name} {text}")
        elif name == "R":
            recipients.append("\n".join([*one, f"{name} {text}"]))
            one.clear()
        elif name == "W":
            general.add(name)
        elif name not in "CTE" and not text.startswith(_VARYING):
            general.add(f"{name} {text}")
    said = content.decode("utf-8", "backslashreplace")
    return "\n".join([*sorted(general), *sorted(recipients), *one, "", said])


def _rcpt(recipient: str) -> bytes:
    address, _, parameters = recipient.partition("> ")
    return f"RCPT TO:<{address}> {parameters}".encode().rstrip() + b"\r\n"


def _exchange(sock: socket.socket, file: IO[bytes], command: bytes) -> str:
    sock.sendall(command)
    lines = []
    while True:
        line = file.readline()
        lines.append(line.decode("utf-8", "backslashreplace").rstrip("\r\n"))
        if line[3:4] != b"-":
            return "\n".join(lines)
