"""A POP3 session after login: INBOX as it was at login, deletions at QUIT.

DESCRIPTION
    The messages that are there at login are numbered once; what comes later belongs to the next session.
    DELE only marks: QUIT expunges.  What was retrieved is \\Seen at the end of the session, with QUIT or without,
    as Dovecot has it.

    With pop3_deleted_flag, messages that have this keyword are not there; with pop3_delete_type = flag, QUIT gives
    it to them instead of expunging.

    Unique ids: pop3_unique_ids.py.  The log's figures: pop3_figures.py.

STANDARDS
    RFC 1939 §5, §6, §7; RFC 2449 (CAPA, RESP-CODES); RFC 3206 (SYS/TEMP)
"""

from array import array
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final

from pillarbox.config.mail_log_settings import NOTHING
from pillarbox.mailstore.content.large_content import LargeContent, Span
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
from pillarbox.mailstore.maildir.pop3_session_lock import SessionLocked
from pillarbox.message.header_fields import header_end
from pillarbox.net.connection import IdleTimeout
from pillarbox.net.tls_faults import TlsFault
from pillarbox.observability.events import EventSink, MailboxNotice, MailUser
from pillarbox.sessions.client_wait import ClientWait
from pillarbox.sessions.ended import Ended
from pillarbox.sessions.mail_log import MailLog, unseen
from pillarbox.sessions.pop3_figures import Pop3Figures, uidl_change
from pillarbox.sessions.pop3_options import Pop3Options
from pillarbox.sessions.pop3_read_ahead import ReadAhead
from pillarbox.sessions.pop3_sending import FLUSH_AT, Pop3Sending
from pillarbox.sessions.pop3_unique_ids import UniqueIds, in_order
from pillarbox.sessions.transport import Transport
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.wire import pop3
from pillarbox.wire.pause import Pause
from pillarbox.wire.pop3 import (
    Command,
    Pop3Server,
    State,
    top_lines,
)

INACTIVITY: Final = 600.0
"""Seconds of silence after which the client is sent away (RFC 1939 §3: at least ten minutes)."""
MAX_BAD_COMMANDS: Final = 20
BATCH: Final = 256
_CAPABILITIES: Final = b"+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nAUTH-RESP-CODE\r\n.\r\n"


class _End(Exception):
    """The session is over; `args[0]` is the reason for the log, `args[1]` the -ERR, if any."""


class _BadCommand(Exception):
    """It was not understood; `args[0]` is the -ERR."""


class _NoMessage(Exception):
    """`args[0]` says why there is no such message."""


_NOBODY: Final = MailUser("pop3", "")


