"""sqlite:, tcp: and socketmap: tables beside Debian's Postfix: what postmap(1) says, and what becomes of mail."""

import gc
import re
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from fakes.command_here import run_here
from fakes.directories import let_others_in
from fakes.network import address
from fakes.random_rewriting import RandomConfiguration, RandomMessage
from fakes.rewriting_play import MAIN_CF, USERS, ZONES, Played, load, prepare
from fakes.rewriting_world import RewritingWorld
from fakes.table_server import TableServer, of_lines, of_netstrings
from pillarbox.tools import postmap

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "named", "unshare", "ip"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # a command's end closes them
]

_ROWS: Final = (
    ("bob", "bob@x.test"),
    ("bob", "al@y.test"),
    ("o'neil", "q"),
    ("empty", ""),
    ("nul", None),
    ("n", 5),
)
_PARAMETERS: Final[dict[str, str]] = {
    "plain": "query = SELECT v FROM a WHERE k = '%s'",
    "limited": "query = SELECT v FROM a WHERE k = '%s'\nexpansion_limit = 1",
    "old": "table = a\nselect_field = v\nwhere_field = k\nadditional_conditions = AND v <> ''\nresult_format = smtp:[%s]%S",
    "letter": "query = SELECT v FROM a WHERE k = '%x'",
    "neither": "",
    "parts": "query = SELECT '%u/%d/%1/%3'",
    "shaped": "query = SELECT 'a@b', 'c'; select 3\nresult_format = %u-%d-%S-%U-%%\ndomain = b.test, inline:{c.test=x}",
    "first": "query = SELECT 'u@only.test' UNION SELECT 'bare'\nresult_format = %d",
}
_KEYS: Final = (
    "bob",
    "BOB",
    "o'neil",
    "empty",
    "nul",
    "n",
    "no",
    "",
    "u@mail.b.test",
    "u@b.test",
    "@b.test",
    "u@",
    "x@c.test",
)
_LINES: Final[dict[bytes, bytes]] = {
    b"bob": b"200 bob%40x.test\n",
    b"later": b"400 try later\n",
    b"bare": b"500\n",
    b"odd": b"300 x\n",
    b"hex": b"200 a%zz\n",
    b"empty": b"200 \n",
    b"blank": b"200   x y\n",
    b"nul": b"200 a%00b\n",
    b"a%20b%25%C3%89%09~": b"200 quoted\n",
}
_NETSTRINGS: Final[dict[bytes, bytes]] = {
    b"n bob": b"OK bob@x.test",
    b"n temp": b"TEMP try  later",
    b"n slow": b"TIMEOUT",
    b"n perm": b"PERM never\x01",
    b"n odd": b"HUH",
    b"n bare": b"OK",
    b"n empty": b"OK ",
    b"n blank": b"OK  a b",
    b"n none": b"NOTFOUND",
    b"n big": b"OK " + b"x" * 99998,
    b"n most": b"OK " + b"x" * 99997,
    b"n a b": b"OK two words",
}


def _said(done: "subprocess.CompletedProcess[bytes]") -> tuple[int, bytes, str]:
    """Status, output and messages, without the error number that the original happens to have left."""
    errors = re.sub(r"(?m)(query error)(?::.*)?$", r"\1", done.stderr.decode())
    return done.returncode, done.stdout, errors


def _theirs(config: Path, arguments: tuple[str, ...]) -> tuple[int, bytes, str]:
    command = ["/usr/sbin/postmap", "-c", str(config), *arguments]
    return _said(subprocess.run(command, capture_output=True, check=False, cwd=config))


def _ours(config: Path, arguments: tuple[str, ...]) -> tuple[int, bytes, str]:
    return _said(run_here(postmap.main, ["-c", str(config), *arguments], directory=config))


