"""Entry of a supervisor process: `python -I -m pillarbox.supervisor.main HALF ROOT LISTEN OFFSET FD`.

DESCRIPTION
    FD is one end of a stream socket: "ready" or one line of failure goes out on it, and its end means that the
    one who started us is gone, so that everything stops.
"""

import asyncio
import os
import socket
import sys
from pathlib import Path

from pillarbox.config.dovecot_conf import read_dovecot_conf
from pillarbox.config.findings import start_warnings
from pillarbox.config.host_facts import host_facts
from pillarbox.config.parameters.logging import Logging
from pillarbox.config.reading import read_configuration
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import Noted, RoleStarted, Warned
from pillarbox.observability.log_file import LogFile
from pillarbox.supervisor.first_run import Home
from pillarbox.supervisor.half import Half, Supervisor
from pillarbox.supervisor.listeners import StartFault
from pillarbox.supervisor.mailbox_half import mailbox_half
from pillarbox.supervisor.mta_half import make_queue, mta_half
from pillarbox.supervisor.system_users import Owners, system_users
from pillarbox.vocabulary.faults import ConfigurationFault

VERSION = "0.1.0"


def main() -> int:
    """Run a half until it is told to stop."""
    half_name, root, listen, offset, descriptor = sys.argv[1:6]
    os.setsid()
    starter = socket.socket(fileno=int(descriptor))
    home = Home(Path(root))
    log = os.open(home.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    program = "master" if half_name == "mta" else "dovecot"
    tell = LogFile(log, program=program, clock=SystemClock())
    try:
        owners = system_users() if os.getuid() == 0 else None
        half = build(half_name, home, owners=owners, listen=listen, port_offset=int(offset), tell=tell)
        asyncio.run(_run(half, log, tell, starter, str(home.etc)))
    except (ConfigurationFault, StartFault) as fault:
        tell(Warned(f"fatal: {fault}"))
        starter.sendall(f"{fault}\n".encode())
        return 1
    return 0


def build(
    name: str, home: Home, *, owners: Owners | None, listen: str, port_offset: int, tell: LogFile
) -> Half:
    """The half, and the directories it needs."""
    status = home.status_socket(name)
    if name == "mailbox":
        settings = read_dovecot_conf(str(home.etc / "dovecot.conf"), home.mailbox_settings(owners))
        return mailbox_half(
            settings, owners=owners, listen=listen, port_offset=port_offset, status_socket=status
        )
    configuration = read_configuration(str(home.etc), facts=host_facts())
    for warning in start_warnings(configuration):
        tell(Warned(warning))
    configuration.snapshot.group(Logging)
    make_queue(configuration.snapshot, owners.mail_owner if owners else None)
    return mta_half(
        configuration, owners=owners, listen=listen, port_offset=port_offset, status_socket=status
    )


async def _run(half: Half, log: int, tell: LogFile, starter: socket.socket, directory: str) -> None:
    supervisor = Supervisor(half, log=log, tell=tell)
    loop = asyncio.get_running_loop()
    starter.setblocking(False)

    def starter_gone() -> None:
        loop.remove_reader(starter.fileno())
        os.kill(os.getpid(), 15)

    def ready() -> None:
        loop.add_reader(starter.fileno(), starter_gone)
        starter.sendall(b"ready\n")
        tell(RoleStarted(VERSION, directory))

    await supervisor.run(ready=ready)
    tell(Noted("terminating"))


if __name__ == "__main__":
    sys.exit(main())
