"""The server's end of a POP3 connection: bytes in, commands out; answers in, bytes out.

DESCRIPTION
    `receive_data()` takes bytes, `next_command()` gives one command after the other, or `NEED_DATA`, or
    `CLOSED`.  Which commands there are depends on `state`.  `ok()`, `error()` and `send()` put answers
    behind each other; `data_to_send()` gives and forgets them.

    In AUTH the session calls `expect_line()` after each challenge, and the response comes as `Line`.

    Messages go out with `stuffed()`: whole, not line by line.

FAULTS
    What cannot be read comes out as `Refused` with the text of the answer, Dovecot's words.

STANDARDS
    RFC 1939; RFC 2449 (CAPA, RESP-CODES); RFC 2595 (STLS); RFC 5034 (AUTH)
"""

from collections.abc import Callable, Collection
from enum import Enum, auto
from typing import Final

import msgspec

from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.secret import Secret
from pillarbox.wire.pause import Pause

MAX_LINE: Final = 8192
"""Octets of a command line; RFC 1939 asks for 255, responses of AUTH need more."""
_MAX_DIGITS: Final = 9
"""Digits of a number that needs no look at its size."""
_LARGEST_MESSAGE: Final = 2**32 - 1
_LARGEST: Final = 2**64 - 1
"""A message number up to this is read, and told to be too large, without it."""


class State(Enum):
    """RFC 1939 §3; the UPDATE state is the end of the connection."""

    AUTHORIZATION = auto()
    TRANSACTION = auto()


class Command(msgspec.Struct, frozen=True):
    """`command = keyword *(SP argument) CRLF`"""


class Refused(Command, frozen=True):
    """A line that is no command here: answer `-ERR text`."""

    text: bytes


class Line(Command, frozen=True):
    """A response in AUTH; None if the line was too long."""

    text: bytes | None


class User(Command, frozen=True):
    """`USER name`"""

    name: bytes


class Password(Command, frozen=True):
    """`PASS string`"""

    password: Secret


class Auth(Command, frozen=True):
    """`AUTH [mechanism [initial-response]]`  RFC 5034 §4; without mechanism: which are there?"""

    mechanism: bytes
    initial_response: bytes | None


class Forwarded(Command, frozen=True):
    """`XCLIENT *(name=value)`, or `XOIP address`: a proxy tells of its client."""

    arguments: bytes


class StartTls(Command, frozen=True):
    """`STLS`"""


class Apop(Command, frozen=True):
    """`APOP name digest` (RFC 1939 §7), of the greeting's timestamp."""

    name: bytes
    digest: bytes


class Capabilities(Command, frozen=True):
    """`CAPA`"""


class Statistics(Command, frozen=True):
    """`STAT`"""


class List(Command, frozen=True):
    """`LIST [msg]`"""

    message: int | None


class UniqueIds(Command, frozen=True):
    """`UIDL [msg]`"""

    message: int | None


class Retrieve(Command, frozen=True):
    """`RETR msg`"""

    message: int


class Delete(Command, frozen=True):
    """`DELE msg`"""

    message: int


class Top(Command, frozen=True):
    """`TOP msg n`"""

    message: int
    lines: int
    fault: bytes = b""
    """What is wrong with the second argument; to be told if there is such a message."""


class Last(Command, frozen=True):
    """`LAST`  RFC 1460 §3"""


class Noop(Command, frozen=True):
    """`NOOP`"""


class Reset(Command, frozen=True):
    """`RSET`"""


class Quit(Command, frozen=True):
    """`QUIT`"""


class _Bad(Exception):
    """An argument that cannot be read; `args[0]` is the answer."""


def _user(arguments: bytes) -> Command:
    return User(arguments)


def _password(arguments: bytes) -> Command:
    return Password(Secret(arguments))  # with blanks in it, too (RFC 1939 §7)


def _auth(arguments: bytes) -> Command:
    mechanism, blank, response = arguments.partition(b" ")
    return Auth(mechanism.upper(), response if blank else None)


def _list(arguments: bytes) -> Command:
    return List(_only_message(arguments) if arguments else None)


def _unique_ids(arguments: bytes) -> Command:
    return UniqueIds(_only_message(arguments) if arguments else None)


def _retrieve(arguments: bytes) -> Command:
    return Retrieve(_only_message(arguments))


