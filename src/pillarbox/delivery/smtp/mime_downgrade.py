"""8-bit MIME for servers without 8BITMIME: bodies are turned into quoted-printable.

DESCRIPTION
    `downgraded()` takes the lines of a message and gives them with every body whose Content-Transfer-Encoding is
    8bit or binary encoded anew.  The field is replaced: by `7bit` for a multipart or an attached message, whose
    parts are converted one by one, by `quoted-printable` for all else.  Bodies of other encodings go as they are,
    and so do octets that no field tells of.

STANDARDS
    RFC 6152 §3 (conversion), RFC 2045 §6.4 (composite types), §6.7 (quoted-printable)
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from pillarbox.filters.mime_lines import MimeLines, Place

_NAME: Final = re.compile(rb"([!-9;-~]+)[ \t]*:")
_PLAIN: Final = re.compile(rb"[\t !-<>-~]{0,72}(?<![ \t])")
_SOFT_BREAK: Final = 72
"""Octets of an encoded line after which it is broken: an encoded character and `=` still fit into 76."""
_EIGHT_BIT: Final = (b"8bit", b"binary")


def downgraded(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The message in 7 bits, as far as its fields say what it is."""
    message = _Message()
    for line in lines:
        yield from message.line(line)
    yield from message.end_field()


def quoted_printable(line: bytes) -> Iterator[bytes]:
    """A line of text in quoted-printable, in as many lines as it takes."""
    if _PLAIN.fullmatch(line) is not None:
        yield line
        return
    out = bytearray()
    last = len(line) - 1
    for at, octet in enumerate(line):
        if len(out) > _SOFT_BREAK:
            yield bytes(out) + b"="
            out.clear()
        if octet == 0x3D or octet > 126 or (octet < 32 and octet != 9) or (octet in b" \t" and at == last):
            out += b"=%02X" % octet
        else:
            out.append(octet)
    yield bytes(out)


class _Message:
    def __init__(self) -> None:
        self._mime = MimeLines()
        self._field: list[bytes] = []
        self._is_composite = False  # of the part whose header is read
        self._is_eight_bit = False  # of the part under way

    def line(self, line: bytes) -> Iterable[bytes]:
        """One line; what goes out for it."""
        mime = self._mime
        if mime.in_body:
            if mime.is_boundary(line):
                self._begin()
                return (line,)
            return quoted_printable(line) if self._is_eight_bit else (line,)
        if self._field and line[:1] in (b" ", b"\t"):
            self._field.append(line)
            return ()
        out = self.end_field()
        if _NAME.match(line) is not None:
            self._field = [line]
            return out
        if mime.place is not Place.HEADER and mime.is_boundary(line):
            self._begin()
            return [*out, line]
        out += self._end_header()
        return [*out, line] if not line else [*out, *self._first_of_body(line)]

    def _first_of_body(self, line: bytes) -> Iterable[bytes]:
        """Text where a header should be."""
        return self.line(line) if self._mime.in_body else (line,)

    def end_field(self) -> list[bytes]:
        """The field that was being read has ended; its lines, unless it is replaced."""
        lines, self._field = self._field, []
        match = _NAME.match(lines[0]) if lines else None
        if match is None:
            return lines
        name, value = match[1].lower(), b"".join(lines)[match.end() :]
        self._mime.field(name, value)
        if name == b"content-type":
            self._is_composite = value.strip().lower().startswith((b"multipart/", b"message/"))
        elif name == b"content-transfer-encoding":
            self._is_eight_bit = value.partition(b"(")[0].strip().lower() in _EIGHT_BIT
            return [] if self._is_eight_bit else lines
        return lines

    def _end_header(self) -> list[bytes]:
        is_eight_bit, is_composite = self._is_eight_bit, self._is_composite
        self._mime.end_of_header()
        self._is_composite = False
        if not is_eight_bit:
            return []
        if is_composite:
            self._is_eight_bit = False  # each part says for itself
            return [b"Content-Transfer-Encoding: 7bit"]
        return [b"Content-Transfer-Encoding: quoted-printable"]

    def _begin(self) -> None:
        self._is_composite = self._is_eight_bit = False
