"""What one client knows of a mailbox, written down: so that another process can go on telling it what is new.

DESCRIPTION
    A `ViewState` is made by `MailboxView.state()` and given to another `MailboxView`.  It holds the messages
    that the client knows, with the flags that it was told or waits to be told; what has happened to the mailbox
    meanwhile is found by comparing, as there is no journal that two processes share.

    Columns are deltas and zeros mostly, and packed with DEFLATE: a mailbox whose messages all were seen takes some
    hundred octets, whatever its size.

FAULTS
    ViewLost    a message is there that the client was told to be gone: its numbers cannot be made right any more
    ValueError  the columns are damaged

STANDARDS
    RFC 3501 §2.3.1.2, §5.2
"""

import zlib
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Final

import msgspec

from pillarbox.mailstore.keyword_bits import NARROW, KeywordBits, keyword_bits

_LEVEL: Final = 6


class ViewState(msgspec.Struct, frozen=True, array_like=True):
    """A client's model of its selected mailbox."""

    uids: bytes  # packed: of the messages that are there and known, rising
    flags: bytes  # packed: an octet each
    keyword_bits: bytes  # packed: `keyword_octets` each
    keywords: tuple[bytes, ...]  # what the bits mean
    keywords_told: int
    last_uid: int
    expunged: bytes  # packed: gone, and the client still counts them
    changed: bytes  # packed: flags that the client was not told
    noted: bytes | None  # packed: the same for results that are kept up to date; None if there are none
    recent: tuple[tuple[int, int], ...]
    recent_told: int
    sure_modseq: int = 0  # no expunge up to it has to be told yet
    keyword_octets: int = NARROW


def pack_uids(uids: Iterable[int]) -> bytes:
    """Rising numbers below 2³², small if they have few gaps."""
    numbers = array("I", uids)
    if not numbers:
        return b""
    gaps = array("I", [numbers[0], *(after - before for before, after in pairwise(numbers))])
    return pack(gaps.tobytes())


def unpack_uids(packed: bytes) -> "array[int]":
    """What `pack_uids` was given.  ValueError."""
    gaps = array("I")
    gaps.frombytes(unpack(packed))
    try:
        return array("I", accumulate(gaps))
    except OverflowError as error:
        raise ValueError("numbers above 2³²") from error


def pack(octets: bytes) -> bytes:
    """Packed; nothing stays nothing."""
    return zlib.compress(octets, _LEVEL) if octets else b""


def unpack(packed: bytes) -> bytes:
    """What `pack` was given.  ValueError."""
    try:
        return zlib.decompress(packed) if packed else b""
    except zlib.error as error:
        raise ValueError(str(error)) from error


def translated_keywords(bits: Sequence[int], before: Sequence[bytes], now: Sequence[bytes]) -> KeywordBits:
    """The bits with the meaning that they have now; keywords that there are no more are left out."""
    if tuple(now[: len(before)]) == tuple(before):
        return keyword_bits(bits)
    place = {name: bit for bit, name in enumerate(now)}
    moved = [(1 << bit, 1 << place[name]) for bit, name in enumerate(before) if name in place]
    return keyword_bits([sum(new for old, new in moved if mask & old) for mask in bits])
