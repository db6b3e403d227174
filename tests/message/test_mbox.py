"""mbox files: where messages begin, and what their programs noted."""

import pytest

from pillarbox.message.mbox import FromDate, MboxMessage, NotAnMbox, from_date, messages
from pillarbox.vocabulary.flags import Flag

FILE = b"""From a@b.example Wed Nov 25 17:52:55 2026
Status: RO
X-Status: AF
X-Keywords: $Forwarded  Work
X-UID: 7
Content-Length: 12
Subject: one

Hello.
>From the sea
>>From quoted twice
From here on it is text.

From c@d.example  Tue Jan  3 07:08 +0100 2023
Subject: two
Status: O

text

From nobody knows

From MAILER-DAEMON Thu Jan  1 00:00:01 1970
Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA
X-IMAP: 1 1
Status: RO

internal

From e@f.example Sat Feb 29 12:00:00 2020
X-Status: TD
"""


def test_messages_of_a_file() -> None:
    """Flags, keywords and dates; quoting undone in the body; fields of the file's own gone."""
    assert list(messages(FILE.splitlines(keepends=True))) == [
        MboxMessage(
            b"Subject: one\n\nHello.\nFrom the sea\n>From quoted twice\nFrom here on it is text.\n",
            Flag.SEEN | Flag.ANSWERED | Flag.FLAGGED,
            (b"$Forwarded", b"Work"),
            FromDate(2026, 11, 25, 17, 52, 55),
        ),
        MboxMessage(
            b"Subject: two\n\ntext\n\nFrom nobody knows\n", Flag.NONE, (), FromDate(2023, 1, 3, 7, 8, 0, 60)
        ),
        MboxMessage(b"", Flag.DRAFT | Flag.DELETED, (), FromDate(2020, 2, 29, 12, 0, 0)),
    ]


DATES = [
    (b"From a@b Wed Nov 25 17:52:55 2026\n", FromDate(2026, 11, 25, 17, 52, 55)),
    (b"From a@b Wed Nov 25 17:52:55 UTC 2026\n", FromDate(2026, 11, 25, 17, 52, 55)),
    (b"From a@b Wed Nov 25 17:52:55 2026 -0530\n", FromDate(2026, 11, 25, 17, 52, 55, -330)),
    (b'From "a b"@c Wed Nov  5 07:52 2026\r\n', FromDate(2026, 11, 5, 7, 52, 0)),
    (b"From here on\n", None),
    (b"From a@b Wed Nox 25 17:52:55 2026\n", None),
    (b"From a@b Wed Nov 45 17:52:55 2026\n", None),
    (b"From a@b Wed Nov 25 17:52:55 2026 and more\n", None),
]


@pytest.mark.parametrize(("line", "expected"), DATES)
def test_dates(line: bytes, expected: FromDate | None) -> None:
    """asctime(3), with or without seconds and zone."""
    assert from_date(line) == expected


def test_other_files_are_refused() -> None:
    """Nothing is made of what is no mbox."""
    with pytest.raises(NotAnMbox):
        list(messages([b"Subject: x\n"]))
    assert list(messages([b"\n"])) == []
    assert list(messages([])) == []
