"""A POP3 session after login: INBOX as it was at login, deletions at QUIT.

DESCRIPTION
    The messages that are there at login are numbered once; what comes later belongs to the next session.
    DELE only marks: QUIT expunges, and gives \\Seen to what was retrieved.  A connection that ends without
    QUIT changes nothing.

    Unique ids: pop3_unique_ids.py.

STANDARDS
    RFC 1939 §5, §6, §7; RFC 2449 (CAPA, RESP-CODES); RFC 3206 (SYS/TEMP)
"""

from array import array
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from pillarbox.mailstore.content.large_content import LargeContent, Span, pieces_of
from pillarbox.mailstore.mailbox import (
    Account,
    Fields,
    FlagAction,
    FlagChange,
    Mailbox,
    MessageGone,
    NoSuchMailbox,
    StoreUnavailable,
)
from pillarbox.message.header_fields import header_end
from pillarbox.net.connection import IdleTimeout
from pillarbox.net.tls_faults import TlsFault
from pillarbox.observability.events import EventSink, Warned
from pillarbox.sessions.client_wait import ClientWait
from pillarbox.sessions.pop3_options import Pop3Options, Pop3Workaround
from pillarbox.sessions.pop3_unique_ids import UniqueIds, in_order
from pillarbox.sessions.transport import Transport
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.wire import pop3
from pillarbox.wire.pop3 import (
    END_OF_LINES,
    Command,
    Pause,
    Pop3Server,
    State,
    Stuffing,
    stuffed,
    top_lines,
)

INACTIVITY: Final = 600.0
"""Seconds of silence after which the client is sent away (RFC 1939 §3: at least ten minutes)."""
MAX_BAD_COMMANDS: Final = 20
FLUSH_AT: Final = 65536
PIECE: Final = 262144
"""Octets of a message that are sent at once."""
BATCH: Final = 256
_CAPABILITIES: Final = b"+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nAUTH-RESP-CODE\r\n.\r\n"


class Ended(msgspec.Struct, frozen=True):
    """How a session ended, as the log tells it: `Disconnected: reason figures`."""

    reason: str
    figures: str


class _End(Exception):
    """The session is over; `args[0]` is the reason for the log, `args[1]` the -ERR, if any."""


class _NoMessage(Exception):
    """`args[0]` says why there is no such message."""


