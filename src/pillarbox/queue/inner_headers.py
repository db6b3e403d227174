"""What the headers of a message's parts, and of messages attached to it, say of the whole.

DESCRIPTION
    A message with a header that is not ASCII may be sent to servers of SMTPUTF8 alone, if that was asked for; so
    may one that only returns such a message.  A message of which some part is in 8 bits is one in 8 bits
    (detect_8bit_encoding_header).  What is header is decided as for nested_header_checks (`MimeLines`).

STANDARDS
    RFC 6152 (8BITMIME); RFC 6531 §3.6; RFC 6532 §3.7
"""

import re
from collections.abc import Sequence
from typing import Final

from pillarbox.message.mime_lines import MIME_HEADERS, MimeLines, Place

_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_EIGHT_BIT: Final = frozenset((b"8bit", b"binary"))
_LONGEST: Final = 102_400
"""Octets of a field that are looked at, and of an unfinished line that are kept: header_size_limit's default."""


class InnerHeaders:
    """Those of one message, which is fed from its first line on, with CRLF line ends."""

    __slots__ = ("_field", "_mime", "_octets", "_rest", "_within", "has_utf8", "is_eight_bit")

    def __init__(self) -> None:
        self.has_utf8 = False
        self.is_eight_bit = False
        self._mime = MimeLines()
        self._field: list[bytes] = []
        self._octets = 0  # of it
        self._rest = b""
        self._within = False  # a line of a body, whose end is the next that matters

    def begin_in_body(self, kinds: Sequence[bytes], *, at_empty_line: bool) -> None:
        """The message's own header has gone by: values of Content-Type:, and whether an empty line ended it."""
        for value in kinds:
            self._mime.field(b"content-type", value)
        self._mime.end_of_header(at_empty_line=at_empty_line)

    def feed(self, content: bytes) -> None:
        """More of it, in pieces of any size."""
        text, at = self._rest + content, 0
        while not self._mime.is_rest_body:
            if self._mime.in_body:
                start = self._mime.start_of_boundaries
                if self._within or not text.startswith(start[: len(text) - at], at):
                    end = text.find(b"\r\n" + start, at)
                    if end < 0:
                        self._within, self._rest = True, text[max(at, len(text) - len(start) - 1) :]
                        return
                    self._within, at = False, end + 2
            end = text.find(b"\r\n", at)
            if end < 0:
                self._rest = text[at : at + _LONGEST]
                return
            self._line(text[at:end])
            at = end + 2

    def _line(self, line: bytes) -> None:
        mime = self._mime
        if mime.in_body:
            mime.is_boundary(line)
            return
        if self._field and line[:1] in (b" ", b"\t"):
            self._add(line)
            return
        self._end_field()
        if _FIELD.match(line) is not None:
            self._add(line)
            return
        mime.end_of_header(at_empty_line=not line)
        if line:
            mime.is_boundary(line)

    def _add(self, line: bytes) -> None:
        if self._octets < _LONGEST:
            self._field.append(line[: _LONGEST - self._octets])
            self._octets += len(line) + 1

    def _end_field(self) -> None:
        if not self._field:
            return
        field = b"\r\n".join(self._field)
        self._field, self._octets = [], 0
        if self._mime.place is not Place.HEADER:  # the message's own is looked at by who cleans it
            self.has_utf8 |= not field.isascii()
        match = _FIELD.match(field)
        if match is not None and (name := match[1].lower()) in MIME_HEADERS:
            self._mime.field(name, match[2])
            self.is_eight_bit |= name == b"content-transfer-encoding" and says_eight_bit(match[2])


def says_eight_bit(value: bytes) -> bool:
    """Whether the value of a Content-Transfer-Encoding: is 8bit or binary, with nothing behind it."""
    return value.lstrip().lower() in _EIGHT_BIT
