"""The supervisor of one half: binds, starts roles, starts them again, replaces them, stops them.

DESCRIPTION
    The supervisor parses nothing that a peer sends.  A role that ends is started again, at once if it had served
    for a while, after a pause if it ends again and again.

    It is the leader of a session of its own and holds locks for life: they, not the files, tell whether it runs.
    SIGTERM stops it, a second one at once.  SIGHUP reads the configuration again and replaces the roles by a new
    generation: what they open is opened with the rights of a start, so that a renewed certificate and a table that
    only root may read are seen; sessions go on to their end.  A configuration that cannot be used changes nothing.

FAULTS
    StartFault  before anything was started: nothing was changed
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Sequence

import msgspec

from pillarbox.net.command_line import show_name
from pillarbox.net.startup import Startup, Surroundings
from pillarbox.net.tcp_window import set_window
from pillarbox.observability.events import EventSink, Warned
from pillarbox.supervisor.half import Half, Role
from pillarbox.supervisor.instance_lock import HeldLocks
from pillarbox.supervisor.listeners import InetListener, StartFault, UnixListener, bind
from pillarbox.supervisor.log_target import LogTarget
from pillarbox.supervisor.role_process import RoleProcess, Zygotes
from pillarbox.supervisor.status import StatusServer
from pillarbox.vocabulary.faults import ConfigurationFault

_THROTTLE_SECONDS = 1.0
_NO_ROOM_SECONDS = 10.0
_STOP_SECONDS = 4.0
_START_SECONDS = 30.0
_FINISH_SECONDS = 30.0

Reread = Callable[[], tuple[Half, LogTarget]]
"""The half and the log as the configuration has them now."""


class _Running(msgspec.Struct):
    """A process of a role."""

    role: Role
    process: RoleProcess
    started: float
    on_trial: bool = True
    """Whoever started it waits for it to serve, and deals with its end."""


class Supervisor:
    """Runs a `Half`."""

    def __init__(
        self,
        half: Half,
        *,
        log: LogTarget,
        tell: EventSink,
        zygotes: Zygotes,
        reread: Reread | None = None,
        reloaded: Callable[[], None] = lambda: None,
        surroundings: Surroundings | None = None,
    ) -> None:
        self._half = half
        self._log = log
        self._tell = tell
        self._zygotes = zygotes
        self._reread = reread
        self._reloaded = reloaded
        self._surroundings = surroundings or Surroundings()
        self._reloads = 0
        self._sockets: dict[InetListener | UnixListener, socket.socket] = {}
        self._running: dict[int, _Running] = {}
        self._pauses: dict[str, float] = {}
        self._failures: dict[str, str] = {}  # why a role could not start, in its own words
        self._stopped_by = 0
        self._stopping = False
        self._reloads_wanted = 0
        self._reload_faults: list[str] = []  # of the last
        self._changed = asyncio.Event()
        self._wake = asyncio.Event()

    async def run(self, *, ready: Callable[[], None]) -> int:
        """Start everything, call `ready` when all serve, and go on until a signal; its number."""
        show_name(self._half.process_name)
        locks = HeldLocks(self._half.locks)
        status = UnixListener("status", self._half.status_socket)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._want_reload)
        server: StatusServer | None = None
        try:
            for listener in (*self._half.listeners, status):
                self._sockets[listener] = bind(listener)
            self._set_windows()
            await self._until_zygote()
            for role in self._half.roles:
                if self._stopped_by:
                    break
                for _ in range(role.processes):
                    self._start(role)
                await self._until_ready(role)
            server = StatusServer(
                self._sockets[status], report=self._status, tell=lambda text: self._tell(Warned(text))
            )
            if not self._stopped_by:
                ready()
            await self._serve()
        finally:
            if server is not None:
                server.close()
            await self._stop_all()
            self._zygotes.close()
            locks.release()
        return self._stopped_by

    async def _until_zygote(self) -> None:
        """Wait until it has imported what roles need, or until a signal: roles are started without waiting then."""
        loop = asyncio.get_running_loop()
        self._changed.clear()
        loop.add_reader(self._zygotes.fileno(), self._changed.set)
        await self._changed.wait()
        loop.remove_reader(self._zygotes.fileno())

    async def _serve(self) -> None:
        while not self._stopped_by:
            self._wake.clear()
            if self._reloads < self._reloads_wanted:
                wanted = self._reloads_wanted
                await self._reload()
                self._reloads = wanted
                self._reloaded()
            else:
                await self._wake.wait()

    def _stop(self, number: int) -> None:
        if self._stopped_by:  # once more: whoever waits has no patience left
            for running in self._running.values():
                running.process.kill()
        self._stopped_by = number
        self._wake.set()
        self._changed.set()

    def _want_reload(self) -> None:
        self._reloads_wanted += 1
        self._wake.set()

    def _set_windows(self) -> None:
        """Connections have what the socket that listens has when they come."""
        for listener, sock in self._sockets.items():
            if isinstance(listener, InetListener):
                set_window(sock, self._half.tcp_window)

    # -- roles -----------------------------------------------------------------------------------------

    def _start(self, role: Role) -> _Running:
        sockets = {listener.name: self._sockets[listener] for listener in self._half.listeners}
        startup = Startup(
            role=role.name,
            program=role.program or role.name,
            listeners={name: sockets[name].fileno() for name in role.listeners},
            log=self._log.descriptors,
            log_form=self._log.form,
            snapshots=role.snapshots,
            services=role.services,
            settings=role.settings,
            user=role.user,
            syslog_name=self._half.syslog_name,
            directory=self._half.directory,
            surroundings=self._surroundings,
        )
        process = self._zygotes.start(role.name, role.module, startup)
        loop = asyncio.get_running_loop()
        running = _Running(role, process, loop.time())
        self._running[process.pid] = running
        loop.add_reader(process.control.fileno(), self._hear, process)
        loop.add_reader(process.end, self._ended, process)
        return running

    def _hear(self, process: RoleProcess) -> None:
        if process.hear():
            self._changed.set()
        else:
            asyncio.get_running_loop().remove_reader(process.control.fileno())

    def _ended(self, process: RoleProcess) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(process.end)
        loop.remove_reader(process.control.fileno())
        process.hear()  # its last words
        code = process.wait()
        running = self._running.pop(process.pid)
        name = running.role.name
        process.close()
        self._failures[name] = process.failure
        self._changed.set()
        if self._stopping or process.retiring:
            return
        how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        self._tell(Warned(f"process {running.role.module} pid {process.pid} {how}"))
        if running.on_trial:
            return
        quickly = loop.time() - running.started < 10
        next_pause = self._pauses.get(name, 0.0) * 2 or _THROTTLE_SECONDS
        pause = min(self._half.longest_throttle, next_pause) if quickly else 0.0
        self._pauses[name] = pause
        if pause > _THROTTLE_SECONDS:
            self._tell(Warned(f"{running.role.module}: bad command startup -- throttling"))
        loop.call_later(pause if pause > _THROTTLE_SECONDS else 0.0, self._start_again, name)

    def _start_again(self, name: str) -> None:
        for role in self._half.roles:
            if role.name == name and not self._stopping:
                try:
                    self._start(role).on_trial = False
                except OSError as error:  # no room for processes: as one that ended at once
                    self._tell(Warned(f"{role.module}: {error}"))
                    asyncio.get_running_loop().call_later(_NO_ROOM_SECONDS, self._start_again, name)

    def _of(self, name: str) -> list[_Running]:
        """Processes of a role that are not on their way out."""
        return [
            running
            for running in self._running.values()
            if running.role.name == name and not running.process.retiring
        ]

    async def _until_ready(self, role: Role) -> None:
        """Wait for the processes of a role.  StartFault if one ends before it serves."""
        wanted = [running for running in self._of(role.name) if running.role is role]
        while not self._stopped_by:
            if any(running.process.has_ended() for running in wanted):
                for running in wanted:
                    running.process.hear()
                reason = next((r.process.failure for r in wanted if r.process.failure), "")
                raise StartFault(
                    reason or f"{self._half.name}: {role.name} could not start; the log says why"
                )
            if all(running.process.is_ready for running in wanted):
                for running in wanted:
                    running.on_trial = False
                return
            self._changed.clear()
            try:
                async with asyncio.timeout(_START_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                raise StartFault(f"{self._half.name}: {role.name} does not answer") from None

    # -- reload ----------------------------------------------------------------------------------------

    def _complain(self, text: str) -> None:
        self._reload_faults.append(text)
        self._tell(Warned(text))

    async def _reload(self) -> None:
        self._reload_faults.clear()
        if self._reread is None:
            return
        try:
            half, log = self._reread()
        except (ConfigurationFault, StartFault, OSError) as fault:
            self._complain(f"reload refused, the settings of before stay: {fault}")
            return
        old_half, old_log, self._log = self._half, self._log, log
        bound: list[InetListener | UnixListener] = []
        try:
            for listener in half.listeners:
                if listener not in self._sockets:
                    self._sockets[listener] = bind(listener, beside=self._sockets)
                    bound.append(listener)
        except StartFault as fault:
            self._complain(f"reload refused, the settings of before stay: {fault}")
            self._log = old_log
            log.close()
            self._close(bound)
            return
        self._half = half
        self._set_windows()
        same_form = log.form == old_log.form
        await self._replace_roles(half, old_half, log=log.descriptors if same_form else ())
        self._close([listener for listener in old_half.listeners if listener not in half.listeners])
        old_log.close()

    async def _replace_roles(self, half: Half, old_half: Half, *, log: tuple[int, ...]) -> None:
        """A new generation.

        What overlaps without needing a role that is to end goes first: clients have it at once, whatever delivery
        hangs.  Of the rest, what there can be only one of ends first, the last in the list first.
        """
        first = 1 + max((n for n, role in enumerate(half.roles) if role.on_reload == "restart"), default=-1)
        for role in half.roles[first:]:
            await self._replace(role, log=log)
        kept = {role.name for role in half.roles}
        for role in reversed(old_half.roles):
            replaced = next((other for other in half.roles if other.name == role.name), None)
            if role.name not in kept or (replaced is not None and replaced.on_reload == "restart"):
                for running in self._of(role.name):
                    running.process.retiring = True
                    running.process.stop()
                await self._until_ended(role.name, asyncio.get_running_loop().time() + _FINISH_SECONDS)
        for role in half.roles[:first]:
            await self._replace(role, log=log)

    async def _replace(self, role: Role, *, log: tuple[int, ...]) -> None:
        """Its new generation, and none of the old takes connections any more."""
        if self._stopped_by:
            return  # whoever stops us waits: nothing more is begun
        old = self._of(role.name)
        if role.on_reload == "keep" and old:
            return
        new = [self._start(role) for _ in range(role.processes)]
        try:
            await self._until_ready(role)
            _check_completeness(new, old)
        except StartFault as fault:
            self._complain(f"reload of {role.name} failed: {fault}")
            for running in new:
                running.process.retiring = bool(old)  # the old generation goes on
                running.on_trial = False
                running.process.stop()
            return
        for running in old:
            running.process.retiring = True
            running.process.drain(log)
        await self._until_draining(role.name, old)

    async def _until_draining(self, name: str, old: list[_Running]) -> None:
        """Wait until these take no more connections: the sockets are the new generation's as well."""
        try:
            async with asyncio.timeout(_FINISH_SECONDS):
                while not all(one.process.is_draining or one.process.has_ended() for one in old):
                    if self._stopped_by:
                        return
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self._tell(Warned(f"{name} of before still takes connections"))

    # -- the end ---------------------------------------------------------------------------------------

    async def _stop_all(self) -> None:
        """The last first; what does not end in time is killed, and what does not serve yet at once."""
        self._stopping = True
        for running in self._running.values():
            if not running.process.is_ready:
                running.process.kill()
        deadline = asyncio.get_running_loop().time() + _STOP_SECONDS
        names = dict.fromkeys(role.name for role in reversed(self._half.roles))
        for name in (*names, *{running.role.name for running in self._running.values()} - set(names)):
            # One after the other: the queue manager still needs the agents for the jobs that they have.
            for running in list(self._running.values()):
                if running.role.name == name:
                    running.process.stop()
            await self._until_ended(name, deadline)
        for running in self._running.values():
            running.process.kill()
            running.process.wait()
            running.process.close()
        self._close(list(self._sockets))

    async def _until_ended(self, name: str, deadline: float) -> None:
        """Wait for the processes of a role, as long as there is time."""
        begun = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(deadline):
                while any(running.role.name == name for running in self._running.values()):
                    if self._stopped_by and not self._stopping:
                        return  # a reload: all are to end now
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self._tell(Warned(f"{name} did not end in {max(0, deadline - begun):.0f} seconds"))

    def _close(self, listeners: list[InetListener | UnixListener]) -> None:
        for listener in listeners:
            sock = self._sockets.pop(listener, None)
            if sock is None:
                continue
            sock.close()
            if isinstance(listener, UnixListener) and not self._half.keeps_sockets:
                _unlink(listener.path)

    def _status(self) -> dict[str, object]:
        running = list(self._running.values())
        lacks = {name: reason for one in running for name, reason in one.process.lacks.items()}
        return {
            "half": self._half.name,
            "pid": os.getpid(),
            "reloads": self._reloads,
            "reloads_wanted": self._reloads_wanted,
            "reload_faults": list(self._reload_faults),
            "healthy": all(one.process.is_ready for one in running)
            and {one.role.name for one in running} == {role.name for role in self._half.roles},
            "listeners": [
                {
                    "name": listener.name,
                    "address": listener.address,
                    "port": listener.port,
                    "lacks": lacks.get(listener.name, ""),
                }
                for listener in self._half.listeners
                if isinstance(listener, InetListener)
            ],
            "roles": [
                {"role": one.role.name, "pid": one.process.pid, "ready": one.process.is_ready}
                for one in running
            ],
            **self._half.facts,
        }


def _check_completeness(new: Sequence[_Running], old: Sequence[_Running]) -> None:
    """StartFault if a service lacks what it has in the generation before: a certificate that was renewed badly."""
    lacked = {name for running in old for name in running.process.lacks}
    for running in new if old else ():
        for name, reason in running.process.lacks.items():
            if name not in lacked:
                raise StartFault(reason)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
