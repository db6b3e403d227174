"""Header fields that are longer than header_size_limit: what is read of one, and what is kept.

DESCRIPTION
    Postfix cuts a field twice.  What it looks at is read line by line, lines that are longer than 2048 octets
    (line_length_limit) piece by piece, until the limit is reached; the piece that reaches it is still read as a
    whole.  What goes into the queue has at most `limit` octets: it ends with the last line that fits, if those
    lines are more than nine tenths of the limit, and at the limit otherwise.

    A line's end counts as one octet.

STANDARDS
    header_size_limit, line_length_limit
"""

from collections.abc import Sequence
from typing import Final

PIECE: Final = 2048
"""line_length_limit: octets of a line that are looked at together."""


class FieldReader:
    """Gathers the lines of one field, as far as they are looked at."""

    __slots__ = ("_limit", "_octets", "lines")

    def __init__(self, first: bytes, limit: int) -> None:
        """The field's first line, and header_size_limit in octets."""
        self.lines = [_pieces(first, limit)]
        self._limit = limit
        self._octets = len(self.lines[0])

    def add(self, line: bytes) -> None:
        """A continuation line; one behind the limit is left out."""
        if self._octets < self._limit:
            kept = _pieces(line, self._limit - self._octets - 1)
            self.lines.append(kept)
            self._octets += 1 + len(kept)


def _pieces(line: bytes, room: int) -> bytes:
    """The first piece of a line, and others as long as there is room."""
    return line[: max(1, -(-room // PIECE)) * PIECE]


def kept_lines(lines: Sequence[bytes], limit: int) -> list[bytes]:
    """The lines of a field without what passes `limit` octets."""
    kept: list[bytes] = []
    start = 0  # of the line, within the field
    for line in lines:
        if start + len(line) > limit:
            if start <= 0.9 * limit:
                kept.append(line[: limit - start])
            break
        kept.append(line)
        start += len(line) + 1
    return kept
