"""Dates as IMAP writes them: `22-Nov-2026` in SEARCH, `"22-Nov-2026 12:56:22 +0000"` elsewhere.

DESCRIPTION
    Days are counted from 1970-01-01, moments in seconds since then; the calendar is Gregorian back to
    year 1.

FAULTS
    BadSyntax  not a date, or a day that no month has.

STANDARDS
    RFC 3501 §9 (date, date-time, zone), §2.3.3
"""

import re
from datetime import date
from functools import lru_cache
from typing import Final

from pillarbox.vocabulary.digits import decimal
from pillarbox.wire.imap.scanner import BadSyntax, Scanner

MONTHS: Final = (
    b"Jan",
    b"Feb",
    b"Mar",
    b"Apr",
    b"May",
    b"Jun",
    b"Jul",
    b"Aug",
    b"Sep",
    b"Oct",
    b"Nov",
    b"Dec",
)
_MONTH_NUMBERS: Final = {name.lower(): number for number, name in enumerate(MONTHS, 1)}
_EPOCH: Final = date(1970, 1, 1).toordinal()
_DAY: Final = 86400
# date-day-fixed = (SP DIGIT) / 2DIGIT, and Dovecot takes one digit alone
_DATE: Final = re.compile(rb"\s?([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})")
_DATE_TIME: Final = re.compile(
    rb"([ 0-9][0-9]|[0-9])-([A-Za-z]{3})-([0-9]{4}) "
    rb'([0-9]{2}):([0-9]{2}):([0-9]{2}) (?:([+-])([0-9]{2})([0-9]{2})|[^"\\\r\n]*)"'
)


def search_date(text: bytes) -> int:
    """`date-text = date-day "-" date-month "-" date-year`, as days since 1970"""
    match = _DATE.fullmatch(text)
    if match is None:
        raise BadSyntax("Invalid search date parameter")
    return _day(match[1], match[2], match[3], reason="Invalid search date parameter")


def date_time(scanner: Scanner) -> int:
    """`date-time = DQUOTE date-day-fixed "-" … SP time SP zone DQUOTE`, the first quote already taken

    A zone that is none (`GMT`) is UTC, and a leap second is the one before it, as with Dovecot.
    """
    match = _DATE_TIME.match(scanner.rest)
    if match is None:
        raise BadSyntax("Invalid internal date")
    scanner.take(match[0])
    day = _day(match[1].strip(b" "), match[2], match[3], reason="Invalid internal date")
    hour, minute, second = (decimal(part) for part in match.group(4, 5, 6))
    zone = decimal(match[8]) * 3600 + decimal(match[9]) * 60 if match[7] else 0
    if hour > 23 or minute > 59 or second > 60 or zone > 24 * 3600:
        raise BadSyntax("Invalid internal date")
    moment = day * _DAY + hour * 3600 + minute * 60 + min(second, 59)
    return moment - zone if match[7] == b"+" else moment + zone


def internal_date(moment: int, offset: int) -> bytes:
    """`"22-Nov-2026 14:56:22 +0200"`, with its quotes, for clocks that are `offset` seconds ahead of UTC"""
    day, second = divmod(moment + offset, _DAY)
    return b'"%s %02d:%02d:%02d %b"' % (
        _written_day(day),
        second // 3600,
        second // 60 % 60,
        second % 60,
        _written_zone(offset // 60),
    )


@lru_cache(maxsize=16)
def _written_zone(minutes: int) -> bytes:
    return b"%c%02d%02d" % (b"-" if minutes < 0 else b"+", *divmod(abs(minutes), 60))


@lru_cache(maxsize=4096)
def _written_day(day: int) -> bytes:
    written = date.fromordinal(min(max(day + _EPOCH, 1), date.max.toordinal()))
    return b"%02d-%s-%04d" % (written.day, MONTHS[written.month - 1], written.year)


def _day(day: bytes, month: bytes, year: bytes, *, reason: str) -> int:
    number = _MONTH_NUMBERS.get(month.lower())
    if number is None:
        raise BadSyntax(reason)
    try:
        return date(decimal(year), number, decimal(day)).toordinal() - _EPOCH
    except ValueError:
        raise BadSyntax(reason) from None
