"""IMAP system flags as bits, and the letters that Maildir file names hold for them.

STANDARDS
    RFC 3501 §2.3.2 (flags); reference: https://cr.yp.to/proto/maildir.html (`:2,` info)
"""

from collections.abc import Sequence
from enum import IntFlag
from functools import lru_cache
from itertools import compress
from typing import Final


class Flag(IntFlag):
    """System flags, with the bit values that dovecot.index uses."""

    NONE = 0
    ANSWERED = 0x01
    FLAGGED = 0x02
    DELETED = 0x04
    SEEN = 0x08
    DRAFT = 0x10
    RECENT = 0x20


MAILDIR_LETTERS: Final[tuple[tuple[bytes, Flag], ...]] = (
    (b"D", Flag.DRAFT),
    (b"F", Flag.FLAGGED),
    (b"R", Flag.ANSWERED),
    (b"S", Flag.SEEN),
    (b"T", Flag.DELETED),
)
"""In the order in which file names hold them (ASCII)."""

IMAP_NAMES: Final[tuple[tuple[bytes, Flag], ...]] = (
    (b"\\Answered", Flag.ANSWERED),
    (b"\\Flagged", Flag.FLAGGED),
    (b"\\Deleted", Flag.DELETED),
    (b"\\Seen", Flag.SEEN),
    (b"\\Draft", Flag.DRAFT),
)
"""In the order in which Dovecot lists them."""


def count_flag(flags: bytearray, flag: Flag) -> int:
    """How many of the messages have the flag; one octet of flags each."""
    return flags.translate(_having(int(flag), wanted=True)).count(1)


def having_flag(uids: Sequence[int], flags: bytearray, flag: Flag, *, wanted: bool) -> list[int]:
    """Those of `uids` whose flags, side by side, have all of `flag`, or none of it: 20 ns a message."""
    return list(compress(uids, flags.translate(_having(int(flag), wanted=wanted))))


@lru_cache(maxsize=32)
def _having(bits: int, *, wanted: bool) -> bytes:
    """For each octet of flags 1 if it has all of the bits, or none of them, as wanted."""
    want = bits if wanted else 0
    return bytes([flags & bits == want for flags in range(256)])
