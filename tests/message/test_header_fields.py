"""The header: its end, its fields, the chosen ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.message.header_fields import (
    Field,
    fields,
    first_value,
    header_end,
    select_fields,
    split,
    unfold,
)

HEADER = b"From: a@b\r\nSubject: one\r\n two\r\njunk line\r\nfrom : c@d\r\nX:\r\n\r\n"

ENDS = [
    ("header and body", b"A: b\r\n\r\nbody", b"A: b\r\n\r\n", b"body"),
    ("no body", b"A: b\r\n\r\n", b"A: b\r\n\r\n", b""),
    ("no empty line", b"A: b\r\n", b"A: b\r\n", b""),
    ("no header", b"\r\nbody", b"\r\n", b"body"),
    ("empty", b"", b"", b""),
    ("a CR alone is no empty line", b"A: b\r\n\r\r\nC: d\r\n\r\nx", b"A: b\r\n\r\r\nC: d\r\n\r\n", b"x"),
]


@pytest.mark.parametrize(("name", "content", "header", "body"), ENDS, ids=[row[0] for row in ENDS])
def test_the_first_empty_line_ends_the_header(name: str, content: bytes, header: bytes, body: bytes) -> None:
    """RFC 5322 §2.1: the empty line belongs to the header here."""
    assert (header, body) == split(content)
    assert len(header) == header_end(content)


def test_fields_keep_name_value_and_place() -> None:
    """Folds stay in the value; a line without colon is a field that no name selects."""
    found = list(fields(HEADER))
    assert [b"From", b"Subject", b"junk line", b"from", b"X"] == [field.name for field in found]
    assert [b" a@b", b" one\r\n two", b"", b" c@d", b""] == [field.value for field in found]
    assert HEADER[:-2] == b"".join(HEADER[field.start : field.end] for field in found)
    assert Field(b"From", b" a@b", 0, 11) == found[0]


SELECTIONS = [
    ("one name, twice there", {b"from"}, True, b"From: a@b\r\nfrom : c@d\r\n\r\n"),
    ("folded field whole", {b"subject"}, True, b"Subject: one\r\n two\r\n\r\n"),
    ("none there", {b"cc"}, True, b"\r\n"),
    ("all but", {b"from", b"x"}, False, b"Subject: one\r\n two\r\njunk line\r\n\r\n"),
    (
        "a line without a colon has no name",
        {b"junk line", b"from", b"x"},
        True,
        b"From: a@b\r\nfrom : c@d\r\nX:\r\n\r\n",
    ),
    ("nor is it left out", {b"junk line", b"from", b"x", b"subject"}, False, b"junk line\r\n\r\n"),
]


@pytest.mark.parametrize(
    ("name", "names", "keep", "expected"), SELECTIONS, ids=[selection[0] for selection in SELECTIONS]
)
def test_selected_fields_keep_bytes_and_order(
    name: str, names: set[bytes], keep: bool, expected: bytes
) -> None:
    """RFC 3501 §6.4.5: HEADER.FIELDS and HEADER.FIELDS.NOT, ended by the empty line."""
    assert expected == select_fields(HEADER, names, keep=keep)


def test_first_value_is_unfolded() -> None:
    """The first field of a name, on one line."""
    assert b"a@b" == first_value(HEADER, b"FROM")
    assert b"one two" == first_value(HEADER, b"subject")
    assert first_value(HEADER, b"cc") is None
    assert b"a\tb" == unfold(b" a\r\n\tb ")


@given(st.lists(st.sampled_from([b"A", b":", b" ", b"\r\n", b"\r", b"\t", b"x"])).map(b"".join))
def test_every_byte_is_in_one_field_or_the_end(content: bytes) -> None:
    """Fields cover the header without gap or overlap."""
    header, body = split(content)
    assert content == header + body
    position = 0
    for field in fields(header):
        assert position == field.start
        assert field.end > position
        position = field.end
    assert header[position:] in {b"", b"\r\n"}
