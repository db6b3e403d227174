"""How a POP3 server's answers go out: gathered, in pieces, and as clients with mistakes want them.

STANDARDS
    RFC 1939 §3 (multi-line responses)
"""

from collections.abc import Collection
from typing import Final

from pillarbox.mailstore.content.large_content import LargeContent, Span, pieces_of
from pillarbox.sessions.client_wait import ClientWait
from pillarbox.sessions.pop3_options import Pop3Workaround
from pillarbox.wire.pop3 import END_OF_LINES, Pop3Server, Stuffing, stuffed

FLUSH_AT: Final = 65536
"""Octets of answers that are gathered before they are sent."""
PIECE: Final = 262144
"""Octets of a message that are sent at once."""


class Pop3Sending:
    """The way out of one session.  What cannot be sent ends it by the transport's faults."""

    __slots__ = ("_engine", "_wait", "_workarounds")

    def __init__(self, engine: Pop3Server, wait: ClientWait, workarounds: Collection[Pop3Workaround]) -> None:
        self._engine = engine
        self._wait = wait
        self._workarounds = workarounds

    def write(self) -> bool:
        """Send what there is; whether the client has to take some of it before there is more."""
        data, transport = self._engine.data_to_send(), self._wait.transport
        if data:
            transport.send(data)
        return transport.is_full

    async def flush(self) -> None:
        """Send what there is, and wait until the client has taken enough of it."""
        if self.write():
            await self._wait.transport.drain()

    async def message(self, ok: bytes, text: bytes | LargeContent | Span) -> int:
        """A response and its lines; how many octets went out, without the dot at the end."""
        if isinstance(text, bytes) and len(text) < PIECE and not self._workarounds:  # as nearly all are
            return self.small(ok, text)
        engine = self._engine
        before = engine.bytes_out + engine.unsent
        engine.ok(ok)
        await self._lines(text)
        return engine.bytes_out + engine.unsent - before - len(END_OF_LINES)

    def small(self, ok: bytes, text: bytes) -> int:
        """The same of a message that goes out at once and as it is."""
        answer = (b"+OK %b\r\n%b" % (ok, stuffed(text))) if ok else b"+OK\r\n" + stuffed(text)
        self._engine.send(answer)
        return len(answer) - len(END_OF_LINES)

    async def _lines(self, text: bytes | LargeContent | Span) -> None:
        no_nuls = Pop3Workaround.OUTLOOK_NO_NULS in self._workarounds
        if isinstance(text, bytes):
            if no_nuls:
                text = text.replace(b"\0", b"\x80")
            if Pop3Workaround.OE_NS_EOH in self._workarounds and not _has_body(text):
                text += b"\r\n"
            await self._long(stuffed(text))
            return
        stuffing = Stuffing()
        async for piece in pieces_of(text):
            self._engine.send(stuffing.add(piece.replace(b"\0", b"\x80") if no_nuls else piece))
            await self.flush()
        self._engine.send(stuffing.end())

    async def _long(self, data: bytes) -> None:
        """Send in pieces, each when the client has taken enough of those before."""
        for start in range(0, len(data), PIECE):
            self._engine.send(data[start : start + PIECE])
            if self._engine.unsent >= FLUSH_AT:
                await self.flush()


def _has_body(text: bytes) -> bool:
    """Whether an empty line ends the header, and perhaps a body follows."""
    return text.startswith(b"\r\n") or b"\r\n\r\n" in text
