"""lmdb: files of the Lightning Memory-Mapped Database, read.

DESCRIPTION
    The first two pages describe the file; the one with the later transaction counts.  Below its root is a tree
    of branch and leaf pages with keys in the order of their octets; a large value has pages of its own.
    Pages begin with 16 octets: page number 8, unused 2, flags 2, end of the offsets 2, begin of the items 2.

FAULTS
    DamagedDatabase

STANDARDS
    LMDB 0.9, mdb.c (MDB_meta, MDB_page, MDB_node), data version 1, as 64-bit systems write it
"""

import struct
import sys
from collections.abc import Iterator
from typing import Final

from pillarbox.tables.page_reading import MAX_ITEM, DamagedDatabase, ReadAt, no_more_than

_ORDER: Final = "<" if sys.byteorder == "little" else ">"
_MAGIC: Final = 0xBEEFC0DE
_VERSION: Final = 1
_PAGE_HEADER: Final = 16
_BRANCH: Final = 0x01
_LEAF: Final = 0x02
_BIG: Final = 0x01
_SPECIAL: Final = 0x02 | 0x04  # sub-databases and duplicates, which Postfix does not make
_NO_PAGE: Final = 0xFFFFFFFFFFFFFFFF
_MAX_DEPTH: Final = 64
_PAGE_SIZES: Final = frozenset(1 << bits for bits in range(9, 17))


class LmdbFile:
    """A `DatabaseReader`."""

    def __init__(self, read: ReadAt) -> None:
        self._read = read
        size, first = self._meta(0)
        metas = [first]
        try:
            metas.append(self._meta(size)[1])
        except DamagedDatabase:
            pass  # torn while it was written: the other one counts
        _transaction, self._root, last_page = max(metas)
        self._last_page = min(last_page, read.size // size - 1)
        self._page_size = size

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        number = self._root
        if number == _NO_PAGE:
            return None
        for _level in range(_MAX_DEPTH):
            page, flags, offsets = self._page(number)
            if flags & _LEAF:
                index = self._search(page, offsets, key, first=0)
                if index and self._key(page, offsets[index - 1]) == key:
                    return self._value(page, offsets[index - 1])
                return None
            number = self._child(page, flags, offsets, max(1, self._search(page, offsets, key, first=1)) - 1)
        raise DamagedDatabase("a tree without leaves")

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values, in the order of the keys."""
        return no_more_than(self._read.size, self._items(), smallest=8)

    def _items(self) -> Iterator[tuple[bytes, bytes]]:
        waiting = [] if self._root == _NO_PAGE else [self._root]
        for _turn in range(self._last_page + 1):
            if not waiting:
                return
            page, flags, offsets = self._page(waiting.pop())
            if flags & _LEAF:
                for offset in offsets:
                    yield self._key(page, offset), self._value(page, offset)
            else:
                children = [self._child(page, flags, offsets, index) for index in range(len(offsets))]
                waiting += reversed(children)
            if len(waiting) > self._last_page:
                break
        raise DamagedDatabase("a tree without end")

    def _meta(self, offset: int) -> tuple[int, tuple[int, int, int]]:
        """The page size; transaction, root page and last page."""
        content = self._read(offset + _PAGE_HEADER, 136)
        magic, version = struct.unpack_from(_ORDER + "II", content, 0)
        if magic != _MAGIC or version != _VERSION:
            raise DamagedDatabase("not an LMDB file")
        (page_size,) = struct.unpack_from(_ORDER + "I", content, 24)
        (root,) = struct.unpack_from(_ORDER + "Q", content, 24 + 48 + 40)
        last_page, transaction = struct.unpack_from(_ORDER + "QQ", content, 24 + 96)
        if page_size not in _PAGE_SIZES:
            raise DamagedDatabase(f"pages of {page_size} octets")
        return page_size, (transaction, root, last_page)

    def _page(self, number: int) -> tuple[bytes, int, tuple[int, ...]]:
        if not 1 < number <= self._last_page:
            raise DamagedDatabase(f"page {number} of {self._last_page}")
        page = self._read(number * self._page_size, self._page_size)
        flags, lower = struct.unpack_from(_ORDER + "HH", page, 10)
        count = (lower - _PAGE_HEADER) // 2
        if not 0 <= count <= (self._page_size - _PAGE_HEADER) // 2 or flags & 0x3F not in (_BRANCH, _LEAF):
            raise DamagedDatabase(f"page {number} with flags {flags:#x}")
        return page, flags, struct.unpack_from(f"{_ORDER}{count}H", page, _PAGE_HEADER)

    def _search(self, page: bytes, offsets: tuple[int, ...], key: bytes, *, first: int) -> int:
        """How many of the entries have keys that are not above `key`; a branch's first counts always."""
        low, high = first, len(offsets)
        while low < high:
            middle = (low + high) // 2
            if self._key(page, offsets[middle]) <= key:
                low = middle + 1
            else:
                high = middle
        return low

    def _child(self, page: bytes, flags: int, offsets: tuple[int, ...], index: int) -> int:
        if not flags & _BRANCH or index >= len(offsets):
            raise DamagedDatabase("a branch without children")
        low, high, top, _key_size = self._node(page, offsets[index])
        return low | high << 16 | top << 32

    def _key(self, page: bytes, offset: int) -> bytes:
        size = self._node(page, offset)[3]
        key = page[offset + 8 : offset + 8 + size]
        if len(key) != size:
            raise DamagedDatabase("a key beyond its page")
        return key

    def _value(self, page: bytes, offset: int) -> bytes:
        low, high, flags, key_size = self._node(page, offset)
        size = low | high << 16
        start = offset + 8 + key_size
        if flags & _SPECIAL or size > MAX_ITEM:
            raise DamagedDatabase(f"a value of {size} octets with flags {flags:#x}")
        if not flags & _BIG:
            value = page[start : start + size]
            if len(value) != size:
                raise DamagedDatabase("a value beyond its page")
            return value
        if start + 8 > len(page):
            raise DamagedDatabase("a value beyond its page")
        (number,) = struct.unpack_from(_ORDER + "Q", page, start)
        if not 1 < number <= self._last_page:
            raise DamagedDatabase(f"page {number} of {self._last_page}")
        return self._read(number * self._page_size + _PAGE_HEADER, size)

    def _node(self, page: bytes, offset: int) -> tuple[int, int, int, int]:
        try:
            low, high, flags, key_size = struct.unpack_from(_ORDER + "HHHH", page, offset)
        except struct.error as error:
            raise DamagedDatabase(f"an entry at octet {offset} of a page") from error
        return low, high, flags, key_size
