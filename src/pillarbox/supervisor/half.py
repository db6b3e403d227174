"""The supervisor of one half: binds, starts roles, starts them again, stops them.

DESCRIPTION
    A half (`mta` or `mailbox`) is a list of roles, each with listeners, a user and a number of processes.  The
    supervisor parses nothing that a peer sends.  A role that ends is started again, at once if it had served
    for a while, after a pause if it ends again and again.

    It is the leader of a session of its own and holds a lock on its pid file for life: that lock, not the
    file, tells whether it runs.  SIGTERM stops it, SIGHUP replaces what can be replaced.

    It answers `status` on a Unix socket, one JSON document per connection.

FAULTS
    StartFault  before anything was started: nothing was changed
"""

import asyncio
import fcntl
import json
import os
import signal
import socket
from collections.abc import Callable, Sequence

import msgspec

from pillarbox.net.startup import Startup, User
from pillarbox.observability.events import EventSink, Noted, Warned
from pillarbox.supervisor.listeners import InetListener, StartFault, UnixListener, bind
from pillarbox.supervisor.role_process import RoleProcess, start

_THROTTLE_SECONDS = 1.0
_LONGEST_THROTTLE = 60.0
_STOP_SECONDS = 5.0


class Role(msgspec.Struct, kw_only=True):
    """A role as the supervisor knows it."""

    name: str
    module: str
    listeners: tuple[str, ...] = ()  # names of the half's listeners that it serves
    processes: int = 1
    user: User | None = None
    snapshots: dict[str, bytes] = {}
    settings: bytes = b""
    program: str = ""


class Half(msgspec.Struct, kw_only=True):
    """What one supervisor runs."""

    name: str
    pid_file: str
    status_socket: str
    listeners: tuple[InetListener | UnixListener, ...]
    roles: tuple[Role, ...]
    syslog_name: str = "postfix"
    facts: dict[str, str] = {}  # shown by status


