"""What lines of master.cf say in vain: a start, and `postfix check`, tell of it.

DESCRIPTION
    Pipes and spawned services that cannot work, services of a type that their program is not served with, `-v` and
    `-D` where they change nothing, and `-o` options of programs that are parts of others here.  Whose work is done
    elsewhere has the settings of main.cf; a few parts have those of their own services
    (mta_half.SETTINGS_OF_PARTS).

    Wakeup times, and the process limits of programs that are parts of others, mean nothing: nobody has to be woken.
"""

import os
from collections.abc import Iterator
from typing import Final

from pillarbox.config.master_cf import Service
from pillarbox.config.reading import Configuration
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.treatment import Kind
from pillarbox.config.unserved_parameters import treatment
from pillarbox.delivery.service_command import UnknownAccount
from pillarbox.supervisor.disabled_services import without_disabled
from pillarbox.supervisor.mta_half import SETTINGS_OF_PARTS
from pillarbox.supervisor.spawn_services import is_spawn, spawn_fault
from pillarbox.supervisor.transport_services import DELIVERY_AGENTS, SAY_MORE, pipe_fault
from pillarbox.vocabulary.faults import ConfigurationFault

_HAVE_SETTINGS: Final = frozenset("smtpd smtp lmtp local virtual pipe pickup cleanup spawn".split())
"""Programs each of whose services has the settings of its own line."""

_OF_THE_QUEUE: Final = frozenset({"enable_long_queue_ids", "hash_queue_depth", "hash_queue_names"})


def service_warnings(configuration: Configuration) -> list[str]:
    """One line each, with file and line.

    Not of pipes and spawned services whose only fault is that their user does not exist: stock files have some, for
    programs that few hosts have.  The log tells of them when there is mail for them, as Postfix's does.
    """
    faults: list[ConfigurationFault | None] = []
    for service in without_disabled(configuration).master_cf.services:
        if os.path.basename(service.command) == "pipe":
            fault = pipe_fault(configuration, service)
            if fault is not None and not isinstance(fault.__cause__, UnknownAccount):
                faults.append(fault)
        elif is_spawn(service):
            faults.append(spawn_fault(configuration, service))
        faults += [ConfigurationFault(service.where, text) for text in _in_vain(configuration, service)]
    return [str(fault) for fault in faults if fault is not None]


def _in_vain(configuration: Configuration, service: Service) -> Iterator[str]:
    program = os.path.basename(service.command)
    served_with = _type_that_is_served(program)
    if served_with not in ("", service.type):
        yield f"service {service.name} has no effect: {program} is served with type {served_with}"
        return
    if program == "dnsblog":
        yield f"service {service.name} has no effect: only postscreen asks it, which is not served"
        return
    if service.verbosity and program not in SAY_MORE:
        yield f"-v of service {service.name} has no effect: only smtpd, smtp and lmtp log more with it"
    if service.debug:
        yield f"-D of service {service.name} has no effect: no program is started under a debugger"
    if program == "cleanup":
        for name in service.overrides.keys() & _OF_THE_QUEUE:
            yield f"parameter {name} of service {service.name} has no effect: there is one queue; set it in main.cf"
    reason = _why_settings_do_not_count(program, service)
    if not reason:
        return
    own = configuration.for_service(service)
    effective = _effective(configuration, program)
    for name in service.overrides:
        if treatment(name).kind is Kind.SERVED and own.value(name) != effective.value(name):
            yield f"parameter {name} of service {service.name} has no effect: {reason}"


def _type_that_is_served(program: str) -> str:
    """The type of service that a program is served with; empty if it is none of those that take work."""
    return "inet" if program == "smtpd" else "unix" if program in DELIVERY_AGENTS else ""


def _why_settings_do_not_count(program: str, service: Service) -> str:
    if program in _HAVE_SETTINGS or program in SETTINGS_OF_PARTS.get(service.name, ()):
        return ""
    if program == "bounce":
        return "all notices have the settings of the service bounce"
    return f"the work of {program} is done by other programs, with their settings"


def _effective(configuration: Configuration, program: str) -> Snapshot:
    for service in configuration.master_cf.services:
        if (
            program in SETTINGS_OF_PARTS.get(service.name, ())
            and os.path.basename(service.command) == program
        ):
            return configuration.for_service(service)
    return configuration.snapshot
