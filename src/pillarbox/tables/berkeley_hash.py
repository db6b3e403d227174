"""hash: files of Berkeley DB, read.

DESCRIPTION
    Linear hashing: the hash of a key, cut down by one of two masks, is a bucket; a bucket is a chain of pages.
    `spares` tells where the buckets of each doubling of the table begin.  Keys and values alternate on a page,
    packed from its end; the first octet of an item is its type.

FAULTS
    DamagedDatabase

STANDARDS
    Berkeley DB 5.3, hash.h (BS_TO_PAGE), hash_func.c (__ham_func5, Fowler/Noll/Vo)
"""

from collections.abc import Iterator
from typing import Final

from pillarbox.tables.berkeley_db import HASH_MAGIC, BerkeleyFile, Page
from pillarbox.tables.page_reading import DamagedDatabase, ReadAt, no_more_than

_UNUSED_PAGE: Final = 0
_UNSORTED_PAGE: Final = 2
_SORTED_PAGE: Final = 13
_PAGES: Final = (_UNSORTED_PAGE, _SORTED_PAGE)
_KEY_DATA: Final = 1
_OFF_PAGE: Final = 3
_FNV_PRIME: Final = 16777619


def hash_of(key: bytes) -> int:
    """__ham_func5."""
    found = 0
    for octet in key:
        found = (found * _FNV_PRIME & 0xFFFFFFFF) ^ octet
    return found


class HashFile:
    """A `DatabaseReader`."""

    def __init__(self, read: ReadAt) -> None:
        self._file = BerkeleyFile(read, HASH_MAGIC)
        number = self._file.number
        self._max_bucket, self._high_mask, self._low_mask = number(72), number(76), number(80)
        self._spares = tuple(number(96 + 4 * index) for index in range(32))
        if self._max_bucket > self._file.last_page:
            raise DamagedDatabase(f"{self._max_bucket} buckets in {self._file.last_page} pages")
        check = hash_of(b"%$sniglet^&\0")  # what the library calls CHARKEY, hashed by the writer's function
        if number(92) != check:
            raise DamagedDatabase("a Berkeley DB file with another hash function")

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        bucket = hash_of(key) & self._high_mask
        if bucket > self._max_bucket:
            bucket &= self._low_mask
        for page in self._bucket(bucket):
            for index in range(0, page.entries - 1, 2):
                if self._item(page, index) == key:
                    return self._item(page, index + 1)
        return None

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values, bucket by bucket."""
        return no_more_than(self._file.size, self._items(), smallest=2)

    def _items(self) -> Iterator[tuple[bytes, bytes]]:
        pages = 0
        for bucket in range(self._max_bucket + 1):
            for page in self._bucket(bucket):
                pages += 1
                if pages > self._file.last_page:
                    raise DamagedDatabase("buckets that share pages")
                for index in range(0, page.entries - 1, 2):
                    yield self._item(page, index), self._item(page, index + 1)

    def _bucket(self, bucket: int) -> Iterator[Page]:
        number = bucket + self._spares[min(bucket.bit_length(), 31)]
        for _turn in range(self._file.last_page + 1):
            page = self._file.page(number)
            if page.kind == _UNUSED_PAGE and not page.entries:
                return  # a bucket that was never written to
            if page.kind not in _PAGES:
                raise DamagedDatabase(f"page {number} is not part of a hash table")
            yield page
            if not page.next:
                return
            number = page.next
        raise DamagedDatabase(f"bucket {bucket} does not end")

    def _item(self, page: Page, index: int) -> bytes:
        end = page.offsets[index - 1] if index else self._file.page_size
        item = page.content[page.offsets[index] : end]
        kind = item[0] if item else 0
        if kind == _KEY_DATA:
            return item[1:]
        if kind == _OFF_PAGE and len(item) >= 12:
            return self._file.overflow(item[4:12])
        raise DamagedDatabase(f"an item of type {kind}")
