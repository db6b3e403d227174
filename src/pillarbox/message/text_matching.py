"""Whether a message holds a text, as SEARCH means it.

DESCRIPTION
    Case does not count (i;unicode-casemap).  Nor do runs of white space in header fields, which may be folded
    anywhere; in bodies a text is found as it stands there, so that two words are not found where a line ends
    between them, as in Dovecot.  A line end is one however the message, or who asks, writes it.
    Encoded words are decoded, text parts of the body by their transfer encoding and charset; an unknown charset is
    read as UTF-8, so that its ASCII is found.  Parts that are not text are not searched, as in Dovecot.

STANDARDS
    RFC 3501 §6.4.4; RFC 5255 §4.3 (I18NLEVEL=1)
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import msgspec

from pillarbox.message import mime_tree
from pillarbox.message.address_text import address_text
from pillarbox.message.collation import lower_casemap
from pillarbox.message.encoded_words import decode_words
from pillarbox.message.header_fields import fields, header_end, unfold
from pillarbox.message.mime_tree import Part
from pillarbox.message.part_content import text_of
from pillarbox.message.plain_parts import plain_texts

ADDRESS_FIELDS: Final = (b"from", b"to", b"cc", b"bcc")
"""Those that are searched as addresses."""
_NAME: Final = re.compile(rb"[!-9;-~]+")
_VALUE: Final = re.compile(rb"[ \t]*:((?>(?:[^\n]*\n[ \t])*)[^\n]*)")
_CONTROLS: Final = (b"\0", b"\x0e", b"\x1b")
"""In charsets that switch between sets of characters, or have two octets for each."""
_UTF_7: Final = (b"utf-", b"utf", b"u")
MANY_SEVENS: Final = 16
_BETWEEN_WORDS: Final = re.compile("[ :]+")


class Wanted(msgspec.Struct, frozen=True):
    """A text that is looked for."""

    folded: str
    """As header fields are compared."""
    exact: str
    """As bodies are: with its white space."""


class _Piece(NamedTuple):
    text: str
    is_field: bool


def to_find(text: str) -> Wanted:
    """A text to look for."""
    return Wanted(fold(text), _with_spaces(text))


def fold(text: str) -> str:
    """The text without case, white space as single blanks."""
    words = " ".join(text.split())  # six times as fast as an expression
    if not words:
        return " " if text else ""
    return lower_casemap(f"{' ' if text[0].isspace() else ''}{words}{' ' if text[-1].isspace() else ''}")


def header_has(header: bytes, name: bytes, wanted: str) -> bool:
    """Whether a field of that (lower-case) name holds the folded text; an empty one asks for the field."""
    return any(wanted in value for value in folded_values(header, name))


def folded_values(header: bytes, name: bytes) -> list[str]:
    """What the fields of a (lower-case) name say."""
    return [fold(decode_words(value)) for value in field_values(header, name)]


def address_has(header: bytes, name: bytes, wanted: str) -> bool:
    """The same of a field of addresses, which are compared as `Name <mailbox@domain>` however they are written."""
    return any(wanted in value for value in folded_addresses(header, name))


def folded_addresses(header: bytes, name: bytes) -> list[str]:
    """The addresses of the fields of a (lower-case) name."""
    return [fold(decode_words(address_text(value))) for value in field_values(header, name)]


def field_values(header: bytes, name: bytes) -> list[bytes]:
    """Unfolded values of the fields of a (lower-case) name."""
    if not _NAME.fullmatch(name):
        return [unfold(field.value) for field in fields(header) if field.name.lower() == name]
    # Most headers have none, or one: where its name stands is found at a tenth of what an expression takes.
    lower, mark = b"\n" + header.lower(), b"\n" + name
    found: list[bytes] = []
    at = lower.find(mark)
    while at >= 0:  # which is where the name begins in `header`
        value = _VALUE.match(header, at + len(name))
        if value is not None:
            found.append(unfold(value[1].rstrip(b"\r")))
            at = value.end()
        at = lower.find(mark, at + 1)
    return found


def quick_look(text: Wanted) -> Callable[[bytes], bool | None]:
    """Whether a message with any line ends holds the text in its body, if that is told at once; or None.

    In a message of plain ASCII of which nothing needs decoding each word of the text must stand somewhere, and a
    text that stands in the body of a text part is there (message/plain_parts.py).
    """
    folded = text.folded
    words = [word.encode() for word in _BETWEEN_WORDS.split(folded) if word] if folded.isascii() else None
    sought = text.exact.encode("utf-8", "surrogatepass")

    def look(stored: bytes) -> bool | None:
        if not stored.isascii():
            return None
        lower = stored.lower()
        if _may_be_encoded(lower):
            return None
        if words is None or not all(word in lower for word in words):
            return False
        return any(lower.find(sought, start, end) >= 0 for start, end in plain_texts(stored, lower)) or None

    return look


def _may_be_encoded(lower: bytes) -> bool:
    """Whether something in ASCII may show other text than itself: encoded words, transfer encodings, charsets.

    Single octets are found ten times as fast as pairs, and most messages have none of these.
    """
    return (
        any(control in lower for control in _CONTROLS)
        or (b"?" in lower and b"=?" in lower)
        or (b"~" in lower and b"~{" in lower)
        or (b"transfer-encoding" in lower and (b"base64" in lower or b"quoted-printable" in lower))
        or _names_utf_7(lower)
    )


def _names_utf_7(lower: bytes) -> bool:
    """`utf-7`, `utf7`, `u7`"""
    place = -1
    for _ in range(MANY_SEVENS):
        place = lower.find(b"7", place + 1)
        if place < 0:
            return False
        if lower.endswith(_UTF_7, 0, place):
            return True
    return any(name + b"7" in lower for name in _UTF_7)


def message_has(content: bytes, text: Wanted) -> bool:
    """Whether a header, that of a part or of a message within included, or the body hold the text (TEXT)."""
    if not text.exact:
        return True
    header = content[: header_end(content)]
    return any(text.folded in field for field in header_texts(header)) or any(
        text.folded in fold(piece.text) if piece.is_field else text.exact in _with_spaces(piece.text)
        for piece in _pieces(content, mime_tree.parse(content), with_header=False, with_headers=True)
    )


def body_has(content: bytes, text: Wanted) -> bool:
    """Whether a text part of the body holds the text (BODY).

    Headers of parts do not count, as with Dovecot: `BODY mixed` is not meant to find most messages.
    """
    return not text.exact or any(
        text.exact in _with_spaces(piece.text)
        for piece in _pieces(content, mime_tree.parse(content), with_header=False, with_headers=False)
    )


def header_texts(header: bytes) -> Iterator[str]:
    """What TEXT looks for in a header: each field, folded."""
    return (fold(piece.text) for piece in _fields(header))


def part_texts(content: bytes) -> Iterator[str]:
    """Where TEXT looks besides the message's header: the fields and the text of each part, folded."""
    parts = _pieces(content, mime_tree.parse(content), with_header=False, with_headers=True)
    return (fold(piece.text) for piece in parts)


def _with_spaces(text: str) -> str:
    return lower_casemap(text.replace("\r\n", "\n"))


def _fields(header: bytes) -> Iterator[_Piece]:
    for field in fields(header):
        value = decode_words(unfold(field.value))
        yield _Piece(field.name.decode("ascii", "replace") + ": " + value, is_field=True)


def _pieces(content: bytes, part: Part, *, with_header: bool, with_headers: bool) -> Iterator[_Piece]:
    if with_header:
        yield from _fields(content[part.header_start : part.body_start])
    if part.children:
        for child in part.children:
            yield from _pieces(content, child, with_header=with_headers, with_headers=with_headers)
        return
    kind = part.content_type
    if kind is None or kind.type.lower() in (b"text", b"message", b""):  # empty: it cannot be read
        yield _Piece(text_of(content, part), is_field=False)
