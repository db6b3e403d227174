"""btree: files of Berkeley DB, read.

DESCRIPTION
    Leaf pages hold keys and values by turns, in the order of the keys' octets; the pages above them hold the
    first key of each page below.  The first key of such a page counts as less than any other.

FAULTS
    DamagedDatabase

STANDARDS
    Berkeley DB 5.3, db_page.h (BKEYDATA, BINTERNAL, BOVERFLOW)
"""

import struct
from collections.abc import Iterator
from typing import Final

from pillarbox.tables.berkeley_db import BTREE_MAGIC, BerkeleyFile, Page
from pillarbox.tables.page_reading import DamagedDatabase, ReadAt, no_more_than

_INTERNAL_PAGE: Final = 3
_LEAF_PAGE: Final = 5
_KEY_DATA: Final = 1
_OVERFLOW: Final = 3
_DELETED: Final = 0x80
_MAX_DEPTH: Final = 64


class BtreeFile:
    """A `DatabaseReader`."""

    def __init__(self, read: ReadAt) -> None:
        self._file = BerkeleyFile(read, BTREE_MAGIC)
        self._root = self._file.number(88)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        number = self._root
        for _level in range(_MAX_DEPTH):
            page = self._file.page(number)
            if page.kind == _LEAF_PAGE:
                return self._in_leaf(page, key)
            number = self._child(page, self._index(page, key))
        raise DamagedDatabase("a tree without leaves")

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values, in the order of the keys."""
        return no_more_than(self._file.size, self._items(), smallest=6)

    def _items(self) -> Iterator[tuple[bytes, bytes]]:
        number = self._first_leaf()
        for _turn in range(self._file.last_page + 1):
            page = self._file.page(number)
            if page.kind != _LEAF_PAGE:
                raise DamagedDatabase(f"page {number} is no leaf")
            for index in range(0, page.entries - 1, 2):
                if not self._is_deleted(page, index):
                    yield self._item(page, index), self._item(page, index + 1)
            if not page.next:
                return
            number = page.next
        raise DamagedDatabase("leaves without end")

    def _first_leaf(self) -> int:
        number = self._root
        for _level in range(_MAX_DEPTH):
            page = self._file.page(number)
            if page.kind == _LEAF_PAGE:
                return number
            number = self._child(page, 0)
        raise DamagedDatabase("a tree without leaves")

    def _in_leaf(self, page: Page, key: bytes) -> bytes | None:
        low, high = 0, page.entries // 2
        while low < high:
            middle = (low + high) // 2
            if self._item(page, 2 * middle) < key:
                low = middle + 1
            else:
                high = middle
        while 2 * low + 1 < page.entries and self._item(page, 2 * low) == key:
            if not self._is_deleted(page, 2 * low):
                return self._item(page, 2 * low + 1)
            low += 1
        return None

    def _index(self, page: Page, key: bytes) -> int:
        """The last entry whose key is not above the key that is looked for."""
        if page.kind != _INTERNAL_PAGE or not page.entries:
            raise DamagedDatabase(f"a page of type {page.kind} in the tree")
        low, high = 1, page.entries
        while low < high:
            middle = (low + high) // 2
            if self._internal_key(page, middle) <= key:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def _child(self, page: Page, index: int) -> int:
        if page.kind != _INTERNAL_PAGE or index >= page.entries:
            raise DamagedDatabase(f"a page of type {page.kind} in the tree")
        found: int = self._unpack("I", page, page.offsets[index] + 4)[0]
        return found

    def _internal_key(self, page: Page, index: int) -> bytes:
        start = page.offsets[index]
        length, kind = self._unpack("HB", page, start)
        data = page.content[start + 12 : start + 12 + length]
        if kind & ~_DELETED == _KEY_DATA and len(data) == length:
            return data
        if kind & ~_DELETED == _OVERFLOW and len(data) >= 12:
            return self._file.overflow(data[4:12])
        raise DamagedDatabase(f"an entry of type {kind}")

    def _item(self, page: Page, index: int) -> bytes:
        start = page.offsets[index]
        length, kind = self._unpack("HB", page, start)
        if kind & ~_DELETED == _KEY_DATA:
            data = page.content[start + 3 : start + 3 + length]
            if len(data) == length:
                return data
        elif kind & ~_DELETED == _OVERFLOW and start + 12 <= len(page.content):
            return self._file.overflow(page.content[start + 4 : start + 12])
        raise DamagedDatabase(f"an item of type {kind}")

    def _is_deleted(self, page: Page, index: int) -> bool:
        return any(self._unpack("B", page, page.offsets[at] + 2)[0] & _DELETED for at in (index, index + 1))

    def _unpack(self, form: str, page: Page, offset: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self._file.order + form, page.content, offset)
        except struct.error as error:
            raise DamagedDatabase(f"an entry at octet {offset} of a page") from error
