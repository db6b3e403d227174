"""What cleanup(8) does to the header of a new message.

DESCRIPTION
    `HeaderCleaner` takes content as it comes and gives it back with

    * headers named in message_drop_headers left out (Bcc, Content-Length, Resent-Bcc, Return-Path),
    * leading mbox lines (`From user  date`, `>From …`) turned into `X-Mailbox-Line:`,
    * blanks between a field's name and its colon left out,
    * an empty line put in where text begins that is no header,
    * a header field longer than header_size_limit cut,
    * addresses rewritten, if the caller says how,
    * Message-Id:, Date: and From: appended if they are missing and the client is local (or
      always_add_missing_headers); Resent- forms if the message was resent.

    When `in_body` is true the rest can go by unseen.  `message_id`, `message_ids` and `hops` are then known.

STANDARDS
    RFC 5322 §2.2 (fields), §3.6.6 (Resent-); RFC 5321 §6.3 (loops, found by counting Received:);
    RFC 8689 §5 (TLS-Required)
"""

import re
from collections.abc import Callable
from typing import Final

from pillarbox.message.address_rewriting import HOLDING_ADDRESSES, HeaderRewriting
from pillarbox.message.field_length import kept_lines
from pillarbox.queue.inner_headers import says_eight_bit

_FIELD: Final = re.compile(rb"([!-9;-~]+)([ \t]*):")
_FIELD_BREAK: Final = re.compile(rb"\r\n(?![ \t])")
_MBOX_LINE: Final = re.compile(rb">*From [^\n]*\n")
_PERHAPS_MBOX_LINE: Final = re.compile(rb">*(?:F(?:r(?:o(?:m(?: [^\n]*)?)?)?)?)?")
_MAILBOX_LINE: Final = b"X-Mailbox-Line: "
_PATIENCE: Final = 262144
"""Octets of header after which finished fields are dealt with before the rest has come."""

_NOTED: Final = frozenset(
    b"message-id resent-message-id received content-type content-transfer-encoding tls-required".split()
)

MissingHeaders = Callable[[bytes, frozenset[bytes]], bytes]
"""Given `Resent-` or nothing, and the lower-case names that are there: the header lines to append."""


def cut_fields(header: bytes, limit: int) -> bytes:
    """Whole fields, each with its end, and none longer than header_size_limit."""
    fields = _FIELD_BREAK.split(header.removesuffix(b"\r\n"))
    return b"".join([_cut(field, limit) + b"\r\n" for field in fields])


def _cut(field: bytes, limit: int) -> bytes:
    """A field without what passes header_size_limit."""
    return b"\r\n".join(kept_lines(field.split(b"\r\n"), limit))


