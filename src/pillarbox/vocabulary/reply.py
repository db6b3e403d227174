"""An SMTP reply: three digits, perhaps an enhanced status code, and lines of text (RFC 5321 §4.2)."""

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
        return b"%d %s" % (self.code, self.text[0])

    def encode(self) -> bytes:
        """The bytes on the wire, each line printable and of a legal length."""
        if len(self.text) == 1:
            return b"%d %s\r\n" % (self.code, _legal(self.text[0]))
        lines = [_legal(line) for line in self.text]
        head = b"".join(b"%d-%s\r\n" % (self.code, line) for line in lines[:-1])
        return head + b"%d %s\r\n" % (self.code, lines[-1])


def _legal(line: bytes) -> bytes:
    """Control characters out (a reply must not forge another), length in bounds."""
    line = line[: MAX_TEXT - 4]
    if line.isascii() and line.decode("ascii").isprintable():
        return line
    return bytes(octet if octet >= 0x20 and octet != 0x7F else 0x20 for octet in line)
