"""spawn(8): a service of master.cf that runs a command for each connection, as inetd(8) does.

DESCRIPTION
        policy  unix  -  n  n  -  0  spawn user=nobody argv=/usr/bin/policyd-spf

    The command's standard input, output and error are the connection.  It has the rights of `user=`, no shell
    between, and `policy_time_limit` seconds.

FAULTS
    ConfigurationFault  an attribute that does not exist, no command, no user or root as the user, chroot

STANDARDS
    spawn(8); postconf(5): transport_time_limit, command_time_limit
"""

import os

import msgspec

from pillarbox.config.master_cf import Service
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import time_span
from pillarbox.delivery.service_command import account, attributes, command_environment
from pillarbox.vocabulary.faults import ConfigurationFault


class SpawnService(msgspec.Struct, frozen=True, kw_only=True):
    """One service."""

    name: str
    command: tuple[str, ...]
    uid: int
    gid: int
    directory: str  # where the command begins: queue_directory
    environment: tuple[tuple[bytes, bytes], ...]
    time_limit: float = 1000.0  # seconds
    process_limit: int = 0  # commands that run at once; 0: no limit

    @classmethod
    def of(cls, service: Service, snapshot: Snapshot) -> "SpawnService":
        """The service that a line of master.cf describes; `snapshot` has its `-o` options."""
        paths = snapshot.group(Paths)
        try:
            if service.chroot:
                raise ValueError("chroot is not served: write n in the fifth column")
            given, command = attributes(service.arguments, ("user",))
            _, uid, gid = account(given.get("user", ""), paths.mail_owner)
            if os.getuid() not in (0, uid):
                raise ValueError("only root can run commands as another user")
            limit = snapshot.value(f"{service.name}_time_limit") or snapshot.value("command_time_limit")
            time_limit = time_span(limit)
        except ValueError as error:
            raise ConfigurationFault(service.where, f"spawn service {service.name}: {error}") from error
        processes = service.process_limit
        return cls(
            name=service.name,
            command=command,
            uid=uid,
            gid=gid,
            directory=paths.queue_directory,
            environment=command_environment(snapshot.value("config_directory"), paths),
            time_limit=time_limit,
            process_limit=snapshot.group(QueueManager).default_process_limit
            if processes is None
            else processes,
        )
