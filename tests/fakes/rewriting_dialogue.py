"""A client of SMTP that says what random messages are made of, and hears what becomes of them."""

import re
from typing import Final

from fakes.host import Host
from fakes.mail_system import PATIENCE
from fakes.random_rewriting import RandomMessage

_CLOSING: Final = (b"421", b"521")


class Dialogue:
    """One session.  A server that ends it is not asked further."""

    def __init__(self, host: Host) -> None:
        self._socket = host.connect(25)
        self._socket.settimeout(PATIENCE)
        self._file = self._socket.makefile("rb")
        self.is_over = False
        self._reply()
        self._say(b"EHLO client.test")

    def transaction(self, message: RandomMessage) -> list[bytes]:
        """One message, and RSET; the replies."""
        words = b"MAIL FROM:<%s> %s" % (message.sender.encode(), " ".join(message.options).encode())
        said = [self._say(words)]
        said += [self._say(b"RCPT TO:" + one.encode()) for one in message.recipients]
        content = message.content
        if not message.as_it_is:
            content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            if not content.endswith(b"\r\n"):
                content += b"\r\n"
        if message.chunk:
            said += self._chunks(content, message.chunk)
        else:
            said.append(self._say(b"DATA"))
            if said[-1].startswith(b"354"):
                said.append(self._say(re.sub(rb"(?m)^\.", b"..", content) + b"."))
        self._say(b"RSET")
        return [one for one in said if one]

    def commands(self, lines: tuple[bytes, ...]) -> list[bytes]:
        """Some of no transaction, and what is replied."""
        return [one for one in map(self._say, lines) if one]

    def quit(self) -> None:
        """The end."""
        self._say(b"QUIT")
        self._close()

    def _chunks(self, content: bytes, size: int) -> list[bytes]:
        said = []
        size = max(size, len(content) // 20)
        for start in range(0, len(content), size):
            part = content[start : start + size]
            last = b" LAST" if start + size >= len(content) else b""
            said.append(self._say(b"BDAT %d%s\r\n" % (len(part), last) + part, end=b""))
            if not said[-1].startswith(b"250"):
                break
        return said

    def _say(self, line: bytes, *, end: bytes = b"\r\n") -> bytes:
        if self.is_over:
            return b""
        try:
            self._socket.sendall(line + end)
            reply = self._reply()
        except ConnectionError:
            reply = b""
        if not reply or reply.startswith(_CLOSING):
            self._close()
        return reply

    def _reply(self) -> bytes:
        lines = []
        while line := self._file.readline():
            lines.append(line.rstrip(b"\r\n"))
            if line[3:4] != b"-":
                break
        return b"\n".join(lines)

    def _close(self) -> None:
        self.is_over = True
        self._file.close()
        self._socket.close()
