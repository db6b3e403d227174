"""The spawner: finds or forks the worker of an account, and passes the session to it.

DESCRIPTION
    The role stays root (or, rootless, the invoking user) and is tiny: a loop over sockets, no threads.  A login
    process hands it a session with a ticket.  It redeems the ticket at the auth server's master socket
    (account_lookup.py), and takes user, uid, gid and home from that answer alone.

    Workers are forked from this process, which has imported all they need.  All sessions of an account go to the
    same worker; accounts of the mail uid are spread over as many workers as there are cores.  A worker that has
    much to read gets indexers, forked in the same way.

FAULTS
    A ticket that cannot be redeemed, a uid below first_valid_uid: the login process is told, and tells the client.
"""

import gc
import itertools
import os
import selectors
import signal
import socket
import sys
import zlib
from collections.abc import Callable

import msgspec

from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.daemons.account_lookup import INTERNAL_ERROR, AccountLookup, FoundAccount, NoAccount
from pillarbox.daemons.account_worker import serve_sessions
from pillarbox.daemons.indexer import serve_indexing
from pillarbox.daemons.startup import drop_rights, open_log, read_startup
from pillarbox.net import last_seconds, sessions_doors
from pillarbox.net.channel import ChannelClosed, FrameReader, FrameWriter, receive_available
from pillarbox.net.handover import (
    Delivered,
    FromAdmin,
    FromWorker,
    Handover,
    HandoverDone,
    IndexerReady,
    IndexerWanted,
    Kick,
    KickOut,
    Letter,
    OpenSession,
    OpenSessions,
    Quiet,
    Session,
    SessionClosed,
    ToSpawner,
)
from pillarbox.net.startup import Drain, FromSupervisor, Ready, Startup, Stop, User
from pillarbox.observability.events import MailboxNotice

_ACCOUNT_FIELDS = frozenset((b"uid", b"gid", b"home", b"mail", b"system_groups_user", b"auth_mech"))
"""What the userdb says that workers need not hear again."""


class _Worker:
    """A worker process, as the spawner sees it."""

    def __init__(self, pid: int, sock: socket.socket, owner: User) -> None:
        self.pid = pid
        self.sock = sock
        self.owner = owner
        self.reader: FrameReader[FromWorker] = FrameReader(msgspec.msgpack.Decoder(FromWorker))
        self.sessions = 0
        self.letters: dict[int, tuple[_Client, int]] = {}  # who waits for which number of his


