"""inline, static, fail, randmap, environ, unix, pipemap, unionmap, proxy; and what is no table."""

import os
import pwd
from pathlib import Path

import pytest

from pillarbox.tables.opening import open_table, open_tables, table_types, unavailable_tables
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault


def opened(name: str) -> LookupTable:
    return open_table(name, where="main.cf, line 7", clock=ManualClock())


CASES = [
    ("inline:{a=b, c=d }", "a", "b"),
    ("inline:{{a = b c}, x=y}", "A", "b c"),
    ("inline:{a=b}", "x", None),
    ("inline:{a=1, a=2}", "a", "2"),
    ("static:value", "anything", "value"),
    ("static:{two words}", "", "two words"),
    ("static:all=all", "x", "all=all"),
    ("randmap:{only}", "x", "only"),
    ("pipemap:{inline:{a=b}, inline:{b=c}}", "a", "c"),
    ("pipemap:{inline:{a=b}, inline:{b=c}}", "b", None),
    ("unionmap:{inline:{a=b}, static:x, inline:{z=z}}", "a", "b,x"),
    ("unionmap:{inline:{a=b}, inline:{z=z}}", "q", None),
    ("proxy:inline:{a=b}", "a", "b"),
    ("unix:passwd.byname", "nobody-has-this-name", None),
]


@pytest.mark.parametrize(("name", "key", "answer"), CASES)
def test_answers(name: str, key: str, answer: str | None) -> None:
    """As DATABASE_README has them."""
    assert opened(name).query(key) == answer


def test_the_system_users() -> None:
    """A line as in /etc/passwd; the name in any case."""
    root = pwd.getpwuid(0)
    line = f"{root.pw_name}:{root.pw_passwd}:0:0:{root.pw_gecos}:{root.pw_dir}:{root.pw_shell}"
    assert opened("unix:passwd.byname").query("ROOT") == line


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are folded, as in Postfix."""
    monkeypatch.setitem(os.environ, "pillarbox_test", "here")
    assert opened("environ:x").query("PILLARBOX_TEST") == "here"
    assert opened("environ:x").query("nothing") is None


@pytest.mark.parametrize("name", ["fail:x", "pipemap:{static:a, fail:x}", "unionmap:{static:a, fail:x}"])
def test_a_fault_is_no_miss(name: str) -> None:
    """Nor is it hidden by other tables' answers."""
    with pytest.raises(LookupFault):
        opened(name).query("a")


WRONG = [
    ("none:x", "unsupported dictionary type: none"),
    ("word", '"word" is not a table'),
    ("hash:", 'open dictionary: expecting "type:name" form instead of "hash:"'),
    ("inline:x", 'bad syntax: "inline:x"; need "inline:{name=value...}"'),
    ("inline:{a}", "missing '=' after attribute name"),
    ("pipemap:{}", 'bad syntax: "pipemap:{}"; need "pipemap:{type:name...}"'),
    ("pipemap:{x}", 'bad syntax: "pipemap:{x}"; need "pipemap:{type:name...}"'),
    ("unionmap:{none:x}", "unsupported dictionary type: none"),
    ("static:{x", "bad static:name syntax"),
    ("unix:shadow", "unknown table: unix:shadow"),
]


@pytest.mark.parametrize(("name", "reason"), WRONG)
def test_what_is_no_table(name: str, reason: str) -> None:
    """Refused at open, at the parameter's place."""
    with pytest.raises(ConfigurationFault) as fault:
        opened(name)
    assert reason in fault.value.what
    assert fault.value.where == "main.cf, line 7"


def test_several_tables_in_order() -> None:
    """As a parameter lists them."""
    tables = open_tables(["static:a", "inline:{x=y}"], where="", clock=ManualClock())
    assert [table.name for table in tables] == ["static:a", "inline:{x=y}"]


def test_the_types() -> None:
    """As `postconf -m` lists them."""
    assert table_types() == sorted(table_types())
    assert {"hash", "btree", "lmdb", "texthash", "regexp", "pcre", "cidr", "unix", "proxy"} <= set(
        table_types()
    )


def test_who_serves_goes_on_without_a_table() -> None:
    """What asks it waits; why it is not there is told once for each place, and `proxy:` and unions are no exception."""
    with unavailable_tables() as lacks:
        tables = [opened("hash:/no/such/file") for _ in range(2)]
        united = opened("unionmap:{static:a, proxy:regexp:/no/such/file}")
        with pytest.raises(ConfigurationFault, match="is not a table"):
            opened("/no/such/file")
    for table in (*tables, united):
        with pytest.raises(LookupFault):
            table.query("a")
    place = "main.cf, line 7: "
    assert lacks == {
        "hash:/no/such/file": [f"{place}open database /no/such/file.db: No such file or directory"],
        "regexp:/no/such/file": [f"{place}open /no/such/file: No such file or directory"],
    }


def test_who_serves_is_told_of_rules_that_are_skipped(tmp_path: Path) -> None:
    """Also where whoever opens the table does not listen."""
    rules = tmp_path / "rules"
    rules.write_text("192.0.2.0/33 REJECT\n")
    told: list[str] = []
    with unavailable_tables(told.append):
        opened(f"cidr:{rules}")
    assert [text for text in told if "line 1: " in text and text.endswith(": skipping this rule")] == told
    assert told
