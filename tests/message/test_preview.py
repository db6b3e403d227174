"""The first words of a message."""

import pytest

from pillarbox.message.mime_tree import parse
from pillarbox.message.part_content import decoded_body
from pillarbox.message.preview import MAX_CHARACTERS, preview

HTML = b"Content-Type: text/html\r\n\r\n"
MIXED = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b"
    + 2 * b"\r\nContent-Type: %b\r\n\r\n%b\r\n--b"
    + b"--\r\n"
)
ALTERNATIVE = MIXED.replace(b"mixed", b"alternative")
CASES = [
    ("plain", b"Subject: x\r\n\r\nHello,\r\n  world \r\n", "Hello, world"),
    ("empty", b"Subject: x\r\n\r\n", ""),
    ("quotation", b"\r\n> old\r\nnew\r\n> older\r\n", "new"),
    ("nothing but quotation", b"\r\n> old\r\n> older\r\n", ">old older"),
    ("a calendar", b"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n", "BEGIN:VCALENDAR"),
    ("no text", b"Content-Type: application/pdf\r\n\r\n%PDF\r\n", ""),
    ("html", HTML + b"<html><head><title>t</title></head><body><p>Hello <b>wor</b>ld</p>!&amp;</body>", "t Hello wor ld !&"),
    ("script", HTML + b"<script>var x = '<b>';</script>text<style>p {}</style>", "text"),
    ("comment", HTML + b"a<!-- no <b> -->b<!-- open", "ab"),
    ("blockquote", HTML + b"new<blockquote>old</blockquote>", "new"),
    ("only a blockquote", HTML + b"<blockquote>old</blockquote>", ">old"),
    ("broken tags", HTML + b"a <b <i>c</i> < d", "a <b c < d"),
    ("> in quotes", HTML + b"<p title='a>b'>c<img alt=\"d>\">e", "c e"),
    ("a quote in quotes", HTML + b'<p title="it\'s>">c', "c"),
    ("quotes that do not close", HTML + b"<p title='a>b<i>c</i>", "b c"),
    ("the last tag cut short", HTML + b"text<img src='x", "text"),
    ("a mark of the order of octets", b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xef\xbb\xbfHello\r\n", "Hello"),
    ("such a mark in the middle", b"Content-Type: text/plain; charset=utf-8\r\n\r\nHel\xef\xbb\xbflo\r\n", "Hello"),
    ("blanks that are not ASCII's", HTML + b"a&nbsp;&nbsp; b\x1ec\vd\f", "a\u00a0\u00a0 b\x1ec d"),
    ("nothing but a blank", HTML + b"<body>&nbsp;</body>", ""),
    ("a title", HTML + b"<title>One</title><b>T</b>wo", "One T wo"),
    ("a script that holds tags", HTML + b"a<SCRIPT>x</style>y</SCRIPT >z<style>", "a z"),
    ("quotations in a page", HTML + b"a\r\n>b\r\nc", "a c"),
    ("entities that are none", HTML + b"a & b &foo; &ltc", "a & b &foo; <c"),
    ("markup before its plain alternative", ALTERNATIVE % (b"text/html", b"<b>a</b>", b"text/plain", b"b"), "b"),
    ("a calendar before the page", ALTERNATIVE % (b"text/calendar", b"BEGIN", b"text/html", b"<b>b</b>"), "b"),
    ("a plain alternative without words", ALTERNATIVE % (b"text/html", b"<b>a</b>", b"text/plain", b" "), "a"),
    ("parts that are no alternatives", MIXED % (b"text/html", b"<b>a</b>", b"text/plain", b"b"), "a"),
    ("an empty quotation", b"\r\n>\r\n> \r\n", ""),
    ("an empty blockquote", HTML + b"<blockquote> </blockquote>", ""),
    ("a quotation in a blockquote", HTML + b"<blockquote>\r\n>a\r\n>b</blockquote>", ">a b"),
    ("a number of many digits", HTML + b"a&#" + b"1" * 5000 + b";b", "a\ufffdb"),
    ("a number of many noughts", HTML + b"a&#" + b"0" * 5000 + b"65b&#x41;&#65", "aAbAA"),
    ("CDATA", HTML + b"a<![CDATA[b<i>&amp;</i>]]>c<![cdata[d", "ab<i>&amp;</i>cd"),
    ("a condition for one browser", HTML + b"<![if mso]>a<![endif]>b", "a b"),
    ("a character that is cut off", b"Content-Type: text/plain; charset=utf-8\r\n\r\nab\xe2\x82", "ab"),
    ("a charset's character that is cut off", b"Content-Type: text/plain; charset=utf-16\r\n\r\na\0b\0c", "ab"),
    ("what cannot be read", b"Content-Type: text/plain; charset=utf-8\r\n\r\na\xff\xfe\xffb", "a\ufffdb"),
    ("base64", b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n", "Hello"),
    ("a digest", MIXED.replace(b"mixed", b"digest").replace(b"Content-Type: %b", b"") % (b"Subject: in\r\n\r\na", b""), "Subject: in a"),
    ("a digest that names types", MIXED.replace(b"mixed", b"digest") % (b"message/rfc822", b"\r\na", b"text/plain", b"b"), "b"),
    (
        "multipart",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b\r\n"
        b"Content-Type: message/rfc822\r\n\r\n\r\ninner\r\n--b\r\n\r\nouter\r\n--b--\r\n",
        "outer",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_preview(content: bytes, expected: str) -> None:
    """What a list of messages shows."""
    assert expected == preview(content).decode()


def test_it_is_short() -> None:
    """RFC 8970 §3.1; characters, not octets."""
    shown = preview(b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "ü".encode() * 1000).decode()
    assert "ü" * MAX_CHARACTERS == shown


def test_a_hostile_page_takes_no_time() -> None:
    """Tags and comments without end: every octet is looked at once."""
    for text in (b"<" * 100_000, b"<a" * 50_000, b"<!--" * 25_000, b"<style>" * 10_000, b"<!x" * 30_000):
        assert len(preview(HTML + text).decode()) <= MAX_CHARACTERS


@pytest.mark.parametrize("unit", [b" ", b"<a '", b'<a "', b"<!", b"&", b">\r\n"])
@pytest.mark.parametrize("encoding", [b"7bit", b"quoted-printable"])
def test_what_repeats_without_end_is_read_once(encoding: bytes, unit: bytes) -> None:
    """Blanks that end no line, tags that do not end: minutes or hours if each were a new beginning."""
    header = b"Content-Type: text/html\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n"
    content = header + unit * (1_000_000 // len(unit)) + b"x"
    assert len(preview(content).decode()) <= MAX_CHARACTERS
    assert decoded_body(content, parse(content)).endswith(b"x")