class Supervisor:
    """Runs a `Half`."""

    def __init__(self, half: Half, *, log: int, tell: EventSink) -> None:
        self._half = half
        self._log = log
        self._tell = tell
        self._sockets: dict[str, socket.socket] = {}
        self._running: dict[int, tuple[Role, RoleProcess, float]] = {}
        self._pauses: dict[str, float] = {}
        self._failures: dict[str, str] = {}  # why a role could not start, in its own words
        self._stopping = False
        self._changed = asyncio.Event()
        self._lock = -1

    async def run(self, *, ready: Callable[[], None]) -> None:
        """Start everything, call `ready` when all serve, and go on until SIGTERM or SIGINT."""
        self._take_lock()
        for listener in (*self._half.listeners, UnixListener("status", self._half.status_socket)):
            self._sockets[listener.name] = bind(listener)
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        try:
            for role in self._half.roles:
                for _ in range(role.processes):
                    self._start(role)
                await self._until_ready(role.name, stopped)
            self._serve_status()
            if not stopped.is_set():
                ready()
            await stopped.wait()
        finally:
            await self._stop_all()

    # -- roles -----------------------------------------------------------------------------------------

    def _start(self, role: Role) -> None:
        startup = Startup(
            role=role.name,
            program=role.program or role.name,
            listeners={name: self._sockets[name].fileno() for name in role.listeners},
            log=self._log,
            snapshots=role.snapshots,
            settings=role.settings,
            user=role.user,
            syslog_name=self._half.syslog_name,
        )
        process = start(role.name, role.module, startup)
        loop = asyncio.get_running_loop()
        self._running[process.pid] = (role, process, loop.time())
        loop.add_reader(process.control.fileno(), self._hear, process)

    def _hear(self, process: RoleProcess) -> None:
        if process.hear():
            self._changed.set()
            return
        asyncio.get_running_loop().remove_reader(process.control.fileno())
        asyncio.get_running_loop().run_in_executor(None, process.process.wait).add_done_callback(
            lambda _: self._ended(process)
        )

    def _ended(self, process: RoleProcess) -> None:
        role, _, started = self._running.pop(process.pid)
        process.close()
        self._failures[role.name] = process.failure
        self._changed.set()
        if self._stopping:
            return
        if process.retiring:
            if not any(other is role for other, _, _ in self._running.values()):
                self._start(role)
            return
        loop = asyncio.get_running_loop()
        code = process.process.returncode
        how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        self._tell(Warned(f"process {role.module} pid {process.pid} {how}"))
        quickly = loop.time() - started < 10
        pause = (
            min(_LONGEST_THROTTLE, self._pauses.get(role.name, 0.0) * 2 or _THROTTLE_SECONDS)
            if quickly
            else 0.0
        )
        self._pauses[role.name] = pause
        if pause > _THROTTLE_SECONDS:
            self._tell(Warned(f"{role.module}: bad command startup -- throttling"))
        loop.call_later(pause if pause > _THROTTLE_SECONDS else 0.0, self._start_again, role)

    def _start_again(self, role: Role) -> None:
        if not self._stopping:
            self._start(role)

    async def _until_ready(self, name: str, stopped: asyncio.Event) -> None:
        """Wait for the processes of a role.  StartFault if one ends before it serves."""
        while not stopped.is_set():
            processes = [process for role, process, _ in self._running.values() if role.name == name]
            ended = [process for process in processes if process.process.poll() is not None]
            if ended or not processes:
                for process in ended:
                    process.hear()
                    self._failures[name] = process.failure or self._failures.get(name, "")
                reason = self._failures.get(name, "")
                raise StartFault(reason or f"{self._half.name}: {name} could not start; the log says why")
            if all(process.is_ready for process in processes):
                return
            self._changed.clear()
            try:
                async with asyncio.timeout(30):
                    await self._changed.wait()
            except TimeoutError:
                raise StartFault(f"{self._half.name}: {name} does not answer") from None

    def _reload(self) -> None:
        """A new generation: files are opened with the rights of a start, sessions go on to their end.

        smtpd and login are replaced at once, the old ones drain.  There is one queue manager: it finishes what its
        agents have, and the next one starts when it is gone.
        """
        self._tell(Noted("reload"))
        for role, process, _ in list(self._running.values()):
            if process.retiring:
                continue
            if role.name in ("smtpd", "login"):
                process.retiring = True
                process.drain()
                self._start(role)
            elif role.name == "qmgr":
                process.retiring = True
                process.stop()

    async def _stop_all(self) -> None:
        """The last first; what does not end in time is killed."""
        self._stopping = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _STOP_SECONDS
        for role in reversed(self._half.roles):
            # One after the other: the queue manager still needs the agents for the jobs that they have.
            for other, process, _ in list(self._running.values()):
                if other.name == role.name:
                    process.stop()
            await self._until_ended(role.name, deadline)
        for _, process, _ in self._running.values():
            process.process.kill()
            process.process.wait()
            process.close()
        for sock in self._sockets.values():
            sock.close()
        for listener in self._half.listeners:
            if isinstance(listener, UnixListener):
                _unlink(listener.path)
        _unlink(self._half.status_socket)

    async def _until_ended(self, name: str, deadline: float) -> None:
        """Wait for the processes of a role, as long as there is time."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline):
                while any(role.name == name for role, _, _ in self._running.values()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self._tell(Warned(f"{name} did not end in {loop.time() - deadline + _STOP_SECONDS:.0f} seconds"))

    # -- pid file and status ---------------------------------------------------------------------------

    def _take_lock(self) -> None:
        path = self._half.pid_file
        try:
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartFault(f"cannot write {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._lock, 64).strip().decode("ascii", "replace")
            raise StartFault(f"already running: pid {pid} holds {path}") from None
        os.ftruncate(self._lock, 0)
        os.write(self._lock, b"%32d\n" % os.getpid())

    def _serve_status(self) -> None:
        sock = self._sockets["status"]
        sock.setblocking(False)
        asyncio.get_running_loop().add_reader(sock.fileno(), self._answer_status, sock)

    def _answer_status(self, sock: socket.socket) -> None:
        try:
            client, _ = sock.accept()
        except OSError:
            return
        with client:
            client.settimeout(1)
            try:
                client.sendall(json.dumps(self._status()).encode())
            except OSError:
                return

    def _status(self) -> dict[str, object]:
        return {
            "half": self._half.name,
            "pid": os.getpid(),
            "healthy": all(process.is_ready for _, process, _ in self._running.values())
            and {role.name for role, _, _ in self._running.values()}
            == {role.name for role in self._half.roles},
            "listeners": [
                {"name": listener.name, "address": listener.address, "port": listener.port}
                for listener in self._half.listeners
                if isinstance(listener, InetListener)
            ],
            "roles": [
                {"role": role.name, "pid": process.pid, "ready": process.is_ready}
                for role, process, _ in self._running.values()
            ],
            **self._half.facts,
        }


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def ask_status(path: str) -> dict[str, object] | None:
    """What the supervisor behind a status socket says; None if there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        try:
            sock.connect(path)
            parts: Sequence[bytes] = list(iter(lambda: sock.recv(65536), b""))
        except OSError:
            return None
    try:
        answer = json.loads(b"".join(parts))
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None
