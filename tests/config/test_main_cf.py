"""main.cf: what is a value, where it stands, and what each mistake is called."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.config.logical_lines import split_name_value
from pillarbox.config.main_cf import parse_main_cf, read_main_cf
from pillarbox.vocabulary.faults import ConfigurationFault

CASES = [  # name, content, [(parameter, text, line)]
    ("plain", "a = b\n", [("a", "b", 1)]),
    ("no blanks", "a=b", [("a", "b", 1)]),
    ("empty value", "a =\n", [("a", "", 1)]),
    ("equals in value", "a = b=c\n", [("a", "b=c", 1)]),
    ("trailing blanks", "a = b \t\r\n", [("a", "b", 1)]),
    ("continued", "a = b\n  c\n\td\n", [("a", "b  c\td", 1)]),
    ("value begins on the next line", "a =\n  b\n", [("a", "b", 1)]),
    ("comment inside", "a = b\n# x = y\n  c\n", [("a", "b  c", 1)]),
    ("comment after blanks inside", "a = b\n   # no\n  c\n", [("a", "b  c", 1)]),
    ("empty line inside", "a = b\n\n   \n  c\n", [("a", "b  c", 1)]),
    ("hash inside a value", "a = b # c\n", [("a", "b # c", 1)]),
    ("lines are counted", "#\n\na = b\n c\nd = e\n", [("a", "b  c".replace("  ", " "), 3), ("d", "e", 5)]),
    ("form feed begins a continuation", "a = b\n\fc\n", [("a", "b\fc", 1)]),
    ("other scripts' blanks are text", "a = \u00a0b\u2003\n", [("a", "\u00a0b\u2003", 1)]),
    ("line separators of Unicode are text", "a = b\u2028c\x85d\n", [("a", "b\u2028c\x85d", 1)]),
    ("strange name", "a$b = c\n", [("a$b", "c", 1)]),
    ("nothing", "", []),
]


@pytest.mark.parametrize(
    ("content", "expected"), [pytest.param(content, values, id=name) for name, content, values in CASES]
)
def test_values(content: str, expected: list[tuple[str, str, int]]) -> None:
    """Each value has its text without blanks around it, and the line on which it begins."""
    found = parse_main_cf(content)
    assert expected == [(name, value.text, value.line) for name, value in found.values.items()]
    assert () == found.warnings


def test_the_last_definition_counts_and_the_earlier_is_warned_of() -> None:
    """The last of several definitions counts, and there is one warning for each one before that says something else."""
    found = parse_main_cf("a = 1\nb = 2\na = 3\na =\n 4\nb=2\n", path="/x/main.cf")
    assert [("a", "4", 4), ("b", "2", 6)] == [(n, v.text, v.line) for n, v in found.values.items()]
    assert (
        "/x/main.cf, line 3: overriding earlier entry: a=1",
        "/x/main.cf, line 4: overriding earlier entry: a=3",
    ) == found.warnings


def test_a_continuation_of_nothing_is_skipped_with_a_warning() -> None:
    """Text that begins with a blank and continues nothing is no value."""
    found = parse_main_cf("  foo = bar, and more than thirty letters\na = b\n")
    assert ["a"] == list(found.values)
    assert (
        'main.cf, line 1: logical line must not start with whitespace: "  foo = bar, and more than thi..."',
    ) == found.warnings


MISTAKES = [
    ("no equals", "foo\n", "missing '=' after attribute name: \"foo\""),
    ("two words", "a b = c\n", "missing '=' after attribute name: \"a b = c\""),
    ("no name", "= x\n", 'missing attribute name: "= x"'),
]


@pytest.mark.parametrize(("content", "message"), [pytest.param(*case[1:], id=case[0]) for case in MISTAKES])
def test_mistakes_in_postfix_words(content: str, message: str) -> None:
    """A mistake is named as Postfix names it, with file and line."""
    with pytest.raises(ConfigurationFault) as caught:
        parse_main_cf(f"# comment\n{content}", path="/etc/postfix/main.cf")
    assert f"/etc/postfix/main.cf, line 2: {message} (expected: name = value)" == str(caught.value)


def test_octets_that_are_not_utf8_survive(tmp_path: Path) -> None:
    """A file in another character set can be read; what becomes of such a value is the reader's to say."""
    path = tmp_path / "main.cf"
    path.write_bytes(b"# Gr\xfc\xdfe\na = b\xff\r\n")
    value = read_main_cf(os.fspath(path)).values["a"]
    assert b"b\xff" == value.text.encode(errors="surrogateescape")


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    """The fault names the path and the reason."""
    with pytest.raises(ConfigurationFault, match=r"main\.cf: cannot read: No such file or directory"):
        read_main_cf(os.fspath(tmp_path / "main.cf"))


@given(
    st.dictionaries(
        st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1),
        st.text(st.characters(exclude_characters="\n#", exclude_categories=["Cs"])).map(
            lambda text: text.strip(" \t\r\v\f")
        ),
    )
)
def test_what_is_written_is_read(values: dict[str, str]) -> None:
    """Any names and values written one per line are read as they were."""
    content = "".join(f"{name} = {value}\n" for name, value in values.items())
    found = parse_main_cf(content)
    assert values == {name: value.text for name, value in found.values.items()}


def test_split_name_value_takes_blanks_off_both() -> None:
    """`name = value` is taken apart at the first equals sign."""
    assert ("name", "a = b") == split_name_value(" name\t=  a = b \n")
