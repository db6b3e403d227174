"""The ids in Message-ID, In-Reply-To and References.

DESCRIPTION
    Programs write one id in several ways: with quotes, comments or white space that mean nothing.  Here all are
    alike, as Dovecot's THREAD has them: `<"a"@b (c)>` is `<a@b>`.  Letters count.

    What has no `@`, or breaks off, is no id; the next `<` may begin one.

STANDARDS
    RFC 5322 §3.6.4, §4.5.4 (obs-id-left, obs-id-right); RFC 5256 §3 (normalised message ids)
"""

import re
from typing import Final

from pillarbox.message.field_scanner import MORE, FieldScanner

_PLAIN: Final = re.compile(rb"<([^>]*)>")
_TO_MARK: Final = re.compile(rb'[^>"(]*')
_WITHIN: Final = b"\x1f"
"""Stands for a blank within an id, so that ids can be told with blanks between."""


def message_ids(value: bytes) -> list[bytes]:
    """The ids in the value of a field, without their angle brackets, quotes and blanks."""
    if b'"' not in value and b"(" not in value:
        return [b"".join(match.split()) for match in _PLAIN.findall(value) if b"@" in match]
    found: list[bytes] = []
    position = 0
    while start := value.find(b"<", position) + 1:
        match = _TO_MARK.match(value, start)
        assert match is not None  # the pattern matches the empty string
        end = match.end()
        if end == len(value):
            break
        if value[end] == 0x3E:  # >
            position = end + 1
            if b"@" in match[0]:
                found.append(b"".join(match[0].split()))
            continue
        scanner = FieldScanner(value)
        scanner.position = position = start
        if (message_id := _with_comments(scanner)) is not None:
            found.append(message_id)
            position = scanner.position
    return found


def _with_comments(scanner: FieldScanner) -> bytes | None:
    """An id with quotes or comments, up to its `>`."""
    parts: list[bytes] = []
    if scanner.skip() is not MORE:
        return None
    scan = scanner.take_quoted if scanner.here == b'"' else scanner.take_dot_atom
    if scan(parts) is not MORE or scanner.here != b"@":
        return None
    parts.append(b"@")
    if scanner.take_domain(parts) is not MORE or scanner.here != b">":
        return None
    scanner.position += 1
    return _WITHIN.join(b"".join(parts).split())
