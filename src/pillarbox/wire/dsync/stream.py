"""The octets of dsync: what has come in, item by item, and contents that follow an item; no I/O.

DESCRIPTION
    `Incoming` is fed octets and asked for events.  Version and headings are taken in silently; then come an
    `Item` for each line, `EndOfList`, and `Done` if the other side has ended.  After an item whose value is a
    stream, `Piece`s follow until `EndOfValue`.

    A stream ends with a line that is a dot alone, and the line end before that is no part of it; lines that begin
    with a dot have another one in front.  `DotWriter` writes one.

FAULTS
    DsyncFault  of another protocol or version, or of a line that is too long

STANDARDS
    Dovecot 2.3, dsync protocol 3.5
"""

from enum import Enum, auto
from typing import Final

import msgspec

from pillarbox.wire.dsync.fields import DsyncFault, Kind
from pillarbox.wire.dsync.kinds import ATTRIBUTE, BY_LETTER, DONE, KINDS, MAIL

MAX_LINE: Final = 16 << 20
"""Octets of one line; values of annotations are in it."""
_MAJOR: Final = b"3"
_LATER: Final = frozenset({b"A", b"F"})
"""Kinds that older minor versions do not have."""


class Item(msgspec.Struct, frozen=True):
    """A line."""

    kind: Kind
    values: dict[str, bytes]


class Mark(Enum):
    """What else comes."""

    END_OF_LIST = auto()
    END_OF_VALUE = auto()
    DONE = auto()
    NEED_DATA = auto()


class Piece(msgspec.Struct, frozen=True):
    """Octets of a stream."""

    octets: bytes


Event = Item | Mark | Piece


class Incoming:
    """What the other side sends."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._has_version = False
        self._has_headings = False
        self._keys: dict[bytes, tuple[str, ...]] = {}
        self._value: _DotReader | None = None
        self.minor_version = 0

    def feed(self, octets: bytes) -> None:
        """What has come."""
        self._buffer += octets

    def next_event(self) -> Event:
        """The next one; NEED_DATA if it has not come yet.  DsyncFault."""
        while True:
            if self._value is not None:
                return self._next_piece(self._value)
            line = self._line()
            if line is None:
                return Mark.NEED_DATA
            if self._has_headings:
                return self._item(line)
            self._read_heading(line)

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > MAX_LINE:
                raise DsyncFault("Remote sent a line that is too long")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _read_heading(self, line: bytes) -> None:
        if not self._has_version:
            words = line.split(b"\t")
            if words[:3] != [b"VERSION", b"dsync", _MAJOR] or len(words) != 4 or not words[3].isdigit():
                raise DsyncFault("Remote dsync doesn't use compatible protocol")
            self._has_version, self.minor_version = True, int(words[3][:9])
        elif line == b".":
            for kind in KINDS:
                if kind.letter not in self._keys and kind.letter not in _LATER:
                    raise DsyncFault(f"Remote didn't handshake deserializer for {kind.name}")
            self._has_headings = True
        elif (found := BY_LETTER.get(line[:1])) is not None:
            self._keys[line[:1]] = found.read_heading(line[1:])

    def _item(self, line: bytes) -> Event:
        if line == b".":
            return Mark.END_OF_LIST
        letter = line[:1]
        if letter == DONE:
            return Mark.DONE
        kind = BY_LETTER.get(letter)
        if kind is None or letter not in self._keys:
            raise DsyncFault(f"Received unexpected input {letter.decode('ascii', 'replace')}")
        values = kind.read_line(self._keys[letter], line[1:])
        if "stream" in values and kind in (MAIL, ATTRIBUTE):
            self._value = _DotReader()
        return Item(kind, values)

    def _next_piece(self, value: "_DotReader") -> Event:
        octets = value.take(self._buffer)
        if octets:
            return Piece(octets)
        if value.is_over:
            self._value = None
            return Mark.END_OF_VALUE
        return Mark.NEED_DATA


class _DotReader:
    """A stream that is coming; the line end before the last line is held back."""

    def __init__(self) -> None:
        self._held = b""  # a line end that may be the last one
        self._at_line = False  # a dot that is the very first octet is not doubled
        self.is_over = False

    def take(self, buffer: bytearray) -> bytes:
        """What can be had of it; what is taken leaves the buffer."""
        found = bytearray()
        while buffer and not self.is_over:
            if self._at_line and buffer[:1] == b".":
                if bytes(buffer[:3]) in (b".", b".\r"):
                    break
                if buffer[1:2] == b"\n" or buffer[1:3] == b"\r\n":
                    del buffer[: buffer.index(b"\n") + 1]
                    self.is_over = True
                    break
                del buffer[:1]
            self._at_line = False
            found += self._held
            self._held = b""
            if not self._take_line(buffer, found):
                break
        return bytes(found)

    def _take_line(self, buffer: bytearray, found: bytearray) -> bool:
        """Up to the next line end, which is held back; whether there was one."""
        end = buffer.find(b"\n")
        if end < 0:
            whole = len(buffer) - buffer.endswith(b"\r")  # which may belong to a line end
            found += buffer[:whole]
            del buffer[:whole]
            return False
        bare = end - buffer[:end].endswith(b"\r")
        found += buffer[:bare]
        self._held = bytes(buffer[bare : end + 1])
        del buffer[: end + 1]
        self._at_line = True
        return True


class DotWriter:
    """A stream that is sent."""

    def __init__(self) -> None:
        self._at_line = False

    def add(self, octets: bytes) -> bytes:
        """Some of it, as it is sent."""
        if not octets:
            return b""
        escaped = octets.replace(b"\n.", b"\n..")
        if self._at_line and octets.startswith(b"."):
            escaped = b"." + escaped
        self._at_line = octets.endswith(b"\n")
        return escaped

    @staticmethod
    def end() -> bytes:
        """What follows the last."""
        return b"\r\n.\r\n"
