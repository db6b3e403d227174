"""Where each line of a message belongs: its header, a MIME part's, an attached message's, or a body.

DESCRIPTION
    `MimeLines` is told each header field and each body line in turn, and says where it is.  It follows multipart
    boundaries and message/rfc822, as far as mime_nesting_limit goes; what is deeper counts as body.

STANDARDS
    RFC 2045 §5 (Content-Type); RFC 2046 §5.1 (boundaries), §5.2 (message)
"""

import re
from enum import Enum
from typing import Final

_BOUNDARY: Final = re.compile(
    rb"""boundary[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^ \t;()"]+))""", re.IGNORECASE | re.DOTALL
)
_MAX_BOUNDARY: Final = 2048
_MAX_NESTING: Final = 100

MIME_HEADERS: Final = frozenset(
    b"mime-version content-type content-transfer-encoding content-disposition content-description "
    b"content-id".split()
)


class Place(Enum):
    """Where a line is."""

    HEADER = "header"  # of the message
    PART = "part"  # of a part of a multipart
    NESTED = "nested"  # of an attached message
    BODY = "body"


class MimeLines:
    """Follows one message."""

    def __init__(self) -> None:
        self.place = Place.HEADER
        self.body_octets = 0  # of the part under way
        self._boundaries: list[bytes] = []
        self._type = b""
        self._next_boundary = b""

    @property
    def in_body(self) -> bool:
        """Whether lines are text, and not header."""
        return self.place is Place.BODY

    def field(self, name: bytes, value: bytes) -> None:
        """A header field of the place where we are."""
        if name == b"content-type":
            self._type = value.partition(b";")[0].strip().lower()
            match = _BOUNDARY.search(value)
            found = (match[1] if match[1] is not None else match[2]) if match is not None else b""
            self._next_boundary = found[:_MAX_BOUNDARY]

    def end_of_header(self) -> None:
        """The empty line behind a header, or text that is none."""
        kind, boundary = self._type, self._next_boundary
        self._type = self._next_boundary = b""
        self.body_octets = 0
        self.place = Place.BODY
        if kind.startswith(b"multipart/") and boundary and len(self._boundaries) < _MAX_NESTING:
            self._boundaries.append(boundary)
        elif kind == b"message/rfc822":
            self.place = Place.NESTED

    def is_boundary(self, line: bytes) -> bool:
        """Whether a line separates parts; the place changes if so."""
        if not line.startswith(b"--") or not self._boundaries:
            return False
        for level in range(len(self._boundaries) - 1, -1, -1):
            boundary = self._boundaries[level]
            if line.startswith(boundary, 2):
                last = line.startswith(b"--", 2 + len(boundary))
                del self._boundaries[level + (0 if last else 1) :]
                self.place = Place.BODY if last else Place.PART
                self.body_octets = 0
                self._type = self._next_boundary = b""
                return True
        return False
