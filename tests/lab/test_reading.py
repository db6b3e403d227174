"""What the lab reads: log lines and notices."""

import time

import pytest

from pillarbox.lab.notices import Notice, read_notices
from pillarbox.lab.timeline import Attempt, Line, elapsed, read_attempt, read_line

AT = time.mktime((2026, 11, 5, 21, 2, 31, 0, 0, -1))
LINES = [
    (
        "Nov  5 21:02:31 vm postfix/smtp[18776]: 9C59A218954: to=<bob@a.test>, relay=mx0.a.test[127.77.1.1]:25, "
        "delay=0.07, delays=0/0/0.06/0, dsn=2.0.0, status=sent (250 2.0.0 Ok (taken))",
        Attempt(
            AT, "9C59A218954", "bob@a.test", "mx0.a.test[127.77.1.1]:25", "2.0.0", "sent",
            "250 2.0.0 Ok (taken)", "postfix/smtp",
        ),
    ),
    (
        "Nov  5 21:02:31 vm postfix/smtp[1]: 9C59A218954: to=<bob@a.test>, orig_to=<b@a.test>, relay=none, conn_use=2, "
        "delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred (connect to mx0: refused)",
        Attempt(AT, "9C59A218954", "bob@a.test", "none", "4.4.1", "deferred", "connect to mx0: refused", "postfix/smtp"),
    ),
    ("Nov  5 21:02:31 vm postfix/qmgr[1]: 9C59A218954: removed", None),
    ("Nov  5 21:02:31 vm postfix/smtp[1]: connect to mx0.dead.test: Connection refused", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "attempt"), LINES)
def test_attempts(text: str, attempt: Attempt | None) -> None:
    """A line with status= is an attempt, with all it says."""
    line = read_line(text, year=2026)
    assert line is not None
    assert line.at == AT
    assert read_attempt(line) == attempt


@pytest.mark.parametrize("text", ["", "nothing", "Xxx  5 21:02:31 vm postfix/smtp[1]: x"])
def test_no_lines(text: str) -> None:
    """What is no log line."""
    assert read_line(text, year=2026) is None


def test_a_line_without_a_queue_id() -> None:
    """Its text is whole."""
    assert read_line("Nov  5 21:02:31 vm postfix/master[1]: terminating", year=2026) == Line(
        AT, "postfix/master", "", "terminating"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "   00:00:00"), (3661.9, "   01:01:01"), (93_784, "1d 02:03:04"), (-1, "   00:00:00")],
)
def test_elapsed(seconds: float, text: str) -> None:
    """Days only where there are some."""
    assert elapsed(seconds) == text


NOTICE = """\
From: MAILER-DAEMON
Content-Type: multipart/report; report-type=%s; boundary="b"

--b
Content-Type: text/plain

Sorry.
--b
Content-Type: message/%s

Reporting-MTA: dns; mail.test

Final-Recipient: rfc822; bob@a.test
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx0.a.test
Diagnostic-Code: smtp; 550 5.1.1 No such
    user

Final-Recipient: utf-8; björn@a.test
Action: delayed
Status: 4.4.1
Diagnostic-Code: X-Postfix; connection refused

--b--
"""


@pytest.mark.parametrize("kind", ["delivery-status", "global-delivery-status"])
def test_notices(kind: str) -> None:
    """RFC 3464, and RFC 6533 with addresses in UTF-8."""
    assert read_notices((NOTICE % (kind, kind)).encode()) == [
        Notice("bob@a.test", "failed", "5.1.1", "550 5.1.1 No such user", "mx0.a.test"),
        Notice("björn@a.test", "delayed", "4.4.1", "connection refused"),
    ]


def test_other_mail_is_no_notice() -> None:
    """Nothing."""
    assert read_notices(b"Subject: hello\n\nHello.\n") == []
