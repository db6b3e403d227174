"""Strings as IMAP sends them: quoted where they can be, literal where they must.

DESCRIPTION
    `string` is for values that programs compare (addresses, message ids, MIME parameters): they go out as
    they are.  `human_string` is for values that people read (subjects, display names, descriptions): runs
    of white space become one blank, as Dovecot does, so that folding does not show.

    A value with 8-bit characters, CR, LF or more than four quotes and backslashes goes as a literal.  NUL
    may not be sent at all (RFC 3501 §9, CHAR8); it becomes U+FFFD in UTF-8.

STANDARDS
    RFC 3501 §4.3, §9 (string, quoted, literal, nstring)
"""

import re
from typing import Final

NIL: Final = b"NIL"
MAX_ESCAPES: Final = 4
"""Quotes and backslashes up to which a quoted string is shorter than a literal (Dovecot's rule)."""

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}".encode()

_PLAIN: Final = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]*")
_TEXT: Final = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*")
_QUOTED_SPECIALS: Final = re.compile(rb'(["\\])')
_BLANK_RUN: Final = re.compile(rb"[ \t\r\n]+")
# What needs no change for people: single blanks between printable words.
_TIDY: Final = re.compile(rb"(?>(?:[\x01-\x08\x0b\x0c\x0e-\x1f!\x23-\x5b\x5d-\x7f]+ ?)*)(?<! )")


def literal(value: bytes) -> bytes:
    """`{5}` CRLF `value`."""
    return b"{%d}\r\n%s" % (len(value), value)


def string(value: bytes) -> bytes:
    """The value as a quoted string or a literal."""
    if _PLAIN.fullmatch(value):
        return b'"%s"' % value
    if b"\0" in value:
        value = value.replace(b"\0", REPLACEMENT)
    if _TEXT.fullmatch(value) and value.count(b'"') + value.count(b"\\") <= MAX_ESCAPES:
        return b'"%s"' % _QUOTED_SPECIALS.sub(rb"\\\1", value)
    return literal(value)


def nstring(value: bytes | None) -> bytes:
    """The value as a string, or NIL."""
    return NIL if value is None else string(value)


def human_string(value: bytes) -> bytes:
    """The value with white space tidied; quoted only if nothing in it needs care."""
    if _TIDY.fullmatch(value):
        return b'"%s"' % value
    tidy = _BLANK_RUN.sub(b" ", value.replace(b"\0", REPLACEMENT))
    tidy = tidy.strip(b" ")
    return literal(tidy) if tidy else b'""'