def _compared(config: Path, questions: list[tuple[str, ...]]) -> None:
    with ThreadPoolExecutor(24) as pool:  # each of the original's fatal errors waits for a second
        theirs = list(pool.map(lambda question: _theirs(config, question), questions))
    ours = [_ours(config, question) for question in questions]
    gc.collect()
    assert dict(zip(questions, theirs, strict=True)) == dict(zip(questions, ours, strict=True))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A directory with a main.cf, a database, and files that say how it is asked."""
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\nmyhostname = mx.test\n")
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("CREATE TABLE a (k, v)")
    connection.executemany("INSERT INTO a VALUES (?, ?)", _ROWS)
    connection.commit()
    connection.close()
    for name, text in _PARAMETERS.items():
        (tmp_path / f"{name}.cf").write_text(f"dbpath = {tmp_path}/a.db\n{text}\n")
    (tmp_path / "nothing.cf").write_text("query = SELECT 1\n")
    let_others_in(tmp_path)
    return tmp_path


def test_postmap_asks_a_database(config: Path) -> None:
    """Values, messages and exit status; what is not there; what cannot be done."""
    names = (*_PARAMETERS, "nothing", "nofile")
    questions = [("-q", key, f"sqlite:{config}/{name}.cf") for name in names for key in _KEYS]
    table = f"sqlite:{config}/plain.cf"
    _compared(config, [*questions, ("-d", "bob", table), ("-s", table)])


def test_postmap_asks_servers(config: Path) -> None:
    """Both protocols; the original tries a tcp: server ten times, so that one is always there."""
    server = TableServer()
    lines = socket.create_server(("127.0.0.1", 0))
    server.tcp(lines, of_lines(_LINES))
    netstrings = socket.create_server(("127.0.0.1", 0))
    server.socketmap(netstrings, of_netstrings(_NETSTRINGS))
    tcp = f"tcp:127.0.0.1:{lines.getsockname()[1]}"
    socketmap = f"socketmap:inet:127.0.0.1:{netstrings.getsockname()[1]}"
    keys = [key.decode() for key in _LINES if b"%" not in key]
    named = [key[2:].decode() for key in _NETSTRINGS]
    try:
        _compared(
            config,
            [
                *(("-q", key, tcp) for key in [*keys, "BOB", "no", "", "a b%É\t~"]),
                *(("-q", key, f"{socketmap}:n") for key in [*named, "BOB", "no", ""]),
                ("-q", "x", "socketmap:foo"),
                ("-q", "x", socketmap),
                ("-q", "x", "socketmap:tcp:7778:x"),
                ("-q", "x", "tcp:127.0.0.1"),
                ("-d", "x", tcp),
                ("-s", tcp),
                ("-d", "x", f"{socketmap}:n"),
                ("-s", f"{socketmap}:n"),
            ],
        )
        asked = [line for line in server.asked if line.startswith(b"get")]
        assert sorted(asked) == sorted(asked[: len(asked) // 2] * 2)
    finally:
        server.close()


# -- mail -----------------------------------------------------------------------------------------------------

_SETTINGS: Final = """\
virtual_alias_domains = sqlite:/etc/postfix/tables/domains.cf
virtual_alias_maps = proxy:sqlite:/etc/postfix/tables/aliases.cf
canonical_maps = tcp:[{server}]:7777
transport_maps = socketmap:inet:[{server}]:7778:route
local_recipient_maps = proxy:unix:passwd.byname socketmap:inet:[{server}]:7778:people
smtpd_recipient_restrictions = check_recipient_access socketmap:unix:private/access:rcpt,
    check_sender_access pipemap:{{tcp:[{server}]:7777,inline:{{bad@from.test=REJECT}}}}, permit
"""
_ALIASES: Final = """\
CREATE TABLE alias (address, goto, active);
INSERT INTO alias VALUES ('list@sql.test', 'a@out.test', 1), ('list@sql.test', 'b@out.test', 1),
    ('off@sql.test', 'a@out.test', 0), ('@whole.test', '@out.test', 1), ('o''neil@sql.test', 'irish@out.test', 1);
