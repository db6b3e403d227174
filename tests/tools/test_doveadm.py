"""doveadm(1): forms of output, passwords of every scheme, wrong use."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pillarbox.auth.password_making import SCHEMES, make
from pillarbox.auth.password_schemes import UnknownScheme, verify
from pillarbox.tools import doveadm
from pillarbox.tools.doveadm_commands.output import RowWriter

COLUMNS = ("mailbox", "messages", "vsize")
ROWS = [["Sent", "0", "0"], ["Archive/2024", "1", "305"]]
FORMS = [
    ("flow", "Sent messages=0 vsize=0\nArchive/2024 messages=1 vsize=305\n"),
    ("tab", "mailbox\tmessages\tvsize\nSent\t0\t0\nArchive/2024\t1\t305\n"),
    ("pager", "Sent\nmessages: 0\nvsize: 0\n\f\nArchive/2024\nmessages: 1\nvsize: 305\n"),
    (
        "json",
        '[{"mailbox":"Sent","messages":"0","vsize":"0"},{"mailbox":"Archive/2024","messages":"1","vsize":"305"}]',
    ),
]


def printed(form: str, *, hidden: Sequence[str] = ()) -> str:
    """The rows."""
    found: list[str] = []
    writer = RowWriter(COLUMNS, form, hidden=hidden, write=found.append)
    for row in ROWS:
        writer.add(row)
    writer.finish()
    return "".join(found)


@pytest.mark.parametrize(("form", "expected"), FORMS)
def test_forms(form: str, expected: str) -> None:
    """As doveadm(1) prints the same rows."""
    assert printed(form, hidden=("mailbox",)) == expected


def test_table_has_columns_in_their_widths() -> None:
    """Names first."""
    lines = printed("table").split("\n")
    assert [line.split() for line in lines] == [list(COLUMNS), *ROWS, []]
    assert len({len(line) for line in lines[:-1]}) == 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_made_passwords_are_right_and_others_wrong(scheme: str) -> None:
    """Each scheme both ways, and no two alike where there is a salt."""
    stored = make(scheme, b"correct horse", user=b"a@b")
    assert stored.startswith(f"{{{scheme}}}")
    assert verify(b"correct horse", stored.encode(), user=b"a@b")
    assert not verify(b"wrong horse", stored.encode(), user=b"a@b")


@pytest.mark.parametrize("encoding", ["HEX", "B64", "BASE64"])
def test_encodings_behind_the_scheme(encoding: str) -> None:
    """`{SSHA256.HEX}…`"""
    for scheme in ("SHA256", "PLAIN-MD5", "SSHA", "CRYPT", "CRAM-MD5"):
        stored = make(f"{scheme}.{encoding}", b"x")
        assert verify(b"x", stored.encode())


def test_unknown_schemes() -> None:
    """Said by name."""
    with pytest.raises(UnknownScheme, match="ROT13"):
        make("ROT13", b"x")


COMMANDS = [
    (["pw", "-s", "PLAIN", "-p", "x"], 0, "{PLAIN}x\n", ""),
    (["pw", "-t", "{PLAIN}x", "-p", "x"], 0, "{PLAIN}x (verified)\n", ""),
    (
        ["pw", "-t", "{PLAIN}x", "-p", "y"],
        75,
        "",
        "Fatal: reverse password verification check failed: Password mismatch\n",
    ),
    (["pw", "-s", "NOSUCH", "-p", "x"], 75, "", "Fatal: Unknown scheme: NOSUCH\n"),
    (["user"], 64, "", "doveadm user [-a"),
    (
        ["auth"],
        64,
        "",
        "usage: doveadm [-Dv] [-f <formatter>] auth <command> [<args>]\n  cache        flush\n",
    ),
    (["nosuch"], 64, "", "usage: doveadm [-Dv] [-f <formatter>] <command> [<args>]\n"),
    (["-f", "xml", "who"], 75, "", "doveadm: Fatal: Unknown print formatter: xml\n"),
    (["stop"], 75, "", "Fatal: Dovecot is not running (read from BASE/master.pid)\n"),
    (["reload"], 75, "", "Fatal: Dovecot is not running (read from BASE/master.pid)\n"),
    (["who"], 75, "", "Fatal: net_connect_unix(BASE/pillarbox-sessions) failed: No such file or directory\n"),
    (["auth", "cache", "flush"], 0, "0 cache entries flushed\n", ""),
    (["mailbox", "mutf7", "Entwürfe"], 0, "Entw&APw-rfe\n", ""),
    (["mailbox", "mutf7", "-8", "Entw&APw-rfe"], 0, "Entwürfe\n", ""),
    (["mailbox", "status", "messages"], 64, "", "doveadm mailbox status "),
]


@pytest.mark.parametrize(
    ("arguments", "status", "output", "errors"), COMMANDS, ids=[" ".join(c[0]) for c in COMMANDS]
)
def test_commands_where_nothing_runs(
    arguments: list[str],
    status: int,
    output: str,
    errors: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit status and text as doveadm(1) has them."""
    path = tmp_path / "dovecot.conf"
    path.write_text(f"base_dir = {tmp_path}\nssl = no\n")
    assert doveadm.main(["-c", str(path), *arguments]) == status
    printed = capsys.readouterr()
    assert printed.out == output
    assert printed.err.startswith(errors.replace("BASE", str(tmp_path)))
