"""COMPRESS=DEFLATE: everything from now on goes through DEFLATE, in both directions.

DESCRIPTION
    `CompressedTransport` stands between the session and its connection.  What the client sends is inflated in
    pieces of at most `PIECE` octets, one at a time, when the session asks: a small message that inflates to a
    large one costs no more memory than one that is sent as it is.

    Another process can go on with the connection (`is_quiet`, `window`) where the client has flushed as zlib's
    Z_SYNC_FLUSH does, with an empty stored block at the border of an octet: all that matters of the past then are
    the last 32 KiB of what the client has said.  Of what we have said nothing matters, as each side may do without
    looking back.

FAULTS
    Octets that are not DEFLATE read as the end of the connection.

STANDARDS
    RFC 4978; RFC 1951 §3.2.3 (blocks), §3.2.4 (stored)
"""

import struct
import zlib
from typing import Final

from pillarbox.sessions.transport import Transport

PIECE: Final = 65536
"""Octets inflated at once."""
_RAW: Final = -15
LEVEL: Final = 6
"""zlib's middle."""
WINDOW: Final = 32768
"""Octets that DEFLATE may look back."""
_FLUSHED: Final = b"\0\0\xff\xff"
"""An empty stored block, without the bits before it."""
_EMPTY_LAST_BLOCK: Final = b"\x03\0"
_STORED: Final = struct.Struct("<BHH")


class CompressedTransport:
    """`Transport` over another one."""

    __slots__ = ("_closed", "_deflate", "_inflate", "_inner", "_is_full", "_tail", "_waiting", "window")

    def __init__(self, inner: Transport, *, unread: bytes = b"", window: bytes = b"") -> None:
        """`unread` is what the client has sent behind its command, `window` that of whom we go on for."""
        self._inner = inner
        self._inflate = zlib.decompressobj(_RAW, zdict=window) if window else zlib.decompressobj(_RAW)
        self.window = window
        """The last of what the client has said."""
        self._tail = _FLUSHED  # the last octets that were inflated
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
            rest = self._inflate.unconsumed_tail
            taken = len(self._waiting) - len(rest)
            self._tail = (self._tail + self._waiting[max(0, taken - 4) : taken])[-4:]
            self._waiting = rest
            self.window = (self.window + piece)[-WINDOW:]
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
        """Whether another process could go on: all that came is inflated, and the client has flushed."""
        return (
            not (self._waiting or self._is_full or self._closed)
            and self._tail == _FLUSHED
            and self._inner.is_quiet
            and self._is_between_blocks
        )

    @property
    def _is_between_blocks(self) -> bool:
        """Whether a block could begin here: what looks like a flush may be content."""
        probe = self._inflate.copy()
        try:
            return not probe.decompress(_EMPTY_LAST_BLOCK) and probe.eof
        except zlib.error:
            return False

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()


def stored(text: bytes) -> bytes:
    """A line as DEFLATE has it, for a client who has been sent all that came before, from whoever knows no more."""
    return _STORED.pack(0, len(text), len(text) ^ 0xFFFF) + text
