"""Postfix's record encoding: a type byte, a length, that many octets.

DESCRIPTION
    A queue file is nothing but records.  The length is a base-128 number, low seven bits first, the top bit
    of an octet saying that more follow; it takes at most four octets here.  There is no file header and no
    checksum.  The same encoding goes through the pipe to postdrop(1).

    Content is one `N` record per line; a line longer than `line_length_limit` is cut into `L` records and a
    final `N`.  `encode_content()` does all lines of a chunk at once from a table of ready-made heads.

FAULTS
    CorruptQueueFile  the octets are no records; `str()` says what is wrong where.
"""

from collections.abc import Iterator
from typing import Final, Protocol

from pillarbox.message.even_lines import EvenRun, even_run

SIZE: Final = 0x43  # C
TIME: Final = 0x54  # T
FULL_NAME: Final = 0x46  # F
INSPECTOR: Final = 0x49  # I
FILTER: Final = 0x4C  # L in an envelope
REDIRECT: Final = 0x3E  # >
SENDER: Final = 0x53  # S
ORIGINAL_RECIPIENT: Final = 0x4F  # O
RECIPIENT: Final = 0x52  # R
DONE: Final = 0x44  # D
CANCELED: Final = 0x2F  # /
WARN: Final = 0x57  # W
ATTRIBUTE: Final = 0x41  # A
KILLED: Final = 0x4B  # K
VERP: Final = 0x56  # V
MESSAGE: Final = 0x4D  # M
LINE: Final = 0x4E  # N
PARTIAL: Final = 0x4C  # L in content
PADDING: Final = 0x77  # w
POINTER: Final = 0x70  # p
EXTRACTED: Final = 0x58  # X
RETURN_RECEIPT: Final = 0x72  # r
ERRORS_TO: Final = 0x65  # e
PRIORITY: Final = 0x50  # P
END: Final = 0x45  # E

ENVELOPE_TYPES: Final = frozenset(b"MCTcFILSDRO/WVA>K<ionp")
CONTENT_TYPES: Final = frozenset(b"XLNwp")
EXTRACTED_TYPES: Final = frozenset(b"EDRO/PreAFIL>Konp")

MAX_BACKWARD_JUMPS: Final = 10000
"""Pointer records that lead backwards; more means a loop."""

LINE_LENGTH: Final = 2048
"""line_length_limit: the longest record of content."""


class CorruptQueueFile(Exception):
    """The file is not one that Postfix or Pillarbox wrote; `str()` says why."""


class Source(Protocol):
    """Octets that can be read at an offset: a file, or bytes in memory."""

    def read_at(self, offset: int, length: int) -> bytes:
        """At most `length` octets from `offset`; empty at the end."""
        ...


class BytesSource:
    """A `Source` over bytes in memory."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read_at(self, offset: int, length: int) -> bytes:
        """At most `length` octets from `offset`."""
        return self._data[offset : offset + length]


def encode_length(length: int) -> bytes:
    """The base-128 form of a record's length."""
    out = bytearray()
    while length > 0x7F:
        out.append(0x80 | length & 0x7F)
        length >>= 7
    out.append(length)
    return bytes(out)


def encode_record(kind: int, payload: bytes) -> bytes:
    """One record."""
    length = len(payload)
    return (bytes((kind, length)) if length < 0x80 else bytes((kind,)) + encode_length(length)) + payload


_LINE_HEADS: Final = tuple(b"N" + encode_length(length) for length in range(LINE_LENGTH + 1))
_PARTIAL_HEAD: Final = b"L" + encode_length(LINE_LENGTH)


def encode_lines(lines: list[bytes]) -> bytes:
    """Content records of lines without line ends."""
    return _encoded(lines, list(map(len, lines)))


def _encoded(lines: list[bytes], lengths: list[int]) -> bytes:
    heads = _LINE_HEADS
    pieces = [b""] * (2 * len(lines))
    try:
        pieces[::2] = [heads[length] for length in lengths]
    except IndexError:
        return b"".join([_encode_line(line) for line in lines])
    pieces[1::2] = lines
    return b"".join(pieces)


