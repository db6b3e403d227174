"""The spawner: finds or forks the worker of an account, and passes the session to it.

DESCRIPTION
    The role stays root (or, rootless, the invoking user) and is tiny: a loop over sockets, no threads.  A login
    process hands it a session with a ticket.  It redeems the ticket at the auth server's master socket, and
    takes user, uid, gid and home from that answer alone.

    Workers are forked from this process, which has imported all they need.  All sessions of an account go to the
    same worker; accounts of the mail uid are spread over as many workers as there are cores.

FAULTS
    A ticket that cannot be redeemed, a uid below first_valid_uid: the login process is told, and tells the client.
"""

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
from pillarbox.daemons.account_worker import serve_sessions
from pillarbox.daemons.startup import drop_rights, open_log, read_startup
from pillarbox.net.channel import ChannelClosed, FrameReader, FrameWriter, receive_available
from pillarbox.net.handover import Handover, HandoverDone, Quiet, Session
from pillarbox.net.startup import Ready, Startup, User
from pillarbox.observability.events import Noted
from pillarbox.wire.auth_protocol import LineReader, LineTooLong, encode_line, parameters, split_line


class _Worker:
    """A worker process, as the spawner sees it."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        self.pid = pid
        self.sock = sock
        self.reader: FrameReader[Quiet] = FrameReader(msgspec.msgpack.Decoder(Quiet))
        self.sessions = 0


class _Login:
    """A login process's channel."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reader: FrameReader[Handover] = FrameReader(msgspec.msgpack.Decoder(Handover))


