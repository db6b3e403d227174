"""Messages packed as Dovecot's zlib plugin does, of any size: octets go in and packed ones come out.

STANDARDS
    RFC 1952 (gzip); RFC 8878 (zstd); LZ4 block format; Dovecot 2.3, Maildir format (compression plugin)
"""

import bz2
import zlib
from typing import Final, Protocol

import lz4.block
import zstandard

LZ4_MAGIC: Final = b"Dovecot-LZ4\r*\x9b\xc5"
LZ4_BLOCK: Final = 64 * 1024
"""Plain octets of a block, as Dovecot writes them."""


class Packer(Protocol):
    """One message."""

    def add(self, plain: bytes) -> bytes:
        """Octets of the message; what is to be written, perhaps nothing yet."""
        ...

    def end(self) -> bytes:
        """The end of what is to be written."""
        ...


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _By:
    """A library's compressor."""

    def __init__(self, compressor: _Compressor) -> None:
        self._compressor = compressor

    def add(self, plain: bytes) -> bytes:
        return self._compressor.compress(plain)

    def end(self) -> bytes:
        return self._compressor.flush()


class _Lz4:
    """Dovecot's frame of blocks."""

    def __init__(self) -> None:
        self._plain = b""
        self._head = LZ4_MAGIC + LZ4_BLOCK.to_bytes(4, "big")

    def add(self, plain: bytes) -> bytes:
        plain = self._plain + plain
        whole = len(plain) - len(plain) % LZ4_BLOCK
        self._plain = plain[whole:]
        return self._blocks(plain[:whole])

    def end(self) -> bytes:
        return self._blocks(self._plain)

    def _blocks(self, plain: bytes) -> bytes:
        parts, self._head = [self._head], b""
        for start in range(0, len(plain), LZ4_BLOCK):
            block = lz4.block.compress(plain[start : start + LZ4_BLOCK], store_size=False)
            parts += [len(block).to_bytes(4, "big"), block]
        return b"".join(parts)


def packer(algorithm: str, level: int) -> Packer:
    """A message's packer; `level` 0 is the algorithm's usual one.  ValueError for an unknown algorithm."""
    match algorithm:
        case "gz":
            return _By(zlib.compressobj(level or 6, wbits=31))
        case "bz2":
            return _By(bz2.BZ2Compressor(level or 9))
        case "zstd":
            return _By(zstandard.ZstdCompressor(level=level or 3).compressobj())
        case "lz4":
            return _Lz4()
    raise ValueError(f"unknown compression: {algorithm}")
