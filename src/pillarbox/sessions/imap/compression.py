"""COMPRESS=DEFLATE: everything from now on goes through DEFLATE, in both directions.

DESCRIPTION
    `CompressedTransport` stands between the session and its connection.  What the client sends is inflated in
    pieces of at most `PIECE` octets, one at a time, when the session asks: a small message that inflates to a
    large one costs no more memory than one that is sent as it is.

FAULTS
    Octets that are not DEFLATE read as the end of the connection.

STANDARDS
    RFC 4978; RFC 1951
"""

import zlib
from typing import Final

from pillarbox.sessions.transport import Transport

PIECE: Final = 65536
"""Octets inflated at once."""
_RAW: Final = -15
LEVEL: Final = 6
"""zlib's middle."""


class CompressedTransport:
    """`Transport` over another one."""

    __slots__ = ("_closed", "_deflate", "_inflate", "_inner", "_is_full", "_waiting")

    def __init__(self, inner: Transport, *, unread: bytes) -> None:
        """`unread` is what the client has sent behind its command."""
        self._inner = inner
        self._inflate = zlib.decompressobj(_RAW)
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, _RAW)
        self._waiting = unread  # not inflated yet
        self._closed = False
        self._is_full = False  # the last piece was a whole one: there may be more of it

    async def receive(self) -> bytes:
        """The next octets, inflated; b"" at the end."""
        while not self._closed:
            if not self._waiting and not self._is_full:
                self._waiting = await self._inner.receive()
                if not self._waiting:
                    break
            try:
                piece = self._inflate.decompress(self._waiting, PIECE)
            except zlib.error:
                break
            self._waiting = self._inflate.unconsumed_tail
            self._is_full = len(piece) == PIECE
            if self._inflate.eof:
                self._closed = True
            if piece:
                return piece
        self._closed = True
        return b""

    def send(self, data: bytes) -> None:
        """Deflate, so that the client can read all of it at once."""
        if data:
            self._inner.send(self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH))

    async def drain(self) -> None:
        """As the connection's."""
        await self._inner.drain()

    @property
    def is_quiet(self) -> bool:
        """Never: what DEFLATE remembers of both directions cannot be written down."""
        return False

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()
