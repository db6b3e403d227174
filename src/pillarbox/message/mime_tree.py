"""The parts of a MIME message, as offsets into its content.

DESCRIPTION
    `parse(content)` goes once over a message with CRLF line ends and gives the tree of its parts; nothing is
    copied and nothing decoded.  Every message has a tree: what is not MIME is one text part.  The rules
    are Dovecot 2.3's, so that part numbers and sizes do not change with the server:

    - Content-Type without MIME-Version counts as MIME; a message with neither is text/plain.
    - A boundary line ends a part wherever it stands, in a header too; the CRLF before it belongs to it.
      Inner boundaries are looked for before outer ones; a line matches if it begins with the boundary, and
      the longest match wins unless one matches exactly.
    - A multipart without boundary parameter has no parts.  A missing final boundary ends all at the end.
    - message/rfc822 has one child, the inner message; a part of multipart/digest is one by default.

    Limits: `MAX_DEPTH` nested parts, `MAX_PARTS` in all; what lies beyond is a part without children.

STANDARDS
    RFC 2045 §5.2 (defaults); RFC 2046 §5.1 (multipart, boundaries), §5.1.5 (digest), §5.2.1 (message/rfc822)
"""

import re
from typing import Final

import msgspec

from pillarbox.message.content import Content
from pillarbox.message.header_fields import header_end
from pillarbox.message.mime_fields import ContentType, parse_content_type, parse_disposition, parse_encoding

MAX_DEPTH: Final = 100
MAX_PARTS: Final = 10_000
MAX_BOUNDARY: Final = 80
"""Octets of a boundary that are compared; RFC 2046 §5.1.1 allows 70."""
_FIRST_STEP: Final = 4096
"""Octets in which the end of a part's header is looked for before more."""

_CONTENT_FIELDS: Final = re.compile(
    rb"\n((?i:content-[a-z0-9-]+|mime-version))[ \t]*:[ \t]*((?>(?:[^\n]*\n[ \t])*)[^\n]*)"
)


class Part(msgspec.Struct):
    """One part: its header is content[header_start:body_start], its body content[body_start:body_end]."""

    header_start: int
    body_start: int
    body_end: int
    content_type: ContentType | None
    """None without Content-Type field: text/plain, or message/rfc822 in a digest."""
    fields: dict[bytes, bytes]
    """The Content-… fields, lower-case name → value as written; empty if the part is not MIME."""
    is_multipart: bool = False
    is_message: bool = False
    children: list["Part"] = []


def parse(content: Content) -> Part:
    """The tree of the message's parts."""
    return _TreeBuilder(content).build()


class _Boundary:
    """A multipart that waits for its next boundary line."""

    __slots__ = ("part", "text")

    def __init__(self, part: Part, text: bytes) -> None:
        self.part = part
        self.text = text


