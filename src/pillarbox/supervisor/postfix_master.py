"""The MTA's supervisor in place of master(8): `python -I -m pillarbox.supervisor.postfix_master DIRECTORY FD`.

DESCRIPTION
    The configuration is the one in DIRECTORY, the queue the one it names, ports are the real ones.  FD is a
    descriptor on which one line tells whoever waits how the start went: `ready`, or the reason why not.  `-` for
    none: then this is the foreground of `postfix start-fg`, or what a service manager started.

    SIGTERM stops it, SIGHUP reloads.

FAULTS
    exit 1  it could not start; the log and FD say why
"""

import asyncio
import sys

from pillarbox.config.findings import start_warnings
from pillarbox.config.host_facts import host_facts
from pillarbox.config.reading import Configuration, read_configuration
from pillarbox.config.value_checks import check_values
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import Event, Refused, Reloaded, RoleStarted, Terminating, Warned
from pillarbox.observability.log_file import LogFile
from pillarbox.supervisor.half import Half
from pillarbox.supervisor.host_values import check_host_values
from pillarbox.supervisor.listeners import StartFault
from pillarbox.supervisor.log_target import LogTarget, mta_log
from pillarbox.supervisor.mta_half import MODULES, mta_half
from pillarbox.supervisor.postfix_control import status_socket
from pillarbox.supervisor.queue_permissions import Instance, make_missing
from pillarbox.supervisor.role_process import Zygotes
from pillarbox.supervisor.service_manager import ServiceManager
from pillarbox.supervisor.service_warnings import service_warnings
from pillarbox.supervisor.starter import Starter, end, leave_the_terminal
from pillarbox.supervisor.supervisor import Supervisor
from pillarbox.supervisor.version import VERSION
from pillarbox.vocabulary.faults import ConfigurationFault


class PostfixMaster:
    """One life of the supervisor."""

    def __init__(self, directory: str, starter: Starter) -> None:
        self._directory = directory
        self._starter = starter
        self._tell: LogFile | None = None
        self._manager = ServiceManager()
        self._zygotes = Zygotes(MODULES)

    def run(self) -> int:
        """Run until a signal; the exit status."""
        self._zygotes.begin()
        try:
            half, log = self._read()
            return asyncio.run(self._supervise(half, log))
        except (ConfigurationFault, StartFault, OSError) as fault:
            if self._tell is not None:
                self._tell(Refused(str(fault)))
            self._starter.tell(str(fault))
            return 1
        finally:
            self._zygotes.close()

    async def _supervise(self, half: Half, log: LogTarget) -> int:
        assert self._tell is not None
        supervisor = Supervisor(
            half,
            log=log,
            tell=self._log_event,
            reread=self._reread,
            zygotes=self._zygotes,
            reloaded=self._manager.ready,
        )
        number = await supervisor.run(ready=self._ready)
        self._manager.stopping()
        self._log_event(Terminating(number))
        return 0

    def _ready(self) -> None:
        self._log_event(RoleStarted(VERSION, self._directory))
        self._manager.ready()
        self._starter.tell("ready")

    def _reread(self) -> tuple[Half, LogTarget]:
        self._manager.reloading()
        half, log = self._read()
        self._log_event(Reloaded(VERSION, self._directory))
        return half, log

    def _read(self) -> tuple[Half, LogTarget]:
        configuration = read_configuration(self._directory, facts=host_facts())
        log = mta_log(configuration.snapshot)
        tell = LogFile(
            log.descriptor,
            program="master",
            clock=SystemClock(),
            syslog_name=configuration.snapshot.value("syslog_name"),
            form=log.form,
        )
        if self._tell is None:
            self._tell = tell
        half = _half(configuration, log, tell)
        self._tell = tell
        return half, log

    def _log_event(self, event: Event) -> None:
        assert self._tell is not None
        self._tell(event)


def _half(configuration: Configuration, log: LogTarget, tell: LogFile) -> Half:
    for warning in (*start_warnings(configuration), *service_warnings(configuration)):
        tell(Warned(warning))
    check_values(configuration)
    check_host_values(configuration.snapshot)
    instance = Instance.of(configuration.snapshot)
    make_missing(instance)
    return mta_half(
        configuration,
        mail_owner=instance.mail_owner,
        listen="",
        port_offset=0,
        status_socket=status_socket(instance),
    )


def main() -> int:
    """Entry of the process."""
    directory, descriptor = sys.argv[1:3]
    leave_the_terminal()
    return PostfixMaster(directory, Starter(descriptor)).run()


if __name__ == "__main__":
    end(main())
