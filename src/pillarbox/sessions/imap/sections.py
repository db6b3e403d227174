"""BODY[…], RFC822 and its kin: what the answer to FETCH says of a message's content.

DESCRIPTION
    `SectionRenderer` is made once for a command and writes its sections for one message after the other.
    A part that the message does not have is an empty literal, as Dovecot answers.

    NUL cannot be sent in a literal (RFC 3501 §9, CHAR8); it becomes 0x80, as Dovecot's does, so that sizes
    and offsets stay true.

STANDARDS
    RFC 3501 §6.4.5 (section, partial), §7.4.2; RFC 3516 (BINARY)
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from pillarbox.mailstore.content.large_content import LargeContent, Span
from pillarbox.message import mime_tree
from pillarbox.message.header_fields import header_end, select_fields
from pillarbox.message.part_content import KNOWN_ENCODINGS, decoded_blocks, decoded_body, transfer_encoding
from pillarbox.message.sections import Section as Place
from pillarbox.message.sections import Text, find_part, locate
from pillarbox.wire.imap.fetch_items import Section, SectionPart

_TEXTS: Final = {
    SectionPart.ALL: Text.ALL,
    SectionPart.HEADER: Text.HEADER,
    SectionPart.HEADER_FIELDS: Text.HEADER,
    SectionPart.HEADER_FIELDS_NOT: Text.HEADER,
    SectionPart.TEXT: Text.TEXT,
    SectionPart.MIME: Text.MIME,
}
Written = tuple[bytes, bytes | Span]
"""`BODY[] {50}` CRLF, and the text behind it; of a huge message, where that is."""

MAX_ALTERNATIVES: Final = 64
"""Names of fields in one expression, which tries one after the other; more are looked up, in 16 µs a message."""
_CODED: Final = (b"base64", b"quoted-printable")
_HEADERS: Final = (SectionPart.HEADER, SectionPart.HEADER_FIELDS, SectionPart.HEADER_FIELDS_NOT)


class SectionRenderer:
    """The sections of one FETCH command."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self._sections = sections
        self._field_names = [frozenset(name.lower() for name in section.fields) for section in sections]
        self._finders = [_finder(section.fields) for section in sections]
        self.needs_only_header = all(section.part in _HEADERS and not section.path for section in sections)
        self.octets = 0
        """Of the texts that `from_headers` has given."""
        self.are_counted_as = [_counted_as(section) for section in sections]
        self._needs_tree = any(section.path or section.decoded for section in sections)

    def from_headers(self, headers: Sequence[bytes]) -> list[bytes]:
        """All sections of messages of which only the header is known, and needed, joined by blanks."""
        written = [self._from_header(header) for header in headers]
        self.octets += sum(len(text) for pieces in written for _, text in pieces)
        return [b" ".join(map(b"".join, pieces)) for pieces in written]

    @property
    def only_fields(self) -> bytes | None:
        """The label, if some fields of the header are all that is asked for.

        What every client asks for whose user looks at a list: 3 µs a message by `fields_of`, 10 by `from_headers`.
        """
        [first, *rest] = self._sections
        is_plain = first.part is SectionPart.HEADER_FIELDS and first.partial is None and not first.only_size
        return first.label if is_plain and not first.path and not rest else None

    @property
    def names(self) -> frozenset[bytes]:
        """The fields of the first section, in lower case."""
        return self._field_names[0]

    def fields_of(self, headers: Sequence[bytes]) -> list[bytes]:
        """Those fields of each message, without the empty line behind them."""
        texts = list(map(self._finders[0], headers))
        return [text.replace(b"\0", b"\x80") if b"\0" in text else text for text in texts]

    def _from_header(self, header: bytes) -> list[tuple[bytes, bytes]]:
        return [_written(section, self._fields_of(row, header)) for row, section in enumerate(self._sections)]

    def from_content(self, content: bytes) -> list[tuple[bytes, bytes]]:
        """The sections of a message."""
        tree = mime_tree.parse(content) if self._needs_tree else None
        return [
            _decoded(section, content, tree)
            if _is_decoded(section)
            else _written(section, self._text(row, content, tree) or b"")
            for row, section in enumerate(self._sections)
        ]

    def from_large(self, content: LargeContent) -> list[Written]:
        """The same of a huge one, for a worker thread: its parts are read when they are sent."""
        written: list[Written] = []
        for row, section in enumerate(self._sections):
            if _is_decoded(section):
                written.append(self._large_decoded(section, content))
                continue
            text = self._large_text(row, content)
            if isinstance(text, Span) and section.only_size:
                written.append((_size(section, len(text)), b""))
            elif isinstance(text, Span):
                text = text if section.partial is None else text.cut(*section.partial)
                written.append((b"%b {%d}\r\n" % (_label(section), len(text)), text))
            else:
                written.append(_written(section, text or b""))
        return written

    def _large_text(self, row: int, content: LargeContent) -> bytes | Span | None:
        section = self._sections[row]
        if section.path:
            found = locate(
                content.remember("tree", mime_tree.parse), Place(section.path, _TEXTS[section.part])
            )
        else:
            body = content.remember("body", header_end)
            ends = {SectionPart.ALL: (0, len(content)), SectionPart.TEXT: (body, len(content))}
            found = ends.get(section.part, (0, body))
        if found is None:
            return None
        if section.part in _HEADERS or section.part is SectionPart.MIME:
            return self._fields_of(row, content[found[0] : found[1]])
        return Span(content, *found)

    def _large_decoded(self, section: Section, content: LargeContent) -> Written:
        tree = content.remember("tree", mime_tree.parse)
        part = find_part(tree, section.path) if section.path else tree
        opening = b" {%d}\r\n"
        if part is None:
            text = Span(content, 0, 0)
        elif not section.path:
            text = Span(content, 0, len(content))
        elif part.is_multipart or part.is_message:
            text = Span(content, part.body_start, part.body_end)
        else:
            encoding = transfer_encoding(content, part)
            if encoding not in KNOWN_ENCODINGS:
                raise UnknownEncoding
            text = Span(content, part.body_start, part.body_end)
            if encoding in _CODED or encoding == b"binary":  # which may have a NUL
                opening = b" ~{%d}\r\n"
            if encoding in _CODED:
                decoded = _decoded_file(content, section.path, part)
                text = Span(decoded, 0, len(decoded))
        if text.content is content and not section.only_size:
            start, end = text.start, text.end
            if content.remember(("NUL", section.path), lambda whole: whole.find(b"\0", start, end) >= 0):
                opening = b" ~{%d}\r\n"
        if section.only_size:
            return _size(section, len(text)), b""
        if section.partial is not None:
            text = text.cut(*section.partial)
        return _label(section) + opening % len(text), text

    def only_text(self, content: bytes | LargeContent) -> bytes | Span | None:
        """What the first section is, as it is; None if the message has no such part."""
        partial = self._sections[0].partial
        if isinstance(content, LargeContent):
            text: bytes | Span | None = self._large_text(0, content)
        else:
            text = self._text(0, content, mime_tree.parse(content) if self._needs_tree else None)
        if text is None or partial is None:
            return text
        return text.cut(*partial) if isinstance(text, Span) else text[partial[0] : partial[0] + partial[1]]

    def _text(self, row: int, content: bytes, tree: mime_tree.Part | None) -> bytes | None:
        section = self._sections[row]
        if section.path:
            assert tree is not None
            found = locate(tree, Place(section.path, _TEXTS[section.part]))
            return self._fields_of(row, content[found[0] : found[1]]) if found is not None else None
        if section.part is SectionPart.ALL:
            return content
        if section.part is SectionPart.TEXT:
            return content[header_end(content) :]
        return self._fields_of(row, content[: header_end(content)])

    def _fields_of(self, row: int, text: bytes) -> bytes:
        part = self._sections[row].part
        if part is SectionPart.HEADER_FIELDS:
            return self._finders[row](text[: header_end(text)]) + b"\r\n"
        if part is SectionPart.HEADER_FIELDS_NOT:
            kept = select_fields(text, self._field_names[row], keep=False)
            # RFC 3501 §6.4.5: no "delimiting blank line" where the message "has no body and no blank line"
            header = text[: header_end(text)]
            return kept if header.endswith(b"\r\n\r\n") or header == b"\r\n" else kept[:-2]
        return text


