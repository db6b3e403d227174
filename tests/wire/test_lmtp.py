"""The LMTP engine: grammar, content in any chunking."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire import lmtp
from pillarbox.wire.lmtp import Bdat, Command, Content, Data, EndOfContent, LmtpServer, Rcpt, parse
from pillarbox.wire.pause import Pause

LINES: list[tuple[bytes, Command]] = [
    (b"LHLO mx.example.org", lmtp.Lhlo(b"mx.example.org")),
    (b"lhlo [192.0.2.1]", lmtp.Lhlo(b"[192.0.2.1]")),
    (b"LHLO", lmtp.Refused(b"501 Missing hostname")),
    (b"LHLO " + b"a" * 300 + b".b_c", lmtp.Lhlo(b"a" * 300 + b".b_c")),
    (b"LHLO (x", lmtp.Lhlo(b"unknown")),
    (b"LHLO a..b", lmtp.Lhlo(b"unknown")),
    ("LHLO é".encode(), lmtp.Lhlo(b"unknown")),
    (b"LHLO x y ", lmtp.Lhlo(b"x")),
    (b"LHLO  x", lmtp.Refused(b"500 5.5.2 Invalid command syntax")),
    (b"NOOP\t", lmtp.Refused(b"500 5.5.2 Invalid command syntax")),
    (b"N1", lmtp.Refused(b"500 5.5.2 Invalid command syntax")),
    (b"N" * 32, lmtp.Refused(b"500 5.5.1 Unknown command")),
    (b"N" * 33, lmtp.Refused(b"500 5.5.2 Invalid command syntax")),
    (b"NOOP \x7f", lmtp.Refused(b"500 5.5.2 Invalid command syntax")),
    (b"NOOP \xff", lmtp.Refused(b"500 5.5.2 Invalid command syntax")),
    (b" NOOP", lmtp.Refused(b"500 5.5.1 Unknown command")),
    (b"NOOP a b", lmtp.Refused(b"501 5.5.4 Invalid string parameter: Invalid character in string")),
    (b'NOOP "a b"', lmtp.Noop()),
    (b'NOOP "a', lmtp.Refused(b"501 5.5.4 Invalid string parameter: Premature end of quoted string")),
    (b'VRFY "a"b', lmtp.Refused(b"501 5.5.4 Invalid string parameter: Invalid character in string")),
    (b"VRFY", lmtp.Refused(b"501 5.5.4 Invalid parameters")),
    (
        b"MAIL FROM:<a@b>  BODY=7BIT",
        lmtp.Refused(b"501 5.5.4 Invalid MAIL parameter: Parameter is empty", b"MAIL"),
    ),
    (b"EHLO x", lmtp.Refused(b"500 5.5.1 Unknown command")),
    (b"", lmtp.Refused(b"500 5.5.1 Unknown command")),
    (b"MAIL FROM:<a@b.example>", lmtp.Mail(b"a@b.example")),
    (b"mail from: <a@b.example> BODY=8BITMIME", lmtp.Mail(b"a@b.example")),
    (b"MAIL FROM:<>", lmtp.Mail(b"")),
    (b"MAIL FROM:<a(c)@b@c>", lmtp.Mail(b"a(c)@b@c")),
    (b'MAIL FROM:<"a b"@c>', lmtp.Mail(b'"a b"@c')),
    (b'MAIL FROM:<a"b@c>', lmtp.Mail(b'a"b@c')),
    (b"MAIL FROM:<a b@c>", lmtp.Refused(b"501 5.5.4 Invalid FROM: Invalid character in localpart", b"MAIL")),
    (
        b'MAIL FROM:<"a\tb"@c>',
        lmtp.Refused(b"501 5.5.4 Invalid FROM: Premature end of quoted string", b"MAIL"),
    ),
    (b"MAIL FROM:<a@b>>", lmtp.Refused(b"501 5.5.4 Invalid FROM: Invalid character in path", b"MAIL")),
    (
        b"MAIL FROM:<a@b> (c)",
        lmtp.Refused(b"501 5.5.4 Invalid MAIL parameter: Unexpected character in parameter keyword", b"MAIL"),
    ),
    (
        b"MAIL FROM:<a@b> X==",
        lmtp.Refused(b"501 5.5.4 Invalid MAIL parameter: Unexpected character in parameter value", b"MAIL"),
    ),
    (b"MAIL FROM:<a@b> BODY=BINARYMIME", lmtp.Refused(b"555 5.5.4 Unsupported mail BODY type", b"MAIL")),
    (b"RCPT TO:<@x,@y:me@b.example>", Rcpt(b"@x,@y:me@b.example", b"me", b"b.example")),
    (b"RCPT TO:<me> orcpt=rfc822;a+40b", Rcpt(b"me", b"me", b"", b"a@b")),
    (b"RCPT TO:<me> ORCPT=utf-8;a@b", Rcpt(b"me", b"me", b"")),
    (b"RCPT TO:<me> ORCPT=x;a ORCPT=x;a", lmtp.Refused(b"501 5.5.4 Duplicate ORCPT= parameter", b"RCPT")),
    (b"RCPT TO:<me> ORCPT=x;a NOTIFY=NEVER", lmtp.Refused(b"555 5.5.4 Unsupported parameters", b"RCPT")),
    (b"RCPT TO:<me> ORCPT", lmtp.Refused(b"501 5.5.4 Missing ORCPT= parameter value", b"RCPT")),
    (b"RCPT TO:<a@b@c>", lmtp.Refused(b"501 5.5.4 Invalid TO: Missing '>' at end of path", b"RCPT")),
    (b"RCPT TO:<a@b(c)>", lmtp.Refused(b"501 5.5.4 Invalid TO: Missing '>' at end of path", b"RCPT")),
    (b"RCPT TO:<a@b>c", lmtp.Refused(b"501 5.5.4 Invalid TO: Invalid character in path", b"RCPT")),
    (
        b"RCPT TO:<a@b> c+d",
        lmtp.Refused(b"501 5.5.4 Invalid RCPT parameter: Unexpected character in parameter keyword", b"RCPT"),
    ),
    (b"MAIL FROM:<a@b> BODY=FOO", lmtp.Refused(b"555 5.5.4 Unsupported mail BODY type", b"MAIL")),
    (b"MAIL FROM:<a@b> SIZE=1", lmtp.Refused(b"555 5.5.4 Unsupported parameters", b"MAIL")),
    (b"STARTTLS", lmtp.Refused(b"502 5.5.1 TLS support is not enabled.")),
    (b"MAIL FROM:", lmtp.Refused(b"501 5.5.4 Invalid FROM: Path is empty string", b"MAIL")),
    (b"MAIL FROM:a@b", lmtp.Refused(b"501 5.5.4 Invalid FROM: Missing '<' at beginning of path", b"MAIL")),
    (b"MAIL FROM:<a@b", lmtp.Refused(b"501 5.5.4 Invalid FROM: Missing '>' at end of path", b"MAIL")),
    (b"RCPT TO:<me+x@b.example>", Rcpt(b"me+x@b.example", b"me+x", b"b.example")),
    (b'RCPT TO:<"a> b"@c.example>', Rcpt(b'"a> b"@c.example', b"a> b", b"c.example")),
    (b"RCPT TO:<me>", Rcpt(b"me", b"me", b"")),
    (b"RCPT TO:<>", lmtp.Refused(b"501 5.5.4 Invalid TO: Null path not allowed", b"RCPT")),
    (b"RCPT TO:<a@b> NOTIFY=NEVER", lmtp.Refused(b"555 5.5.4 Unsupported parameters", b"RCPT")),
    (b"RCPT TO:foo", lmtp.Refused(b"501 5.5.4 Invalid TO: Missing '<' at beginning of path", b"RCPT")),
    (b"DATA", Data()),
    (b"DATA x", lmtp.Refused(b"501 5.5.4 Invalid parameters")),
    (b"BDAT 12", Bdat(12, last=False)),
    (b"BDAT 0 last", Bdat(0, last=True)),
    (b"BDAT 1_0", lmtp.Refused(b"501 5.5.4 Invalid chunk size parameter", b"BDAT")),
    (b"BDAT 1 FIRST", lmtp.Refused(b"501 5.5.4 Invalid end marker parameter", b"BDAT", 1)),
    (b"BDAT 7  LAST", lmtp.Refused(b"501 5.5.4 Invalid parameters", b"BDAT", 7)),
    (b"RSET", lmtp.Rset()),
    (b"NOOP x", lmtp.Noop()),
    (b"VRFY me", lmtp.Vrfy()),
    (b"QUIT", lmtp.Quit()),
]


@pytest.mark.parametrize(("line", "expected"), LINES, ids=[repr(line) for line, _ in LINES])
def test_lines(line: bytes, expected: Command) -> None:
    """Each line is a command, or refused in Dovecot's words."""
    assert parse(line) == expected


