"""What happens to a header on its way into the queue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.queue.message_header import HeaderCleaner, cut_fields

DROPPED = frozenset((b"bcc", b"content-length", b"resent-bcc", b"return-path"))


def missing(prefix: bytes, names: frozenset[bytes]) -> bytes:
    """Says what it was asked."""
    return b"%sAdded: %s\r\n" % (prefix, b",".join(sorted(names)))


def cleaned(
    message: bytes, *, step: int = 0, add: bool = False, limit: int = 1000
) -> tuple[bytes, HeaderCleaner]:
    cleaner = HeaderCleaner(dropped=DROPPED, size_limit=limit, missing=missing if add else None)
    out = b""
    for at in range(0, len(message), step or len(message) or 1):
        out += cleaner.feed(message[at : at + (step or len(message))])
    return out + cleaner.finish(), cleaner


CASES = [
    ("untouched", b"A: 1\r\nB: 2\r\n\r\nbody\r\n", b"A: 1\r\nB: 2\r\n\r\nbody\r\n"),
    ("dropped", b"Bcc: x\r\nA: 1\r\nreturn-path: <x>\r\nRESENT-BCC : y\r\n\r\nb\r\n", b"A: 1\r\n\r\nb\r\n"),
    ("dropped with its folds", b"A: 1\r\nBcc: x,\r\n y,\r\n\tz\r\nB: 2\r\n\r\nb\r\n", b"A: 1\r\nB: 2\r\n\r\nb\r\n"),
    ("nothing dropped from the body", b"A: 1\r\n\r\nBcc: x\r\n", b"A: 1\r\n\r\nBcc: x\r\n"),
    ("folded", b"A: 1\r\n 2\r\n\t3\r\n\r\nb\r\n", b"A: 1\r\n 2\r\n\t3\r\n\r\nb\r\n"),
    ("an mbox line", b"From a@b Mon\r\nA: 1\r\n\r\nb\r\n", b"X-Mailbox-Line: From a@b Mon\r\nA: 1\r\n\r\nb\r\n"),
    ("mbox lines", b">From a\r\n>>From b\r\nA: 1\r\n\r\n", b"X-Mailbox-Line: >From a\r\nX-Mailbox-Line: >>From b\r\nA: 1\r\n\r\n"),
    ("text behind an mbox line", b"From a\r\n b\r\n", b"X-Mailbox-Line: From a\r\n\r\n b\r\n"),
    ("nothing but an mbox line", b"From a", b"X-Mailbox-Line: From a\r\n"),
    ("a quoted mbox line", b">From a\r\nA: 1\r\n\r\n", b"X-Mailbox-Line: >From a\r\nA: 1\r\n\r\n"),
    ("From: is no mbox line", b"From: a@b\r\n\r\nb\r\n", b"From: a@b\r\n\r\nb\r\n"),
    ("no header", b"\r\nbody\r\n", b"\r\nbody\r\n"),
    ("no header and no empty line", b"body\r\nmore\r\n", b"\r\nbody\r\nmore\r\n"),
    ("text that interrupts", b"A: 1\r\nno header\r\nB: 2\r\n\r\nb\r\n", b"A: 1\r\n\r\nno header\r\nB: 2\r\n\r\nb\r\n"),
    ("no body", b"A: 1\r\n", b"A: 1\r\n"),
    ("no body, empty line", b"A: 1\r\n\r\n", b"A: 1\r\n\r\n"),
    ("nothing", b"", b""),
    ("an empty line", b"\r\n", b"\r\n"),
    ("no line end", b"A: 1", b"A: 1\r\n"),
    ("a very long field", b"A: " + b"x" * 1200 + b"\r\nB: 2\r\n\r\n", b"A: " + b"x" * 997 + b"\r\nB: 2\r\n\r\n"),
    ("a long field's last line, begun within", b"A: " + b"x" * 890 + b"\r\n " + b"y" * 200 + b"\r\n\r\n", b"A: " + b"x" * 890 + b"\r\n " + b"y" * 105 + b"\r\n\r\n"),
    ("a long field's last line, begun at its end", b"A: " + b"x" * 898 + b"\r\n " + b"y" * 200 + b"\r\nB: 2\r\n\r\n", b"A: " + b"x" * 898 + b"\r\nB: 2\r\n\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_headers(message: bytes, expected: bytes) -> None:
    """The same in whatever pieces the message comes."""
    for step in (0, 1, 2, 7):
        assert cleaned(message, step=step)[0] == expected, step


ADDED = [
    (b"A: 1\r\nFrom: x\r\n\r\nb\r\n", b"A: 1\r\nFrom: x\r\nAdded: a,from\r\n\r\nb\r\n"),
    (b"Resent-To: x\r\n\r\nb\r\n", b"Resent-To: x\r\nResent-Added: resent-to\r\n\r\nb\r\n"),
    (b"\r\nb\r\n", b"Added: \r\n\r\nb\r\n"),
    (b"body\r\n", b"Added: \r\n\r\nbody\r\n"),
    (b"A: 1\r\n", b"A: 1\r\nAdded: a\r\n"),
]


@pytest.mark.parametrize(("message", "expected"), ADDED)
def test_missing_headers_are_added_at_the_end_of_the_header(message: bytes, expected: bytes) -> None:
    """Resent- ones for a message that was resent (RFC 5322 §3.6.6)."""
    for step in (0, 1, 3):
        assert cleaned(message, step=step, add=True)[0] == expected


def test_hops_and_message_id_are_known() -> None:
    """Received: fields are counted in the header only; the id comes without its folding."""
    message = b"Received: a\r\nreceived: b\r\n c\r\nMessage-Id:\r\n <1@x>\r\n\r\nReceived: d\r\n"
    for step in (0, 1):
        _, cleaner = cleaned(message, step=step)
        assert (cleaner.hops, cleaner.message_id) == (2, b"<1@x>")


def test_a_resent_message_has_the_id_of_the_message() -> None:
    """Message-Id: comes before Resent-Message-Id:, wherever it stands."""
    for message in (
        b"Message-Id: <1>\r\nResent-Message-Id: <2>\r\n\r\n",
        b"Resent-Message-Id: <2>\r\nMessage-Id: <1>\r\n\r\n",
    ):
        assert cleaned(message)[1].message_id == b"<1>"
    assert cleaned(b"Resent-Message-Id: <2>\r\n\r\n")[1].message_id == b"<2>"


def test_an_endless_header_is_not_kept() -> None:
    """Fields are passed on, and a field without end is cut; memory stays bounded."""
    for message in (b"A: x\r\n" * 200_000, b"A: " + b"x" * 1_000_000):
        cleaner = HeaderCleaner(dropped=DROPPED, size_limit=1000)
        out = 0
        for at in range(0, len(message), 50_000):
            out += len(cleaner.feed(message[at : at + 50_000]))
            assert len(cleaner._held) <= 262144 + 50_000
        out += len(cleaner.finish())
        assert out in (len(message), 1002)


LINE = st.sampled_from([b"A: 1", b" fold", b"Bcc: x", b"", b"text", b"From a", b"Received: x", b"B:", b"\tx"])


@given(st.lists(LINE, max_size=10), st.integers(1, 20))
def test_any_chunking_gives_the_same_message(lines: list[bytes], step: int) -> None:
    """And the body is never touched."""
    message = b"".join(line + b"\r\n" for line in lines)
    whole, _ = cleaned(message)
    assert cleaned(message, step=step)[0] == whole
    body = message.partition(b"\r\n\r\n")[2]
    assert whole.endswith(body)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"TLS-Required: no", True),
        (b"tls-required:\r\n No \t", True),
        (b"TLS-Required: yes", False),
        (b"TLS-Required: no way", False),
        (b"TLS-Required:", False),
        (b"X: TLS-Required: no", False),
        (b"A: b\r\n\r\nTLS-Required: no", False),
    ],
)
def test_senders_that_need_no_tls(header: bytes, expected: bool) -> None:
    """RFC 8689 §5: this word, in the message's own header."""
    message = b"A: 1\r\n" + header + b"\r\n\r\nbody\r\n"
    for step in (0, 1, 5):
        out, cleaner = cleaned(message, step=step)
        assert cleaner.tls_optional is expected
        assert out == message


def test_what_stands_in_front_is_cut_too() -> None:
    """header_size_limit: a line's end is one octet; little of the last line is not worth a cut within it."""
    header = b"Received: a\r\n\tby b\r\nB: 1\r\n"
    assert cut_fields(header, 14) == b"Received: a\r\n\tb\r\nB: 1\r\n"
    assert cut_fields(header, 12) == b"Received: a\r\nB: 1\r\n"
    assert cut_fields(header, 17) == header
