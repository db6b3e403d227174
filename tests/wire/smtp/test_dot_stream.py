"""Message content after DATA and BDAT: where it ends, and what is smuggled in it."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pillarbox.wire.smtp.dot_stream import BareNewline, DataReader, LineEndReader

CLEAN = [
    ("empty", b".\r\n", b"", b""),
    ("one line", b"a\r\n.\r\n", b"a\r\n", b""),
    ("a dot line", b"a\r\n..\r\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n", b""),
    ("a dot line first", b"..\r\n.\r\n", b".\r\n", b""),
    ("a line with a dot first", b"..a\r\n.b\r\n.\r\n", b".a\r\nb\r\n", b""),
    ("three dots", b"...\r\n.\r\n", b"..\r\n", b""),
    ("dots inside", b"a.b\r\na..\r\n.\r\n", b"a.b\r\na..\r\n", b""),
    ("empty lines", b"\r\n\r\n.\r\n", b"\r\n\r\n", b""),
    ("the next command", b"a\r\n.\r\nQUIT\r\n", b"a\r\n", b"QUIT\r\n"),
    ("another dot behind", b".\r\n.\r\n", b"", b".\r\n"),
    ("8-bit and NUL", b"\xff\0\r\n.\r\n", b"\xff\0\r\n", b""),
    ("a CR inside", b"a\rb\r\n.\r\n", b"a\rb\r\n", b""),
    ("a dot before CR alone", b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n", b""),
]


@pytest.mark.parametrize("mode", BareNewline)
@pytest.mark.parametrize(
    ("stream", "content", "rest"), [row[1:] for row in CLEAN], ids=[row[0] for row in CLEAN]
)
def test_content_without_bare_newlines(stream: bytes, content: bytes, rest: bytes, mode: BareNewline) -> None:
    """RFC 5321 §4.5.2, the same in every mode, in one piece or in many."""
    for step in (len(stream), 1, 2, 3):
        reader, out, unread = read(stream, step, mode)
        assert (out, unread) == (content, rest)
        assert not reader.bare_newline_seen


MANY_CRS = [  # name, stream, content, the same under no
    ("two CRs before LF", b"a\r\r\n.\r\n", b"a\r\r\n", b"a\r\n"),
    ("two CRs and a CR inside", b"a\rb\r\r\n.\r\n", b"a\rb\r\r\n", b"a\rb\r\n"),
    ("a dot and two CRs", b"a\r\n.\r\r\n.\r\n", b"a\r\n\r\r\n", b"a\r\n"),
]


@pytest.mark.parametrize(
    ("stream", "content", "under_no"), [row[1:] for row in MANY_CRS], ids=[row[0] for row in MANY_CRS]
)
def test_crs_before_a_line_end(stream: bytes, content: bytes, under_no: bytes) -> None:
    """CR CR LF: one CR belongs to the line end; under no all do, as in Postfix."""
    for mode in BareNewline:
        for step in (len(stream), 1, 2, 3):
            _, out, _ = read(stream, step, mode)
            assert out == (under_no if mode is BareNewline.NO else content)


# What servers have been fooled with (SMTP smuggling, 2023): stream, content under normalize, content under no.
SMUGGLED = [
    ("LF . LF", b"a\n.\nEVIL\r\n.\r\n", b"a\r\nEVIL\r\n", b"a\r\n"),
    ("LF . CRLF", b"a\n.\r\nEVIL\r\n.\r\n", b"a\r\nEVIL\r\n", b"a\r\n"),
    ("CRLF . LF", b"a\r\n.\nEVIL\r\n.\r\n", b"a\r\nEVIL\r\n", b"a\r\n"),
    ("CR . CR", b"a\r.\rEVIL\r\n.\r\n", b"a\r.\rEVIL\r\n", b"a\r.\rEVIL\r\n"),
    ("CRLF . CR", b"a\r\n.\rEVIL\r\n.\r\n", b"a\r\n\rEVIL\r\n", b"a\r\n\rEVIL\r\n"),
    ("CR . CRLF", b"a\r.\r\nEVIL\r\n.\r\n", b"a\r.\r\nEVIL\r\n", b"a\r.\r\nEVIL\r\n"),
    ("NUL dot", b"a\r\n\0.\r\nEVIL\r\n.\r\n", b"a\r\n\0.\r\nEVIL\r\n", b"a\r\n\0.\r\nEVIL\r\n"),
    ("first line . LF", b".\nEVIL\r\n.\r\n", b"EVIL\r\n", b""),
    ("LF alone", b"a\nb\r\n.\r\n", b"a\r\nb\r\n", b"a\r\nb\r\n"),
    ("dot line between bare ones", b"a\n..\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n", b"a\r\n.\r\nb\r\n"),
    ("bare, then a true end", b"a\n\r\n.\r\n", b"a\r\n\r\n", b"a\r\n\r\n"),
    ("an end behind a bare line only", b"a\n.\r\n.\r\n", b"a\r\n", b"a\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("stream", "normal", "lenient"), [row[1:] for row in SMUGGLED], ids=[row[0] for row in SMUGGLED]
)
def test_smuggled_ends_end_nothing(stream: bytes, normal: bytes, lenient: bytes) -> None:
    """Under normalize and reject only CRLF.CRLF ends a message, and no line `.` is left for the next server."""
    is_bare = stream.count(b"\n") != stream.count(b"\r\n")
    before = re.match(rb"(?:[^\n]*\r\n)*", stream)
    assert before is not None
    refused = before[0] if is_bare else normal  # from the line on that ends so, nothing is kept
    for mode, content in (
        (BareNewline.NORMALIZE, normal),
        (BareNewline.REJECT, refused),
        (BareNewline.NO, lenient),
        (BareNewline.NOTE, lenient),
    ):
        for step in (len(stream), 1, 2, 3, 4):
            reader, out, _ = read(stream, step, mode)
            assert out == content, mode
            assert reader.bare_newline_seen is is_bare


def read(stream: bytes, step: int, mode: BareNewline) -> tuple[DataReader, bytes, bytes]:
    """Feed a stream in pieces; content, and what was not taken."""
    reader, out, at = DataReader(mode), b"", 0
    while at < len(stream) and not reader.ended:
        out += reader.feed(stream[at : at + step])
        at += step
    assert reader.ended
    return reader, out, reader.take_unread() + stream[at:]


def by_lines(stream: bytes, mode: BareNewline) -> tuple[bytes, bool]:
    """The rule, line by line: content, and whether it ended."""
    content, previous_crlf, refused = b"", True, False
    for line in stream.split(b"\n")[:-1]:
        crlf = line.endswith(b"\r")
        refused = refused or (mode is BareNewline.REJECT and not crlf)
        line = line.removesuffix(b"\r")
        if line == b".":
            if mode in (BareNewline.NO, BareNewline.NOTE) or (crlf and previous_crlf):
                return content, True
        elif not refused:
            content += line.removeprefix(b".") + b"\r\n"
        previous_crlf = crlf
    return content, False


PIECES = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"\r\n.\r\n", b"a", b"xyz", b"\0"]), max_size=24
)


@given(PIECES, st.lists(st.integers(1, 5), min_size=1, max_size=8), st.sampled_from(BareNewline))
@example([b"\n", b".", b"\r\n.\r\n"], [1], BareNewline.NORMALIZE)
def test_any_chunking_is_reading_line_by_line(
    pieces: list[bytes], steps: list[int], mode: BareNewline
) -> None:
    """Whole chunks, odd chunks and single octets give what the rule gives."""
    stream = b"".join(pieces)
    reader, out, at = DataReader(mode), b"", 0
    while at < len(stream) and not reader.ended:
        step = steps[at % len(steps)]
        out += reader.feed(stream[at : at + step])
        at += step
    assert (out, reader.ended) == by_lines(stream, mode)


@given(st.integers(60_000, 140_000), st.integers(1000, 70_000), st.booleans())
def test_a_line_without_end_is_passed_on(length: int, step: int, dotted: bool) -> None:
    """Memory stays bounded, and the line comes out whole; a dot inside it is no end."""
    line = (b".." if dotted else b"") + b"x" * length
    stream = line + b"\r\n.\r\n"
    reader, out, held = DataReader(), b"", 0
    for at in range(0, len(stream), step):
        out += reader.feed(stream[at : at + step])
        held = max(held, at + step - len(out))
    assert out == line.removeprefix(b".") + b"\r\n"
    assert held <= 65536 + step + 8


def test_nothing_is_fed_after_the_end() -> None:
    """What follows is a command; to take it for content would be our bug."""
    reader = DataReader()
    reader.feed(b".\r\n")
    with pytest.raises(AssertionError):
        reader.feed(b"x")


def test_a_long_line_is_passed_on_at_once() -> None:
    """Behind other lines, too; the next line begins anew, whatever ends this one."""
    reader = DataReader(BareNewline.NOTE)
    assert reader.feed(b"a\r\n" + b"x" * 65_536) == b"a\r\n"
    assert reader.feed(b"x") == b"x" * 65_537
    assert reader.feed(b"\n..b\r\n.\r\n") == b"\r\n.b\r\n"
    assert reader.ended
    assert DataReader().feed(b"a\r\n" + b"x" * 65_537) == b"a\r\n" + b"x" * 65_537


@given(PIECES, st.integers(1, 5), st.sampled_from(BareNewline))
def test_chunks_have_crlf_line_ends(pieces: list[bytes], step: int, mode: BareNewline) -> None:
    """BDAT: dots mean nothing, a bare LF becomes CRLF, in any chunking; nothing behind it is given under reject."""
    stream = b"".join(pieces)
    reader = LineEndReader(mode)
    out = b"".join(reader.feed(stream[at : at + step]) for at in range(0, len(stream), step))
    out += reader.feed(b"", final=True)
    if mode is BareNewline.NO:
        stream = re.sub(rb"\r+\n", b"\r\n", stream)
    bare = re.search(rb"(?<!\r)\n", stream)
    if mode is BareNewline.REJECT and bare is not None:
        assert stream[: bare.start()].startswith(out)
        assert len(out) >= stream.rfind(b"\n", 0, bare.start()) + 1
    else:
        assert out == stream.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert reader.bare_newline_seen is (bare is not None)


def test_crs_without_end_take_no_room() -> None:
    """What may be the end of a line is held back, but only so much of it; twice as many are no more than twice the work."""
    reader = LineEndReader(BareNewline.NO)
    assert b"".join(reader.feed(b"\r" * 10_000) for _ in range(20)) == b""
    assert reader.feed(b"x", final=True) == b"\r" * 65_536 + b"x"
    assert reader.feed(b"\r" * 2_000_000 + b"x") == b"\r" * 2_000_000 + b"x"
