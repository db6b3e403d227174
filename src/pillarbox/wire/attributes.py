"""Postfix's attribute protocol: `name NUL value NUL … NUL`, as its Unix sockets speak it.

DESCRIPTION
    A list of attributes ends with an empty name.  A server speaks first, and says which protocol it speaks.
    `AttributeReader` takes octets in pieces of any size and gives back attributes one by one.  Nothing is imported,
    as listings are to begin at once (tools/quick_listing.py).

FAULTS
    AttributeFault  a name or value that is too long, or not what was to come

STANDARDS
    Postfix attr_print0(3), attr_scan0(3)
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

Attribute = tuple[bytes, bytes]

END: "Final" = b"\0"
"""Ends a list."""

_LONGEST: "Final" = 1 << 20


class AttributeFault(Exception):
    """The other side does not speak the protocol."""


def encode(attributes: "Iterable[Attribute]") -> bytes:
    """Attributes of a list that goes on; `END` ends it.  No NUL may be in them."""
    return b"".join([b"%s\0%s\0" % attribute for attribute in attributes])


def greeting(protocol: bytes) -> bytes:
    """What a server says first."""
    return encode([(b"protocol", protocol)]) + END


class AttributeReader:
    """Octets in, attributes out."""

    __slots__ = ("_buffer", "_name", "_start")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._start = 0
        self._name: bytes | None = None

    def feed(self, data: bytes) -> None:
        """Take octets from the other side."""
        del self._buffer[: self._start]
        self._start = 0
        self._buffer += data

    def take_rest(self) -> bytes:
        """Octets that no attribute was made of; they are the caller's now.  Between attributes only."""
        rest = bytes(self._buffer[self._start :])
        self._buffer.clear()
        self._start = 0
        return rest

    def next(self) -> Attribute | None:
        """The next attribute, `(b"", b"")` for the end of a list; None if more octets are needed."""
        if self._name is None:
            self._name = self._string()
            if self._name == b"":
                self._name = None
                return b"", b""
        if self._name is None:
            return None
        value = self._string()
        if value is None:
            return None
        name, self._name = self._name, None
        return name, value

    def _string(self) -> bytes | None:
        end = self._buffer.find(0, self._start)
        if end < 0:
            if len(self._buffer) - self._start > _LONGEST:
                raise AttributeFault("an attribute without end")
            return None
        text = bytes(self._buffer[self._start : end])
        self._start = end + 1
        return text
