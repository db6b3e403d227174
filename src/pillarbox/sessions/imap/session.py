"""An IMAP session after login: command after command, until the client or we go.

DESCRIPTION
    `ImapSession.run()` answers the command that logged in, then takes one command after the other from the
    engine and hands it to the function that `_HANDLERS` names for its type.  What the store refuses is
    turned into NO here.

    The session is one task.  `shutdown()` may be called from outside at any time: the command that is worked
    on is finished first.

FAULTS
    The client is told NO with a code for what it can do something about, and `[SERVERBUG]` for what only
    the log explains.  After 20 bad commands in a row it is sent away.

STANDARDS
    RFC 3501 §3, §5.4 (autologout timer), §7.1.5 (BYE); RFC 5530 (response codes);
    RFC 9051 §6.3.1 (IMAP4rev2); RFC 9755 (UTF8=ACCEPT)
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Any, Final

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
    StoreBusy,
    StoreUnavailable,
)
from pillarbox.mailstore.view import ViewLost
from pillarbox.net.connection import IdleTimeout
from pillarbox.net.tls_faults import TlsFault
from pillarbox.observability.events import EventSink, Warned
from pillarbox.sessions.imap import (
    acl_commands,
    append,
    fetch,
    idle,
    listing,
    mailbox_commands,
    message_commands,
    metadata,
    notify,
    quota_commands,
    search,
    selecting,
)
from pillarbox.sessions.imap.compression import CompressedTransport
from pillarbox.sessions.imap.conversation import Conversation, Disconnect, Woken
from pillarbox.sessions.imap.options import DEFAULTS, ImapOptions, Workaround
from pillarbox.sessions.transport import Transport
from pillarbox.vocabulary.clock import Clock
from pillarbox.wire.imap import commands, responses
from pillarbox.wire.imap.commands import Command
from pillarbox.wire.imap.server import Pause

CAPABILITIES: Final = (
    b"IMAP4rev1 IMAP4rev2 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES THREAD=REFS"
    b" THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS"
    b" LIST-EXTENDED I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH"
    b" LIST-STATUS BINARY MOVE SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE LITERAL+ NOTIFY"
    b" SPECIAL-USE COMPRESS=DEFLATE REPLACE PARTIAL UTF8=ACCEPT OBJECTID CREATE-SPECIAL-USE"
).split()
"""What works after login, in Dovecot's order."""
ENABLABLE: Final = frozenset((b"CONDSTORE", b"QRESYNC", b"UTF8=ACCEPT", b"IMAP4REV2"))
"""What ENABLE knows (RFC 5161)."""
AUTOLOGOUT: Final = 1800.0
"""Seconds of silence after which the client is sent away (RFC 3501 §5.4: at least 30 minutes)."""
MAX_BAD_COMMANDS: Final = 20
PATIENCE: Final = 0.05
"""Seconds that a search has before the commands behind it are looked at."""
_INTERNAL_ERROR: Final = b"Internal error occurred. Refer to server log for more information."


class Ended(msgspec.Struct, frozen=True):
    """How a session ended, as the log tells it: `Disconnected: reason figures`."""

    reason: str
    figures: str


