"""Where each line of a message belongs: its header, a MIME part's, an attached message's, or a body.

DESCRIPTION
    `MimeLines` is told each header field and each body line in turn, and says where it is.  It follows multipart
    boundaries and attached messages.  Whoever wants to hide a header from mime_header_checks writes its fields so
    that one program reads them and another does not; so this is read as Postfix reads it, field by field:

    - Each `boundary` of a multipart counts, of however many fields, what value it has, and at once; a line that
      begins with it is a boundary, whatever follows.  Only `max_boundary` octets of it are looked at.
    - Comments, quoted strings, and blanks anywhere are understood; a value without quotes ends at the first
      special character.
    - Text where a field should be begins the body.  An attached message's header follows an empty line only.
    - A multipart more than `max_nesting` deep is one body (`is_too_deep` tells).

STANDARDS
    RFC 2045 §5 (Content-Type); RFC 2046 §5.1 (boundaries), §5.2 (message); RFC 6532 §3.7 (message/global);
    mime_nesting_limit, mime_boundary_length_limit
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    rb"(?P<blank>[ \t\r\n]+)|(?P<end>;)|(?P<comment>\()|(?P<quote>\")"
    rb"|(?P<special>[)<>@,:\\/\[\]?=\x00-\x1f\x7f])"
    rb"|(?P<word>[^ \t\r\n;(\")<>@,:\\/\[\]?=\x00-\x1f\x7f]+)"
)
_ENCODING: Final = re.compile(  # with the special characters of RFC 822, and one item
    rb"(?P<blank>[ \t\r\n]+)|(?P<comment>\()|(?P<quote>\")|(?P<special>[)<>@,;:\\.\[\]\x00-\x1f\x7f])"
    rb"|(?P<word>[^ \t\r\n;(\")<>@,:\\.\[\]\x00-\x1f\x7f]+)"
)
_PARENTHESIS: Final = re.compile(rb"[()]|\\.?", re.DOTALL)
_QUOTED: Final = re.compile(rb'((?:[^"\\]|\\.)*)(?:"|\\?\Z)', re.DOTALL)
_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)
_FOLD: Final = re.compile(rb"[ \t\r\n]*\n")

MAX_BOUNDARY: Final = 2048
"""mime_boundary_length_limit"""
MAX_NESTING: Final = 100
"""mime_nesting_limit"""
MIME_HEADERS: Final = frozenset(
    b"mime-version content-type content-transfer-encoding content-disposition content-description "
    b"content-id".split()
)


ENCODINGS: Final = frozenset(b"7bit 8bit binary base64 quoted-printable".split())
"""RFC 2045 §6.1; a body with another counts as 7bit."""


class Place(Enum):
    """Where a line is."""

    HEADER = "header"  # of the message
    PART = "part"  # of a part of a multipart
    NESTED = "nested"  # of an attached message
    BODY = "body"


class _Boundary(NamedTuple):
    text: bytes
    part: tuple[bytes, bytes]  # type and subtype of a part that says nothing


_TEXT: Final = (b"text", b"plain")
_OTHER: Final = (b"other", b"other")
_DIGEST: Final = (b"message", b"rfc822")


class MimeLines:
    """Follows one message."""

    def __init__(
        self,
        *,
        max_nesting: int = MAX_NESTING,
        max_boundary: int = MAX_BOUNDARY,
    ) -> None:
        self.place = Place.HEADER
        self.body_octets = 0  # of the part under way
        self.kind = _TEXT  # type and subtype of the part under way
        self.encoding = b"7bit"  # of its body, if it is one that we know
        self.is_too_deep = False
        self.reads_global = True  # whether the header within message/global is one
        self._boundaries: list[_Boundary] = []
        self._max_nesting = max_nesting
        self._max_boundary = max_boundary

    @property
    def in_body(self) -> bool:
        """Whether lines are text, and not header."""
        return self.place is Place.BODY

    @property
    def start_of_boundaries(self) -> bytes:
        """What every line that separates parts begins with, at this place."""
        texts = [boundary.text for boundary in self._boundaries]
        first, last = min(texts, default=b""), max(texts, default=b"")
        same = next(
            (at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first)
        )
        return b"--" + first[:same]

    @property
    def is_rest_body(self) -> bool:
        """Whether no header can come any more."""
        return self.place is Place.BODY and not self._boundaries

    def field(self, name: bytes, value: bytes) -> None:
        """A header field of the place where we are; `value` with its line ends."""
        if name == b"content-transfer-encoding" and (encoding := encoding_of(value)) in ENCODINGS:
            self.encoding = encoding
        if name != b"content-type":
            return
        items = _items(value)
        first = next(items, [])
        subtype = first[2][1].lower() if len(first) > 2 and first[1][0] == b"/" else b""
        main = first[0][1].lower() if first and first[0][0] == b"word" else b""
        if not first:
            self.kind = _OTHER
        elif main in (b"text", b"message", b"multipart"):
            self.kind = (main, subtype)
        if main == b"multipart":
            part = _DIGEST if subtype == b"digest" else _TEXT
            for item in items:
                if len(item) > 2 and _names_boundary(item):
                    self._push(_Boundary(item[2][1][: self._max_boundary], part))

    def end_of_header(self, *, at_empty_line: bool = True) -> None:
        """The empty line behind a header, or text that is no field."""
        main, subtype = self.kind
        if not at_empty_line:
            self.body_octets += self.place is Place.HEADER  # the empty line that is missing
            self.place = Place.BODY
            return
        self.place = Place.BODY
        self.body_octets = 1
        if main == b"message" and (subtype == b"rfc822" or (subtype == b"global" and self.reads_global)):
            self.place, self.kind, self.encoding = Place.NESTED, _TEXT, b"7bit"
        elif main == b"multipart":
            self.kind, self.encoding = _OTHER, b"7bit"

    def is_boundary(self, line: bytes) -> bool:
        """Whether a line separates parts; the place changes if so."""
        if not self._boundaries or len(line) < 3 or not line.startswith(b"--"):
            return False
        for level in range(len(self._boundaries) - 1, -1, -1):
            boundary = self._boundaries[level]
            if line.startswith(boundary.text, 2):
                is_last = line.startswith(b"--", 2 + len(boundary.text))
                del self._boundaries[level + (0 if is_last else 1) :]
                self.place = Place.BODY if is_last else Place.PART
                self.kind, self.encoding = _OTHER if is_last else boundary.part, b"7bit"
                self.body_octets = 0
                return True
        return False

    def _push(self, boundary: _Boundary) -> None:
        if len(self._boundaries) > self._max_nesting + 1:  # as Postfix counts
            self.is_too_deep = True
        else:
            self._boundaries.append(boundary)


def encoding_of(value: bytes) -> bytes:
    """The encoding that the value of a Content-Transfer-Encoding names, in lower case; empty if it names none."""
    first = next(_items(value, _ENCODING), [])
    return first[0][1].lower() if first and first[0][0] == b"word" else b""


_Item = list[tuple[bytes, bytes]]


def _names_boundary(item: _Item) -> bool:
    return item[0][0] == b"word" and item[0][1].lower() == b"boundary" and item[1][0] == b"="


def _items(value: bytes, token: "re.Pattern[bytes]" = _TOKEN) -> Iterator[_Item]:
    """What stands between semicolons: the first three tokens of each, (kind, text)."""
    item: _Item = []
    at = 0
    while (match := token.match(value, at)) is not None:
        kind, at = match.lastgroup, match.end()
        if kind == "end":
            yield item
            item = []
        elif kind == "comment":
            at = _behind_comment(value, at)
        elif kind == "quote":
            quoted = _QUOTED.match(value, at)
            assert quoted is not None
            at = quoted.end()
            item.append((b"quoted", _PAIR.sub(rb"\1", _FOLD.sub(b"", quoted[1]))))
        elif kind == "special":
            item.append((match[0], match[0]))
        elif kind == "word":
            item.append((b"word", match[0]))
        del item[3:]
    if item:
        yield item


def _behind_comment(value: bytes, at: int) -> int:
    depth = 1
    while (match := _PARENTHESIS.search(value, at)) is not None:
        at = match.end()
        depth += {b"(": 1, b")": -1}.get(match[0], 0)
        if not depth:
            return at
    return len(value)
