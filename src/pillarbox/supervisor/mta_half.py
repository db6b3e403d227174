"""The MTA half: services of master.cf as roles and listeners.

DESCRIPTION
    Every `smtpd` service of type inet is a listener of the smtpd role, with its `-o` options; without any there is
    no such role.  qmgr and delivery are always there.  Programs that other roles stand for (cleanup, bounce,
    virtual …) need nothing.  A service whose program is not served is refused, because what it was meant to keep
    out or pass on would not be.  Services that master_service_disable turns off are as if they had no lines.

FAULTS
    ConfigurationFault  a service that cannot be served, with file and line
"""

import os
from typing import Final

from pillarbox.config.master_cf import Service
from pillarbox.config.parameters.address_verification import AddressVerification
from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.logging import Logging
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.parameters.processes import Processes
from pillarbox.config.reading import Configuration
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.transport_values import check_transport_values
from pillarbox.config.value import Value
from pillarbox.delivery.smtp.service_flags import service_flags
from pillarbox.net.startup import User, cleanup_of
from pillarbox.queue.maildrop import shared_modes
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.supervisor.disabled_services import without_disabled
from pillarbox.supervisor.half import Half, Role
from pillarbox.supervisor.inet_addresses import inet_listeners
from pillarbox.supervisor.instance_lock import LockFile
from pillarbox.supervisor.listeners import InetListener, UnixListener
from pillarbox.supervisor.spawn_services import is_spawn, spawn_roles
from pillarbox.supervisor.transport_services import BUILT_IN, pipe_fault, service_snapshot, transport_services
from pillarbox.vocabulary.faults import ConfigurationFault

_WITHIN_ROLES: Final = frozenset(
    "pickup cleanup qmgr oqmgr tlsmgr trivial-rewrite bounce verify flush proxymap smtp lmtp showq error discard "
    "local virtual pipe anvil scache tlsproxy dnsblog postlogd nqmgr".split()
)
"""Programs whose work other roles do, or that nothing here asks."""

_TAKE_ARGUMENTS: Final = frozenset({"lmtp", "pipe", "smtp", "spawn"})

SETTINGS_OF_PARTS: Final = {
    "qmgr": ("qmgr", "oqmgr", "nqmgr"),
    "rewrite": ("trivial-rewrite",),
    "bounce": ("bounce",),
    "verify": ("verify",),
}
"""Parts of the qmgr role that have the settings of a service of their own, and the programs it may run."""

_DOORS: Final = {
    "showq": "showq",
    "flush": "flush",
    "qmgr-trigger": "qmgr",
    "pickup-trigger": "pickup",
    "submit": "pillarbox-submit",
}
"""Sockets in public/, for commands, served by the qmgr role (queue_manager/doors.py)."""


_TRANSPORT_PARAMETERS: Final = (
    "local_transport",
    "virtual_transport",
    "relay_transport",
    "default_transport",
    "content_filter",
    "best_mx_transport",
)

MODULES: Final = (
    "pillarbox.daemons.mta_common",
    "pillarbox.daemons.delivery",
    "pillarbox.daemons.smtp",
    "pillarbox.daemons.qmgr",
    "pillarbox.daemons.smtpd",
    "pillarbox.daemons.spawn",
)
"""Of the roles that there may be."""


def mta_half(
    configuration: Configuration,
    *,
    mail_owner: User | None,
    listen: str,
    port_offset: int,
    status_socket: str,
) -> Half:
    """What the MTA's supervisor runs.

    `mail_owner` is None rootless; `listen` replaces inet_interfaces if given.
    """
    configuration = without_disabled(configuration)
    snapshot = configuration.snapshot
    paths = snapshot.group(Paths)
    queue = paths.queue_directory
    _check_programs(configuration)
    inet, smtpd = _smtpd(configuration, user=mail_owner, listen=listen, port_offset=port_offset)
    _check_transports(configuration)
    spawned, doors = spawn_roles(
        configuration, queue=queue, mail_owner=mail_owner, listen=listen, port_offset=port_offset
    )
    return Half(
        name="mta",
        process_name="master",
        pid_file=f"{queue}/pid/master.pid",
        more_locks=(LockFile(f"{paths.data_directory}/master.lock", mail_owner),),
        status_socket=status_socket,
        keeps_sockets=True,
        listeners=(*inet, *_doors(snapshot, mail_owner), *doors),
        syslog_name=snapshot.group(Logging).syslog_name,
        directory=queue,
        tcp_window=snapshot.group(Identity).tcp_windowsize,
        longest_throttle=snapshot.group(Processes).service_throttle_time,
        roles=(*_queue_roles(configuration, user=mail_owner), *smtpd, *spawned),
    )