class ImapSession:
    """One client's session in the worker of its account."""

    __slots__ = (
        "_bad_commands",
        "_conversation",
        "_last_command",
        "_last_time",
        "_login_tag",
        "_search",
        "_unread",
    )

    def __init__(
        self,
        transport: Transport,
        account: Account,
        *,
        clock: Clock,
        sink: EventSink,
        login_tag: bytes,
        unread: bytes = b"",
        options: ImapOptions = DEFAULTS,
    ) -> None:
        """`login_tag` is the command that logged in, `unread` what the client sent behind it."""
        self._conversation = Conversation(transport, account, clock=clock, sink=sink, options=options)
        self._login_tag = login_tag
        self._unread = unread
        self._bad_commands = 0
        self._search: asyncio.Task[None] | None = None  # that goes on while other commands are answered
        self._last_command = ""
        self._last_time = 0.0

    def shutdown(self) -> None:
        """Say BYE as soon as the command that is worked on is finished."""
        self._conversation.wait.shut_down()

    async def run(self) -> Ended:
        """The whole session; the connection is closed when it is over."""
        conversation = self._conversation
        engine = conversation.engine
        greeting = b"OK [%s] Logged in" % responses.capability(capabilities(conversation))
        engine.reply(self._login_tag, greeting)
        if self._unread:
            engine.receive_data(self._unread)
            self._unread = b""
        try:
            reason = await self._converse()
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
            conversation.transport.send(engine.data_to_send())
            await self._abandon_search()
            conversation.leave_mailbox()
            await conversation.end_of_messages()
            if conversation.notifications is not None:
                conversation.notifications.close()
            conversation.transport.close()
        return Ended(reason, conversation.figures.text(engine))

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
                    await self._search_ended()
                    return self._connection_closed()
                case commands.Logout():
                    await self._search_ended()
                    engine.untagged(b"BYE Logging out")
                    conversation.started = conversation.clock.monotonic()
                    conversation.ok(command.tag, b"Logout completed")
                    return "Logged out"
                case Command():
                    if answered:  # the next of many that were sent ahead
                        await conversation.flush_if_much()
                    if self._search is not None and not _may_run_beside(command):
                        await self._search_ended()
                    await self._answer(command)
                    answered = True

    async def _receive(self) -> None:
        conversation = self._conversation
        if self._search is not None and self._search.done():
            await self._search_ended()
            return
        match await conversation.receive(limit=AUTOLOGOUT, heed_changes=conversation.notifies):
            case bytes() as data:
                conversation.engine.receive_data(data)
            case Woken.CHANGE:
                await self._tell_unasked()
            case Woken.CALLED:  # by a search that has ended; another command may have waited for it meanwhile
                if self._search is not None and self._search.done():
                    await self._search_ended()
            case Woken.SHUTDOWN:
                await self._search_ended()
                raise Disconnect("Server shutting down.", bye=b"Server shutting down.")
            case _:
                raise Disconnect("Inactivity", bye=b"Disconnected for inactivity.")

    async def _tell_unasked(self) -> None:
        try:
            await self._conversation.tell_unasked()
        except StoreUnavailable as problem:
            self._conversation.sink(Warned(str(problem)))
            raise Disconnect("Internal error", bye=_INTERNAL_ERROR) from problem

    async def _answer(self, command: Command) -> None:
        conversation = self._conversation
        conversation.started = conversation.clock.monotonic()
        if isinstance(command, commands.Refused):
            await conversation.end_of_messages()
            self._refuse(command)
            return
        self._bad_commands = 0
        if Workaround.EXTRA_MAILBOX_SEPARATOR in conversation.options.workarounds:
            command = _without_separator(command, conversation.account.separator)
        if isinstance(command, commands.Search | commands.Sort | commands.Thread):
            if self._search is None and search.is_alone(conversation, command):
                await self._begin_search(command)
                return
        await self._perform(command)

    async def _begin_search(self, command: Command) -> None:
        """A search; one that takes long goes on while others are answered that make no difference to it.

        RFC 3501 §5.5: meanwhile no expunges are told, as sequence numbers have to stay.
        """
        loop = asyncio.get_running_loop()
        # Whoever ends the session, or comes to a command that cannot run beside it, waits for it.
        self._search = loop.create_task(self._perform(command))
        await asyncio.wait({self._search}, timeout=PATIENCE)
        if self._search.done():
            await self._search_ended()
        else:
            self._conversation.searches_beside = True
            self._search.add_done_callback(lambda _: self._conversation.wait.wake())

    async def _search_ended(self) -> None:
        """Wait for the search that goes on, if one does.  Disconnect."""
        task = self._search
        if task is not None:
            try:
                await task
            finally:
                self._search = None
                self._conversation.searches_beside = False

    async def _abandon_search(self) -> None:
        """The session is over."""
        task, self._search = self._search, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()

    async def _perform(self, command: Command) -> None:
        """Answer a command that could be read."""
        conversation = self._conversation
        kind = type(command)
        tag = command.tag
        refusal = b""
        try:
            try:
                await _HANDLERS[kind](conversation, command)
            finally:
                if conversation.messages_come and kind not in _COMING:
                    await conversation.end_of_messages()
        except MailboxNameRefused as refused:
            refusal = b"[CANNOT] " + str(refused).encode("ascii", "replace")
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
            conversation.sink(Warned(str(problem)))
            refusal = _text_of(problem)
        if refusal:
            async with conversation.speaking:
                conversation.no(tag, refusal)
        self._last_command = kind.__name__.lower()
        self._last_time = conversation.clock.monotonic()

    def _refuse(self, refused: commands.Refused) -> None:
        conversation = self._conversation
        if refused.status == b"NO":
            conversation.no(refused.tag, refused.text)
            return
        conversation.bad(refused.tag, refused.text)
        self._bad_commands += 1
        if self._bad_commands >= MAX_BAD_COMMANDS:
            raise Disconnect("Too many invalid IMAP commands.", bye=b"Too many invalid IMAP commands.")

    def _connection_closed(self) -> str:
        if not self._last_command:
            return "Connection closed (No commands sent)"
        ago = self._conversation.clock.monotonic() - self._last_time
        return f"Connection closed ({self._last_command} finished {ago:.3f} secs ago)"


