"""Dovecot's authentication protocol: lines of tab-separated, escaped fields.

DESCRIPTION
    Clients (smtpd, login processes, a real Postfix or Exim) ask `AUTH`, answer `CONT`, and hear `OK`, `FAIL` or
    `CONT`.  On the master socket `REQUEST` redeems a login, `USER` looks a user up, `LIST` lists users.

    `LineReader` cuts bytes into lines; `encode_line` and `split_line` undo the escaping: 0x01 and a letter stand
    for NUL, 0x01, TAB, CR and LF, so that no field can forge another.

LIMITS
    a line    16384 octets; more ends the connection

STANDARDS
    Dovecot's Design.AuthProtocol, version 1.2
"""

import re
from collections.abc import Iterable
from typing import Final

MAX_LINE: Final = 16384
_ESCAPED: Final = re.compile(rb"\x01(.)", re.DOTALL)
_TO_ESCAPE: Final = re.compile(rb"[\x00\x01\t\r\n]")
_LETTERS: Final = {b"\0": b"0", b"\1": b"1", b"\t": b"t", b"\r": b"r", b"\n": b"n"}
_OCTETS: Final = {letter: octet for octet, letter in _LETTERS.items()}


class LineTooLong(Exception):
    """The peer does not speak the protocol."""


class LineReader:
    """Bytes into lines."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Lines that `data` completes, without LF.  LineTooLong."""
        lines = (self._buffer + data).split(b"\n")
        self._buffer = lines.pop()
        if len(self._buffer) > MAX_LINE or any(len(line) > MAX_LINE for line in lines):
            raise LineTooLong
        return lines


def escape(field: bytes) -> bytes:
    """A field that cannot break its line."""
    return _TO_ESCAPE.sub(lambda match: b"\x01" + _LETTERS[match[0]], field)


def unescape(field: bytes) -> bytes:
    """A field as it was."""
    return _ESCAPED.sub(lambda match: _OCTETS.get(match[1], match[1]), field)


def encode_line(*fields: bytes) -> bytes:
    """One line."""
    return b"\t".join(escape(field) for field in fields) + b"\n"


def split_line(line: bytes) -> list[bytes]:
    """The fields of a line."""
    return [unescape(field) for field in line.split(b"\t")]


def parameters(fields: Iterable[bytes]) -> dict[bytes, bytes]:
    """`name=value` and bare `name` fields."""
    return {name: value for name, _, value in (field.partition(b"=") for field in fields)}
