"""Patterns of LIST and LSUB.

DESCRIPTION
    A pattern is matched by following all its readings at once, so that the time is at most the product of
    the two lengths, however many wildcards a client writes.

STANDARDS
    RFC 3501 §6.3.8 (`*`, `%`, reference and mailbox name)
"""

from typing import Final

MAX_PATTERN: Final = 1024
"""Octets of a pattern; a longer one matches nothing, as no name is that long."""

_ANY: Final = 0x2A  # *
_LEVEL: Final = 0x25  # %


class NamePattern:
    """A reference and a pattern, put together."""

    __slots__ = ("_pattern", "_separator", "_text")

    def __init__(self, reference: bytes, pattern: bytes, separator: bytes = b"/") -> None:
        self._separator = separator[0]
        text = reference + pattern
        if text[:5].upper() == b"INBOX" and text[5:6] in (b"", separator, b"*", b"%"):
            text = b"INBOX" + text[5:]  # RFC 3501 §5.1: INBOX is case-insensitive
        self._text: bytes | None = text if b"*" not in text and b"%" not in text else None
        self._pattern = _without_repeats(text)

    def matches(self, name: bytes) -> bool:
        """Whether the whole name is one that the pattern means."""
        if self._text is not None:
            return name == self._text
        if self._pattern == b"*":  # what mail programs ask
            return True
        pattern = self._pattern
        if len(pattern) > MAX_PATTERN:
            return False
        places = _after_wildcards(pattern, {0})
        for octet in name:
            moved: set[int] = set()
            for place in places:
                if place == len(pattern):
                    continue
                wanted = pattern[place]
                if wanted == _ANY or (wanted == _LEVEL and octet != self._separator):
                    moved.add(place)
                elif wanted == octet and wanted != _LEVEL:
                    moved.add(place + 1)
            places = _after_wildcards(pattern, moved)
            if not places:
                return False
        return len(pattern) in places


def _after_wildcards(pattern: bytes, places: set[int]) -> set[int]:
    """A wildcard may stand for nothing."""
    reached = set(places)
    for place in places:
        while place < len(pattern) and pattern[place] in (_ANY, _LEVEL):
            place += 1
            reached.add(place)
    return reached


def _without_repeats(text: bytes) -> bytes:
    while b"**" in text or b"%%" in text:
        text = text.replace(b"**", b"*").replace(b"%%", b"%")
    return text
