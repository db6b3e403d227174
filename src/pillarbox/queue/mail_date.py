"""Dates as Postfix writes them into headers: `Sun,  1 Nov 2026 13:20:36 +0000 (UTC)` (RFC 5322 §3.3)."""

import time
from functools import lru_cache
from typing import Final

from pillarbox.queue.queue_ids import is_long

_DAYS: Final = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS: Final = (
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
)  # fmt: skip


def mail_date(seconds: float) -> bytes:
    """The date in the host's time zone.  The day has two columns, names are English whatever the locale."""
    return _format(int(seconds))


@lru_cache(maxsize=4)
def _format(seconds: int) -> bytes:
    local = time.localtime(seconds)
    sign = b"-" if local.tm_gmtoff < 0 else b"+"
    hours, minutes = divmod(abs(local.tm_gmtoff) // 60, 60)
    return b"%s, %2d %s %04d %02d:%02d:%02d %s%02d%02d (%s)" % (
        _DAYS[local.tm_wday],
        local.tm_mday,
        _MONTHS[local.tm_mon - 1],
        local.tm_year,
        local.tm_hour,
        local.tm_min,
        local.tm_sec,
        sign,
        hours,
        minutes,
        local.tm_zone.encode("ascii", "replace"),
    )


def message_id(seconds: float, queue_id: str, host: bytes) -> bytes:
    """The Message-Id of a message that had none: `<YYYYMMDDHHMMSS.ID@host>`; a long queue id has the time in it."""
    if is_long(queue_id):
        return b"<%s@%s>" % (queue_id.encode("ascii"), host)
    utc = time.gmtime(seconds)
    stamp = b"%04d%02d%02d%02d%02d%02d" % utc[:6]
    return b"<%s.%s@%s>" % (stamp, queue_id.encode("ascii"), host)
