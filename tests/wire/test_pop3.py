"""The POP3 engine: commands, their mistakes, and dot-stuffing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire import pop3 as p
from pillarbox.wire.pause import Pause
from pillarbox.wire.pop3 import Pop3Server, State, stuffed, top_lines


def commands_of(*chunks: bytes, state: State = State.TRANSACTION) -> list[p.Command]:
    engine = Pop3Server(state=state)
    found: list[p.Command] = []
    for chunk in chunks:
        engine.receive_data(chunk)
        while isinstance(command := engine.next_command(), p.Command):
            found.append(command)
    return found


def bad(text: bytes) -> p.Command:
    return p.Refused(text)


CASES: list[tuple[bytes, p.Command]] = [
    (b"STAT", p.Statistics()),
    (b"stat x", p.Statistics()),
    (b"LIST", p.List(None)),
    (b"LIST 2", p.List(2)),
    (b"UIDL", p.UniqueIds(None)),
    (b"UIDL 10", p.UniqueIds(10)),
    (b"RETR 1", p.Retrieve(1)),
    (b"RETR  1", p.Retrieve(1)),
    (b"DELE 1", p.Delete(1)),
    (b"TOP 1 0", p.Top(1, 0)),
    (b"TOP 1  20", p.Top(1, 20)),
    (b"NOOP", p.Noop()),
    (b"RSET", p.Reset()),
    (b"CAPA", p.Capabilities()),
    (b"QUIT", p.Quit()),
    (b"", bad(b"Unknown command.")),
    (b"LAST 1", p.Last()),
    (b"FIRST", bad(b"Unknown command: FIRST")),
    (b"x\x01y", bad(b"Unknown command: X?Y")),
    (b"USER x", bad(b"Unknown command: USER")),
    (b"RETR", bad(b"Invalid message number: ")),
    (b"RETR x", bad(b"Invalid message number: x")),
    (b"RETR 1 2", bad(b"Noise after message number:  2")),
    (b"RETR 1x", bad(b"Noise after message number: x")),
    (b"RETR 4294967295", p.Retrieve(4294967295)),
    (b"RETR 04294967295", p.Retrieve(4294967295)),
    (b"RETR 4294967296", bad(b"Message number too large: ")),
    (b"RETR 12345678901 1", bad(b"Message number too large:  1")),
    (b"RETR 18446744073709551616 1", bad(b"Message number too large: 18446744073709551616 1")),
    (b"TOP 1", bad(b"Noise after message number: ")),
    (b"TOP 1 x", p.Top(1, 0, b"Invalid size: x")),
    (b"TOP 1 1x", p.Top(1, 0, b"Noise after size: x")),
    (b"TOP 1 -1", p.Top(1, 0, b"Invalid size: -1")),
    (b"TOP 1 18446744073709551615", p.Top(1, 2**64 - 1)),
    (b"TOP 1 18446744073709551616", p.Top(1, 0, b"Size too large: 18446744073709551616")),
    (b"TOP 1 " + b"9" * 30, p.Top(1, 0, b"Size too large: " + b"9" * 30)),
]


@pytest.mark.parametrize(("line", "expected"), CASES, ids=[repr(row[0]) for row in CASES])
def test_commands_after_login(line: bytes, expected: p.Command) -> None:
    """RFC 1939 §5, §7; the mistakes in Dovecot's words."""
    assert [expected] == commands_of(line + b"\r\n")


BEFORE: list[tuple[bytes, p.Command]] = [
    (b"USER me@x", p.User(b"me@x")),
    (b"AUTH", p.Auth(b"", None)),
    (b"AUTH plain", p.Auth(b"PLAIN", None)),
    (b"AUTH PLAIN =", p.Auth(b"PLAIN", b"=")),
    (b"STLS", p.StartTls()),
    (b"STAT", bad(b"Unknown command.")),
]


