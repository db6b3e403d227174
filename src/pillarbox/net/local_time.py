"""The host's time zone: what its clocks showed at a moment, and when a day began there.

DESCRIPTION
    The zone is that of TZ, or else of /etc/localtime, as the C library has it.  Offsets are those of the
    moment: summer time, and what a zone was in another year.
"""

import time
from typing import Final

_DAY: Final = 86400
_WIDEST: Final = 26 * 3600  # no zone is farther from UTC


def utc_offset(moment: float) -> int:
    """Seconds that the host's clocks were ahead of UTC then, whole minutes; 0 for moments that no calendar has."""
    try:
        offset = time.localtime(moment).tm_gmtoff
    except (OverflowError, ValueError, OSError):
        return 0
    return int(offset / 60) * 60


def day_begins(day: int) -> int:
    """The first moment, in seconds since 1970-01-01 UTC, at which the host's clocks showed that day or a later one.

    `day` is counted from 1970-01-01.  Where midnight is left out, as summer time begins in some zones, it is what
    comes in its place.
    """
    midnight = day * _DAY
    before, begun = midnight - _WIDEST, midnight + _WIDEST
    while begun - before > 1:
        middle = (before + begun) // 2
        if middle + utc_offset(middle) >= midnight:
            begun = middle
        else:
            before = middle
    return begun
