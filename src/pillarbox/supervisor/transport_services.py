"""Transports: services of master.cf that deliver, and those that need no line there.

DESCRIPTION
    `transport_services()` gives each service whose program delivers mail, with its settings.  `smtp`, `relay`,
    `lmtp`, `local`, `virtual`, `error`, `retry` and `discard` are there without a line, as if the stock master.cf
    were read.

    What master_service_disable turns off is left out: mail that is routed there waits.  So does mail for a pipe
    that cannot work; why, the log says when there is some (daemons/local_delivery.py).
"""

import os
from typing import Final

from pillarbox.config.master_cf import Service
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.reading import Configuration
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value import Value
from pillarbox.delivery.pipe import PipeService
from pillarbox.net.startup import AgentService
from pillarbox.supervisor.disabled_services import is_disabled
from pillarbox.vocabulary.faults import ConfigurationFault

DELIVERY_AGENTS: Final = frozenset("local pipe virtual smtp lmtp error discard".split())
"""Programs whose services are transports."""

SAY_MORE: Final = frozenset({"smtpd", "smtp", "lmtp"})
"""Programs that log their sessions line by line with -v, whoever the peer is."""

BUILT_IN: Final[dict[str, str]] = {
    "smtp": "smtp",
    "relay": "smtp",
    "lmtp": "lmtp",
    "local": "local",
    "virtual": "virtual",
    "error": "error",
    "retry": "error",
    "discard": "discard",
}
"""Program by the name of a service that needs no line."""


def transport_services(configuration: Configuration) -> tuple[AgentService, ...]:
    """Each transport, a line of master.cf before what is built in."""
    encoded = configuration.snapshot.encode()
    found = {
        name: AgentService(name=name, program=program, snapshot=encoded)
        for name, program in BUILT_IN.items()
        if not is_disabled(configuration.snapshot, name, "unix")
    }
    for service in configuration.master_cf.services:
        program = os.path.basename(service.command)
        if program not in DELIVERY_AGENTS or service.type != "unix":
            continue
        found[service.name] = AgentService(
            name=service.name,
            program=program,
            arguments=service.arguments,
            where=service.where,
            process_limit=service.process_limit,
            snapshot=service_snapshot(configuration, service).encode(),
        )
    return tuple(found.values())


def service_snapshot(configuration: Configuration, service: Service) -> Snapshot:
    """The settings of a service; with -v, all peers are on debug_peer_list."""
    snapshot = configuration.for_service(service)
    if not service.verbosity or os.path.basename(service.command) not in SAY_MORE:
        return snapshot
    return snapshot.with_overrides(
        {
            name: Value(text, service.file, service.line)
            for name, text in (
                ("debug_peer_list", "static:all"),
                ("debug_peer_level", str(service.verbosity)),
            )
        }
    )


def pipe_fault(configuration: Configuration, service: Service) -> ConfigurationFault | None:
    """Why a pipe cannot work."""
    mail_owner = configuration.snapshot.group(Paths).mail_owner
    try:
        PipeService.parse(service.name, service.arguments, where=service.where, mail_owner=mail_owner)
    except ConfigurationFault as fault:
        return fault
    return None