@pytest.mark.parametrize(("line", "expected"), BEFORE, ids=[repr(row[0]) for row in BEFORE])
def test_commands_before_login(line: bytes, expected: p.Command) -> None:
    """RFC 1939 §4, RFC 5034, RFC 2595."""
    assert [expected] == commands_of(line + b"\r\n", state=State.AUTHORIZATION)


def test_a_password_may_have_blanks() -> None:
    """RFC 1939 §7: PASS has one argument, blanks included; it does not show itself."""
    [command] = commands_of(b"PASS p4 ss \r\n", state=State.AUTHORIZATION)
    assert isinstance(command, p.Password)
    assert command.password.reveal() == b"p4 ss "
    assert "p4" not in repr(command)


def test_a_line_too_long_is_skipped() -> None:
    """Memory stays small, and the rest of the line is no command."""
    long = b"RETR " + b"1" * 9000 + b"\r\n"
    expected = [bad(b"Line is too long."), p.Noop()]
    assert expected == commands_of(long + b"NOOP\r\n")
    assert expected == commands_of(*(long[i : i + 100] for i in range(0, len(long), 100)), b"NOOP\r\n")


def test_a_response_is_no_command() -> None:
    """In AUTH the next line is the client's response."""
    engine = Pop3Server(state=State.AUTHORIZATION)
    engine.expect_line()
    engine.receive_data(b"QUIT\r\nQUIT\r\nx")
    assert engine.next_command() == p.Line(b"QUIT")
    assert engine.next_command() == p.Quit()
    assert engine.next_command() is Pause.NEED_DATA
    assert engine.unread() == b"x"
    engine.receive_data(b"")
    assert engine.next_command() is Pause.CLOSED


def test_answers() -> None:
    """`+OK` and `-ERR`, given once."""
    engine = Pop3Server(state=State.TRANSACTION)
    engine.ok()
    engine.ok(b"2 320")
    engine.error(b"no")
    assert engine.unsent == 25
    assert engine.data_to_send() == b"+OK\r\n+OK 2 320\r\n-ERR no\r\n"
    assert engine.data_to_send() == b""


STUFFED = [
    (b"a\r\n", b"a\r\n.\r\n"),
    (b"a", b"a\r\n.\r\n"),
    (b"", b".\r\n"),
    (b".\r\n..\r\n", b"..\r\n...\r\n.\r\n"),
    (b"a\r\n.b\r\n", b"a\r\n..b\r\n.\r\n"),
    (b"a.\r\n", b"a.\r\n.\r\n"),
]


@pytest.mark.parametrize(("content", "expected"), STUFFED)
def test_dots_are_stuffed(content: bytes, expected: bytes) -> None:
    """RFC 1939 §3: a line that begins with a dot gets another; `.` ends."""
    assert expected == stuffed(content)


@given(st.lists(st.sampled_from([b".", b"\r\n", b"x", b"\r", b"..", b" "]), max_size=20).map(b"".join))
def test_stuffing_is_what_it_is_line_by_line(content: bytes) -> None:
    """The whole-chunk form says the same as a loop over lines."""
    lines = content.split(b"\r\n")
    if lines[-1] == b"":
        lines.pop()
    expected = (
        b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"
    )
    assert expected == stuffed(content)


TOPS = [
    (0, b"H\r\n\r\n"),
    (1, b"H\r\n\r\na\r\n"),
    (2, b"H\r\n\r\na\r\nb\r\n"),
    (3, b"H\r\n\r\na\r\nb\r\nc"),
    (10**18, b"H\r\n\r\na\r\nb\r\nc"),
]


@pytest.mark.parametrize(("lines", "expected"), TOPS)
def test_top(lines: int, expected: bytes) -> None:
    """The header, the empty line and so many lines of the body."""
    assert expected == top_lines(b"H\r\n\r\na\r\nb\r\nc", 5, lines)


def test_absent_commands() -> None:
    """What the configuration does not want is unknown."""
    engine = Pop3Server(state=State.TRANSACTION, absent=(b"LAST",))
    engine.receive_data(b"last\r\n")
    assert engine.next_command() == bad(b"Unknown command: LAST")
    assert engine.bytes_in == 6