CREATE TABLE domain (name); INSERT INTO domain VALUES ('sql.test'), ('whole.test');
"""
_CANONICAL: Final = of_lines(
    {
        b"old@here.test": b"200 new@here.test\n",
        b"x@bad.test": b"200 bad@from.test\n",
        b"y@fault.test": b"400 x\n",
    }
)
_MAPS: Final[dict[bytes, bytes]] = {
    b"route via@out.test": b"OK smtp:[10.53.0.21]",
    b"route away@out.test": b"OK error:5.1.1 gone away",
    b"route busy@out.test": b"TEMP busy",
    b"people carol@here.test": b"OK x",
    b"people dave": b"OK x",
    b"rcpt no@out.test": b"OK REJECT not him",
    b"rcpt fault@out.test": b"PERM broken",
}


def _messages() -> tuple[RandomMessage, ...]:
    rows = [
        ("s@out.test", ("list@sql.test", "List+ext@SQL.test")),
        ("s@out.test", ("off@sql.test", "o'neil@sql.test", "any+x@whole.test")),
        ("old@here.test", ("old@here.test", "via@out.test")),
        ("x@bad.test", ("a@out.test",)),
        ("y@fault.test", ("a@out.test",)),
        ("s@out.test", ("no@out.test", "fault@out.test", "away@out.test")),
        ("s@out.test", ("carol@here.test", "dave@here.test", "alice@here.test", "erin@here.test")),
    ]
    return tuple(
        RandomMessage(
            name=f"m{at}",
            local=False,
            sender=sender,
            recipients=tuple(f"<{one}>" for one in recipients),
            content=b"Message-ID: <m%d@x.test>\nX-Row: m%d.\nFrom: old@here.test\nTo: %s\n\nhello\n"
            % (at, at, ", ".join(recipients).encode()),
        )
        for at, (sender, recipients) in enumerate(rows)
    )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RewritingWorld]:
    """Both hosts, and a table server for each."""
    let_others_in(tmp_path)
    made = RewritingWorld(tmp_path, MAIN_CF, zones=ZONES, users=USERS)
    server = TableServer()
    try:
        prepare(made)
        for host, at in zip(made.hosts, (20, 30), strict=True):
            server.tcp(socket.create_server((address(at), 7777)), _CANONICAL)
            server.socketmap(socket.create_server((address(at), 7778)), of_netstrings(_MAPS))
            door = host.file("/var/spool/postfix/private/access")
            access = socket.socket(socket.AF_UNIX)
            access.bind(str(door))
            access.listen()
            door.chmod(0o666)
            server.socketmap(access, of_netstrings(_MAPS))
            host.write("/etc/postfix/tables/aliases.sql", _ALIASES)
            host.output(
                "cd /etc/postfix/tables && python3 -c 'import sqlite3; "
                'sqlite3.connect("aliases.db").executescript(open("aliases.sql").read())\''
            )
        yield made
    finally:
        server.close()
        made.end()


def test_mail_goes_where_the_tables_say(world: RewritingWorld) -> None:
    """Aliases and domains of a database, canonical addresses, routes and access of servers."""
    base = "dbpath = /etc/postfix/tables/aliases.db\n"
    configuration = RandomConfiguration(
        settings=_SETTINGS.format(server="10.53.0.20"),
        files={
            "aliases.cf": base + "query = SELECT goto FROM alias WHERE address = '%s' AND active = 1\n",
            "domains.cf": base + "query = SELECT 1 FROM domain WHERE name = '%s'\n",
        },
        messages=_messages(),
        queries=(),
    )
    load(world, configuration)
    played = [Played(world, host, configuration) for host in world.hosts]
    for one in played:
        one.play()
    for one in played:  # Postfix tells of a question that failed in two or three lines, we in one
        lines = one.results["general"].split("\n")
        one.results["general"] = "\n".join(line for line in lines if not line.startswith("warning"))
    theirs, ours = (one.results for one in played)
    assert theirs == ours
    said = "\n".join(theirs.values())
    assert all(part in said for part in ("irish@out.test", "451 4.3.", "gone away", "Access denied"))
