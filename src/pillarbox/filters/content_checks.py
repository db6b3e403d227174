"""header_checks, mime_header_checks, nested_header_checks and body_checks: tables asked for each line.

DESCRIPTION
    `Inspector` takes the content of one message, trace header first, and gives back what is to be queued: lines
    may be left out (IGNORE, STRIP), replaced, or have others put before them.  What else the tables decree
    (REJECT, HOLD, DISCARD, REDIRECT, BCC, FILTER) is noted for the end of the message.

    A header is asked for as one text, its continuation lines joined by newlines; MIME headers go to
    mime_header_checks wherever they stand.  Body lines are asked for one by one, body_checks_size_limit octets of
    each part.  Empty lines are never asked for.

    Before all that, a stray CR or LF becomes a blank (cleanup_replace_stray_cr_lf), and characters are taken
    out of every line, or the message is refused for them.

FAULTS
    A table that cannot answer, and an action that there is not, keep the message out for now: 451 4.3.0, and a
    warning in the log.

STANDARDS
    header_checks(5); message_reject_characters, message_strip_characters; strict_7bit_headers,
    strict_8bitmime_body, strict_mime_encoding_domain
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from pillarbox.message.field_length import PIECE, FieldReader, kept_lines
from pillarbox.message.mime_lines import MAX_BOUNDARY, MAX_NESTING, MIME_HEADERS, MimeLines, Place
from pillarbox.routing.address_lookup import find_first
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.reply import Reply

_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:")
_STATUS: Final = re.compile(rb"([245]\.\d{1,3}\.\d{1,3})(?:[ \t]+|\Z)")
_LONGEST_LINE: Final = 65536
_MBOX_LINE: Final = re.compile(rb">*From ", re.IGNORECASE)
_STRAY: Final = bytes.maketrans(b"\r\n", b"  ")

Log = Callable[[str, str, bytes, bytes], None]
"""Verb, `header` or `body`, the line, and the text of the action."""


class CheckFault(LookupFault):
    """A table that cannot answer about mail on its way out; the log has heard why."""

    def __init__(self, kind: str, table: str) -> None:
        """`kind` is `header` or `body`."""
        super().__init__(table, "")
        self.kind = kind


class MimeRules(msgspec.Struct, frozen=True, kw_only=True):
    """How far MIME is looked into, and what of it is refused."""

    is_read: bool = True  # False: what follows the message's header is all body
    max_nesting: int = MAX_NESTING
    max_boundary: int = MAX_BOUNDARY
    seven_bit_headers: bool = False
    seven_bit_bodies: bool = False  # whose encoding says so, or that have none
    proper_encodings: bool = False  # of multiparts and attached messages

    @property
    def any(self) -> bool:
        """Whether anything is refused."""
        return self.seven_bit_headers or self.seven_bit_bodies or self.proper_encodings


class ContentTables(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of one configuration."""

    header: Sequence[LookupTable] = ()
    mime_header: Sequence[LookupTable] = ()
    nested_header: Sequence[LookupTable] = ()
    body: Sequence[LookupTable] = ()
    body_limit: int = 51200
    header_limit: int = 102400  # octets of a field that are looked at: header_size_limit
    prefix: str = ""  # of the parameters' names: smtp_
    mime: MimeRules = MimeRules()
    rejected: bytes = b""  # octets that no line may have
    stripped: bytes = b""  # octets that are taken out of every line

    @property
    def any(self) -> bool:
        """Whether there is anything to ask."""
        tables = self.header or self.mime_header or self.nested_header or self.body
        return bool(tables or self.mime.any or self.rejected or self.stripped)


