"""What SEARCH finds in headers and bodies."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.message.collation import lower_casemap
from pillarbox.message.encoded_words import decode_words
from pillarbox.message.line_ends import to_crlf
from pillarbox.message.text_matching import body_has, fold, header_has, may_hold, message_has

WORDS = [
    (b"plain", "plain"),
    (b"=?utf-8?Q?Gr=C3=BC=C3=9Fe_x?=", "Grüße x"),
    (b"=?UTF-8?b?R3LDvMOfZQ==?=", "Grüße"),
    (b"=?iso-8859-1?q?=FC?= =?utf-8?q?x?= y", "üx y"),
    (b"=?utf-8*de?q?x?=", "x"),
    (b"=?x-unknown?q?a=C3=BC?=", "aü"),
    (b"=?x-unknown?q?a=FC?=", "a\ufffd"),
    (b"=?utf-8?b?R3L?=", "Gr"),
    (b"=?broken", "=?broken"),
    ("ü".encode(), "ü"),
    (b"\xff", "\N{REPLACEMENT CHARACTER}"),
]


@pytest.mark.parametrize(("value", "text"), WORDS)
def test_encoded_words(value: bytes, text: str) -> None:
    """RFC 2047, with what senders make of it."""
    assert text == decode_words(value)


def test_header_fields_match_without_case_and_folding() -> None:
    """ "The matching is case-insensitive"; folded lines are one."""
    header = b"Subject: Hello\r\n  World =?utf-8?q?=C3=9C?=\r\nTo: a\r\n\r\n"
    assert header_has(header, b"subject", fold("HELLO world ü"))
    assert not header_has(header, b"to", fold("hello"))
    assert header_has(header, b"to", "")
    assert not header_has(header, b"cc", "")


MULTIPART = (
    b"Subject: outer\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\npreamble\r\n"
    b"--x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nso=\r\nft =C3=BC\r\n"
    b"--x\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+/Dwv\r\nYj4=\r\n"
    b"--x\r\nContent-Type: image/png\r\n\r\npicture\r\n"
    b"--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nletter\r\n--x--\r\n"
)
FOUND = [
    ("quoted-printable over lines", "soft ü", True),
    ("base64 in Latin-1", "<b>ü</b>", True),
    ("a message within", "letter", True),
    ("its header", "inner", False),
    ("a header of a part", "image/png", False),
    ("what is no text", "picture", False),
    ("the message's own header", "outer", False),
    ("nothing", "", True),
    ("what is not there", "absent", False),
]


@pytest.mark.parametrize(("text", "found"), [row[1:] for row in FOUND], ids=[row[0] for row in FOUND])
def test_bodies(text: str, *, found: bool) -> None:
    """BODY looks at text parts, decoded."""
    assert found is body_has(MULTIPART, fold(text))


def test_text_looks_at_the_header_too() -> None:
    """TEXT: "the header or body of the message", and those of what is in it."""
    assert message_has(MULTIPART, "outer")
    assert message_has(MULTIPART, "inner")
    assert message_has(MULTIPART, "image/png")
    assert message_has(MULTIPART, "subject: outer")
    assert message_has(MULTIPART, "letter")
    assert not message_has(MULTIPART, "absent")


def test_an_encoding_counts_without_mime_version() -> None:
    """As Dovecot reads it."""
    assert body_has(b"Content-Transfer-Encoding: base64\r\n\r\nR3LDvMOfZQ==\r\n", fold("GRÜßE"))


@given(st.binary(max_size=200))
def test_any_message_can_be_searched(content: bytes) -> None:
    """Broken encodings and charsets are read as far as they go."""
    header = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + content
    assert message_has(header, "boundary")
    assert message_has(content, "") is True


@given(st.text("ab \t\n\u00a0\u2003ßKſ", max_size=12))
def test_folding_leaves_single_blanks(text: str) -> None:
    """Without case, and every run of white space is one blank, at the ends, too."""
    assert re.sub(r"\s+", " ", lower_casemap(text)) == fold(text)


PIECES = st.sampled_from(
    [
        b"ab", b"Ab cd", b" ", b"\n", b"\n\n", b"Subject: ab\n", b"Subject : cd\n", b"=?utf-8?q?a=62?=", b"=61b", b"YWI=",
        b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n", b"\xc5\xbf", b"+AGE-b",
        b"Content-Type: text/plain; charset=utf-7\n", b"Content-Type: multipart/mixed; boundary=x\n", b"--x\n", b"--x--\n",
        b"Content-Type: text/plain; charset=utf-16\n", b"a\0b\0", b"Content-Type: message/rfc822\n", b"s", b"\x1b$B",
    ]
)  # fmt: skip
WANTED = st.sampled_from(
    ["ab", "cd", "ab cd", "subject: ab", "subject: cd", "s", "b a", "ſ", "aB", "tent-type: t", " a"]
)


@given(st.lists(PIECES, max_size=14).map(b"".join), WANTED)
def test_what_cannot_hold_a_text_does_not(stored: bytes, wanted: str) -> None:
    """The quick look refuses nothing that reading everything would find."""
    text = fold(wanted)
    content = to_crlf(stored)
    if message_has(content, text) or body_has(content, text):
        assert may_hold(text)(stored)


def test_the_quick_look_spares_plain_messages() -> None:
    """What is ASCII and not encoded is not decoded in vain."""
    assert not may_hold("absent")(b"Subject: x\n\npresent\n")
    assert may_hold("present")(b"Subject: x\n\npresent\n")
    assert may_hold("absent")(b"Content-Transfer-Encoding: base64\n\nYWJz\n")