def _check_programs(configuration: Configuration) -> None:
    for service in configuration.master_cf.services:
        program = os.path.basename(service.command)
        if program != "smtpd" and program not in _WITHIN_ROLES and not is_spawn(service):
            raise ConfigurationFault(
                service.where,
                f'program "{program}" of service {service.name} is not served',
                mend="put a # before the line",
            )
        if program in ("smtp", "lmtp"):
            service_flags(service.arguments, where=service.where)
        if service.arguments and program not in _TAKE_ARGUMENTS:
            raise ConfigurationFault(
                service.where,
                f"unexpected command-line argument: {service.arguments[0]}",
                mend=f"{program} takes -o name=value and -v only",
            )


def _smtpd(
    configuration: Configuration, *, user: User | None, listen: str, port_offset: int
) -> tuple[list[InetListener], tuple[Role, ...]]:
    """The listeners of all smtpd services, and the role that serves them, if there are any."""
    listeners: list[InetListener] = []
    snapshots: dict[str, bytes] = {}
    for service in configuration.master_cf.services:
        if os.path.basename(service.command) != "smtpd" or service.type != "inet":
            continue
        own = configuration.for_service(service)
        for listener in inet_listeners(
            service, configuration.snapshot, listen=listen, port_offset=port_offset
        ):
            listeners.append(listener)
            snapshots[listener.name] = _smtpd_snapshot(configuration, service)
            snapshots[cleanup_of(listener.name)] = _cleanup_snapshot(configuration, own)
    role = Role(
        name="smtpd",
        module="pillarbox.daemons.smtpd",
        on_reload="overlap",
        listeners=tuple(listener.name for listener in listeners),
        snapshots=snapshots | {"rewrite": _settings_of_parts(configuration)["rewrite"]},
        user=user,
    )
    return listeners, (role,) if listeners else ()


def _doors(snapshot: Snapshot, owner: User | None) -> list[UnixListener]:
    """The sockets of the roles that are always there: between them, and for commands."""
    queue = snapshot.group(Paths).queue_directory
    verify = snapshot.group(AddressVerification).address_verify_service_name
    pair = None if owner is None else (owner.uid, owner.gid)
    return [
        UnixListener("qmgr", f"{queue}/private/pillarbox-qmgr", 0o600, pair),
        UnixListener("delivery", f"{queue}/private/pillarbox-delivery", 0o600, pair),
        *(UnixListener(name, f"{queue}/public/{socket}", 0o666, pair) for name, socket in _DOORS.items()),
        UnixListener("verify", f"{queue}/private/{verify}", 0o666, pair),
        UnixListener("smtp-client", f"{queue}/private/pillarbox-smtp", 0o600, pair),
    ]


def _queue_roles(configuration: Configuration, *, user: User | None) -> tuple[Role, ...]:
    """Those that are always there: delivery, smtp and, which needs both, qmgr."""
    snapshot, pickup = configuration.snapshot, _pickup_snapshot(configuration)
    encoded, cleanup = snapshot.encode(), _cleanup_snapshot(configuration, snapshot)
    agents, parts = transport_services(configuration), _settings_of_parts(configuration)
    return (
        Role(
            name="delivery",
            module="pillarbox.daemons.delivery",
            on_reload="restart",
            program="virtual",
            listeners=("delivery",),
            snapshots={"virtual": encoded, cleanup_of("virtual"): cleanup, "rewrite": parts["rewrite"]},
            services=tuple(agent for agent in agents if agent.program in ("local", "pipe", "virtual")),
        ),
        Role(
            name="smtp",
            module="pillarbox.daemons.smtp",
            on_reload="overlap",
            listeners=("smtp-client",),
            services=tuple(agent for agent in agents if agent.program in ("smtp", "lmtp")),
            user=user,
        ),
        Role(
            name="qmgr",
            module="pillarbox.daemons.qmgr",
            on_reload="restart",
            listeners=("qmgr", *_DOORS, "verify"),
            snapshots={
                **parts,
                cleanup_of("qmgr"): cleanup,
                "pickup": pickup.encode(),
                cleanup_of("pickup"): _cleanup_snapshot(configuration, pickup),
            },
            services=agents,
            user=user,
        ),
    )


