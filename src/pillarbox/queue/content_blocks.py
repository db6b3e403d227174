"""The content of a queue file in large pieces, for the wire and for files.

DESCRIPTION
    A line's record is two octets and the line (`N`, its length), and so is a line with CRLF.  `crlf_blocks()`
    therefore does not take lines out of their records: it writes line ends over the heads of the records, of which
    each becomes the end of the line before.  Heads of lines of one length are at even distances, and are set by one
    slice (message/even_lines.py says why that matters); others one by one, which takes 130 ns each, a third of what
    a line object and its way through lists took.

    Where a head has to become less than two octets (LF line ends) or has more (lines of 128 octets, parts of
    lines), an octet that the text does not have stands in the place of what is too much, and is left out at last.

    Blocks are whole lines.  What is no plain record (pointers, padding, damage), a line of more than 128 KiB and
    text in which every octet occurs goes the slow way, line by line, and with it the rest of the message.

FAULTS
    CorruptQueueFile  anything but `X` follows the content
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from pillarbox.queue.content_lines import read_content
from pillarbox.queue.records import EXTRACTED, LINE, PARTIAL, Source

_WINDOW: Final = 131072
_SOME: Final = 500
"""Lines of a block that came one by one."""
_FIRST_BURST: Final = 512
_LONGEST_BURST: Final = 4096
"""Octets after which lines of different lengths may have become lines of one length.

