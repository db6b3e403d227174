"""What the log says of each message: when it was taken, and each attempt.

DESCRIPTION
    Lines are read as they are written.  Their time is that of the lab's clock, to the second; the year is taken
    from the clock.
"""

import calendar
import re
import time
from typing import Final

import msgspec

_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_LINE: Final = re.compile(
    r"(\w{3}) ([ \d]\d) (\d\d):(\d\d):(\d\d) \S+ (\S+?)(?:\[\d+\])?: (?:([0-9A-Za-z]{6,}): )?(.*)", re.ASCII
)
_ATTEMPT: Final = re.compile(
    r"to=<(.*?)>, (?:orig_to=<.*?>, )?relay=(\S+?), (?:conn_use=\d+, )?delay=.*?, dsn=(\S+?), status=(\w+) \((.*)\)"
)


class Attempt(msgspec.Struct, frozen=True):
    """A line with status=."""

    at: float  # seconds since 1970
    queue_id: str
    recipient: str
    relay: str
    dsn: str
    status: str  # sent, deferred, bounced, expired
    text: str
    program: str  # postfix/smtp


class Line(msgspec.Struct, frozen=True):
    """Any line."""

    at: float
    program: str
    queue_id: str
    text: str


def read_line(line: str, *, year: int) -> Line | None:
    """A line of maillog_file; None if it is none."""
    match = _LINE.fullmatch(line)
    if match is None or match[1] not in _MONTHS:
        return None
    month = _MONTHS.index(match[1]) + 1
    local = (year, month, int(match[2]), int(match[3]), int(match[4]), int(match[5]), 0, 0, -1)
    return Line(time.mktime(local), match[6], match[7] or "", match[8])


def read_attempt(line: Line) -> Attempt | None:
    """The attempt that a line tells of."""
    match = _ATTEMPT.match(line.text)
    if match is None:
        return None
    return Attempt(line.at, line.queue_id, match[1], match[2], match[3], match[4], match[5], line.program)


def elapsed(seconds: float) -> str:
    """`2d 03:04:05`"""
    whole = int(max(0.0, seconds))
    days, rest = divmod(whole, 86400)
    text = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}d {text}" if days else f"   {text}"


def year_of(now: float) -> int:
    """The year of a moment, local time."""
    return time.localtime(now).tm_year if now >= calendar.timegm((2000, 1, 1, 0, 0, 0)) else 2000
