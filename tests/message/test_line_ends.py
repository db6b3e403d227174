"""Line ends: files hold LF, the wire CRLF."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.message.line_ends import crlf_size, to_crlf, to_lf

CASES = [
    ("empty", b"", b""),
    ("no line end", b"abc", b"abc"),
    ("LF", b"a\nb\n", b"a\r\nb\r\n"),
    ("CRLF stays", b"a\r\nb\r\n", b"a\r\nb\r\n"),
    ("both kinds", b"a\nb\r\n\n", b"a\r\nb\r\n\r\n"),
    ("lone CR is content", b"a\rb\n\r", b"a\rb\r\n\r"),
]


@pytest.mark.parametrize(("name", "given_content", "expected"), CASES, ids=[case[0] for case in CASES])
def test_to_crlf(name: str, given_content: bytes, expected: bytes) -> None:
    """Every LF becomes CRLF once."""
    assert expected == to_crlf(given_content)


@given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n"])).map(b"".join))
def test_size_is_the_length_after_conversion(content: bytes) -> None:
    """The CRLF size is computed without converting, and conversion is idempotent."""
    converted = to_crlf(content)
    assert len(converted) == crlf_size(content)
    assert converted == to_crlf(converted)
    for large in (content * 70_000, content + b"a" * 270_000, b"a" * 262_143 + content):
        assert len(to_crlf(large)) == crlf_size(large)


def test_no_copy_is_made_of_a_large_message() -> None:
    """Only of a piece of it at a time."""
    content = b"line\n" * 1_000_000
    tracemalloc.start()
    try:
        assert len(content) + 1_000_000 == crlf_size(content)
        _, highest = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert highest < len(content) // 4


@given(st.lists(st.sampled_from([b"a", b"\n", b"b\rc"])).map(b"".join))
def test_round_trip(content: bytes) -> None:
    """LF content without CRLF survives the way to the wire and back."""
    assert content == to_lf(to_crlf(content))
