"""The header of a message: where it ends, its fields with their offsets, a chosen few of them.

DESCRIPTION
    Content has CRLF line ends (message/line_ends.py).  The header ends with the first empty line, which
    belongs to it; a message without one is all header.  Nothing is an error: a line without a colon is a
    field that no name selects, as Dovecot has it.

    `select_fields` keeps the bytes and the order of the fields it keeps, and ends them with the empty line,
    as BODY[HEADER.FIELDS (...)] wants it.

STANDARDS
    RFC 5322 §2.2 (fields, folding); RFC 3501 §6.4.5 (HEADER.FIELDS, HEADER.FIELDS.NOT)
"""

import re
from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from pillarbox.message.content import Content

# A field: a line and the lines after it that begin with white space.
_FIELD: Final = re.compile(rb"([^:\n]*+)(:?)((?>(?:[^\n]*\n[ \t])*)[^\n]*)\n?")


class Field(msgspec.Struct, frozen=True, array_like=True):
    """One field: name as written without white space before the colon; value as written, folds and all."""

    name: bytes
    value: bytes
    start: int
    end: int


def header_end(content: Content, start: int = 0, end: int | None = None) -> int:
    """Where the body begins: after the first empty line, or at the end if there is none."""
    if content.startswith(b"\r\n", start):
        return start + 2
    found = content.find(b"\r\n\r\n", start, end)
    if found >= 0:
        return found + 4
    return len(content) if end is None else end


def split(content: bytes) -> tuple[bytes, bytes]:
    """Header with its empty line, and body."""
    end = header_end(content)
    return content[:end], content[end:]


def fields(header: bytes) -> Iterator[Field]:
    """The fields of a header, in order; a line without a colon is a field with an empty value."""
    position = 0
    length = len(header)
    while position < length:
        if header.startswith(b"\r\n", position):
            return
        match = _FIELD.match(header, position)
        if match is None or match.end() == position:
            return
        name, colon, value = match.groups()
        if colon:
            yield Field(name.rstrip(b" \t"), value.rstrip(b"\r"), position, match.end())
        else:
            yield Field((name + value).rstrip(b"\r"), b"", position, match.end())
        position = match.end()


def unfold(value: bytes) -> bytes:
    """A field's value on one line: line ends before white space go (RFC 5322 §2.2.3), blanks around too."""
    return value.replace(b"\r\n", b"").replace(b"\n", b"").strip(b" \t")


def first_value(header: bytes, name: bytes) -> bytes | None:
    """The unfolded value of the first field of that name, or None."""
    wanted = name.lower()
    for field in fields(header):
        if field.name.lower() == wanted:
            return unfold(field.value)
    return None


def select_fields(header: bytes, names: Collection[bytes], *, keep: bool = True) -> bytes:
    """The fields whose lower-case names are in `names` (`keep=False`: are not), and the empty line."""
    kept = []
    for field in fields(header):
        text = header[field.start : field.end]
        if (field.name.lower() in names and b":" in text.split(b"\n", 1)[0]) is keep:
            kept.append(text)
    kept.append(b"\r\n")
    return b"".join(kept)
