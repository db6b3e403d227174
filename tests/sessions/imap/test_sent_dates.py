"""SENTSINCE and its kin: the day as the sender wrote it, kept for the next search."""

import pytest

from pillarbox.mailstore.mailbox import MessageSummary
from pillarbox.sessions.imap.sent_dates import SentDates, sent_at
from pillarbox.vocabulary.identifiers import Uid

DAY = 86400
NOON = 20_000 * DAY + DAY // 2  # Thu, 04 Oct 2024 12:00:00


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"Date: Fri, 04 Oct 2024 12:00:00 +0000\r\n\r\n", NOON),
        (b"Date: Fri, 04 Oct 2024 12:00:00 -0800\r\n\r\n", NOON),
        (b"Subject: x\r\nDATE:\r\n 4 Oct 24 12:00 +1100 (Sydney)\r\n\r\n", NOON),
        (b"Date: soon\r\n\r\n", 0),
        (b"Subject: none\r\n\r\n", 0),
    ],
)
def test_time_and_zone_are_disregarded(header: bytes, expected: int) -> None:
    """RFC 3501 §6.4.4: "disregarding time and timezone"; no date is 1970, as with Dovecot."""
    assert expected == sent_at(header)


def test_what_came_later_is_added() -> None:
    """Only messages with higher UIDs than those that are known are missing."""
    dates = SentDates()
    assert [3, 5] == dates.missing([3, 5])
    dates.add([_summary(3, b"4 Oct 2024 12:00 +0000"), _summary(5, b"5 Oct 2024 12:00 +0000")])
    assert [7] == dates.missing([3, 5, 7])
    dates.add([_summary(7, b"4 Oct 2024 23:00 -0800")])
    assert [3, 7] == dates.between(20_000 * DAY, 20_001 * DAY)
    assert [5] == dates.between(20_001 * DAY, float("inf"))


def _summary(uid: int, date: bytes) -> MessageSummary:
    return MessageSummary(Uid(uid), 0, 0, b"", b"", b"", b"Date: %b\r\n\r\n" % date)
