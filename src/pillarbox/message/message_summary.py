"""What is kept of a message, found in one reading: size, header, ENVELOPE, BODY and BODYSTRUCTURE.

DESCRIPTION
    Most messages of a mailbox that nobody has looked at yet are of one part or of a few, with LF line ends as they
    lie on disk.  For them one search over the header is enough, and the structure needs no tree
    (message/quick_structure.py).  All others are parsed; a property proves both ways equal.

    Measured, messages of 3.5 KiB: 12 µs this way (20 with two parts), 23 µs (40) the other.
"""

import re
from typing import Final

import msgspec

from pillarbox.message.body_structure import render
from pillarbox.message.content import Content
from pillarbox.message.envelope import render_envelope, render_fields
from pillarbox.message.header_fields import header_end
from pillarbox.message.line_ends import crlf_size, to_crlf
from pillarbox.message.mime_tree import parse
from pillarbox.message.quick_structure import frame_of_fields, is_composite, multipart_structure

RENDERING: Final = 12
"""The way in which ENVELOPE, BODY, BODYSTRUCTURE, PREVIEW and sort keys are rendered: another number with each
change of an answer.  What mailstore/cache keeps of messages has this number; what has another is thrown away."""

_FIELDS: Final = re.compile(
    rb"\n((?i:date|subject|from|sender|reply-to|to|cc|bcc|in-reply-to|message-id|mime-version|content-[a-z0-9-]+))"
    rb"[ \t]*:((?>(?:[^\n]*\n[ \t])*)[^\n]*)"
)
_OF_ENVELOPE: Final = frozenset(
    b"date subject from sender reply-to to cc bcc in-reply-to message-id".split(b" ")
)


class Summary(msgspec.Struct, frozen=True, array_like=True):
    """Of one message."""

    size: int  # octets with CRLF line ends
    header: bytes  # with CRLF line ends and the empty line
    envelope: bytes
    body: bytes
    body_structure: bytes


def summarise(stored: Content) -> Summary:
    """The summary of a message: in memory with any line ends, otherwise with CRLF."""
    if not isinstance(stored, bytes):
        return _thorough(stored)
    return _quick(stored) or _thorough(to_crlf(stored))


def _thorough(content: Content) -> Summary:
    header = content[: header_end(content)]
    return Summary(len(content), header, render_envelope(header), *render(content, parse(content)))


def _quick(stored: bytes) -> Summary | None:
    """The same for what is simple; None for what is not."""
    end = stored.find(b"\n\n") + 2
    if end < 3 or stored.startswith(b"\n") or b"\r" in stored:
        return None
    header = stored[:end].replace(b"\n", b"\r\n")
    found: list[tuple[bytes, bytes]] = _FIELDS.findall(b"\n" + header)
    values = {name.lower(): value for name, value in found}
    if len(values) != len(found):
        return None
    content = {name: values.pop(name) for name in values.keys() - _OF_ENVELOPE}
    lines = crlf_size(stored) - len(stored)
    if is_composite(content.get(b"content-type", b"")):
        structures = multipart_structure(stored, end, content)
        if structures is None:
            return None
        return Summary(len(stored) + lines, header, render_fields(values), *structures)
    frame = frame_of_fields(tuple(sorted(content.items())))
    if frame is None:
        return None
    body_lines = lines - (len(header) - end)
    start = b"%b %d" % (frame.start, len(stored) - end + body_lines)
    if frame.is_text:
        start = b"%b %d" % (start, body_lines)
    return Summary(len(stored) + lines, header, render_fields(values), start + b")", start + frame.rest)