Soon, because headers are short, and less often the longer they have not.
"""
_MANY: Final = 8
"""Lines of one length after which it is worth looking how many there are."""
_SHORT: Final = 128
"""Octets from which on a length takes two."""
_SELDOM: Final = b"\xff\xfe\xc0\xc1\xf8\xf9\xfa\xfb\xfc\xfd\x01\x02\x03\x04\x05\x06\x0e\x0f"
"""Octets that UTF-8 does not have, and controls: one of them is free nearly always."""

_CR: Final = 13
_LF: Final = 10


def crlf_blocks(source: Source, offset: int) -> Iterator[bytes]:
    """The message with CRLF line ends.  CorruptQueueFile."""
    return _blocks(source, offset, b"\r\n")


def lf_blocks(source: Source, offset: int) -> Iterator[bytes]:
    """The message with LF line ends.  CorruptQueueFile."""
    return _blocks(source, offset, b"\n")


def content_text(source: Source, offset: int) -> bytes:
    """The whole message with LF line ends.  CorruptQueueFile."""
    return b"".join(lf_blocks(source, offset))


class QueuedContent:
    """The content of one queue file, to be read any number of times."""

    __slots__ = ("_offset", "_source")

    def __init__(self, source: Source, offset: int) -> None:
        """`offset`: where the content begins."""
        self._source = source
        self._offset = offset

    def blocks(self) -> Iterator[bytes]:
        """`crlf_blocks()`."""
        return crlf_blocks(self._source, self._offset)

    def lines(self) -> Iterator[bytes]:
        """`read_content()`."""
        return read_content(self._source, self._offset)


def _blocks(source: Source, offset: int, end_of_line: bytes) -> Iterator[bytes]:
    while True:
        window = source.read_at(offset, _WINDOW)
        text, used = _turned(window, end_of_line)
        if used:
            yield text
        if used + 1 < len(window) and window[used] == EXTRACTED:
            return
        if not used:
            break
        offset += used
    lines = read_content(source, offset)
    while some := [*islice(lines, _SOME)]:
        yield end_of_line.join([*some, b""])


def _turned(window: bytes, end_of_line: bytes) -> tuple[bytes, int]:
    """The whole lines that a window begins with, and the octets of their records."""
    free = next((octet for octet in _SELDOM if octet not in window), None)
    if free is None or not (first := _head(window, 0)):
        return b"", 0
    octets = bytearray(window)
    before_lf = _CR if end_of_line == b"\r\n" else free
    used, is_even = _turn(octets, before_lf, free)
    if not used:
        return b"", 0
    del octets[used:]
    octets += end_of_line
    del octets[:first]  # it ends no line
    if is_even and before_lf == _CR:
        return bytes(octets), used
    return bytes(octets.replace(bytes((free,)), b"")), used


def _turn(octets: bytearray, before_lf: int, free: int) -> tuple[int, bool]:
    """Line ends over all heads: the octets of whole lines, and whether nothing has to be left out."""
    at = 0
    is_even = True
    while True:
        at, no_free = _turn_lines(octets, at, before_lf, free)
        is_even &= no_free
        following, no_free = _turn_parts(octets, at, before_lf, free)
        if following == at:
            return at, is_even
        is_even &= no_free
        at = following


def _turn_lines(octets: bytearray, at: int, before_lf: int, free: int) -> tuple[int, bool]:
    """Line ends over the heads of lines from `at` on: where the first record is that is no line, or cut off."""
    size = len(octets)
    limit = size - _SHORT - 1  # up to here a short line is there whole
    is_even = True
    burst_octets = _FIRST_BURST
    while True:
        at = _turn_even(octets, at, limit, before_lf)
        burst = min(limit, at + burst_octets)
        burst_octets = min(2 * burst_octets, _LONGEST_BURST)
        begin = at
        while at < burst and octets[at] == LINE:
            length = octets[at + 1]
            if length < _SHORT:
                octets[at] = before_lf
                octets[at + 1] = _LF
                at += length + 2
                continue
            length = length & 0x7F | octets[at + 2] << 7
            if octets[at + 2] >= _SHORT or at + 3 + length > size:
                return at, is_even
            octets[at] = free
            octets[at + 1] = before_lf
            octets[at + 2] = _LF
            is_even = False
            at += length + 3
        if at == begin:
            return at, is_even


def _turn_even(octets: bytearray, at: int, limit: int, before_lf: int) -> int:
    """The same for lines of one short length, if some follow each other."""
    if at >= limit or (length := octets[at + 1]) >= _SHORT:
        return at
    width = length + 2
    many = at + _MANY * width
    if octets[at:many:width] != _LINES or octets[at + 1 : many : width] != bytes((length,)) * _MANY:
        return at
    lines = (limit - at) // width + 1
    end = at + lines * width
    heads, lengths = octets[at:end:width], octets[at + 1 : end : width]
    others = max(len(heads.lstrip(_LINES)), len(lengths.lstrip(lengths[:1])))
    lines -= others
    end -= others * width
    octets[at:end:width] = bytes((before_lf,)) * lines
    octets[at + 1 : end : width] = _LF_OCTET * lines
    return end


def _turn_parts(octets: bytearray, at: int, before_lf: int, free: int) -> tuple[int, bool]:
    """The same for a line near the end, or one in parts: where it ends; `at` if it is none, or cut off."""
    begin, inside = at, False
    while head := _head(octets, at):
        length = octets[at + 1] if head == 2 else octets[at + 1] & 0x7F | octets[at + 2] << 7
        following = at + head + length
        if following > len(octets):
            break
        goes_on = octets[at] == PARTIAL
        octets[at] = octets[at + 1] = octets[at + head - 1] = free
        if not inside:
            octets[at + head - 2], octets[at + head - 1] = before_lf, _LF
        at = following
        if not goes_on:
            return at, head == 2 and not inside
        inside = True
    return begin, True


def _head(octets: bytes | bytearray, at: int) -> int:
    """Octets of the type and the length of a record of content; 0 if it is something else, or cut off."""
    if at + 2 > len(octets) or octets[at] not in _CONTENT:
        return 0
    if octets[at + 1] < _SHORT:
        return 2
    return 3 if at + 3 <= len(octets) and octets[at + 2] < _SHORT else 0


_CONTENT: Final = (LINE, PARTIAL)
_LINES: Final = bytes((LINE,)) * _MANY
_LF_OCTET: Final = bytes((_LF,))
