"""Replies of an SMTP server: bytes in, whole replies out.

DESCRIPTION
    A reply is one line or several; the last has a blank, or nothing, after its three digits.  A line that does
    not begin with three digits ends no reply: it is kept as one of its lines, and in `garbage`, as Postfix does,
    because some servers talk before they think.

    Control characters and octets that are no UTF-8 become question marks before a line is looked at, as in Postfix:
    nobody would know their charset in a log or a report.

LIMITS
    `MAX_LINE` octets of a line are kept, `MAX_TEXT` of a reply; more is dropped.  `MAX_REPLY` octets without
    the end of a reply end the conversation.

FAULTS
    MalformedReply  without end

STANDARDS
    RFC 5321 §4.2 (replies), RFC 2034 (enhanced status codes), RFC 2920 (pipelining)
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

MAX_LINE: Final = 2048
MAX_TEXT: Final = 8192
MAX_REPLY: Final = 1 << 20

_ENHANCED: Final = re.compile(rb"([245])\.([0-9]{1,3})\.([0-9]{1,3})(?:[ \t]|\Z)")


class MalformedReply(Exception):
    """What came is no reply."""


class ServerReply(msgspec.Struct, frozen=True):
    """A reply as it came."""

    code: int
    lines: tuple[bytes, ...]  # with their codes; what is no reply has none

    @property
    def kind(self) -> int:
        """The first digit."""
        return self.code // 100

    @property
    def text(self) -> bytes:
        """All lines in one, as log lines and bounces quote it: `550-5.1.1 No 550 5.1.1 such user`."""
        return b" ".join(self.lines)

    @property
    def status(self) -> str:
        """The enhanced status code, `5.1.1`; `5.0.0` if the server gave none, or one of another class.

        A reply that is neither success nor failure has none: where it decides, the server breaks the protocol.
        """
        if self.kind not in (2, 4, 5):
            return "5.5.0"
        match = _ENHANCED.match(self.lines[-1][4:].lstrip())
        if match is None or int(match[1]) != self.kind:
            return f"{self.kind}.0.0"
        return match[0].strip().decode()


class ReplyReader:
    """Undoes what servers do to replies."""

    def __init__(self) -> None:
        self.rewrite: Callable[[bytes], bytes] | None = None  # each line, before it is looked at
        self.garbage: list[bytes] = []
        self.too_long: list[bytes] = []  # how lines began that were cut
        self._buffer = bytearray()
        self._lines: list[bytes] = []
        self._octets = 0
        self._kept = 0  # octets of _lines

    def feed(self, data: bytes) -> None:
        """Take bytes from the server."""
        self._buffer += data

    def discard(self) -> None:
        """Forget what has come: it was said before TLS, by anybody (RFC 3207 §4.2)."""
        self._buffer.clear()
        self._lines.clear()
        self._octets = self._kept = 0

    def next_reply(self) -> ServerReply | None:
        """The next whole reply; None if more has to come.  MalformedReply."""
        start = 0
        reply = None
        try:
            while reply is None and (end := self._buffer.find(b"\n", start)) >= 0:
                line = bytes(self._buffer[start : min(end, start + MAX_LINE)])
                self._octets += end - start
                if end - start > MAX_LINE and len(self.too_long) < 10:
                    self.too_long.append(_printable(line[:30]))
                start = end + 1
                line = _printable(line.rstrip(b"\r"))
                reply = self._take(line if self.rewrite is None else self.rewrite(line))
        finally:
            del self._buffer[:start]
        if reply is None and self._octets + len(self._buffer) > MAX_REPLY:
            raise MalformedReply("a reply that does not end")
        return reply

    def _take(self, line: bytes) -> ServerReply | None:
        digits, separator = line[:3], line[3:4]
        if len(digits) != 3 or not digits.isdigit() or separator not in (b"", b" ", b"-"):
            if len(self.garbage) < 10:
                self.garbage.append(line[:100])
            separator = b"-"
        if self._kept < MAX_TEXT or separator != b"-":
            self._lines.append(line)
            self._kept += len(line)
        if separator == b"-":
            return None
        lines, self._lines = tuple(self._lines), []
        self._octets = self._kept = 0
        return ServerReply(int(digits), lines)


_QUESTIONABLE: Final = {code: "?" for code in (*range(0x20), 0x7F, *range(0xDC80, 0xDD00))}


def _printable(line: bytes) -> bytes:
    text = line.decode("utf-8", "surrogateescape")
    return line if text.isprintable() else text.translate(_QUESTIONABLE).encode()
