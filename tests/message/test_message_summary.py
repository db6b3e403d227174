"""The quick way to a message's summary gives what the thorough one gives."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.varied_messages import varied_messages
from pillarbox.message.line_ends import to_crlf, to_lf
from pillarbox.message.message_summary import _quick, _thorough, summarise

FIELDS = st.sampled_from(
    [
        b"Subject: a  b", b"Subject:", b"Date: Mon, 1 Jan 2024 10:00:00 +0000", b"From: a@b", b"From: A\n <a@b>",
        b"To: x, y@z", b"Sender: s@t", b"Message-ID: <1@x>", b"MIME-Version: 1.0", b"Content-Type: text/html",
        b"Content-Type: text/plain; charset=utf-8", b"Content-Type:\n image/png; name=x", b"content-type: bad",
        b"Content-Type: multipart/mixed; boundary=b", b"Content-Type: message/rfc822", b"Content-Type: text",
        b"Content-Transfer-Encoding: base64", b"Content-Disposition: attachment; filename=a", b"Content-ID: <i>",
        b"Content-Description: \xc3\xa4", b"Content-Language: de", b"Content-MD5: x", b"Content-Location: l",
        b"Content-Odd: y", b"X-Other: z", b"no field", b" folded", b"Subject : q", b"Cc: g: a@b;",
    ]
)  # fmt: skip


def agree(stored: bytes) -> bool:
    """Whether both ways are the same; also whether the quick one was taken."""
    quick, thorough = _quick(stored), _thorough(to_crlf(stored))
    assert quick in (None, thorough)
    assert thorough == summarise(stored)
    return quick is not None


@given(st.lists(FIELDS, max_size=9), st.binary(max_size=40) | st.text("a\n:", max_size=9).map(str.encode))
def test_any_header_gives_the_same(fields: list[bytes], body: bytes) -> None:
    """Fields in any order, folded, doubled, broken; any body."""
    agree(b"".join(field + b"\n" for field in fields) + b"\n" + body)


LINES = st.sampled_from(
    [
        b"--b", b"--b--", b"--c", b"--c--", b"--bb", b"--b ", b"--", b"", b"", b"text", b"Content-Type: text/html",
        b"Content-Type: multipart/mixed; boundary=c", b"Content-Type: multipart/mixed; boundary=bb", b" folded",
        b"Content-Type: multipart/digest; boundary=c", b"Content-Type: message/rfc822", b"Content-Type: bad",
        b"content-type: image/png; name=x", b"Content-ID: <i>", b"Content-Transfer-Encoding: base64", b"X: y",
        b"Content-Disposition: attachment; filename*=utf-8''a", b"MIME-Version: 1.0", b"Content-Type: multipart",
    ]
)  # fmt: skip
OUTER = st.sampled_from(
    [
        b"multipart/mixed; boundary=b", b'Multipart/Related; type=x; boundary="b"', b"multipart/",
        b"multipart/digest; boundary=b", b"multipart/; boundary=b", b"multipart/mixed", b'multipart/x; boundary=""',
    ]
)  # fmt: skip


@given(
    OUTER,
    st.lists(st.one_of(LINES, LINES.map(lambda line: b"--b\n" + line + b"\n")), max_size=14),
    st.booleans(),
)
def test_any_multipart_gives_the_same(content_type: bytes, lines: list[bytes], ended: bool) -> None:
    """Parts within parts, boundaries that begin alike, closed or not, headers without an end."""
    body = b"\n".join([*lines, b"--b--\n"] if ended else lines)
    agree(b"Subject: x\nContent-Type: %b\n\n%b" % (content_type, body))


@pytest.mark.parametrize("ends", [to_lf, to_crlf], ids=["lf", "crlf"])
def test_varied_messages(ends: Callable[[bytes], bytes]) -> None:
    """What mail is like, and worse."""
    for content in varied_messages(150):
        agree(ends(content))


def test_plain_messages_go_the_quick_way() -> None:
    """Text with the usual fields, as it lies in a Maildir; what needs parsing does not."""
    header = (
        b"From: A <a@b>\nTo: c@d\nSubject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n"
    )
    assert agree(header + b"body\n")
    assert agree(b"Subject: x\n\n")
    assert agree(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n")
    inner = b"Content-Type: multipart/alternative; boundary=c\n\n--c\n\nx\n--c\nContent-Type: text/html\n\n\n--c--\n"
    assert agree(
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n%b\n--b\nContent-Type: image/png\n\n\n--b--"
        % inner
    )
    assert not agree(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b \n\nx\n--b--\n")
    assert not agree(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n")
    assert not agree(b"Content-Type: multipart/mixed; boundary=c\n\n--c\n%b\n--c--\n" % inner)
    assert not agree(b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: y\n\nx\n--b--\n")
    assert not agree(b"Content-Type: message/rfc822\n\nSubject: y\n\nz\n")
    assert not agree(b"\nno header\n")
    assert not agree(b"\nno header\n\nbut several paragraphs\n")
    assert not agree(b"Subject: x\r\n\r\nbody\r\n")
