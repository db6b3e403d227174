"""The spawner: finds or forks the worker of an account, and passes the session to it.

DESCRIPTION
    The role stays root (or, rootless, the invoking user) and is tiny: a loop over sockets, no threads.  A login
    process hands it a session with a ticket.  It redeems the ticket at the auth server's master socket
    (account_lookup.py), and takes user, uid, gid and home from that answer alone.

    Workers are forked from this process, which has imported all they need.  All sessions of an account go to the
    same worker; accounts of the mail uid are spread over as many workers as there are cores.  A worker that has
    much to read gets indexers, forked in the same way.

    A worker whose clients all rest goes, and leaves them here (daemons/parked_sessions.py) until one of them says
    something, a mailbox changes, or somebody else comes for the same worker: then a new one goes on with them.

FAULTS
    A ticket that cannot be redeemed, a uid below first_valid_uid, more sessions of a client than
    mail_max_userip_connections: the login process is told, and tells the client.
"""

import gc
import itertools
import os
import selectors
import signal
import socket
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.daemons.account_lookup import (
    INTERNAL_ERROR,
    AccountLookup,
    FoundAccount,
    NoAccount,
    of_account,
    refused_owner,
)
from pillarbox.daemons.account_worker import serve_sessions
from pillarbox.daemons.indexer import serve_indexing
from pillarbox.daemons.parked_sessions import (
    Group,
    Key,
    ParkedSession,
    ParkedSessions,
)
from pillarbox.daemons.session_register import SessionRegister
from pillarbox.daemons.sessions_door import SessionsDoor
from pillarbox.daemons.spawner_peers import Asked, Client, Worker, close_all, hear, write_now
from pillarbox.daemons.startup import drop_rights, open_log
from pillarbox.net import last_seconds
from pillarbox.net.accepting import Acceptor
from pillarbox.net.channel import FrameReader
from pillarbox.net.descriptors import allow_all_descriptors
from pillarbox.net.handover import (
    Delivered,
    DeliverMail,
    Handover,
    HandoverDone,
    IndexerReady,
    IndexerWanted,
    Kick,
    Letter,
    OpenSession,
    Parked,
    Peer,
    Quiet,
    Resume,
    Session,
    SessionClosed,
)
from pillarbox.net.startup import Drain, Draining, FromSupervisor, Ready, Startup, Stop, User
from pillarbox.observability.events import MailboxNotice, MailUser
from pillarbox.observability.mistakes import mistakes

_INTERNAL_BYE = b"* BYE Internal error occurred. Refer to server log for more information.\r\n"
_MAX_LAST_WORKERS: Final = 64
"""Workers that are started for autoexpunge of parked sessions when the server ends; there are seconds for it."""


