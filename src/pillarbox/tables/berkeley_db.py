"""Berkeley DB files as Postfix writes them: what hash and btree files have in common.

DESCRIPTION
    A file is an array of pages.  Page 0 describes the file; the others begin with 26 octets

        lsn 8, page number 4, previous page 4, next page 4, entries 2, free offset 2, level 1, type 1

    and then have an array of 2-octet offsets of the page's items.  Numbers are in the byte order of the machine
    that wrote the file; the magic number tells which.

    An item too large for a page is a chain of overflow pages.

FAULTS
    DamagedDatabase  no Berkeley DB file, one of a layout that Postfix never writes (encrypted, checksummed,
                     with duplicates), or a damaged one

STANDARDS
    Berkeley DB 5.3, db_page.h: versions 8 to 10 of both access methods have this layout
"""

import struct
from typing import Final

from pillarbox.tables.page_reading import MAX_ITEM, DamagedDatabase, ReadAt

HASH_MAGIC: Final = 0x061561
BTREE_MAGIC: Final = 0x053162
PAGE_HEADER: Final = 26
OVERFLOW_PAGE: Final = 7
_VERSIONS: Final = range(7, 11)
_PAGE_SIZES: Final = frozenset(1 << bits for bits in range(9, 17))
_META_SIZE: Final = 512
_CHECKSUM: Final = 0x01


class Page:
    """One page: its header and where its items begin."""

    __slots__ = ("content", "entries", "free", "kind", "next", "offsets")

    def __init__(self, content: bytes, order: str) -> None:
        self.content = content
        self.next, self.entries, self.free, _level, self.kind = struct.unpack_from(
            order + "IHHBB", content, 16
        )
        if PAGE_HEADER + 2 * self.entries > len(content):
            raise DamagedDatabase(f"a page of {self.entries} entries")
        self.offsets: tuple[int, ...] = struct.unpack_from(f"{order}{self.entries}H", content, PAGE_HEADER)


class BerkeleyFile:
    """Page 0 understood, and pages by number."""

    def __init__(self, read: ReadAt, magic: int) -> None:
        meta = read(0, _META_SIZE)
        self.order = next(
            (order for order in "<>" if struct.unpack_from(order + "I", meta, 12)[0] == magic), ""
        )
        if not self.order:
            raise DamagedDatabase("not a Berkeley DB file of this type")
        _magic, version, self.page_size, encrypted, _type, flags = struct.unpack_from(
            self.order + "IIIBBB", meta, 12
        )
        if version not in _VERSIONS:
            raise DamagedDatabase(f"Berkeley DB format {version} is not known")
        if self.page_size not in _PAGE_SIZES or encrypted or flags & _CHECKSUM:
            raise DamagedDatabase("a Berkeley DB layout that Postfix does not use")
        (last_page,) = struct.unpack_from(self.order + "I", meta, 32)
        self.last_page = min(last_page, read.size // self.page_size - 1)
        self.size = read.size
        self.meta = meta
        self._read = read

    def page(self, number: int) -> Page:
        """A page other than page 0."""
        if not 0 < number <= self.last_page:
            raise DamagedDatabase(f"page {number} of {self.last_page}")
        return Page(self._read(number * self.page_size, self.page_size), self.order)

    def overflow(self, reference: bytes) -> bytes:
        """The item that a reference of page number and length stands for."""
        number, length = struct.unpack(self.order + "II", reference)
        if length > MAX_ITEM:
            raise DamagedDatabase(f"an item of {length} octets")
        parts: list[bytes] = []
        size = 0
        pages = 0
        while number and size < length:
            page = self.page(number)
            pages += 1
            part = page.content[PAGE_HEADER : PAGE_HEADER + page.free]
            if page.kind != OVERFLOW_PAGE or not part or pages > self.last_page:
                raise DamagedDatabase(f"page {number} is no overflow page")
            parts.append(part)
            size += len(part)
            number = page.next
        if size != length:
            raise DamagedDatabase(f"an item of {length} octets has {size}")
        return b"".join(parts)

    def number(self, offset: int) -> int:
        """A number of page 0."""
        found: int = struct.unpack_from(self.order + "I", self.meta, offset)[0]
        return found
