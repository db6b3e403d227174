"""Content in blocks: what the lines one by one are, for any records and any window."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pillarbox.queue import content_blocks
from pillarbox.queue.content_blocks import content_text, crlf_blocks, lf_blocks
from pillarbox.queue.content_lines import read_content
from pillarbox.queue.records import BytesSource, CorruptQueueFile, Source, encode_record

EVERY_OCTET = bytes(octet for octet in range(256) if octet not in b"\r\n")

LINES = st.tuples(
    st.sampled_from([b"N", b"N", b"N", b"N", b"L"]),
    st.sampled_from([0, 1, 10, 13, 76, 76, 76, 77, 127, 128, 130, 2048, 16_383, 16_384]),
    st.sampled_from([b"a", b"N", b"L", b"NL", b"\xff\xfe", b"X\0", b".", b"\r\n", b"\r", b"\n."]),
    st.integers(1, 40),
)
ENDS = st.sampled_from(
    [b"X\0E\0", b"X", b"E\0", b"", b"N\x05abc", b"N\xff\xff", b"p\x0f%15d" % 0, b"L\x02abX\0"]
)


@pytest.fixture(params=[300, 5000, 131072])
def window(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Octets read at once."""
    octets: int = request.param
    monkeypatch.setattr(content_blocks, "_WINDOW", octets)
    return octets


def outcome(blocks: Callable[[], Iterator[bytes]]) -> bytes | None:
    """All there is; None for a damaged file."""
    try:
        return b"".join(blocks())
    except CorruptQueueFile:
        return None


@given(st.lists(LINES, max_size=12), ENDS, st.integers(0, 3))
@example([(b"N", 13, b"a", 40), (b"N", 10, b"a", 40)], b"X\0E\0", 0)
@example([(b"N", 76, b"NL", 40), (b"L", 76, b"a", 1), (b"N", 76, b"a", 40)], b"X\0E\0", 0)
@example([(b"L", 2048, b"a", 40), (b"N", 1, b"a", 1)], b"X\0E\0", 0)
@pytest.mark.usefixtures("window")
def test_blocks_are_the_lines(shapes: list[tuple[bytes, int, bytes, int]], end: bytes, offset: int) -> None:
    """Short, long and cut lines, runs of even ones, heads that look like text, damage: nothing is told differently."""
    records = b"".join(
        encode_record(kind[0], (text * length)[:length]) * count for kind, length, text, count in shapes
    )
    source = BytesSource(bytes(offset) + records + end)

    def joined(line_end: bytes) -> bytes | None:
        return outcome(lambda: (line + line_end for line in read_content(source, offset)))

    assert outcome(lambda: crlf_blocks(source, offset)) == joined(b"\r\n")
    assert outcome(lambda: lf_blocks(source, offset)) == joined(b"\n")


@pytest.mark.usefixtures("window")
def test_text_of_all_octets() -> None:
    """No octet is free to stand for what is left out."""
    records = encode_record(ord("N"), EVERY_OCTET) * 500 + b"X\0E\0"
    assert (EVERY_OCTET + b"\n") * 500 == content_text(BytesSource(records), 0)
    assert (EVERY_OCTET + b"\r\n") * 500 == b"".join(crlf_blocks(BytesSource(records), 0))


def test_large_messages_come_in_blocks_of_whole_lines() -> None:
    """Memory stays bounded; each block ends with a line end."""

    class Counted(Source):
        reads = 0

        def read_at(self, offset: int, length: int) -> bytes:
            self.reads += 1
            return records[offset : offset + length]

    records = encode_record(ord("N"), b"x" * 76) * 100_000 + b"X\0E\0"
    source = Counted()
    sizes = [len(block) for block in crlf_blocks(source, 0) if block.endswith(b"x\r\n")]
    assert sum(sizes) == 7_800_000
    assert max(sizes) <= 131072
    assert source.reads == 60
