"""Lookup keys from a message, as header_checks and body_checks would have them: `postmap -hbm -q - pcre:…`.

DESCRIPTION
    A header field is one key, its continuation lines joined by line feeds; a line of the body is one key.
    With MIME, the header fields of body parts and of attached messages count as headers, too; without it, they
    are lines of the body.

STANDARDS
    postmap(1) -b, -h, -m; header_checks(5); RFC 2045, RFC 2046 §5.1
"""

import re
from collections.abc import Iterator
from typing import Final

_FIELD: Final = re.compile(r"[!-9;-~]+[ \t]*:")
_BOUNDARY: Final = re.compile(
    r';\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE | re.DOTALL
)
_TYPE: Final = re.compile(r"content-type[ \t]*:\s*([^\s;/]+)/([^\s;]+)", re.IGNORECASE)


def message_keys(lines: Iterator[str], *, header: bool, body: bool, mime: bool) -> Iterator[str]:
    """The keys of a message that are asked for."""
    boundaries: list[str] = []
    field: list[str] = []
    content_type = ""
    in_header, primary = True, True
    for line in lines:
        while True:
            if not in_header:
                found = _boundary(line, boundaries)
                if found is not None:
                    del boundaries[found + (not line.rstrip().endswith("--")) :]
                    in_header, content_type = line.rstrip().endswith("--") is False, ""
                if body:
                    yield line
                break
            if field and line[:1] in (" ", "\t") and line.strip():
                field.append(line)
                break
            if field:
                text = "\n".join(field)
                field = []
                if header:
                    yield text
                if _TYPE.match(text) is not None:
                    content_type = text
            if _FIELD.match(line) is not None:
                field = [line]
                break
            in_header = not line and mime and _opens_message(content_type)
            if mime and (boundary := _boundary_of(content_type)):
                boundaries.append(boundary)
            content_type = ""
            if primary and not body and not mime:
                return
            if body and (primary or not line):
                yield ""  # what ends the header; the message's own gets one where it has none
            primary = False
            if not line:
                break
    if field and header:
        yield "\n".join(field)


def _boundary(line: str, boundaries: list[str]) -> int | None:
    """Which of the open multiparts the line separates or ends."""
    if not line.startswith("--"):
        return None
    for index in range(len(boundaries) - 1, -1, -1):
        if line[2:].startswith(boundaries[index]):
            return index
    return None


def _boundary_of(content_type: str) -> str:
    kind = _TYPE.match(content_type)
    found = _BOUNDARY.search(content_type)
    if kind is None or found is None or kind[1].lower() != "multipart":
        return ""
    return found[1] or found[2] or ""


def _opens_message(content_type: str) -> bool:
    kind = _TYPE.match(content_type)
    return kind is not None and kind[1].lower() == "message" and kind[2].lower() in ("rfc822", "global")
