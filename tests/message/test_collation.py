"""i;unicode-casemap: what is the same, what holds what, and what comes first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.message.collation import casemap, lower_casemap

SAME = [  # name, texts that are one
    ("case", ["Abc", "aBC"]),
    ("a composed letter", ["é", "É", "e\u0301", "E\u0301"]),
    ("two accents", ["ǖ", "ü\u0304", "u\u0308\u0304"]),
    ("sigma", ["ΟΔΟΣ", "οδος", "οδοσ"]),
    ("a letter of three cases", ["ǆ", "ǅ", "Ǆ", "dž"]),
    ("width", ["ａ", "Ａ", "a"]),
    ("ligatures", ["ﬁ", "fi", "FI"]),
    ("letters without a dot", ["ı", "i", "I"]),
    ("kana", ["が", "か\u3099", "ｶﾞ".replace("ｶ", "か")]),
    ("signs", ["Å", "Å", "å", "Ａ\u030a"]),
    ("Cyrillic", ["Ёж", "ёж", "е\u0308ж"]),
]
OTHERS = [  # name, one, other
    ("sharp s", "ß", "ss"),
    ("an accent", "é", "è"),
    ("syllables", "각", "난"),
]


@pytest.mark.parametrize("texts", [row[1] for row in SAME], ids=[row[0] for row in SAME])
def test_what_is_the_same(texts: list[str]) -> None:
    """In both forms, alone and within other text."""
    for text in texts:
        assert lower_casemap(texts[0]) == lower_casemap(text)
        assert casemap(texts[0]) == casemap(text)
        assert lower_casemap(f"가{texts[0]}b각") == lower_casemap(f"가{text}B각")


@pytest.mark.parametrize(("one", "other"), [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS])
def test_what_is_not(one: str, other: str) -> None:
    """Nor is one within the other."""
    assert lower_casemap(one) not in lower_casemap(other)
    assert lower_casemap(other) not in lower_casemap(one)
    assert casemap(one) != casemap(other)


def test_a_letter_is_in_itself_with_an_accent() -> None:
    """RFC 5051: what is decomposed holds its parts."""
    assert lower_casemap("e") in lower_casemap("É")
    assert lower_casemap("1") in lower_casemap("①")
    assert lower_casemap("가") in lower_casemap("각")


@given(st.text())
def test_forms_stay_what_they_are(text: str) -> None:
    """A text in one of the forms does not change any more, and both forms are equal for the same texts."""
    folded = lower_casemap(text)
    assert lower_casemap(folded) == folded
    assert lower_casemap(casemap(text)) == folded


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_lowered(text: str) -> None:
    """As bytes.lower does it."""
    assert lower_casemap(text).encode() == text.encode().lower()
    assert casemap(text).encode() == text.encode().upper()


@pytest.mark.parametrize("marks", ["\u0301\u0316", "\uff9e\u0301", "\u0f73\u0301", "я\u0316\u0301"])
def test_a_letter_with_accents_without_end(marks: str) -> None:
    """Hours, if each were put into its place among all others; and all of them are still there."""
    folded = lower_casemap("a" + marks * 100_000 + "b")
    assert folded.startswith("a")
    assert folded.endswith("b")
    assert len(folded.replace("\u034f", "")) == len(lower_casemap(marks)) * 100_000 + 2


def test_many_accents_are_in_order() -> None:
    """As many as a language may have."""
    assert (
        lower_casemap("x" * 1000 + "a" + "\u0301" * 15 + "\u0316" * 15)
        == "x" * 1000 + "a" + "\u0316" * 15 + "\u0301" * 15
    )
