"""smtpd_proxy_filter: a server that gets each message before we take it, and whose replies our client gets.

DESCRIPTION
    `FilterConversation` hands the filter what our client says, as it comes: it hears of a recipient at RCPT, and
    of the content while that arrives.  Nothing is queued here; what the filter lets pass comes back to a service
    of ours that has no filter.  `StoredConversation` (smtpd_proxy_options = speed_adjust) keeps all until the
    message is complete and has the same conversation then, so that a slow client costs the filter no connection
    for long.

    The filter is told whose mail it is with XFORWARD, as far as its EHLO reply asks for it.

FAULTS
    FilterFault    the filter refuses, cannot be reached or speaks no SMTP: the reply for our client
    MessageTooBig  message_size_limit; the filter has not got the end of the message

STANDARDS
    SMTPD_PROXY_README; XFORWARD_README; RFC 5321 §4.5.2 (dots)
"""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Literal, Protocol

import msgspec

from pillarbox.net.connection import Connection, IdleTimeout
from pillarbox.observability.events import EventSink, Warned
from pillarbox.queue.submission import MessageTooBig
from pillarbox.tables.server_address import tcp_port
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.client import Exchange, SmtpClient
from pillarbox.wire.smtp.forwarded_attributes import Forwarded, forward_commands
from pillarbox.wire.smtp.replies import MalformedReply, ServerReply

_WRITE_ERROR: Final = (b"451 4.3.0 Error: queue file write error",)
"""What a client is told of a filter that does not do its work: the message cannot be kept."""

_IN_MEMORY: Final = 262144
"""Octets of a message that are kept before they are written to a file."""

_BLOCK: Final = 65536

Kind = Literal["software", "policy"]
"""Whose trouble it is, in the words of notify_classes."""


class FilterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """smtpd_proxy_filter and its options, read."""

    name: str  # as main.cf has it
    place: tuple[str, str] | str  # host and port, or the path of a Unix socket
    hello: bytes  # smtpd_proxy_ehlo
    timeout: float  # seconds
    stores: bool  # speed_adjust
    directory: str  # where messages are stored meanwhile


class FilterFault(Exception):
    """The message does not get through."""

    def __init__(self, lines: Sequence[bytes], kind: Kind) -> None:
        super().__init__(lines)
        self.lines = tuple(lines)
        self.kind = kind

    @property
    def reply(self) -> Reply:
        """What our client is told."""
        return as_reply(self.lines)


def as_reply(lines: Sequence[bytes]) -> Reply:
    """Lines with their codes; the last one's counts."""
    return Reply(int(lines[-1][:3]), tuple(line[4:] for line in lines))


class MessageFilter(Protocol):
    """One message on its way through the filter."""

    size: int
    """Octets of its content so far."""

    async def open(self, told: Forwarded, mail: bytes) -> None:
        """Begin, with MAIL as our client has said it.  FilterFault."""
        ...

    async def recipient(self, line: bytes) -> None:
        """RCPT.  FilterFault."""
        ...

    async def data(self, line: bytes) -> None:
        """DATA.  FilterFault."""
        ...

    async def feed(self, content: bytes) -> None:
        """Content with CRLF line ends, without dots for transparency.  FilterFault, MessageTooBig."""
        ...

    async def trace(self, lines: Sequence[bytes]) -> None:
        """The same for what stands in front of the message, which has no part in its size.  FilterFault."""
        ...

    async def end(self) -> tuple[bytes, ...]:
        """The message is complete: the filter's reply, 2xx if it has taken it.  FilterFault."""
        ...

    def close(self) -> None:
        """The transaction is over, or given up."""
        ...


