"""Processes of roles: forked by the half's zygote, watched until they end.

DESCRIPTION
    `Zygotes.begin()` forks the zygote (daemons/zygote.py), from a supervisor that has no threads, no event loop and
    no configuration yet.  `start()` writes a `Startup` into a memory file, makes the control channel and has the
    role forked.  A zygote that was killed takes its roles along, and another is exec'd when the next is started.

    A role's end is told by a pidfd, not by the end of the control channel: agents that the delivery role has forked
    hold that, too, and live longer than a delivery role that is killed.

STANDARDS
    Linux pidfd_open(2)
"""

import contextlib
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pillarbox.net.channel import ChannelClosed, FrameReader, FrameWriter, receive_available
from pillarbox.net.forks import fork
from pillarbox.net.startup import MAX_PASSED, Drain, Draining, Failed, Fork, FromRole, Ready, Startup, Stop

_ZYGOTE: Final = "pillarbox.daemons.zygote"
_PATIENCE: Final = 30.0
"""Seconds within which the zygote answers: it may still be importing."""


def prepare(modules: Sequence[str]) -> None:
    """Have in memory what roles need (daemons/zygote.py): in a process that forks zygotes, or who forks them."""
    importlib.import_module(_ZYGOTE).prepare(modules)


class RoleProcess:
    """A started process and the supervisor's end of its control channel."""

    def __init__(
        self, name: str, control: socket.socket, *, pid: int, end: int, report: socket.socket
    ) -> None:
        """`end` is a pidfd: readable when the process has ended; `report` tells then how."""
        self.name = name
        self.pid = pid
        self.control = control
        self.end = end
        self.is_ready = False
        self.lacks: dict[str, str] = {}  # what is missing of its services, and why
        self.failure = ""  # why it could not start, in its own words
        self.is_draining = False  # it takes no more connections
        self.retiring = False  # a newer generation takes over: its end is expected
        self._report = report
        self._status: int | None = None
        self._reader: FrameReader[FromRole] = FrameReader(msgspec.msgpack.Decoder(FromRole))

    def hear(self) -> bool:
        """Take what the role says; False when the channel has ended."""
        try:
            data, descriptors = receive_available(self.control)
            frames = self._reader.feed(data, descriptors) if data else []
        except BlockingIOError:
            return True
        except (OSError, ChannelClosed):
            return False
        for frame, _ in frames:
            if isinstance(frame, Ready):
                self.is_ready = True
                self.lacks = frame.lacks
            elif isinstance(frame, Failed):
                self.failure = frame.reason
            elif isinstance(frame, Draining):
                self.is_draining = True
        return bool(data)

    def stop(self) -> None:
        """Ask the role to finish."""
        self._tell(Stop())

    def drain(self, log: tuple[int, ...]) -> None:
        """Ask the role to serve its sessions to their end, and to log them to these descriptors from now on."""
        self._tell(Drain(), log)

    def kill(self) -> None:
        """End it by force."""
        if not self.has_ended():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.end, signal.SIGKILL)

    def has_ended(self) -> bool:
        """Whether the process is no more."""
        return self._status is not None or bool(select.select([self.end], [], [], 0)[0])

    def wait(self) -> int:
        """Wait for its end.  The exit status; of a signal, its number below 0; SIGKILL's if nobody could tell."""
        if self._status is None:
            select.select([self.end], [], [])
            told = self._report.recv(64)  # of the zygote, which sees the end as we do; or of nobody
            self._status = int(told) if told else -signal.SIGKILL
            self._report.close()
        return self._status

    def close(self) -> None:
        """Close the control channel, which ends the role if it still runs, and whom it has forked."""
        self.control.close()
        self._report.close()
        if self.end >= 0:
            os.close(self.end)
            self.end = -1

    def _tell(self, frame: object, descriptors: Sequence[int] = ()) -> None:
        writer = FrameWriter()
        writer.put(frame, descriptors)
        try:
            writer.write_to(self.control)
        except OSError:
            writer.close()


class Zygotes:
    """The zygote of a half, and the next if it was killed."""

    def __init__(self, modules: Sequence[str]) -> None:
        """`modules` are those of the half's roles."""
        self._modules = tuple(modules)
        self._channel: socket.socket | None = None
        self._wait: Callable[[], object] = lambda: None

    def begin(self) -> None:
        """Fork the first one.

        Only for a process without threads and without an event loop, that has not read its configuration.
        """
        prepare(self._modules)
        zygote = importlib.import_module(_ZYGOTE)
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def serve() -> None:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.chdir("/")
            for descriptor in {int(name) for name in os.listdir("/proc/self/fd")} - {
                0,
                1,
                2,
                theirs.fileno(),
            }:
                with contextlib.suppress(OSError):  # the listing's own
                    os.close(descriptor)
            zygote.serve(theirs)

        pid = fork(serve)
        self._wait = lambda: os.waitpid(pid, 0)
        theirs.close()

    def fileno(self) -> int:
        """What can be read when the zygote has imported everything, or has ended."""
        return -1 if self._channel is None else self._channel.fileno()

    def start(self, name: str, module: str, startup: Startup) -> RoleProcess:
        """Run a role; this waits for the zygote.  OSError if there can be no process.

        `startup.control` is filled in here.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        memory = os.memfd_create("startup", 0)
        try:
            with theirs, open(memory, "wb", buffering=0) as file:
                handed = msgspec.structs.replace(startup, control=theirs.fileno())
                file.write(msgspec.msgpack.encode(handed))
                file.seek(0)
                clock = handed.surroundings.clock
                numbers = (
                    handed.control,
                    *handed.log,
                    *handed.listeners.values(),
                    *([clock] if clock >= 0 else []),
                )
                pid, end, report = self._fork(module, memory, tuple(dict.fromkeys(numbers)))
        except OSError:
            ours.close()
            raise
        return RoleProcess(name, ours, pid=pid, end=end, report=report)

    def close(self) -> None:
        """End the zygote, and with it what roles still run."""
        if self._channel is not None:
            self._channel.close()
            self._wait()
            self._channel = None

    def _fork(self, module: str, memory: int, numbers: tuple[int, ...]) -> tuple[int, int, socket.socket]:
        """The process id, a pidfd, and where its end will be told."""
        report, told = socket.socketpair()
        try:
            with told:
                try:
                    self._order(module, [told.fileno(), memory, *numbers], numbers)
                except (BrokenPipeError, ConnectionResetError):  # it was killed
                    self.close()
                    self._exec()
                    self._order(module, [told.fileno(), memory, *numbers], numbers)
            report.settimeout(_PATIENCE)
            answer, passed = receive_available(report)
            report.settimeout(None)
            if not passed:
                raise OSError(f"no process for {module}: {answer.decode().strip() or 'the zygote has ended'}")
        except OSError:
            report.close()
            raise
        return int(answer), passed[0], report

    def _order(self, module: str, descriptors: list[int], numbers: tuple[int, ...]) -> None:
        if self._channel is None:
            raise BrokenPipeError
        while descriptors:
            passed, descriptors = descriptors[:MAX_PASSED], descriptors[MAX_PASSED:]
            order = Fork(module, numbers, is_incomplete=bool(descriptors))
            socket.send_fds(self._channel, [msgspec.msgpack.encode(order)], passed)

    def _exec(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._wait = subprocess.Popen(
                [sys.executable, "-I", "-m", _ZYGOTE, str(theirs.fileno()), *self._modules],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                cwd="/",
                close_fds=True,
            ).wait