class _TreeBuilder:
    def __init__(self, content: Content) -> None:
        self.content = content
        self.length = len(content)
        self.boundaries: list[_Boundary] = []
        self.texts: tuple[bytes, ...] = ()  # of these, unless there are more or less
        self.parts = 0
        self.cut: Part | None = None  # whose header a boundary cut short, if it is the last part

    def build(self) -> Part:
        """Parse header after header; boundary lines say where the next one begins."""
        open_parts: list[Part] = []  # from the root to the part that is being read
        position = 0
        mime = False
        while True:
            parent = open_parts[-1] if open_parts else None
            part, is_cut = self._header(position, parent, mime=mime)
            if parent is not None:
                parent.children.append(part)
            open_parts.append(part)
            if len(open_parts) >= MAX_DEPTH or self.parts >= MAX_PARTS:
                self._refuse_to_nest(part)
            elif part.is_multipart and not is_cut:
                self._expect_boundary(part)
            is_cut = is_cut or self._is_empty(part)
            self.cut = part if is_cut else None
            if part.is_message and is_cut:
                inner = Part(part.body_start, part.body_start, self.length, None, {})
                part.children.append(inner)
                open_parts.append(inner)
            elif part.is_message:
                position = part.body_start
                mime = False
                continue
            found = self._next_part(part.body_start, open_parts)
            if found is None:
                for still_open in open_parts:
                    still_open.body_end = self.length
                return open_parts[0]
            position = found
            mime = True

    def _refuse_to_nest(self, part: Part) -> None:
        """Too deep, or too many: what may hold parts becomes application/octet-stream, as in Dovecot."""
        if self.parts >= MAX_PARTS:
            self.boundaries.clear()  # the last part goes on to the end of the message
        if part.is_message or part.is_multipart:
            parameters = [] if part.content_type is None else part.content_type.parameters
            part.content_type = ContentType(b"application", b"octet-stream", parameters)
            part.is_message = part.is_multipart = False

    def _header(self, start: int, parent: Part | None, *, mime: bool) -> tuple[Part, bool]:
        """The part whose header begins at `start`, and whether a boundary cut the header short.

        `mime` for a part of a multipart.
        """
        self.parts += 1
        end, is_cut = self._header_end(start)
        found: list[tuple[bytes, bytes]] = _CONTENT_FIELDS.findall(b"\n" + self.content[start:end])
        fields: dict[bytes, bytes] = {}
        for name, value in found:
            _add_field(fields, name.lower(), value.removesuffix(b"\r"))
        # Content-… fields mean something only in a MIME message (RFC 2045 §4, §5: version or type).
        if not (mime or b"mime-version" in fields or b"content-type" in fields):
            fields = {}
        part = Part(start, end, self.length, None, fields)
        type_value = fields.get(b"content-type")
        if type_value is None:
            part.is_message = parent is not None and _is_digest(parent)
        else:
            part.content_type = content_type = parse_content_type(type_value)
            kind = content_type.type.lower()
            if kind == b"multipart" and content_type.subtype:
                part.is_multipart = True
            elif kind == b"message" and content_type.subtype.lower() == b"rfc822":
                part.is_message = True
        return part, is_cut

    def _header_end(self, start: int) -> tuple[int, bool]:
        """Where the header that begins at `start` ends, and whether a boundary cut it short.

        It is looked for in steps: ten thousand headers may have the only empty line behind them in common.
        """
        if not self.boundaries:
            return header_end(self.content, start), False
        step = _FIRST_STEP
        while True:
            so_far = min(start + step, self.length)
            whole_end = header_end(self.content, start, so_far)
            end = self._cut_at_boundary(start, whole_end)
            if end != whole_end:
                return end, True
            if whole_end < so_far or so_far == self.length:
                return whole_end, False
            step *= 4

    def _cut_at_boundary(self, start: int, end: int) -> int:
        """RFC 2046 §5.1: a header may not contain a boundary line; if it does, it ends there."""
        position = start - 1
        while (position := self.content.find(b"\n--", position, end)) >= 0:
            if self._match(position + 3) is not None:
                return max(position - 1, start)
            position += 1
        return end

    def _is_empty(self, part: Part) -> bool:
        """Whether a boundary ends the part right behind its header; the CRLF before it is the boundary's, then."""
        start = part.body_start
        if not self.content.startswith(b"--", start):
            return False
        boundary = self._match(start + 2)
        if boundary is None or boundary.part is part:
            return False
        part.body_start = max(start - 2, part.header_start)
        return True

    def _expect_boundary(self, part: Part) -> None:
        assert part.content_type is not None
        for name, value in part.content_type.parameters:
            if name.lower() == b"boundary":
                self.boundaries.append(_Boundary(part, value[:MAX_BOUNDARY]))
                self.texts = ()
                return

    def _next_part(self, position: int, open_parts: list[Part]) -> int | None:
        """Read on from `position` to the next boundary that begins a part, ending open parts on the way.

        The start of the next part's header, or None at the end of the message.
        """
        content = self.content
        position -= 1  # the body may begin with a boundary line: its LF is the header's
        closed = -1  # where the line of a final boundary ends
        while self.boundaries:
            found = content.find(b"\n--", position)
            if found < 0:
                return None
            boundary = self._match(found + 3)
            if boundary is None:
                position = found + 1
                continue
            # The line end of a final boundary belongs to its multipart, also if no epilogue stands between it
            # and the next boundary (Dovecot's count).
            end = found + 1 if found == closed else found - 1
            while open_parts[-1] is not boundary.part:
                ended = open_parts.pop()
                ended.body_end = max(end, ended.body_start)
                if ended is self.cut:
                    # The CRLF before a boundary that cuts the header of an inner message short
                    # belongs to the message/rfc822 part around it (Dovecot's count).
                    end = found + 1
                end = max(end, ended.body_end)
            while self.boundaries[-1] is not boundary:
                self.boundaries.pop()
            after = found + 3 + len(boundary.text)
            line_end = content.find(b"\n", after)
            if content.startswith(b"--", after):  # the last one: what follows is the epilogue
                self.boundaries.pop()
                if line_end < 0:
                    return None
                position = closed = line_end
                continue
            return None if line_end < 0 else line_end + 1
        return None

    def _match(self, start: int) -> _Boundary | None:
        """The boundary that the line (after its `--`) begins with."""
        best: _Boundary | None = None
        content = self.content
        if len(self.texts) != len(self.boundaries):
            self.texts = tuple([boundary.text for boundary in self.boundaries])
        if not content.startswith(self.texts, start):  # so it is with most lines that begin with "--"
            return None
        for boundary in reversed(self.boundaries):
            text = boundary.text
            if content.startswith(text, start) and (best is None or len(text) > len(best.text)):
                best = boundary
                after = start + len(text)
                if content.startswith((b"\r\n", b"--\r\n"), after):
                    break  # exactly this one: none can be better
        return best


def _add_field(fields: dict[bytes, bytes], name: bytes, value: bytes) -> None:
    """Of fields that occur twice the first counts, unless it says nothing (Dovecot's rules)."""
    if name not in fields:
        fields[name] = value
    elif name == b"content-disposition":
        disposition = parse_disposition(fields[name])
        if disposition is None or not disposition[1]:
            fields[name] = value
    elif name == b"content-transfer-encoding" and parse_encoding(fields[name]) is None:
        fields[name] = value


def _is_digest(parent: Part) -> bool:
    """RFC 2046 §5.1.5: in multipart/digest the default is message/rfc822."""
    content_type = parent.content_type
    return (
        parent.is_multipart
        and content_type is not None
        and (content_type.subtype or b"").lower() == b"digest"
    )
