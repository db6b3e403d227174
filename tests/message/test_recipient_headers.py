"""Addresses out of command lines and headers, as Postfix's sendmail reads them (test_sendmail_peer.py asks it)."""

import pytest

from pillarbox.message.recipient_headers import HeaderRecipients, addresses_of

ADDRESSES = [
    (b"root", [b"root"]),
    (b"a@b, c@d", [b"a@b", b"c@d"]),
    (b"a@b c@d", [b"a@b", b"c@d"]),
    (b"Some Name <a@b>", [b"a@b"]),
    (b'"Name, Some" <a@b> (comment, too)', [b"a@b"]),
    (b'"two words"@b', [b"two words@b"]),
    (b"<other u@d.e>", [b"otheru@d.e"]),
    (b"group: a@x, b@x;, c@y", [b"a@x", b"b@x", b"c@y"]),
    (b"undisclosed:;", []),
    (b"<>", []),
    (b'""', [b""]),
    (b"x::y, x:y", [b"x::y", b"x:y"]),
    (b"@r1,@r2:u@x", [b"@r1", b"@r2:u@x"]),
    (b"<@r1,@r2:u@x>", [b"@r1,@r2:u@x"]),
    (b"a>b", [b"a", b"b"]),
    (b"a@b>", [b"a@b"]),
    (b"<<a@b>>", [b"a@b>"]),
    (b"", []),
    (b",,a@b,,,c@d;e@f g@h <i@j> k l", [b"a@b", b"c@d", b"i@j", b"k", b"l"]),
    (b"a @ b . c", [b"a@b.c"]),
    (b"a..b", [b"a..b"]),
    (b"@x", [b"@x"]),
    (b"x@", [b"x@"]),
    (b"\\\\root", [b"\\root"]),
    (b"|cmd", [b"|cmd"]),
    (b"u@[192.0.2.1]", [b"u@[192.0.2.1]"]),
    (b"open <a@b", [b"open<a@b"]),
    ("jörg@exämple.org".encode(), ["jörg@exämple.org".encode()]),
    (b"bad\xff@x", [b"bad\xff@x"]),
]


@pytest.mark.parametrize(("text", "expected"), ADDRESSES)
def test_addresses(text: bytes, expected: list[bytes]) -> None:
    """In internal form, in order."""
    assert addresses_of(text) == expected


HEADERS = [
    (b"To: a@b\nCc: c@d\nBcc: e@f", [b"a@b", b"c@d", b"e@f"]),
    (b"to : a@b\nSubject: x@y", [b"a@b"]),
    (b"To: a@b,\n c@d,\n\te@f", [b"a@b", b"c@d", b"e@f"]),
    (b"To: a@b\nResent-To: r@s\nResent-Bcc: t@u", [b"r@s", b"t@u"]),
    (b"To: a@b\nResent-From: x@y", [b"a@b"]),
    (b"To: a@b\nnot a header\nTo: c@d", [b"a@b"]),
    (b"Subject: x", []),
    (b" To: a@b", []),
]


@pytest.mark.parametrize(("text", "expected"), HEADERS)
def test_header(text: bytes, expected: list[bytes]) -> None:
    """Recipients of the fields that name them; of Resent- fields only, if there are any."""
    header = HeaderRecipients()
    for line in text.split(b"\n"):
        if not header.feed(line):
            break
    header.finish()
    assert header.recipients == expected
