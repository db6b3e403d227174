"""One client after login: what every command works with.

DESCRIPTION
    A `Conversation` holds the engine, the account, the view of the selected mailbox and the counters, and
    knows how answers look: times behind them (`OK Fetch completed (0.001 + 0.000 secs).`), changes of the
    mailbox before them.

    Waiting for the client: waiting.py.

FAULTS
    Disconnect  the session has to end (sessions/imap/endings.py).

STANDARDS
    RFC 3501 §5.2, §7
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import ContextVar
from typing import Final

import msgspec

from pillarbox.mailstore.content.large_content import Span, pieces_of
from pillarbox.mailstore.mailbox import (
    Account,
    Mailbox,
    MessageGone,
    NoSuchMailbox,
    StoreUnavailable,
)
from pillarbox.mailstore.namespaces.united_account import UnitedAccount
from pillarbox.mailstore.sharing.acl_file import ALL, Rights
from pillarbox.mailstore.view import NOTHING, Chosen, MailboxView, NoSuchNumber, Told
from pillarbox.mailstore.view_state import ViewState
from pillarbox.observability.events import EventSink, MailboxNotice, MailUser
from pillarbox.sessions.imap.coming_messages import ComingMessages
from pillarbox.sessions.imap.endings import Disconnect, Figures, mailbox_deleted
from pillarbox.sessions.imap.news import Notifications, ResultUpdates, SelectedNews
from pillarbox.sessions.imap.options import ImapOptions, Workaround
from pillarbox.sessions.imap.selected_answers import flag_changes, flags_of, highest_modseq_of
from pillarbox.sessions.imap.waiting import Waiting
from pillarbox.sessions.mail_log import MailLog
from pillarbox.sessions.transport import Transport
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.vocabulary.number_set import NumberSet, compact
from pillarbox.wire.imap import mailbox_names
from pillarbox.wire.imap.command_order import State
from pillarbox.wire.imap.server import ImapServer

FLUSH_AT: Final = 65536
"""Octets of answers that are gathered before they are sent."""


_STARTED: Final[ContextVar[float]] = ContextVar("started", default=0.0)
"""Of the command that a task works on."""


AccountOf = Callable[[str], AbstractAsyncContextManager[Account | None]]
"""Another user's account for a while; None if there is none for this process."""


def nobody_else(user: str) -> AbstractAsyncContextManager[None]:
    """There are no other accounts."""
    return nullcontext()


class Text(msgspec.Struct, frozen=True):
    """Something long that is sent in pieces; `escaped`: NUL becomes 0x80 (sessions/imap/sections.py)."""

    text: bytes | Span
    escaped: bool = False


class InvalidMessageSet(Exception):
    """Sequence numbers that the client's mailbox does not have: BAD."""


