"""The paths of a folder's messages, `cur/<name>` or `new/<name>`, so that 100,000 of them stay small.

DESCRIPTION
    The octets of all paths stand one behind the other; where each begins and how long it is, in two arrays: six
    octets a message besides its name, where an object in a list takes forty.  A path that has changed is put behind
    the others; what is no longer used is left out when it is more than half.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, compress
from operator import add
from typing import Final, overload

SLACK: Final = 1 << 16
"""Octets without use that are always kept."""


class MessagePaths(Sequence[bytes]):
    """Of one folder, a row a message."""

    __slots__ = ("_lengths", "_old", "_recent", "_starts", "_unused")

    def __init__(self, paths: Iterable[bytes] = ()) -> None:
        self._old = b""
        self._recent = bytearray()  # behind `_old`
        self._starts = array("I")
        self._lengths = array("H")
        self._unused = 0  # octets
        self.extend(paths)

    @classmethod
    def of(cls, octets: bytes, lengths: "array[int]") -> "MessagePaths":
        """Those that stand one behind the other in `octets`."""
        paths = cls()
        paths._old = octets
        paths._lengths = lengths
        paths._starts = array("I", accumulate(lengths, initial=0))
        paths._starts.pop()
        return paths

    def packed(self) -> tuple[bytes, "array[int]"]:
        """What `of` takes."""
        self._pack()
        return self._old, self._lengths

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, row: int) -> bytes: ...

    @overload
    def __getitem__(self, row: slice) -> list[bytes]: ...

    def __getitem__(self, row: int | slice) -> bytes | list[bytes]:
        if isinstance(row, slice):
            found = self._neighbours(self._starts[row], self._lengths[row])
            return found or [self[at] for at in range(*row.indices(len(self)))]
        start = self._starts[row]
        old = self._old
        if start < len(old):
            return old[start : start + self._lengths[row]]
        start -= len(old)
        return bytes(self._recent[start : start + self._lengths[row]])

    def __setitem__(self, row: int, path: bytes) -> None:
        lengths, recent = self._lengths, self._recent
        self._unused += lengths[row]
        self._starts[row] = len(self._old) + len(recent)
        lengths[row] = len(path)
        recent += path
        if self._unused > SLACK:
            self._tidy()

    def __iter__(self) -> Iterator[bytes]:
        octets = self._old + self._recent if self._recent else self._old
        return map(octets.__getitem__, map(slice, self._starts, map(add, self._starts, self._lengths)))

    def append(self, path: bytes) -> None:
        """One more row."""
        self._starts.append(len(self._old) + len(self._recent))
        self._lengths.append(len(path))
        self._recent += path

    def extend(self, paths: Iterable[bytes]) -> None:
        """More rows."""
        more = list(paths)
        lengths = array("H", map(len, more))
        starts = array("I", accumulate(lengths, initial=len(self._old) + len(self._recent)))
        starts.pop()
        self._recent += b"".join(more)
        self._starts += starts
        self._lengths += lengths

    def keep(self, stays: Sequence[int]) -> None:
        """Take out the rows that do not stay."""
        self._starts = array("I", compress(self._starts, stays))
        self._lengths = array("H", compress(self._lengths, stays))
        self._unused = len(self._old) + len(self._recent) - sum(self._lengths)
        self._tidy()

    def drop(self, rows: Sequence[int]) -> None:
        """Take out a few rows (falling)."""
        for row in rows:
            self._unused += self._lengths[row]
            del self._starts[row], self._lengths[row]
        self._tidy()

    def _neighbours(self, starts: "array[int]", lengths: "array[int]") -> list[bytes]:
        """The paths that stand there, cut out together; none where they are far from each other."""
        if not starts:
            return []
        low, high, old = min(starts), max(map(add, starts, lengths)), len(self._old)
        if high - low > 2 * sum(lengths) or low < old < high:
            return []
        octets = self._old[low:high] if high <= old else bytes(self._recent[low - old : high - old])
        begins = [start - low for start in starts]
        return [octets[begin : begin + length] for begin, length in zip(begins, lengths, strict=True)]

    def _tidy(self) -> None:
        """Leave out what is not used, if that is more than the rest."""
        if self._unused > SLACK and 2 * self._unused > len(self._old) + len(self._recent):
            self._pack()

    def _pack(self) -> None:
        """All paths one behind the other, in the order of the rows."""
        if self._recent or self._unused:
            self._old = b"".join(self)
            self._recent = bytearray()
            self._unused = 0
            self._starts = array("I", accumulate(self._lengths, initial=0))
            self._starts.pop()