def _encode_line(line: bytes) -> bytes:
    if len(line) <= LINE_LENGTH:
        return _LINE_HEADS[len(line)] + line
    pieces = [_PARTIAL_HEAD + line[at : at + LINE_LENGTH] for at in range(0, len(line), LINE_LENGTH)]
    rest = line[(len(pieces) - 1) * LINE_LENGTH :]
    pieces[-1] = _LINE_HEADS[len(rest)] + rest
    return b"".join(pieces)


class ContentEncoder:
    """Content in pieces of any size, as records; CRLF ends a line, a stray CR or LF becomes a blank.

    The blank is cleanup_replace_stray_cr_lf: no CR or LF may be inside a record, because the next server
    might take it for the end of a line (SMTP smuggling).
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, content: bytes) -> bytes:
        """Records of the lines that `content` completes."""
        if self._rest:
            content = self._rest + content
        cut = content.rfind(b"\r\n") + 2
        if cut < 2:
            self._rest = content
            return self._long_beginning()
        whole, self._rest = content[:cut], content[cut:]
        run = even_run(whole)
        records = _records_of(whole) if run is None else _records_with_run(whole, run)
        return records + self._long_beginning() if self._rest else records

    def _long_beginning(self) -> bytes:
        """A beginning of a very long line goes out as it comes, so that memory stays bounded."""
        rest = self._rest
        if len(rest) <= 8 * LINE_LENGTH:
            return b""
        ready = len(rest) - len(rest) % LINE_LENGTH - LINE_LENGTH
        head, self._rest = rest[:ready].translate(_STRAY_TO_BLANK), rest[ready:]
        return b"".join([_PARTIAL_HEAD + head[at : at + LINE_LENGTH] for at in range(0, ready, LINE_LENGTH)])

    def finish(self) -> bytes:
        """Records of a last line that had no line end."""
        rest, self._rest = self._rest, b""
        return _encode_line(rest.translate(_STRAY_TO_BLANK)) if rest else b""


def _records_of(whole: bytes) -> bytes:
    """Records of lines that all end in CRLF; a stray CR or LF inside is a blank."""
    lines = whole.splitlines()
    lengths = list(map(len, lines))
    if sum(lengths) + 2 * len(lines) == len(whole):  # each line has ended in two octets, so in CRLF
        return _encoded(lines, lengths)
    lines = whole.split(b"\r\n")
    lines.pop()
    return encode_lines([line.translate(_STRAY_TO_BLANK) for line in lines])


def _records_with_run(whole: bytes, run: EvenRun) -> bytes:
    """The same of lines of which many, one after the other, are of one length."""
    records, lines = run.lines, (run.end - run.begin) // run.width
    records[:: run.width] = _LINE * lines
    records[1 :: run.width] = bytes((run.width - 2,)) * lines
    return b"".join((_records_of(whole[: run.begin]), records, _records_of(whole[run.end :])))


_LINE: Final = bytes((LINE,))
_STRAY_TO_BLANK: Final = bytes(0x20 if octet in b"\r\n" else octet for octet in range(256))

_WINDOW: Final = 65536


def short_records(window: bytes, wanted: frozenset[int], at: int = 0) -> tuple[list[tuple[int, bytes]], int]:
    """The records of some kinds in the beginning of a file, from `at` on, and where the first is that was not read.

    It stops before `M`, pointers, records of 128 octets and more, and what the window does not hold whole: a
    `RecordReader` goes on from there.  For a whole envelope it takes a quarter of that reader's time.
    """
    found: list[tuple[int, bytes]] = []
    end = len(window)
    while at + 2 <= end:
        kind, length = window[at], window[at + 1]
        following = at + 2 + length
        if length > 0x7F or following > end or kind == MESSAGE or kind == POINTER:
            break
        if kind in wanted:
            found.append((kind, window[at + 2 : following]))
        at = following
    return found, at


class RecordReader:
    """Records from an offset on, pointers followed.

    `records()` gives (type, offset of the record, payload) until it is stopped or the octets end.
    """

    def __init__(self, source: Source, *, pointers: bool = True) -> None:
        """`pointers`: whether there may be any.  Whoever wrote them can have the same records read 10,000 times."""
        self._source = source
        self._pointers = pointers
        self._window = b""
        self._base = 0  # offset of the window in the source

    def records(self, offset: int = 0) -> Iterator[tuple[int, int, bytes]]:
        """Every record but pointers and padding.  CorruptQueueFile for octets that are none."""
        jumps = 0
        while True:
            window, base = self._window, self._base
            at, size = offset - base, len(window)
            while 0 <= at < size - 1:  # short records, as nearly all of an envelope are
                kind, length = window[at], window[at + 1]
                following = at + 2 + length
                if length > 0x7F or following > size or kind == POINTER:
                    break
                if kind != PADDING:
                    yield kind, base + at, window[at + 2 : following]
                at = following
            offset = base + at
            kind, payload, following = self.record_at(offset)
            if kind < 0:
                return
            if kind == POINTER:
                if not self._pointers:
                    raise CorruptQueueFile(f"pointer record at {offset}")
                target = _pointer_target(payload, offset)
                if target == 0:
                    offset = following
                    continue
                if target <= offset:
                    jumps += 1
                    if jumps > MAX_BACKWARD_JUMPS:
                        raise CorruptQueueFile("too many backward pointer records")
                offset = target
                continue
            if kind != PADDING:
                yield kind, offset, payload
            offset = following

    def record_at(self, offset: int) -> tuple[int, bytes, int]:
        """Type, payload and the offset of what follows; type -1 at the end of the octets."""
        at = offset - self._base
        window = self._window
        if at < 0 or at + 6 > len(window):
            window = self._load(offset, 6)
            at = offset - self._base
            if at >= len(window):
                return -1, b"", offset
        kind = window[at]
        length = shift = 0
        head = at + 1
        while True:
            if head >= len(window):
                raise CorruptQueueFile(f"record at {offset} has no length")
            octet = window[head]
            head += 1
            length |= (octet & 0x7F) << shift
            if octet < 0x80:
                break
            shift += 7
            if shift > 21:
                raise CorruptQueueFile(f"record at {offset} has an impossible length")
        size = head - at + length
        if at + size > len(window):
            window = self._load(offset, size)
            head -= at
            at = offset - self._base
            head += at
            if at + size > len(window):
                raise CorruptQueueFile(f"record at {offset} is cut off")
        return kind, window[head : head + length], offset + size

    def window_at(self, offset: int) -> bytes:
        """The octets from there on, as many as are read at once."""
        return self._load(offset, 0)

    def _load(self, offset: int, needed: int) -> bytes:
        self._window = self._source.read_at(offset, max(needed, _WINDOW))
        self._base = offset
        return self._window


class UsersRecordReader(RecordReader):
    """Records as a user may write them: those of postdrop(1), which knows no pointers and no line ends in names.

    A size record is passed over: who made the file need not know what is in it.  A user's name is put on one line:
    Debian's sendmail(1) passes on what -F or NAME say as it is.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source, pointers=False)

    def records(self, offset: int = 0) -> Iterator[tuple[int, int, bytes]]:
        """CorruptQueueFile, too, for a line end or NUL anywhere but in the content: it would begin another line
        of a header or command."""
        for kind, at, payload in super().records(offset):
            if kind == FULL_NAME:
                payload = on_one_line(payload)
            if kind not in _OF_LINES and (b"\n" in payload or b"\r" in payload or b"\0" in payload):
                raise CorruptQueueFile(f"line break or NUL in the record at {at}")
            if kind != SIZE:
                yield kind, at, payload


_OF_LINES: Final = frozenset((LINE, PARTIAL))


def on_one_line(text: bytes) -> bytes:
    """Without line breaks and NULs: a record of the envelope that holds one could be read as two."""
    return text.translate(None, b"\r\n\0")


def _pointer_target(payload: bytes, offset: int) -> int:
    text = payload.strip(b" \0")
    if not text.isdigit() or len(text) > 15:
        raise CorruptQueueFile(f"pointer record at {offset} is malformed")
    return int(text)