class FilterConversation:
    """A conversation with the filter, a step for each of our client's."""

    def __init__(self, settings: FilterSettings, *, limit: int, tell: EventSink) -> None:
        """`limit` is message_size_limit."""
        self.size = 0
        self._settings = settings
        self._limit = limit
        self._tell = tell
        self._connection: Connection | None = None
        self._engine = SmtpClient()
        self._at_line_start = True
        self._in_content = False

    async def open(self, told: Forwarded, mail: bytes) -> None:
        await self._connect()
        await self._own(b"connection request", await self._reply())
        hello = await self._say(b"EHLO " + self._settings.hello)
        await self._own(b"EHLO " + self._settings.hello, hello)
        for line in forward_commands(told, _offered(hello)):
            await self._own(line, await self._say(line))
        await self._pass_on(mail, wanted=2)

    async def recipient(self, line: bytes) -> None:
        await self._pass_on(line, wanted=2)

    async def data(self, line: bytes) -> None:
        await self._pass_on(line, wanted=3)
        self._in_content = True

    async def feed(self, content: bytes) -> None:
        self.size += len(content)
        if self._limit and self.size > self._limit:
            self._tell(Warned("NOQUEUE: queue file size limit exceeded"))
            raise MessageTooBig
        await self._send(content)

    async def trace(self, lines: Sequence[bytes]) -> None:
        await self._send(b"".join([line + b"\r\n" for line in lines]))

    async def end(self) -> tuple[bytes, ...]:
        if not self._at_line_start:
            await self._send(b"\r\n")
        self._engine.end_of_data()
        reply = await self._reply()
        self._in_content = False
        return reply.lines

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._in_content or connection.is_lost:
            connection.abort()  # no end of data: what has come is no message
            return
        self._engine.quit()
        connection.send(self._engine.data_to_send())
        connection.close()

    async def _connect(self) -> None:
        place, loop = self._settings.place, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.timeout):
                if isinstance(place, str):
                    _, self._connection = await loop.create_unix_connection(Connection, place)
                else:
                    host, port = place[0], tcp_port(place[1])
                    _, self._connection = await loop.create_connection(Connection, host, port)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            timed_out = isinstance(error, TimeoutError)
            reason = "Connection timed out" if timed_out else reason
            self._tell(Warned(f"connect to proxy filter {self._settings.name}: {reason}"))
            raise FilterFault(_WRITE_ERROR, "software") from error
        self._connection.idle_limit = self._settings.timeout

    async def _say(self, line: bytes) -> ServerReply:
        try:
            self._engine.command(Exchange.OTHER, line)
        except ValueError as fault:
            self._tell(Warned(f"proxy {self._settings.name}: {fault}"))
            raise FilterFault(_WRITE_ERROR, "software") from fault
        return await self._reply()

    async def _own(self, said: bytes, reply: ServerReply) -> None:
        """The filter has no reason to refuse what is ours to say."""
        if reply.kind != 2:
            self._tell_refusal(said, reply)
            raise FilterFault(_WRITE_ERROR, "policy")

    async def _pass_on(self, line: bytes, *, wanted: int) -> None:
        """What our client has said; a refusal is for the client."""
        reply = await self._say(line)
        if reply.kind == wanted:
            return
        self._tell_refusal(line, reply)
        if reply.kind in (2, 3):
            raise FilterFault(_WRITE_ERROR, "software")
        raise FilterFault(reply.lines, "policy")

    def _tell_refusal(self, said: bytes, reply: ServerReply) -> None:
        shown = b"??".join(reply.lines).decode("utf-8", "replace")
        asked = said.decode("utf-8", "replace")
        self._tell(Warned(f'proxy {self._settings.name} rejected "{asked}": "{shown}"'))

    async def _send(self, content: bytes) -> None:
        """Content, with dots for transparency."""
        if not content:
            return
        stuffed = content.replace(b"\n.", b"\n..")
        if self._at_line_start and content.startswith(b"."):
            stuffed = b"." + stuffed
        self._at_line_start = content.endswith(b"\n")
        connection = self._open_connection()
        connection.send(stuffed)
        if connection.is_full:
            try:
                async with asyncio.timeout(self._settings.timeout):
                    await connection.drain()
            except TimeoutError as fault:
                raise self._lost("timeout talking to") from fault

    async def _reply(self) -> ServerReply:
        connection, engine = self._open_connection(), self._engine
        connection.send(engine.data_to_send())
        try:
            while (answered := engine.next_reply()) is None:
                received = await connection.receive()
                if not received:
                    raise self._lost("lost connection with")
                engine.receive_data(received)
        except IdleTimeout as fault:
            raise self._lost("timeout talking to") from fault
        except MalformedReply as fault:
            raise self._lost("lost connection with") from fault
        if engine.garbage:
            shown = engine.garbage[0].decode("utf-8", "replace")
            self._tell(Warned(f"received garbage from proxy {self._settings.name}: {shown}"))
            raise FilterFault(_WRITE_ERROR, "software")  # whatever came next may answer something else
        return answered.reply

    def _open_connection(self) -> Connection:
        if self._connection is None or (self._connection.is_lost and not self._connection.has_input):
            raise self._lost("lost connection with")
        return self._connection

    def _lost(self, what: str) -> FilterFault:
        """The conversation has ended before its time."""
        self._tell(Warned(f"{what} proxy {self._settings.name}"))
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
        return FilterFault(_WRITE_ERROR, "software")


