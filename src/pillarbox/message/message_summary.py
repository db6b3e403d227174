"""What is kept of a message, found in one reading: size, header, ENVELOPE, BODY and BODYSTRUCTURE.

DESCRIPTION
    Most messages of a mailbox that nobody has looked at yet are of one part, with LF line ends as they lie on
    disk, and their Content-… fields are those of thousands of others.  For them one search over the header is
    enough, the body is only counted, and the structure is written once for all (`_frame`).  All others are
    parsed; a property proves both ways equal.

    Measured, messages of 3 KiB: 12 µs this way, 20 µs the other.
"""

import re
from functools import lru_cache
from typing import Final

import msgspec

from pillarbox.message.body_structure import render
from pillarbox.message.envelope import render_envelope, render_fields
from pillarbox.message.header_fields import header_end
from pillarbox.message.line_ends import to_crlf
from pillarbox.message.mime_tree import parse

_FIELDS: Final = re.compile(
    rb"\n((?i:date|subject|from|sender|reply-to|to|cc|bcc|in-reply-to|message-id|mime-version|content-[a-z0-9-]+))"
    rb"[ \t]*:((?>(?:[^\n]*\n[ \t])*)[^\n]*)"
)
_OF_ENVELOPE: Final = frozenset(
    b"date subject from sender reply-to to cc bcc in-reply-to message-id".split(b" ")
)
_COMPOSITE: Final = re.compile(rb"[ \t\r\n]*(?:multipart|message)[ \t\r\n]*/", re.IGNORECASE)
MAX_REMEMBERED: Final = 500
"""Octets of the Content-… fields whose structure is remembered."""


class Summary(msgspec.Struct, frozen=True, array_like=True):
    """Of one message."""

    size: int  # octets with CRLF line ends
    header: bytes  # with CRLF line ends and the empty line
    envelope: bytes
    body: bytes
    body_structure: bytes


def summarise(stored: bytes) -> Summary:
    """The summary of a message with any line ends."""
    return _quick(stored) or _thorough(to_crlf(stored))


def _thorough(content: bytes) -> Summary:
    header = content[: header_end(content)]
    return Summary(len(content), header, render_envelope(header), *render(content, parse(content)))


def _quick(stored: bytes) -> Summary | None:
    """The same for what is simple; None for what is not."""
    end = stored.find(b"\n\n") + 2
    if end < 3 or b"\r" in stored:
        return None
    header = stored[:end].replace(b"\n", b"\r\n")
    found: list[tuple[bytes, bytes]] = _FIELDS.findall(b"\n" + header)
    values = {name.lower(): value for name, value in found}
    if len(values) != len(found):
        return None
    content = tuple(sorted((name, values.pop(name)) for name in values.keys() - _OF_ENVELOPE))
    frame = _frame(content)
    if frame is None:
        return None
    start, is_text, rest = frame
    lines = stored.count(b"\n")
    body_lines = lines - (len(header) - end)
    counts = b" %d" % (len(stored) - end + body_lines)
    if is_text:
        counts += b" %d" % body_lines
    envelope = render_fields(values)
    start += counts
    return Summary(len(stored) + lines, header, envelope, start + b")", start + rest)


def _frame(fields: tuple[tuple[bytes, bytes], ...]) -> tuple[bytes, bool, bytes] | None:
    """What stands before and behind the size in the structure of a message of one part, and whether it is text."""
    if sum(len(value) for _, value in fields) > MAX_REMEMBERED:
        return None
    return _remembered_frame(fields)


@lru_cache(maxsize=1024)
def _remembered_frame(fields: tuple[tuple[bytes, bytes], ...]) -> tuple[bytes, bool, bytes] | None:
    content = b"".join([b"%b:%b\n" % field for field in fields]) + b"\r\n"
    tree = parse(content)
    if tree.is_multipart or tree.is_message or any(_COMPOSITE.match(value) for _, value in fields):
        return None
    body, structure = render(content, tree)
    is_text = tree.content_type is None or tree.content_type.type.lower() == b"text"
    end = b" 0 0" if is_text else b" 0"
    start = body[: -len(end) - 1]
    if body != start + end + b")" or not structure.startswith(start + end):
        return None
    return start, is_text, structure[len(start) + len(end) :]
