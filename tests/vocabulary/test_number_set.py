"""Sets of numbers: what is in them."""

import pytest

from pillarbox.vocabulary.number_set import NumberSet


@pytest.mark.parametrize(
    ("text", "expected"), [(b"1:2", False), (b"1,*", True), (b"*:4", True), (b"4:*", True), (b"$", True)]
)
def test_whether_the_largest_number_is_named(text: bytes, expected: bool) -> None:
    """By `*`, or perhaps by what a search has found."""
    assert NumberSet.parse(text).has_star is expected


def test_members() -> None:
    """In the order given, each range upwards."""
    assert list(NumberSet.parse(b"7,3:1,4:5").members()) == [7, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("text", "number"), [(b"1", 1), (b"1,1,1", 3), (b"2:5", 4), (b"5:2,9", 5), (b"8:*", 3), (b"*:12,*", 4)]
)
def test_how_many_are_named(text: bytes, number: int) -> None:
    """With 10 as the largest; so many, and not one more."""
    named = NumberSet.parse(text)
    assert named.names_many(number, 10)
    assert not named.names_many(number + 1, 10)
