"""The text that postcat makes of a queue file.

DESCRIPTION
    `Listing` reads the records of one file and prints those of the parts that were asked for: the envelope
    (before the content and after it), the header, the body.  Damaged files are shown as far as they can be
    read, so nothing here is a reason to stop but a record that is none.

    Records are read here and not with queue.records, because the tool shows what the queue manager refuses:
    unknown types, records out of order, pointers as they stand in the file (`raw`).

FAULTS
    Unreadable  the octets are no records from here on; the two lines that standard error must get.
"""

import re
import sys
import time
from collections.abc import Callable
from typing import Final

import msgspec

from pillarbox.queue.records import (
    ATTRIBUTE,
    END,
    ENVELOPE_TYPES,
    EXTRACTED,
    LINE,
    MAX_BACKWARD_JUMPS,
    MESSAGE,
    PADDING,
    PARTIAL,
    POINTER,
    SIZE,
    TIME,
    WARN,
)

_NAMES: Final = {
    ord(kind): name
    for kind, name in {
        "C": b"message_size",
        "T": b"message_arrival_time",
        "c": b"queue_file_create_time",
        "F": b"sender_fullname",
        "I": b"content_inspector",
        "L": b"content_filter",
        "S": b"sender",
        "D": b"done_recipient",
        "R": b"recipient",
        "O": b"original_recipient",
        "/": b"canceled_recipient",
        "W": b"warning_message_time",
        "A": b"named_attribute",
        "K": b"killed_record",
        "V": b"verp_delimiters",
        "<": b"dsn_return_flags",
        "i": b"dsn_envelope_id",
        "o": b"dsn_original_recipient",
        "n": b"dsn_notify_flags",
        "N": b"regular_text",
        "w": b"padding",
        "p": b"pointer_record",
        "r": b"return_receipt",
        "e": b"errors_to",
        "P": b"priority",
        ">": b"redirect_to",
        "f": b"flags",
    }.items()
}
_HEADER: Final = re.compile(rb"[!-9;-~]+[ \t]*:")
_NUMBER: Final = re.compile(rb"[ \t\n\v\f\r]*([+-]?[0-9]{1,18})")
_TWO_NUMBERS: Final = re.compile(rb"\s*([0-9]{1,18})\s+([0-9]{1,18})")
_ENVELOPE, _HEAD, _BODY = range(3)


class Options(msgspec.Struct, frozen=True):
    """What to show, and how."""

    envelope: bool = True
    header: bool = True
    body: bool = True
    decimal_types: bool = False
    offsets: bool = False
    file_names: bool = False
    raw: bool = False
    verbose: bool = False
    start: int = 0


class Unreadable(Exception):
    """A record cannot be read: `args` are the warning, if there is one, and the fatal message."""


