"""Whether a message holds a text, as SEARCH means it.

DESCRIPTION
    Both sides are folded: case does not count, nor do runs of white space in header fields.  Encoded words
    are decoded, text parts of the body by their transfer encoding and charset; an unknown charset is read
    as Latin-1, so that its ASCII is found.  Parts that are not text are not searched, as in Dovecot.

STANDARDS
    RFC 3501 §6.4.4; RFC 2047 (encoded words); RFC 2045 §6 (transfer encodings)
"""

import binascii
import quopri
import re
from typing import Final

from pillarbox.message import mime_tree
from pillarbox.message.header_fields import fields, first_value, header_end, unfold
from pillarbox.message.mime_fields import parse_encoding
from pillarbox.message.mime_tree import Part
from pillarbox.wire.imap.charsets import codec_of

_ENCODED_WORD: Final = re.compile(rb"=\?([^?\s]{1,40})\?([bBqQ])\?([^?\s]*)\?=")
_BETWEEN_WORDS: Final = re.compile(rb"(\?=)\s+(=\?)")
_WHITE_SPACE: Final = re.compile(r"\s+")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]+")
_ENCODING: Final = b"content-transfer-encoding"
_MAX_FIELD: Final = 65536
"""Octets of a header field that are looked through."""


def fold(text: str) -> str:
    """The text without case, white space as single blanks."""
    return _WHITE_SPACE.sub(" ", text.casefold())


def header_has(header: bytes, name: bytes, wanted: str) -> bool:
    """Whether a field of that (lower-case) name holds the folded text; an empty one asks for the field."""
    return any(wanted in fold(decode_words(value)) for value in field_values(header, name))


def field_values(header: bytes, name: bytes) -> list[bytes]:
    """Unfolded values of the fields of a (lower-case) name."""
    if name not in header.lower():
        return []
    return [unfold(field.value) for field in fields(header) if field.name.lower() == name]


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
    if not tree.children and not tree.fields:
        # Not MIME by RFC 2045 §4, but what says how it is encoded is decoded all the same.
        encoding = first_value(content[: tree.body_start], _ENCODING)
        if encoding is not None:
            tree.fields[_ENCODING] = encoding
    return _part_has(content, tree, wanted, is_root=True)


def decode_words(value: bytes) -> str:
    """A field value with its encoded words read; what is not ASCII outside of them is taken for UTF-8."""
    value = value[:_MAX_FIELD]
    if b"=?" not in value:
        return value.decode("utf-8", "replace")
    # RFC 2047 §6.2: white space between two encoded words is not shown.
    value = _BETWEEN_WORDS.sub(rb"\1\2", value)
    decoded: list[str] = []
    position = 0
    for word in _ENCODED_WORD.finditer(value):
        decoded.append(value[position : word.start()].decode("utf-8", "replace"))
        decoded.append(_decode_word(word[1], word[2], word[3]))
        position = word.end()
    decoded.append(value[position:].decode("utf-8", "replace"))
    return "".join(decoded)


def _decode_word(charset: bytes, encoding: bytes, text: bytes) -> str:
    if encoding in b"qQ":
        octets = quopri.decodestring(text, header=True)
    else:
        octets = _decode_base64(text)
    return octets.decode(_codec(charset.partition(b"*")[0]), "replace")  # RFC 2231 §5: charset*language


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
    return wanted in fold(_decode_text(content, part))


def _decode_text(content: bytes, part: Part) -> str:
    body = content[part.body_start : part.body_end]
    encoding = parse_encoding(part.fields.get(_ENCODING, b"")) or b""
    match encoding.lower():
        case b"base64":
            body = _decode_base64(body)
        case b"quoted-printable":
            body = quopri.decodestring(body)
    charset = b"utf-8"
    if part.content_type is not None:
        for name, value in part.content_type.parameters:
            if name.lower() == b"charset":
                charset = value
    return body.decode(_codec(charset), "replace")


def _decode_base64(text: bytes) -> bytes:
    """RFC 2045 §6.8: what is not in the alphabet is ignored; a torn end loses its last octets only."""
    clean = _NOT_BASE64.sub(b"", text.partition(b"=")[0])
    if len(clean) % 4 == 1:
        clean = clean[:-1]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def _codec(charset: bytes) -> str:
    """The codec of a charset; the unknown ones are read as Latin-1, so that their ASCII is found."""
    return codec_of(charset) or ("latin-1" if charset else "utf-8")
