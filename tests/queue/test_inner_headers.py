"""Headers within a message that are not ASCII."""

import tracemalloc

import pytest

from pillarbox.queue.inner_headers import InnerHeaders

MIXED = "Content-Type: multipart/mixed; boundary=b\n\n"
NESTED = "--b\nContent-Type: message/rfc822\n\n"
CASES = [
    ("its own header is another's business", "Subject: gr\u00fcn\n\nbody\n", False),
    ("a body", "A: b\n\nSubject: gr\u00fcn\n", False),
    ("a part's header", MIXED + "--b\nX: gr\u00fcn\n\nbody\n--b--\n", True),
    ("a part's body", MIXED + "--b\nX: y\n\ngr\u00fcn\n--b--\n", False),
    ("an attached message's", MIXED + NESTED + "Subject: x\n gr\u00fcn\n\nbody\n--b--\n", True),
    ("an attached message's body", MIXED + NESTED + "Subject: x\n\ngr\u00fcn\n--b--\n", False),
    ("a message that is all of it", "Content-Type: message/global\n\nX: gr\u00fcn\n\nb\n", True),
    ("headers alone are text", MIXED + "--b\nContent-Type: text/rfc822-headers\n\nX: gr\u00fcn\n", False),
    ("behind the end", MIXED + "--b\n\nx\n--b--\nX: gr\u00fcn\n\n", False),
    ("no field", MIXED + "--b\nno field\nX: gr\u00fcn\n\n", False),
    ("no field, but a boundary", MIXED + "--b\n--b\nX: gr\u00fcn\n\n", True),
    ("far behind in a line", MIXED + f"--b\nX: {'y' * 20_000}\u00fc{'z' * 9_000}\n\n", True),
    ("far behind in a field", MIXED + "--b\nX: y\n" + f" {'y' * 90}\n" * 900 + " \u00fc\n\n", True),
    ("behind header_size_limit", MIXED + f"--b\nX: {'y' * 102_397}\u00fc\n\n", False),
    ("behind it in a field", MIXED + "--b\nX: y\n" + f" {'y' * 90}\n" * 1_200 + " \u00fc\n\n", False),
]


@pytest.mark.parametrize(("message", "found"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_what_is_header(message: str, found: bool) -> None:
    """In whatever pieces it comes."""
    octets = message.replace("\n", "\r\n").encode()
    for step in (len(octets), 4096, *((1, 7) if len(octets) < 1000 else ())):
        inner = InnerHeaders()
        for at in range(0, len(octets), step):
            inner.feed(octets[at : at + step])
        assert inner.has_utf8 == found, step


ENCODED = "Content-Transfer-Encoding:"
ENCODINGS = [
    ("a part", MIXED + f"--b\n{ENCODED} 8bit\n\nx\n--b--\n", True),
    ("one of several", MIXED + f"--b\n{ENCODED} BINARY\n\nx\n--b\n{ENCODED} 7bit\n\nx\n--b--\n", True),
    ("an attached message", MIXED + NESTED + f"{ENCODED}\n\t8bit\n\nx\n--b--\n", True),
    ("another encoding", MIXED + f"--b\n{ENCODED} base64\n\nx\n--b--\n", False),
    ("something behind it", MIXED + f"--b\n{ENCODED} 8bit (yes)\n\nx\n--b--\n", False),
    ("a body", MIXED + f"--b\n\n{ENCODED} 8bit\n--x\n{ENCODED} 8bit\n\n--b--\n", False),
    ("a body of dashes", MIXED + f"--b\n\n-\n--\n---\n-\n--b\n{ENCODED} 8bit\n\nx\n--b--\n", True),
    (
        "nested parts",
        MIXED + f"--b\nContent-Type: multipart/x; boundary=bc\n\n--b\n--bc\n\n--bd\n--bc\n{ENCODED} 8bit\n\n",
        True,
    ),
    (
        "parts of other names",
        MIXED + f"--b\nContent-Type: multipart/x; boundary=c\n\n-\n--d\n--c\n{ENCODED} 8bit\n\n",
        True,
    ),
    ("behind long lines", MIXED + f"--b\n\n{'x' * 9_000}\n{'y--b' * 9_000}\n--b\n{ENCODED} 8bit\n\n", True),
]


@pytest.mark.parametrize(
    ("message", "found"), [row[1:] for row in ENCODINGS], ids=[row[0] for row in ENCODINGS]
)
def test_parts_in_eight_bits(message: str, found: bool) -> None:
    """The same from the body on, and in whatever pieces it comes."""
    octets = message.replace("\n", "\r\n").encode()
    header, _, body = octets.partition(b"\r\n\r\n")
    for step in (len(octets), 4096, *((1, 2, 3, 7) if len(octets) < 1000 else ())):
        inner, behind = InnerHeaders(), InnerHeaders()
        behind.begin_in_body([header.partition(b":")[2]], at_empty_line=True)
        for at in range(0, len(octets), step):
            inner.feed(octets[at : at + step])
        for at in range(0, len(body), step):
            behind.feed(body[at : at + step])
        assert (inner.is_eight_bit, behind.is_eight_bit) == (found, found), step


def test_a_line_without_end_is_not_kept() -> None:
    """It is no header that anybody could read."""
    inner = InnerHeaders()
    inner.feed(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: ")
    for _ in range(100):
        inner.feed(b"y" * 2000)
    inner.feed(b"\r\nZ: \xc3\xbc\r\n\r\n")
    assert inner.has_utf8


def test_a_field_without_end_is_not_kept() -> None:
    """As many lines as it may have."""
    inner = InnerHeaders()
    inner.feed(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: y\r\n")
    tracemalloc.start()
    try:
        for _ in range(100):
            inner.feed((b" %b\r\n" % (b"y" * 98)) * 100)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 400_000
    inner.feed(b"Z: \xc3\xbc\r\n\r\n")
    assert inner.has_utf8
