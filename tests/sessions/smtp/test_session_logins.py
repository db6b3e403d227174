"""AUTH in an SMTP session: replies, and what fail2ban reads."""

from pathlib import Path

import pytest

from fakes.smtp_conversation import CLIENT, converse
from fakes.smtp_words import HELLO, MAIL, QUIT, after_hello

AUTHENTICATION = [
    ("PLAIN at once", [b"AUTH PLAIN AG1lAHNlY3JldA==\r\n"], ["235 2.7.0 Authentication successful"]),
    ("PLAIN", [b"AUTH PLAIN\r\n", b"AG1lAHNlY3JldA==\r\n"], ["334 ", "235 2.7.0 Authentication successful"]),
    ("LOGIN", [b"auth login\r\n", b"bWU=\r\n", b"c2VjcmV0\r\n"],
     ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 2.7.0 Authentication successful"]),
    ("wrong", [b"AUTH PLAIN AG1lAHg=\r\n"], ["535 5.7.8 Error: authentication failed: (reason unavailable)"]),
    ("a reason", [b"AUTH PLAIN AGxvY2tlZAB4\r\n"], ["535 5.7.8 Error: authentication failed: Account is locked"]),
    ("database down", [b"AUTH PLAIN AGJyb2tlbgB4\r\n"], ["454 4.7.0 Temporary authentication failure: (reason unavailable)"]),
    ("no base64", [b"AUTH LOGIN\r\n", b"!\r\n"], ["334 VXNlcm5hbWU6", "535 5.7.8 Error: authentication failed: Invalid base64 data in continued response"]),
    ("no base64 at once", [b"AUTH PLAIN !\r\n"], ["535 5.7.8 Error: authentication failed: Invalid base64 data in initial response"]),
    ("given up", [b"AUTH LOGIN\r\n", b"*\r\n"], ["334 VXNlcm5hbWU6", "501 5.7.0 Authentication aborted"]),
    ("unknown mechanism", [b"AUTH FOO\r\n"], ["535 5.7.8 Error: authentication failed: Invalid authentication mechanism"]),
    ("no mechanism", [b"AUTH\r\n"], ["501 5.5.4 Syntax: AUTH mechanism"]),
    ("twice", [b"AUTH PLAIN AG1lAHNlY3JldA==\r\n", b"AUTH PLAIN AG1lAHNlY3JldA==\r\n"],
     ["235 2.7.0 Authentication successful", "503 5.5.1 Error: already authenticated"]),
    ("in a transaction", [MAIL, b"AUTH PLAIN AG1lAHNlY3JldA==\r\n"],
     ["250 2.1.0 Ok", "503 5.5.1 Error: MAIL transaction in progress"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "replies"), [row[1:] for row in AUTHENTICATION], ids=[row[0] for row in AUTHENTICATION]
)
def test_authentication(sent: list[bytes], replies: list[str], tmp_path: Path) -> None:
    """RFC 4954, in Postfix's words; the session goes on in every case."""
    done = converse(tmp_path / "q", [HELLO, *sent, b"NOOP\r\n", QUIT])
    assert after_hello(done.replies) == [*replies, "250 2.0.0 Ok", "221 2.0.0 Bye"]
    wrong = [line for line in done.lines if "authentication failed" in line]
    assert len(wrong) == sum(reply.startswith(("535", "454")) for reply in replies)


def test_a_failed_login_is_logged_for_fail2ban(tmp_path: Path) -> None:
    """Mechanism, reason and user, in Postfix's form."""
    done = converse(tmp_path / "q", [HELLO, b"AUTH PLAIN AG1lAHg=\r\n", QUIT])
    assert done.lines[1:] == [
        f"warning: {CLIENT}: SASL PLAIN authentication failed: (reason unavailable), sasl_username=me",
        f"disconnect from {CLIENT} ehlo=1 auth=0/1 quit=1 commands=2/3",
    ]


def test_a_response_without_end_ends_the_exchange(tmp_path: Path) -> None:
    """smtpd_sasl_response_limit; responses may be longer than command lines."""
    done = converse(tmp_path / "q", [HELLO, b"AUTH LOGIN\r\n", b"A" * 13000 + b"\r\n", QUIT])
    assert after_hello(done.replies) == [
        "334 VXNlcm5hbWU6",
        "500 5.5.6 SASL response limit exceeded",
        "221 2.0.0 Bye",
    ]
    done = converse(tmp_path / "q", [HELLO, b"AUTH LOGIN\r\n", b"AAAA" * 2000 + b"\r\n", b"*\r\n", QUIT])
    assert after_hello(done.replies)[1:] == [
        "334 UGFzc3dvcmQ6",
        "501 5.7.0 Authentication aborted",
        "221 2.0.0 Bye",
    ]
