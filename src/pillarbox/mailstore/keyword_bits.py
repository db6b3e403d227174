"""The column of a mailbox's table that says which keywords messages have: bit i is the mailbox's i-th keyword.

DESCRIPTION
    Nearly every mailbox has at most 64 keywords, and the column is an array of eight octets a message.  One that
    has a message with a later one has a list of integers of any size in its place: a reference of eight octets a
    message, and for each message with such a keyword some 40 octets of integer.

    Outside of memory a column is octets of one width, which is 8 unless a mask does not fit.

FAULTS
    ValueError  octets that are no column
"""

from array import array
from collections.abc import Iterable
from itertools import compress
from typing import Final, TypeAlias

KeywordBits: TypeAlias = "array[int] | list[int]"
NARROW: Final = 8
"""Octets of a mask in an array."""


def keyword_bits(masks: Iterable[int]) -> KeywordBits:
    """A column of these masks."""
    known = masks if isinstance(masks, array | list) else list(masks)
    try:
        return array("Q", known)
    except OverflowError:
        return list(known)


def staying_bits(column: KeywordBits, stays: Iterable[object]) -> KeywordBits:
    """The masks of messages that stay."""
    masks = compress(column, stays)
    return array("Q", masks) if isinstance(column, array) else list(masks)


def mask_octets(column: KeywordBits) -> int:
    """The width in which all masks can be written."""
    if isinstance(column, array):
        return NARROW
    return max(NARROW, (max(column, default=0).bit_length() + 7) // 8)


def to_octets(column: KeywordBits) -> bytes:
    """As octets of that width each; an array in the machine's order, a list from the lowest octet on."""
    if isinstance(column, array):
        return column.tobytes()
    width = mask_octets(column)
    written: dict[int, bytes] = {}
    for mask in column:
        if mask not in written:
            written[mask] = mask.to_bytes(width, "little")
    return b"".join(map(written.__getitem__, column))


def from_octets(octets: bytes | memoryview, width: int) -> KeywordBits:
    """What `to_octets` was given.  ValueError."""
    if width < NARROW or len(octets) % width:
        raise ValueError("no column of keywords")
    if width == NARROW:
        column = array("Q")
        column.frombytes(octets)
        return column
    known: dict[bytes, int] = {}
    masks: list[int] = []
    for start in range(0, len(octets), width):
        text = bytes(octets[start : start + width])
        mask = known.get(text)
        if mask is None:
            mask = known[text] = int.from_bytes(text, "little")
        masks.append(mask)
    return masks
