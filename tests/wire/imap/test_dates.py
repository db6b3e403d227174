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


@pytest.mark.parametrize(
    ("moment", "minutes", "written"),
    [
        (1795352182, 0, b'"22-Nov-2026 12:56:22 +0000"'),
        (1795352182, 120, b'"22-Nov-2026 14:56:22 +0200"'),
        (1795352182, 345, b'"22-Nov-2026 18:41:22 +0545"'),
        (1795352182, -150, b'"22-Nov-2026 10:26:22 -0230"'),
        (1174856399, 180, b'"25-Mar-2007 23:59:59 +0300"'),
        (1174856400, 180, b'"26-Mar-2007 00:00:00 +0300"'),
    ],
)
def test_internal_dates_are_those_of_a_zone(moment: int, minutes: int, written: bytes) -> None:
    """RFC 3501 §9, zone: hours and minutes."""
    assert written == internal_date(moment, minutes * 60)


@given(st.integers(-10_000_000_000, 200_000_000_000), st.integers(-15 * 60, 15 * 60))
def test_internal_dates_come_back(moment: int, minutes: int) -> None:
    """What INTERNALDATE tells, APPEND takes, wherever the host is."""
    written = internal_date(moment, minutes * 60)
    assert moment == date_time(Scanner([written[1:]]))
