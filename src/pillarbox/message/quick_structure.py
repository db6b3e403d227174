"""BODY and BODYSTRUCTURE of the usual messages, without a tree: headers are remembered, bodies counted.

DESCRIPTION
    The Content-… fields of most messages and parts are those of thousands of others, so that what stands
    before and behind the size in their structure (`Frame`) is written once for all.  A multipart whose
    boundaries stand each on a line of its own, the last one closed, is split at them.

    Everything else gives None: what has CR in it, boundaries that begin alike, message/rfc822, digests,
    parts without an empty line, multiparts that do not end.  Then the tree decides (message/mime_tree.py).
    A property proves both ways equal.

STANDARDS
    RFC 3501 §7.4.2 (BODY, BODYSTRUCTURE); RFC 2046 §5.1.1 (boundaries)
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from pillarbox.message.body_structure import multipart_end, render, render_part
from pillarbox.message.content import Content
from pillarbox.message.line_ends import crlf_size, to_crlf
from pillarbox.message.mime_fields import Parameters, parse_content_type
from pillarbox.message.mime_tree import Part, parse

MAX_REMEMBERED: Final = 500
"""Octets of the Content-… fields, or of a part's header, whose structure is remembered."""
MAX_BOUNDARY: Final = 70
MAX_PIECES: Final = 100
MAX_NESTED: Final = 8

_COMPOSITE: Final = re.compile(rb"[ \t\r\n]*(?:multipart|message)[ \t\r\n]*/", re.IGNORECASE)
_MIME: Final = b"MIME-Version: 1.0\r\n"

Fields = tuple[tuple[bytes, bytes], ...]
"""Content-… fields: lower-case name and value as it stands, sorted."""


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """What stands before and behind the size in the structure of a message of one part, and whether it is text."""

    start: bytes
    is_text: bool
    rest: bytes


def frame_of_fields(fields: Fields) -> Frame | None:
    """The frame of a message with these fields."""
    if sum(len(value) for _, value in fields) > MAX_REMEMBERED:
        return None
    return _remembered_frame(fields)


def is_composite(content_type: bytes) -> bool:
    """Whether a Content-Type names parts in the body."""
    return _COMPOSITE.match(content_type) is not None


def multipart_structure(
    stored: bytes, start: int, fields: Mapping[bytes, bytes]
) -> tuple[bytes, bytes] | None:
    """BODY and BODYSTRUCTURE of a multipart whose body begins at `start`.

    `fields` are its Content-… fields; `stored` has LF line ends.
    """
    values = {name: value.lstrip(b" \t").removesuffix(b"\r") for name, value in fields.items()}
    content_type = parse_content_type(values[b"content-type"])
    if content_type.type.lower() != b"multipart" or not content_type.subtype:
        return None
    return _multipart(stored, start, Part(0, 0, 0, content_type, values), ())


def _multipart(
    stored: bytes, start: int, part: Part, around: tuple[bytes, ...]
) -> tuple[bytes, bytes] | None:
    content_type = part.content_type
    if content_type is None or content_type.subtype.lower() == b"digest" or len(around) > MAX_NESTED:
        return None
    boundary = _boundary(content_type.parameters)
    if not boundary or any(boundary.startswith(outer) or outer.startswith(boundary) for outer in around):
        return None
    pieces = stored[start - 1 :].split(b"\n--" + boundary, MAX_PIECES)
    last = pieces.pop()
    if len(pieces) < 2 or not (last.startswith(b"--\n") or last == b"--"):
        return None
    bodies = []
    structures = []
    for piece in pieces[1:]:
        found = _part(piece, (*around, boundary))
        if found is None:
            return None
        bodies.append(found[0])
        structures.append(found[1])
    body_end, structure_end = multipart_end(part)
    return b"(%b%b" % (b"".join(bodies), body_end), b"(%b%b" % (b"".join(structures), structure_end)


def _part(piece: bytes, around: tuple[bytes, ...]) -> tuple[bytes, bytes] | None:
    """A part: the line end of its boundary, header, empty line, body."""
    if piece[:1] != b"\n":
        return None
    end = piece.find(b"\n\n")
    if end < 0:
        return None
    header = piece[1 : end + 1]
    if b"multipart" in header.lower():
        tree = parse(_MIME + to_crlf(header) + b"\r\n")
        return _multipart(piece, end + 2, tree, around) if tree.is_multipart else None
    frame = _frame_of_header(header) if len(header) <= MAX_REMEMBERED else None
    if frame is None:
        return None
    body = piece[end + 2 :]
    size = crlf_size(body)
    lines = size - len(body)
    counted = b"%b %d %d" % (frame.start, size, lines) if frame.is_text else b"%b %d" % (frame.start, size)
    return counted + b")", counted + frame.rest


def _boundary(parameters: Parameters) -> bytes:
    """The first boundary parameter; empty if there is none that could be looked for."""
    for name, value in parameters:
        if name.lower() == b"boundary":
            return value if len(value) <= MAX_BOUNDARY else b""
    return b""


@lru_cache(maxsize=1024)
def _remembered_frame(fields: Fields) -> Frame | None:
    if any(_COMPOSITE.match(value) for _, value in fields):
        return None
    return _frame(b"".join([b"%b:%b\n" % field for field in fields]) + b"\r\n", render)


@lru_cache(maxsize=1024)
def _frame_of_header(header: bytes) -> Frame | None:
    """The frame of a part with this header, which is MIME whether or not it says so."""
    return _frame(_MIME + to_crlf(header) + b"\r\n", render_part)


def _frame(content: bytes, rendering: Callable[[Content, Part], tuple[bytes, bytes]]) -> Frame | None:
    """The frame of a message or a part without body."""
    tree = parse(content)
    kind = b"text" if tree.content_type is None else tree.content_type.type.lower()
    if kind in (b"multipart", b"message"):
        return None
    body, structure = rendering(content, tree)
    is_text = kind == b"text"
    end = b" 0 0" if is_text else b" 0"
    start = body[: -len(end) - 1]
    if body != start + end + b")" or not structure.startswith(start + end):
        return None
    return Frame(start, is_text, structure[len(start) + len(end) :])
