"""Whether a message holds a text, as SEARCH means it.

DESCRIPTION
    Both sides are folded: case does not count (i;unicode-casemap), nor do runs of white space in header fields.
    Encoded words are decoded, text parts of the body by their transfer encoding and charset; an unknown charset is
    read as UTF-8, so that its ASCII is found.  Parts that are not text are not searched, as in Dovecot.

STANDARDS
    RFC 3501 §6.4.4; RFC 5255 §4.3 (I18NLEVEL=1)
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Final

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
_CONTROLS: Final = (b"\0", b"\x0e", b"\x1b")
"""In charsets that switch between sets of characters, or have two octets for each."""
_UTF_7: Final = (b"utf-", b"utf", b"u")
MANY_SEVENS: Final = 16
_BETWEEN_WORDS: Final = re.compile("[ :]+")


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
    if _NAME.fullmatch(name):
        return [unfold(value.rstrip(b"\r")) for value in _values(name).findall(header)]
    return [unfold(field.value) for field in fields(header) if field.name.lower() == name]


@lru_cache(maxsize=64)
def _values(name: bytes) -> "re.Pattern[bytes]":
    """Finds the values of a field, folded or not."""
    return re.compile(
        rb"^%b[ \t]*:((?>(?:[^\n]*\n[ \t])*)[^\n]*)" % re.escape(name), re.IGNORECASE | re.MULTILINE
    )


def quick_look(wanted: str) -> Callable[[bytes], bool | None]:
    """Whether a message with any line ends holds the folded text in its body, if that is told at once; or None.

    In a message of plain ASCII of which nothing needs decoding each word of the text must stand somewhere, and a
    text that stands in the body of a text part is there (message/plain_parts.py).
    """
    words = [word.encode() for word in _BETWEEN_WORDS.split(wanted) if word] if wanted.isascii() else None

    def look(stored: bytes) -> bool | None:
        if not stored.isascii():
            return None
        lower = stored.lower()
        if _may_be_encoded(lower):
            return None
        if words is None or not all(word in lower for word in words):
            return False
        sought = wanted.encode()
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


def message_has(content: bytes, wanted: str) -> bool:
    """Whether a header, that of a part or of a message within included, or the body hold the folded text (TEXT)."""
    if not wanted:
        return True
    header = content[: header_end(content)]
    texts = chain(header_texts(header), part_texts(content))
    return any(wanted in text for text in texts)


def body_has(content: bytes, wanted: str) -> bool:
    """Whether a text part of the body holds the folded text (BODY).

    Headers of parts do not count, as with Dovecot: `BODY mixed` is not meant to find most messages.
    """
    return not wanted or any(wanted in text for text in body_texts(content))


def header_texts(header: bytes) -> Iterator[str]:
    """What TEXT looks for in a header: each field, folded."""
    return (fold(_whole_field(field.name, field.value)) for field in fields(header))


def body_texts(content: bytes) -> Iterator[str]:
    """Where BODY looks in a message: the text of each part, folded."""
    return _texts(content, mime_tree.parse(content), with_header=False, with_headers=False)


def part_texts(content: bytes) -> Iterator[str]:
    """Where TEXT looks besides the message's header: the fields and the text of each part, folded."""
    return _texts(content, mime_tree.parse(content), with_header=False, with_headers=True)


def _whole_field(name: bytes, value: bytes) -> str:
    return name.decode("ascii", "replace") + ": " + decode_words(unfold(value))


def _texts(content: bytes, part: Part, *, with_header: bool, with_headers: bool) -> Iterator[str]:
    if with_header:
        yield from header_texts(content[part.header_start : part.body_start])
    if part.children:
        for child in part.children:
            yield from _texts(content, child, with_header=with_headers, with_headers=with_headers)
        return
    kind = part.content_type
    if kind is None or kind.type.lower() in (b"text", b"message", b""):  # empty: it cannot be read
        yield fold(text_of(content, part))