def _delete(arguments: bytes) -> Command:
    return Delete(_only_message(arguments))


def _top(arguments: bytes) -> Command:
    message, rest = _take_message(arguments)
    if not rest:
        raise _Bad(b"Noise after message number: ")
    size = rest.lstrip(b" ")
    digits = _leading_digits(size)
    if not digits:
        return Top(message, 0, b"Invalid size: " + size)
    if _is_above(digits, _LARGEST):
        return Top(message, 0, b"Size too large: " + size)
    if noise := size[len(digits) :]:
        return Top(message, 0, b"Noise after size: " + noise)
    return Top(message, decimal(digits))


def _only_message(arguments: bytes) -> int:
    try:
        return decimal(arguments, max_digits=_MAX_DIGITS)  # as nearly always
    except ValueError:
        pass
    message, rest = _take_message(arguments)
    if rest:
        raise _Bad(b"Noise after message number: " + rest)
    return message


def _take_message(arguments: bytes) -> tuple[int, bytes]:
    arguments = arguments.lstrip(b" ")
    digits = _leading_digits(arguments)
    rest = arguments[len(digits) :]
    if not digits:
        raise _Bad(b"Invalid message number: " + arguments)
    if _is_above(digits, _LARGEST):
        raise _Bad(b"Message number too large: " + arguments)
    if _is_above(digits, _LARGEST_MESSAGE):
        raise _Bad(b"Message number too large: " + rest)
    if rest and not rest.startswith(b" "):
        raise _Bad(b"Noise after message number: " + rest)
    return decimal(digits), rest


def _is_above(digits: bytes, limit: int) -> bool:
    significant = digits.lstrip(b"0")
    return len(significant) > len(str(limit)) or decimal(significant or b"0") > limit


def _leading_digits(text: bytes) -> bytes:
    return text[: len(text) - len(text.lstrip(b"0123456789"))]


def _apop(arguments: bytes) -> Command:
    name, _, digest = arguments.partition(b" ")
    return Apop(name, digest)


Parser = Callable[[bytes], Command]
_QUIT: Final[dict[bytes, Parser]] = {
    b"QUIT": lambda _: Quit(),
    b"CAPA": lambda _: Capabilities(),
}
COMMANDS: Final[dict[State, dict[bytes, Parser]]] = {
    State.AUTHORIZATION: {
        **_QUIT,
        b"USER": _user,
        b"PASS": _password,
        b"APOP": _apop,
        b"AUTH": _auth,
        b"STLS": lambda _: StartTls(),
        b"XCLIENT": Forwarded,
        b"XOIP": lambda address: Forwarded(b"ADDR=" + address),
    },
    State.TRANSACTION: {
        **_QUIT,
        b"STAT": lambda _: Statistics(),
        b"LIST": _list,
        b"LAST": lambda _: Last(),
        b"UIDL": _unique_ids,
        b"RETR": _retrieve,
        b"DELE": _delete,
        b"TOP": _top,
        b"NOOP": lambda _: Noop(),
        b"RSET": lambda _: Reset(),
    },
}
"""Who may say what when."""
_AUTHORIZATION: Final = COMMANDS[State.AUTHORIZATION]
_TRANSACTION: Final = COMMANDS[State.TRANSACTION]


