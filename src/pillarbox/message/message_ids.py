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
# One id and nothing that means nothing: nearly all of Message-ID.
_ONE: Final = re.compile(rb'\s*<([^<>"(\s@]+@[^<>"(\s]+)>\s*')
_TO_MARK: Final = re.compile(rb'[^>"(]*')
MAX_WITH_COMMENTS: Final = 16384
"""Octets that are read of a field with quotes or comments."""
MAX_FAILURES: Final = 20
"""Ids that break off in such a field, before the rest of it is left alone: each may be as long as the field."""
_WITHIN: Final = b"\x1f"
"""Stands for a blank within an id, so that ids can be told with blanks between."""


def message_ids(value: bytes) -> list[bytes]:
    """The ids in the value of a field, without their angle brackets, quotes and blanks."""
    if not value:
        return []
    if one := _ONE.fullmatch(value):
        return [one[1]]
    value = value[: value.rfind(b">") + 1]  # each `<` has an end, then, and is not looked for again and again
    if b'"' not in value and b"(" not in value:
        return [b"".join(match.split()) for match in _PLAIN.findall(value) if b"@" in match]
    value = value[: value.rfind(b">", 0, MAX_WITH_COMMENTS) + 1]
    found: list[bytes] = []
    position = end = failures = 0
    while (start := value.find(b"<", position) + 1) and failures < MAX_FAILURES:
        if start > end:
            match = _TO_MARK.match(value, start)
            assert match is not None  # the pattern matches the empty string
            end = match.end()
        if value[end] == 0x3E:  # >
            position = end + 1
            if b"@" in (plain := value[start:end]):
                found.append(b"".join(plain.split()))
            continue
        scanner = FieldScanner(value)
        scanner.position = position = start
        if (message_id := _with_comments(scanner)) is not None:
            found.append(message_id)
            position = scanner.position
        else:
            failures += 1
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
