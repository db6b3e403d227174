"""HTTP requests as a server takes them in, and the head of its replies: what the API of the doveadm service needs.

DESCRIPTION
    One request on each connection, whose body has a Content-Length or comes in chunks.

FAULTS
    BadRequest  what comes is none, or too long

STANDARDS
    RFC 9112 §2 to §7; RFC 9110 §10.1.1 (Expect), §11.6.2 (Authorization); RFC 7617 (Basic)
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

import msgspec

MAX_HEAD: Final = 64 * 1024
"""Octets of the request line and the header fields."""
MAX_BODY: Final = 256 * 1024 * 1024
"""Octets; a message may be among them."""
_REQUEST_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) (HTTP/1\.[01])")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")


class BadRequest(Exception):
    """It cannot be understood; nothing more is read."""


class Head(msgspec.Struct, frozen=True):
    """A request without its body."""

    method: str
    target: str
    version: str
    fields: Mapping[str, str]
    """Names in small letters."""

    @property
    def path(self) -> str:
        """The target without scheme, host and query."""
        path = self.target.partition("?")[0]
        return re.sub(r"\Ahttps?://[^/]*", "", path) or "/"


def read_head(octets: bytes) -> Head:
    """Of the octets before the empty line.  BadRequest."""
    first, *lines = octets.split(b"\r\n")
    found = _REQUEST_LINE.fullmatch(first)
    if found is None:
        raise BadRequest("Bad request line")
    fields: dict[str, str] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise BadRequest("Bad header field")
        name, value = field[1].decode("ascii").lower(), field[2].decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return Head(found[1].decode("ascii"), found[2].decode("latin-1"), found[3].decode("ascii"), fields)


class RequestReader:
    """Takes a request in, whatever pieces it comes in.  No I/O."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.body = bytearray()
        self.is_complete = False
        self._buffer = bytearray()
        self._left: int | None = None
        """Octets of the body, or of its chunk, that are to come; None: the size of a chunk is to come."""
        self._is_chunked = False
        self._is_in_trailer = False

    @property
    def wants_to_go_on(self) -> bool:
        """Whether the client waits for a 100 before it sends the body."""
        head = self.head
        return (
            head is not None
            and not self.is_complete
            and head.fields.get("expect", "").lower() == "100-continue"
        )

    def feed(self, octets: bytes) -> None:
        """More of it.  BadRequest."""
        self._buffer += octets
        if self.head is None:
            head, end, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if len(head) > MAX_HEAD:
                raise BadRequest("Header too long")
            if not end:
                return
            self.head = read_head(head)
            self._buffer[:] = rest
            self._begin_body(self.head)
        while not self.is_complete and self._take():
            pass

    def _begin_body(self, head: Head) -> None:
        if (coding := head.fields.get("transfer-encoding")) is not None:
            if coding.lower() != "chunked" or "content-length" in head.fields:
                raise BadRequest("Bad transfer coding")
            self._is_chunked = True
            return
        length = head.fields.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()) or len(length) > 12:
            raise BadRequest("Bad content length")
        self._left = int(length)
        if self._left > MAX_BODY:
            raise BadRequest("Content too long")

    def _take(self) -> bool:
        """One step; whether there was one."""
        if self._left is not None:
            part = self._buffer[: self._left]
            self.body += part
            del self._buffer[: len(part)]
            self._left -= len(part)
            if len(self.body) > MAX_BODY:
                raise BadRequest("Content too long")
            if self._left:
                return False
            if not self._is_chunked:
                self.is_complete = True
                return True
            if self._buffer[:2] != b"\r\n"[: len(self._buffer)]:
                raise BadRequest("Bad chunk")
            if len(self._buffer) < 2:
                return False
            del self._buffer[:2]
            self._left = None
        line, end, _ = bytes(self._buffer[:MAX_HEAD]).partition(b"\r\n")
        if not end:
            if len(self._buffer) >= MAX_HEAD:
                raise BadRequest("Bad chunk")
            return False
        del self._buffer[: len(line) + 2]
        if self._is_in_trailer:
            self.is_complete = not line
            return True
        size = _SIZE.fullmatch(line)
        if size is None:
            raise BadRequest("Bad chunk")
        self._left = int(size[1], 16)
        if not self._left:
            self._is_in_trailer, self._left = True, None
        return True


def basic_credentials(value: str) -> tuple[str, str] | None:
    """Name and password of an Authorization field; None if they are none."""
    octets = _decoded(value)
    name, colon, password = octets.decode("utf-8", "replace").partition(":")
    return (name, password) if colon else None


def key_of(value: str) -> str:
    """What a scheme has in base64 in an Authorization field."""
    return _decoded(value).decode("utf-8", "replace")


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def reply_head(status: str, date: str, length: int, fields: str) -> bytes:
    """The head of a reply behind which the connection ends; `fields` in lines with their ends."""
    head = (
        f"HTTP/1.1 {status}\r\nDate: {date}\r\nContent-Length: {length}\r\nConnection: close\r\n{fields}\r\n"
    )
    return head.encode("latin-1", "replace")
