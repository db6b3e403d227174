"""The qmgr role: opens tables and directories, then runs the queue manager (queue_manager/manager.py).

DESCRIPTION
    A child with the same rights lists the queue for whoever asks (queue_manager/showq.py).

FAULTS
    A mistake in the configuration ends the role before it serves, with the place and the mend.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine

import msgspec

from pillarbox.bounce.configured import configured_bounces
from pillarbox.bounce.submission import Notifier
from pillarbox.config.parameters.address_verification import AddressVerification
from pillarbox.config.parameters.content_filter import ContentFilter
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.queue_manager import QueueManager as QueueSettings
from pillarbox.config.parameters.virtual_delivery import VirtualDelivery
from pillarbox.config.snapshot import Snapshot
from pillarbox.daemons.service_lines import service_lines
from pillarbox.daemons.startup import Control, Serve, open_log, role_clock, run_role
from pillarbox.delivery.agents import Agents
from pillarbox.delivery.local.configured import status_filter_tables
from pillarbox.delivery.status_filter import StatusFilter
from pillarbox.files.fsync_batch import background_fsyncs
from pillarbox.net.forks import fork
from pillarbox.net.shared_clock import LabClock
from pillarbox.net.startup import Startup, cleanup_of
from pillarbox.observability import events
from pillarbox.observability.log_file import LogFile
from pillarbox.queue.configured_rules import configured_rules
from pillarbox.queue.incoming import IncomingQueue
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.spare_files import SpareFiles
from pillarbox.queue_manager.dispatcher import Routing, Services
from pillarbox.queue_manager.doors import Doors
from pillarbox.queue_manager.local_transport import LocalTransport
from pillarbox.queue_manager.manager import QueueManager
from pillarbox.queue_manager.odd_sessions import OddSessions
from pillarbox.queue_manager.showq import ShowQueue
from pillarbox.queue_manager.smtp_transport import SmtpTransport
from pillarbox.queue_manager.transport import DiscardTransport, ErrorTransport, Transport
from pillarbox.queue_manager.transport_rules import transport_settings
from pillarbox.queue_manager.verification.cache import VerifyCache
from pillarbox.queue_manager.verification.probes import Probes
from pillarbox.queue_manager.verification.service import ProbeResults, serve_verify
from pillarbox.queue_manager.virtual_transport import MailboxOwners, VirtualTransport
from pillarbox.routing.configured_mappings import configured_mappings
from pillarbox.routing.configured_routes import (
    configured_routes,
    fast_flush_domains,
    mailbox_routes,
    probe_routes,
)
from pillarbox.routing.resolution import Resolver, Routes
from pillarbox.tables.authorized_users import AuthorizedUsers
from pillarbox.tables.cache_store import open_store
from pillarbox.tables.opening import open_tables, shared_openings
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.clock import Clock


def open_role(startup: Startup) -> Serve:
    """Settings, tables and directories; the rest needs no rights."""
    with shared_openings():
        return _QueueManagerRole(startup).serve


class _QueueManagerRole:
    """What is opened while there are rights for it, and what is made of it to serve."""

    def __init__(self, startup: Startup) -> None:
        """ConfigurationFault; OSError."""
        self._startup = startup
        self._snapshot = snapshot = Snapshot.decode(startup.snapshots["qmgr"])
        rewrite, bounce, verify = (
            Snapshot.decode(startup.snapshots[part]) for part in ("rewrite", "bounce", "verify")
        )
        self._clock = clock = role_clock(startup)
        self._settings = settings = snapshot.group(QueueSettings)
        self._verification = verify.group(AddressVerification)
        self._warnings: list[str] = []
        warn = self._warnings.append
        self._directories = QueueDirectories(
            snapshot.value("queue_directory"),
            hashed=settings.hash_queue_names,
            depth=settings.hash_queue_depth,
        )
        self._resolver = resolver = Resolver(configured_routes(rewrite, clock=clock, warn=warn))
        self._probe_resolver = Resolver(probe_routes(rewrite, resolver.routes, clock=clock))
        self._verify_store = open_store(
            self._verification.address_verify_map,
            where=verify.place_of("address_verify_map"),
        )
        self._mailbox_services = {
            service.name: _MailboxService.of(
                Snapshot.decode(service.snapshot), rewrite, resolver.routes, clock=clock, warn=warn
            )
            for service in startup.services
            if service.program == "virtual"
        }
        cleanup = Snapshot.decode(startup.snapshots[cleanup_of("qmgr")])
        self._rules = configured_rules(cleanup)
        self._bounce_rules = configured_bounces(bounce, warn=warn)
        self._hints = socket.socket(fileno=startup.listeners["qmgr"])
        self._verify_door = socket.socket(fileno=startup.listeners["verify"])
        self._flush_sites = fast_flush_domains(snapshot, clock=clock)
        self._mappings = configured_mappings(cleanup, resolver=resolver, clock=clock, warn=warn)
        pickup_cleanup = Snapshot.decode(startup.snapshots[cleanup_of("pickup")])
        self._doors = Doors(
            snapshot,
            startup.listeners,
            pickup=Snapshot.decode(startup.snapshots["pickup"]),
            cleanup=pickup_cleanup,
            mappings=configured_mappings(pickup_cleanup, resolver=resolver, clock=clock, warn=warn),
            clock=clock,
            warn=warn,
        )
        self._show_queue = ShowQueue(
            self._directories,
            empty_address=settings.empty_address_recipient.encode(),
            authorized=AuthorizedUsers.of(snapshot, "authorized_mailq_users", clock=clock),
        )
        self._rules_of = {
            service.name: transport_settings(service, snapshot, warn=self._warn_once)
            for service in startup.services
        }

    def _warn_once(self, text: str) -> None:
        """Transports that have a default's fault in common are one fault."""
        if text not in self._warnings:
            self._warnings.append(text)

    async def serve(self, control: Control, tell: LogFile) -> None:
        """Until an order comes."""
        if "showq" in self._startup.listeners:  # before there is any thread
            role = os.getpid()
            fork(lambda: _serve_showq(self._startup, self._show_queue, role), outlives=True)
        for text in self._warnings:
            tell(events.Warned(text))
        self._resolver.warn = lambda text: tell(events.Warned(text, "trivial-rewrite"))
        clock, directories = self._clock, self._directories
        agents = Agents(f"{directories.root}/private/pillarbox-delivery", tell=tell)
        queue = IncomingQueue(directories, clock=clock, long_ids=self._settings.enable_long_queue_ids)
        fsyncs = background_fsyncs()
        spares = SpareFiles(directories, fsyncs=fsyncs, clock=clock)
        transports, smtp = self._transports(agents, tell)
        notifier = Notifier(
            queue,
            rules=self._bounce_rules,
            submission=self._rules,
            mappings=self._mappings,
            clock=clock,
            tell=tell,
        )
        verify_cache = VerifyCache(
            self._verify_store,
            settings=self._verification,
            send_probe=lambda address: probes.send(address),
            clock=clock,
            sleep=clock.sleep,
            tell=tell,
        )
        manager = self._manager(transports, notifier, verify_cache, spares, tell)
        identity = self._snapshot.group(Identity)
        if "protocol" in self._settings.notify_classes:
            smtp.report = OddSessions(
                notifier, mail_name=identity.mail_name, queued=manager.queued, tell=tell
            ).report
        probes = Probes(
            queue,
            settings=self._verification,
            rules=self._rules,
            mail_name=identity.mail_name.encode(),
            mappings=self._mappings,
            clock=clock,
            queued=manager.queued,
            learnt=verify_cache.update,
            tell=tell,
        )
        if isinstance(clock, LabClock):
            clock.idle = lambda: manager.is_idle
        doors = self._doors.serve(manager, directories, queue, notifier=notifier, tell=tell)
        await self._run(control, manager, doors, serve_verify(self._verify_door, verify_cache, tell=tell))
        await verify_cache.close()
        agents.close()
        smtp.close()
        fsyncs.close()
        spares.close()
        queue.close()

    async def _run(
        self,
        control: Control,
        manager: QueueManager,
        doors: Coroutine[None, None, None],
        verify: Coroutine[None, None, None],
    ) -> None:
        """The manager, and beside it who has something for it, until there is an order."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(manager.run(self._hints, ready=control.ready, stop=stop))
            ordered = tasks.create_task(control.order())
            beside = [tasks.create_task(doors), tasks.create_task(verify)]
            await asyncio.wait((running, ordered), return_when=asyncio.FIRST_COMPLETED)
            for task in beside:
                task.cancel()
            stop.set()

    def _transports(
        self, agents: Agents, tell: events.EventSink
    ) -> tuple[dict[str, Transport], SmtpTransport]:
        """What delivers, by the services' names; the SMTP client among them once more."""
        transports: dict[str, Transport] = {}
        smtp = SmtpTransport(
            f"{self._directories.root}/private/pillarbox-smtp",
            transports,
            caches_failures=self._verification.address_verify_negative_cache,
            tell=tell,
        )
        by_program: dict[str, Transport] = {
            "smtp": smtp,
            "lmtp": smtp,
            "local": LocalTransport(agents, transports, program="local"),
            "pipe": LocalTransport(agents, transports, program="pipe"),
            "error": ErrorTransport(status="5.0.0", tell=tell),
            "discard": DiscardTransport(tell=tell),
        }
        transports |= {
            service.name: by_program[service.program]
            for service in self._startup.services
            if service.program in by_program
        }
        transports |= {
            name: VirtualTransport(
                resolver=service.resolver,
                settings=service.settings,
                owners=service.owners,
                agents=agents,
                status_filter=StatusFilter(
                    service.filter_tables,
                    parameter="virtual_delivery_status_filter",
                    warn=lambda text: tell(events.Warned(text)),
                ),
            )
            for name, service in self._mailbox_services.items()
        }
        transports["retry"] = ErrorTransport(status="4.0.0", tell=tell)
        return transports, smtp

    def _manager(
        self,
        transports: dict[str, Transport],
        notifier: Notifier,
        verify_cache: VerifyCache,
        spares: SpareFiles,
        tell: LogFile,
    ) -> QueueManager:
        snapshot = self._snapshot
        caches_failures = self._verification.address_verify_negative_cache
        return QueueManager(
            directories=self._directories,
            settings=self._settings,
            routing=Routing(
                resolver=self._resolver,
                probe_resolver=self._probe_resolver,
                filter_nexthop=snapshot.group(ContentFilter).default_filter_nexthop,
                double_bounce=snapshot.group(Identity).double_bounce_sender.encode(),
                caches_failures=caches_failures,
            ),
            services=Services(transports, self._rules_of, self._tell_of(tell)),
            notifier=notifier,
            probed=ProbeResults(verify_cache, negative=caches_failures).take,
            flush_sites=self._flush_sites,
            spares=spares,
            clock=self._clock,
            sleep=self._clock.sleep,
            tell=tell,
        )

    def _tell_of(self, tell: LogFile) -> dict[str, events.EventSink]:
        """The log of each transport whose lines are not what main.cf says."""
        usual = service_lines(self._snapshot)
        lines = {
            service.name: (service_lines(Snapshot.decode(service.snapshot)), service.program)
            for service in self._startup.services
        }
        return {name: tell.of_service(own, program) for name, (own, program) in lines.items() if own != usual}


