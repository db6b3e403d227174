"""spawn(8) services of master.cf: each a role of its own, with the rights of its user and nobody else's.

DESCRIPTION
    A service that cannot work (its user exists on few hosts) is left out, and a start says so: who connects to it
    finds nobody, as with a spawn(8) that ends at once.
"""

import os

import msgspec

from pillarbox.config.master_cf import Service
from pillarbox.config.reading import Configuration
from pillarbox.delivery.spawn import SpawnService
from pillarbox.net.startup import User
from pillarbox.supervisor.half import Role
from pillarbox.supervisor.inet_addresses import inet_listeners
from pillarbox.supervisor.listeners import InetListener, UnixListener
from pillarbox.vocabulary.faults import ConfigurationFault


def is_spawn(service: Service) -> bool:
    """Whether a line is one of these."""
    return os.path.basename(service.command) == "spawn" and service.type in ("inet", "unix")


def spawn_fault(configuration: Configuration, service: Service) -> ConfigurationFault | None:
    """Why a service cannot work."""
    try:
        SpawnService.of(service, configuration.for_service(service))
    except ConfigurationFault as fault:
        return fault
    return None


def spawn_roles(
    configuration: Configuration, *, queue: str, mail_owner: User | None, listen: str, port_offset: int
) -> tuple[list[Role], list[InetListener | UnixListener]]:
    """Those that can work, and the sockets that they serve."""
    roles: list[Role] = []
    listeners: list[InetListener | UnixListener] = []
    pair = None if mail_owner is None else (mail_owner.uid, mail_owner.gid)
    for service in configuration.master_cf.services:
        if not is_spawn(service) or spawn_fault(configuration, service) is not None:
            continue
        snapshot = configuration.for_service(service)
        spawned = SpawnService.of(service, snapshot)
        name = f"spawn-{service.type}-{service.name}"
        own: list[InetListener | UnixListener]
        if service.type == "inet":
            found = inet_listeners(service, snapshot, listen=listen, port_offset=port_offset)
            own = [msgspec.structs.replace(one, name=f"{name}/{at}") for at, one in enumerate(found)]
        else:
            folder = "private" if service.private else "public"
            own = [UnixListener(name, f"{queue}/{folder}/{service.name}", 0o666, pair)]
        listeners += own
        roles.append(
            Role(
                name=name,
                module="pillarbox.daemons.spawn",
                program="spawn",
                on_reload="overlap",
                listeners=tuple(one.name for one in own),
                settings=msgspec.msgpack.encode(spawned),
                user=None if mail_owner is None else User(spawned.uid, spawned.gid, (spawned.gid,)),
            )
        )
    return roles, listeners
