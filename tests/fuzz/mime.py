"""MIME: any octets are a message, whose parts lie within each other and whose renderings IMAP can send."""

import re

from pillarbox.message.body_structure import render
from pillarbox.message.envelope import render_envelope
from pillarbox.message.header_fields import fields, header_end, select_fields
from pillarbox.message.line_ends import crlf_size, to_crlf
from pillarbox.message.message_ids import message_ids
from pillarbox.message.mime_tree import MAX_PARTS, Part, parse
from pillarbox.message.sections import Section, Text, locate
from pillarbox.message.structured_fields import parse_date

SEEDS = [
    b"Subject: x\r\n\r\nbody\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nTo: g:a@b;\r\n\r\nx\r\n--b--",
    b'From: "A \\"B\\"" <@r:a@b>, c@[1] (d)\r\nDate: Fri, 21 Nov 97 09:55:06 EST\r\nMessage-ID: <a@b>\r\n\r\n',
    b'Content-Type: a/b; n*0=x; n*1*=%20; m==?q?x?=\r\nContent-Disposition: x; y="z"\r\nContent-Language: a, b\r\n\r\n',
]
DICTIONARY = [
    *(
        b"Content-Type: ",
        b"multipart/",
        b"boundary=",
        b"--b",
        b"--b--",
        b"message/rfc822",
        b"digest",
        b"Bcc: ",
    ),
    *(
        b"MIME-Version: 1.0",
        b"\r\n\r\n",
        b"\r\n ",
        b"Content-Disposition: ",
        b"*0*=",
        b"Date: ",
        b"Subject: ",
    ),
]

TOKEN = re.compile(rb'[() ]|NIL|\d+|"(?:[^"\\\r\n\0\x80-\xff]|\\["\\])*"|\{(\d+)\}\r\n')
"""What a rendering may be made of (RFC 3501 §9)."""


def fuzz_one(data: bytes) -> None:
    """Parse, render, fetch every section."""
    content = to_crlf(data)
    assert len(content) == crlf_size(data)
    header = content[: header_end(content)]
    tree = parse(content)
    assert MAX_PARTS >= check_part(tree, 0, len(content))
    for rendering in (render_envelope(header), *render(content, tree)):
        check_rendering(rendering)
    for path in ((), (1,), (2,), (1, 1), (2, 1)):
        for text in Text:
            place = locate(tree, Section(path, text))
            assert place is None or 0 <= place[0] <= place[1] <= len(content)
    kept, dropped = (select_fields(header, {b"subject", b"to"}, keep=keep) for keep in (True, False))
    assert len(kept) + len(dropped) >= sum(field.end - field.start for field in fields(header))
    for field in fields(header):
        parse_date(field.value)
        message_ids(field.value)


def check_part(part: Part, start: int, end: int) -> int:
    """Parts follow each other within their parent; how many there are."""
    assert start <= part.header_start <= part.body_start <= part.body_end <= end
    count, position = 1, part.body_start
    for child in part.children:
        assert child.header_start >= position
        count += check_part(child, part.body_start, part.body_end)
        position = child.body_end
    return count


def check_rendering(rendering: bytes) -> None:
    """Strings, literals and balanced parentheses, nothing else."""
    position = depth = 0
    while position < len(rendering):
        match = TOKEN.match(rendering, position)
        assert match is not None, rendering[position : position + 40]
        position = match.end()
        if match[1] is not None:
            assert b"\0" not in rendering[position : position + int(match[1])]
            position += int(match[1])
        depth += (match[0] == b"(") - (match[0] == b")")
        assert depth >= 0
    assert depth == 0
