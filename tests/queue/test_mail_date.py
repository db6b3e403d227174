"""Dates that are written into headers."""

import pytest

from fakes.time_zone import time_zone
from pillarbox.queue.mail_date import mail_date

DATES = [
    ("UTC", 1607193108, b"Sat,  5 Dec 2020 18:31:48 +0000 (UTC)"),
    ("UTC", 1607625108, b"Thu, 10 Dec 2020 18:31:48 +0000 (UTC)"),
    ("EST5", 1607193109, b"Sat,  5 Dec 2020 13:31:49 -0500 (EST)"),
]


@pytest.mark.parametrize(("zone", "seconds", "written"), DATES)
def test_dates(zone: str, seconds: float, written: bytes) -> None:
    """As Postfix's mail_date(3): a day of one digit has a blank before it."""
    with time_zone(zone):
        assert mail_date(seconds) == written
