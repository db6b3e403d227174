"""master.cf as text: shown in columns, edited entry by entry."""

import pytest

from pillarbox.config.master_cf import parse_master_cf
from pillarbox.config.master_cf_edit import (
    comment_out_entries,
    remove_entries,
    rewrite_entries,
    set_entry,
)
from pillarbox.config.master_cf_text import Entry, entries, parse_entry
from pillarbox.vocabulary.faults import ConfigurationFault

LINES = [
    (
        "columns",
        "smtp inet n - n - - smtpd",
        "smtp       inet  n       -       n       -       -       smtpd",
    ),
    (
        "long name",
        "127.0.0.1:10025 inet n - y - 5 smtpd",
        "127.0.0.1:10025 inet n   -       y       -       5       smtpd",
    ),
    (
        "very long name",
        "smtp-longer-service-name-here inet n - n 1000? 100 smtpd",
        "smtp-longer-service-name-here inet n - n 1000?   100     smtpd",
    ),
    (
        "options",
        "a unix - - - - - x -v -o b = -o { c = d e } -o{f=g h} -S q -o z=1",
        "a          unix  -       -       -       -       -       x -v -o b -o {c=d e} -o {f=g h} -S q -o z=1",
    ),
]


@pytest.mark.parametrize(("line", "expected"), [pytest.param(*case[1:], id=case[0]) for case in LINES])
def test_lines_in_columns(line: str, expected: str) -> None:
    """Fields stand in columns, wider ones push the rest."""
    if "-o b =" in line:
        line = line.replace("-o b =", "-o b")
    assert expected == parse_entry(line).text(fold=False)


def test_folded() -> None:
    """Folded, each -o is on a line of its own, and so is what follows it."""
    entry = parse_entry("a unix - - - - - x -v -o b=c -v -D -S q r -o z=1 s")
    assert [
        "a          unix  -       -       -       -       -       x -v",
        "    -o b=c",
        "    -v -D -S q r -o z=1 s",
    ] == entry.text(fold=True).split("\n")
    assert "x -v\n    -o b=c\n    -v -D -S q r -o z=1 s" == entry.field("command", fold=True)


@pytest.mark.parametrize(("length", "lines"), [(18, 1), (19, 2)])
def test_folded_lines_have_79_columns(length: int, lines: int) -> None:
    """An 80th would begin a line of its own."""
    entry = parse_entry(f"a unix - - - - - x {'y' * length} z")
    assert len(entry.text(fold=True).split("\n")) == lines


def test_what_is_shown_means_the_same() -> None:
    """A line in columns, folded or not, is read as the line it was made from."""
    line = "foo unix - n n 60? 1 pipe -v -o a=b -o { c = d e } flags=R argv=/x { a  b } ${x}"
    (before,) = parse_master_cf(line).services
    for fold in (False, True):
        (after,) = parse_master_cf(parse_entry(line).text(fold=fold)).services
        assert {n: v.text for n, v in before.overrides.items()} == {
            n: v.text for n, v in after.overrides.items()
        }
        assert (before.arguments, before.verbosity) == (after.arguments, after.verbosity)
        assert (before.wakeup, before.process_limit) == (after.wakeup, after.process_limit)


FIELD_FAULTS = [
    ("type", "smtp xnet n - n - - smtpd", 'invalid type field "xnet" in "smtp xnet n - n - - smtpd"'),
    ("private", "smtp inet x - n - - x", 'invalid private field "x" in "smtp inet x - n - - x"'),
    ("wakeup", "smtp inet n - n x - x", 'invalid wakeup field "x" in "smtp inet n - n x - x"'),
    ("limit", "smtp inet n - n - x x", 'invalid process_limit field "x" in "smtp inet n - n - x x"'),
    ("count", "smtp inet n - n - -", 'bad field count: "smtp inet n - n - -"'),
]


@pytest.mark.parametrize(("line", "message"), [pytest.param(*case[1:], id=case[0]) for case in FIELD_FAULTS])
def test_bad_fields(line: str, message: str) -> None:
    """A bad field is told in postconf's words."""
    with pytest.raises(ConfigurationFault) as caught:
        parse_entry(line)
    assert message == caught.value.what


def test_a_short_line_of_a_file_is_told_with_its_number() -> None:
    """The line is counted from the file's beginning."""
    with pytest.raises(ConfigurationFault, match=r"file DIR/master\.cf: line 2: bad field count"):
        entries("# x\nsmtp inet\n", path="DIR/master.cf")


BRACES = [
    ("as they should be", "a unix - - - - - x -o {b=c d} {e f} { {g} }", []),
    ("a text behind them", "a unix - - - - - x {e f}g", ["syntax error after '}' in \"{e f}g\""]),
    ("none at the end", "a unix - - - - - x {e f", ["missing '}' in \"{e f\""]),
    ("an option", "a unix - - - - - x -o {b=c d}e y", ["syntax error after '}' in \"{b=c d}e\""]),
    ("an option that sets nothing", "a unix - - - - - x -o {b}", ["missing '=' after attribute name: \"b\""]),
    ("an option without braces", "a unix - - - - - x -o b", []),
]