class Spawner:
    """The role's loop."""

    def __init__(self, startup: Startup, settings: MailboxSettings) -> None:
        self._startup = startup
        self._settings = settings
        self._rootless = os.getuid() != 0
        self._tell = open_log(startup)
        self._control = socket.socket(fileno=startup.control)
        self._listener = socket.socket(fileno=startup.listeners["spawner"])
        self._acceptor = Acceptor(self._listener, tell=self._tell_error)
        self._selector = selectors.DefaultSelector()
        self._workers: dict[Key, Worker] = {}
        self._parked = ParkedSessions(
            self._selector,
            self._wake,
            interval=settings.imap_idle_notify_interval,
            tell=self._tell,
            forget=self._forget,
        )
        self._clients: dict[int, Client] = {}
        self._asked: dict[int, Asked] = {}  # by descriptor
        self._letters = itertools.count(1)
        self._sessions = SessionRegister()
        self._rules = settings.connection_rules()
        self._door = SessionsDoor(
            socket.socket(fileno=startup.listeners["sessions"]),
            self._selector,
            self._sessions,
            base_dir=settings.base_dir,
            kick=self._kick,
            tell=self._tell_error,
        )
        self._accounts = AccountLookup(
            f"{settings.base_dir}/auth-master", opened=self._register, closing=self._selector.unregister
        )
        self._orders: FrameReader[FromSupervisor] = FrameReader(msgspec.msgpack.Decoder(FromSupervisor))
        self._draining = False
        self._running = True

    def serve(self) -> None:
        """Run until the supervisor says Stop or is gone."""
        self._register(self._control, self._hear_supervisor)
        self._register(self._listener, self._accept)
        self._door.open()
        allow_all_descriptors()  # each parked client takes two
        self._accounts.connect()  # this generation's: it alone knows the logins of this generation's clients
        gc.freeze()  # workers share these pages as long as no collection writes into them
        write_now(self._control, Ready(os.getpid()))
        while self._running:
            for key, _ in self._selector.select(self._parked.seconds_left()):
                if self._running:
                    key.data()
            self._parked.on_time()
        for group in [group for group in self._parked if group.needs_worker][:_MAX_LAST_WORKERS]:
            self._wake(group.key)
        for worker in self._workers.values():
            worker.sock.close()
        self._parked.end()
        self._door.close()

    def _register(self, sock: socket.socket, act: Callable[[], None]) -> None:
        self._selector.register(sock, selectors.EVENT_READ, act)

    def _hear_supervisor(self) -> None:
        """Stop, or Drain: a new generation takes over, what this one has is served to its end."""
        orders, is_over = hear(self._control, self._orders)
        for order, descriptors in orders:
            if descriptors:
                self._tell.redirect(*descriptors)
            if isinstance(order, Drain) and not self._draining:
                self._draining = True
                self._selector.unregister(self._listener)
                self._listener.close()
                self._move_door()
                write_now(self._control, Draining())
            elif isinstance(order, Stop):
                self._running = False
        if is_over:
            self._running = False
        self._end_if_drained()

    def _move_door(self) -> None:
        try:
            self._door.move()
        except OSError as error:
            self._tell(MailboxNotice("master", "Warning", f"doveadm who will miss sessions: {error}"))

    def _tell_error(self, text: str) -> None:
        self._tell(MailboxNotice("master", "Error", text))

    def _end_if_drained(self) -> None:
        if self._draining and not self._workers and not self._clients and not self._parked:
            self._running = False

    # -- login processes -------------------------------------------------------------------------------

    def _accept(self) -> None:
        sock = self._acceptor.accept()
        if sock is None:
            return
        sock.setblocking(False)
        client = Client(sock)
        self._clients[sock.fileno()] = client
        self._register(sock, lambda: self._hear_client(client))

    def _hear_client(self, client: Client) -> None:
        frames, is_over = hear(client.sock, client.reader)
        for frame, descriptors in frames:
            if len(descriptors) == 1:
                self._ask(Asked(client, frame, descriptors[0]))
            else:
                close_all(descriptors)
        if is_over:
            self._selector.unregister(client.sock)
            self._clients.pop(client.sock.fileno(), None)
            client.sock.close()
            self._end_if_drained()

    def _refuse(self, asked: Asked, refusal: str, reply: bytes = INTERNAL_ERROR) -> None:
        """Tell the client: `refusal` for the log, `reply` for whoever sent a message."""
        os.close(asked.descriptor)
        if isinstance(asked.frame, Handover):
            write_now(asked.client.sock, HandoverDone(asked.frame.number, refusal=refusal))
            return
        self._tell(MailboxNotice(MailUser("lmtp", asked.frame.user, asked.frame.session), "Error", refusal))
        write_now(asked.client.sock, Delivered(asked.frame.number, reply))

    # -- the auth server -------------------------------------------------------------------------------

    def _ask(self, asked: Asked) -> None:
        """Whose login it is, or whose mail."""
        self._asked[asked.descriptor] = asked

        def answered(found: FoundAccount | NoAccount) -> None:
            del self._asked[asked.descriptor]
            if isinstance(found, NoAccount):
                self._refuse(asked, found.refusal, found.reply)
            else:
                self._pass_on(asked, found)

        self._accounts.ask(asked.frame, answered)

    # -- workers ---------------------------------------------------------------------------------------

    def _pass_on(self, asked: Asked, found: FoundAccount) -> None:
        """To the worker of the account, or refused."""
        refusal = refused_owner(self._settings, found.uid, found.gid)
        if refusal:
            self._refuse(asked, refusal)
            return
        name = found.user.decode("utf-8", "replace")
        if isinstance(asked.frame, Handover) and (limit := self._exceeded_limit(name, asked.frame.peer)):
            os.close(asked.descriptor)
            write_now(asked.client.sock, HandoverDone(asked.frame.number, limit=limit))
            return
        groups_of = found.fields.get(b"system_groups_user", b"").decode("utf-8", "replace")
        try:
            worker = self._worker(found.user, found.uid, found.gid, groups_of, client=asked.descriptor)
        except OSError as error:  # no room for processes
            self._refuse(asked, f"no worker: {error}")
            return
        worker.sessions += 1
        frame = asked.frame
        if isinstance(frame, Handover):
            is_taken = self._hand_over(asked, frame, worker, name, found.fields)
        else:
            is_taken = self._pass_letter(asked, frame, worker, name, found.fields)
        if is_taken:
            os.close(asked.descriptor)
        else:
            self._refuse(asked, "no worker")

    def _hand_over(
        self, asked: Asked, frame: Handover, worker: Worker, user: str, account: Mapping[bytes, bytes]
    ) -> bool:
        """A client goes to the worker, and login is told; False if the worker is gone."""
        peer = self._sessions.distinct(frame.peer)
        home, mail, fields = of_account(account)
        session = Session(peer, user, home, mail, frame.tag, frame.unread, fields, frame.asked_capabilities)
        if not write_now(worker.sock, session, asked.descriptor):
            return False
        self._sessions[peer.session] = OpenSession(
            user, peer.service, worker.pid, peer.remote, peer.session, peer.local
        )
        write_now(asked.client.sock, HandoverDone(frame.number, worker.pid))
        return True

    def _pass_letter(
        self, asked: Asked, frame: DeliverMail, worker: Worker, user: str, account: Mapping[bytes, bytes]
    ) -> bool:
        """A message goes to the worker, whose answer is awaited; False if the worker is gone."""
        number = next(self._letters)
        home, mail, fields = of_account(account)
        letter = Letter(
            number,
            user,
            home,
            mail,
            frame.detail,
            frame.session,
            fields,
            frame.head,
            frame.only_asks,
            frame.asked_size,
            frame.envelope,
        )
        if not write_now(worker.sock, letter, asked.descriptor):
            return False
        worker.letters[number] = (asked.client, frame.number)
        return True

    def _exceeded_limit(self, user: str, peer: Peer) -> int:
        """mail_max_userip_connections, if there are as many already; otherwise 0."""
        limit = int(
            self._rules.value(
                "mail_max_userip_connections", protocol=peer.service, local=peer.local, remote=peer.remote
            )
        )
        return limit if self._sessions.count(user, peer.remote, peer.service) >= limit else 0

    def _worker(self, user: bytes, uid: int, gid: int, groups_of: str, *, client: int) -> Worker:
        """The worker of an account: always the same as long as it lives.  A new one must not inherit `client`."""
        slot = zlib.crc32(user) % max(1, os.cpu_count() or 1)
        key = (uid, gid, slot)
        if key in self._parked:
            self._wake(key, client)
        if key not in self._workers:
            own = os.getgrouplist(groups_of, gid) if groups_of and not self._rootless else ()
            groups = tuple(dict.fromkeys((*own, *self._settings.mail_access_groups)))
            self._start_worker(key, User(uid, gid, groups), client)
        return self._workers[key]

    def _start_worker(self, key: Key, owner: User, *not_inherited: int) -> Worker:
        pid, ours = self._fork(self._serve_sessions, owner, *not_inherited)
        worker = self._workers[key] = Worker(pid, ours, owner)
        self._register(ours, lambda: self._hear_worker(key, worker))
        return worker

    def _fork(
        self, serve: Callable[[socket.socket], None], owner: User, *not_inherited: int
    ) -> tuple[int, socket.socket]:
        """A process with the owner's rights; its pid and our end of the channel to it."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        spawner = os.getpid()
        pid = os.fork()
        if pid == 0:
            for descriptor in not_inherited:
                os.close(descriptor)
            self._become(serve, theirs, ours, owner, spawner)
        theirs.close()
        return pid, ours

    def _become(
        self,
        serve: Callable[[socket.socket], None],
        theirs: socket.socket,
        ours: socket.socket,
        owner: User,
        spawner: int,
    ) -> None:
        """In the child: close what is not ours to use, drop rights, serve."""
        status = 1
        try:
            ours.close()
            self._selector.close()
            for sock in (self._control, self._listener, *self._door.sockets, *self._accounts.sockets):
                sock.close()
            for client in self._clients.values():
                client.sock.close()
            for other in self._workers.values():
                other.sock.close()
                for session in other.parked:
                    session.close()
            for group in self._parked:
                group.close()
            for asked in self._asked.values():
                os.close(asked.descriptor)
            drop_rights(None if self._rootless else owner)
            last_seconds.begin_with_parents_end(spawner)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            serve(theirs)
            status = 0
        except Exception as error:
            what = "indexer" if serve is serve_indexing else "account worker"
            for mistake in mistakes(error):
                self._tell(MailboxNotice("master", "Fatal", f"{what} {os.getpid()}: {mistake}"))
        finally:
            os._exit(status)

    def _serve_sessions(self, sock: socket.socket) -> None:
        serve_sessions(sock, self._startup, self._settings)

    def _give_indexer(self, worker: Worker) -> None:
        """A process of the worker's rights that reads messages for it."""
        try:
            _, channel = self._fork(serve_indexing, worker.owner)
        except OSError as error:  # no room for processes: the worker reads for itself
            self._tell(MailboxNotice("master", "Warning", f"no indexer: {error}"))
            return
        write_now(worker.sock, IndexerReady(), channel.fileno())
        channel.close()

    def _hear_worker(self, key: tuple[int, int, int], worker: Worker) -> None:
        frames, is_over = hear(worker.sock, worker.reader)
        quiet = False
        for frame, descriptors in frames:
            if isinstance(frame, Parked):
                self._note_parked(worker, frame, descriptors)
            elif isinstance(frame, Quiet):
                quiet = frame.seen == worker.sessions and (not worker.parked or self._parked.has_room)
                self._keep_parked(key, worker, descriptors, goes=quiet)
            elif descriptors:
                close_all(descriptors)
            elif isinstance(frame, IndexerWanted):
                self._give_indexer(worker)
            elif isinstance(frame, SessionClosed):
                self._sessions.pop(frame.session, None)
            elif (waiting := worker.letters.pop(frame.number, None)) is not None:
                client, number = waiting
                write_now(client.sock, Delivered(number, frame.reply))
        if is_over or quiet:
            if is_over:
                self._tell(MailboxNotice("master", "Error", f"account worker {worker.pid} died"))
            for gone in [one.session for one in self._sessions.values() if one.pid == worker.pid]:
                del self._sessions[gone]
            for client, number in worker.letters.values():
                write_now(client.sock, Delivered(number, INTERNAL_ERROR))
            self._selector.unregister(worker.sock)
            worker.sock.close()
            del self._workers[key]
            if worker.parked:  # it died before it could say who watches their mailboxes
                self._keep_parked(key, worker, [], goes=True)
                self._wake(key)
            self._end_if_drained()

    def _kick(self, sessions: list[str]) -> None:
        """doveadm kick."""
        wanted = set(sessions)
        for group in self._parked:
            if any(session.known.session in wanted for session in group.sessions):
                self._wake(group.key)
        by_pid = {worker.pid: worker for worker in self._workers.values()}
        for name in sessions:
            known = self._sessions.get(name)
            if known is not None and known.pid in by_pid:
                write_now(by_pid[known.pid].sock, Kick(name))

    # -- sessions without a worker ---------------------------------------------------------------------

    def _note_parked(self, worker: Worker, frame: Parked, descriptors: list[int]) -> None:
        """A session that this worker has, and gives away."""
        known = self._sessions.get(frame.session)
        try:
            if known is None or known.pid != worker.pid:
                raise ValueError("not its session")
            connection, state = descriptors
            session = ParkedSession.of(connection, state, frame, known)
        except (OSError, ValueError):  # it was no worker of ours that made this
            close_all(descriptors)
            return
        self._sessions[frame.session] = msgspec.structs.replace(known, pid=os.getpid())
        worker.parked.append(session)

    def _keep_parked(self, key: Key, worker: Worker, descriptors: list[int], *, goes: bool) -> None:
        """Keep what the worker has given away, or give it back: somebody is on the way to the same worker."""
        sessions, worker.parked = worker.parked, []
        watch = descriptors[0] if len(descriptors) == 1 else -1
        if not sessions or watch < 0:
            close_all(descriptors)
        if not sessions:
            return
        group = Group(key, worker.owner, sessions, watch)
        if goes:
            self._parked.add(group)
        else:
            self._give_back(group, worker)

    def _forget(self, known: OpenSession) -> None:
        """The client of a parked session has gone."""
        self._sessions.pop(known.session, None)
        self._end_if_drained()

    def _wake(self, key: Key, *not_inherited: int) -> None:
        """A parked client has said something, or a mailbox has changed: a worker goes on with them."""
        group = self._parked.take(key)
        if group is None:
            return
        try:
            worker = self._workers.get(key) or self._start_worker(
                key, group.owner, *not_inherited, *group.descriptors
            )
        except OSError as error:  # no room for processes
            self._tell(MailboxNotice("master", "Error", f"no worker for parked sessions: {error}"))
            for session in group.sessions:
                session.send(_INTERNAL_BYE)
                self._sessions.pop(session.known.session, None)
            group.close()
            self._end_if_drained()
            return
        self._give_back(group, worker)

    def _give_back(self, group: Group, worker: Worker) -> None:
        """Each session with its connection; whoever cannot be reached any more has lost it."""
        for session in group.sessions:
            known = session.known
            worker.sessions += 1
            resume = Resume(session.sent, session.unsent)
            if write_now(worker.sock, resume, session.connection.fileno(), session.state):
                self._sessions[known.session] = msgspec.structs.replace(known, pid=worker.pid)
            else:
                self._sessions.pop(known.session, None)
        group.close()


def main(startup: Startup) -> None:
    """Entry of the role."""
    last_seconds.begin_with_parents_end(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # workers are reaped by the kernel
    Spawner(startup, MailboxSettings.decode(startup.settings)).serve()
