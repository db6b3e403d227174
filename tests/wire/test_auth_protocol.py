"""Lines of the authentication protocol: no field forges another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.auth_protocol import (
    MAX_LINE,
    LineReader,
    LineTooLong,
    encode_line,
    escape,
    parameters,
    split_line,
    unescape,
)


@given(st.lists(st.binary(max_size=12), min_size=1, max_size=6))
def test_fields_come_back(fields: list[bytes]) -> None:
    """Whatever is in them, the line is one line with as many fields."""
    line = encode_line(*fields)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.count(b"\t") == len(fields) - 1
    assert split_line(line[:-1]) == fields


ESCAPES = [(b"a\tb", b"a\x01tb"), (b"\0\1\r\n", b"\x010\x011\x01r\x01n"), (b"plain", b"plain")]


@pytest.mark.parametrize(("octets", "escaped"), ESCAPES)
def test_escapes_are_dovecots(octets: bytes, escaped: bytes) -> None:
    """0x01 and a letter."""
    assert escape(octets) == escaped
    assert unescape(escaped) == octets


@given(
    st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")), max_size=6), st.integers(1, 9)
)
def test_any_chunking_gives_the_same_lines(lines: list[bytes], step: int) -> None:
    """A line is given when its LF has come."""
    sent = b"".join(line + b"\n" for line in lines) + b"unfinished"
    reader = LineReader()
    got = [line for at in range(0, len(sent), step) for line in reader.feed(sent[at : at + step])]
    assert got == lines


def test_a_line_has_a_limit() -> None:
    """With its end or without."""
    assert LineReader().feed(b"x" * MAX_LINE + b"\n") == [b"x" * MAX_LINE]
    for sent in (b"x" * (MAX_LINE + 1), b"x" * (MAX_LINE + 1) + b"\n"):
        with pytest.raises(LineTooLong):
            LineReader().feed(sent)


def test_parameters_have_names_and_perhaps_values() -> None:
    """A value may hold `=`."""
    assert parameters([b"secured", b"rip=::1", b"resp=YQ=="]) == {
        b"secured": b"",
        b"rip": b"::1",
        b"resp": b"YQ==",
    }
