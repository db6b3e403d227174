"""header_checks, mime_header_checks, nested_header_checks and body_checks: tables asked for each line.

DESCRIPTION
    `Inspector` takes the content of one message, trace header first, and gives back what is to be queued: lines
    may be left out (IGNORE, STRIP), replaced, or have others put before them.  What else the tables decree
    (REJECT, HOLD, DISCARD, REDIRECT, BCC, FILTER) is noted for the end of the message.

    A header is asked for as one text, its continuation lines joined by newlines; MIME headers go to
    mime_header_checks wherever they stand.  Body lines are asked for one by one, body_checks_size_limit octets of
    each part.  Empty lines are never asked for.

FAULTS
    A table that cannot answer, and an action that there is not, keep the message out for now: 451 4.3.0, and a
    warning in the log.

STANDARDS
    header_checks(5)
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from pillarbox.filters.mime_lines import MIME_HEADERS, MimeLines, Place
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.reply import Reply

_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:")
_STATUS: Final = re.compile(rb"([245]\.\d{1,3}\.\d{1,3})(?:[ \t]+|\Z)")
_LONGEST_LINE: Final = 65536
_SEGMENT: Final = 2048  # line_length_limit: what a table is asked for of a long line

Log = Callable[[str, str, bytes, bytes], None]
"""Verb, `header` or `body`, the line, and the text of the action."""


class ContentTables(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of one configuration."""

    header: Sequence[LookupTable] = ()
    mime_header: Sequence[LookupTable] = ()
    nested_header: Sequence[LookupTable] = ()
    body: Sequence[LookupTable] = ()
    body_limit: int = 51200
    prefix: str = ""  # of the parameters' names: smtp_

    @property
    def any(self) -> bool:
        """Whether there is anything to ask."""
        return bool(self.header or self.mime_header or self.nested_header or self.body)


