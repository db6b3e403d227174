"""Whether a message holds a text, as SEARCH means it.

DESCRIPTION
    Both sides are folded: case does not count, nor do runs of white space in header fields.  Encoded words
    are decoded, text parts of the body by their transfer encoding and charset; an unknown charset is read
    as Latin-1, so that its ASCII is found.  Parts that are not text are not searched, as in Dovecot.

STANDARDS
    RFC 3501 §6.4.4
"""

import re
from functools import lru_cache
from typing import Final

from pillarbox.message import mime_tree
from pillarbox.message.address_text import address_text
from pillarbox.message.encoded_words import decode_words
from pillarbox.message.header_fields import fields, header_end, unfold
from pillarbox.message.mime_tree import Part
from pillarbox.message.part_content import text_of

_NAME: Final = re.compile(rb"[!-9;-~]+")
_WHITE_SPACE: Final = re.compile(r"\s+")


def fold(text: str) -> str:
    """The text without case, white space as single blanks."""
    return _WHITE_SPACE.sub(" ", text.casefold())


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


def message_has(content: bytes, wanted: str) -> bool:
    """Whether header or body hold the folded text (TEXT)."""
    header = content[: header_end(content)]
    if any(wanted in fold(_whole_field(field.name, field.value)) for field in fields(header)):
        return True
    return body_has(content, wanted)


def body_has(content: bytes, wanted: str) -> bool:
    """Whether a text part of the body, or a header within it, holds the folded text (BODY)."""
    if not wanted:
        return True
    tree = mime_tree.parse(content)
    return _part_has(content, tree, wanted, is_root=True)


def _whole_field(name: bytes, value: bytes) -> str:
    return name.decode("ascii", "replace") + ": " + decode_words(unfold(value))


def _part_has(content: bytes, part: Part, wanted: str, *, is_root: bool) -> bool:
    if not is_root:
        header = content[part.header_start : part.body_start]
        if wanted in fold(decode_words(unfold(header))):
            return True
    if part.children:
        return any(_part_has(content, child, wanted, is_root=False) for child in part.children)
    kind = part.content_type
    if kind is not None and kind.type.lower() not in (b"text", b"message"):
        return False
    return wanted in fold(text_of(content, part))
