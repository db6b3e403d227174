"""What a supervisor hands a role at its start, and what the two tell each other.

DESCRIPTION
    `Startup` travels in a memory file; the frames go over the control channel.  The end of that channel means
    that the other side is gone.
"""

from typing import Final

import msgspec

from pillarbox.observability.log_file import LogForm

MAX_PASSED: Final = 250
"""Descriptors that one message may carry (SCM_MAX_FD is 253)."""


class User(msgspec.Struct, frozen=True):
    """Whom a role becomes."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


class AgentService(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery service of master.cf."""

    name: str
    program: str  # local, pipe, smtp …
    arguments: tuple[str, ...] = ()
    where: str = ""  # file and line
    process_limit: int | None = None  # None: default_process_limit; 0: none
    snapshot: bytes = b""  # with its -o options, as Snapshot.encode() made it


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a role of the lab has in place of the host's clock and name servers (docs/adr/0013)."""

    clock: int = -1  # descriptor of net/shared_clock.py's memory; -1: the operating system's clock
    name_servers: tuple[tuple[str, int], ...] = ()  # none: those of /etc/resolv.conf


def cleanup_of(name: str) -> str:
    """By which name `Startup.snapshots` has the cleanup(8) that a service's mail goes through."""
    return f"{name} cleanup"


class Startup(msgspec.Struct, frozen=True, kw_only=True):
    """What a role is given."""

    role: str
    program: str  # name for log lines
    listeners: dict[str, int]  # descriptor by name
    log: tuple[int, ...]  # what `log_form` says is behind them
    control: int = -1
    snapshots: dict[str, bytes] = {}  # of each service, as Snapshot.encode() made them
    services: tuple[AgentService, ...] = ()  # transports, for qmgr and delivery
    settings: bytes = b""  # of the mailbox half, msgpack
    user: User | None = None  # None: rootless, stay who we are
    directory: str = "/"  # to be in
    syslog_name: str = "postfix"
    log_form: LogForm = LogForm()
    surroundings: Surroundings = Surroundings()


class Fork(msgspec.Struct, frozen=True):
    """Supervisor → zygote: run a role.

    Descriptors go along: a socket on which its process id and its end are told, a file with its `Startup`, and
    those that this names.
    """

    module: str
    numbers: tuple[int, ...]  # that the descriptors have in the `Startup`
    is_incomplete: bool = False  # more descriptors come with the next


class Ready(msgspec.Struct, tag=True):
    """Role → supervisor: the role serves.

    `lacks` says of which of its services something is missing, and why: a generation that lacks more than the one
    before is not taken.
    """

    pid: int
    lacks: dict[str, str] = {}


class Failed(msgspec.Struct, tag=True):
    """Role → supervisor: the role cannot serve; the line for the admin."""

    reason: str


class Draining(msgspec.Struct, tag=True):
    """Role → supervisor: the answer to `Drain`; who connects from now on comes to the new generation."""


class Stop(msgspec.Struct, tag=True):
    """Supervisor → role: finish and exit."""


class Drain(msgspec.Struct, tag=True):
    """Supervisor → role: take no new connections, serve the old ones to their end, then exit."""


FromSupervisor = Stop | Drain
FromRole = Ready | Failed | Draining
