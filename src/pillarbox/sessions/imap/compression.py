"""COMPRESS=DEFLATE: everything from now on goes through DEFLATE, in both directions.

DESCRIPTION
    `CompressedTransport` stands between the session and its connection.  What the client sends is inflated in
    pieces of at most `PIECE` octets, one at a time, when the session asks: a small message that inflates to a
    large one costs no more memory than one that is sent as it is.

    Another process can go on with the connection (`is_quiet`, `standing`) where the client has flushed, as it must
    for its commands to come (wire/deflate.py).  Of what we have said nothing matters, as each side may do without
    looking back.

FAULTS
    Octets that are not DEFLATE read as the end of the connection.

STANDARDS
    RFC 4978; RFC 1951 §3.2.4 (stored blocks)
"""

import struct
import zlib
from typing import Final

from pillarbox.sessions.transport import Transport
from pillarbox.wire.deflate import RAW, WINDOW, inflater_at, missing_bits

Standing = tuple[bytes, int]
"""The last of what a client has said, and how many bits are missing to the end of its block."""

PIECE: Final = 65536
"""Octets inflated at once."""
LEVEL: Final = 6
"""zlib's middle."""
_STORED: Final = struct.Struct("<BHH")


class CompressedTransport:
    """`Transport` over another one."""

    __slots__ = ("_closed", "_deflate", "_inflate", "_inner", "_is_full", "_waiting", "_window")

    def __init__(self, inner: Transport, *, unread: bytes = b"", goes_on: Standing = (b"", 0)) -> None:
        """`unread` is what the client has sent behind its command, `goes_on` where another one stood."""
        self._inner = inner
        self._inflate = inflater_at(*goes_on)
        self._window = goes_on[0]
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, RAW)
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
            self._window = (self._window + piece)[-WINDOW:]
            self._is_full = len(piece) == PIECE
            if self._inflate.eof:
                self._closed = True
            if piece:
                return piece
        self._closed = True
        return b""

    def send(self, data: bytes) -> None:
        """Deflate, so that the client can read all of it at once.

        Nothing is found again in what is sent later: how well an answer fits to another one is nobody's business.
        """
        if data:
            self._inner.send(self._deflate.compress(data) + self._deflate.flush(zlib.Z_FULL_FLUSH))

    @property
    def is_full(self) -> bool:
        """As the connection's."""
        return self._inner.is_full

    async def drain(self) -> None:
        """As the connection's."""
        await self._inner.drain()

    @property
    def is_quiet(self) -> bool:
        """Whether another process could go on: all that came is inflated, and the client has flushed."""
        return (
            not (self._waiting or self._is_full or self._closed)
            and self._inner.is_quiet
            and self.standing is not None
        )

    @property
    def standing(self) -> Standing | None:
        """From where another one could go on; None if the client is in the midst of a block."""
        missing = missing_bits(self._inflate, self._window[-1:])
        return None if missing is None else (self._window, missing)

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()


def stored(text: bytes) -> bytes:
    """A line as DEFLATE has it, for a client who has been sent all that came before, from whoever knows no more."""
    return _STORED.pack(0, len(text), len(text) ^ 0xFFFF) + text