class Inspector:
    """One message."""

    def __init__(
        self,
        tables: ContentTables,
        log: Log,
        warn: Callable[[str], None],
        *,
        verbs: Collection[str] | None = None,
        most_hops: int | None = None,
    ) -> None:
        """`verbs`: the only actions that are served, for mail on its way out; a CheckFault is raised then.

        `most_hops`: with so many Received: fields a message is refused; nothing is asked of what is behind them.
        """
        self._hops_left = most_hops
        self._verbs = verbs
        self.refusal: Reply | None = None
        self.refused_in_header = False  # of the message: what would be added to it is not
        self.has_given_up = False  # a table cannot answer: that is the refusal
        self.hold = self.discard = False
        self.discards_in_header = False  # of the message
        self.redirect = b""
        self.filter = b""  # transport:destination
        self.bcc: list[bytes] = []
        self._tables = tables
        self._log = log
        self._warn = warn
        rules = tables.mime
        self._mime = MimeLines(max_nesting=rules.max_nesting, max_boundary=rules.max_boundary)
        self._complaints: set[bytes] = set()
        self._field: FieldReader | None = None
        self._begun = False
        self._rest = b""
        self._parts: list[bytes] = []  # more of it, which would be copied again and again
        self._open = False  # the last piece of a line that was too long to wait for has gone out
        self._passed = False  # PASS and others, or a refusal: nothing more is asked

    def trace(self, lines: Sequence[bytes]) -> list[bytes]:
        """The header that we put in front, as it may be put."""
        out: list[bytes] = []
        for line in map(self._washed, lines):
            if self._field is not None and line[:1] in (b" ", b"\t"):
                self._field.add(line)
            else:
                out += self._end_field()
                self._field = FieldReader(line, self._tables.header_limit)
        return out + self._end_field()

    def feed(self, content: bytes) -> bytes:
        """Content with CRLF line ends, in pieces; what is to be queued of it."""
        if not (self._mime.in_body or self._ends_line(content)):  # what is a header is looked at as a whole
            if content:
                self._parts.append(content)
            return b""
        *lines, rest = b"".join((self._rest, *self._parts, content)).split(b"\r\n")
        self._parts.clear()
        out: list[bytes] = []
        for line in lines:
            if self._open:
                self._open = False
                out.append(b"\r\n".join(self._pieces(self._washed(line))))
            else:
                out += self._line(line)
        text = b"".join([line + b"\r\n" for line in out])
        if len(rest) > _LONGEST_LINE and self._mime.in_body:
            taken = len(rest) - len(rest) % PIECE - (0 if len(rest) % PIECE else PIECE)
            piece = self._washed(rest[:taken])
            kept = self._pieces(piece) if self._open else self._body_line(piece)
            self._open = True
            text += b"\r\n".join(kept)
            rest = rest[taken:]
        self._rest = rest
        return text

    def _ends_line(self, content: bytes) -> bool:
        """Whether a line ends in the next piece of content."""
        before = self._parts[-1] if self._parts else self._rest
        return b"\r\n" in content or (content[:1] == b"\n" and before[-1:] == b"\r")

    def lines(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """A whole message in lines without their ends; the lines to be kept."""
        for line in lines:
            yield from self._line(line)
        yield from self._end_field()

    def finish(self) -> bytes:
        """The end of the message: what was waited for."""
        rest = b"".join((self._rest, *self._parts))
        last = self._line(rest) if rest else []
        self._rest = b""
        self._parts.clear()
        kept = b"".join([line + b"\r\n" for line in (*last, *self._end_field())])
        if not self._mime.in_body:
            self._check_encoding()
        if self.refusal is None and self._complaints and not self.discard:
            worst = next(text for text in _COMPLAINTS if text in self._complaints)
            self.refusal = Reply(550, (b"5.6.0 " + worst,))
        return kept

    def _complain(self, what: bytes, content: bytes) -> None:
        """MIME that is not as it should be: told once for each kind, and refused at the end."""
        if self.refusal is None and what not in self._complaints and not self.discard:
            self._complaints.add(what)
            self._log("reject", f"mime-error {what.decode('ascii')}:", content[:100], b"")

    # -- lines -----------------------------------------------------------------------------------------

    def _washed(self, line: bytes) -> bytes:
        """A line without what is taken out; one that may not be is a reason to refuse the message."""
        rejected, stripped = self._tables.rejected, self._tables.stripped
        if b"\r" in line or b"\n" in line:
            line = line.translate(_STRAY)
        if rejected and not self._passed and len(line.translate(None, rejected)) < len(line):
            self._refuse("content", line, b"5.7.1", b"disallowed character")
        return line.translate(None, stripped) if stripped else line

    def _refuse(self, kind: str, text: bytes, status: bytes, reason: bytes) -> None:
        said = status + b" " + (reason or b"message content rejected")
        self._log("reject", kind, text, said)
        self.refusal = Reply(451 if status.startswith(b"4") else 550, (said,))
        self._note_refusal(kind)

    def _note_refusal(self, kind: str) -> None:
        self._passed = True
        self.refused_in_header = kind == "header" and not self._mime.body_octets

    def _line(self, line: bytes) -> list[bytes]:
        line = self._washed(line)
        return self._body_line(line) if self._mime.in_body else self._header_line(line)

    def _body_line(self, line: bytes) -> list[bytes]:
        if self._tables.mime.seven_bit_bodies and self._mime.encoding == b"7bit" and not line.isascii():
            self._complain(_BODY, line)
        if not self._mime.is_boundary(line) and not line:
            self._mime.body_octets += 1
            return [line]
        return self._ask_body(line) if len(line) <= PIECE else self._pieces(line)

    @property
    def _refuses_depth(self) -> bool:
        tables = self._tables
        return bool(tables.mime.any or tables.header or tables.mime_header or tables.nested_header)

    def _check_encoding(self) -> None:
        """RFC 2045 §6.4, at the end of a header: composite types are in 7bit, 8bit or binary."""
        if not (self._tables.mime.is_read and self._tables.mime.proper_encodings):
            return
        (main, subtype), encoding = self._mime.kind, self._mime.encoding
        is_encoded = encoding in (b"base64", b"quoted-printable")
        if main == b"message" and subtype in (b"partial", b"external-body"):
            is_wrong = encoding in (b"8bit", b"binary")
        else:
            is_wrong = is_encoded and (main == b"multipart" or (main, subtype) == (b"message", b"rfc822"))
        if is_wrong:
            self._complain(_DOMAIN, encoding)

    def _pieces(self, line: bytes) -> list[bytes]:
        """A long line, or the rest of one: tables are asked for a piece at a time, each is kept or not."""
        kept: list[bytes] = []
        for at in range(0, len(line), PIECE):
            piece = line[at : at + PIECE]
            if asked := self._ask_body(piece):
                kept.append(b"\r\n".join(asked))
        return b"".join(kept).split(b"\r\n") if kept else []

    def _header_line(self, line: bytes) -> list[bytes]:
        mime = self._mime
        if not self._begun:  # lines of an mbox file, which would hide the header behind them, become fields
            self._begun = _MBOX_LINE.match(line) is None
            line = line if self._begun else b"X-Mailbox-Line: " + line
        if self._field and line[:1] in (b" ", b"\t"):
            self._field.add(line)
            return []
        out = self._end_field()
        if _FIELD.match(line) is not None:
            self._field = FieldReader(line, self._tables.header_limit)
            return out
        self._check_encoding()
        if line and mime.place is Place.HEADER:  # the empty line that is missing
            out.append(b"")
        mime.end_of_header(at_empty_line=not line)
        return [*out, *(self._body_line(line) if line else [line])]

    def _end_field(self) -> list[bytes]:
        field, self._field = self._field, None
        if field is None:
            return []
        kept = self._header(field.lines)
        if self._hops_left is not None and self._mime.place is Place.HEADER:
            self._hops_left -= field.lines[0][:9].lower() == b"received:"
            self._passed |= self._hops_left <= 0
        return kept

    def _header(self, lines: list[bytes]) -> list[bytes]:
        match = _FIELD.match(lines[0])
        name = match[1].lower() if match is not None else b""
        rules = self._tables.mime
        if match is not None and rules.is_read:
            self._mime.field(name, b"\n".join(lines)[match.end() :])
            if self._mime.is_too_deep and self._refuses_depth:
                self._complain(_TOO_DEEP, b"\n".join(lines))
            if rules.seven_bit_headers and not all(map(bytes.isascii, lines)):
                self._complain(_HEADER, b"\n".join(lines))
        if name not in MIME_HEADERS and self._mime.place is Place.HEADER:
            tables, title = self._tables.header, "header"
        elif name not in MIME_HEADERS and self._mime.place is Place.NESTED:
            tables, title = self._tables.nested_header, "nested_header"
        else:
            tables, title = self._tables.mime_header, "mime_header"
        if match is not None and match.end() - match.end(1) > 1:  # blanks before the colon go, in any case
            lines = [match[1] + b":" + lines[0][match.end() :], *lines[1:]]
        text = b"\n".join(lines)
        if self._mime.place is not Place.HEADER and self._verbs is None:  # the message's is cut in the queue
            lines = kept_lines(lines, self._tables.header_limit)
        return self._ask(tables, "header", title, text, lines)

    def _ask_body(self, line: bytes) -> list[bytes]:
        within = not self._tables.body_limit or self._mime.body_octets < self._tables.body_limit
        self._mime.body_octets += len(line) + 1
        return self._ask(self._tables.body, "body", "body", line, [line]) if within else [line]

    # -- what the tables say ---------------------------------------------------------------------------

    def _ask(
        self, tables: Sequence[LookupTable], kind: str, title: str, text: bytes, lines: list[bytes]
    ) -> list[bytes]:
        """What becomes of these lines by what the tables say of the text."""
        if self._passed or not tables:
            return lines
        table = f"{self._tables.prefix}{title}_checks"
        try:
            value = find_first(tables, text.decode("utf-8", "surrogateescape"))
        except LookupFault as fault:
            self._warn(fault.reason)
            self._give_up(kind, table)
            return lines
        if value == "":
            self._mind_empty_result(kind, table, text)
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
            self._refuse(kind, text, status, reason)
            return lines
        if verb == "FILTER" and b":" not in octets:
            what = "-- need transport:destination" if octets else "-- it has no destination"
            self._warn(f"bad FILTER command {argument} in {title}_checks {what}")
            return lines
        if verb not in _LOGGED:
            self._warn(f"unknown command in {self._tables.prefix}{title}_checks map: {value}")
            return lines
        if objection := _objection(verb, octets, kind):
            self._warn(objection % f"{self._tables.prefix}{title}_checks map")
            return lines
        if verb == "HOLD" and self.hold:  # it is told once
            return lines
        self._log(_LOGGED[verb], kind, text, octets)
        if verb == "STRIP":
            return []
        if verb == "REPLACE":
            return octets.split(b"\n")
        if verb == "PREPEND":
            return [*octets.split(b"\n"), *lines]
        if verb in ("PASS", "DISCARD", "REDIRECT"):  # nothing more is asked, as in cleanup(8)
            self._passed = True
        self.hold |= verb == "HOLD"
        if verb == "DISCARD":
            self.discard = True
            self.discards_in_header = kind == "header" and not self._mime.body_octets
        if verb == "REDIRECT":
            self.redirect = octets
        elif verb == "FILTER":
            self.filter = octets
        elif verb == "BCC":
            self.bcc.append(octets)
        return lines

    def _mind_empty_result(self, kind: str, table: str, text: bytes) -> None:
        """An action without a word is a mistake: nobody knows what was wanted."""
        asked = text.decode("utf-8", "surrogateescape")
        self._warn(f"{table} lookup of {asked} returns an empty string result")
        self._warn(f"{table} should return NO RESULT in case of NOT FOUND")
        self._give_up(kind, table)

    def _give_up(self, kind: str, table: str) -> None:
        if self._verbs is not None:  # there is no client to be refused
            raise CheckFault(kind, table)
        self._warn(f"{table} map lookup problem -- message not accepted, try again later")
        self.has_given_up = True
        self._note_refusal(kind)
        self.refusal = Reply(451, (b"4.3.0 Error: queue file write error",))


def _objection(verb: str, argument: bytes, kind: str) -> str:
    """What is wrong with an action's argument, with a place for the table's name; empty: nothing.

    A line that is no field would end the header.
    """
    shown = argument.decode("utf-8", "replace").replace("%", "%%")
    if verb in ("PREPEND", "REPLACE"):
        if not argument:
            return f"{verb} action without text in %s"
        if kind == "header" and _FIELD.match(argument) is None:
            return f'bad {verb} header text "{shown}" in %s -- need "headername: headervalue"'
    if verb in ("REDIRECT", "BCC") and b"@" not in argument:
        what = "REDIRECT target" if verb == "REDIRECT" else "BCC address"
        return f'bad {what} "{shown}" in %s -- need user@domain'
    return ""


_TOO_DEEP: Final = b"MIME nesting exceeds safety limit"
_HEADER: Final = b"improper use of 8-bit data in message header"
_BODY: Final = b"improper use of 8-bit data in message body"
_DOMAIN: Final = b"invalid message/* or multipart/* encoding domain"
_COMPLAINTS: Final = (_TOO_DEEP, _HEADER, _BODY, _DOMAIN)
"""The worst first."""

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
