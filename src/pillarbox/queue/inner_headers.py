"""Whether the headers of a message's parts, and of messages attached to it, have octets that are not ASCII.

DESCRIPTION
    A message with such a header may be sent to servers of SMTPUTF8 alone, if that was asked for; so may one that
    only returns such a message.  What is header is decided as for nested_header_checks (`MimeLines`).

STANDARDS
    RFC 6531 §3.6; RFC 6532 §3.7
"""

import re
from typing import Final

from pillarbox.message.mime_lines import MIME_HEADERS, MimeLines, Place

_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_LONGEST: Final = 102_400
"""Octets of a field that are looked at, and of an unfinished line that are kept: header_size_limit's default."""


class InnerHeaders:
    """Those of one message, which is fed from its first line on, with CRLF line ends."""

    __slots__ = ("_field", "_mime", "_octets", "_rest", "has_utf8")

    def __init__(self) -> None:
        self.has_utf8 = False
        self._mime = MimeLines()
        self._field: list[bytes] = []
        self._octets = 0  # of it
        self._rest = b""

    def feed(self, content: bytes) -> None:
        """More of it, in pieces of any size."""
        if self.has_utf8 or self._mime.is_rest_body:
            return
        *lines, self._rest = (self._rest + content).split(b"\r\n")
        for line in lines:
            self._line(line)
        if len(self._rest) > _LONGEST:
            self._rest = self._rest[:_LONGEST]

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
