"""ENVELOPE as it goes on the wire."""

import pytest

from pillarbox.message.envelope import render_envelope

HEADERS = [
    ("nothing", b"\r\n", b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"),
    (
        "usual",
        b"Date: Mon, 1 Jan 2024 10:00:00 +0000\r\nSubject: Hi\r\nFrom: A <a@b>\r\nTo: c@d\r\n"
        b"Message-ID: <1@b>\r\nIn-Reply-To: <0@b>\r\n\r\n",
        b'("Mon, 1 Jan 2024 10:00:00 +0000" "Hi" (("A" NIL "a" "b")) (("A" NIL "a" "b")) (("A" NIL "a" "b")) '
        b'((NIL NIL "c" "d")) NIL NIL "<0@b>" "<1@b>")',
    ),
    (
        "own sender, empty reply-to",
        b"From: a@b\r\nSender: s@b\r\nReply-To:\r\n\r\n",
        b'(NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "s" "b")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL)',
    ),
    ("empty subject", b"Subject:\r\n\r\n", b'(NIL "" NIL NIL NIL NIL NIL NIL NIL NIL)'),
    ("quotes in subject", b'Subject: a "b"\r\n\r\n', b'(NIL {5}\r\na "b" NIL NIL NIL NIL NIL NIL NIL NIL)'),
    ("8-bit subject", b"Subject: \xe9\r\n\r\n", b"(NIL {1}\r\n\xe9 NIL NIL NIL NIL NIL NIL NIL NIL)"),
    ("blanks in subject", b"Subject:  a \t b \r\n\r\n", b"(NIL {3}\r\na b NIL NIL NIL NIL NIL NIL NIL NIL)"),
    ("CR alone", b"Subject: a\rb\r\n\r\n", b"(NIL {3}\r\na b NIL NIL NIL NIL NIL NIL NIL NIL)"),
    ("NUL", b"Subject: a\0b\r\n\r\n", b"(NIL {5}\r\na\xef\xbf\xbdb NIL NIL NIL NIL NIL NIL NIL NIL)"),
    ("folded id", b"Message-ID:\r\n <a@b>\r\n\r\n", b'(NIL NIL NIL NIL NIL NIL NIL NIL NIL " <a@b>")'),
    ("quotes in id", b'Message-ID: <"a">\r\n\r\n', b'(NIL NIL NIL NIL NIL NIL NIL NIL NIL "<\\"a\\">")'),
    ("five quotes", b'Message-ID: """""\r\n\r\n', b'(NIL NIL NIL NIL NIL NIL NIL NIL NIL {5}\r\n""""")'),
    ("second subject counts", b"Subject: a\r\nsubject : b\r\n\r\n", b'(NIL "b"' + b" NIL" * 8 + b")"),
    (
        "addresses add up",
        b"Bcc: a@b\r\nBcc: c@d\r\n\r\n",
        b'(NIL NIL NIL NIL NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL)',
    ),
    (
        "group",
        b"Cc: g:a@b;\r\n\r\n",
        b'(NIL NIL NIL NIL NIL NIL ((NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)) NIL NIL NIL)',
    ),
]


@pytest.mark.parametrize(("name", "header", "expected"), HEADERS, ids=[row[0] for row in HEADERS])
def test_envelope(name: str, header: bytes, expected: bytes) -> None:
    """RFC 3501 §7.4.2, byte for byte what Dovecot 2.3 answers."""
    assert expected == render_envelope(header)