@pytest.mark.parametrize(("line", "mistakes"), [pytest.param(*case[1:], id=str(case[0])) for case in BRACES])
def test_braces_that_do_not_match(line: str, mistakes: list[str]) -> None:
    """They are warned of."""
    _entries, warnings = entries(line, path="DIR/master.cf")
    assert [f"master.cf: {mistake}" for mistake in mistakes] == warnings


@pytest.mark.parametrize("arguments", ["a ${b  c $}} d", "{a b} {c {d}} e", "a {} { {b} }"])
def test_what_is_written_back_is_read_as_before(arguments: str) -> None:
    """Braces that are uneven within an argument have no others around them."""
    line = f"a unix - - - - - x {arguments}"
    [again] = parse_master_cf(parse_entry(line).text(fold=True)).services
    [service] = parse_master_cf(line).services
    assert again.arguments == service.arguments
    assert [(name, value.text) for name, value in again.overrides.items()] == [
        (name, value.text) for name, value in service.overrides.items()
    ]


LISTED = [
    ("the first argument", "{a b} {c d} { e }", "a b {c d} e"),
    ("behind --", "-v -- {a b} {c d}", "-v -- {a b} {c d}"),
    ("nothing inside", "a {} b", "a  b"),
    ("braces inside", "a {{b}} {{c} d}", "a {b} {{c} d}"),
    ("braces that do not match", "a {b c}d {e f", "a {b c} {e f}"),
    ("uneven braces within", "a ${b  c $}} d", "a {${b  c $}}} d"),
    ("options", "-o {a=b c}d -o { e f } -o { g", "-o {a=b c} -o {e f} -o g"),
]


@pytest.mark.parametrize(("written", "listed"), [pytest.param(*case[1:], id=case[0]) for case in LISTED])
def test_listed(written: str, listed: str) -> None:
    """An entry is listed as by Postfix's postconf, also where that means something else."""
    assert f"x {listed}" == parse_entry(f"a unix - - - - - x {written}").listed.field("command")


def test_settings() -> None:
    """Settings are replaced where they stand, or added after the last option."""
    entry = parse_entry("a unix - - - - - x -o b=1 -v -o c=2 -o b=3 arg")
    assert {"b": "3", "c": "2"} == entry.settings
    assert "x -o b=9 -v -o c=2 -o b=9 arg" == entry.with_setting("b", "9").field("command")
    assert "x -o b=1 -v -o c=2 -o b=3 -o d=4 arg" == entry.with_setting("d", "4").field("command")
    assert "x -v -o c=2 arg" == entry.without_setting("b").field("command")
    assert "x -o y=z" == parse_entry("a unix - - - - - x").with_setting("y", "z").field("command")


def test_fields() -> None:
    """A field can be set to what is allowed there."""
    entry = parse_entry("a unix - - n - - x -v")
    assert ("y", "y -o a=b") == (
        entry.with_field("chroot", "y").field("chroot"),
        entry.with_field("command", "y -o a=b").field("command"),
    )
    with pytest.raises(ConfigurationFault, match='invalid chroot field "q" in "q"'):
        entry.with_field("chroot", "q")
    with pytest.raises(ConfigurationFault, match="bad field count"):
        entry.with_field("command", "")


CONTENT = "# top\na unix - - n - - x\n# in\n  -o b=c\n# after\nd inet n - n - - y\na unix - - n - - z"


def is_a(name: str, kind: str) -> bool:
    """Whether it is the service a."""
    return (name, kind) == ("a", "unix")


def test_entries_change_in_place() -> None:
    """An entry changes where it stands, a comment inside comes after it."""
    found, count = rewrite_entries(CONTENT, is_a, lambda entry: entry.with_field("chroot", "y"))
    assert 2 == count
    assert (
        "# top\n"
        "a          unix  -       -       y       -       -       x\n    -o b=c\n# in\n"
        "# after\nd inet n - n - - y\n"
        "a          unix  -       -       y       -       -       z\n"
    ) == found


def test_entries_are_taken_away_with_their_lines() -> None:
    """Comments stay when an entry goes."""
    assert "# top\n# in\n# after\nd inet n - n - - y\n" == remove_entries(CONTENT, is_a)
    assert (
        "# top\n#a unix - - n - - x\n#  -o b=c\n# in\n# after\nd inet n - n - - y\n#a unix - - n - - z"
        == comment_out_entries(CONTENT, is_a)
    )


def test_an_entry_is_set() -> None:
    """The first of a name and type is replaced, others of it go; a new one goes to the end."""
    new = parse_entry("a unix - - n - - new")
    line = "a          unix  -       -       n       -       -       new\n"
    assert f"# top\n{line}# in\n# after\nd inet n - n - - y\n" == set_entry(CONTENT, ("a", "unix"), new)
    assert f"{CONTENT}\n{line}" == set_entry(CONTENT, ("q", "unix"), new)
    assert line == set_entry("", ("a", "unix"), new)


def test_continuations_of_nothing_stay() -> None:
    """Text that continues no entry is left alone."""
    assert "  x\nd inet n - n - - y\n" == remove_entries(
        "  x\nd inet n - n - - y\na unix - - n - - z\n", is_a
    )


def test_entry_names() -> None:
    """An entry knows its name and type."""
    entry: Entry = parse_entry("a unix - - n - - x")
    assert ("a", "unix") == (entry.name, entry.type)