class StoredConversation:
    """The same conversation, had when the message is complete (speed_adjust)."""

    def __init__(self, settings: FilterSettings, *, limit: int, tell: EventSink) -> None:
        """`limit` is message_size_limit."""
        self.size = 0
        self._conversation = FilterConversation(settings, limit=0, tell=tell)
        self._limit = limit
        self._tell = tell
        self._told: Forwarded = {}
        self._mail = b""
        self._recipients: list[bytes] = []
        self._data = b""
        self._trace: tuple[bytes, ...] = ()
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=settings.directory)

    async def open(self, told: Forwarded, mail: bytes) -> None:
        self._told, self._mail = told, mail

    async def recipient(self, line: bytes) -> None:
        self._recipients.append(line)

    async def data(self, line: bytes) -> None:
        self._data = line

    async def trace(self, lines: Sequence[bytes]) -> None:
        self._trace = tuple(lines)

    async def feed(self, content: bytes) -> None:
        self.size += len(content)
        if self._limit and self.size > self._limit:
            self._tell(Warned("NOQUEUE: queue file size limit exceeded"))
            raise MessageTooBig
        try:
            self._file.write(content)
        except OSError as error:
            raise self._not_stored(error) from error

    async def end(self) -> tuple[bytes, ...]:
        try:
            self._file.seek(0)  # writes what is not in the file yet
        except OSError as error:
            raise self._not_stored(error) from error
        conversation = self._conversation
        await conversation.open(self._told, self._mail)
        for line in self._recipients:
            await conversation.recipient(line)
        await conversation.data(self._data)
        await conversation.trace(self._trace)
        while block := self._file.read(_BLOCK):
            await conversation.feed(block)
        return await conversation.end()

    def close(self) -> None:
        with suppress(OSError):  # it could not be written
            self._file.close()
        self._conversation.close()

    def _not_stored(self, error: OSError) -> FilterFault:
        self._tell(Warned(f"write to temporary file of a message: {os.strerror(error.errno or 0)}"))
        return FilterFault(_WRITE_ERROR, "software")


def new_filter(settings: FilterSettings, *, limit: int, tell: EventSink) -> MessageFilter:
    """The way of one message.  `limit` is message_size_limit."""
    kind = StoredConversation if settings.stores else FilterConversation
    return kind(settings, limit=limit, tell=tell)


def _offered(hello: ServerReply) -> frozenset[bytes]:
    """The attributes that the filter wants to know with XFORWARD."""
    offered: set[bytes] = set()
    for line in hello.lines:
        words = line[4:].upper().split()
        if words[:1] == [b"XFORWARD"]:
            offered.update(words[1:])
    return frozenset(offered)
