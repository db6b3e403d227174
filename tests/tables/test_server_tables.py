"""tcp: and socketmap: tables, against a server in this process."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.table_server import TableServer, netstring
from pillarbox.tables import server_connection
from pillarbox.tables.opening import open_with
from pillarbox.tables.socketmap_table import SocketmapTable
from pillarbox.tables.table import LookupFault, LookupTable, Opening
from pillarbox.tables.tcp_table import TcpTable
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault

LINES: dict[bytes, bytes | None] = {
    b"bob": b"200 bob%40x.test\n",
    b"No": b"500 not found\n",
    b"lead": b"200   x\n",
    b"nul": b"200 a%00b\n",
    b"empty": b"200 \n",
    b"a%20b%25%C3%89%09~": b"200 quoted\n",
    b"latin": b"200 %e9\n",
    b"later": b"400 try later\n",
    b"bare": b"500\n",
    b"odd": b"300 x\n",
    b"hex": b"200 a%zz\n",
    b"hex2": b"200 a%1\n",
    b"long": b"200 " + b"y" * 5000 + b"\n",
    b"gone": None,
}
NETSTRINGS: dict[bytes, bytes | None] = {
    b"n bob": netstring(b"OK bob@x.test"),
    b"n BOB": netstring(b"OK upper"),
    b"n none": netstring(b"NOTFOUND"),
    b"n bare": netstring(b"OK"),
    b"n empty": netstring(b"OK "),
    b"n blank": netstring(b"OK  a b"),
    b"n most": netstring(b"OK " + b"x" * 99997),
    b"n temp": netstring(b"TEMP try  later"),
    b"n slow": netstring(b"TIMEOUT"),
    b"n perm": netstring(b"PERM never\x01"),
    b"n odd": netstring(b"HUH"),
    b"n big": netstring(b"OK " + b"x" * 99998),
    b"n junk": b"hello",
    b"n comma": b"5:OK ab;",
    b"n gone": None,
}


class Asked:
    """Both servers, and tables that ask them."""

    def __init__(self, directory: Path) -> None:
        self.server = TableServer()
        self.tables: list[TcpTable | SocketmapTable] = []
        self.warnings: list[str] = []
        self.clock = ManualClock()
        tcp = socket.create_server(("127.0.0.1", 0))
        self.server.tcp(tcp, lambda key: LINES.get(key, b"500 no\n"))
        self.port = tcp.getsockname()[1]
        self.path = str(directory / "sockets")
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(self.path)
        unix.listen()
        self.server.socketmap(unix, lambda key: NETSTRINGS.get(key, netstring(b"NOTFOUND ")))

    def table(self, name: str, *, sensitive: bool = False) -> LookupTable:
        """Opened; the warnings are noted."""
        opening = Opening(
            where="main.cf, line 7", clock=self.clock, warn=self.warnings.append, sensitive=sensitive
        )
        made = open_with(name, opening)
        assert isinstance(made, TcpTable | SocketmapTable)
        self.tables.append(made)
        return made

    def close(self) -> None:
        """End all."""
        for table in self.tables:
            table.close()
        self.server.close()

    @property
    def tcp(self) -> LookupTable:
        return self.table(f"tcp:127.0.0.1:{self.port}")

    @property
    def socketmap(self) -> LookupTable:
        return self.table(f"socketmap:unix:{self.path}:n")


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    """Servers that run."""
    made = Asked(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_answers_of_lines(asked: Asked) -> None:
    """Keys are asked for in their case, and quoted; one connection serves all questions."""
    table = asked.tcp
    answers = {key: table.query(key) for key in ("bob", "BOB", "No", "lead", "nul", "empty", "a b%É\t~")}
    assert answers == {
        "bob": "bob@x.test",
        "BOB": None,
        "No": None,
        "lead": "  x",
        "nul": "a",
        "empty": "",
        "a b%É\t~": "quoted",
    }
    assert not table.partial_keys
    assert table.query("not\udce9utf8") is None


@pytest.mark.parametrize(
    ("key", "warning"),
    [
        ("later", ""),
        ("bare", "malformed reply: 500"),
        ("odd", "bad status code: 300 x"),
        ("hex", "malformed reply: 200 a%zz"),
        ("hex2", "malformed reply: 200 a%1"),
        ("long", "text longer than 4096"),
        ("gone", "unexpected EOF"),
        ("latin", "non-UTF-8 value"),
    ],
)
def test_lines_that_are_no_answer(asked: Asked, key: str, warning: str) -> None:
    """A fault; the next question is answered all the same."""
    table = asked.tcp
    with pytest.raises(LookupFault):
        table.query(key)
    assert [warning in text for text in asked.warnings] == ([True] if warning else [])
    assert table.query("bob") == "bob@x.test"


def test_answers_of_netstrings(asked: Asked) -> None:
    """Up to a hundred thousand octets."""
    table = asked.socketmap
    keys = ("bob", "BOB", "none", "bare", "empty", "blank", "nobody")
    assert [table.query(key) for key in keys] == ["bob@x.test", "upper", None, None, "", " a b", None]
    assert table.query("most") == "x" * 99997


@pytest.mark.parametrize(
    ("key", "warning"),
    [
        ("temp", "socketmap server temporary error: try  later"),
        ("slow", "socketmap server timeout error"),
        ("perm", "socketmap server permanent error: never?"),
        ("odd", "socketmap server unknown error"),
        ("big", "lookup error: input exceeds size limit"),
        ("junk", "lookup error: input format error"),
        ("comma", "lookup error: input format error"),
        ("gone", "lookup error: unexpected disconnect"),
    ],
)
def test_netstrings_that_are_no_answer(asked: Asked, key: str, warning: str) -> None:
    """A fault; the next question is answered all the same."""
    table = asked.socketmap
    with pytest.raises(LookupFault):
        table.query(key)
    assert [text.endswith(warning) for text in asked.warnings] == [True]
    assert table.query("bob") == "bob@x.test"


def test_a_server_that_was_started_anew_is_asked_again(asked: Asked) -> None:
    """A connection that has ended meanwhile is no fault."""
    table = asked.tcp
    assert table.query("bob") == "bob@x.test"
    for connection in asked.server._connections:
        connection.shutdown(socket.SHUT_RDWR)
    assert table.query("bob") == "bob@x.test"
    assert asked.warnings == []


def test_a_silent_server_is_left_alone(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others wait while it is waited for: so it is not asked again at once."""
    monkeypatch.setattr(server_connection, "PATIENCE", 0.05)
    quiet = socket.create_server(("127.0.0.1", 0))
    with quiet:
        table = asked.table(f"tcp:127.0.0.1:{quiet.getsockname()[1]}")
        for _ in range(3):
            with pytest.raises(LookupFault):
                table.query("bob")
        assert ["did not answer a moment ago" in text for text in asked.warnings] == [False, True, True]
        asked.clock.advance(0.1)
        with pytest.raises(LookupFault):
            table.query("bob")
        assert "did not answer" not in asked.warnings[-1]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("tcp:127.0.0.1", "garbage after numerical service"),
        ("tcp:127.0.0.1:no-service", "Servname not supported"),
        ("socketmap:foo", "requires server:socketmap argument"),
        ("socketmap:tcp:7778:x", "invalid transport name: tcp in service: tcp:7778"),
        ("socketmap:inet:127.0.0.1:7778", "garbage after numerical service"),
    ],
)
def test_names_that_are_no_server(asked: Asked, name: str, what: str) -> None:
    """It is told when the table is opened."""
    with pytest.raises(ConfigurationFault, match=what):
        asked.table(name)


@pytest.mark.parametrize("name", ["tcp:localhost:25", "socketmap:unix:/x:n", "proxy:tcp:localhost:25"])
def test_no_server_says_which_file_or_command(asked: Asked, name: str) -> None:
    """As for aliases and mailboxes."""
    with pytest.raises(ConfigurationFault, match="not allowed for security-sensitive data"):
        asked.table(name, sensitive=True)


def test_nobody_listens(asked: Asked) -> None:
    """Both say so, in Postfix's words."""
    asked.server.close()
    for table in (asked.tcp, asked.socketmap):
        with pytest.raises(LookupFault):
            table.query("bob")
    assert asked.warnings == [
        f"connect to TCP map 127.0.0.1:{asked.port}: Connection refused",
        f"table socketmap:unix:{asked.path}:n lookup error: Connection refused",
    ]