def _counted_as(section: Section) -> str:
    """Among which figures of the log it is: header, body, or, if only its size is told, none."""
    if section.only_size:
        return ""
    return "header" if section.part in _HEADERS or section.part is SectionPart.MIME else "body"


def _finder(names: Sequence[bytes]) -> Callable[[bytes], bytes]:
    """Gives the fields of these names in a header that ends with its empty line, or has none."""
    if len(names) > MAX_ALTERNATIVES:
        wanted = frozenset(name.lower() for name in names)
        return lambda header: select_fields(header, wanted)[:-2]
    find = _field_pattern(names).findall
    return lambda header: b"".join(find(header))


def _field_pattern(names: Sequence[bytes]) -> re.Pattern[bytes]:
    """Finds the fields of these names, folded lines included.

    What clients ask of each message of a mailbox is HEADER.FIELDS with a dozen names: field by field in
    Python that took 11 microseconds a message, so 3.  The other lines are matched as well, as nothing: searching
    for the next line start takes longer.  Those that begin with another letter than any of the names go together.
    """
    alternatives = b"|".join(re.escape(name) for name in names)
    field = rb"(?!\r?\n)(?:%b)[ \t]*+:[^\n]*+(?>(?:\n[ \t][^\n]*+)*)\n?" % alternatives
    if not all(names):
        return re.compile(rb"(?i)(%b)|[^\n]*+(?:\n|\Z)" % field)
    first = b"".join(re.escape(name[:1]) for name in names)
    return re.compile(rb"(?i)(%b)|[^\n]*+(?:\n(?>(?:[^%b\n][^\n]*+\n)*)|\Z)" % (field, first))


