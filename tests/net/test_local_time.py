"""The host's time zone: offsets of a moment, and where days begin."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.time_zone import time_zone
from pillarbox.net.local_time import day_begins, utc_offset

EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
ZONES = ["UTC", "Europe/Helsinki", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati"]


def moment(zone: str, text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


@pytest.mark.parametrize(
    ("zone", "when", "offset"),
    [
        ("UTC", "2026-07-01", 0),
        ("Europe/Helsinki", "2026-01-01", 7200),
        ("Europe/Helsinki", "2026-07-01", 10800),
        ("America/St_Johns", "2026-01-01", -12600),
        ("Asia/Kathmandu", "2026-01-01", 20700),
        ("America/New_York", "1850-01-01", -17760),  # -4:56:02
    ],
)
def test_offsets(zone: str, when: str, offset: int) -> None:
    """Those of the moment, in whole minutes: a date of IMAP has no seconds for them."""
    with time_zone(zone):
        assert offset == utc_offset(moment(zone, when))


@pytest.mark.parametrize("when", [float(1 << 70), float("nan")])
def test_moments_that_no_calendar_has(when: float) -> None:
    """A file may have any time."""
    with time_zone("Europe/Helsinki"):
        assert 0 == utc_offset(when)


@pytest.mark.parametrize(
    ("zone", "day", "begin"),
    [
        ("Europe/Helsinki", "2007-03-25", "2007-03-25T00:00"),
        ("Europe/Helsinki", "2007-10-29", "2007-10-29T00:00"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00"),  # summer time began at midnight
        ("Pacific/Apia", "2011-12-30", "2011-12-31T00:00"),  # a day that the islands left out
    ],
)
def test_days_begin(zone: str, day: str, begin: str) -> None:
    """At midnight there, or with what comes in its place."""
    with time_zone(zone):
        assert moment(zone, begin) == day_begins(datetime.fromisoformat(day).toordinal() - EPOCH)


@given(st.sampled_from(ZONES), st.integers(0, 30_000))
def test_a_moment_is_in_its_day(zone: str, day: int) -> None:
    """The second before a day begins is of the day before."""
    with time_zone(zone):
        begin = day_begins(day)
        days = [(at + utc_offset(at)) // 86400 for at in (begin - 1, begin)]
    assert days[0] < day <= days[1]
