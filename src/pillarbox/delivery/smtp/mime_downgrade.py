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

from pillarbox.message.mime_lines import MimeLines, Place

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
    yield from message.end()


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
        self._is_eight_bit = False  # of the part under way

    def line(self, line: bytes) -> Iterable[bytes]:
        """One line; what goes out for it."""
        mime = self._mime
        if mime.in_body:
            return self._body(line)
        if self._field and line[:1] in (b" ", b"\t"):
            self._field.append(line)
            return ()
        out = self.end_field()
        if _NAME.match(line) is not None:
            self._field = [line]
            return out
        out += self._end_header(at_empty_line=not line)
        return [*out, line] if not line else [*out, *self._body(line)]

    def end(self) -> Iterable[bytes]:
        """The end of the message: what is left of a header."""
        out = self.end_field()
        return out if self._mime.in_body else [*out, *self._new_encoding()]

    def _body(self, line: bytes) -> Iterable[bytes]:
        if self._mime.is_boundary(line):
            self._is_eight_bit = False
            return (line,)
        return quoted_printable(line) if self._is_eight_bit else (line,)

    def end_field(self) -> list[bytes]:
        """The field that was being read has ended; its lines, unless it is replaced."""
        lines, self._field = self._field, []
        match = _NAME.match(lines[0]) if lines else None
        if match is None:
            return lines
        name, value = match[1].lower(), b"\n".join(lines)[match.end() :]
        self._mime.field(name, value)
        if name != b"content-transfer-encoding":
            return lines
        self._is_eight_bit = self._mime.encoding in _EIGHT_BIT
        return [] if self._is_eight_bit else lines

    def _end_header(self, *, at_empty_line: bool) -> list[bytes]:
        out = self._new_encoding()
        mime = self._mime
        mime.reads_global = (
            not self._is_eight_bit
        )  # RFC 6532: it may be encoded, and there is 7bit for it elsewhere
        is_multipart = mime.kind[0] == b"multipart"
        mime.end_of_header(at_empty_line=at_empty_line)
        if at_empty_line and (is_multipart or mime.place is Place.NESTED):
            self._is_eight_bit = False  # each part says for itself
        return out

    def _new_encoding(self) -> list[bytes]:
        if not self._is_eight_bit:
            return []
        main, subtype = self._mime.kind
        is_composite = main == b"multipart" or (main == b"message" and subtype != b"global")
        return [b"Content-Transfer-Encoding: " + (b"7bit" if is_composite else b"quoted-printable")]
