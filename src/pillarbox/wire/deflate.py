"""Where a stream of DEFLATE stands, and an inflater that stands there too.

DESCRIPTION
    A peer that flushes leaves its stream between two blocks, or nearly so.  zlib's Z_SYNC_FLUSH ends with an empty
    stored block, which ends at the border of an octet; Z_PARTIAL_FLUSH ends with an empty block of fixed codes, the
    last bits of which come with the octet that follows.  Two things are then all that counts of the past: the last
    32 KiB that were inflated, and how many bits of the code that ends the block are missing.

    `missing_bits()` asks copies of the inflater what they make of these bits, and of a last block behind them.
    `inflater_at()` makes another inflater stand there: it is given what may be looked back at, and empty blocks of
    such lengths that the last of them lacks as many bits.

STANDARDS
    RFC 1951 §3.2.3 (blocks), §3.2.6 (fixed codes), §3.2.7 (dynamic codes)
"""

import zlib
from typing import Final

RAW: Final = -15
"""zlib's wbits for DEFLATE without anything around it."""
WINDOW: Final = 32768
"""Octets that may be looked back at."""

_END_BITS: Final = 7
"""Of the fixed code that ends a block; all are zero."""
_Bits = tuple[int, int]
"""A number and how many bits it takes, the lowest of which comes first."""
_FIXED: Final[_Bits] = (0b010, 3)
_EMPTY: Final[_Bits] = (0b010, 3 + _END_BITS)
_EMPTY_AND_LAST: Final[_Bits] = (0b011, 3 + _END_BITS)
_THREE_AGAIN: Final[_Bits] = (0, 5 + _END_BITS)
"""Behind the code for a length of three: from the octet before, and the end of the block."""

_ODD: Final[tuple[_Bits, ...]] = (
    (0b100, 3),  # dynamic codes
    (0, 5 + 5),  # 257 codes for literals and lengths, one for distances
    (18 - 4, 4),  # the lengths of 18 of the codes that tell lengths follow: of 16, 17, 18, 0, 8 …
    (0, 2 * 3),
    (2, 3),
    (1, 3),
    (0, 13 * 3),
    (2, 3),  # … and 1
    (0b11, 2),
    (138 - 11, 7),  # 138 zeros
    (0b11, 2),
    (118 - 11, 7),  # and 118: no literals
    (0b01, 2),  # the end of the block: one bit
    (0, 1),  # no distances
    (0, 1),  # the end of the block
)
"""An empty block of 93 bits; those of fixed codes take an even number."""


def missing_bits(inflate: "zlib._Decompress", last: bytes) -> int | None:
    """How many bits are missing to the end of a block, 0 to 7; None if it stands elsewhere.

    `last` is the last octet that was inflated, if there was one.
    """
    for missing in range(_END_BITS + 1):
        end = _probe(inflate, (0, missing), _EMPTY_AND_LAST)
        if end != b"":
            continue
        if not missing:
            return 0
        # The same bits might end a block of other codes; in one of fixed codes another last bit is a length.
        again = _probe(inflate, (1 << (missing - 1), missing), _THREE_AGAIN, _EMPTY_AND_LAST)
        if last and again == last * 3:
            return missing
    return None


def inflater_at(window: bytes, missing: int) -> "zlib._Decompress":
    """An inflater behind the text `window`, with so many bits missing to the end of a block."""
    inflate = zlib.decompressobj(RAW, zdict=window) if window else zlib.decompressobj(RAW)
    if missing:
        before = (missing - _EMPTY[1]) % 8  # bits in the last octet that the block before has to take
        odd = _ODD if before % 2 else ()
        even = (before - sum(count for _, count in odd)) % 8 // (_EMPTY[1] % 8)
        inflate.decompress(_octets(*odd, *[_EMPTY] * even, _FIXED, (0, _END_BITS - missing)))
    return inflate


def _probe(inflate: "zlib._Decompress", *fields: _Bits) -> bytes | None:
    """What comes of these bits if the stream ends with the last of them; None if it does not."""
    copy = inflate.copy()
    try:
        inflated = copy.decompress(_octets(*fields))
    except zlib.error:
        return None
    return inflated if copy.eof and not copy.unused_data else None


def _octets(*fields: _Bits) -> bytes:
    number = width = 0
    for value, bits in fields:
        number |= value << width
        width += bits
    return number.to_bytes((width + 7) // 8, "little")
