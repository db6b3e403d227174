"""Queue ids: names of queue files, made of the time and the inode number.

DESCRIPTION
    Short (the default): microseconds of the second as at least five upper-case hex digits, then the inode
    number in hex.  `postfix start` of a real Postfix renames a file whose short id does not end in its own
    inode, so ours must.  Long (enable_long_queue_ids): base-52 seconds, base-52 microseconds in four digits,
    `z`, base-51 inode.

    A message's Message-Id is made of its queue id.
"""

import re
from typing import Final

from pillarbox.vocabulary.identifiers import QueueId

_DIGITS: Final = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
_VALID: Final = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
_LONG: Final = re.compile(
    r"[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]+", re.ASCII
)  # the last z: the inode, in base 51, has none

_LONGEST: Final = 255
"""Octets that Postfix takes, and that a file's name may have."""


def short_queue_id(now: float, inode: int) -> QueueId:
    """`10F512301A4` for a file made at `now` (seconds) with that inode number."""
    return QueueId(f"{int(now % 1 * 1_000_000):05X}{inode:X}")


def long_queue_id(now: float, inode: int) -> QueueId:
    """`4jXVXr3rhNzKGxF`: never given twice."""
    seconds, microseconds = divmod(int(now * 1_000_000), 1_000_000)
    return QueueId(f"{_base(seconds, 52, 6)}{_base(microseconds, 52, 4)}z{_base(inode, 51, 1)}")


def is_long(queue_id: str) -> bool:
    """Whether it is a long one: the short ones are hexadecimal."""
    return "z" in queue_id


def is_queue_id(name: str) -> bool:
    """Whether a file of this name may be a message; temporary files have a dot."""
    return 1 < len(name) <= _LONGEST and _VALID.fullmatch(name) is not None


def hash_text(queue_id: str) -> str:
    """The characters by which hashed directories are chosen: a long id's microseconds in hex."""
    if _LONG.fullmatch(queue_id) is None:
        return queue_id
    microseconds = 0
    end = queue_id.rindex("z")
    for digit in queue_id[end - 4 : end]:
        microseconds = microseconds * 52 + _DIGITS.index(digit)
    return f"{microseconds:05X}"


def _base(number: int, base: int, width: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, base)
        digits = _DIGITS[digit] + digits
    return digits.rjust(width, "0")