class Pop3Server:
    """One connection's commands and answers."""

    __slots__ = (
        "_absent",
        "_awaits_line",
        "_begin",
        "_buffer",
        "_closed",
        "_out",
        "_scanned",
        "_skipping",
        "bytes_in",
        "bytes_out",
        "state",
        "unsent",
    )

    def __init__(self, *, state: State, absent: Collection[bytes] = ()) -> None:
        """`absent` commands are unknown."""
        self.state = state
        self.bytes_in = self.bytes_out = 0  # octets that have come, and that were given by data_to_send()
        self._absent = absent
        self.unsent = 0  # octets that data_to_send() would give
        self._buffer = b""
        self._begin = 0  # where the next line begins
        self._scanned = 0  # where the search for its end goes on
        self._skipping = False  # a line was too long; its rest is thrown away
        self._closed = False
        self._awaits_line = False
        self._out: list[bytes] = []

    # From the client.

    def receive_data(self, data: bytes) -> None:
        """Take bytes; b"" means that the client has closed its side."""
        if data:
            self.bytes_in += len(data)
            self._buffer = self._buffer + data if self._buffer else data
        else:
            self._closed = True

    def unread(self) -> bytes:
        """Take away what has come behind the last command: for another engine, or to be thrown away."""
        rest = self._buffer[self._begin :]
        self._keep(b"")
        return rest

    def next_command(self) -> Command | Pause:
        """The next command, if it has come as a whole."""
        line = self._take_line()
        if isinstance(line, Pause):
            return line
        if self._awaits_line:
            self._awaits_line = False
            return Line(line)
        if line is None:
            return Refused(b"Line is too long.")
        return self._parse(line)

    def expect_line(self) -> None:
        """The next line is no command: it comes as `Line`."""
        self._awaits_line = True

    # To the client.

    def ok(self, text: bytes = b"") -> None:
        """`+OK [text]`"""
        self.send(b"+OK %s\r\n" % text if text else b"+OK\r\n")

    def error(self, text: bytes) -> None:
        """`-ERR text`"""
        self.send(b"-ERR %s\r\n" % text)

    def send(self, data: bytes) -> None:
        """Put whole lines behind what is to be sent."""
        self._out.append(data)
        self.unsent += len(data)

    def data_to_send(self) -> bytes:
        """The bytes for the client; they are given once."""
        if not self._out:
            return b""
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out = []
        self.bytes_out += self.unsent
        self.unsent = 0
        return data

    # How.

    def _take_line(self) -> bytes | Pause | None:
        """A line without its end, None for one that was too long."""
        buffer, begin = self._buffer, self._begin
        end = buffer.find(b"\n", self._scanned)
        if end < 0:
            if buffer:
                self._keep(buffer[begin:])  # give the memory back: most connections are idle
            return Pause.CLOSED if self._closed else Pause.NEED_DATA
        self._begin = self._scanned = end + 1
        if self._skipping or end - begin > MAX_LINE:
            self._skipping = False
            return None
        return buffer[begin:end].removesuffix(b"\r")

    def _keep(self, rest: bytes) -> None:
        """The beginning of a line is all that there is."""
        if len(rest) > MAX_LINE:
            self._skipping, rest = True, b""
        self._buffer, self._begin, self._scanned = rest, 0, len(rest)

    def _parse(self, line: bytes) -> Command:
        word, _, arguments = line.partition(b" ")
        keyword = word.upper()
        commands = _TRANSACTION if self.state is State.TRANSACTION else _AUTHORIZATION
        parser = commands.get(keyword)
        if parser is None or keyword in self._absent:
            if self.state is State.AUTHORIZATION or not keyword:
                return Refused(b"Unknown command.")
            return Refused(b"Unknown command: " + _printable(keyword[:40]))
        try:
            return parser(arguments)
        except _Bad as problem:
            return Refused(_printable(problem.args[0][:200]))


END_OF_LINES: Final = b".\r\n"
"""The end of a multi-line response."""


def stuffed(content: bytes) -> bytes:
    """A multi-line response's lines: dots doubled, the last line ended, `.` behind them (RFC 1939 §3)."""
    content = content.replace(b"\r\n.", b"\r\n..")
    dot = b"." if content.startswith(b".") else b""
    end = b".\r\n" if not content or content.endswith(b"\r\n") else b"\r\n.\r\n"
    return b"%b%b%b" % (dot, content, end)


class Stuffing:
    """`stuffed` of a message that goes out in pieces."""

    def __init__(self) -> None:
        self._before = b"\r\n"  # the last two octets
        self._is_empty = True

    def add(self, piece: bytes) -> bytes:
        """What to send for it."""
        joined = self._before + piece
        self._before = joined[-2:]
        self._is_empty = self._is_empty and not piece
        return joined.replace(b"\r\n.", b"\r\n..")[2:]

    def end(self) -> bytes:
        """What to send when all has been added."""
        return b".\r\n" if self._is_empty or self._before == b"\r\n" else b"\r\n.\r\n"


def top_lines(content: bytes, body_start: int, lines: int) -> bytes:
    """Header, empty line and the first lines of the body (TOP)."""
    if lines > content.count(b"\n", body_start):
        return content
    end = body_start
    for _ in range(lines):
        end = content.index(b"\n", end) + 1
    return content[:end]


def _printable(text: bytes) -> bytes:
    """No control characters: an answer must not look like another."""
    return bytes(octet if 0x20 <= octet != 0x7F else 0x3F for octet in text)