def _text_of(problem: StoreUnavailable) -> bytes:
    """What the client hears of it, with the code of RFC 5530 §3; the log hears the rest."""
    cause = problem.__cause__
    number = cause.errno if isinstance(cause, OSError) else None
    if isinstance(problem, StoreBusy):
        return b"[INUSE] Timeout while waiting for lock"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return b"[NOPERM] Permission denied"
    if number == errno.ENOSPC:
        return b"[OVERQUOTA] Not enough disk space"
    return b"[SERVERBUG] " + _INTERNAL_ERROR


def _without_separator(command: Command, separator: str) -> Command:
    """The command with nothing behind its mailbox's name (but in CREATE, where it means something)."""
    name = getattr(command, "mailbox", "")
    if isinstance(command, commands.Create) or not name.endswith(separator):
        return command
    return msgspec.structs.replace(command, mailbox=name.removesuffix(separator))


def capabilities(conversation: Conversation) -> list[bytes]:
    """What works in this session."""
    limit = conversation.message_size_limit
    ours = [*CAPABILITIES, b"APPENDLIMIT=%d" % limit] if limit else list(CAPABILITIES)  # RFC 7889 §2
    if conversation.options.literal_minus:
        ours[ours.index(b"LITERAL+")] = b"LITERAL-"
    if conversation.options.metadata:
        ours.append(b"METADATA")
    if conversation.options.has_acl:
        ours += [b"ACL", b"RIGHTS=texk", b"LIST-MYRIGHTS"]
    if conversation.options.has_quota:
        ours.append(b"QUOTA")
    configured = conversation.options.capability.encode("ascii", "replace")
    if configured.startswith(b"+"):
        return ours + configured[1:].split()
    return configured.split() or ours


async def _capability(conversation: Conversation, command: commands.Capability) -> None:
    conversation.engine.untagged(responses.capability(capabilities(conversation)))
    conversation.ok(command.tag, b"Capability completed")


async def _noop(conversation: Conversation, command: commands.Noop) -> None:
    await conversation.refresh()
    await conversation.tell_changes(asked=True)
    conversation.ok(command.tag, b"NOOP completed")


async def _compress(conversation: Conversation, command: commands.Compress) -> None:
    """COMPRESS (RFC 4978 §3): the answer is the last thing that goes as it is."""
    if command.algorithm != b"DEFLATE":
        conversation.bad(command.tag, b"Error in IMAP command COMPRESS: Unknown compression mechanism")
        return
    if isinstance(conversation.transport, CompressedTransport):
        conversation.no(command.tag, b"[COMPRESSIONACTIVE] COMPRESSION=DEFLATE already enabled.")
        return
    conversation.ok(command.tag, b"Begin compression")
    await conversation.flush()
    conversation.use_transport(
        CompressedTransport(conversation.transport, unread=conversation.engine.unread())
    )


