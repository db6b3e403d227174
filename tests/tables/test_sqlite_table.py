"""sqlite: tables."""

import sqlite3
from pathlib import Path

import pytest

from pillarbox.tables.opening import open_with
from pillarbox.tables.table import LookupFault, LookupTable, Opening
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault

ROWS = [
    ("bob", "bob@x.test"),
    ("bob", "al@y.test"),
    ("o'neil", "quoted"),
    ("nul", None),
    ("n", 5),
    ("f", 0.1),
]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """One with a table of aliases."""
    path = tmp_path / "aliases.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE aliases (name, goto)")
    connection.executemany(
        "INSERT INTO aliases VALUES (?, ?)", [*ROWS, ("blob", b"a\0b"), ("latin", b"\xe9")]
    )
    connection.commit()
    connection.close()
    return path


def opened(database: Path, text: str, warnings: list[str] | None = None, utf8: bool = True) -> LookupTable:
    """A table with these parameters, besides the path of the database."""
    parameters = database.with_suffix(".cf")
    parameters.write_text(f"dbpath = {database}\n{text}")
    told = [] if warnings is None else warnings
    opening = Opening(where="main.cf, line 7", clock=ManualClock(), warn=told.append, utf8=utf8)
    return open_with(f"sqlite:{parameters}", opening)


QUERY = "query = SELECT goto FROM aliases WHERE name = '%s'\n"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bob", "bob@x.test,al@y.test"),
        ("BOB", "bob@x.test,al@y.test"),
        ("o'neil", "quoted"),
        ("' OR '1'='1", None),
        ("nul", None),
        ("n", "5"),
        ("f", "0.1"),
        ("blob", "a"),
        ("nobody", None),
        ("", None),
        ("a\0b", None),
        ("\udce9", None),
    ],
)
def test_answers(database: Path, key: str, value: str | None) -> None:
    """The first column of each row, as text; keys are folded and quoted."""
    assert value == opened(database, QUERY).query(key)


def test_the_query_of_old_parameters(database: Path) -> None:
    """Before Postfix 2.2 it was written in parts."""
    table = opened(
        database,
        "table = aliases\nselect_field = goto\nwhere_field = name\nadditional_conditions = AND goto LIKE '%%x.test'\n",
    )
    assert table.query("bob") == "bob@x.test"
    table = opened(database, "table = aliases\nselect_field = goto\nwhere_field = name\n")
    assert table.query("bob") == "bob@x.test,al@y.test"


def test_whose_addresses_are_looked_up(database: Path) -> None:
    """`domain` lists names, files and tables; a key without user or domain is not asked for."""
    listed = database.with_name("domains")
    listed.write_text("# those\nfile.test\n")
    table = opened(
        database, f"query = SELECT '%u'\ndomain = !no.test, b.test {listed} inline:{{c.test=x}} static:all\n"
    )
    keys = ("u@B.test", "u@file.test", "u@c.test", "u@any.test", "u@no.test", "u", "@b.test", "u@")
    assert [key for key in keys if table.query(key)] == ["u@B.test", "u@file.test", "u@c.test", "u@any.test"]


def test_only_the_first_statement_counts(database: Path) -> None:
    """A semicolon within quotes ends none."""
    assert opened(database, "query = SELECT 'a;b'; SELECT 'c'\n").query("x") == "a;b"


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("query = SELEC x\n", 'SQL prepare failed: near "SELEC": syntax error'),
        ("query = SELECT x FROM nowhere\n", "SQL prepare failed: no such table: nowhere"),
        (QUERY + "expansion_limit = 1\n", "Expansion limit exceeded for key 'bob'"),
        ("query = DELETE FROM aliases\n", "attempt to write a readonly database"),
    ],
)
def test_a_question_that_fails_is_a_fault(database: Path, text: str, warning: str) -> None:
    """Which is told, and is no miss."""
    told: list[str] = []
    with pytest.raises(LookupFault):
        opened(database, text, told).query("bob")
    assert warning in told[0]
    assert f"dict_sqlite_lookup: {database.with_suffix('.cf')}: " in told[0]


def test_a_value_that_is_not_utf8(database: Path) -> None:
    """A fault while addresses may be UTF-8; otherwise it is given as it is."""
    with pytest.raises(LookupFault):
        opened(database, QUERY).query("latin")
    assert opened(database, QUERY, utf8=False).query("latin") == "\udce9"


def test_a_database_that_is_being_written(database: Path) -> None:
    """A fault, after a moment; then its answers are new."""
    table = opened(database, QUERY)
    with sqlite3.connect(database, isolation_level=None) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        writer.execute("UPDATE aliases SET goto = 'new' WHERE name = 'nul'")
        with pytest.raises(LookupFault, match="database is locked"):
            table.query("nul")
        writer.execute("COMMIT")
    assert table.query("nul") == "new"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("query = SELECT '%x'\n", "Invalid query template"),
        ("query = SELECT 1\nresult_format = %z\n", "Invalid result template"),
        ("select_field = a\n", "bad string length 0 < 1: table = "),
        ("query = SELECT 1\ndbpath =\n", "bad string length 0 < 1: dbpath = "),
        ("query = SELECT 1\ndbpath = /nonexistent/db\n", "Can't open database"),
        ("query = SELECT 1\nexpansion_limit = many\n", "bad numerical configuration: expansion_limit = many"),
        ("query = SELECT 1\ndomain = /nonexistent/list\n", "No such file or directory"),
        ("query = SELECT 1\ndomain = none:x\n", "unsupported dictionary type: none"),
        ("no equals sign\n", "missing '='"),
    ],
)
def test_what_is_wrong_with_parameters(database: Path, text: str, what: str) -> None:
    """It is told when the table is opened; no database is made."""
    with pytest.raises(ConfigurationFault, match=what):
        opened(database, text)
    assert [database.with_suffix(".cf").name, database.name] == sorted(
        p.name for p in database.parent.iterdir()
    )


def test_parameters_in_main_cf_are_refused() -> None:
    """With what to do instead."""
    with pytest.raises(ConfigurationFault, match=r"name that with its path: sqlite:/etc/postfix/users\.cf"):
        open_with("sqlite:users", Opening(where="main.cf, line 7", clock=ManualClock()))
