"""Stray line ends, and dots where lines begin, found by machine code or by counting."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.message import line_scanning
from pillarbox.message.line_scanning import (
    compiled_finder,
    counted_stray,
    find_dot,
    find_odd,
    find_stray,
    searched_dot,
    searched_odd,
)

TEXTS = st.lists(st.sampled_from((b"\r", b"\n", b"\r\n", b".", b"ab", b"\xff", b"\0")), max_size=20).map(
    b"".join
)


@pytest.mark.parametrize("find", [find_stray, counted_stray])
@pytest.mark.parametrize(
    ("text", "is_stray"),
    [
        (b"", False),
        (b"a\r\nb\r\n", False),
        (b"\r\n\r\n", False),
        (b"a\nb\r\n", True),
        (b"\n", True),
        (b"a\rb\r\n", True),
        (b"a\r\r\n", True),
        (b"a\n\r\n", True),
        (b"a\r b\n", True),
        (b"a\r", True),
    ],
)
def test_stray_line_ends(find: line_scanning.Finder, text: bytes, *, is_stray: bool) -> None:
    """A CR or LF that is no part of a CRLF."""
    assert (find(text) >= 0) == is_stray


@pytest.mark.parametrize("find", [find_dot, searched_dot])
def test_dots(find: line_scanning.Finder) -> None:
    """Where the line end before the first of them stands."""
    assert find(b"a.b\r\n.c\r\n.d") == 3
    assert find(b".a\r\nb.\r\n") == -1
    assert find(b"a\n.b\r.c") == -1


@given(TEXTS)
def test_both_find_the_same(text: bytes) -> None:
    """In all octets."""
    assert (find_stray(text) >= 0) == (counted_stray(text) >= 0)
    assert find_dot(text) == searched_dot(text)
    places = [at for at in (find_dot(text), find_stray(text)) if at >= 0]
    assert find_odd(text) == min(places, default=-1)
    assert (searched_odd(text) >= 0) == bool(places)


def test_without_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that may not be executed, or no such package: there is no finder, and no fault."""
    import pcre2
    from pcre2 import LibraryError

    def refuse(*_: object, **__: object) -> None:
        raise LibraryError(-48)

    monkeypatch.setattr(pcre2, "compile", refuse)
    assert compiled_finder(b"x") is None
    monkeypatch.setitem(sys.modules, "pcre2", None)
    assert compiled_finder(b"x") is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there may be none")
def test_there_is_machine_code() -> None:
    """What is shipped can do it."""
    assert find_stray is not counted_stray
    assert find_dot is not searched_dot
    assert find_odd is not searched_odd