class HeaderCleaner:
    """Takes a message's content from its first octet; gives back what goes into the queue."""

    __slots__ = (
        "_dropped",
        "_held",
        "_limit",
        "_mailbox_lines",
        "_missing",
        "_names",
        "_rewrite",
        "_started",
        "has_utf8",
        "hops",
        "in_body",
        "is_eight_bit",
        "kinds",
        "lacks_end",
        "message_id",
        "message_ids",
        "tls_optional",
    )

    def __init__(
        self,
        *,
        dropped: frozenset[bytes],
        size_limit: int,
        missing: MissingHeaders | None = None,
        rewrite: HeaderRewriting | None = None,
    ) -> None:
        """`rewrite` brings addresses in headers to their standard form."""
        self.in_body = False
        self.message_id = b""
        # All that there are, and whether of Resent-Message-Id:
        self.message_ids: list[tuple[bytes, bool]] = []
        self.hops = 0
        self.has_utf8 = False  # octets that are not ASCII
        self.tls_optional = False  # TLS-Required: no
        self.is_eight_bit = False  # Content-Transfer-Encoding: says so
        self.kinds: list[bytes] = []  # values of Content-Type:
        self.lacks_end = False  # text began where an empty line should have been
        self._dropped = dropped
        self._limit = size_limit
        self._missing = missing
        self._rewrite = rewrite
        self._held = b""
        self._mailbox_lines = b""
        self._names: set[bytes] = set()
        self._started = False

    def feed(self, content: bytes) -> bytes:
        """What can be passed on now."""
        if self.in_body:
            return content
        self._held += content
        if not self._started and not self._begin():
            return b""
        if self._held.startswith(b"\r\n"):
            return self._end_header(b"", self._held[2:])
        end = self._held.find(b"\r\n\r\n")
        if end >= 0:
            header, body = self._held[:end], self._held[end + 4 :]
            return self._finish(header, b"\r\n" + body, body)
        return self._take_early()

    def finish(self) -> bytes:
        """The message has ended; there may have been no body."""
        if self.in_body:
            return b""
        if not self._started:
            self._begin(at_end=True)
        rest = self._held.removesuffix(b"\r\n")
        if not rest and not self._names:
            return self._end_header(b"", b"").removesuffix(b"\r\n")
        out, stray = self._clean(_FIELD_BREAK.split(rest) if rest else [])
        if stray is not None:
            return self._end_header(out, stray + b"\r\n")
        # As from cleanup(8): what has no body needs no empty line (RFC 5322 §2.1).
        return self._end_header(out, b"").removesuffix(b"\r\n")

    def _begin(self, *, at_end: bool = False) -> bool:
        """Make fields of lines that are left over from mbox files; whether all of them are there."""
        while (line := _MBOX_LINE.match(self._held)) is not None:
            self._mailbox_lines += _MAILBOX_LINE + line[0]
            self._held = self._held[line.end() :]
        held = self._held
        if not at_end and len(held) < _PATIENCE and _PERHAPS_MBOX_LINE.fullmatch(held) is not None:
            return False
        if self._mailbox_lines and held[:1] in (b" ", b"\t"):
            held = b"\r\n" + held  # text, which belongs to no field
        elif _PERHAPS_MBOX_LINE.fullmatch(held) is not None and b"From " in held:
            held = _MAILBOX_LINE + held
        self._started = True
        self._held, self._mailbox_lines = self._mailbox_lines + held, b""
        return True

    def _finish(self, header: bytes, rest: bytes, body: bytes) -> bytes:
        """`rest` is what follows the header's last line: the empty line, if there is one, and the body."""
        out, stray = self._clean(_FIELD_BREAK.split(header))
        if stray is not None:
            body = stray + b"\r\n" + rest
        return self._end_header(out, body)

    def _take_early(self) -> bytes:
        """Deal with complete fields of an endless header."""
        if len(self._held) < _PATIENCE:
            return b""
        fields = _FIELD_BREAK.split(self._held)
        self._held = fields.pop()
        if len(self._held) > self._limit + 2:
            self._held = self._held[: self._limit + 1]
        out, stray = self._clean(fields)
        if stray is None:
            return out
        return self._end_header(out, stray + b"\r\n" + self._held)

    def _clean(self, fields: list[bytes]) -> tuple[bytes, bytes | None]:
        """The fields to keep, and the text that begins where no field is (None: it is all header)."""
        kept: list[bytes] = []
        stray: bytes | None = None
        names, dropped, limit, rewrite = self._names, self._dropped, self._limit, self._rewrite
        for index, field in enumerate(fields):
            match = _FIELD.match(field)
            if match is None:
                stray = b"\r\n".join(fields[index:])
                self.lacks_end = True
                break
            written, blanks = match.groups()
            name = written.lower()
            if name in dropped:
                names.add(name)
                continue
            if name in _NOTED:
                self._note(name, field[match.end() :])
            names.add(name)
            if blanks:
                field = written + b":" + field[match.end() :]
            if rewrite is not None and name in HOLDING_ADDRESSES:
                start = len(written) + 1
                field = field[:start] + rewrite.field(name, field[start:])
            if len(field) > limit:
                field = _cut(field, limit)
            kept.append(field)
        kept.append(b"")
        text = b"\r\n".join(kept)
        if not text.isascii():
            self.has_utf8 = True
        return text, stray

    def _note(self, name: bytes, value: bytes) -> None:
        """What a field says that others than its reader have to know."""
        if name == b"received":
            self.hops += 1
        elif name == b"content-transfer-encoding":
            self.is_eight_bit |= says_eight_bit(value)
        elif name == b"content-type":
            self.kinds.append(value)
        elif name == b"tls-required":
            self.tls_optional |= value.strip().lower() == b"no"
        else:
            self._note_message_id(name, value)

    def _note_message_id(self, name: bytes, value: bytes) -> None:
        """The first Message-Id: counts, or else the first Resent-Message-Id:."""
        found, resent = b" ".join(value.split()), name != b"message-id"
        if name not in self._names and not (resent and self.message_id):
            self.message_id = found
        blanks = value[len(value.rstrip()) :].rstrip(b"\r\n")  # the log has those, too
        self.message_ids.append((found + blanks, resent))

    def _end_header(self, header: bytes, body: bytes) -> bytes:
        self.in_body = True
        self._held = b""
        if self._missing is not None:
            resent = b"\nresent-" in b"\n".join([b"", *self._names])
            header += self._missing(b"Resent-" if resent else b"", frozenset(self._names))
            self._missing = None  # it knows whose header this is: no cycle is left for the collector
        return header + b"\r\n" + body
