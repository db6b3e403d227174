"""Sets of message numbers and UIDs: `2,4:7,9,12:*` (RFC 3501 sequence-set) and their compact form.

DESCRIPTION
    `NumberSet` holds ranges as a client wrote them; `*` is kept open until the largest number is known.
    `compact()` writes numbers as `1:2,4`, as COPYUID, APPENDUID and SEARCH results want them.

FAULTS
    ValueError  not a sequence-set.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import msgspec

from pillarbox.vocabulary.digits import decimal

STAR: Final = 0
"""Stands for `*`, the largest number in use, in a range's ends."""

MAX_NUMBER: Final = 0xFFFFFFFF

_Number = Annotated[int, msgspec.Meta(ge=1, le=MAX_NUMBER)]
_Range = Annotated[list[_Number], msgspec.Meta(min_length=1, max_length=2)]
_RANGES: Final = msgspec.json.Decoder(list[_Range])


class NumberSet(msgspec.Struct, frozen=True):
    """`sequence-set = (seq-number / seq-range) ["," sequence-set]`  RFC 3501 §9

    A range is (low, high) in either order; an end is `STAR` for `*`.
    """

    ranges: tuple[tuple[int, int], ...]
    saved: bool = False  # `$`: what the last SEARCH RETURN (SAVE) has found  RFC 5182 §2.1

    @classmethod
    def parse(cls, text: bytes) -> "NumberSet":
        """The set that `text` spells.  ValueError if it is none."""
        if text == b"$":
            return cls((), saved=True)
        if text.translate(None, b",:").isdigit():
            try:  # Brackets apart it is JSON, which is read five times as fast; clients name thousands of messages.
                found = _RANGES.decode(b"[[%b]]" % text.replace(b",", b"],[").replace(b":", b","))
                return cls(tuple([(ends[0], ends[-1]) for ends in found]))
            except msgspec.DecodeError:
                pass  # a fault, or zeros before a number
        ranges = []
        for part in text.split(b","):
            low, colon, high = part.partition(b":")
            first = _number(low)
            ranges.append((first, _number(high) if colon else first))
        return cls(tuple(ranges))

    @property
    def has_star(self) -> bool:
        """Whether `*` is in it."""
        return self.saved or any(STAR in ends for ends in self.ranges)

    def members(self) -> Iterator[int]:
        """The numbers one by one, in the order given; only without `*`."""
        for low, high in self.ranges:
            yield from range(min(low, high), max(low, high) + 1)

    def names_many(self, many: int, largest: int) -> bool:
        """Whether so many numbers are named, one of them twice or not, with `*` read as `largest`."""
        ranges = self.ranges
        return len(ranges) >= many or sum(abs((a or largest) - (b or largest)) + 1 for a, b in ranges) >= many

    def spans(self, largest: int) -> list[tuple[int, int]]:
        """Ordered, merged (low, high) ranges with `*` read as `largest`.

        `12:*` with a largest of 9 is 9:12, so it always holds the largest number (RFC 3501 §6.4.8).
        """
        ranges: Iterable[tuple[int, int]] = self.ranges
        if self.has_star:
            ranges = [(a or largest, b or largest) for a, b in ranges]
        merged: list[tuple[int, int]] = []
        end = -2  # of the last one
        for low, high in sorted([(a, b) if a <= b else (b, a) for a, b in ranges]):
            if low > end + 1:
                merged.append((low, high))
                end = high
            elif high > end:
                merged[-1] = (merged[-1][0], high)
                end = high
        return merged


def _number(text: bytes) -> int:
    if text == b"*":
        return STAR
    number = decimal(text, max_digits=10)
    if not 1 <= number <= MAX_NUMBER:
        raise ValueError(f"number out of range: {number}")
    return number


def runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """(first, last) of each run of consecutive numbers, in the order given."""
    first = last = -1
    for number in numbers:
        if number == last + 1 and first >= 0:
            last = number
            continue
        if first >= 0:
            yield first, last
        first = last = number
    if first >= 0:
        yield first, last


def compact(numbers: Iterable[int]) -> bytes:
    """`1:2,4` for 1, 2, 4; empty for no numbers."""
    return b",".join(b"%d" % a if a == b else b"%d:%d" % (a, b) for a, b in runs(numbers))