def _is_decoded(section: Section) -> bool:
    """Not BINARY[1.MIME] and its kin, which are what BODY[1.MIME] is."""
    return section.decoded and section.part is SectionPart.ALL


def _decoded(section: Section, content: bytes, tree: mime_tree.Part | None) -> tuple[bytes, bytes]:
    """BINARY[…]: a literal8 where an encoding was undone, as Dovecot has it, or there is a NUL (RFC 3516 §4.2).

    Raises UnknownEncoding.
    """
    assert tree is not None
    part = find_part(tree, section.path) if section.path else tree
    opening = b" {%d}\r\n"
    if part is None:
        text = b""
    elif not section.path:
        text = content
    elif part.is_multipart or part.is_message:
        text = content[part.body_start : part.body_end]
    else:
        encoding = transfer_encoding(content, part)
        if encoding not in KNOWN_ENCODINGS:
            raise UnknownEncoding
        text = decoded_body(content, part)
        if encoding in _CODED:
            opening = b" ~{%d}\r\n"
    if b"\0" in text:
        opening = b" ~{%d}\r\n"
    if section.only_size:
        return _size(section, len(text)), b""
    if section.partial is not None:
        first, count = section.partial
        text = text[first : first + count]
    return _label(section) + opening % len(text), text


class UnknownEncoding(Exception):
    """A Content-Transfer-Encoding that we cannot undo: NO [UNKNOWN-CTE] (RFC 3516 §4.3)."""


def _decoded_file(content: LargeContent, path: tuple[int, ...], part: mime_tree.Part) -> LargeContent:
    """The part without its encoding; that of one part is kept, as clients ask for one piece after the other."""
    known = content.memo.get("decoded")
    if isinstance(known, tuple) and known[0] == path and isinstance(known[1], LargeContent):
        return known[1]
    decoded = content.derived(decoded_blocks(content, part))
    content.memo["decoded"] = (path, decoded)
    return decoded


def _label(section: Section) -> bytes:
    return section.label if section.partial is None else b"%b<%d>" % (section.label, section.partial[0])


def _size(section: Section, octets: int) -> bytes:
    return b"%b %d" % (section.label, octets)


def _written(section: Section, text: bytes) -> tuple[bytes, bytes]:
    """Label and size, then the text: a long one is not copied more than need be."""
    if section.only_size:
        return _size(section, len(text)), b""
    if section.partial is not None:
        first, count = section.partial
        text = text[first : first + count]
    if b"\0" in text:
        text = text.replace(b"\0", b"\x80")
    return b"%b {%d}\r\n" % (_label(section), len(text)), text
