"""The text that postmap, texthash: and postalias read."""

import os
from pathlib import Path

import pytest

from pillarbox.tables.alias_source import alias_entries
from pillarbox.tables.map_source import map_entries
from pillarbox.tables.opening import open_table
from pillarbox.tables.table import Opening
from pillarbox.vocabulary.clock import ManualClock

MAP = [
    ("key value", ("key", "value")),
    ("key \t value with  blanks \t", ("key", "value with  blanks")),
    ('"quoted key"@x value', ('"quoted key"@x', "value")),
    ("a\\ b value", ("a\\ b", "value")),
    ("key", "expected format: key whitespace value"),
    ('"open value', "unbalanced '\"' in '\"open value' -- ignoring this line"),
]


@pytest.mark.parametrize(("line", "expected"), MAP)
def test_a_map_line(line: str, expected: tuple[str, str] | str) -> None:
    """One entry, or a warning."""
    told: list[str] = []
    opening = Opening(where="", clock=ManualClock(), warn=told.append)
    found = [entry[1:] for entry in map_entries(line + "\n", path="f", opening=opening)]
    assert (found, told) == (
        ([], [f"f, line 1: {expected}"]) if isinstance(expected, str) else ([expected], [])
    )


ALIASES = [
    ("root: me", ("root", "me")),
    ("list: a,b , c@d.example", ("list", "a, b, c@d.example")),
    ('cmd: "|/bin/x -f a:b, c"', ("cmd", '"|/bin/x -f a:b, c"')),
    ("inc: :include:/etc/list", ("inc", ":include:/etc/list")),
    ("file: /var/mail/x", ("file", "/var/mail/x")),
    ('"two words": x', ("two words", "x")),
    ("me: \\me", ("me", "me")),
    ("name: Some One <a@b>", ("name", "Some One <a@b>")),
    ("nothing", "need name:value pair"),
    (": x", "need name:value pair"),
    ("a,b: x", "need name:value pair"),
    ("a@b: x", "name must be local"),
]


@pytest.mark.parametrize(("line", "expected"), ALIASES)
def test_an_alias_line(line: str, expected: tuple[str, str] | str) -> None:
    """Names without quotes, values with them."""
    told: list[str] = []
    opening = Opening(where="", clock=ManualClock(), warn=told.append)
    found = [entry[1:] for entry in alias_entries(line + "\n", path="f", opening=opening)]
    assert (found, told) == (
        ([], [f"f, line 1: {expected}"]) if isinstance(expected, str) else ([expected], [])
    )


def test_texthash(tmp_path: Path) -> None:
    """The first of equal keys counts; a changed file is read a second later."""
    path = tmp_path / "map"
    path.write_text("# comment\nA 1\na 2\nlong one\n  two\n")
    clock, told = ManualClock(), list[str]()
    table = open_table(f"texthash:{path}", where="", clock=clock, warn=told.append)
    assert (table.query("a"), table.query("LONG"), table.query("x")) == ("1", "one  two", None)
    assert told == [f'{path}, line 3: duplicate entry: "a"']
    path.write_text("a 3\n")
    os.utime(path, (9, 9))
    assert table.query("a") == "1"
    clock.advance(1)
    assert table.query("a") == "3"
    path.unlink()
    clock.advance(1)
    assert table.query("a") == "3"
