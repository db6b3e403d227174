"""The smtpd services of one process, opened: settings, tables, TLS, and the sessions that each may have.

DESCRIPTION
    What several services ask for in the same way is open once; so is what a service has under stress and otherwise.

FAULTS
    ConfigurationFault   a value, table or certificate that a service cannot do without
"""

import os
import socket
import ssl
from collections.abc import Mapping
from ipaddress import ip_address

import msgspec

from pillarbox.auth.cyrus import DIRECTORIES, CyrusSettings, cyrus_settings
from pillarbox.bounce.configured import configured_bounces
from pillarbox.bounce.submission import BounceRules
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.snapshot import Snapshot
from pillarbox.daemons.service_load import ServiceLoad
from pillarbox.daemons.smtpd_tls import has_same_context, server_context
from pillarbox.routing.configured_routes import server_routes
from pillarbox.routing.resolution import Resolver
from pillarbox.sessions.smtp.policy import SmtpPolicy, configured_policy
from pillarbox.tables.opening import open_tables, shared_openings
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault


class Service(msgspec.Struct):
    """One smtpd service, opened."""

    name: str
    policy: SmtpPolicy
    bounces: BounceRules
    resolver: Resolver
    dns_filter: tuple[LookupTable, ...]  # smtpd_dns_reply_filter
    tls_context: ssl.SSLContext | None
    sock: socket.socket
    logins: str | CyrusSettings
    """Who checks them: an authentication server's socket, or what smtpd.conf says."""
    syslog_name: str
    cleanup_syslog_name: str
    load: ServiceLoad | None
    """As many sessions as master.cf's process limit, or default_process_limit in main.cf, allows at once; one that
    is set by nobody is no limit here, because a process serves thousands."""
    under_stress: "Service | None" = None
    """The same service with the settings that it has under stress."""
    tls_fault: str = ""
    """Why it has no TLS, though it is to have it."""


def open_services(
    snapshots: Mapping[str, Snapshot],
    cleanups: Mapping[str, Snapshot],
    sockets: Mapping[str, socket.socket],
    *,
    rewrite: Snapshot,
    warnings: list[str],
    clock: Clock,
) -> list[Service]:
    """The services that listen on `sockets`, by name; `cleanups` has the cleanup(8) of each.

    `rewrite` are the settings of trivial-rewrite(8), which says where mail goes.

    What the log is to be told is added to `warnings`.
    """
    loads = _loads(snapshots, sockets, clock)
    with shared_openings():
        return [
            _open_service(
                name,
                snapshot,
                cleanups[name],
                rewrite,
                sock=sockets[name],
                load=loads.get(service_name(name)),
                warnings=warnings,
                clock=clock,
            )
            for name, snapshot in snapshots.items()
        ]


def _open_service(
    name: str,
    snapshot: Snapshot,
    cleanup: Snapshot,
    rewrite: Snapshot,
    *,
    sock: socket.socket,
    load: ServiceLoad | None,
    warnings: list[str],
    clock: Clock,
    tls_context: ssl.SSLContext | None = None,
) -> Service:
    """A listener of a service of master.cf, with its settings for stress if the service can be under it.

    `tls_context` is one that is open already and does for it.
    """
    resolver = Resolver(server_routes(snapshot, rewrite, clock=clock), rewrites=True)
    policy = configured_policy(
        snapshot, cleanup=cleanup, service=service_name(name), resolver=resolver, clock=clock
    )
    tls_fault = ""
    if tls_context is None:
        try:
            tls_context = server_context(snapshot, policy, warnings, clock)
        except ConfigurationFault as fault:
            # As in Postfix: mail goes on, and whoever is to use TLS waits until it is mended.
            tls_fault = str(fault)
            warnings.append(f"{fault}: disabling TLS support")
    service = Service(
        name,
        policy,
        configured_bounces(snapshot, warn=lambda _: None),  # the queue manager tells
        resolver,
        open_tables(
            policy.server.smtpd_dns_reply_filter,
            where=snapshot.place_of("smtpd_dns_reply_filter"),
            clock=clock,
        ),
        tls_context,
        sock,
        _who_checks_logins(snapshot, policy, warnings),
        snapshot.value("syslog_name"),
        cleanup.value("syslog_name"),
        load,
        tls_fault=tls_fault,
    )
    if load is not None and load.may_have_stress and "stress" not in snapshot.overrides:
        strained = snapshot.with_overrides({"stress": "yes"})
        service.under_stress = _open_service(
            name,
            strained,
            cleanup,
            rewrite,
            sock=sock,
            load=None,
            warnings=warnings,
            clock=clock,
            tls_context=service.tls_context if has_same_context(snapshot, strained) else None,
        )
    return service


def _loads(
    snapshots: Mapping[str, Snapshot], sockets: Mapping[str, socket.socket], clock: Clock
) -> dict[str, ServiceLoad]:
    """Of the services with a process limit, by name: all listeners of one share it (`smtp`, `smtp/1`)."""
    loads: dict[str, ServiceLoad] = {}
    for listener, snapshot in snapshots.items():
        name = service_name(listener)
        limit = snapshot.group(QueueManager).default_process_limit
        if name in loads or snapshot.explicit("default_process_limit") is None or not limit:
            continue
        addresses = [
            sock.getsockname()
            for other, sock in sockets.items()
            if service_name(other) == name and sock.family != socket.AF_UNIX
        ]
        host = name.rpartition(":")[0]
        canonical = ":".join([*([host] if host else []), *(str(port) for _, port, *_ in addresses[:1])])
        loads[name] = ServiceLoad(
            f'"{name}" ({canonical})',
            limit,
            public=not all(ip_address(address).is_loopback for address, *_ in addresses),
            clock=clock,
        )
    return loads


def service_name(listener: str) -> str:
    """The service of master.cf that a listener belongs to."""
    return listener.partition("/")[0]


def _who_checks_logins(snapshot: Snapshot, policy: SmtpPolicy, warnings: list[str]) -> str | CyrusSettings:
    options = policy.sasl
    queue = snapshot.value("queue_directory")
    if options.smtpd_sasl_type == "dovecot":
        return os.path.join(queue, options.smtpd_sasl_path)
    settings = CyrusSettings(
        host=policy.host.decode(),
        realm=options.smtpd_sasl_local_domain,
        service=options.smtpd_sasl_service,
        root=queue,
    )
    if not options.smtpd_sasl_auth_enable:
        return settings
    own = os.path.join(snapshot.value("config_directory"), "sasl")
    directories = tuple(filter(None, options.cyrus_sasl_config_path.split(":"))) or (own, *DIRECTORIES)
    try:
        return cyrus_settings(directories, options.smtpd_sasl_path, settings)
    except ConfigurationFault as fault:
        # As with a certificate that is not there: mail goes on, and nobody can log in until it is mended.
        warnings.append(f"{fault}: disabling SASL authentication")
        return msgspec.structs.replace(settings, mechanisms=())
