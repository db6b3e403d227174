"""Dates of SEARCH, APPEND and INTERNALDATE."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.imap.dates import date_time, internal_date, search_date
from pillarbox.wire.imap.scanner import BadSyntax, Scanner

DAYS = [
    (b"1-Jan-1970", 0),
    (b"01-jan-1970", 0),
    (b"29-Feb-2024", 19782),
    (b"31-Dec-1969", -1),
]


@pytest.mark.parametrize(("text", "day"), DAYS)
def test_search_dates(text: bytes, day: int) -> None:
    """Days since 1970."""
    assert day == search_date(text)


@pytest.mark.parametrize(
    "text", [b"", b"31-Feb-2024", b"1-Foo-2024", b"0-Jan-2024", b"1-Jan-24", b"1-Jan-2024x", b"1-Jan-0000"]
)
def test_what_is_no_date(text: bytes) -> None:
    """Days that no month has are none."""
    with pytest.raises(BadSyntax):
        search_date(text)


MOMENTS = [
    (b" 1-Jan-1970 00:00:00 +0000", 0),
    (b"01-Jan-1970 01:00:00 +0100", 0),
    (b"31-Dec-1969 19:00:00 -0500", 0),
    (b"22-Nov-2026 12:56:22 +0000", 1795352182),
    (b"22-Nov-2026 12:56:22 GMT", 1795352182),
    (b"22-Nov-2026 12:56:22 +100", 1795352182),
    (b"22-Nov-2026 12:56:22 0100", 1795352182),
    (b"31-Dec-2016 23:59:60 +0000", 1483228799),
]


@pytest.mark.parametrize(("text", "moment"), MOMENTS)
def test_date_times(text: bytes, moment: int) -> None:
    """Seconds since 1970, the zone taken off if it is one; a leap second is the one before it (as with Dovecot)."""
    scanner = Scanner([text + b'" rest'])
    assert moment == date_time(scanner)
    assert scanner.rest == b" rest"


@pytest.mark.parametrize(
    "text",
    [
        b"1-Jan-2024",
        b"01-Jan-2024 24:00:00 +0000",
        b"01-Jan-2024 00:60:00 +0000",
        b"01-Jan-2024 00:00:00",
    ],
)
def test_what_is_no_date_time(text: bytes) -> None:
    """APPEND refuses it (Dovecot: Invalid internal date)."""
    with pytest.raises(BadSyntax, match="Invalid internal date"):
        date_time(Scanner([text + b'"']))


@given(st.integers(-10_000_000_000, 200_000_000_000))
def test_internal_dates_come_back(moment: int) -> None:
    """What INTERNALDATE tells, APPEND takes."""
    written = internal_date(moment)
    assert written.endswith(b' +0000"')
    assert moment == date_time(Scanner([written[1:]]))
