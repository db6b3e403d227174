"""Patterns of LIST and LSUB.

DESCRIPTION
    A pattern is matched by following all its readings at once, as bits of a number, so that the time is at most the
    product of the two lengths, however many wildcards a client writes.

STANDARDS
    RFC 3501 §6.3.8 (`*`, `%`, reference and mailbox name)
"""

import re
from collections.abc import Iterable
from typing import Final

MAX_PATTERN: Final = 1024
"""Octets of a pattern; a longer one matches nothing, as no name is that long."""

_ANY: Final = 0x2A  # *
_LEVEL: Final = 0x25  # %
_WILDCARDS: Final = re.compile(rb"[*%]+")


class NamePattern:
    """A reference and a pattern, put together."""

    __slots__ = (
        "_any",
        "_below_inbox",
        "_end",
        "_level",
        "_literals",
        "_prefix",
        "_separator",
        "_tail",
        "_text",
    )

    def __init__(self, reference: bytes, pattern: bytes, separator: bytes = b"/") -> None:
        self._separator = separator[0]
        text = reference + pattern
        if text[:5].upper() == b"INBOX" and text[5:6] in (b"", separator, b"*", b"%"):
            text = b"INBOX" + text[5:]  # RFC 3501 §5.1: INBOX is case-insensitive
        self._text: bytes | None = text if b"*" not in text and b"%" not in text else None
        pattern = _WILDCARDS.sub(lambda run: b"*" if b"*" in run[0] else b"%", text)
        self._prefix = _WILDCARDS.split(pattern, maxsplit=1)[0]
        rest = pattern[len(self._prefix) :]
        self._tail = rest if rest in (b"*", b"%") else b""  # what mail programs ask: no more than this
        self._end = len(pattern)
        self._literals: dict[int, int] = {}  # octet → places where the pattern has it
        self._any = self._level = 0  # places of wildcards
        self._below_inbox = b"INBOX" + separator
        if self._end > MAX_PATTERN:
            return
        for place, octet in enumerate(pattern):
            if octet == _ANY:
                self._any |= 1 << place
            elif octet == _LEVEL:
                self._level |= 1 << place
            else:
                self._literals[octet] = self._literals.get(octet, 0) | 1 << place

    @property
    def only_name(self) -> bytes | None:
        """The only name that the pattern means, if it has no wildcards."""
        return self._text

    def matches(self, name: bytes) -> bool:
        """Whether the whole name is one that the pattern means."""
        if self._text is not None:
            return name == self._text
        if self._end > MAX_PATTERN:
            return False
        if name.startswith(self._prefix):
            if self._tail:
                return self._tail == b"*" or name.find(self._separator, len(self._prefix)) < 0
            if self._fits(name, len(self._prefix)):
                return True
        in_inbox = name == b"INBOX" or name.startswith(self._below_inbox)
        return in_inbox and self._fits(name, 0, any_case=5)

    def _fits(self, name: bytes, start: int, *, any_case: int = 0) -> bool:
        """Whether the octets from `start` on are what the pattern has there.

        Of those before `any_case` a small letter in the pattern means the capital, too (RFC 3501 §5.1: INBOX).
        """
        literals, any_octet = self._literals, self._any
        wild = any_octet | self._level
        places = 1 << start
        places |= (places & wild) << 1  # a wildcard may stand for nothing
        for position, octet in enumerate(name[start:], start):
            stay = places & (any_octet if octet == self._separator else wild)
            here = literals.get(octet, 0)
            if position < any_case:
                here |= literals.get(octet | 0x20, 0)
            places = stay | (places & here) << 1
            places |= (places & wild) << 1
            if not places:
                return False
        return bool(places >> self._end & 1)


class NamePatterns:
    """Those of one command."""

    __slots__ = ("_names", "_patterns")

    def __init__(self, reference: bytes, patterns: Iterable[bytes], separator: bytes = b"/") -> None:
        every = [NamePattern(reference, pattern, separator) for pattern in dict.fromkeys(patterns)]
        self._names = frozenset(pattern.only_name for pattern in every if pattern.only_name is not None)
        self._patterns = [pattern for pattern in every if pattern.only_name is None]

    def matches(self, name: bytes) -> bool:
        """Whether the whole name is one that one of them means."""
        return name in self._names or any(pattern.matches(name) for pattern in self._patterns)
