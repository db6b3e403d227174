"""Where the text of the usual messages stands, without a tree: for a search that most messages answer with yes.

DESCRIPTION
    `plain_texts` gives places that are certainly in the body of a text part: the body of a message that is text,
    and the parts of a multipart whose boundaries stand each on a line of its own.  It leaves out what it is not
    sure of, as parts of parts; whoever does not find something there has to ask the tree (message/mime_tree.py).

    With a tree, a message of 3.5 KiB takes 40 µs, and half of that again to be folded.

STANDARDS
    RFC 2045 §5.2 (defaults); RFC 2046 §5.1.1 (boundaries), §5.1.5 (digest)
"""

import re
from collections.abc import Iterator
from typing import Final

from pillarbox.message.mime_fields import BROKEN_TYPE, ContentType, parse_content_type

MAX_BOUNDARY: Final = 70
MAX_PIECES: Final = 100

_TYPE: Final = re.compile(rb"^content-type[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)
_NO_TYPE: Final = ContentType(b"text", b"plain", [])
_ASCII_INSIDE: Final = frozenset(
    (b"us-ascii", b"utf-8", b"iso-8859-1", b"iso-8859-2", b"iso-8859-15", b"windows-1250", b"windows-1252")
)
"""Charsets in which an octet below 128 is the character of ASCII."""


def plain_texts(stored: bytes, lower: bytes) -> Iterator[tuple[int, int]]:
    """(start, end) of such places in `stored`, ASCII without encodings; `lower` is the same in lower case."""
    end = stored.find(b"\n\n")
    if end < 0 or b"\r" in stored or stored.startswith(b"\n"):
        return
    content_type = _content_type(stored, lower, 0, end)
    kind = content_type.type.lower()
    if kind == b"multipart" and content_type.subtype.lower() not in (b"", b"digest"):
        boundary = _parameter(content_type, b"boundary")
        if 0 < len(boundary) <= MAX_BOUNDARY:
            yield from _parts(stored, lower, end + 1, b"\n--" + boundary)
    elif kind == b"text" and _is_plain(content_type):
        yield end + 2, len(stored)


def _parts(stored: bytes, lower: bytes, position: int, mark: bytes) -> Iterator[tuple[int, int]]:
    """The parts from `position` on, up to one that may have parts itself."""
    start = stored.find(mark, position)
    for _ in range(MAX_PIECES):
        if start < 0:
            return
        start += len(mark)
        if stored.startswith(b"--", start):
            return  # the epilogue is no part
        following = stored.find(mark, start)
        end = following if following >= 0 else len(stored)
        body = stored.find(b"\n\n", start, end)
        if body >= 0 and stored.startswith(b"\n", start):
            content_type = _content_type(stored, lower, start + 1, body + 1)
            kind = content_type.type.lower()
            if kind == b"text" and _is_plain(content_type):
                yield body + 2, end
            elif kind in (b"multipart", b"message", b""):
                return
        else:
            return
        start = following


def _content_type(stored: bytes, lower: bytes, start: int, end: int) -> ContentType:
    """Of the header between these places; BROKEN_TYPE if it cannot be told easily."""
    count = lower.count(b"content-type", start, end)
    if not count:
        return _NO_TYPE
    found = _TYPE.search(stored, start, end) if count == 1 else None
    return BROKEN_TYPE if found is None else parse_content_type(found[1])


def _parameter(content_type: ContentType, name: bytes) -> bytes:
    return next((value for found, value in content_type.parameters if found.lower() == name), b"")


def _is_plain(content_type: ContentType) -> bool:
    charset = _parameter(content_type, b"charset").lower()
    return not charset or charset in _ASCII_INSIDE