def played(pieces: list[bytes]) -> list[object]:
    """What the engine makes of a conversation that comes in pieces; content joined."""
    engine = LmtpServer()
    found: list[object] = []
    for piece in pieces:
        engine.receive_data(piece)
        while (command := engine.next_command()) is not Pause.NEED_DATA:
            if isinstance(command, Data):
                engine.begin_data()
            elif isinstance(command, Bdat):
                engine.begin_chunk(command)
            elif isinstance(command, lmtp.Refused):
                engine.skip_chunk(command.size)
            if isinstance(command, Content) and found and isinstance(found[-1], Content):
                found[-1] = Content(found[-1].data + command.data)
            else:
                found.append(command)
    return found


CONVERSATION = (
    b"LHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\nx\r\n..y\r\n.\r\nNOOP\r\n"
    b"BDAT 6\r\nab\r\ncdBDAT 4 LAST\r\n\r\n.\rBDAT 6 X\r\nQUIT\r\nRSET\r\nQUIT\r\n"
)
EXPECTED = [
    lmtp.Lhlo(b"me"),
    lmtp.Mail(b""),
    Rcpt(b"a@b", b"a", b"b"),
    Data(),
    Content(b"x\r\n.y\r\n"),
    EndOfContent(last=True),
    lmtp.Noop(),
    Bdat(6, last=False),
    Content(b"ab\r\ncd"),
    EndOfContent(last=False),
    Bdat(4, last=True),
    Content(b"\r\n.\r"),
    EndOfContent(last=True),
    lmtp.Refused(b"501 5.5.4 Invalid end marker parameter", b"BDAT", 6),
    lmtp.Rset(),
    lmtp.Quit(),
]


def test_a_conversation() -> None:
    """Commands, dots unstuffed, chunks in which dots mean nothing, pipelined commands behind them."""
    assert played([CONVERSATION]) == EXPECTED


@given(st.lists(st.integers(1, len(CONVERSATION) - 1), max_size=12))
def test_any_chunking_gives_the_same(cuts: list[int]) -> None:
    """However the network cuts it."""
    places = [0, *sorted(set(cuts)), len(CONVERSATION)]
    assert played([CONVERSATION[at:to] for at, to in itertools.pairwise(places)]) == EXPECTED


def test_a_line_that_is_too_long_is_thrown_away() -> None:
    """As it comes; the next one counts again."""
    engine = LmtpServer()
    for _ in range(5):
        engine.receive_data(b"x" * 4096)
        engine.next_command()
    engine.receive_data(b"\r\nNOOP\r\n")
    assert engine.next_command() == lmtp.Refused(b"500 5.5.2 Line too long")
    assert engine.next_command() == lmtp.Noop()