class Conversation:
    """Engine, account, selected mailbox and counters of one session."""

    __slots__ = (
        "account",
        "account_of",
        "bad_answers",
        "clock",
        "coming",
        "condstore",
        "engine",
        "figures",
        "is_identified",
        "mail_log",
        "modseqs_told",
        "news",
        "notifications",
        "options",
        "qresync",
        "rev2",
        "runs_beside",
        "saved_result",
        "sink",
        "speaking",
        "transport",
        "uid_only",
        "untold_modseq",
        "updates",
        "utf8_accept",
        "view",
        "waiting",
    )

    def __init__(
        self,
        transport: Transport,
        account: Account,
        *,
        clock: Clock,
        sink: EventSink,
        options: ImapOptions,
        account_of: AccountOf = nobody_else,
    ) -> None:
        """`account_of` opens another user's account, for URLFETCH."""
        self.transport = transport
        self.waiting = Waiting(transport, clock)
        self.account = account
        self.account_of = account_of
        self.clock = clock
        self.sink = sink
        self.options = options
        self.engine = ImapServer(
            state=State.AUTHENTICATED, max_line=options.max_line_length, absent=options.absent_commands
        )
        self.engine.literal_minus = options.literal_minus
        self.view: MailboxView | None = None
        self.figures = Figures()
        self.condstore = False  # the client wants mod-sequences (RFC 7162 §3.1)
        self.qresync = False  # VANISHED instead of EXPUNGE (RFC 7162 §3.2)
        self.rev2 = False  # IMAP4rev2: ESEARCH, no \Recent, names in UTF-8 (RFC 9051 appendix E)
        self.uid_only = False  # UIDFETCH and VANISHED instead of FETCH and EXPUNGE (RFC 9586)
        self.utf8_accept = False  # UTF8=ACCEPT (RFC 9755)
        self.updates: ResultUpdates | None = None  # of results in the selected mailbox  RFC 5267
        self.news = SelectedNews()
        self.notifications: Notifications | None = None
        self.saved_result: list[int] = []  # UIDs: `$`  RFC 5182
        self.is_identified = False  # the client has said ID
        self.bad_answers = 0  # how often BAD has been said
        self.coming = ComingMessages()
        self.mail_log = MailLog(options.mail_log, self.log)
        self.modseqs_told = False  # since the last answer
        self.untold_modseq = 0  # up to which the client knows all, since it was told of messages
        self.speaking = asyncio.Lock()  # held by whoever sends an answer in pieces
        self.runs_beside = False  # a command goes on while others are answered  RFC 3501 §5.5

    def log(self, text: str, severity: str = "Info") -> None:
        """A line of this session in the log."""
        self.sink(MailboxNotice(self.mail_user, severity, text))

    @property
    def mail_user(self) -> MailUser:
        """Whose session it is, for the log."""
        known = self.options.log_values
        session, remote, local = (known.get(name, "") for name in ("session", "rip", "lip"))
        fields = {name[7:]: value for name, value in known.items() if name.startswith("userdb:")}
        return MailUser("imap", self.options.user, session, remote, local, fields)

    @property
    def message_size_limit(self) -> int:
        """Octets of a message that APPEND takes; 0 for any."""
        return self.options.message_size_limit

    @property
    def started(self) -> float:
        """When the command that this task works on began, by clock.monotonic()."""
        return _STARTED.get()

    @started.setter
    def started(self, moment: float) -> None:
        _STARTED.set(moment)

    @property
    def selected_name(self) -> bytes:
        """The name of the selected mailbox as this client reads it."""
        return self.name(self.account.name_of(self.selected.mailbox))

    def name(self, name: str) -> bytes:
        """A mailbox's name as this client reads it."""
        return mailbox_names.encode_utf8(name) if self.engine.utf8_names else mailbox_names.encode(name)

    def missing(self, name: str, code: bytes = b"NONEXISTENT") -> bytes:
        """`[NONEXISTENT] Mailbox doesn't exist: x`, the name as people read it: UTF-8, if it has no controls."""
        shown = mailbox_names.encode_utf8(name) if name.isprintable() else mailbox_names.encode(name)
        return b"[%b] Mailbox doesn't exist: %b" % (code, shown)

    # Sending.

    def use_transport(self, transport: Transport) -> None:
        """From now on, bytes go another way."""
        self.transport = self.waiting.client.transport = transport

    async def flush(self) -> None:
        """Send what there is, and wait until the client has taken enough of it."""
        data = self.engine.data_to_send()
        if data:
            transport = self.transport
            transport.send(data)
            if transport.is_full:
                await transport.drain()

    async def flush_if_much(self) -> None:
        """Between two steps of a long answer: send what has gathered, and let others have the loop."""
        if self.engine.unsent >= FLUSH_AT:
            await self.flush()
        if self.engine.held >= FLUSH_AT:  # somebody else's answer in parts has to end first
            async with self.speaking:
                pass
        await asyncio.sleep(0)

    async def send_parts(self, *parts: "bytes | Text") -> None:
        """Send a long answer in pieces, each when the client has taken enough of those before.

        Disconnect, if it cannot be finished.
        """
        async with self.speaking:
            self.engine.begin_parts()
            try:
                for part in parts:
                    text = part.text if isinstance(part, Text) else part
                    async for piece in pieces_of(text):
                        escaped = isinstance(part, Text) and part.escaped
                        self.engine.send_part(piece.replace(b"\0", b"\x80") if escaped else piece)
                        if self.engine.unsent >= FLUSH_AT:
                            await self.flush()
                        await asyncio.sleep(0)
            except (StoreUnavailable, MessageGone) as fault:  # the client waits for the rest of a literal
                raise Disconnect(f"Connection closed: {fault}") from fault
            finally:
                self.engine.end_parts()

    # Answers.

    def timing(self) -> bytes:
        """` (0.001 + 0.000 secs).`: elapsed time, and the part of it that was waited for locks"""
        elapsed = self.clock.monotonic() - _STARTED.get()
        milliseconds = int(elapsed * 1000) + 1
        if milliseconds == 1:
            return b" (0.001 + 0.000 secs)."
        return b" (%d.%03d + 0.000 secs)." % divmod(milliseconds, 1000)

    def ok(self, tag: bytes, text: bytes) -> None:
        """`tag OK text (0.001 + 0.000 secs).`

        To a client of QRESYNC that was told of messages that are gone or new with the mod-sequence that it may
        believe in now; before it, when the answer has a response code of its own.
        """
        if self.modseqs_told:
            self._take_back_modseqs()
        if text.startswith(b"["):
            if self.untold_modseq:
                self.tell_untold_modseq()
        elif self.untold_modseq and self.qresync:
            text = b"[HIGHESTMODSEQ %d] %b" % (self.untold_modseq, text)
            self.untold_modseq = 0
        self.engine.reply(tag, b"OK " + text + self.timing())

    def no(self, tag: bytes, text: bytes) -> None:
        """`tag NO text (0.001 + 0.000 secs).`"""
        if self._take_back_modseqs():
            self.tell_untold_modseq()
        self.engine.reply(tag, b"NO " + text + self.timing())

    def bad(self, tag: bytes, text: bytes) -> None:
        """`tag BAD text (0.001 + 0.000 secs).`"""
        self.bad_answers += 1
        self.engine.reply(tag, b"BAD " + text + self.timing())

    # The selected mailbox.

    @property
    def selected(self) -> MailboxView:
        """The view; commands that need one come only while there is one."""
        assert self.view is not None
        return self.view

    def leave_mailbox(self) -> None:
        """No mailbox is selected any more."""
        left = self.let_go_mailbox()
        if left is not None:
            left.close()

    def let_go_mailbox(self) -> Mailbox | None:
        """No mailbox is selected any more; the one that was, for the caller to close."""
        left = None
        if self.view is not None:
            left = self.view.mailbox
            self.view = None
            self.untold_modseq = 0
            self.updates = None
            if self.notifications is not None:
                self.notifications.selected_changed()
            self.engine.state = State.AUTHENTICATED
        return left

    async def rights(self, name: str) -> Rights:
        """What the user may do to a mailbox: everything, unless access lists say otherwise."""
        return await self.account.rights(name) if isinstance(self.account, UnitedAccount) else ALL

    async def open_target(self, name: str) -> Mailbox:
        """A mailbox into which something is put.  NoSuchMailbox, PermissionDenied."""
        return await self.account.open_target(name)

    def enter_mailbox(
        self, mailbox: Mailbox, *, read_only: bool, rights: Rights = ALL, known: ViewState | None = None
    ) -> MailboxView:
        """A mailbox is selected.  With what the client knows of it already: ViewLost, ValueError."""
        view = MailboxView(mailbox, read_only=read_only, rights=rights, known=known)
        self.saved_result = []
        self.view = view
        self.engine.state = State.SELECTED
        if self.notifications is not None:
            self.notifications.selected_changed()
        return self.view

    def choose(self, messages: NumberSet, *, by_uid: bool) -> Chosen:
        """The messages that a command names.  Raises InvalidMessageSet."""
        view = self.selected
        self.take_in()
        if messages.saved:
            return view.of_uids(self.saved_result)
        if by_uid:
            return view.by_uids(messages)
        try:
            return view.by_numbers(messages)
        except NoSuchNumber:
            raise InvalidMessageSet from None

    def take_in(self) -> None:
        """Bring the view up to date, without telling anything.  ViewLost."""
        self.selected.take_in()

    async def refresh(self) -> None:
        """Learn what other programs did to the selected mailbox."""
        if self.view is None:
            return
        try:
            await self.view.mailbox.refresh(read_only=self.view.read_only)
        except NoSuchMailbox:
            raise mailbox_deleted() from None

    async def tell_changes(
        self, *, expunges: bool = True, with_uid: bool = False, asked: bool = False
    ) -> None:
        """Untagged answers for what is new: FLAGS, FETCH, EXPUNGE, EXISTS, RECENT.

        `asked` when the command is one by which clients ask for news, or one that brings messages or removes some.
        """
        news = self.news
        workarounds = self.options.workarounds
        tell_new = news.new and (asked or not workarounds or Workaround.DELAY_NEWMAIL not in workarounds)
        view = self.view
        if view is None:
            return
        updates = self.updates
        lines = await updates.of_flags() if updates is not None else []
        before = view.last_uid
        told = view.sync(
            tell_expunges=expunges and news.expunges and not self.runs_beside,
            tell_new=tell_new,
            tell_flags=news.flags,
        )
        if told is NOTHING and updates is None:  # as nearly always
            return
        self._tell_flags(told, view, with_uid=with_uid)
        if updates is not None:
            lines += updates.of_expunged(told)
            self._tell_lines(lines)
        self._tell_messages(told, view)
        if updates is not None and told.exists is not None:
            await updates.tell_new(before)
        if told.exists is not None:
            await news.tell_new(before)

    @property
    def notifies(self) -> bool:
        """Whether the client may be told something while no command is in progress."""
        if self.notifications is None:  # as nearly always
            return False
        return self.engine.between_commands and not self.runs_beside

    async def tell_unasked(self) -> None:
        """News while no command is in progress (RFC 5465)."""
        self.waiting.take_change()
        if self.view is not None and self.news.unasked:
            await self.refresh()
            await self.tell_changes(asked=True, expunges=self.news.expunges_unasked)
            if self._take_back_modseqs():
                self.tell_untold_modseq()
        if self.notifications is not None:
            await self.notifications.tell()

    @property
    def _wants_uids(self) -> bool:
        """Whether flags are told with the UID: RFC 7162 §3.2.4, RFC 9051 §7.5.2, RFC 5465 §5.1."""
        return self.condstore or self.rev2 or self.news.unasked

    def _tell_lines(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            self.engine.untagged(line)

    def _tell_flags(self, told: Told, view: MailboxView, *, with_uid: bool) -> None:
        if told.keywords:
            self.tell_flags(view)
        if told.flags:
            self.modseqs_told |= self.condstore
            lines = flag_changes(
                told,
                view,
                with_uid=with_uid or self._wants_uids,
                with_modseq=self.condstore,
                with_recent=not self.rev2,
                uid_only=self.uid_only,
            )
            self._tell_lines(lines)

    def _tell_messages(self, told: Told, view: MailboxView) -> None:
        engine = self.engine
        if (told.expunged or told.exists is not None) and not view.expunges_pend:
            self.untold_modseq = view.mailbox.highest_modseq
        if told.expunged and (self.qresync or self.uid_only):  # RFC 7162 §3.2.10, RFC 9586 §3.5
            engine.untagged(b"VANISHED " + compact(told.vanished))
        elif told.expunged:
            engine.send(b"".join(map(b"* %d EXPUNGE\r\n".__mod__, told.expunged)))
        if told.exists is not None:
            engine.untagged(b"%d EXISTS" % told.exists)
        if told.recent is not None and not self.rev2:
            engine.untagged(b"%d RECENT" % told.recent)

    async def enable_condstore(self) -> None:
        """A command has shown that the client wants mod-sequences (RFC 7162 §3.1: "CONDSTORE enabling command")."""
        if self.condstore:
            return
        self.condstore = True
        if self.view is not None:
            await self.view.mailbox.track_modseqs()
            self.engine.untagged(highest_modseq_of(self.view))
            self.untold_modseq = 0  # an older one

    def _take_back_modseqs(self) -> bool:
        """Whether the client was told of mod-sequences above those of expunges that wait.

        It must not believe in them yet: with its connection, it would lose the expunges (RFC 7162 §3.2, §6).
        """
        told, self.modseqs_told = self.modseqs_told, False
        if not told or self.view is None or not self.view.expunges_pend:
            return False
        self.untold_modseq = self.view.sure_modseq
        return True

    def tell_untold_modseq(self) -> None:
        """`* OK [HIGHESTMODSEQ 4] Highest`, after a client of QRESYNC was told of messages that are gone or new."""
        if self.untold_modseq and self.qresync:
            self.engine.untagged(b"OK [HIGHESTMODSEQ %d] Highest" % self.untold_modseq)
            self.untold_modseq = 0

    def tell_modseqs(self, uids: Iterable[int], *, with_uid: bool) -> None:
        """New mod-sequences of messages whose flags the client itself has changed (RFC 7162 §3.1.3)."""
        self.take_in()
        view = self.selected
        if view.take_keywords():
            self.tell_flags(view)
        table = view.mailbox.messages
        with_uid = (with_uid or self._wants_uids) and not self.uid_only
        for uid in uids:
            row, number = table.row(Uid(uid)), view.number_of(uid)
            if row is not None and number is not None:
                self.modseqs_told = True
                name = b"UID %d " % uid if with_uid else b""
                kind = b"%d UIDFETCH" % uid if self.uid_only else b"%d FETCH" % number
                self.engine.untagged(b"%b (%bMODSEQ (%d))" % (kind, name, table.modseqs[row]))

    def tell_flags(self, view: MailboxView) -> None:
        """FLAGS and PERMANENTFLAGS, when there is a new keyword."""
        self._tell_lines(flags_of(view))
