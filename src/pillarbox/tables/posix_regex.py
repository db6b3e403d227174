"""POSIX regular expressions by the C library, as Postfix's regexp: tables have them.

DESCRIPTION
    Python's `re` is another language (no leftmost-longest rule, no `[[:alpha:]]`), so that patterns go to
    regcomp(3) and regexec(3).  Octets are matched, in the C locale, whatever the process's own locale is.

FAULTS
    RegexError  at compile: the pattern is wrong, in the C library's words; at search: out of memory

STANDARDS
    POSIX.1-2017 regcomp(); Postfix regexp_table(5)
"""

import ctypes
import weakref
from functools import cache
from typing import Final

import msgspec

EXTENDED: Final = 1
ICASE: Final = 2
NEWLINE: Final = 4
_NO_MATCH: Final = 1
_REGEX_SIZE: Final = 512  # sizeof(regex_t) is 64 with glibc, 56 with musl
_ALL_CATEGORIES: Final = 0x1FBF  # LC_ALL_MASK
_MAX_GROUPS: Final = 100


class RegexError(Exception):
    """What regerror(3) says."""


class _Group(ctypes.Structure):
    _fields_ = (("start", ctypes.c_int), ("end", ctypes.c_int))


class _Library(msgspec.Struct):
    """The C library's functions, and its C locale."""

    libc: ctypes.CDLL
    c_locale: ctypes.c_void_p

    def enter(self) -> ctypes.c_void_p:
        return ctypes.c_void_p(self.libc.uselocale(self.c_locale))

    def leave(self, before: ctypes.c_void_p) -> None:
        self.libc.uselocale(before)


@cache
def _library() -> _Library:
    libc = ctypes.CDLL(None)
    libc.newlocale.restype = libc.uselocale.restype = ctypes.c_void_p
    libc.newlocale.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    libc.uselocale.argtypes = (ctypes.c_void_p,)
    libc.regcomp.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
    libc.regexec.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int)
    libc.regerror.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
    libc.regerror.restype = ctypes.c_size_t
    libc.regfree.argtypes = (ctypes.c_void_p,)
    return _Library(libc, ctypes.c_void_p(libc.newlocale(_ALL_CATEGORIES, b"C", None)))


class PosixRegex:
    """A compiled pattern."""

    def __init__(self, pattern: bytes, flags: int) -> None:
        self._library = _library()
        self._regex = ctypes.create_string_buffer(_REGEX_SIZE)
        before = self._library.enter()
        try:
            status = self._library.libc.regcomp(self._regex, pattern, flags)
        finally:
            self._library.leave(before)
        if status:
            raise RegexError(self._text(status))
        weakref.finalize(self, self._library.libc.regfree, self._regex)
        self.groups = self._count_groups(pattern, flags)

    def search(self, subject: bytes) -> tuple[bytes, ...] | None:
        """The whole match and its groups (empty for those that did not take part); None if there is none."""
        found = (_Group * (self.groups + 1))()
        before = self._library.enter()
        try:
            status = self._library.libc.regexec(self._regex, subject, len(found), found, 0)
        finally:
            self._library.leave(before)
        if status == _NO_MATCH:
            return None
        if status:
            raise RegexError(self._text(status))
        return tuple(subject[group.start : group.end] if group.start >= 0 else b"" for group in found)

    def _text(self, status: int) -> str:
        text = ctypes.create_string_buffer(256)
        self._library.libc.regerror(status, self._regex, text, len(text))
        return text.value.decode(errors="replace")

    @staticmethod
    def _count_groups(pattern: bytes, flags: int) -> int:
        """How many groups a pattern that compiled has: re_nsub lies elsewhere in each C library."""
        count = position = 0
        while position < len(pattern):
            octet = pattern[position : position + 1]
            if octet == b"\\":
                escaped = pattern[position + 1 : position + 2]
                count += escaped == b"(" and not flags & EXTENDED
                position += 2
                continue
            if octet == b"[":
                position = _end_of_bracket(pattern, position)
                continue
            count += octet == b"(" and bool(flags & EXTENDED)
            position += 1
        return min(count, _MAX_GROUPS)


def _end_of_bracket(pattern: bytes, position: int) -> int:
    """The place after `[…]`; a `]` that comes first, and those in `[:alpha:]`, do not end it."""
    position += 1
    if pattern[position : position + 1] == b"^":
        position += 1
    if pattern[position : position + 1] == b"]":
        position += 1
    while position < len(pattern):
        if pattern[position : position + 1] == b"]":
            return position + 1
        kind = pattern[position + 1 : position + 2]
        if pattern[position : position + 1] == b"[" and kind in (b":", b".", b"="):
            end = pattern.find(kind + b"]", position + 2)
            position = len(pattern) if end < 0 else end + 2
        else:
            position += 1
    return position
