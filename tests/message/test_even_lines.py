"""Lines of one length: recognized when they are, and never when they are not."""

from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pillarbox.message import even_lines
from pillarbox.message.even_lines import EvenRun, even_run
from pillarbox.queue.records import ContentEncoder
from pillarbox.wire.smtp.dot_stream import BareNewline, DataReader

STRAY = st.sampled_from([b"", b"\r", b"\n", b"\r\n", b".", b"\r\n.", b"\r\n.\r\n", b"\n.\n", b"\0"])


@pytest.fixture(params=[0, 2048])
def shortest(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are looked at from here on."""
    monkeypatch.setattr(even_lines, "_SHORTEST_RUN", request.param)


def test_base64_is_even() -> None:
    """Lines of 76 and CRLF, from behind the header on and up to the last."""
    text = (b"A" * 76 + b"\r\n") * 100
    lines = bytearray(b"\0\0" + b"A" * 76) * 100
    assert EvenRun(0, 7800, 78, lines) == even_run(text)
    assert EvenRun(7, 7807, 78, lines) == even_run(b"A: bc\r\n" + text + b"AA==\r\n--boundary--\r\n")
    assert EvenRun(77, 7799, 78, lines[78:]) == even_run(text[1:])
    fields = b"A: bc\r\n" + b"B" * 69 + b"\r\n"
    assert EvenRun(78, 7878, 78, lines) == even_run(fields + text), "as long as a line, together"
    assert None is even_run(text[:780]), "not worth the trouble"
    assert None is even_run((b"A" * 128 + b"\r\n") * 100), "the head of its record is longer"


@given(st.integers(0, 130), st.integers(1, 100), STRAY, st.floats(0, 1))
@example(10, 100, b"", 0.0)
@example(13, 100, b"", 0.0)
@example(0, 3, b"x", 0.0)
@pytest.mark.usefixtures("shortest")
def test_nothing_is_even_but_lines_of_one_length(width: int, count: int, stray: bytes, place: float) -> None:
    """A CR, an LF, a dot or a line end anywhere among them is seen."""
    text = (b"x" * width + b"\r\n") * count
    at = int(place * len(text))
    text = text[:at] + stray + text[at:]
    run = even_run(text)
    if run is None:
        assert stray or width > 127 or len(text) < 2048
        return
    assert run.begin == 0 or text[: run.begin].endswith(b"\r\n")
    lines = text[run.begin : run.end].split(b"\r\n")
    assert lines.pop() == b""
    assert all(len(line) == run.width - 2 and b"\r" not in line and b"\n" not in line for line in lines)
    assert [run.lines[at + 2 : at + run.width] for at in range(0, len(run.lines), run.width)] == lines


@given(
    st.lists(st.tuples(st.integers(0, 130), st.integers(1, 80), STRAY), max_size=6),
    st.sampled_from([1000, 4200, 70_000]),
    st.sampled_from(BareNewline),
)
@pytest.mark.usefixtures("shortest")
def test_even_lines_are_read_and_kept_like_others(
    runs: list[tuple[int, int, bytes]], step: int, mode: BareNewline
) -> None:
    """Content, its end and its records are what they are octet by octet."""
    stream = b"".join(stray + (b"x" * width + b"\r\n") * count for width, count, stray in runs) + b"\r\n.\r\n"

    def read(step: int) -> tuple[bytes, bool]:
        reader, out = DataReader(mode), b""
        for at in range(0, len(stream), step):
            out += reader.feed(stream[at : at + step])
            if reader.ended:
                break
        return out, reader.ended

    def kept(content: bytes, step: int) -> bytes:
        encoder = ContentEncoder()
        return (
            b"".join(encoder.feed(content[at : at + step]) for at in range(0, len(content), step))
            + encoder.finish()
        )

    content, ended = read(step)
    records = kept(content, step)
    with patch.object(even_lines, "_SHORTEST_RUN", 1 << 30):
        assert (content, ended) == read(97)
        assert records == kept(content, 97)
