"""A packed message of any size, unpacked block by block (mailstore/content/file_content.py does the small ones at
once).

FAULTS
    StoreUnavailable  encrypted, damaged, or larger than `MAX_UNPACKED`

STANDARDS
    RFC 1952 (gzip); RFC 8878 (zstd); LZ4 block format; Dovecot 2.3, Maildir format (compression plugin)
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Final

import lz4.block
import zstandard

from pillarbox.mailstore.content.file_content import (
    MAX_LZ4_BLOCK,
    MAX_XZ_MEMORY,
    MAX_ZSTD_WINDOW,
    ZSTD_MAGIC,
    cut_short,
    damaged,
)
from pillarbox.mailstore.content.packing import LZ4_MAGIC
from pillarbox.mailstore.faults import StoreUnavailable

MAX_UNPACKED: Final = 1 << 36
"""Octets of an unpacked message."""
_INPUT: Final = 1 << 16
_OUTPUT: Final = 1 << 18
_ZSTD_SLICE: Final = 4096
"""Octets that are unpacked at once: four of them may become 128 KiB."""

Read = Callable[[int], bytes]
"""So many octets of the file, or what is left of it."""


def unpack(first: bytes, read: Read) -> Iterator[bytes]:
    """The blocks of a message whose file begins with `first`; `read` begins at the beginning, too."""
    room = MAX_UNPACKED
    try:
        for block in _blocks(first, read):
            room -= len(block)
            if room < 0:
                raise StoreUnavailable("message file is too large when unpacked")
            yield block
    except (zlib.error, OSError, EOFError, ValueError) as error:
        raise damaged(error) from error
    except (lzma.LZMAError, zstandard.ZstdError, lz4.block.LZ4BlockError) as error:
        raise damaged(error) from error


def _blocks(first: bytes, read: Read) -> Iterator[bytes]:
    if first.startswith(b"\x1f\x8b"):
        return _gzip(read)
    if first.startswith(b"BZh"):
        return _with(bz2.BZ2Decompressor(), read)
    if first.startswith(b"\xfd7zXZ\0"):
        return _with(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY), read)
    if first.startswith(LZ4_MAGIC):
        return _lz4(read)
    if first.startswith(b"CRYPTED\x03\x07"):
        raise StoreUnavailable("message file is encrypted (mail_crypt), which is not supported")
    return _zstd(read)


def _gzip(read: Read) -> Iterator[bytes]:
    stored = read(_INPUT)
    while stored.startswith(b"\x1f\x8b"):  # gzip files may be concatenated (RFC 1952 §2.2)
        unpacker = zlib.decompressobj(wbits=31)
        while not unpacker.eof:
            if not stored and not (stored := read(_INPUT)):
                raise cut_short()
            yield unpacker.decompress(stored, _OUTPUT)
            stored = unpacker.unconsumed_tail
        stored = unpacker.unused_data
        if len(stored) < 2:
            stored += read(_INPUT)


def _with(unpacker: bz2.BZ2Decompressor | lzma.LZMADecompressor, read: Read) -> Iterator[bytes]:
    while not unpacker.eof:
        stored = read(_INPUT) if unpacker.needs_input else b""
        if unpacker.needs_input and not stored:
            raise cut_short()
        yield unpacker.decompress(stored, _OUTPUT)


def _zstd(read: Read) -> Iterator[bytes]:
    stored = read(_ZSTD_SLICE)
    while stored.startswith(ZSTD_MAGIC):  # frames may be concatenated (RFC 8878 §3.1)
        unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW).decompressobj()
        while True:
            if not stored:
                raise cut_short()
            yield unpacker.decompress(stored)
            if unpacker.eof:
                break
            stored = read(_ZSTD_SLICE)
        stored = unpacker.unused_data
        if len(stored) < len(ZSTD_MAGIC):
            stored += read(_ZSTD_SLICE)


def _lz4(read: Read) -> Iterator[bytes]:
    head = _exactly(read, len(LZ4_MAGIC) + 4)
    largest = int.from_bytes(head[-4:], "big")
    if not 0 < largest <= MAX_LZ4_BLOCK:
        raise StoreUnavailable("message file is damaged: invalid lz4 header")
    while length := read(4):
        size = int.from_bytes(length + _exactly(read, 4 - len(length)), "big")
        if not 0 < size <= 2 * MAX_LZ4_BLOCK:
            raise cut_short()
        yield lz4.block.decompress(_exactly(read, size), uncompressed_size=largest)


def _exactly(read: Read, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = read(size - len(found))
        if not more:
            raise cut_short()
        found += more
    return found