class Spawner:
    """The role's loop."""

    def __init__(self, startup: Startup, settings: MailboxSettings) -> None:
        self._startup = startup
        self._settings = settings
        self._rootless = os.getuid() != 0
        self._tell = open_log(startup)
        self._control = socket.socket(fileno=startup.control)
        self._listener = socket.socket(fileno=startup.listeners["spawner"])
        self._selector = selectors.DefaultSelector()
        self._workers: dict[tuple[int, int, int], _Worker] = {}
        self._logins: dict[int, _Login] = {}
        self._requests = itertools.count(1)
        self._redeeming: dict[int, tuple[_Login, Handover, int]] = {}
        self._auth: socket.socket | None = None
        self._auth_lines = LineReader()
        self._running = True

    def serve(self) -> None:
        """Run until the supervisor says Stop or is gone."""
        self._listener.setblocking(False)
        self._register(self._control, self._stop)
        self._register(self._listener, self._accept)
        _write(self._control, Ready(os.getpid()))
        while self._running:
            for key, _ in self._selector.select():
                if self._running:
                    key.data()
        for worker in self._workers.values():
            worker.sock.close()

    def _register(self, sock: socket.socket, act: Callable[[], None]) -> None:
        self._selector.register(sock, selectors.EVENT_READ, act)

    def _stop(self) -> None:
        self._running = False

    # -- login processes -------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        login = _Login(sock)
        self._logins[sock.fileno()] = login
        self._register(sock, lambda: self._hear_login(login))

    def _hear_login(self, login: _Login) -> None:
        try:
            data, passed = receive_available(login.sock)
            frames = login.reader.feed(data, passed) if data else []
        except BlockingIOError:
            return
        except (OSError, ChannelClosed):
            data, frames = b"", []
        for handover, descriptors in frames:
            if len(descriptors) == 1:
                self._redeem(login, handover, descriptors[0])
        if not data:
            self._selector.unregister(login.sock)
            self._logins.pop(login.sock.fileno(), None)
            login.sock.close()

    def _refuse(self, login: _Login, handover: Handover, descriptor: int, refusal: str) -> None:
        os.close(descriptor)
        _write(login.sock, HandoverDone(handover.number, refusal=refusal))

    # -- the auth server -------------------------------------------------------------------------------

    def _redeem(self, login: _Login, handover: Handover, descriptor: int) -> None:
        number = next(self._requests)
        line = encode_line(
            b"REQUEST",
            b"%d" % number,
            b"%d" % handover.client_pid,
            b"%d" % handover.request_id,
            handover.cookie,
            b"session_pid=%d" % os.getpid(),
        )
        for _ in range(2):  # the second time over a fresh connection
            try:
                self._auth_socket().sendall(line)
                self._redeeming[number] = (login, handover, descriptor)
                return
            except OSError:
                self._auth_lost()
        self._refuse(login, handover, descriptor, "the auth server does not answer")

    def _auth_socket(self) -> socket.socket:
        if self._auth is None:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(10)
            try:
                sock.connect(f"{self._settings.base_dir}/auth-master")
                sock.sendall(encode_line(b"VERSION", b"1", b"1"))
            except OSError:
                sock.close()
                raise
            self._auth, self._auth_lines = sock, LineReader()
            self._register(sock, self._hear_auth)
        return self._auth

    def _hear_auth(self) -> None:
        if self._auth is None:
            return
        try:
            data = self._auth.recv(65536)
            lines = self._auth_lines.feed(data)
        except (OSError, LineTooLong):
            data, lines = b"", []
        for line in lines:
            self._take_answer(split_line(line))
        if not data:
            self._auth_lost()

    def _auth_lost(self) -> None:
        if self._auth is not None:
            self._selector.unregister(self._auth)
            self._auth.close()
            self._auth = None
        redeeming, self._redeeming = self._redeeming, {}
        for login, handover, descriptor in redeeming.values():
            self._refuse(login, handover, descriptor, "the auth server is gone")

    def _take_answer(self, fields: list[bytes]) -> None:
        if fields[0] not in (b"USER", b"FAIL", b"NOTFOUND") or len(fields) < 2 or not fields[1].isdigit():
            return  # VERSION and SPID, the server's greeting
        waiting = self._redeeming.pop(int(fields[1]), None)
        if waiting is None:
            return
        login, handover, descriptor = waiting
        if fields[0] != b"USER" or len(fields) < 3:
            self._refuse(login, handover, descriptor, "the login cannot be redeemed")
            return
        account = parameters(fields[3:])
        uid, gid = account.get(b"uid", b""), account.get(b"gid", b"")
        if not (uid.isdigit() and gid.isdigit()):
            self._refuse(login, handover, descriptor, "userdb gave no uid or gid")
            return
        self._pass_on(waiting, fields[2], int(uid), int(gid), account)

    # -- workers ---------------------------------------------------------------------------------------

    def _pass_on(
        self,
        waiting: tuple[_Login, Handover, int],
        user: bytes,
        uid: int,
        gid: int,
        account: dict[bytes, bytes],
    ) -> None:
        login, handover, descriptor = waiting
        refusal = self._refusal(uid, gid)
        if refusal:
            self._refuse(login, handover, descriptor, refusal)
            return
        groups_of = account.get(b"system_groups_user", b"").decode("utf-8", "replace")
        worker = self._worker(user, uid, gid, groups_of, client=descriptor)
        worker.sessions += 1
        session = Session(
            handover.peer,
            user.decode("utf-8", "replace"),
            os.fsdecode(account.get(b"home", b"")),
            os.fsdecode(account.get(b"mail", b"")),
            handover.tag,
            handover.unread,
        )
        sent = _write(worker.sock, session, descriptor)
        os.close(descriptor)
        done = (
            HandoverDone(handover.number, worker.pid)
            if sent
            else HandoverDone(handover.number, refusal="no worker")
        )
        _write(login.sock, done)

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
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            groups = tuple(os.getgrouplist(groups_of, gid)) if groups_of and not self._rootless else ()
            pid = os.fork()
            if pid == 0:
                os.close(client)
                self._become_worker(theirs, ours, User(uid, gid, groups))
            theirs.close()
            worker = self._workers[key] = _Worker(pid, ours)
            self._register(ours, lambda: self._hear_worker(key, worker))
        return self._workers[key]

    def _become_worker(self, theirs: socket.socket, ours: socket.socket, owner: User) -> None:
        """In the child: close what is not ours to use, drop rights, serve."""
        status = 1
        try:
            ours.close()
            self._selector.close()
            for sock in (self._control, self._listener, self._auth):
                if sock is not None:
                    sock.close()
            for login in self._logins.values():
                login.sock.close()
            for other in self._workers.values():
                other.sock.close()
            for _, _, descriptor in self._redeeming.values():
                os.close(descriptor)
            drop_rights(None if self._rootless else owner)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            serve_sessions(theirs, self._startup, self._settings)
            status = 0
        finally:
            os._exit(status)

    def _hear_worker(self, key: tuple[int, int, int], worker: _Worker) -> None:
        try:
            data, passed = receive_available(worker.sock)
            frames = worker.reader.feed(data, passed) if data else []
        except BlockingIOError:
            return
        except (OSError, ChannelClosed):
            data, frames = b"", []
        quiet = any(frame.seen == worker.sessions for frame, _ in frames)
        if not data or quiet:
            if not data:
                self._tell(Noted(f"worker {worker.pid} has ended"))
            self._selector.unregister(worker.sock)
            worker.sock.close()
            del self._workers[key]


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
    startup = read_startup(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # workers are reaped by the kernel
    Spawner(startup, msgspec.msgpack.decode(startup.settings, type=MailboxSettings)).serve()


if __name__ == "__main__":
    main()
