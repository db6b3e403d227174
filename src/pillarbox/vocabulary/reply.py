"""An SMTP reply: three digits, perhaps an enhanced status code, and lines of text (RFC 5321 §4.2)."""

from functools import lru_cache
from typing import Final

import msgspec

MAX_TEXT: Final = 510
"""Octets of a reply line without CRLF (RFC 5321 §4.5.3.1.5)."""


class Reply(msgspec.Struct, frozen=True):
    """`Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF`

    `text` holds the lines, the enhanced status code (RFC 2034) written out where there is one:
    `Reply(250, (b"2.1.0 Ok",))`.
    """

    code: int
    text: tuple[bytes, ...]

    @property
    def is_positive(self) -> bool:
        """2xx or 3xx: the command was taken."""
        return self.code < 400

    @property
    def first_line(self) -> bytes:
        """`250 2.1.0 Ok`: code and first line of text, as log lines quote it."""
        return b"%d %s" % (self.code, _printable(self.text[0]))

    def encode(self) -> bytes:
        """The bytes on the wire, each line printable and of a legal length."""
        return _encoded(self)


@lru_cache(maxsize=256)
def _encoded(reply: Reply) -> bytes:
    """Most replies are always the same few."""
    if len(reply.text) == 1:
        return b"%d %s\r\n" % (reply.code, _legal(reply.text[0]))
    *before, last = [_legal(line) for line in reply.text]
    head = b"".join([b"%d-%s\r\n" % (reply.code, line) for line in before])
    return head + b"%d %s\r\n" % (reply.code, last)


def _legal(line: bytes) -> bytes:
    """Control characters out (a reply must not forge another), length in bounds."""
    return _printable(line[: MAX_TEXT - 4])


def _printable(line: bytes) -> bytes:
    if line.isascii() and line.decode("ascii").isprintable():
        return line
    return bytes(octet if octet >= 0x20 and octet != 0x7F else 0x20 for octet in line)
