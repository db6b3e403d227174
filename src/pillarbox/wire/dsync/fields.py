"""Lines of dsync: a letter for the kind, then values in the order that the sender's heading has named.

DESCRIPTION
        Nname<TAB>existence<TAB>mailbox_guid
        NWork<0x01>tSub<TAB>y<TAB>4b55191c92b90a6bd45b000083ecc375

    The first line is a heading, which each side sends for every kind before anything else; the second one an
    item.  In values TAB, CR, LF, NUL and 0x01 are escaped.  0x02 alone is no value, which is another thing than
    an empty one; a value that begins with 0x02 has it twice.  What is missing at the end of a line is no value.

FAULTS
    DsyncFault  a line lacks what its kind must have

STANDARDS
    Dovecot 2.3, dsync protocol 3.5 (as its two sides write it)
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

_ESCAPES: Final = {b"\x01": b"\x011", b"\0": b"\x010", b"\t": b"\x01t", b"\r": b"\x01r", b"\n": b"\x01n"}
_PLAIN: Final = re.compile(rb"[\x00\x01\t\r\n]")
_ESCAPED: Final = re.compile(rb"\x01(.?)", re.DOTALL)
_MEANINGS: Final = {escaped[1:]: plain for plain, escaped in _ESCAPES.items()}
_NONE: Final = b"\x02"


class DsyncFault(Exception):
    """The other side says what it may not; the connection cannot go on."""


def escape(value: bytes) -> bytes:
    """A value without the octets that divide lines and values."""
    return _PLAIN.sub(lambda found: _ESCAPES[found[0]], value)


def unescape(value: bytes) -> bytes:
    """The value again."""
    return _ESCAPED.sub(lambda found: _MEANINGS.get(found[1], found[1]), value)


def join(values: Sequence[bytes]) -> bytes:
    """A list as one value, as names of mailboxes and keywords are."""
    return b"\t".join(map(escape, values))


def divide(value: bytes) -> list[bytes]:
    """The list again; an empty value is an empty list."""
    return [unescape(part) for part in value.split(b"\t")] if value else []


class Kind(msgspec.Struct, frozen=True):
    """A kind of lines, and the keys of its values in our order."""

    letter: bytes
    name: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All of them."""
        return self.required + self.optional

    def heading(self) -> bytes:
        """The line that names the keys."""
        return self.letter + join([key.encode("ascii") for key in self.keys]) + b"\n"

    def read_heading(self, rest: bytes) -> tuple[str, ...]:
        """The keys of the other side, from the line without its letter."""
        keys = tuple(key.decode("ascii", "replace") for key in divide(rest))
        for key in self.required:
            if key not in keys:
                raise DsyncFault(
                    f"Remote sent invalid handshake for {self.name}: Header missing required field {key}"
                )
        return keys

    def line(self, values: Mapping[str, bytes]) -> bytes:
        """An item."""
        return self.letter + self.values_line(values)

    def values_line(self, values: Mapping[str, bytes]) -> bytes:
        """The same without its letter."""
        last = max((at for at, key in enumerate(self.keys) if key in values), default=-1)
        return b"\t".join(map(_written, map(values.get, self.keys[: last + 1]))) + b"\n"

    def read_line(self, keys: Sequence[str], rest: bytes) -> dict[str, bytes]:
        """The values of an item, from its line without the letter; `keys` as the other side's heading has them."""
        found: dict[str, bytes] = {}
        for key, written in zip(keys, rest.split(b"\t") if rest else (), strict=False):
            value = unescape(written)
            if value == _NONE:
                continue
            found[key] = value.removeprefix(_NONE)
        for key in self.required:
            if key not in found:
                raise DsyncFault(f"Invalid input to {self.name}: Missing required field {key}")
        return found


def _written(value: bytes | None) -> bytes:
    if value is None:
        return _NONE
    return (_NONE if value.startswith(_NONE) else b"") + escape(value)
