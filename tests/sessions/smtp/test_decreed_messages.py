"""What access tables decree for messages, and what the log has of messages that are thrown away or refused."""

from pathlib import Path

import pytest

from fakes.smtp_conversation import converse
from fakes.smtp_words import DATA, HELLO, MAIL, QUIT, RCPT, after_hello

TALK = [HELLO, MAIL, RCPT, DATA[1], b"Message-Id: <x@y>\r\nX-Check: 1\r\n\r\nbody\r\n.\r\n", QUIT]
CHECKS = {"header_checks": "regexp:{ {/^X-Check/ INFO seen} }"}


def test_nobody_looks_at_what_is_thrown_away(tmp_path: Path) -> None:
    """DISCARD before the content comes: neither checks nor the log have it, and its recipient need not exist."""
    table = "check_sender_access inline:{ {b.test=DISCARD} }"
    talk = [*TALK[:3], b"RCPT TO:<other@x.test>\r\n", *TALK[3:]]  # for whom nobody is asked any more
    done = converse(tmp_path / "q", talk, settings={**CHECKS, "smtpd_sender_restrictions": table})
    assert after_hello(done.replies)[-2].startswith("250 2.0.0 Ok: queued as ")
    assert done.queued == []
    assert sum("discard: RCPT" in line for line in done.lines) == 1
    assert not any("message-id=" in line or "X-Check" in line for line in done.lines)


def test_what_is_refused_at_its_end_has_been_seen(tmp_path: Path) -> None:
    """smtpd_end_of_data_restrictions: cleanup(8) knows the message by then."""
    done = converse(tmp_path / "q", TALK, settings={**CHECKS, "smtpd_end_of_data_restrictions": "reject"})
    assert after_hello(done.replies)[-2] == "554 5.7.1 <END-OF-MESSAGE>: End-of-data rejected: Access denied"
    assert any("message-id=<x@y>" in line for line in done.lines)
    assert any("info: header X-Check: 1" in line for line in done.lines)


RESULTS = [
    ("BCC nope", 'entry "c.test" requires user@domain target', "250 2.1.5 Ok"),
    ("PREPEND nope", 'entry "c.test" requires header: text', "250 2.1.5 Ok"),
    ("permit, hm", "restriction `hm' after `permit' is ignored", "250 2.1.5 Ok"),
    ("hm, permit", 'unknown smtpd restriction: "hm"', "451 4.3.5 Server configuration error"),
    (
        "check_helo_access fail:x",
        "do not specify lookup tables inside SMTPD",
        "451 4.3.5 Server configuration error",
    ),
]


@pytest.mark.parametrize(("result", "warning", "reply"), RESULTS)
def test_results(result: str, warning: str, reply: str, tmp_path: Path) -> None:
    """What was looked up is named; a word that is none is missed by who gets as far as that."""
    table = f"check_helo_access inline:{{ {{ c.test = {result} }} }}"
    done = converse(tmp_path / "q", TALK[:3], settings={"smtpd_helo_restrictions": table})
    assert after_hello(done.replies)[1] == reply
    assert any(warning in line for line in done.lines if line.startswith("warning: "))
