"""The content of a message's file, unpacked if Dovecot's zlib plugin has packed it.

DESCRIPTION
    Dovecot's zlib (2.4: mail_compress) plugin stores messages compressed; the sizes in file names are those
    of the plain message.  Readers find out by the first bytes, which no message begins with.  gzip and bzip2
    are unpacked, up to `MAX_PLAIN` bytes.

FAULTS
    StoreUnavailable  packed in a way that we cannot read (zstd, lz4, encrypted), damaged, or too large

STANDARDS
    RFC 1952 (gzip); Dovecot 2.3, Maildir format (compression plugin)
"""

import bz2
import zlib
from typing import Final

from pillarbox.mailstore.mailbox import StoreUnavailable

MAX_PLAIN: Final = 1 << 30
"""Octets of an unpacked message."""

_UNREADABLE: Final = (
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"Dovecot-LZ4\r*\x9b\xc5", "lz4"),
    (b"CRYPTED\x03\x07", "mail_crypt"),
)
_PACKED: Final = frozenset((b"\x1f", b"B", b"\x28", b"D", b"C"))
"""First octets of packed files."""


def plain_content(stored: bytes) -> bytes:
    """The message that the file holds."""
    if stored[:1] not in _PACKED:
        return stored
    if stored.startswith(b"\x1f\x8b"):
        return _gunzip(stored)
    if stored.startswith(b"BZh"):
        return _bunzip(stored)
    for magic, name in _UNREADABLE:
        if stored.startswith(magic):
            raise StoreUnavailable(f"message file is packed with {name}, which is not supported")
    return stored


def _gunzip(stored: bytes) -> bytes:
    parts = []
    room = MAX_PLAIN
    try:
        while stored.startswith(b"\x1f\x8b"):  # gzip files may be concatenated (RFC 1952 §2.2)
            unpacker = zlib.decompressobj(wbits=31)
            part = unpacker.decompress(stored, room)
            if not unpacker.eof:
                raise StoreUnavailable("message file is cut short, or too large when unpacked")
            parts.append(part)
            room -= len(part)
            stored = unpacker.unused_data
            if room <= 0:
                raise StoreUnavailable("message file is too large when unpacked")
    except zlib.error as error:
        raise StoreUnavailable(f"message file is damaged: {error}") from error
    return b"".join(parts)


def _bunzip(stored: bytes) -> bytes:
    unpacker = bz2.BZ2Decompressor()
    try:
        plain = unpacker.decompress(stored, MAX_PLAIN)
    except (OSError, EOFError) as error:
        raise StoreUnavailable(f"message file is damaged: {error}") from error
    if not unpacker.eof:
        raise StoreUnavailable("message file is cut short, or too large when unpacked")
    return plain