class Inspector:
    """One message."""

    def __init__(
        self,
        tables: ContentTables,
        log: Log,
        warn: Callable[[str], None],
        *,
        verbs: Collection[str] | None = None,
    ) -> None:
        """`verbs`: the only actions that are served, for mail on its way out; a LookupFault is raised then."""
        self._verbs = verbs
        self.refusal: Reply | None = None
        self.hold = self.discard = False
        self.redirect = b""
        self.filter = b""  # transport:destination
        self.bcc: list[bytes] = []
        self._tables = tables
        self._log = log
        self._warn = warn
        self._mime = MimeLines()
        self._field: list[bytes] = []
        self._rest = b""
        self._open = False  # the last piece of a line that was too long to wait for has gone out
        self._passed = False  # PASS, or a refusal: nothing more is asked

    def trace(self, lines: Sequence[bytes]) -> list[bytes]:
        """The header that we put in front, as it may be put."""
        out: list[bytes] = []
        field: list[bytes] = []
        for line in lines:
            if field and line[:1] not in (b" ", b"\t"):
                out += self._header(field)
                field = []
            field.append(line)
        return out + (self._header(field) if field else [])

    def feed(self, content: bytes) -> bytes:
        """Content with CRLF line ends, in pieces; what is to be queued of it."""
        *lines, rest = (self._rest + content).split(b"\r\n")
        out: list[bytes] = []
        for line in lines:
            if self._open:
                self._open = False
                out.append(line)
            else:
                out += self._line(line)
        text = b"".join([line + b"\r\n" for line in out])
        if len(rest) > _LONGEST_LINE and self._mime.place is Place.BODY:
            keep = 1 if rest.endswith(b"\r") else 0
            kept = self._line(rest[: len(rest) - keep]) if not self._open else [rest[: len(rest) - keep]]
            self._open = True
            text += b"\r\n".join(kept)
            rest = rest[len(rest) - keep :]
        self._rest = rest
        return text

    def lines(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """A whole message in lines without their ends; the lines to be kept."""
        for line in lines:
            yield from self._line(line)
        yield from self._end_field()

    def finish(self) -> bytes:
        """The end of the message: what was waited for."""
        last = self._line(self._rest) if self._rest else []
        self._rest = b""
        return b"".join([line + b"\r\n" for line in (*last, *self._end_field())])

    # -- lines -----------------------------------------------------------------------------------------

    def _line(self, line: bytes) -> list[bytes]:
        return self._body_line(line) if self._mime.in_body else self._header_line(line)

    def _body_line(self, line: bytes) -> list[bytes]:
        if self._mime.is_boundary(line):
            return self._ask_body(line)
        kept: list[bytes] = self._ask_body(line) if line else [line]
        self._mime.body_octets += len(line) + 2
        return kept

    def _header_line(self, line: bytes) -> list[bytes]:
        mime = self._mime
        if self._field and line[:1] in (b" ", b"\t"):
            self._field.append(line)
            return []
        out = self._end_field()
        if _FIELD.match(line) is not None:
            self._field = [line]
            return out
        if mime.place is not Place.HEADER and mime.is_boundary(line):
            return [*out, *self._ask_body(line)]
        mime.end_of_header()
        if not line:
            return [*out, line]
        return [*out, *(self._body_line(line) if mime.in_body else [line])]

    def _end_field(self) -> list[bytes]:
        field, self._field = self._field, []
        return self._header(field) if field else []

    def _header(self, lines: list[bytes]) -> list[bytes]:
        match = _FIELD.match(lines[0])
        name = match[1].lower() if match is not None else b""
        if match is not None:
            self._mime.field(name, b"".join(lines)[match.end() :])
        if name not in MIME_HEADERS and self._mime.place is Place.HEADER:
            tables, title = self._tables.header, "header"
        elif name not in MIME_HEADERS and self._mime.place is Place.NESTED:
            tables, title = self._tables.nested_header, "nested_header"
        else:
            tables, title = self._tables.mime_header, "mime_header"
        if match is not None and match.end() - match.end(1) > 1:  # blanks before the colon go, in any case
            lines = [match[1] + b":" + lines[0][match.end() :], *lines[1:]]
        return self._ask(tables, "header", title, lines)

    def _ask_body(self, line: bytes) -> list[bytes]:
        if self._mime.body_octets >= self._tables.body_limit:
            return [line]
        return self._ask(self._tables.body, "body", "body", [line])

    # -- what the tables say ---------------------------------------------------------------------------

    def _ask(self, tables: Sequence[LookupTable], kind: str, title: str, lines: list[bytes]) -> list[bytes]:
        if self._passed or not tables:
            return lines
        text = b"\n".join(lines)
        key = text if kind == "header" else text[:_SEGMENT]
        try:
            value = _first(tables, key.decode("utf-8", "surrogateescape"))
        except LookupFault as fault:
            if self._verbs is not None:  # there is no client to be refused
                raise
            self._give_up(fault.reason)
            return lines
        return lines if value is None else self._act(value, kind, title, text, lines)

    def _act(self, value: str, kind: str, title: str, text: bytes, lines: list[bytes]) -> list[bytes]:
        word, _, argument = value.strip().partition(" ")
        verb, octets = word.upper(), argument.strip().encode("utf-8", "surrogateescape")
        if verb in ("DUNNO", "OK"):
            return lines
        if self._verbs is not None and verb not in self._verbs:
            self._warn(f"unsupported command in {self._tables.prefix}{title}_checks map: {value[:100]}")
            return lines
        if verb == "IGNORE":
            return []
        if verb == "REJECT":
            match = _STATUS.match(octets)
            status, reason = (match[1], octets[match.end() :]) if match is not None else (b"5.7.1", octets)
            said = status + b" " + (reason or b"message content rejected")
            self._log("reject", kind, text, said)
            self.refusal = Reply(451 if status.startswith(b"4") else 550, (said,))
            self._passed = True
            return lines
        if verb == "FILTER" and b":" not in octets:
            what = "-- need transport:destination" if octets else "-- it has no destination"
            self._warn(f"bad FILTER command {argument!r} in {title}_checks {what}")
            return lines
        if verb not in _LOGGED:
            self._give_up(f'"{value[:100]}" is no action of {kind} checks that is served')
            return lines
        self._log(_LOGGED[verb], kind, text, octets)
        if verb == "STRIP":
            return []
        if verb == "REPLACE":
            return octets.split(b"\n") if octets else lines
        if verb == "PREPEND":
            return [*octets.split(b"\n"), *lines] if octets else lines
        if verb == "PASS":
            self._passed = True
        self.hold |= verb == "HOLD"
        self.discard |= verb == "DISCARD"
        if verb == "REDIRECT":
            self.redirect = octets
        elif verb == "FILTER":
            self.filter = octets
        elif verb == "BCC":
            self.bcc.append(octets)
        return lines

    def _give_up(self, reason: str) -> None:
        self._warn(reason)
        self._passed = True
        self.refusal = Reply(451, (b"4.3.0 Error: queue file write error",))


_LOGGED: Final = {
    "WARN": "warning",
    "INFO": "info",
    "HOLD": "hold",
    "DISCARD": "discard",
    "REDIRECT": "redirect",
    "BCC": "bcc",
    "FILTER": "filter",
    "PREPEND": "prepend",
    "REPLACE": "replace",
    "STRIP": "strip",
    "PASS": "pass",
}


def _first(tables: Sequence[LookupTable], key: str) -> str | None:
    for table in tables:
        if (value := table.query(key)) is not None:
            return value
    return None