class _Client:
    """A login process's channel, or that of the LMTP server."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reader: FrameReader[ToSpawner] = FrameReader(msgspec.msgpack.Decoder(ToSpawner))


class _Asked(msgspec.Struct, frozen=True):
    """A question to the auth server, and for whom it was."""

    client: _Client
    frame: ToSpawner
    descriptor: int


class Spawner:
    """The role's loop."""

    def __init__(self, startup: Startup, settings: MailboxSettings) -> None:
        self._startup = startup
        self._settings = settings
        self._rootless = os.getuid() != 0
        self._tell = open_log(startup)
        self._control = socket.socket(fileno=startup.control)
        self._listener = socket.socket(fileno=startup.listeners["spawner"])
        self._admin = socket.socket(fileno=startup.listeners["sessions"])
        self._selector = selectors.DefaultSelector()
        self._workers: dict[tuple[int, int, int], _Worker] = {}
        self._clients: dict[int, _Client] = {}
        self._admins: dict[int, socket.socket] = {}
        self._asked: dict[int, _Asked] = {}  # by descriptor
        self._letters = itertools.count(1)
        self._sessions: dict[str, OpenSession] = {}
        self._accounts = AccountLookup(
            f"{settings.base_dir}/auth-master", opened=self._register, closing=self._selector.unregister
        )
        self._orders: FrameReader[FromSupervisor] = FrameReader(msgspec.msgpack.Decoder(FromSupervisor))
        self._draining = False
        self._running = True

    def serve(self) -> None:
        """Run until the supervisor says Stop or is gone."""
        self._listener.setblocking(False)
        self._register(self._control, self._hear_supervisor)
        self._register(self._listener, self._accept)
        self._admin.setblocking(False)
        self._register(self._admin, self._accept_admin)
        self._accounts.connect()  # this generation's: it alone knows the logins of this generation's clients
        gc.freeze()  # workers share these pages as long as no collection writes into them
        _write(self._control, Ready(os.getpid()))
        while self._running:
            for key, _ in self._selector.select():
                if self._running:
                    key.data()
        for worker in self._workers.values():
            worker.sock.close()
        if self._draining:
            sessions_doors.close_own(self._settings.base_dir)

    def _register(self, sock: socket.socket, act: Callable[[], None]) -> None:
        self._selector.register(sock, selectors.EVENT_READ, act)

    def _hear_supervisor(self) -> None:
        """Stop, or Drain: a new generation takes over, what this one has is served to its end."""
        try:
            data, passed = receive_available(self._control)
            orders = self._orders.feed(data, passed) if data else []
        except BlockingIOError:
            return
        except (OSError, ChannelClosed):
            data, orders = b"", []
        for order, descriptors in orders:
            for descriptor in descriptors:
                self._tell.redirect(descriptor)
            if isinstance(order, Drain) and not self._draining:
                self._draining = True
                for sock in (self._listener, self._admin):
                    self._selector.unregister(sock)
                    sock.close()
                self._open_own_door()
            elif isinstance(order, Stop):
                self._running = False
        if not data:
            self._running = False
        self._end_if_drained()

    def _open_own_door(self) -> None:
        """The next generation has doveadm's door now: ours, for as long as we have sessions, is another."""
        try:
            self._admin = sessions_doors.open_own(self._settings.base_dir)
        except OSError as error:
            self._tell(MailboxNotice("master", "Warning", f"doveadm who will miss sessions: {error}"))
            return
        self._register(self._admin, self._accept_admin)

    def _end_if_drained(self) -> None:
        if self._draining and not self._workers and not self._clients:
            self._running = False

    # -- login processes -------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        client = _Client(sock)
        self._clients[sock.fileno()] = client
        self._register(sock, lambda: self._hear_client(client))

    def _hear_client(self, client: _Client) -> None:
        try:
            data, passed = receive_available(client.sock)
            frames = client.reader.feed(data, passed) if data else []
        except BlockingIOError:
            return
        except (OSError, ChannelClosed):
            data, frames = b"", []
        for frame, descriptors in frames:
            if len(descriptors) == 1:
                self._ask(_Asked(client, frame, descriptors[0]))
        if not data:
            self._selector.unregister(client.sock)
            self._clients.pop(client.sock.fileno(), None)
            client.sock.close()
            self._end_if_drained()

    def _refuse(self, asked: _Asked, refusal: str, reply: bytes = INTERNAL_ERROR) -> None:
        """Tell the client: `refusal` for the log, `reply` for whoever sent a message."""
        os.close(asked.descriptor)
        if isinstance(asked.frame, Handover):
            _write(asked.client.sock, HandoverDone(asked.frame.number, refusal=refusal))
            return
        self._tell(MailboxNotice(f"lmtp({asked.frame.user})", "Error", refusal))
        _write(asked.client.sock, Delivered(asked.frame.number, reply))

    # -- doveadm ---------------------------------------------------------------------------------------

    def _accept_admin(self) -> None:
        try:
            sock, _ = self._admin.accept()
        except OSError:
            return
        sock.setblocking(False)
        reader: FrameReader[FromAdmin] = FrameReader(msgspec.msgpack.Decoder(FromAdmin))
        self._admins[sock.fileno()] = sock
        self._register(sock, lambda: self._hear_admin(sock, reader))

    def _hear_admin(self, sock: socket.socket, reader: FrameReader[FromAdmin]) -> None:
        try:
            data, passed = receive_available(sock)
            frames = reader.feed(data, passed) if data else []
        except BlockingIOError:
            return
        except (OSError, ChannelClosed):
            data, frames = b"", []
        for frame, descriptors in frames:
            for descriptor in descriptors:
                os.close(descriptor)
            if isinstance(frame, KickOut):
                self._kick(frame.sessions)
            _write(sock, OpenSessions(list(self._sessions.values())))
        if not data:
            self._selector.unregister(sock)
            self._admins.pop(sock.fileno(), None)
            sock.close()

    def _kick(self, sessions: list[str]) -> None:
        by_pid = {worker.pid: worker for worker in self._workers.values()}
        for name in sessions:
            known = self._sessions.get(name)
            if known is not None and known.pid in by_pid:
                _write(by_pid[known.pid].sock, Kick(name))

    # -- the auth server -------------------------------------------------------------------------------

    def _ask(self, asked: _Asked) -> None:
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

    def _pass_on(
        self,
        asked: _Asked,
        found: FoundAccount,
    ) -> None:
        refusal = self._refusal(found.uid, found.gid)
        if refusal:
            self._refuse(asked, refusal)
            return
        account = found.fields
        groups_of = account.get(b"system_groups_user", b"").decode("utf-8", "replace")
        worker = self._worker(found.user, found.uid, found.gid, groups_of, client=asked.descriptor)
        worker.sessions += 1
        name = found.user.decode("utf-8", "replace")
        home, mail = os.fsdecode(account.get(b"home", b"")), os.fsdecode(account.get(b"mail", b""))
        fields = {
            key.decode("utf-8", "replace"): os.fsdecode(value)
            for key, value in account.items()
            if key not in _ACCOUNT_FIELDS
        }
        frame = asked.frame
        if isinstance(frame, Handover):
            session = Session(frame.peer, name, home, mail, frame.tag, frame.unread, fields)
            peer = frame.peer
            if _write(worker.sock, session, asked.descriptor):
                self._sessions[peer.session] = OpenSession(
                    name, peer.service, worker.pid, peer.remote, peer.session
                )
                _write(asked.client.sock, HandoverDone(frame.number, worker.pid))
                os.close(asked.descriptor)
            else:
                self._refuse(asked, "no worker")
            return
        number = next(self._letters)
        letter = Letter(number, name, home, mail, frame.detail, frame.session, fields, frame.head)
        if _write(worker.sock, letter, asked.descriptor):
            worker.letters[number] = (asked.client, frame.number)
            os.close(asked.descriptor)
        else:
            self._refuse(asked, "no worker")

    def _refusal(self, uid: int, gid: int) -> str:
        if self._rootless and uid != os.getuid():
            return f"uid {uid} is not ours, and we are not root"
        settings = self._settings
        if not self._rootless and uid == 0:
            return "Mail access for users with UID 0 not permitted (this is always denied)"
        if uid < settings.first_valid_uid or (settings.last_valid_uid and uid > settings.last_valid_uid):
            return (
                f"Mail access for users with UID {uid} not permitted "
                f"(see first_valid_uid in config file, uid from userdb lookup)."
            )
        if gid < settings.first_valid_gid or (settings.last_valid_gid and gid > settings.last_valid_gid):
            return (
                f"Mail access for users with GID {gid} not permitted "
                f"(see first_valid_gid in config file, gid from userdb lookup)."
            )
        return ""

    def _worker(self, user: bytes, uid: int, gid: int, groups_of: str, *, client: int) -> _Worker:
        """The worker of an account: always the same as long as it lives.  A new one must not inherit `client`."""
        slot = zlib.crc32(user) % max(1, os.cpu_count() or 1)
        key = (uid, gid, slot)
        if key not in self._workers:
            groups = tuple(os.getgrouplist(groups_of, gid)) if groups_of and not self._rootless else ()
            owner = User(uid, gid, groups)
            pid, ours = self._fork(self._serve_sessions, owner, client)
            worker = self._workers[key] = _Worker(pid, ours, owner)
            self._register(ours, lambda: self._hear_worker(key, worker))
        return self._workers[key]

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
            passed_by = (*self._admins.values(), *self._accounts.sockets)
            for sock in (self._control, self._listener, self._admin, *passed_by):
                sock.close()
            for client in self._clients.values():
                client.sock.close()
            for other in self._workers.values():
                other.sock.close()
            for asked in self._asked.values():
                os.close(asked.descriptor)
            drop_rights(None if self._rootless else owner)
            last_seconds.begin_with_parents_end(spawner)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            serve(theirs)
            status = 0
        finally:
            os._exit(status)

    def _serve_sessions(self, sock: socket.socket) -> None:
        serve_sessions(sock, self._startup, self._settings)

    def _give_indexer(self, worker: _Worker) -> None:
        """A process of the worker's rights that reads messages for it."""
        try:
            _, channel = self._fork(serve_indexing, worker.owner)
        except OSError as error:  # no room for processes: the worker reads for itself
            self._tell(MailboxNotice("master", "Warning", f"no indexer: {error}"))
            return
        _write(worker.sock, IndexerReady(), channel.fileno())
        channel.close()

    def _hear_worker(self, key: tuple[int, int, int], worker: _Worker) -> None:
        try:
            data, passed = receive_available(worker.sock)
            frames = worker.reader.feed(data, passed) if data else []
        except BlockingIOError:
            return
        except (OSError, ChannelClosed):
            data, frames = b"", []
        quiet = False
        for frame, _ in frames:
            if isinstance(frame, Quiet):
                quiet = frame.seen == worker.sessions
            elif isinstance(frame, IndexerWanted):
                self._give_indexer(worker)
            elif isinstance(frame, SessionClosed):
                self._sessions.pop(frame.session, None)
            elif (waiting := worker.letters.pop(frame.number, None)) is not None:
                client, number = waiting
                _write(client.sock, Delivered(number, frame.reply))
        if not data or quiet:
            if not data:
                self._tell(MailboxNotice("master", "Error", f"account worker {worker.pid} died"))
            for gone in [one.session for one in self._sessions.values() if one.pid == worker.pid]:
                del self._sessions[gone]
            for client, number in worker.letters.values():
                _write(client.sock, Delivered(number, INTERNAL_ERROR))
            self._selector.unregister(worker.sock)
            worker.sock.close()
            del self._workers[key]
            self._end_if_drained()


def _write(sock: socket.socket, frame: object, *descriptors: int) -> bool:
    """Send a frame now; False if the other side is gone."""
    writer = FrameWriter()
    writer.put(frame, descriptors)
    sock.setblocking(True)
    try:
        writer.write_to(sock)
    except OSError:
        writer.close()
        return False
    finally:
        if sock.fileno() >= 0:
            sock.setblocking(False)
    return True


def main() -> None:
    """Entry of the role."""
    supervisor = os.getppid()
    startup = read_startup(int(sys.argv[1]))
    last_seconds.begin_with_parents_end(supervisor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # workers are reaped by the kernel
    Spawner(startup, msgspec.msgpack.decode(startup.settings, type=MailboxSettings)).serve()


if __name__ == "__main__":
    main()
