"""Lookup keys from a message, as header_checks and body_checks would have them: `postmap -hbm -q - pcre:…`.

DESCRIPTION
    A header field is one key, its continuation lines joined by line feeds; a line of the body is one key.
    With MIME, the header fields of body parts and of attached messages count as headers, too; without it, they
    are lines of the body.  What is what is decided as for header_checks themselves (message/mime_lines.py).

STANDARDS
    postmap(1) -b, -h, -m; header_checks(5); RFC 2045, RFC 2046 §5.1
"""

import re
from collections.abc import Iterator
from typing import Final

from pillarbox.message.mime_lines import MimeLines

_FIELD: Final = re.compile(r"[!-9;-~]+[ \t]*:")


def message_keys(
    lines: Iterator[str], *, header: bool, body: bool, mime: bool, size_limit: int
) -> Iterator[str]:
    """The keys of a message that are asked for; continuation lines behind `size_limit` octets are left out."""
    places = MimeLines()
    field: list[str] = []
    size = 0
    primary = True
    for line in lines:
        while True:
            if places.in_body:
                if mime:
                    places.is_boundary(_octets(line))
                if body:
                    yield line
                break
            if field and line[:1] in (" ", "\t") and line.strip():
                if size < size_limit:
                    field.append(line)
                    size += 1 + len(_octets(line))
                break
            if field:
                text = "\n".join(field)
                field = []
                if header:
                    yield text
                if mime:
                    name, _, value = text.partition(":")
                    places.field(_octets(name.rstrip().lower()), _octets(value))
            if _FIELD.match(line) is not None:
                field, size = [line], len(_octets(line))
                break
            places.end_of_header(at_empty_line=not line)
            if primary and not body and not mime:
                return
            if body and (primary or not line):
                yield ""  # what ends the header; the message's own gets one where it has none
            primary = False
            if not line:
                break
    if field and header:
        yield "\n".join(field)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