def _serve_showq(startup: Startup, show_queue: ShowQueue, role: int) -> None:
    """The whole life of the child.  It has nothing of its parent's but the log and its own listener."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    listener = startup.listeners["showq"]
    for descriptor in {startup.control, *startup.listeners.values()} - {listener}:
        os.close(descriptor)
    show_queue.serve(socket.socket(fileno=listener), tell=open_log(startup), parent=role)


class _MailboxService(msgspec.Struct, frozen=True):
    """A service that runs virtual(8), with its tables."""

    settings: VirtualDelivery
    resolver: Resolver
    owners: MailboxOwners
    filter_tables: tuple[LookupTable, ...]

    @classmethod
    def of(
        cls, own: Snapshot, general: Snapshot, routes: Routes, *, clock: Clock, warn: Callable[[str], None]
    ) -> "_MailboxService":
        """`own` are the service's settings, `routes` what is made of the `general` ones.  ConfigurationFault."""
        settings = own.group(VirtualDelivery)
        if settings.virtual_mailbox_maps != general.group(VirtualDelivery).virtual_mailbox_maps:
            tables = open_tables(
                settings.virtual_mailbox_maps, where=own.where("virtual_mailbox_maps"), clock=clock, warn=warn
            )
            routes = msgspec.structs.replace(routes, virtual_mailboxes=tables)
        delimiters = own.group(Identity).recipient_delimiter
        routes = msgspec.structs.replace(routes, recipient_delimiter=delimiters)
        resolver = Resolver(mailbox_routes(own, routes, clock=clock, warn=warn))
        return cls(
            settings,
            resolver,
            _mailbox_owners(own, settings, resolver, clock),
            status_filter_tables(own, "virtual", clock=clock),
        )


def _mailbox_owners(
    snapshot: Snapshot, virtual: VirtualDelivery, resolver: Resolver, clock: Clock
) -> MailboxOwners:
    return MailboxOwners(
        *(
            open_tables(names, where=snapshot.where(parameter), clock=clock, sensitive=True)
            for parameter, names in (
                ("virtual_uid_maps", virtual.virtual_uid_maps),
                ("virtual_gid_maps", virtual.virtual_gid_maps),
            )
        ),
        minimum=virtual.virtual_minimum_uid,
        resolver=resolver,
    )


def main(startup: Startup) -> None:
    """Entry of the role."""
    run_role(open_role, startup)
