"""The mailbox half's supervisor in place of dovecot(1): `python -I -m pillarbox.supervisor.dovecot_master FILE FD`.

DESCRIPTION
    The configuration is FILE with what it includes; base_dir, ports and sockets are the real ones.  FD is a
    descriptor on which one line tells whoever waits how the start went: `ready`, or the reason why not.  `-` for
    none: then this is the foreground of `dovecot -F`, or what a service manager started.

    Started as root, roles run as default_internal_user and default_login_user, and mailboxes are opened as their
    owners; by anybody else, everything runs as he is.

    SIGTERM stops it; SIGHUP, and SIGUSR1 (log files were moved), read the configuration anew.

FAULTS
    exit 89  it could not start; the log and FD say why
"""

import asyncio
import os
import pwd
import signal
import sys
from typing import Final

from pillarbox.config.dovecot.consistency import check_consistency
from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.reading import read_configuration
from pillarbox.config.dovecot.unserved import warnings
from pillarbox.config.host_facts import host_facts
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.net.startup import User
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import MailboxNotice
from pillarbox.observability.log_file import LogFile, LogForm, LogKind, syslog_descriptor
from pillarbox.supervisor.dovecot_control import already_running, status_socket
from pillarbox.supervisor.half import Half
from pillarbox.supervisor.listeners import StartFault
from pillarbox.supervisor.log_target import LogTarget, file_target
from pillarbox.supervisor.mailbox_half import MODULES, mailbox_half
from pillarbox.supervisor.role_process import Zygotes
from pillarbox.supervisor.service_manager import ServiceManager
from pillarbox.supervisor.starter import Starter, end, leave_the_terminal
from pillarbox.supervisor.supervisor import Supervisor
from pillarbox.supervisor.system_users import Owners
from pillarbox.supervisor.version import starting_up
from pillarbox.vocabulary.faults import ConfigurationFault

EX_CONFIG: Final = 89


class DovecotMaster:
    """One life of the supervisor."""

    def __init__(self, path: str, starter: Starter) -> None:
        self._path = path
        self._starter = starter
        self._tell: LogFile | None = None
        self._manager = ServiceManager()
        self._zygotes = Zygotes(MODULES)

    def run(self) -> int:
        """Run until a signal; the exit status."""
        self._zygotes.begin()
        try:
            half, log = self._read(first=True)
            return asyncio.run(self._supervise(half, log))
        except (ConfigurationFault, StartFault, OSError) as fault:
            self._log("Fatal", str(fault))
            if not self._starter.tell(str(fault)):
                sys.stderr.write(f"Fatal: {fault}\n")
            return EX_CONFIG
        finally:
            self._zygotes.close()

    async def _supervise(self, half: Half, log: LogTarget) -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, os.kill, os.getpid(), signal.SIGHUP)
        supervisor = Supervisor(half, log=log, tell=self._event, reread=self._reread, zygotes=self._zygotes)
        number = await supervisor.run(ready=lambda: self._ready(half))
        self._manager.stopping()
        self._log("Warning", f"Killed with signal {number}")
        return 0

    def _ready(self, half: Half) -> None:
        self._log("Info", starting_up(half.facts["protocols"]))
        self._manager.ready()
        self._starter.tell("ready")

    def _reread(self) -> tuple[Half, LogTarget]:
        self._manager.reloading()
        try:
            half, log = self._read(first=False)
            self._log("Warning", "SIGHUP received - reloading configuration")
        finally:
            self._manager.ready()
        return half, log

    def _read(self, *, first: bool) -> tuple[Half, LogTarget]:
        configuration = read_configuration(self._path)
        settings = mailbox_settings(configuration, hostname=host_facts().hostname)
        check_consistency(configuration)
        log = log_target(settings)
        tell = LogFile(*log.descriptors, program="dovecot", clock=SystemClock(), form=log.form)
        if first:
            self._tell = tell
        for warning in warnings(configuration):
            tell(MailboxNotice("master", "Warning", warning))
        if first and (fault := already_running(settings.base_dir)) is not None:
            raise fault
        _make_base_dir(settings.base_dir)
        half = mailbox_half(
            settings,
            owners=_owners(settings),
            listen="",
            port_offset=0,
            status_socket=status_socket(settings.base_dir),
        )
        self._tell = tell
        return half, log

    def _event(self, event: object) -> None:
        if self._tell is not None:
            self._tell(event)  # type: ignore[arg-type]  # the supervisor's own events

    def _log(self, severity: str, text: str) -> None:
        if self._tell is not None:
            self._tell(MailboxNotice("master", severity, text))


def log_target(settings: MailboxSettings) -> LogTarget:
    """What log_path, info_log_path and debug_log_path say: syslog, standard error, or files."""
    info = settings.info_log_path or settings.log_path
    names = {settings.log_path: "log_path"}  # lines for one file keep their order
    names.setdefault(info, "info_log_path")
    names.setdefault(settings.debug_log_path or info, "debug_log_path")
    opened: list[tuple[int, LogKind]] = []
    try:
        for path, name in names.items():
            opened.append(_opened(name, path))
    except ConfigurationFault:
        for descriptor, _ in opened:
            os.close(descriptor)
        raise
    paths = list(names)
    form = LogForm(
        opened[0][1],
        settings.syslog_facility,
        lines=settings.log_lines,
        timestamp=settings.log_timestamp,
        others=tuple(kind for _, kind in opened[1:]),
        info=paths.index(info),
        debug=paths.index(settings.debug_log_path or info),
    )
    return LogTarget(opened[0][0], form, tuple(descriptor for descriptor, _ in opened[1:]))


def _opened(name: str, path: str) -> tuple[int, LogKind]:
    """A descriptor and what is behind it."""
    if path == "syslog":
        return syslog_descriptor(), "syslog"
    if path in ("/dev/stderr", "/dev/stdout"):
        return os.dup(2 if path == "/dev/stderr" else 1), "dovecot"
    if not path.startswith("/"):
        raise ConfigurationFault(name, f"{path} is neither syslog nor the path of a file")
    try:
        return file_target(path).descriptor, "dovecot"
    except OSError as error:
        raise ConfigurationFault(name, f"open({path}) failed: {error.strerror}") from error


def _make_base_dir(path: str) -> None:
    try:
        os.makedirs(path, mode=0o755, exist_ok=True)
    except OSError as error:
        raise StartFault(f"mkdir({path}) failed: {error.strerror}") from error


def _owners(settings: MailboxSettings) -> Owners | None:
    """Whom the roles become; None if we are not root."""
    if os.getuid() != 0:
        return None
    internal = _user("default_internal_user", settings.internal_user)
    login = _user("default_login_user", settings.login_user)
    return Owners(mail_owner=internal, dovecot=internal, dovenull=login, vmail=internal)


def _user(setting: str, name: str) -> User:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise ConfigurationFault(
            setting, f"user {name} doesn't exist", mend=f"useradd --system {name}, or name another user"
        ) from None
    if entry.pw_uid == 0:
        raise ConfigurationFault(setting, f"{name} is root", mend="name a user without rights")
    return User(entry.pw_uid, entry.pw_gid)


def main() -> int:
    """Entry of the process."""
    path, descriptor = sys.argv[1:3]
    leave_the_terminal()
    return DovecotMaster(path, Starter(descriptor)).run()


if __name__ == "__main__":
    end(main())
