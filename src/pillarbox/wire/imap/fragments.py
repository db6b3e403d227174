"""Bytes from an IMAP client, cut into commands before anything is parsed.

DESCRIPTION
    A command is a line, or lines with literals between them: a line that ends with `{n}` is followed by n
    octets and by the rest of the command.  Cutting comes first and knows no grammar, so that a mistake in a
    command can never make the octets of a literal be read as commands.

    `read()` gives one of
        None            more bytes are needed
        Announcement    a line has ended with `{n}`: say `accept()` or `refuse()` before reading on
        Portion         octets of a literal that was accepted as `streamed`, in order, as they come
        Overlong        a line was longer than `max_line`; it was skipped to its end
        list[bytes]     a whole command: line, literal, line, … line, without CRLF

    A refused synchronizing literal ends its command: the client waits for our answer and then sends another
    command.  A refused `{n+}` literal is already on its way: it and the rest of its command are skipped.

    Lines may end with LF alone, as Dovecot takes them: people type at servers.

STANDARDS
    RFC 3501 §2.2.1, §4.3 (literals), §7.5 (continuation); RFC 7888 §4 (LITERAL+); RFC 3516
    §4.4 (~{n})
"""

import re
from enum import Enum, auto
from typing import Final

import msgspec

from pillarbox.vocabulary.digits import decimal

_LITERAL: Final = re.compile(rb"(~?)\{([0-9]{1,19})(\+?)\}")
_TAIL: Final = 32
"""Octets at the end of a skipped line that are looked at for `{n+}`."""


class Announcement(msgspec.Struct, frozen=True):
    """`literal = "{" number ["+"] "}" CRLF *CHAR8` was begun: `size` octets are to follow.

    `parts` is what has come of the command, the announcing line last.
    """

    parts: list[bytes]
    size: int
    synchronizing: bool
    binary: bool  # `~{n}`, a literal8


class Portion(msgspec.Struct, frozen=True):
    """Some octets of a literal."""

    data: bytes


class Streamed(bytes):
    """In the place of a literal that was given away in portions: no octets, but their number."""

    size: int

    @classmethod
    def of(cls, size: int) -> "Streamed":
        """The literal had so many octets."""
        made = cls()
        made.size = size
        return made


class Overlong(msgspec.Struct, frozen=True):
    """The beginning of a line that was too long."""

    start: bytes


class _State(Enum):
    LINE = auto()
    DECISION = auto()
    LITERAL = auto()
    STREAM = auto()
    SKIP_LITERAL = auto()
    SKIP_LINE = auto()


