"""One connection to a server: what is said on it, with time limits, and how it breaks.

DESCRIPTION
    `Conversation.ask()` sends what has been queued in the engine and waits for one reply; everything above it
    (session.py, transaction.py) speaks in commands and replies.

FAULTS
    Broken  the server is gone, is silent, or does not speak SMTP; the text is Postfix's:
            `lost connection with mx[192.0.2.1] while sending RCPT TO`
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from pillarbox.delivery.smtp.mail_exchangers import Target
from pillarbox.net.connection import IdleTimeout
from pillarbox.net.tls_faults import TlsFault
from pillarbox.wire.smtp.client import Answered, SmtpClient
from pillarbox.wire.smtp.replies import MalformedReply, ServerReply


class Wire(Protocol):
    """What a conversation needs of a connection (net/connection.py)."""

    idle_limit: float

    @property
    def is_full(self) -> bool:
        """Whether it would be waited for now."""
        ...

    async def receive(self) -> bytes:
        """Bytes from the server; b"" at the end."""
        ...

    def send(self, data: bytes) -> None:
        """Bytes to the server."""
        ...

    async def drain(self) -> None:
        """Wait until they were taken."""
        ...

    def close(self) -> None:
        """End it."""
        ...

    def abort(self) -> None:
        """End it at once."""
        ...


class Broken(Exception):
    """The conversation is over."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


_PIECE: Final = 16384
"""Octets of content for which time is counted, and that a server can be trusted to take with the final dot."""


class Conversation:
    """An engine on a connection."""

    def __init__(self, wire: Wire, target: Target, *, least_rate: int = 0) -> None:
        """With `least_rate` (octets per second) limits count for whole replies, and content earns time by it."""
        self._least_rate = least_rate
        self.wire = wire
        self.target = target
        self.engine = SmtpClient()
        self.is_over = False
        self.is_closing = False  # nothing more can be delivered over it
        self.is_odd = False  # the server has said what postmaster wants to see

    def flush(self) -> None:
        """Send what the engine has."""
        if data := self.engine.data_to_send():
            self.wire.send(data)

    async def ask(self, *, limit: float, doing: str) -> Answered:
        """Send, and wait for the next reply, `limit` seconds at most between two packets, or in all.  Broken."""
        self.flush()
        self.wire.idle_limit = limit
        try:
            if self._least_rate:
                async with asyncio.timeout(limit):
                    answered = await self._next_reply(doing)
            else:
                answered = await self._next_reply(doing)
        except (IdleTimeout, TimeoutError):
            raise self._broken(
                "4.4.2", f"conversation with {self.target.label} timed out while {doing}"
            ) from None
        except (TlsFault, OSError):
            raise self._broken("4.4.2", f"lost connection with {self.target.label} while {doing}") from None
        except MalformedReply as fault:
            raise self._broken(
                "4.5.0", f"Protocol error: malformed reply from {self.target.label} while {doing}: {fault}"
            ) from None
        if answered.reply.code == 421:
            self.is_closing = True  # RFC 5321 §3.8: the server closes
        return answered

    async def _next_reply(self, doing: str) -> Answered:
        while (answered := self.engine.next_reply()) is None:
            data = await self.wire.receive()
            if not data:
                raise self._broken("4.4.2", f"lost connection with {self.target.label} while {doing}")
            self.engine.receive_data(data)
        return answered

    async def send_content(self, chunks: Iterable[bytes], *, limit: float) -> None:
        """Send content as fast as the server takes it; a small last piece goes with what is said next.  Broken."""
        pieces = iter(self._pieces(chunks))
        piece, left = next(pieces, b""), limit
        for following in pieces:
            left = await self._send_piece(piece, left, limit)
            piece = following
        if len(piece) > _PIECE:
            await self._send_piece(piece, left, limit)
        else:
            self.engine.content(piece)

    async def _send_piece(self, piece: bytes, left: float, limit: float) -> float:
        """The seconds that there are for the next piece."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.wire.send(piece)
        if self.wire.is_full:
            try:
                async with asyncio.timeout(left):
                    await self.wire.drain()
            except TimeoutError:
                doing = "sending message body"
                raise self._broken(
                    "4.4.2", f"conversation with {self.target.label} timed out while {doing}"
                ) from None
        if not self._least_rate:
            return limit
        return min(limit, left - (loop.time() - began) + len(piece) / self._least_rate)

    def _pieces(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        """Small enough for a slow server to take each in time."""
        return _cut(chunks) if self._least_rate else chunks

    def note(self, reply: ServerReply) -> None:
        """A reply that refuses: one that says we cannot speak SMTP is for postmaster (notify_classes, protocol)."""
        transcript = self.engine.transcript
        if (
            transcript is not None
            and transcript.is_kept
            and (not 400 <= reply.code < 600 or is_of_protocol(reply.code))
        ):
            self.is_odd = True

    def take_transcript(self) -> list[bytes]:
        """What was said, if postmaster is to read it; that is forgotten then."""
        transcript = self.engine.transcript
        if transcript is None or not self.is_odd:
            return []
        lines = transcript.lines
        transcript.clear()
        self.is_odd = False
        return lines

    def close(self) -> None:
        """No more is said."""
        self.is_over = True
        self.wire.close()

    def abort(self) -> None:
        """End it in the middle."""
        self.is_over = True
        self.wire.abort()

    def _broken(self, status: str, text: str) -> Broken:
        self.is_over = True
        self.wire.abort()
        return Broken(status, text)


def is_of_protocol(code: int) -> bool:
    """Whether a reply is about syntax, or commands that there are not (RFC 5321 §4.2.1, RFC 1869 §6.1)."""
    return 500 <= code < 510 or code == 555


def _cut(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for at in range(0, len(chunk), _PIECE):
            yield chunk[at : at + _PIECE]