class Listing:
    """One file on its way to standard output."""

    def __init__(
        self, data: bytes, name: bytes, options: Options, *, write: Callable[[bytes], object]
    ) -> None:
        self._data = data
        self._name = name
        self._text_name = name.decode(errors="surrogateescape")
        self._options = options
        self._write = write
        self._at = options.start
        self._offset = options.start
        self._jumps = 0
        self._part = _ENVELOPE
        self._printing = options.envelope
        self._after_partial = False
        self._line_open = False  # for -f: what comes next continues a line
        self._content: tuple[int, int] | None = None  # offset and size, from the size record

    def show(self) -> None:
        """Print the file."""
        options = self._options
        if not self._data:
            return
        if not options.start:
            if self._data[0] not in ENVELOPE_TYPES:
                self._warn("input is not a valid queue file")
                return
            if options.envelope:
                self._print(b"*** ENVELOPE RECORDS %s ***\n" % self._name)
        wanted = True
        while wanted:
            self._offset = self._at
            kind, payload = self._record()
            if kind < 0:
                return
            taker = _TAKERS.get(kind)
            if taker is None:
                self._take_other(kind, payload)
            else:
                wanted = taker(self, kind, payload)

    # -- reading -------------------------------------------------------------------------------------

    def _record(self) -> tuple[int, bytes]:
        """The next record; type -1 at the end.  Pointers and padding are records only with -v."""
        while True:
            kind, payload = self._next()
            if self._options.verbose or kind not in (POINTER, PADDING):
                return kind, payload
            if kind == POINTER:
                self._follow(payload, "record read error")

    def _next(self) -> tuple[int, bytes]:
        data, at = self._data, self._at
        if at >= len(data):
            return -1, b""
        kind = data[at]
        length = shift = 0
        while True:
            at += 1
            if at >= len(data):
                raise self._unreadable(f"unexpected EOF reading length, record type {kind}")
            length |= (data[at] & 0x7F) << shift
            if data[at] < 0x80:
                break
            shift += 7
            if shift > 28:
                raise self._unreadable(f"too many length bits, record type {kind}")
        if length >= 1 << 31:
            raise self._unreadable(f"illegal length {length - (1 << 32)}, record type {kind}")
        at += 1
        self._at = at + length
        if self._at > len(data):
            raise self._unreadable(f"unexpected EOF in data, record type {kind} length {length}")
        return kind, data[at : self._at]

    def _follow(self, payload: bytes, fatal: str) -> None:
        text = _c_string(payload).strip(b" ")
        if not text:
            return
        if not text.isdigit() or len(text) > 15:
            raise self._unreadable(f"malformed pointer record value: {_shown(payload)}", fatal)
        target = int(text)
        if not target:
            return
        if target < self._at:
            self._jumps += 1
            if self._jumps > MAX_BACKWARD_JUMPS:
                raise self._unreadable("too many reverse jump records", fatal)
        self._at = target

    def _unreadable(self, warning: str, fatal: str = "record read error") -> Unreadable:
        return Unreadable(f"{self._text_name}: {warning}", fatal)

    # -- records that lead from one part into the next -----------------------------------------------

    def _take_text(self, kind: int, payload: bytes) -> bool:
        if (
            self._part == _HEAD
            and (self._options.header or self._options.body)
            and not self._after_partial
            and not payload.startswith((b" ", b"\t"))
            and not _HEADER.match(payload)
        ):
            self._part, self._printing = _BODY, self._options.body
            if not self._printing:
                if not self._options.envelope:
                    return False
                self._skip_content()
        if self._printing:
            self._print_text(kind, payload)
        return True

    def _take_message(self, kind: int, payload: bytes) -> bool:
        if self._part != _ENVELOPE:
            self._warn("out-of-order message content marker")
        self._marker(kind, b"MESSAGE CONTENTS")
        if not (self._options.header or self._options.body):
            self._skip_content()
        self._part, self._printing = _HEAD, self._options.header
        return True

    def _take_extracted(self, kind: int, payload: bytes) -> bool:
        if self._part == _ENVELOPE:
            self._warn("out-of-order extracted segment marker")
        if self._printing and self._after_partial:
            self._print(b"\n")
        self._marker(kind, b"HEADER EXTRACTED")
        self._part, self._printing = _ENVELOPE, self._options.envelope
        return self._printing

    def _take_end(self, kind: int, payload: bytes) -> bool:
        if self._part != _ENVELOPE:
            self._warn("out-of-order message end marker")
        self._marker(kind, b"MESSAGE FILE END")
        # What a milter edited lies behind the end record; only -r with -v looks at it in file order.
        return self._options.raw and self._options.verbose

    def _take_pointer(self, kind: int, payload: bytes) -> bool:
        if self._printing:
            self._print_named(kind, payload)
        if not self._options.raw:
            self._follow(payload, "bad pointer record, or input is not seekable")
        return True

    def _take_size(self, kind: int, payload: bytes) -> bool:
        if self._printing:
            self._print_named(kind, payload)
        if self._name.startswith(b"maildrop/"):
            return True  # `sendmail -O` writes one before the sizes are known
        if self._content is not None:
            _warn("file contains multiple size records")
            return True
        numbers = _TWO_NUMBERS.match(_c_string(payload))
        if numbers is None or not int(numbers[1]) or not int(numbers[2]):
            _warn(f"invalid size record: {_shown(payload)}")
            return True
        self._content = int(numbers[2]), int(numbers[1])
        if not self._options.envelope:
            self._at = self._content[0]
            self._part, self._printing = _HEAD, self._options.header
        return True

    def _skip_content(self) -> None:
        if self._content is not None:
            self._at = sum(self._content)

    # -- printing ------------------------------------------------------------------------------------

    def _take_other(self, kind: int, payload: bytes) -> None:
        if not self._printing:
            return
        if kind in (TIME, WARN):
            self._print(self._head(kind) + _NAMES[kind] + b": " + _date(payload))
        elif kind == ATTRIBUTE:
            self._print_attribute(kind, payload)
        elif kind == PADDING:
            self._print(self._head(kind) + _NAMES[kind] + b": " + payload + b"\n")
        else:
            self._print_named(kind, payload)
        self._after_partial = False

    def _print_text(self, kind: int, payload: bytes) -> None:
        options = self._options
        partial = kind == PARTIAL
        label, ends = b"", not partial or options.verbose or options.offsets
        if partial and self._part == _ENVELOPE:  # the letter of a content filter too
            label, ends = _NAMES[PARTIAL] + b": ", True
        elif options.verbose:
            label = b"unterminated_text: " if partial else _NAMES[LINE] + b": "
        self._print(self._head(kind) + label + payload + (b"\n" if ends else b""))
        self._after_partial = not ends

    def _print_attribute(self, kind: int, payload: bytes) -> None:
        text = _c_string(payload)
        name, equals, value = (part.strip(b" \t") for part in text.partition(b"="))
        head = self._head(kind)
        if not name:
            problem = "missing attribute name"
        elif not equals or b" " in name or b"\t" in name:
            problem = "missing '=' after attribute name"
        elif name == b"create_time":
            self._print(head + name + b": " + _date(value))
            return
        else:
            self._print(b"%s%s: %s=%s\n" % (head, _NAMES[kind], name, value))
            return
        if head:
            self._print(head)
        self._warn(f"malformed attribute: {problem}: {_shown(text)}")

    def _print_named(self, kind: int, payload: bytes) -> None:
        name = _NAMES.get(kind, b"unknown_record_type")
        self._print(b"%s%s: %s\n" % (self._head(kind), name, _c_string(payload)))

    def _marker(self, kind: int, text: bytes) -> None:
        if self._options.envelope:
            self._print(b"%s*** %s %s ***\n" % (self._head(kind), text, self._name))

    def _head(self, kind: int) -> bytes:
        offset = b"%9d " % self._offset if self._options.offsets else b""
        return offset + b"%3d " % kind if self._options.decimal_types else offset

    def _print(self, text: bytes) -> None:
        if self._options.file_names:
            prefix = b"" if self._line_open else self._name + b": "
            self._line_open = not text.endswith(b"\n")
            text = prefix + text
        self._write(text)

    def _warn(self, text: str) -> None:
        _warn(f"{self._text_name}: {text}")


_TAKERS: Final[dict[int, Callable[[Listing, int, bytes], bool]]] = {
    LINE: Listing._take_text,
    PARTIAL: Listing._take_text,
    MESSAGE: Listing._take_message,
    EXTRACTED: Listing._take_extracted,
    END: Listing._take_end,
    POINTER: Listing._take_pointer,
    SIZE: Listing._take_size,
}


def _c_string(payload: bytes) -> bytes:
    """Postfix shows the part before a NUL."""
    return payload.partition(b"\0")[0]


def _shown(payload: bytes) -> str:
    """The beginning of a payload, fit for a terminal."""
    text = _c_string(payload)[:100].decode(errors="replace")
    return "".join(character if character.isprintable() else "?" for character in text)


def _date(payload: bytes) -> bytes:
    """`Sun Nov 22 13:20:36 2026` and a line end, local time; the epoch for what is no number."""
    match = _NUMBER.match(payload)
    try:
        text = time.asctime(time.localtime(int(match[1]) if match else 0))
    except (OverflowError, ValueError):
        text = "(no date)"
    return text.encode() + b"\n"


def _warn(text: str) -> None:
    sys.stdout.flush()
    print(f"postcat: warning: {text}", file=sys.stderr)
