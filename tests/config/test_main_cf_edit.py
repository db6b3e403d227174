"""Editing main.cf: values change in place, comments stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.config.main_cf import parse_main_cf
from pillarbox.config.main_cf_edit import Edit, set_values, take_away

CONTENT = "# top\n\na = 1\n  # inside\n  2\n# between\nb = 3\nb = 4\n\t5\nc=6"

SET = [
    ("in place", {"a": "x"}, "# top\n\na = x\n  # inside\n# between\nb = 3\nb = 4\n\t5\nc=6"),
    ("every definition", {"b": "x"}, "# top\n\na = 1\n  # inside\n  2\n# between\nb = x\nb = x\nc=6"),
    ("at the end", {"d": "x"}, CONTENT + "\nd = x\n"),
    ("without a line end before", {"c": "x"}, CONTENT.removesuffix("c=6") + "c = x\n"),
    ("several", {"d": "1", "e": "2"}, CONTENT + "\nd = 1\ne = 2\n"),
    ("empty value", {"d": ""}, CONTENT + "\nd = \n"),
]


@pytest.mark.parametrize(("values", "expected"), [pytest.param(*case[1:], id=case[0]) for case in SET])
def test_set_values(values: dict[str, str], expected: str) -> None:
    """A definition is replaced with its continuation lines; a new one goes to the end."""
    assert expected == set_values(CONTENT, values, path="main.cf")[0]


def test_several_definitions_are_warned_of() -> None:
    """A name that is defined twice is told, in Postfix's words."""
    assert ['DIR/main.cf: multiple entries for "b"'] == set_values(CONTENT, {"b": "x"}, path="DIR/main.cf")[1]
    assert [] == set_values(CONTENT, {"a": "x", "d": "y"}, path="DIR/main.cf")[1]


def test_into_an_empty_file() -> None:
    """The first value of a file is its first line."""
    assert "a = b\n" == set_values("", {"a": "b"}, path="main.cf")[0]


TAKEN = [
    ("remove", Edit.REMOVE, {"a", "nosuch"}, "# top\n\n  # inside\n# between\nb = 3\nb = 4\n\t5\nc=6"),
    ("comment out", Edit.COMMENT_OUT, {"a"}, "# top\n\n#a = 1\n  # inside\n#  2\n# between\nb = 3\nb = 4\n\t5\nc=6"),
    ("both definitions", Edit.REMOVE, {"b"}, "# top\n\na = 1\n  # inside\n  2\n# between\nc=6"),
    ("the last line", Edit.COMMENT_OUT, {"c"}, CONTENT.removesuffix("c=6") + "#c=6"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "names", "expected"), [pytest.param(*case[1:], id=case[0]) for case in TAKEN]
)
def test_take_away(edit: Edit, names: set[str], expected: str) -> None:
    """A definition goes with its continuation lines; comments in between stay."""
    assert expected == take_away(CONTENT, names, edit, path="main.cf")[0]


_NAMES = st.sampled_from(["a", "b", "c", "d"])
_LINES = st.lists(st.sampled_from(["a = 1", "b=2", "  cont", "# no", "", "c =", "\tx y", "   # z", "a=$b"]))


@given(_LINES, st.dictionaries(_NAMES, st.sampled_from(["", "x", "y z", "$a"]), min_size=1))
def test_what_is_set_is_read(lines: list[str], values: dict[str, str]) -> None:
    """After any edit of any file the new values are in effect, and all others are as before."""
    content = "\n".join(lines)
    before = {name: value.text for name, value in parse_main_cf(content).values.items()}
    after = parse_main_cf(set_values(content, values, path="main.cf")[0])
    assert before | values == {name: value.text for name, value in after.values.items()}


@given(_LINES, st.sets(_NAMES), st.sampled_from(Edit))
def test_what_is_taken_away_is_gone(lines: list[str], names: set[str], edit: Edit) -> None:
    """After any removal the names are not defined, and all others are as before."""
    content = "\n".join(lines)
    before = {name: value.text for name, value in parse_main_cf(content).values.items()}
    after = parse_main_cf(take_away(content, names, edit, path="main.cf")[0])
    left = {name: text for name, text in before.items() if name not in names}
    assert left == {name: value.text for name, value in after.values.items()}
