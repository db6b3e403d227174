"""Postfix's attribute protocol."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.attributes import END, Attribute, AttributeFault, AttributeReader, encode, greeting

NAMES = st.binary(min_size=1, max_size=20).map(lambda text: text.replace(b"\0", b"x"))
VALUES = st.binary(max_size=40).map(lambda text: text.replace(b"\0", b"x"))


def read(reader: AttributeReader) -> list[Attribute]:
    """All that can be read now."""
    found = []
    while (attribute := reader.next()) is not None:
        found.append(attribute)
    return found


def test_a_greeting() -> None:
    """What public/showq says first, as captured from Postfix."""
    assert greeting(b"mail_queue_list_protocol") == b"protocol\0mail_queue_list_protocol\0\0"


@given(st.lists(st.lists(st.tuples(NAMES, VALUES), max_size=4), max_size=4), st.integers(1, 7))
def test_any_chunking_gives_the_same(lists: list[list[Attribute]], size: int) -> None:
    """What was encoded is read, however it is cut."""
    data = b"".join(encode(attributes) + END for attributes in lists)
    reader, found = AttributeReader(), list[Attribute]()
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
        found += read(reader)
    assert found == [attribute for attributes in lists for attribute in (*attributes, (b"", b""))]


def test_an_attribute_without_end() -> None:
    """Memory is bounded."""
    reader = AttributeReader()
    reader.feed(b"x" * (2 << 20))
    with pytest.raises(AttributeFault):
        reader.next()