def _settings_of_parts(configuration: Configuration) -> dict[str, bytes]:
    """By part of the qmgr role: main.cf, and what the line of its service says."""
    snapshots = dict.fromkeys(SETTINGS_OF_PARTS, configuration.snapshot)
    for service in configuration.master_cf.services:
        if os.path.basename(service.command) in SETTINGS_OF_PARTS.get(service.name, ()):
            snapshots[service.name] = configuration.for_service(service)
    return {name: snapshot.encode() for name, snapshot in snapshots.items()}


def _smtpd_snapshot(configuration: Configuration, service: Service) -> bytes:
    """The service's settings; its process limit is the default_process_limit of its own."""
    snapshot = service_snapshot(configuration, service)
    if service.process_limit is not None:
        limit = Value(str(service.process_limit), service.file, service.line)
        snapshot = snapshot.with_overrides({"default_process_limit": limit})
    return snapshot.encode()


def _pickup_snapshot(configuration: Configuration) -> Snapshot:
    """What master.cf's line of pickup(8) says of mail from local users."""
    for service in configuration.master_cf.services:
        if os.path.basename(service.command) == "pickup":
            return configuration.for_service(service)
    return configuration.snapshot


def _cleanup_snapshot(configuration: Configuration, snapshot: Snapshot) -> bytes:
    """What counts for mail that a service with these settings takes in: cleanup(8)'s line of master.cf.

    Without any line for it, main.cf.  ConfigurationFault for a name that is no service of cleanup(8).
    """
    name = snapshot.group(Cleanup).cleanup_service_name
    for service in configuration.master_cf.services:
        if service.name == name and service.type == "unix" and os.path.basename(service.command) == "cleanup":
            return configuration.for_service(service).encode()
    if name != "cleanup":
        raise ConfigurationFault(
            snapshot.where("cleanup_service_name"),
            f"parameter cleanup_service_name: {name} is no service of cleanup(8)",
            mend="a line of master.cf such as: NAME unix n - n - 0 cleanup",
        )
    return configuration.snapshot.encode()


def _check_transports(configuration: Configuration) -> None:
    """A transport that does not exist would keep all mail in the queue until it is too old.

    A wrong value of a transport's own would end the queue manager, at a reload the one that is at work.
    """
    known = set(BUILT_IN) | {
        service.name
        for service in configuration.master_cf.services
        if os.path.basename(service.command) != "pipe" or pipe_fault(configuration, service) is None
    }
    for parameter in _TRANSPORT_PARAMETERS:
        value = configuration.snapshot.value(parameter)
        transport = value.partition(":")[0].strip()
        if transport and transport not in known:
            raise ConfigurationFault(
                configuration.snapshot.where(parameter),
                f"parameter {parameter}: unknown transport: {value}",
                mend=f"one of {', '.join(sorted(BUILT_IN))}, or a service of master.cf",
            )
    for service in transport_services(configuration):
        check_transport_values(configuration.snapshot, service.name)


def make_queue(snapshot: Snapshot, owner: User | None) -> None:
    """The queue's directories, owned by mail_owner."""
    paths = snapshot.group(Paths)
    os.makedirs(paths.queue_directory, mode=0o755, exist_ok=True)
    os.makedirs(paths.data_directory, mode=0o700, exist_ok=True)
    directories = QueueDirectories(paths.queue_directory)
    directories.create()
    if owner is None:
        return
    os.chown(paths.data_directory, owner.uid, owner.gid)
    for name in os.listdir(paths.queue_directory):
        if name != "pid":
            os.chown(os.path.join(paths.queue_directory, name), owner.uid, owner.gid, follow_symlinks=False)
    for name, mode in shared_modes(paths).items():
        os.chmod(os.path.join(paths.queue_directory, name), mode)
