"""What SEARCH finds in headers and bodies."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pillarbox.message.collation import lower_casemap
from pillarbox.message.encoded_words import decode_words
from pillarbox.message.header_fields import fields, unfold
from pillarbox.message.line_ends import to_crlf
from pillarbox.message.text_matching import (
    body_has,
    field_values,
    fold,
    header_has,
    message_has,
    quick_look,
    to_find,
)

WORDS = [
    (b"plain", "plain"),
    (b"=?utf-8?Q?Gr=C3=BC=C3=9Fe_x?=", "Grüße x"),
    (b"=?UTF-8?b?R3LDvMOfZQ==?=", "Grüße"),
    (b"=?iso-8859-1?q?=FC?= =?utf-8?q?x?= y", "üx y"),
    (b"=?utf-8*de?q?x?=", "x"),
    (b"=?utf-8?q?Gr=C3=BC=C3=9Fe an  alle?= =?utf-8?q?!?= x?=", "Grüße an  alle! x?="),
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


LINES = st.lists(
    st.sampled_from(
        [b"to", b"To: a", b"tO \t:b", b"To:", b"\tTo: x", b" y", b"To-Do: z", b"Cc: to: c", b"x\rTo: d", b":"]
    )
)


@given(
    LINES.map(lambda lines: b"".join(line + b"\r\n" for line in lines)),
    st.sampled_from([b"to", b"cc", b"to-do"]),
)
def test_fields_are_found_by_their_names(header: bytes, name: bytes) -> None:
    """The same as going from field to field, whatever stands in the others."""
    assert field_values(header, name) == [
        unfold(field.value)
        for field in fields(header)
        if field.name.lower() == name and b":" in header[field.start : field.end].split(b"\n", 1)[0]
    ]


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
    assert found is body_has(MULTIPART, to_find(text))


SPACES = [
    ("a line end is no blank", "one two", False),
    ("a line end", "one\r\ntwo", True),
    ("as some clients write it", "one\ntwo", True),
    ("nor are two blanks one", "four five", False),
    ("two blanks", "four  five", True),
    ("at the end of a line", "three \r\n", True),
    ("a soft line end is none", "soft line", True),
]


@pytest.mark.parametrize(("text", "found"), [row[1:] for row in SPACES], ids=[row[0] for row in SPACES])
def test_white_space_counts_in_bodies(text: str, *, found: bool) -> None:
    """Where a message says it, and not over the end of a line, as in Dovecot; without regard to CR."""
    plain = b"Subject: x\n\none\ntwo three \nfour  five\nsoft line\n"
    encoded = b"Content-Transfer-Encoding: quoted-printable\n" + plain.replace(b" \n", b"=20\n")
    for stored in (plain, encoded.replace(b"soft ", b"so=\nft ")):
        told = quick_look(to_find(text))(stored)
        assert found is body_has(to_crlf(stored), to_find(text))
        assert found is message_has(to_crlf(stored), to_find(text))
        assert told in (None, found)


def test_text_looks_at_the_header_too() -> None:
    """TEXT: "the header or body of the message", and those of what is in it."""
    assert message_has(MULTIPART, to_find("outer"))
    assert message_has(MULTIPART, to_find("inner"))
    assert message_has(MULTIPART, to_find("image/png"))
    assert message_has(MULTIPART, to_find("subject: outer"))
    assert message_has(MULTIPART, to_find("letter"))
    assert not message_has(MULTIPART, to_find("absent"))


def test_an_encoding_counts_without_mime_version() -> None:
    """As Dovecot reads it."""
    assert body_has(b"Content-Transfer-Encoding: base64\r\n\r\nR3LDvMOfZQ==\r\n", to_find("GRÜßE"))


@given(st.binary(max_size=200))
def test_any_message_can_be_searched(content: bytes) -> None:
    """Broken encodings and charsets are read as far as they go."""
    header = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + content
    assert message_has(header, to_find("boundary"))
    assert message_has(content, to_find("")) is True


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
    [
        "ab",
        "cd",
        "ab cd",
        "subject: ab",
        "subject: cd",
        "s",
        "b a",
        "ſ",
        "aB",
        "tent-type: t",
        " a",
        "ab\r\ncd",
        "ab\nab",
        "\u00a0ab",
    ]
)


@given(st.lists(PIECES, max_size=14).map(b"".join), WANTED)
@example(b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nab\n", "ab")
@example(b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: image/png\n\nab\n", "ab")
@example(b"Content-Type: multipart/mixed; boundary=x\n\nab\n--x\n\n--x--\nab\n--x\n\nab\n", "ab")
@example(b"Content-Type: multipart/digest; boundary=x\n\n--x\n\nSubject: ab\n", "ab")
@example(b"Content-Type: text/plain; charset=utf-16\n\nab", "ab")
@example(b"Content-Type: image/png\n\nab", "ab")
@example(b"Content-Type: image/png\nContent-Type: text/plain\n\nab", "ab")
@example(b"\nContent-Type: text/plain\n\nab", "ab")
def test_the_quick_look_tells_the_truth(stored: bytes, wanted: str) -> None:
    """What it tells is what reading everything would find."""
    text = to_find(wanted)
    content = to_crlf(stored)
    told = quick_look(text)(stored)
    if told is False:
        assert not message_has(content, text)
    if told is not None:
        assert told is body_has(content, text)


def test_the_quick_look_spares_plain_messages() -> None:
    """Of which nothing has to be decoded, and where the text stands in a part that is text."""
    for before in (
        b"Subject: x\n\n",
        b'Content-Type: text/html; charset="UTF-8"\nSubject: x\n\n',
        b'Content-Type: multipart/alternative;\n boundary="X"\n\n--X\n\nother\n--X\nContent-Type: text/html\n\n',
    ):
        assert quick_look(to_find("absent"))(before + b"Present\n") is False
        assert quick_look(to_find("present"))(before + b"Present\n") is True
    for unsure in (
        b"Content-Transfer-Encoding: base64\n\npresent\n",
        b"Content-Type: text/plain; charset=utf-16\n\npresent\n",
        b"Content-Type: application/x\n\npresent\n",
        b"Subject: present\n\nother\n",
    ):
        assert quick_look(to_find("present"))(unsure) is None
