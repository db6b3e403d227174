"""What pipe(8)'s commands are handed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.delivery.local.frames import PipeContent
from pillarbox.delivery.local.message_copy import as_piped

TEXT = b"A: b\n\n.\n..x\nFrom y\nlast\n"
LINES = st.lists(st.sampled_from((b".\n", b".a\n", b"From x\n", b"a.b\n", b"\n", b"\r\n")), max_size=8)
FORMS = st.builds(
    PipeContent,
    prefix=st.sampled_from((b"", b"Delivered-To: x\n", b".x\n")),
    line_end=st.sampled_from((b"\n", b"\r\n", b"")),
    escape_from=st.booleans(),
    dot_stuffing=st.booleans(),
    blank_line=st.booleans(),
)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (PipeContent(), TEXT),
        (PipeContent(prefix=b"From z\n", escape_from=True), b"From z\nA: b\n\n.\n..x\n>From y\nlast\n"),
        (PipeContent(prefix=b".p\n", dot_stuffing=True), b".p\nA: b\n\n..\n...x\nFrom y\nlast\n"),
        (PipeContent(blank_line=True), TEXT + b"\n"),
        (
            PipeContent(prefix=b"X: y\n", blank_line=True, line_end=b"\r\n"),
            b"X: y\r\nA: b\r\n\r\n.\r\n..x\r\nFrom y\r\nlast\r\n\r\n",
        ),
    ],
)
def test_flags(form: PipeContent, expected: bytes) -> None:
    """What is put in front is as it is; dots, `From ` and line ends are those of the message."""
    assert b"".join(as_piped([TEXT], form)) == expected


@given(st.lists(LINES, max_size=6), FORMS)
def test_blocks_of_lines_are_handed_over_as_the_whole(blocks: list[list[bytes]], form: PipeContent) -> None:
    """However the lines are divided."""
    joined = [b"".join(block) for block in blocks]
    assert b"".join(as_piped(joined, form)) == b"".join(as_piped([b"".join(joined)], form))
