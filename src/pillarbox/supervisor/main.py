"""A half's supervisor: `python -I -m pillarbox.supervisor.main HALF ROOT LISTEN OFFSET FD [CLOCK NS]`.

DESCRIPTION
    The lab starts it so; `pillarbox run` forks its supervisors (foreground.py), which then go on here.

    FD is one end of a stream socket: "ready" or one line of failure goes out on it, and its end means that the
    one who started us is gone, so that everything stops.

    CLOCK, the descriptor of a shared clock, and NS, a name server's ADDRESS:PORT, come from the lab.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.reading import read_configuration as read_dovecot_conf
from pillarbox.config.dovecot.unserved import warnings
from pillarbox.config.findings import start_warnings
from pillarbox.config.host_facts import host_facts
from pillarbox.config.reading import read_configuration
from pillarbox.config.value_checks import check_values
from pillarbox.net.startup import Surroundings
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import (
    Event,
    MailboxNotice,
    Refused,
    Reloaded,
    RoleStarted,
    Terminating,
    Warned,
)
from pillarbox.observability.log_file import LogFile
from pillarbox.supervisor.first_run import write_dovecot_conf
from pillarbox.supervisor.half import Half
from pillarbox.supervisor.home import DOMAIN, Home
from pillarbox.supervisor.listeners import StartFault
from pillarbox.supervisor.log_target import LogTarget, file_target
from pillarbox.supervisor.mailbox_half import MODULES as MAILBOX_MODULES
from pillarbox.supervisor.mailbox_half import mailbox_half
from pillarbox.supervisor.mta_half import MODULES as MTA_MODULES
from pillarbox.supervisor.mta_half import make_queue, mta_half
from pillarbox.supervisor.role_process import Zygotes
from pillarbox.supervisor.service_warnings import service_warnings
from pillarbox.supervisor.starter import end
from pillarbox.supervisor.supervisor import Supervisor
from pillarbox.supervisor.system_users import Owners, system_users
from pillarbox.supervisor.version import VERSION, starting_up
from pillarbox.vocabulary.faults import ConfigurationFault

MODULES: Final = {"mailbox": MAILBOX_MODULES, "mta": MTA_MODULES}
"""What the roles of each half are made of."""


def main() -> int:
    """Run a half until it is told to stop."""
    half_name, root, listen, offset, descriptor = sys.argv[1:6]
    os.setsid()
    zygotes = Zygotes(MODULES[half_name])
    zygotes.begin()
    return supervise(
        half_name,
        Home(Path(root)),
        listen=listen,
        port_offset=int(offset),
        starter=socket.socket(fileno=int(descriptor)),
        zygotes=zygotes,
        surroundings=_surroundings(sys.argv[6:]),
    )


def supervise(
    half_name: str,
    home: Home,
    *,
    listen: str,
    port_offset: int,
    starter: socket.socket,
    zygotes: Zygotes,
    surroundings: Surroundings,
) -> int:
    """The half's life, with a zygote that has been forked; the exit status."""
    log = file_target(str(home.log))
    program = "master" if half_name == "mta" else "dovecot"
    tell = LogFile(log.descriptor, program=program, clock=SystemClock())

    def read() -> tuple[Half, LogTarget]:
        owners = system_users() if os.getuid() == 0 else None
        half = build(half_name, home, owners=owners, listen=listen, port_offset=port_offset, tell=tell)
        return half, log

    def reread() -> tuple[Half, LogTarget]:
        half, _ = read()
        if half_name == "mta":
            tell(Reloaded(VERSION, str(home.etc)))
        else:
            tell(MailboxNotice("master", "Warning", "SIGHUP received - reloading configuration"))
        return half, file_target(str(home.log))

    try:
        half, _ = read()
        supervisor = Supervisor(
            half, log=log, tell=tell, zygotes=zygotes, reread=reread, surroundings=surroundings
        )
        asyncio.run(_run(supervisor, tell, starter, _words(half_name, half, home)))
    except (ConfigurationFault, StartFault) as fault:
        tell(Refused(str(fault)) if half_name == "mta" else MailboxNotice("master", "Fatal", str(fault)))
        starter.sendall(f"{fault}\n".encode())
        return 1
    finally:
        zygotes.close()
    return 0


def _surroundings(arguments: list[str]) -> Surroundings:
    if not arguments:
        return Surroundings()
    clock, name_server = arguments
    address, _, port = name_server.rpartition(":")
    return Surroundings(clock=int(clock), name_servers=((address, int(port)),))


class _Words(msgspec.Struct, frozen=True):
    """What a half says in its log: as master(8) does, or as dovecot(1)."""

    started: Event
    ended: Callable[[int], Event]


def _words(half_name: str, half: Half, home: Home) -> _Words:
    if half_name == "mta":
        return _Words(RoleStarted(VERSION, str(home.etc)), Terminating)
    return _Words(
        MailboxNotice("master", "Info", starting_up(half.facts["protocols"])),
        lambda number: MailboxNotice("master", "Warning", f"Killed with signal {number}"),
    )


def build(
    name: str, home: Home, *, owners: Owners | None, listen: str, port_offset: int, tell: LogFile
) -> Half:
    """The half, and the directories it needs."""
    status = home.status_socket(name)
    if name == "mailbox":
        dovecot_conf = read_dovecot_conf(write_dovecot_conf(home, owners))
        for warning in warnings(dovecot_conf):
            tell(MailboxNotice("master", "Warning", warning))
        settings = mailbox_settings(dovecot_conf, hostname=DOMAIN)
        return mailbox_half(
            settings, owners=owners, listen=listen, port_offset=port_offset, status_socket=status
        )
    configuration = read_configuration(str(home.etc), facts=host_facts())
    for warning in (*start_warnings(configuration), *service_warnings(configuration)):
        tell(Warned(warning))
    check_values(configuration)
    make_queue(configuration.snapshot, owners.mail_owner if owners else None)
    return mta_half(
        configuration,
        mail_owner=owners.mail_owner if owners else None,
        listen=listen,
        port_offset=port_offset,
        status_socket=status,
    )


async def _run(supervisor: Supervisor, tell: LogFile, starter: socket.socket, words: _Words) -> None:
    loop = asyncio.get_running_loop()
    starter.setblocking(False)

    def starter_gone() -> None:
        loop.remove_reader(starter.fileno())
        os.kill(os.getpid(), 15)

    def ready() -> None:
        loop.add_reader(starter.fileno(), starter_gone)
        starter.sendall(b"ready\n")
        tell(words.started)

    tell(words.ended(await supervisor.run(ready=ready)))


if __name__ == "__main__":
    end(main())