class Pop3Session:
    """One client's session in the worker of its account."""

    __slots__ = (
        "_account",
        "_bad_commands",
        "_deleted",
        "_engine",
        "_expunged",
        "_highest_gone",
        "_mailbox",
        "_options",
        "_retrieved",
        "_retrieved_bytes",
        "_retrieved_count",
        "_sink",
        "_sizes",
        "_top_bytes",
        "_top_count",
        "_total",
        "_uids",
        "_unique_ids",
        "_wait",
    )

    def __init__(
        self,
        transport: Transport,
        account: Account,
        *,
        sink: EventSink,
        unread: bytes = b"",
        options: Pop3Options | None = None,
    ) -> None:
        """`unread` is what the client sent behind the command that logged in."""
        self._account = account
        self._options = options or Pop3Options()
        self._sink = sink
        self._wait = ClientWait(transport)
        self._highest_gone = 0  # the highest number asked for of a message that was gone
        self._engine = Pop3Server(state=State.TRANSACTION)
        if unread:
            self._engine.receive_data(unread)
        self._mailbox: Mailbox | None = None
        self._unique_ids: UniqueIds | None = None
        self._uids: array[int] = array("I")
        self._sizes: array[int] = array("Q")
        self._total = 0  # octets of all messages
        self._deleted: set[int] = set()  # numbers
        self._retrieved: set[int] = set()
        self._bad_commands = 0
        self._expunged = 0
        self._top_count = self._top_bytes = self._retrieved_count = self._retrieved_bytes = 0

    def shutdown(self) -> None:
        """Say goodbye as soon as the command that is worked on is finished."""
        self._wait.shut_down()

    async def run(self) -> Ended:
        """The whole session; the connection is closed when it is over."""
        engine, transport = self._engine, self._wait.transport
        try:
            await self._enter()
            engine.ok(b"Logged in.")
            reason = await self._converse()
        except _End as end:
            reason, error = end.args
            if error:
                engine.error(error)
        except (IdleTimeout, TlsFault) as fault:
            reason = f"Connection closed: {fault}" if str(fault) else "Connection closed"
        finally:
            transport.send(engine.data_to_send())
            self._wait.close()
            if self._mailbox is not None:
                self._mailbox.close()
            transport.close()
        return Ended(reason, self._figures())

    async def _enter(self) -> None:
        """Open INBOX and take note of what is in it."""
        try:
            mailbox = await self._account.open("INBOX")
            self._mailbox = mailbox
            mailbox.claim_recent()
            failed = mailbox.failed_reads.count
            uids = mailbox.messages.uids.tolist()
            for start in range(0, len(uids), BATCH):
                batch = [Uid(uid) for uid in uids[start : start + BATCH]]
                for summary in await mailbox.summaries(batch, Fields.SIZE):
                    self._uids.append(summary.uid)
                    self._sizes.append(summary.size)
            mailbox.failed_reads.check(failed)  # whoever has not all their numbers cannot have any
        except (NoSuchMailbox, StoreUnavailable) as problem:
            self._sink(Warned(f"pop3: INBOX: {problem}"))
            raise _End(
                "Couldn't open INBOX",
                b"[SYS/TEMP] Internal error occurred. Refer to server log for more information.",
            ) from None
        self._total = sum(self._sizes)
        own = mailbox.pop3_fields()
        if any(fields.order for fields in own.values()):
            rows = in_order(self._uids, own)
            self._uids = array("I", [self._uids[row] for row in rows])
            self._sizes = array("Q", [self._sizes[row] for row in rows])
        self._unique_ids = UniqueIds(mailbox, self._uids, own, self._options)

    async def _converse(self) -> str:
        """Answer commands until the client has gone; other ends are raised."""
        engine = self._engine
        while True:
            command = engine.next_command()
            match command:
                case Pause.NEED_DATA:
                    await self._flush()
                    await self._receive()
                case Pause.CLOSED:
                    return "Connection closed"
                case Command():
                    await self._answer(command)
                    if engine.unsent >= FLUSH_AT:
                        await self._flush()

    async def _receive(self) -> None:
        data = await self._wait.receive(limit=INACTIVITY)
        if data is not None:
            self._engine.receive_data(data)
        elif self._wait.shutting_down:
            raise _End("Server shutting down.", b"[SYS/TEMP] Server shutting down.")
        else:
            raise _End("Disconnected for inactivity.", b"Disconnected for inactivity.")

    async def _flush(self) -> None:
        data = self._engine.data_to_send()
        if data:
            self._wait.transport.send(data)
            await self._wait.transport.drain()

    async def _send_long(self, data: bytes) -> None:
        """Send in pieces, each when the client has taken enough of those before."""
        for start in range(0, len(data), PIECE):
            self._engine.send(data[start : start + PIECE])
            if self._engine.unsent >= FLUSH_AT:
                await self._flush()

    async def _send_message(self, text: bytes | LargeContent | Span) -> int:
        """The lines of a multi-line response; their octets without the last dot's."""
        no_nuls = Pop3Workaround.OUTLOOK_NO_NULS in self._options.workarounds
        if isinstance(text, bytes):
            if no_nuls:
                text = text.replace(b"\0", b"\x80")
            if Pop3Workaround.OE_NS_EOH in self._options.workarounds and not _has_body(text):
                text += b"\r\n"
            sent = stuffed(text)
            await self._send_long(sent)
            return len(sent) - len(END_OF_LINES)
        stuffing = Stuffing()
        octets = 0
        async for piece in pieces_of(text):
            sent = stuffing.add(piece.replace(b"\0", b"\x80") if no_nuls else piece)
            octets += len(sent)
            self._engine.send(sent)
            await self._flush()
        end = stuffing.end()
        self._engine.send(end)
        return octets + len(end) - len(END_OF_LINES)

    async def _answer(self, command: Command) -> None:
        engine = self._engine
        if isinstance(command, pop3.Refused):
            engine.error(command.text)
            self._count_bad_command(self._bad_commands)
            return
        bad_commands, self._bad_commands = self._bad_commands, 0
        try:
            await _HANDLERS[type(command)](self, command)
        except _NoMessage as missing:
            engine.error(missing.args[0])
        except MessageGone:
            assert isinstance(command, pop3.Retrieve | pop3.Top)
            engine.error(b"Message %d expunged." % command.message)
            if (
                command.message <= self._highest_gone
            ):  # a client that asks again and again shall not do so for ever
                self._count_bad_command(bad_commands)
            self._highest_gone = max(self._highest_gone, command.message)
        except StoreUnavailable as problem:
            self._sink(Warned(str(problem)))
            engine.error(b"[SYS/TEMP] Internal error occurred. Refer to server log for more information.")

    def _count_bad_command(self, before: int) -> None:
        """One more than there were in a row `before`."""
        self._bad_commands = before + 1
        if self._bad_commands >= MAX_BAD_COMMANDS:
            raise _End("Too many bad commands.", b"Too many bad commands.")

    # The commands.

    async def statistics(self, command: pop3.Statistics) -> None:
        deleted = sum(self._sizes[number - 1] for number in self._deleted)
        self._engine.ok(b"%d %d" % (len(self._uids) - len(self._deleted), self._total - deleted))

    async def list_messages(self, command: pop3.List) -> None:
        if command.message is not None:
            row = self._row(command.message)
            self._engine.ok(b"%d %d" % (command.message, self._sizes[row]))
            return
        rows = self._rows()
        self._engine.ok(b"%d messages:" % len(rows))
        self._engine.send(b"".join(b"%d %d\r\n" % (row + 1, self._sizes[row]) for row in rows) + b".\r\n")

    async def unique_ids(self, command: pop3.UniqueIds) -> None:
        assert self._unique_ids is not None
        if command.message is not None:
            [unique_id] = self._unique_ids.of([self._row(command.message)])
            self._engine.ok(b"%d %b" % (command.message, unique_id))
            return
        rows = self._rows()
        ids = zip(rows, self._unique_ids.of(rows), strict=True)
        lines = [b"%d %b\r\n" % (row + 1, unique_id) for row, unique_id in ids]
        self._engine.send(b"+OK\r\n" + b"".join(lines) + b".\r\n")

    async def retrieve(self, command: pop3.Retrieve) -> None:
        content = await self._content(command.message)
        self._retrieved.add(command.message)
        first_line = b"%d octets" % len(content)
        self._engine.ok(first_line)
        self._retrieved_bytes += len(b"+OK %b\r\n" % first_line) + await self._send_message(content)
        self._retrieved_count += 1

    async def top(self, command: pop3.Top) -> None:
        content = await self._content(command.message)
        top: bytes | Span
        if isinstance(content, bytes):
            top = top_lines(content, header_end(content), command.lines)
        else:
            body = await content.run(header_end, content)
            top = Span(content, 0, await content.run(content.after_lines, body, command.lines))
        self._engine.ok()
        self._top_bytes += len(b"+OK\r\n") + await self._send_message(top)
        self._top_count += 1

    async def delete(self, command: pop3.Delete) -> None:
        self._row(command.message)
        self._deleted.add(command.message)
        self._engine.ok(b"Marked to be deleted.")

    async def noop(self, command: pop3.Noop) -> None:
        self._engine.ok()

    async def reset(self, command: pop3.Reset) -> None:
        """RSET: "If any messages have been marked as deleted … they are unmarked"; \\Seen stays due."""
        self._deleted.clear()
        self._engine.ok()

    async def capabilities(self, command: pop3.Capabilities) -> None:
        self._engine.send(_CAPABILITIES)

    async def quit(self, command: pop3.Quit) -> None:
        """QUIT: the UPDATE state (RFC 1939 §6)."""
        assert self._mailbox is not None
        seen = self._uids_of(self._retrieved - self._deleted)
        deleted = self._uids_of(self._deleted)
        if seen and not self._options.no_flag_updates:
            await self._mailbox.change_flags(seen, FlagChange(FlagAction.ADD, Flag.SEEN))
        if deleted:
            self._expunged = len(await self._mailbox.expunge(deleted))
        self._engine.ok(b"Logging out, messages deleted." if deleted else b"Logging out.")
        raise _End("Logged out", b"")

    # The messages.

    def _uids_of(self, numbers: set[int]) -> list[Uid]:
        """Rising."""
        return sorted(Uid(self._uids[number - 1]) for number in numbers)

    def _rows(self) -> list[int]:
        return [row for row in range(len(self._uids)) if row + 1 not in self._deleted]

    def _row(self, number: int) -> int:
        if not 1 <= number <= len(self._uids):
            raise _NoMessage(b"There's no message %d." % number)
        if number in self._deleted:
            raise _NoMessage(b"Message is deleted.")
        return number - 1

    async def _content(self, number: int) -> bytes | LargeContent:
        assert self._mailbox is not None
        return await self._mailbox.content(Uid(self._uids[self._row(number)]))

    def _figures(self) -> str:
        """Dovecot's pop3_logout_format"""
        return (
            f"top={self._top_count}/{self._top_bytes}, retr={self._retrieved_count}/{self._retrieved_bytes},"
            f" del={self._expunged}/{len(self._uids)}, size={self._total}"
        )


def _has_body(text: bytes) -> bool:
    """Whether an empty line ends the header, and perhaps a body follows."""
    return text.startswith(b"\r\n") or b"\r\n\r\n" in text


# Each handler takes commands of its own type only, which a dict cannot say.
_Handler = Callable[[Pop3Session, Any], Awaitable[None]]
_HANDLERS: Final[dict[type[Command], _Handler]] = {
    pop3.Statistics: Pop3Session.statistics,
    pop3.List: Pop3Session.list_messages,
    pop3.UniqueIds: Pop3Session.unique_ids,
    pop3.Retrieve: Pop3Session.retrieve,
    pop3.Top: Pop3Session.top,
    pop3.Delete: Pop3Session.delete,
    pop3.Noop: Pop3Session.noop,
    pop3.Reset: Pop3Session.reset,
    pop3.Capabilities: Pop3Session.capabilities,
    pop3.Quit: Pop3Session.quit,
}
