"""The content of a queue file, line by line.

DESCRIPTION
    `read_content()` gives the lines of a message, which its records of content are.  content_blocks.py has the same
    as text, many lines at once.

FAULTS
    CorruptQueueFile  records that are no content, or content that does not end
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from pillarbox.queue.records import EXTRACTED, LINE, PARTIAL, CorruptQueueFile, RecordReader, Source


def read_content(source: Source, data_offset: int, *, pointers: bool = True) -> Iterator[bytes]:
    """The lines of the message, without line ends.  CorruptQueueFile if anything but `X` follows them."""
    for lines in _batches(source, data_offset, pointers=pointers):
        yield from lines


def _batches(source: Source, data_offset: int, *, pointers: bool) -> Iterator[list[bytes]]:
    """Lines, 64 KiB of records at a time; single records from one on that is neither a line nor part of one."""
    held: list[bytes] = []
    offset = data_offset
    while True:
        window = source.read_at(offset, _WINDOW)
        lines, used = _lines_in(window, held)
        if used + 1 < len(window) and window[used] == EXTRACTED:
            if held:
                lines.append(b"".join(held))
            yield lines
            return
        yield lines
        if not used:
            rest = _read_on(RecordReader(source, pointers=pointers), offset, held)
            while some := [*islice(rest, _SOME)]:
                yield some
            return
        offset += used


def _lines_in(window: bytes, held: list[bytes]) -> tuple[list[bytes], int]:
    """Lines whose records a window begins with, and the octets of those.  `held` has the parts of a line so far."""
    lines: list[bytes] = []
    at = used = 0
    octets = len(window)
    end = octets - 3
    while at < end:
        kind = window[at]
        head, length = at + 2, window[at + 1]
        if length >= 0x80:
            if window[head] >= 0x80:
                break
            length = (length & 0x7F) | window[head] << 7
            head += 1
        at = head + length
        if at > octets:
            break
        if kind != LINE or held:
            if kind == PARTIAL:
                held.append(window[head:at])
            elif kind == LINE:
                lines.append(b"".join([*held, window[head:at]]))
                held.clear()
            else:
                break
        else:
            lines.append(window[head:at])
        used = at
    return lines, used


def _read_on(reader: RecordReader, offset: int, held: list[bytes]) -> Iterator[bytes]:
    for kind, at, payload in reader.records(offset):
        if kind == LINE:
            if held:
                held.append(payload)
                payload = b"".join(held)
                held.clear()
            yield payload
        elif kind == PARTIAL:
            held.append(payload)
        elif kind == EXTRACTED:
            if held:
                yield b"".join(held)
            return
        else:
            raise CorruptQueueFile(f"unexpected record type {kind} in the content at {at}")
    raise CorruptQueueFile("the content does not end")


_WINDOW: Final = 65536
_SOME: Final = 500