class Pop3Session:
    """One client's session in the worker of its account."""

    __slots__ = (
        "_account",
        "_ahead",
        "_bad_commands",
        "_deleted",
        "_engine",
        "_figures",
        "_highest_gone",
        "_last",
        "_lock",
        "_lowest_retrieved",
        "_mail_log",
        "_mail_user",
        "_mailbox",
        "_options",
        "_recent",
        "_retrieved",
        "_sending",
        "_sink",
        "_sizes",
        "_uids",
        "_unique_ids",
        "_user",
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
        lock: AbstractAsyncContextManager[None] | None = None,
        mail_user: MailUser = _NOBODY,
        user: Mapping[str, str] = {},
        mail_log: MailLog | None = None,
    ) -> None:
        """`unread` is what the client sent behind the command that logged in; `lock` is held for the whole session;
        `user`: what pop3_logout_format may tell of whose session it is, `mail_user` what the log does."""
        self._account = account
        self._options = options or Pop3Options()
        self._mail_log = mail_log or MailLog(NOTHING, lambda text: None)
        self._sink = sink
        self._lock = lock or nullcontext()
        self._user = user
        self._mail_user = mail_user
        self._wait = ClientWait(transport)
        self._highest_gone = 0  # the highest number asked for of a message that was gone
        self._engine = Pop3Server(
            state=State.TRANSACTION, absent=() if self._options.has_last else (b"LAST",)
        )
        self._sending = Pop3Sending(self._engine, self._wait, self._options.workarounds)
        if unread:
            self._engine.receive_data(unread)
        self._mailbox: Mailbox | None = None
        self._recent: list[tuple[int, int]] = []  # ranges of UIDs that no session had seen before
        self._unique_ids: UniqueIds | None = None
        self._uids: array[int] = array("I")
        self._sizes: array[int] = array("Q")
        self._deleted: set[int] = set()  # numbers
        self._retrieved: set[int] = set()
        self._last = 0  # the highest number that was retrieved, in this session or before
        self._lowest_retrieved = 0  # in this session
        self._bad_commands = 0
        self._figures = Pop3Figures()
        self._ahead = ReadAhead()

    def shutdown(self) -> None:
        """Say goodbye as soon as the command that is worked on is finished."""
        self._wait.shut_down()

    async def run(self) -> Ended:
        """The whole session; the connection is closed when it is over."""
        engine, transport = self._engine, self._wait.transport
        try:
            async with self._lock:
                reason = await self._serve()
        except SessionLocked:
            reason = "Couldn't lock POP3 session"
            engine.error(b"[IN-USE] Mailbox is locked by another POP3 session.")
        except StoreUnavailable as problem:
            self._log(problem)
            reason = "Couldn't lock POP3 session"
            engine.error(b"[SYS/TEMP] Failed to create POP3 session lock.")
        finally:
            transport.send(engine.data_to_send())
            self._wait.close()
            transport.close()
        return Ended(reason, self._told_figures())

    async def _serve(self) -> str:
        """The session while the lock, if any, is held; why it has ended."""
        engine = self._engine
        try:
            await self._enter()
            engine.ok(b"Logged in.")
            return await self._converse()
        except _End as end:
            reason: str = end.args[0]
            if end.args[1]:
                engine.error(end.args[1])
        except (IdleTimeout, TlsFault) as fault:
            reason = f"Connection closed: {fault}" if str(fault) else "Connection closed"
        finally:
            if self._mailbox is not None:
                try:
                    await self._mark_seen(self._retrieved)
                finally:
                    self._mailbox.close()
        return reason

    async def _mark_seen(self, numbers: set[int]) -> None:
        """What was retrieved has been read."""
        assert self._mailbox is not None
        if numbers and not self._options.no_flag_updates:
            change = FlagChange(FlagAction.ADD, Flag.SEEN)
            uids = self._uids_of(numbers)
            await self._mail_log.change_flags(self._mailbox, "INBOX", uids, change, recent=self._recent)
        self._retrieved = set()

    async def _enter(self) -> None:
        """Open INBOX and take note of what is in it."""
        try:
            mailbox = await self._account.open("INBOX")
            self._mailbox = mailbox
            self._recent = unseen(mailbox)
            mailbox.claim_recent()
            failed = mailbox.failed_reads.count
            uids = self._uids_there(mailbox)
            for start in range(0, len(uids), BATCH):
                batch = [Uid(uid) for uid in uids[start : start + BATCH]]
                for summary in await mailbox.summaries(batch, Fields.SIZE):
                    self._uids.append(summary.uid)
                    self._sizes.append(summary.size)
            mailbox.failed_reads.check(failed)  # whoever has not all their numbers cannot have any
        except (NoSuchMailbox, StoreUnavailable) as problem:
            self._log(problem)
            raise _End(
                "Couldn't open INBOX",
                b"[SYS/TEMP] Internal error occurred. Refer to server log for more information.",
            ) from None
        self._figures.message_count, self._figures.message_bytes = len(self._uids), sum(self._sizes)
        own = await mailbox.pop3_fields()
        if any(fields.order for fields in own.values()):
            rows = in_order(self._uids, own)
            self._uids = array("I", [self._uids[row] for row in rows])
            self._sizes = array("Q", [self._sizes[row] for row in rows])
        self._unique_ids = UniqueIds(mailbox, self._uids, own, self._options)
        if self._options.has_last:
            table = mailbox.messages
            self._last = max(
                (
                    number
                    for number, uid in enumerate(self._uids, 1)
                    if (row := table.row(uid)) is not None and table.flags[row] & Flag.SEEN
                ),
                default=0,
            )

    def _uids_there(self, mailbox: Mailbox) -> list[int]:
        """All but those that were deleted by a flag."""
        uids = mailbox.messages.uids.tolist()
        flag = self._options.deleted_flag.lower()
        bits = [bit for bit, keyword in enumerate(mailbox.keywords) if flag and keyword.lower() == flag]
        if not bits:
            return uids
        keywords = mailbox.messages.keywords
        return [uid for uid, set_bits in zip(uids, keywords, strict=True) if not set_bits >> bits[0] & 1]

    async def _converse(self) -> str:
        """Answer commands until the client has gone; other ends are raised."""
        engine = self._engine
        while True:
            command = engine.next_command()
            if isinstance(command, Command):
                await self._answer(command)
                if engine.unsent >= FLUSH_AT:
                    await self._sending.flush()
            elif command is Pause.CLOSED:
                return "Connection closed"
            else:
                if self._sending.write():
                    await self._wait.transport.drain()
                self._read_ahead()
                data = await self._wait.receive(limit=INACTIVITY)
                if data is None:
                    raise self._silence()
                engine.receive_data(data)

    def _read_ahead(self) -> None:
        number = self._ahead.wanted
        if number and number <= len(self._uids) and number not in self._deleted and self._mailbox is not None:
            self._ahead.read(self._mailbox, number, self._uids[number - 1])

    def _silence(self) -> _End:
        if self._wait.shutting_down:
            return _End("Server shutting down.", b"[SYS/TEMP] Server shutting down.")
        return _End("Disconnected for inactivity.", b"Disconnected for inactivity.")

    async def _answer(self, command: Command) -> None:
        engine = self._engine
        bad_commands, self._bad_commands = self._bad_commands, 0
        try:
            waiting = _HANDLERS[type(command)](self, command)
            if waiting is not None:
                await waiting
        except _BadCommand as bad:
            engine.error(bad.args[0])
            self._count_bad_command(bad_commands)
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
            self._log(problem)
            engine.error(b"[SYS/TEMP] Internal error occurred. Refer to server log for more information.")

    def _log(self, problem: Exception) -> None:
        """Tell the admin."""
        self._sink(MailboxNotice(self._mail_user, "Error", str(problem)))

    def _count_bad_command(self, before: int) -> None:
        """One more than there were in a row `before`."""
        self._bad_commands = before + 1
        if self._bad_commands >= MAX_BAD_COMMANDS:
            raise _End("Too many bad commands.", b"Too many bad commands.")

    # The commands.

    def refused(self, command: pop3.Refused) -> None:
        raise _BadCommand(command.text)

    def statistics(self, command: pop3.Statistics) -> None:
        deleted = sum(self._sizes[number - 1] for number in self._deleted)
        left = self._figures.message_bytes - deleted
        self._engine.ok(b"%d %d" % (len(self._uids) - len(self._deleted), left))

    def list_messages(self, command: pop3.List) -> None:
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
            [unique_id] = await self._unique_ids.of([self._row(command.message)])
            self._engine.ok(b"%d %b" % (command.message, unique_id))
            return
        rows = self._rows()
        ids = zip(rows, await self._unique_ids.of(rows), strict=True)
        lines = [b"%d %b\r\n" % (row + 1, unique_id) for row, unique_id in ids]
        self._engine.send(b"+OK\r\n" + b"".join(lines) + b".\r\n")

    def retrieve(self, command: pop3.Retrieve) -> Awaitable[None] | None:
        number = command.message
        self._row(number)
        content = self._ahead.take(number)
        if not content or self._options.workarounds:
            return self._read_and_send(number)
        self._note_retrieved(number, self._sending.small(b"%d octets" % len(content), content))
        return None

    async def _read_and_send(self, number: int) -> None:
        content = await self._content(number)
        self._note_retrieved(number, await self._sending.message(b"%d octets" % len(content), content))

    def _note_retrieved(self, number: int, octets: int) -> None:
        self._retrieved.add(number)
        if number > self._last:
            self._last = number
        if number < self._lowest_retrieved or not self._lowest_retrieved:
            self._lowest_retrieved = number
        self._figures.retr_bytes += octets
        self._figures.retr_count += 1

    async def top(self, command: pop3.Top) -> None:
        self._row(command.message)
        if command.fault:
            self._engine.error(command.fault)
            return
        content = await self._content(command.message)
        top: bytes | Span
        if isinstance(content, bytes):
            top = top_lines(content, header_end(content), command.lines)
        else:
            body = await content.run(header_end, content)
            top = Span(content, 0, await content.run(content.after_lines, body, command.lines))
        self._figures.top_bytes += await self._sending.message(b"", top)
        self._figures.top_count += 1

    def delete(self, command: pop3.Delete) -> None:
        self._row(command.message)
        self._deleted.add(command.message)
        self._engine.ok(b"Marked to be deleted.")

    def noop(self, command: pop3.Noop) -> None:
        self._engine.ok()

    async def reset(self, command: pop3.Reset) -> None:
        """RSET: "If any messages have been marked as deleted … they are unmarked"; so are those to be read.

        Where there is LAST, all messages become unread (RFC 1460 §3).
        """
        assert self._mailbox is not None
        self._deleted.clear()
        self._retrieved.clear()
        self._last = 0
        if self._options.has_last:
            await self._mailbox.change_flags(
                sorted(map(Uid, self._uids)), FlagChange(FlagAction.REMOVE, Flag.SEEN)
            )
        self._engine.ok()

    def last(self, command: pop3.Last) -> None:
        """LAST: the highest number that was retrieved (RFC 1460 §3)."""
        self._engine.ok(b"%d" % self._last)

    def capabilities(self, command: pop3.Capabilities) -> None:
        self._engine.send(_CAPABILITIES)

    async def quit(self, command: pop3.Quit) -> None:
        """QUIT: the UPDATE state (RFC 1939 §6)."""
        assert self._mailbox is not None
        deleted = self._uids_of(self._deleted)
        await self._mark_seen(self._retrieved - self._deleted)
        if deleted:
            if self._options.flags_deleted:
                keyword = FlagChange(FlagAction.ADD, keywords=(self._options.deleted_flag,))
                await self._mail_log.change_flags(
                    self._mailbox, "INBOX", deleted, keyword, recent=self._recent
                )
            else:
                await self._mail_log.expunge(self._mailbox, "INBOX", deleted, recent=self._recent)
            self._figures.deleted_count = len(deleted)
            self._figures.deleted_bytes = sum(self._sizes[number - 1] for number in self._deleted)
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

    def _told_figures(self) -> str:
        """pop3_logout_format"""
        self._figures.input, self._figures.output = self._engine.bytes_in, self._engine.bytes_out
        change = uidl_change(
            self._unique_ids.told if self._unique_ids is not None else None,
            lowest_retrieved=self._lowest_retrieved,
            deleted=self._deleted,
        )
        return self._figures.text(self._options.logout_format, uidl_change=change, user=self._user)


# Each handler takes commands of its own type only, which a dict cannot say.
# One that waits for nothing is a plain function.
_Handler = Callable[[Pop3Session, Any], Awaitable[None] | None]
_HANDLERS: Final[dict[type[Command], _Handler]] = {
    pop3.Refused: Pop3Session.refused,
    pop3.Statistics: Pop3Session.statistics,
    pop3.List: Pop3Session.list_messages,
    pop3.UniqueIds: Pop3Session.unique_ids,
    pop3.Retrieve: Pop3Session.retrieve,
    pop3.Top: Pop3Session.top,
    pop3.Delete: Pop3Session.delete,
    pop3.Last: Pop3Session.last,
    pop3.Noop: Pop3Session.noop,
    pop3.Reset: Pop3Session.reset,
    pop3.Capabilities: Pop3Session.capabilities,
    pop3.Quit: Pop3Session.quit,
}
