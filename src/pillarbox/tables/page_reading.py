"""Reads the pages of a database file, whatever is in it: bounds are checked, loops come to an end.

DESCRIPTION
    The readers of Berkeley DB and LMDB files are our own.  The libraries map or cache pages, and a damaged
    file ends the process that looks at it; ours gives `DamagedDatabase`.  They need no library either, so that
    tables are read on hosts that no longer have Berkeley DB.

    `ReadAt` gives octets of the file: of a copy in memory if the file is small, else by pread(2).  How many pages
    and octets are looked at is bounded by the size of the file, not by numbers that stand in it.

FAULTS
    DamagedDatabase  the file is cut short, or not what it says it is
"""

import os
from collections.abc import Iterable, Iterator
from typing import Final, Protocol


class ReadAt(Protocol):
    """A file, read at any place."""

    size: int  # of the file, in octets

    def __call__(self, offset: int, size: int) -> bytes:
        """Exactly `size` octets at `offset`, or DamagedDatabase."""
        ...


MAX_ITEM: Final = 1 << 24
"""Octets of one key or value that are taken; Postfix's are lines of text."""


class DamagedDatabase(Exception):
    """A database file that makes no sense."""


class DatabaseReader(Protocol):
    """A file of keys and values."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a key.  DamagedDatabase."""
        ...

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values, in the file's order.  DamagedDatabase."""
        ...


class FileInMemory:
    """A file whose content is here."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    def __call__(self, offset: int, size: int) -> bytes:
        """Octets of it."""
        found = self._content[offset : offset + size]
        if len(found) != size:
            raise DamagedDatabase(f"the file ends before octet {offset + size}")
        return found


class OpenFile:
    """An open file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def __call__(self, offset: int, size: int) -> bytes:
        """Octets of it, by pread(2)."""
        try:
            found = os.pread(self._descriptor, size, offset)
        except (OSError, OverflowError) as error:
            raise DamagedDatabase(f"cannot read octet {offset}: {error}") from error
        if len(found) != size:
            raise DamagedDatabase(f"the file ends before octet {offset + size}")
        return found


def no_more_than(
    size: int, found: Iterable[tuple[bytes, bytes]], *, smallest: int
) -> Iterator[tuple[bytes, bytes]]:
    """The items of a file of this size.  DamagedDatabase when they take more room than the file has.

    In a sound file no octet belongs to two items, and each has `smallest` octets beside its key and value; a
    damaged one may name the same place again and again.
    """
    for key, value in found:
        size -= len(key) + len(value) + smallest
        if size < 0:
            raise DamagedDatabase("items that lie upon each other")
        yield key, value