class Fragments:
    """Lines and literals of one connection."""

    __slots__ = (
        "_announced",
        "_buffer",
        "_max_line",
        "_parts",
        "_remaining",
        "_scanned",
        "_skipping",
        "_state",
    )

    def __init__(self, *, max_line: int) -> None:
        self._max_line = max_line
        self._buffer = bytearray()
        self._scanned = 0  # octets of the buffer that are known to hold no LF
        self._state = _State.LINE
        self._parts: list[bytes] = []
        self._remaining = 0  # octets of the literal that are still to come
        self._announced: Announcement | None = None
        self._skipping = False  # the rest of this command is thrown away

    def receive(self, data: bytes) -> None:
        """Take bytes from the client."""
        self._buffer += data

    def unread(self) -> bytes:
        """Bytes that belong to no command yet; they are given away."""
        rest = bytes(self._buffer)
        self._buffer = bytearray()
        self._scanned = 0
        return rest

    @property
    def between_commands(self) -> bool:
        """Whether nothing of a command has come."""
        return self._state is _State.LINE and not self._parts and not self._buffer and not self._skipping

    def read(self) -> "list[bytes] | Announcement | Portion | Overlong | None":
        """The next piece, see above."""
        if not self._buffer and self._state is _State.LINE:  # after each command
            return None
        while True:
            match self._state:
                case _State.LINE:
                    line = self._take_line()
                    if line is None and len(self._buffer) <= self._max_line:
                        return None
                    piece = self._begin_skip() if line is None else self._use_line(line)
                    if piece is not None:
                        return piece
                case _State.LITERAL:
                    if len(self._buffer) < self._remaining:
                        return None
                    self._parts.append(bytes(memoryview(self._buffer)[: self._remaining]))
                    self._forget(self._remaining)
                    self._state = _State.LINE
                case _State.STREAM:
                    if not self._buffer:
                        return None
                    return self._give_portion()
                case _State.SKIP_LITERAL:
                    skipped = min(self._remaining, len(self._buffer))
                    self._forget(skipped)
                    self._remaining -= skipped
                    if self._remaining:
                        return None
                    self._state = _State.LINE
                case _State.SKIP_LINE:
                    if not self._skip_line():
                        return None
                case _State.DECISION:
                    raise AssertionError("accept() or refuse() comes before read()")

    def read_line(self) -> bytes | Overlong | None:
        """One line that is no command: an answer to AUTHENTICATE, or DONE.  `{n}` means nothing in it."""
        assert self._state is _State.LINE
        assert not self._parts
        line = self._take_line()
        if line is not None:
            return line
        if len(self._buffer) <= self._max_line:
            return None
        return self._begin_skip()

    def accept(self, *, streamed: bool = False) -> bool:
        """The announced literal may come, in portions if it is `streamed`; whether the client waits to be told."""
        assert self._announced is not None
        self._remaining = self._announced.size
        waits = self._announced.synchronizing
        self._announced = None
        self._state = _State.LITERAL
        if streamed and self._remaining:
            self._parts.append(Streamed.of(self._remaining))
            self._state = _State.STREAM
        return waits

    def refuse(self) -> None:
        """The announced literal is not wanted, nor the rest of its command."""
        assert self._announced is not None
        self._parts = []
        if self._announced.synchronizing:
            self._state = _State.LINE  # the client waits, and sends the literal only after "+"
        else:
            self._skip(self._announced.size)
        self._announced = None

    def _give_portion(self) -> Portion:
        size = min(self._remaining, len(self._buffer))
        data = bytes(memoryview(self._buffer)[:size])
        self._forget(size)
        self._remaining -= size
        if not self._remaining:
            self._state = _State.LINE
        return Portion(data)

    def _use_line(self, line: bytes) -> "list[bytes] | Announcement | None":
        """What a line completes or announces; None while a command is thrown away."""
        literal = _literal_at_end(line)
        if self._skipping:
            self._skip_on(literal)
            return None
        self._parts.append(line)
        if literal is None:
            command, self._parts = self._parts, []
            return command
        self._announced = Announcement(
            parts=list(self._parts),
            size=int(literal[2]),
            synchronizing=not literal[3],
            binary=bool(literal[1]),
        )
        self._state = _State.DECISION
        return self._announced

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._scanned, self._max_line + 1)
        if end < 0:
            self._scanned = min(len(self._buffer), self._max_line + 1)
            return None
        if end + 1 == len(self._buffer):  # as nearly always
            line = bytes(self._buffer)
            self._buffer = bytearray()
            self._scanned = 0
            return line[:-2] if line.endswith(b"\r\n") else line[:-1]
        line = bytes(memoryview(self._buffer)[:end])
        self._forget(end + 1)
        return line[:-1] if line.endswith(b"\r") else line

    def _begin_skip(self) -> Overlong | None:
        start = bytes(memoryview(self._buffer)[:80])
        known = self._skipping
        self._parts = []
        self._skipping = True
        self._state = _State.SKIP_LINE
        return None if known else Overlong(start)

    def _skip_line(self) -> bool:
        """Throw a line away up to its end; False when its end has not come."""
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._forget(max(0, len(self._buffer) - _TAIL))
            self._scanned = len(self._buffer)
            return False
        tail = bytes(memoryview(self._buffer)[max(0, end - _TAIL) : end])
        self._forget(end + 1)
        self._skip_on(_literal_at_end(tail.removesuffix(b"\r")))
        return True

    def _skip_on(self, literal: re.Match[bytes] | None) -> None:
        """After a line that was thrown away: its `{n+}` literal goes too; otherwise its command is over."""
        if literal is not None and literal[3]:
            self._skip(decimal(literal[2]))
        else:
            self._skipping = False
            self._state = _State.LINE

    def _skip(self, size: int) -> None:
        self._skipping = True
        self._remaining = size
        self._state = _State.SKIP_LITERAL

    def _forget(self, octets: int) -> None:
        if octets == len(self._buffer):
            self._buffer = bytearray()  # give the memory back: most connections are idle
        else:
            del self._buffer[:octets]
        self._scanned = 0


def _literal_at_end(line: bytes) -> re.Match[bytes] | None:
    if not line.endswith(b"}"):
        return None
    start = line.rfind(b"{")
    if start < 0:
        return None
    if start and line[start - 1 : start] == b"~":
        start -= 1
    return _LITERAL.fullmatch(line, start)
