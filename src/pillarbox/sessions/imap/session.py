"""An IMAP session after login: command after command, until the client or we go.

DESCRIPTION
    `ImapSession.run()` answers the command that logged in, then takes one command after the other from the
    engine and hands it to the function that `HANDLERS` names for its type.  What the store refuses is
    turned into NO here.

    The session is one task.  `shutdown()` may be called from outside at any time: the command that is worked
    on is finished first.  `park()` asks a session whose client rests to end without its client noticing; another
    process goes on with it (sessions/imap/parking.py).

FAULTS
    The client is told NO with a code for what it can do something about, and `[SERVERBUG]` for what only
    the log explains.  After 20 bad commands in a row it is sent away.

STANDARDS
    RFC 3501 §3, §5.4 (autologout timer), §7.1.5 (BYE); RFC 5530 (response codes);
    RFC 9051 §6.3.1 (IMAP4rev2); RFC 9755 (UTF8=ACCEPT)
"""

import asyncio
from typing import Final

import msgspec

from pillarbox.mailstore.mailbox import (
    Account,
    MailboxNameRefused,
    MailTooLarge,
    MessageGone,
    NoSuchMailbox,
    OverQuota,
    PermissionDenied,
    QuotaExceeded,
    StoreUnavailable,
)
from pillarbox.mailstore.view import ViewLost
from pillarbox.net.connection import IdleTimeout
from pillarbox.net.tls_faults import TlsFault
from pillarbox.observability.events import EventSink
from pillarbox.sessions.ended import Ended
from pillarbox.sessions.imap import failed_reads, fetch, idle, parking, search
from pillarbox.sessions.imap.command_table import COMING, HANDLERS, Handler, may_run_beside
from pillarbox.sessions.imap.conversation import AccountOf, Conversation, nobody_else
from pillarbox.sessions.imap.endings import INTERNAL_ERROR, Disconnect, Parking, connection_closed
from pillarbox.sessions.imap.options import DEFAULTS, ImapOptions, Workaround
from pillarbox.sessions.imap.parking import ParkedSession
from pillarbox.sessions.imap.progress import SLOW, Progress
from pillarbox.sessions.imap.session_commands import capabilities
from pillarbox.sessions.imap.uid_only import REFUSAL, has_numbers
from pillarbox.sessions.imap.waiting import Woken
from pillarbox.sessions.transport import Transport
from pillarbox.vocabulary.clock import Clock
from pillarbox.wire.imap import commands, responses
from pillarbox.wire.imap.commands import Command
from pillarbox.wire.pause import Pause

AUTOLOGOUT: Final = 1800.0
"""Seconds of silence after which the client is sent away (RFC 3501 §5.4: at least 30 minutes)."""
MAX_BAD_COMMANDS: Final = 20
PATIENCE: Final = 0.05
"""Seconds that a long command has before those behind it are looked at."""


