"""What one supervisor runs: listeners, roles, and the files that tell others that it runs.

DESCRIPTION
    A half (`mta` or `mailbox`) is a list of roles, each with listeners, a user and a number of processes.  It is
    made anew from the configuration at each reload; `supervisor.py` brings what runs into line with it.
"""

from typing import Literal

import msgspec

from pillarbox.net.startup import AgentService, User
from pillarbox.supervisor.instance_lock import LockFile
from pillarbox.supervisor.listeners import InetListener, UnixListener

OnReload = Literal["overlap", "restart", "keep"]
"""What a reload does to a role.

overlap   a new generation starts, then the old one takes no more clients and serves those it has to their end
restart   the old one finishes what it is doing and ends, then the new one starts: there can be only one
keep      it goes on as it is
"""


class Role(msgspec.Struct, kw_only=True):
    """A role as the supervisor knows it."""

    name: str
    module: str
    listeners: tuple[str, ...] = ()  # names of the half's listeners that it serves
    processes: int = 1
    user: User | None = None
    snapshots: dict[str, bytes] = {}
    services: tuple[AgentService, ...] = ()
    settings: bytes = b""
    program: str = ""
    on_reload: OnReload = "keep"


class Half(msgspec.Struct, kw_only=True):
    """What one supervisor runs."""

    name: str
    pid_file: str
    status_socket: str
    listeners: tuple[InetListener | UnixListener, ...]
    roles: tuple[Role, ...]
    more_locks: tuple[LockFile, ...] = ()
    """Besides the pid file: whoever holds one of these runs on the same data."""
    process_name: str
    """Of its supervisor."""
    syslog_name: str = "postfix"
    longest_throttle: float = 60.0
    """Seconds to wait at most before a role that ends again and again is started once more."""
    keeps_sockets: bool = False
    """Whether Unix sockets stay after the end, as Postfix's do: only a lock tells whether anything runs."""
    pid_form: bytes = b"%32d\n"
    """How the process id stands in the pid file."""
    keeps_pid_file: bool = True
    """Whether the pid file stays after the end, as Postfix's does."""
    directory: str = "/"
    """Where its roles are: what relative names in their settings are relative to."""
    tcp_window: int = 0  # tcp_windowsize
    facts: dict[str, str] = {}  # shown by status

    @property
    def locks(self) -> tuple[LockFile, ...]:
        """All locks, the pid file first."""
        own = LockFile(self.pid_file, form=self.pid_form, stays=self.keeps_pid_file)
        return (own, *self.more_locks)