async def _id(conversation: Conversation, command: commands.Id) -> None:
    conversation.engine.untagged(responses.identification(conversation.options.server_id))
    conversation.ok(command.tag, b"ID completed")


async def _enable(conversation: Conversation, command: commands.Enable) -> None:
    """ENABLE (RFC 5161 §3.1): what is enabled now is told, be it for the second time; the rest is ignored."""
    known = [name for name in dict.fromkeys(command.capabilities) if name in ENABLABLE]
    if b"CONDSTORE" in known or b"QRESYNC" in known:  # RFC 7162 §3.2.3: QRESYNC implies CONDSTORE
        await conversation.enable_condstore()
    conversation.qresync = conversation.qresync or b"QRESYNC" in known
    conversation.utf8_accept = conversation.utf8_accept or b"UTF8=ACCEPT" in known
    conversation.rev2 = conversation.rev2 or b"IMAP4REV2" in known
    conversation.engine.utf8_names = conversation.utf8_accept or conversation.rev2
    if known:
        spelled = b" ".join(known).replace(b"IMAP4REV2", b"IMAP4rev2")
        conversation.engine.untagged(b"ENABLED " + spelled)
    conversation.ok(command.tag, b"Enabled")


_COMING: Final = (commands.AppendOffer, commands.AppendData)
"""What precedes the command whose messages come."""
_BESIDE: Final = frozenset(
    (
        commands.Noop,
        commands.Capability,
        commands.Id,
        commands.Namespace,
        commands.List,
        commands.Lsub,
        commands.Status,
        commands.GetQuota,
        commands.GetQuotaRoot,
        commands.GetMetadata,
        commands.GetAcl,
        commands.ListRights,
        commands.MyRights,
        commands.Refused,
    )
)
"""Commands that change nothing that a search looks at."""


def _may_run_beside(command: Command) -> bool:
    """Whether a command may be answered while a search goes on."""
    if isinstance(command, commands.Fetch):
        return not command.items.marks_seen
    return type(command) in _BESIDE


# Each handler takes commands of its own type only, which a dict cannot say.
_Handler = Callable[[Conversation, Any], Awaitable[None]]
_HANDLERS: Final[dict[type[Command], _Handler]] = {
    commands.Capability: _capability,
    commands.Noop: _noop,
    commands.Id: _id,
    commands.Compress: _compress,
    commands.Enable: _enable,
    commands.Select: selecting.select,
    commands.Examine: selecting.examine,
    commands.Create: mailbox_commands.create,
    commands.Delete: mailbox_commands.delete,
    commands.Rename: mailbox_commands.rename,
    commands.Subscribe: mailbox_commands.subscribe,
    commands.Unsubscribe: mailbox_commands.unsubscribe,
    commands.List: listing.list_mailboxes,
    commands.Lsub: listing.lsub,
    commands.Namespace: mailbox_commands.namespace,
    commands.Status: mailbox_commands.status,
    commands.GetMetadata: metadata.get_metadata,
    commands.SetMetadata: metadata.set_metadata,
    commands.AppendOffer: append.append_offer,
    commands.AppendData: append.append_data,
    commands.Append: append.append,
    commands.Replace: append.replace,
    commands.GetQuota: quota_commands.get_quota,
    commands.GetQuotaRoot: quota_commands.get_quota_root,
    commands.SetQuota: quota_commands.set_quota,
    commands.GetAcl: acl_commands.get_acl,
    commands.SetAcl: acl_commands.set_acl,
    commands.DeleteAcl: acl_commands.delete_acl,
    commands.ListRights: acl_commands.list_rights,
    commands.MyRights: acl_commands.my_rights,
    commands.Idle: idle.idle,
    commands.Notify: notify.notify,
    commands.Check: message_commands.check,
    commands.Close: selecting.close,
    commands.Unselect: selecting.unselect,
    commands.Expunge: message_commands.expunge,
    commands.Search: search.search,
    commands.Sort: search.sort,
    commands.Thread: search.thread,
    commands.CancelUpdate: search.cancel_update,
    commands.Fetch: fetch.fetch,
    commands.Store: message_commands.store,
    commands.Copy: message_commands.copy,
    commands.Move: message_commands.move,
}
