"""Whom a notice says that mail was for (RFC 3464 §2.3.1)."""

import pytest

from pillarbox.bounce.notification import Original, Style, compose
from pillarbox.bounce.templates import BUILT_IN
from pillarbox.queue.recipient_log import LogEntry


@pytest.mark.parametrize(
    ("original", "asked", "found"),
    [
        (b"a@b.test", b"", b""),
        (b"A@b.test", b"", b""),
        (b"c@b.test", b"", b"Original-Recipient: rfc822;c@b.test"),
        (b"a@b.test", b"rfc822;a@b.test", b"Original-Recipient: rfc822;a@b.test"),
    ],
)
def test_original_recipient(original: bytes, asked: bytes, found: bytes) -> None:
    """One that is the recipient is none of its own, unless RCPT has said so: nobody has for a copy."""
    entry = LogEntry(
        recipient=b"a@b.test",
        original_recipient=original,
        offset=1,
        dsn_original=asked,
        status="5.1.1",
        action="failed",
        reason="no",
    )
    notice = compose(
        "failure",
        Original(queue_id="4ABC", sender=b"s@b.test", arrival_time=0.0, content=b"\r\n"),
        [entry],
        template=BUILT_IN["failure"],
        style=Style(host=b"b.test", mail_name=b"Postfix", type_name=b"Postfix", value=lambda name: name),
        recipient=b"s@b.test",
        for_postmaster=False,
        queue_id="4DEF",
        now=0.0,
    )
    lines = [line for line in notice.split(b"\r\n") if line.startswith(b"Original-Recipient")]
    assert lines == ([found] if found else [])
