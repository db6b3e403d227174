"""One process of a role: exec'd with its descriptors, watched until it ends.

DESCRIPTION
    `start()` writes a `Startup` into a memory file, makes the control channel and execs the role's module
    with `python -I`.  Descriptors keep their numbers in the child.

    Its end is told by a pidfd, not by the end of the control channel: agents that the delivery role has forked
    hold that, too, and live longer than a delivery role that is killed.

STANDARDS
    Linux pidfd_open(2)
"""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence

import msgspec

from pillarbox.net.channel import ChannelClosed, FrameReader, FrameWriter, receive_available
from pillarbox.net.startup import Drain, Failed, FromRole, Ready, Startup, Stop


class RoleProcess:
    """A started process and the supervisor's end of its control channel."""

    def __init__(
        self, name: str, process: "subprocess.Popen[bytes]", control: socket.socket, *, end: int
    ) -> None:
        """`end` is a pidfd: readable when the process has ended."""
        self.name = name
        self.process = process
        self.control = control
        self.end = end
        self.is_ready = False
        self.failure = ""  # why it could not start, in its own words
        self.retiring = False  # a newer generation takes over: its end is expected
        self._reader: FrameReader[FromRole] = FrameReader(msgspec.msgpack.Decoder(FromRole))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

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
            elif isinstance(frame, Failed):
                self.failure = frame.reason
        return bool(data)

    def stop(self) -> None:
        """Ask the role to finish."""
        self._tell(Stop())

    def drain(self, log: int | None) -> None:
        """Ask the role to serve its sessions to their end, and to log them to this descriptor from now on."""
        self._tell(Drain(), () if log is None else (log,))

    def close(self) -> None:
        """Close the control channel, which ends the role if it still runs, and whom it has forked."""
        self.control.close()
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


def start(name: str, module: str, startup: Startup) -> RoleProcess:
    """Exec the role.  `startup.control` is filled in here."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    handed = msgspec.structs.replace(startup, control=theirs.fileno())
    memory = os.memfd_create("startup", 0)
    os.write(memory, msgspec.msgpack.encode(handed))
    os.lseek(memory, 0, os.SEEK_SET)
    clock = handed.surroundings.clock
    passed = (
        memory,
        theirs.fileno(),
        handed.log,
        *handed.listeners.values(),
        *([clock] if clock >= 0 else []),
    )
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", module, str(memory)],
        pass_fds=tuple(dict.fromkeys(passed)),
        stdin=subprocess.DEVNULL,
        cwd="/",
        close_fds=True,
    )
    os.close(memory)
    theirs.close()
    return RoleProcess(name, process, ours, end=os.pidfd_open(process.pid))
