"""The account worker: all sessions of its accounts, with the rights of the mailboxes' owner.

DESCRIPTION
    A worker serves IMAP and POP3 sessions after login.  The mailboxes of an account are opened once and shared by
    its sessions, so that a change of one reaches the others at once (open_accounts.py).  Sessions come over the
    channel from the spawner; when that ends, clients are told BYE and the worker exits.

    A worker that has nothing to do for a while says so and goes; so does one whose clients all rest, after writing
    down what it knows of them (daemons/session_parking.py).

FAULTS
    A mistake of ours ends the session in which it was made, with a line in the log; the others go on.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

import msgspec

from pillarbox.config.dovecot.attribute_file import attribute_file_of
from pillarbox.config.dovecot.mail_location import place_of
from pillarbox.config.mailbox_settings import MailboxSettings, Storage
from pillarbox.daemons.account_namespaces import AccountNamespaces, SessionUser
from pillarbox.daemons.account_quotas import AccountQuotas
from pillarbox.daemons.last_logins import note_login
from pillarbox.daemons.letter_box import LetterBox
from pillarbox.daemons.open_accounts import OpenAccounts
from pillarbox.daemons.session_facts import session_facts
from pillarbox.daemons.session_parking import Arrival, Leaving, SessionParking, arrival_of
from pillarbox.daemons.startup import open_log
from pillarbox.files.file_system import DISK
from pillarbox.files.fsync_batch import background_fsyncs
from pillarbox.files.inotify import Inotify, open_inotify
from pillarbox.mailstore.autoexpunge import autoexpunge
from pillarbox.mailstore.cache.indexers import Indexers
from pillarbox.mailstore.cache.text_searching import IndexPolicy
from pillarbox.mailstore.mailbox import Account, StoreUnavailable
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.group_commit import CommonCommits
from pillarbox.mailstore.maildir.pop3_session_lock import session_lock
from pillarbox.mailstore.namespaces.united_account import UnitedAccount
from pillarbox.mailstore.quota.quotas import AccountQuota
from pillarbox.mailstore.store_threads import StoreThreads
from pillarbox.net.channel import Channel, ChannelClosed
from pillarbox.net.connection import Connection
from pillarbox.net.event_loop import new_event_loop
from pillarbox.net.handover import (
    Delivered,
    IndexerReady,
    IndexerWanted,
    Kick,
    Letter,
    Parked,
    Quiet,
    Resume,
    Session,
    SessionClosed,
    ToWorker,
)
from pillarbox.net.startup import Startup
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import Event, EventSink, MailboxNotice, MailSessionEnded, MailUser
from pillarbox.observability.loop_mistakes import tell_loop_mistakes
from pillarbox.observability.mistakes import mistakes
from pillarbox.sessions.ended import AUTOEXPUNGED, Ended
from pillarbox.sessions.imap.options import imap_options
from pillarbox.sessions.imap.parking import ParkedSession
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.sessions.mail_log import MailLog
from pillarbox.sessions.pop3_options import pop3_options
from pillarbox.sessions.pop3_session import Pop3Session
from pillarbox.vocabulary.faults import ConfigurationFault

_QUIET_SECONDS: Final = 60.0
_LAST_WORDS_SECONDS: Final = 2.0
_THREADS: Final = 4
"""Unless these are held up (mailstore/store_threads.py).  They wait for the disk, then for the interpreter: eight
that append to eight mailboxes take a quarter more processor time, and no less time, than four."""
_SWITCH_SECONDS: Final = 0.001
"""After which a thread that parses lets the event loop run (the interpreter's own is 5 ms)."""
_FRAMES: Final = msgspec.msgpack.Decoder(ToWorker)
"""What msgspec has to find out about these types is found out before the fork, not by each worker's channel."""


class AccountWorker:
    """The process."""

    def __init__(
        self,
        channel: "Channel[ToWorker]",
        *,
        settings: MailboxSettings,
        tell: EventSink,
        inotify: Inotify | None,
    ) -> None:
        self._channel = channel
        self._settings = settings
        self._pop3_options = pop3_options(settings)
        self._options = imap_options(settings)
        self._tell = tell
        self._inotify = inotify
        self._clock = SystemClock()
        self._threads = StoreThreads(_THREADS)
        self._commits = CommonCommits(executor=self._threads, fsyncs=background_fsyncs)
        self._tasks = asyncio.TaskGroup()
        self._accounts = OpenAccounts(self._tasks)
        self._serving: set[asyncio.Task[None]] = set()
        self._sessions: set[ImapSession | Pop3Session] = set()  # those that have begun
        self.is_ending = False
        self._ids: dict[ImapSession | Pop3Session, str] = {}
        self._coming: dict[str, bool] = {}  # sessions that have not begun, and whether they were kicked out
        self._seen = 0
        self._unanswered = 0  # letters
        self._parking = SessionParking(
            self,
            after=(settings.imap_hibernate_timeout, settings.park_after),
            inotify=inotify,
            tell=tell,
            logout_format=settings.imap_logout_format,
            ends_need_us=any(one.autoexpunge for one in settings.namespaces[0].mailboxes),
        )
        self._indexers = Indexers(
            lambda: self._send(IndexerWanted()), most=os.cpu_count() or 1, tasks=self._tasks
        )
        self._quotas = AccountQuotas(settings, tell=tell, tasks=self._tasks)
        self._namespaces = AccountNamespaces(
            settings,
            executor=self._threads,
            inotify=inotify,
            tasks=self._tasks,
            commits=self._commits,
        )
        self._letters = LetterBox(
            settings,
            self._answer,
            tell=tell,
            executor=self._threads,
            tasks=self._tasks,
            quotas=self._quotas,
        )

    async def run(self) -> None:
        """Take sessions until the spawner is gone."""
        try:
            await self._run()
        finally:
            self._threads.shutdown(wait=False)  # the interpreter does, before it ends

    async def _run(self) -> None:
        async with self._tasks:
            while (received := await self._channel.receive()) is not None:
                frame, descriptors = received
                self._seen += isinstance(frame, Session | Letter | Resume)
                if isinstance(frame, Resume) and len(descriptors) == 2:
                    self._resume(frame, *descriptors)
                    continue
                for descriptor in descriptors[1:]:
                    os.close(descriptor)
                if descriptors and isinstance(frame, Session):
                    self.begin(Arrival(frame), descriptors[0])
                elif descriptors and isinstance(frame, Letter):
                    self._unanswered += 1
                    self._letters.take(frame, descriptors[0])
                elif descriptors and isinstance(frame, IndexerReady):
                    self._indexers.add(socket.socket(fileno=descriptors[0]))
                elif isinstance(frame, Kick):
                    self._kick(frame.session)
            self.is_ending = True
            for open_session in self._sessions:
                open_session.shutdown()
            self._indexers.close()
            if self._serving:
                await asyncio.wait(self._serving, timeout=_LAST_WORDS_SECONDS)
            for task in self._serving:
                task.cancel()
            self._commits.close()
            await self._accounts.close_unused()
            self._namespaces.close()

    def begin(self, arrival: Arrival, descriptor: int) -> None:
        """Serve a client, from its login or from where another session has left it."""
        self._coming[arrival.session.peer.session] = False
        task = self._tasks.create_task(self._serve(arrival, socket.socket(fileno=descriptor)))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        self._parking.look_soon()

    def _resume(self, resume: Resume, descriptor: int, state: int) -> None:
        """Go on with a session that was parked."""
        try:
            arrival = arrival_of(resume, descriptor, state)
        except msgspec.DecodeError as error:
            self._tell(MailboxNotice("imap", "Error", f"a parked session cannot be read: {error}"))
            os.close(descriptor)
            return
        finally:
            os.close(state)
        self.begin(arrival, descriptor)

    async def _serve(self, arrival: Arrival, sock: socket.socket) -> None:
        session_id = arrival.session.peer.session
        is_parked = False
        try:
            is_parked = await self._serve_client(arrival, sock)
        finally:
            self._coming.pop(session_id, None)
            if not is_parked:
                self._send(SessionClosed(session_id))

    async def _serve_client(self, arrival: Arrival, sock: socket.socket) -> bool:
        """A client to its end; True if it was parked, and the end is elsewhere."""
        session = arrival.session
        loop = asyncio.get_running_loop()
        sock.setblocking(False)
        _, connection = await loop.connect_accepted_socket(Connection, sock)
        connection.send(arrival.unsent)
        connection.unreceive(arrival.unread)
        try:
            place = place_of(
                self._settings.storage,
                session.mail,
                user=session.user,
                home=session.home,
                fields=session.fields,
            )
            has_quota = self._settings.has_plugin("quota", session.peer.service)
            quota = self._quotas.of(session.user, session.home, place, session.fields) if has_quota else None
            opened = self._accounts.take(
                (session.user, place.path), lambda: self._open(session, place, quota)
            )
        except ConfigurationFault as fault:
            self._tell(MailboxNotice(session.mail_user, "Error", str(fault)))
            connection.close()
            return False
        try:
            if arrival.parked is None:
                self._note_beginning(session, place)
            if not opened.has_defaults:
                await opened.account.ensure_defaults()
                opened.has_defaults = True
            if quota is not None and quota.has_over_flags and arrival.parked is None:
                await loop.run_in_executor(self._threads, quota.session_begins)
            ended = await self._run_session(connection, arrival, opened.account, place)
            if ended is None:
                return True
            await self._end_session(session, ended, opened.account)
            return False
        except (StoreUnavailable, ConfigurationFault) as fault:
            self._tell(MailboxNotice(session.mail_user, "Error", str(fault)))
            return False
        except Exception as error:  # one session's bug must not end the others
            for mistake in mistakes(error):
                self._tell(MailboxNotice(session.mail_user, "Fatal", mistake))
            return False
        finally:
            connection.close()
            if not self._sessions:
                loop.call_later(_QUIET_SECONDS, self._say_quiet, self._seen)
            await self._accounts.give_back(opened)

    def _note_beginning(self, session: Session, place: Storage) -> None:
        """What mail_debug logs of a session, and when its user was here last."""
        peer = session.peer
        if peer.service in self._settings.mail_debug:
            for text in session_facts(self._settings, user=session.user, home=session.home, place=place):
                self._tell(MailboxNotice(session.mail_user, "Debug", text))
        if self._settings.has_plugin("last_login", peer.service):
            who = (self._settings.plugin, session.mail_user, session.home)
            self._tasks.create_task(self._note_login(*who))

    async def _note_login(self, plugin: dict[str, str], who: MailUser, home: str) -> None:
        loop = asyncio.get_running_loop()

        def tell(event: Event) -> None:
            loop.call_soon_threadsafe(self._tell, event)

        await loop.run_in_executor(self._threads, note_login, plugin, who, home, tell)

    def _open(self, session: Session, place: Storage, quota: AccountQuota | None) -> MaildirAccount:
        """The account of a session, which others may share.  ConfigurationFault."""
        attributes = attribute_file_of(
            self._settings.mail_attribute_dict, user=session.user, home=session.home
        )
        account = MaildirAccount(
            place,
            clock=self._clock,
            executor=self._threads,
            inotify=self._inotify,
            indexers=self._indexers,
            mailboxes=self._settings.namespaces[0].mailboxes,
            attributes=attributes,
            quota=quota,
            packing=self._settings.packing,
            index_policy=IndexPolicy(self._settings.search_index),
            commits=self._commits,
        )
        user = SessionUser(session.user, session.home, place)
        self._namespaces.keep_expunged(account, user, session.fields)
        return account

    async def _run_session(
        self, connection: Connection, arrival: Arrival, account: MaildirAccount, place: Storage
    ) -> Ended | None:
        """A whole session and its end; None if it was parked, and is not over."""
        session = arrival.session
        served: ImapSession | Pop3Session
        united: Account | None = None
        if session.peer.service == "imap":
            united = self._namespaces.account(session.user, session.home, place, session.fields, account)
            served = ImapSession(
                connection,
                united,
                clock=self._clock,
                sink=self._tell,
                login_tag=session.tag,
                tells_capabilities_apart=session.asked_capabilities,
                unread=session.unread,
                options=msgspec.structs.replace(
                    self._options, user=session.user, log_values=session.log_values
                ),
                parked=arrival.parked,
                account_of=self._namespaces.of_user,
            )
        else:
            served = Pop3Session(
                connection,
                account,
                sink=self._tell,
                unread=session.unread,
                options=self._pop3_options,
                lock=self._pop3_lock(place),
                mail_user=session.mail_user,
                user=session.log_values,
                mail_log=self._mail_log(session),
            )
        self._sessions.add(served)
        self._ids[served] = session.peer.session
        if self._coming.pop(session.peer.session) or self.is_ending:  # it was handed over at the last moment
            served.shutdown()
        parked: ParkedSession | None = None
        try:
            ended = await served.run()
            if isinstance(served, ImapSession) and served.parked is not None:
                parked = served.parked
                heard = msgspec.structs.replace(session, unread=b"")  # what came with the login
                self._parking.note_leaving(Leaving(heard, parked, *connection.detach()))
        finally:
            self._sessions.remove(served)
            del self._ids[served]
            if isinstance(united, UnitedAccount):
                await united.close()
        if parked is not None:
            return None
        return ended

    async def _end_session(self, session: Session, ended: Ended, account: MaildirAccount) -> None:
        """What is to be done when a client has gone, and a line in the log.  StoreUnavailable."""
        removed: dict[str, int] = {}
        try:
            definitions = self._settings.namespaces[0].mailboxes
            log = self._mail_log(session)
            removed = await autoexpunge(account, definitions, now=self._clock.now(), expunge=log.autoexpunge)
        finally:
            figures = ended.figures.replace(AUTOEXPUNGED, str(sum(removed.values())))
            peer = session.peer
            where = (peer.remote, peer.local, session.fields)
            self._tell(
                MailSessionEnded(peer.service, session.user, peer.session, ended.reason, figures, *where)
            )
            if peer.service in self._settings.mail_debug:
                self._tell(MailboxNotice(session.mail_user, "Debug", "User session is finished"))

    def _mail_log(self, session: Session) -> MailLog:
        who = session.mail_user
        return MailLog(
            self._settings.mail_log_of(who.service),
            lambda text: self._tell(MailboxNotice(who, "Info", text)),
        )

    def _pop3_lock(self, place: Storage) -> AbstractAsyncContextManager[None] | None:
        if not self._settings.pop3_lock_session:
            return None
        return session_lock(os.fsencode(place.index or place.path), files=DISK, clock=self._clock)

    def _answer(self, delivered: Delivered) -> None:
        """A message was stored, or not."""
        self._unanswered -= 1
        self._send(delivered)
        if not self._sessions:
            asyncio.get_running_loop().call_later(_QUIET_SECONDS, self._say_quiet, self._seen)

    def _send(self, frame: object) -> None:
        try:
            self._channel.send(frame)
        except ChannelClosed:
            return  # run() sees it, too

    def _kick(self, session_id: str) -> None:
        """doveadm kick: the client is told BYE."""
        if session_id in self._coming:
            self._coming[session_id] = True
        for served, known in self._ids.items():
            if known == session_id:
                served.shutdown()

    # -- what SessionParking asks -----------------------------------------------------------------------

    @property
    def sessions(self) -> list[ImapSession | Pop3Session]:
        """Those that have begun."""
        return list(self._sessions)

    @property
    def seen(self) -> int:
        """How many sessions and letters have come since the start."""
        return self._seen

    @property
    def is_shared(self) -> bool:
        """Whether there are sessions of several users."""
        return self._accounts.are_shared

    @property
    def has_work(self) -> bool:
        """Whether there is more to do than to wait for clients."""
        return self._unanswered > 0 or len(self._serving) != len(self._sessions) or self._accounts.are_busy

    async def close_accounts(self) -> None:
        """No session is there: what is known of the mailboxes is written down."""
        if self._serving:
            await asyncio.wait(set(self._serving))
        await self._accounts.close_unused()

    def give_away(self, parked: Sequence[tuple[Parked, int, int]], watch: int) -> None:
        """Sessions with their connections and states, and what watches their mailboxes, go to the spawner."""
        try:
            for frame, descriptor, state in parked:
                self._channel.send(frame, [descriptor, state])
            self._channel.send(Quiet(self._seen), [watch] if watch >= 0 else [])
        except ChannelClosed:
            return  # the spawner is gone, and clients see it

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Do something in the background."""
        self._tasks.create_task(work)

    def _say_quiet(self, seen: int) -> None:
        """Nothing came since: offer to go.  The spawner closes the channel if it agrees."""
        if self._sessions or seen != self._seen:
            return
        try:
            self._channel.send(Quiet(seen))
        except ChannelClosed:
            return  # run() sees it, too


def serve_sessions(sock: socket.socket, startup: Startup, settings: MailboxSettings) -> None:
    """A worker's life, from the fork on."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve_sessions(sock, startup, settings))


async def _serve_sessions(sock: socket.socket, startup: Startup, settings: MailboxSettings) -> None:
    loop = asyncio.get_running_loop()
    log = open_log(startup, schedule=loop.call_soon)
    tell_loop_mistakes(loop, log)
    channel: Channel[ToWorker] = Channel(sock, ToWorker)
    try:
        await AccountWorker(channel, settings=settings, tell=log, inotify=open_inotify(loop)).run()
    finally:
        log.flush()
