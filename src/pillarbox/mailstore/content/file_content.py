"""The content of a message's file, unpacked if Dovecot's zlib plugin has packed it; and packed as it does.

DESCRIPTION
    Dovecot's zlib (2.4: mail_compress) plugin stores messages compressed; the sizes in file names are those
    of the plain message.  Readers find out by the first bytes, which no message begins with.  gzip, bzip2,
    xz, zstd and Dovecot's own frame of lz4 blocks are unpacked, up to `MAX_PLAIN` bytes.

        Dovecot-LZ4\\r*\\x9b\\xc5  u32 largest block, plain  { u32 length  block }*     numbers big-endian

FAULTS
    StoreUnavailable  encrypted, damaged, or too large

STANDARDS
    RFC 1952 (gzip); RFC 8878 (zstd); LZ4 block format; Dovecot 2.3, Maildir format (compression plugin)
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Final

import lz4.block
import zstandard

from pillarbox.mailstore.content.packing import LZ4_MAGIC, packer
from pillarbox.mailstore.faults import StoreUnavailable

MAX_PLAIN: Final = 1 << 26
"""Octets of a message that is unpacked in memory."""
MAX_LZ4_BLOCK: Final = 1 << 24
MAX_XZ_MEMORY: Final = 128 << 20
MAX_ZSTD_WINDOW: Final = 128 << 20
_TOO_LARGE: Final = "message file is too large when unpacked"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SLICE: Final = 4096
"""Octets that are unpacked at once: four of them may become 128 KiB."""


class PlainTooLarge(StoreUnavailable):
    """More than is unpacked in memory (mailstore/content/unpacking.py does it in a file)."""


def is_packed(first: bytes) -> bool:
    """Whether a file that begins so is packed."""
    return first[:1] in _FIRST and first.startswith(_MAGICS)


def plain_content(stored: bytes) -> bytes:
    """The message that the file holds.  PlainTooLarge."""
    if stored[:1] not in _FIRST:
        return stored
    for magic, unpack in _UNPACKERS:
        if stored.startswith(magic):
            return unpack(stored)
    return stored


def packed_content(plain: bytes, algorithm: str, level: int) -> bytes:
    """The file of a message; `level` 0 is the algorithm's usual one.  ValueError for an unknown algorithm."""
    one = packer(algorithm, level)
    return one.add(plain) + one.end()


def _gunzip(stored: bytes) -> bytes:
    parts = []
    room = MAX_PLAIN
    try:
        while stored.startswith(b"\x1f\x8b"):  # gzip files may be concatenated (RFC 1952 §2.2)
            unpacker = zlib.decompressobj(wbits=31)
            part = unpacker.decompress(stored, room)
            if not unpacker.eof:
                raise _torn(part, room)
            parts.append(part)
            room -= len(part)
            stored = unpacker.unused_data
            if room <= 0:
                raise PlainTooLarge(_TOO_LARGE)
    except zlib.error as error:
        raise damaged(error) from error
    return b"".join(parts)


def _bunzip(stored: bytes) -> bytes:
    unpacker = bz2.BZ2Decompressor()
    try:
        plain = unpacker.decompress(stored, MAX_PLAIN)
    except (OSError, EOFError) as error:
        raise damaged(error) from error
    if not unpacker.eof:
        raise _torn(plain, MAX_PLAIN)
    return plain


def _unxz(stored: bytes) -> bytes:
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)
    try:
        plain = unpacker.decompress(stored, MAX_PLAIN)
    except (lzma.LZMAError, EOFError) as error:
        raise damaged(error) from error
    if not unpacker.eof:
        raise _torn(plain, MAX_PLAIN)
    return plain


def _unzstd(stored: bytes) -> bytes:
    parts: list[bytes] = []
    room = MAX_PLAIN
    at = 0
    try:
        while stored.startswith(ZSTD_MAGIC, at):  # frames may be concatenated (RFC 8878 §3.1)
            unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW).decompressobj()
            while not unpacker.eof:
                if room <= 0:
                    raise PlainTooLarge(_TOO_LARGE)
                if at >= len(stored):
                    raise cut_short()
                part = unpacker.decompress(stored[at : at + _ZSTD_SLICE])
                at = min(len(stored), at + _ZSTD_SLICE)
                parts.append(part)
                room -= len(part)
            at -= len(unpacker.unused_data)
    except zstandard.ZstdError as error:
        raise damaged(error) from error
    return b"".join(parts)


def _unlz4(stored: bytes) -> bytes:
    at = len(LZ4_MAGIC)
    largest = int.from_bytes(stored[at : at + 4], "big")
    at += 4
    if at > len(stored) or not 0 < largest <= MAX_LZ4_BLOCK:
        raise StoreUnavailable("message file is damaged: invalid lz4 header")
    parts = []
    room = MAX_PLAIN
    while at < len(stored):
        length = int.from_bytes(stored[at : at + 4], "big")
        at += 4
        block = stored[at : at + length]
        if not length or len(block) != length:
            raise cut_short()
        at += length
        try:
            part = lz4.block.decompress(block, uncompressed_size=largest)
        except (lz4.block.LZ4BlockError, ValueError) as error:
            raise damaged(error) from error
        parts.append(part)
        room -= len(part)
        if room <= 0:
            raise PlainTooLarge(_TOO_LARGE)
    return b"".join(parts)


def _encrypted(stored: bytes) -> bytes:
    raise StoreUnavailable("message file is encrypted (mail_crypt), which is not supported")


def _torn(plain: bytes, room: int) -> StoreUnavailable:
    return PlainTooLarge(_TOO_LARGE) if len(plain) >= room else cut_short()


def damaged(error: Exception) -> StoreUnavailable:
    """A file that no program has written so."""
    return StoreUnavailable(f"message file is damaged: {error}")


def cut_short() -> StoreUnavailable:
    """A file without its end."""
    return StoreUnavailable("message file is cut short")


_UNPACKERS: Final[tuple[tuple[bytes, Callable[[bytes], bytes]], ...]] = (
    (b"\x1f\x8b", _gunzip),
    (b"BZh", _bunzip),
    (b"\xfd7zXZ\0", _unxz),
    (ZSTD_MAGIC, _unzstd),
    (LZ4_MAGIC, _unlz4),
    (b"CRYPTED\x03\x07", _encrypted),
)
_MAGICS: Final = tuple(magic for magic, _ in _UNPACKERS)
_FIRST: Final = frozenset(magic[:1] for magic in _MAGICS)
