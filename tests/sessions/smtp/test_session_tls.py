"""STARTTLS in an SMTP session, and what messages may ask of TLS on their further way."""

from pathlib import Path

import pytest

from fakes.smtp_conversation import CLIENT, converse
from fakes.smtp_words import HELLO, MAIL, QUIT, RCPT, TEXT, after_hello


def test_tls_forgets_what_was_said_in_clear_text(tmp_path: Path) -> None:
    """RFC 3207 §4.2: buffered commands, HELO and login are gone; STARTTLS is not offered again."""
    settings = {"smtpd_forbid_unauth_pipelining": "no"}
    sent = [HELLO, b"AUTH PLAIN AG1lAHNlY3JldA==\r\n", b"STARTTLS\r\nMAIL FROM:<injected@b.test>\r\n",
            HELLO, MAIL + b"RCPT TO:<x@elsewhere.test>\r\n", b"STARTTLS\r\n"]  # fmt: skip
    done = converse(tmp_path / "q", [*sent, b"RSET\r\n", b"STARTTLS\r\n", QUIT], tls=True, settings=settings)
    said = after_hello(done.replies)
    assert said == [
        "235 2.7.0 Authentication successful",
        "220 2.0.0 Ready to start TLS",
        "250 2.1.0 Ok",
        "454 4.7.1 <x@elsewhere.test>: Relay access denied",
        "554 5.5.1 Error: TLS already active",
        "250 2.0.0 Ok",
        "554 5.5.1 Error: TLS already active",
        "221 2.0.0 Bye",
    ]
    assert done.replies.count("250-STARTTLS") == 1


def test_tls_that_is_required(tmp_path: Path) -> None:
    """smtpd_tls_security_level = encrypt: no mail and no password before TLS."""
    sent = [HELLO, MAIL, b"AUTH PLAIN AG1lAHNlY3JldA==\r\n", b"STARTTLS\r\n", HELLO, MAIL, QUIT]
    done = converse(tmp_path / "q", sent, tls=True, settings={"smtpd_tls_security_level": "encrypt"})
    assert after_hello(done.replies) == [
        "530 5.7.0 Must issue a STARTTLS command first",
        "530 5.7.0 Must issue a STARTTLS command first",
        "220 2.0.0 Ready to start TLS",
        "250 2.1.0 Ok",
        "221 2.0.0 Bye",
    ]


@pytest.mark.parametrize(
    ("settings", "offered", "reply"),
    [
        ({"smtpd_tls_security_level": "none"}, False, "502 5.5.1 Error: command not implemented"),
        ({"smtpd_tls_security_level": "may"}, False, "454 4.7.0 TLS not available due to local problem"),
        ({"smtpd_tls_security_level": "encrypt"}, True, "454 4.7.0 TLS not available due to local problem"),
        (
            {"smtpd_tls_security_level": "encrypt", "smtpd_discard_ehlo_keywords": "starttls"},
            False,
            "502 5.5.1 Error: command not implemented",
        ),
    ],
)
def test_without_a_certificate(tmp_path: Path, settings: dict[str, str], offered: bool, reply: str) -> None:
    """STARTTLS gets 454 (RFC 3207 §4); it is offered only where the client can do nothing without it."""
    done = converse(tmp_path / "q", [HELLO, b"STARTTLS\r\n", QUIT], settings=settings)
    assert after_hello(done.replies) == [reply, "221 2.0.0 Bye"]
    assert ("250-STARTTLS" in done.replies) is offered


def test_a_handshake_that_fails(tmp_path: Path) -> None:
    """It is logged, and the session is over."""
    done = converse(tmp_path / "q", [HELLO, b"STARTTLS\r\n", QUIT], tls=True, tls_fails=True)
    assert done.replies[-1] == "220 2.0.0 Ready to start TLS"
    assert done.lines[-4:] == [
        f"SSL_accept error from {CLIENT}: -1",
        "warning: TLS library problem: error:0A0000C1:SSL routines::no shared cipher:",
        f"lost connection after STARTTLS from {CLIENT}",
        f"disconnect from {CLIENT} ehlo=1 starttls=0/1 commands=1/2",
    ]


REQUIRETLS = [
    # settings, whether under TLS, whether it is offered and kept
    ({}, True, True),
    ({}, False, False),
    ({"requiretls_enable": "no"}, True, False),
    ({"smtpd_discard_ehlo_keywords": "requiretls"}, True, False),
]


@pytest.mark.parametrize(("settings", "encrypted", "offered"), REQUIRETLS)
def test_a_sender_that_needs_tls(
    tmp_path: Path, settings: dict[str, str], encrypted: bool, offered: bool
) -> None:
    """RFC 8689 §2: offered under TLS alone; the wish goes into the queue file where Postfix 3.11 has it."""
    said = [
        *([HELLO, b"STARTTLS\r\n"] if encrypted else []),
        HELLO,
        b"MAIL FROM:<a@b.test> requiretls=1\r\n",
        b"MAIL FROM:<a@b.test> SIZE=9 requiretls\r\n",
        *([RCPT + b"DATA\r\n", TEXT] if offered else []),
        QUIT,
    ]
    settings = {"smtpd_tls_security_level": "may", **settings}
    done = converse(tmp_path / "q", said, tls=True, settings=settings)
    assert ("250 REQUIRETLS" in done.replies) is offered
    assert "555 5.5.4 Unsupported option: requiretls=1" in done.replies
    assert ("555 5.5.4 Unsupported option: requiretls" in done.replies) is not offered
    if offered:
        assert done.message()[0].send_options == 32


@pytest.mark.parametrize(("settings", "option"), [({}, 16), ({"tls_required_enable": "no"}, 0)])
def test_a_sender_that_needs_no_tls(tmp_path: Path, settings: dict[str, str], option: int) -> None:
    """RFC 8689 §5: TLS-Required: no goes into the queue file as Postfix 3.10 has it."""
    said = [
        b"EHLO c.test\r\n",
        b"MAIL FROM:<a@b.test>\r\nRCPT TO:<me@box.test>\r\nDATA\r\n",
        b"TLS-Required: No\r\nSubject: x\r\n\r\nx\r\n.\r\n",
        b"QUIT\r\n",
    ]
    message, lines = converse(tmp_path / "queue", said, settings=settings).message()
    assert message.send_options == option
    assert b"TLS-Required: No" in lines