class ImapSession:
    """One client's session in the worker of its account."""

    __slots__ = (
        "_asked_to_park",
        "_bad_commands",
        "_conversation",
        "_goes_on_from",
        "_last_command",
        "_last_time",
        "_login_tag",
        "_long",
        "_tells_capabilities_apart",
        "_unread",
        "_unread_at_end",
        "parked",
    )

    def __init__(
        self,
        transport: Transport,
        account: Account,
        *,
        clock: Clock,
        sink: EventSink,
        login_tag: bytes,
        tells_capabilities_apart: bool = False,
        unread: bytes = b"",
        options: ImapOptions = DEFAULTS,
        parked: ParkedSession | None = None,
        account_of: AccountOf = nobody_else,
    ) -> None:
        """`login_tag` is the command that logged in, `unread` what the client sent behind it.

        `tells_capabilities_apart`: in an untagged answer, for clients that do not read the code of a tagged one.
        `parked` is the session that this one goes on with, if there was one; nobody logs in then.
        """
        self._conversation = Conversation(
            transport, account, clock=clock, sink=sink, options=options, account_of=account_of
        )
        self._login_tag = login_tag
        self._tells_capabilities_apart = tells_capabilities_apart
        self._unread = unread
        self._unread_at_end = 0  # octets that do not count
        self._bad_commands = 0
        self._long: asyncio.Task[None] | None = None  # the command that goes on while others are answered
        self._last_command = ""
        self._last_time = 0.0
        self._goes_on_from = parked
        self._asked_to_park: asyncio.Future[bool] | None = None
        self.parked: ParkedSession | None = None
        """What the session was, once `run()` is over because of `park()`: the connection is open, nothing waits."""

    @property
    def rests_since(self) -> float | None:
        """Since when, by clock.monotonic(), nobody has said anything; None if the session cannot be parked."""
        conversation = self._conversation
        rests = conversation.waiting.is_waiting and self._long is None and parking.can_be_parked(conversation)
        return conversation.waiting.rests_since if rests else None

    @property
    def watched_directories(self) -> tuple[bytes, ...]:
        """Where a change has to be told to the client at once."""
        conversation = self._conversation
        found: tuple[bytes, ...] = ()
        if conversation.view is not None and (self.idles or conversation.news.unasked):
            found += conversation.view.mailbox.watched_directories
        if conversation.notifications is not None:
            found += conversation.notifications.watched_directories
        return found

    @property
    def name_directories(self) -> tuple[bytes, ...]:
        """Where a mailbox or a subscription has to be told to the client at once."""
        notifications = self._conversation.notifications
        return () if notifications is None else notifications.name_directories

    @property
    def annotation_files(self) -> tuple[bytes, ...]:
        """Files whose change has to be told to the client at once."""
        notifications = self._conversation.notifications
        return () if notifications is None else notifications.annotation_files

    @property
    def idles(self) -> bool:
        """Whether the client is in IDLE, and so will be silent until something happens."""
        return bool(self._conversation.engine.awaited_line)

    def park(self) -> "asyncio.Future[bool]":
        """End without a word if the client still rests; the result tells whether the session is `parked` now."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def decide(rests: bool) -> bool:
            parks = rests and self._long is None and parking.can_be_parked(self._conversation)
            if parks:
                self._asked_to_park = answer
            elif not answer.done():
                answer.set_result(False)
            return parks

        self._conversation.waiting.ask_to_park(decide)
        return answer

    def shutdown(self) -> None:
        """Say BYE as soon as the command that is worked on is finished."""
        self._conversation.waiting.client.shut_down()

    async def run(self) -> Ended:
        """The whole session; the connection is closed when it is over, unless the session is `parked`."""
        conversation = self._conversation
        engine = conversation.engine
        if self._goes_on_from is None:
            capability = responses.capability(capabilities(conversation))
            if self._tells_capabilities_apart:
                engine.untagged(capability)
                engine.reply(self._login_tag, b"OK Logged in")
            else:
                engine.reply(self._login_tag, b"OK [%s] Logged in" % capability)
        if self._unread:
            engine.receive_data(self._unread)
            self._unread = b""
        try:
            try:
                if self._goes_on_from is not None:
                    await self._go_on(self._goes_on_from)
                reason = await self._converse()
            except Parking:
                self.parked = self._written_down()
                reason = "Parked"
        except Disconnect as end:
            reason = end.reason
            if end.bye:
                engine.untagged(b"BYE " + end.bye)
        except ViewLost:
            reason = "IMAP session state is inconsistent, please relogin."
            engine.untagged(b"BYE " + reason.encode())
        except (IdleTimeout, TlsFault) as fault:
            reason = f"Connection closed: {fault}" if str(fault) else "Connection closed"
        finally:
            if self.parked is None:
                conversation.transport.send(engine.data_to_send())
            conversation.waiting.stop_parking()
            conversation.waiting.client.close()
            await self._abandon_long()
            conversation.leave_mailbox()
            await conversation.coming.end()
            if conversation.notifications is not None:
                conversation.notifications.close()
            if self.parked is None:
                conversation.transport.close()
            if self._asked_to_park is not None and not self._asked_to_park.done():
                self._asked_to_park.set_result(self.parked is not None)
        options = conversation.options
        figures = conversation.figures.text(
            options.logout_format,
            engine.bytes_in - self._unread_at_end,
            engine.bytes_out,
            user=options.log_values,
        )
        return Ended(reason, figures)

    def _written_down(self) -> ParkedSession:
        """All that the client's next session has to know.  Disconnect."""
        conversation, engine = self._conversation, self._conversation.engine
        return ParkedSession(
            idle_tag=engine.awaited_line,
            idle_began=conversation.started,
            waits_since=conversation.waiting.waits_since,
            silent_since=conversation.waiting.silent_since,
            bytes_in=engine.bytes_in,
            bytes_out=engine.bytes_out,
            figures=conversation.figures,
            condstore=conversation.condstore,
            qresync=conversation.qresync,
            rev2=conversation.rev2,
            utf8_accept=conversation.utf8_accept,
            saved_result=parking.saved_uids(conversation),
            untold_modseq=conversation.untold_modseq,
            bad_commands=self._bad_commands,
            last_command=self._last_command,
            last_time=self._last_time,
            mailbox=parking.parked_mailbox(conversation),
            compressed=parking.standing_of_stream(conversation),
            notify=parking.parked_notify(conversation),
            uid_only=conversation.uid_only,
        )

    async def _go_on(self, parked: ParkedSession) -> None:
        """Be the session that was parked, and finish the IDLE that it was in.  Disconnect, Parking."""
        conversation = self._conversation
        conversation.waiting.silent_since = parked.silent_since
        self._bad_commands = parked.bad_commands
        self._last_command, self._last_time = parked.last_command, parked.last_time
        await parking.go_on(conversation, parked)
        if parked.idle_tag:
            conversation.started = parked.idle_began
            await self._perform(commands.Idle(parked.idle_tag), idle.go_on_idling)

    async def _converse(self) -> str:
        """Answer commands until there are no more; the reason of the end."""
        conversation = self._conversation
        engine = conversation.engine
        answered = False
        while True:
            command = engine.next_command()
            match command:
                case Pause.NEED_DATA:
                    await conversation.flush()
                    await self._receive()
                    answered = False
                case Pause.CLOSED:
                    await self._long_ended()
                    return self._connection_closed()
                case commands.Logout():
                    await self._long_ended()
                    # As Dovecot counts: the line end of LOGOUT, and what is behind it, has not been read.
                    self._unread_at_end = len(engine.unread()) + 2
                    engine.untagged(b"BYE Logging out")
                    conversation.started = conversation.clock.monotonic()
                    conversation.ok(command.tag, b"Logout completed")
                    return "Logged out"
                case Command():
                    if answered:  # the next of many that were sent ahead
                        await conversation.flush_if_much()
                    if self._long is not None and not may_run_beside(command):
                        await self._long_ended()
                    await self._answer(command)
                    answered = True

    async def _receive(self) -> None:
        conversation = self._conversation
        if self._long is not None and self._long.done():
            await self._long_ended()
            return
        since = (
            conversation.clock.monotonic() if self._long is not None else conversation.waiting.silent_since
        )
        left = max(0.0, since + AUTOLOGOUT - conversation.clock.monotonic())
        match await conversation.waiting.receive(limit=left, heed_changes=conversation.notifies):
            case bytes() as data:
                conversation.engine.receive_data(data)
            case Woken.PARK:
                raise Parking
            case Woken.CHANGE:
                await self._tell_unasked()
            case Woken.CALLED:  # by a command that has ended; another one may have waited for it meanwhile
                if self._long is not None and self._long.done():
                    await self._long_ended()
            case Woken.SHUTDOWN:
                await self._long_ended()
                raise Disconnect("Server shutting down.", bye=b"Server shutting down.")
            case _:
                if self._long is None:
                    raise Disconnect("Inactivity", bye=b"Disconnected for inactivity.")

    async def _tell_unasked(self) -> None:
        try:
            await self._conversation.tell_unasked()
        except StoreUnavailable as problem:
            failed_reads.log(self._conversation, problem)
            raise Disconnect("Internal error", bye=INTERNAL_ERROR) from problem

    async def _answer(self, command: Command) -> None:
        conversation = self._conversation
        conversation.started = conversation.clock.monotonic()
        if isinstance(command, commands.Refused):
            await conversation.coming.end()
            self._refuse(command)
            return
        bad_before = conversation.bad_answers
        workarounds = conversation.options.workarounds
        if workarounds and Workaround.EXTRA_MAILBOX_SEPARATOR in workarounds:
            command = _without_separator(command, conversation.account.separator)
        if self._long is None and _may_take_long(conversation, command):
            await self._begin_long(command)
        else:
            await self._perform(command)
        if conversation.bad_answers == bad_before:
            self._bad_commands = 0
        else:
            self._count_bad_command()

    async def _begin_long(self, command: Command) -> None:
        """A command that, if it takes long, goes on while others are answered that make no difference to it.

        RFC 3501 §5.5: meanwhile no expunges are told, as sequence numbers have to stay.
        """
        loop = asyncio.get_running_loop()
        # Whoever ends the session, or comes to a command that cannot run beside it, waits for it.
        self._long = loop.create_task(self._perform(command))
        await asyncio.wait({self._long}, timeout=PATIENCE)
        if self._long.done():
            await self._long_ended()
        else:
            self._conversation.runs_beside = True
            self._long.add_done_callback(lambda _: self._conversation.waiting.client.wake())

    async def _long_ended(self) -> None:
        """Wait for the command that goes on, if one does.  Disconnect."""
        task = self._long
        if task is not None:
            try:
                await task
            finally:
                self._long = None
                self._conversation.runs_beside = False

    async def _abandon_long(self) -> None:
        """The session is over."""
        task, self._long = self._long, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()

    async def _perform(self, command: Command, handler: Handler | None = None) -> None:
        """Answer a command that could be read, by the function that its type names or by another one."""
        conversation = self._conversation
        kind = type(command)
        tag = command.tag
        refusal = b""
        if conversation.uid_only and has_numbers(command):
            await conversation.coming.end()
            conversation.bad(tag, REFUSAL)
            return
        progress = Progress(conversation, tag) if kind in SLOW else None
        try:
            try:
                await (handler or HANDLERS[kind])(conversation, command)
            finally:
                if progress is not None:
                    progress.end()
                if conversation.coming.any and kind not in COMING:
                    await conversation.coming.end()
        except MailboxNameRefused as refused:
            refusal = b"[CANNOT] " + str(refused).removesuffix(".").encode("ascii", "replace")
        except PermissionDenied:
            refusal = b"[NOPERM] Permission denied"
        except MailTooLarge as fault:
            refusal = b"[LIMIT] " + str(fault).encode("utf-8", "replace")
        except QuotaExceeded as fault:
            refusal = b"[OVERQUOTA] " + str(fault).encode("utf-8", "replace")
        except OverQuota:
            refusal = b"[OVERQUOTA] Quota exceeded (mailbox for user is full)"
        except MessageGone:  # another program has removed its file  RFC 5530 §3
            refusal = b"[EXPUNGEISSUED] Some of the requested messages no longer exist"
        except NoSuchMailbox:  # deleted while the command was worked on
            refusal = b"[NONEXISTENT] Mailbox doesn't exist"
        except StoreUnavailable as problem:
            failed_reads.log(conversation, problem)
            refusal = failed_reads.refusal(problem)
        if refusal:
            async with conversation.speaking:
                conversation.no(tag, refusal)
        self._last_command = kind.__name__.lower()
        self._last_time = conversation.waiting.silent_since = conversation.clock.monotonic()

    def _refuse(self, refused: commands.Refused) -> None:
        conversation = self._conversation
        if refused.forgets_result:
            conversation.saved_result = []
        if refused.leaves_mailbox and conversation.view is not None:
            conversation.leave_mailbox()
            conversation.engine.untagged(b"OK [CLOSED] Previous mailbox closed.")
        if refused.status == b"NO":
            conversation.no(refused.tag, refused.text)
            return
        conversation.bad(refused.tag, refused.text)
        if refused.counts:
            self._count_bad_command()

    def _count_bad_command(self) -> None:
        """Too many in a row end the session."""
        self._bad_commands += 1
        if self._bad_commands >= MAX_BAD_COMMANDS:
            raise Disconnect("Too many invalid IMAP commands.", bye=b"Too many invalid IMAP commands.")

    def _connection_closed(self) -> str:
        return connection_closed(self._last_command, self._conversation.clock.monotonic() - self._last_time)


def _may_take_long(conversation: Conversation, command: Command) -> bool:
    match command:
        case commands.Search() | commands.Sort() | commands.Thread():
            return search.takes_long(conversation, command)
        case commands.Fetch():
            return fetch.takes_long(conversation, command)
        case _:
            return False


def _without_separator(command: Command, separator: str) -> Command:
    """The command with nothing behind its mailboxes' names (but in CREATE, where it means something)."""
    if isinstance(command, commands.Create):
        return command
    names = {field: getattr(command, field, "") for field in ("mailbox", "new_name")}
    shorter = {
        field: name.removesuffix(separator) for field, name in names.items() if name.endswith(separator)
    }
    return msgspec.structs.replace(command, **shorter) if shorter else command
