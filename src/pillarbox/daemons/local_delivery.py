"""The local delivery process: aliases, and who gets what with whose rights; commands of pipe(8).

DESCRIPTION
    The delivery role forks it for the queue manager.  It opens the lookup tables of every service of local(8),
    which may need root's rights, becomes mail_owner, and then takes jobs from one channel.  What has to be done
    with a user's rights it asks of agents that the delivery role forks in turn.  It also queues forwarded messages,
    as a writer like smtpd.

    It ends with its channel, after the jobs that it has.

FAULTS
    A service whose tables cannot be opened: its jobs are deferred (4.3.5), with the reason in the log.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pillarbox.bounce.configured import configured_bounces
from pillarbox.bounce.postmaster_sender import PostmasterSender
from pillarbox.bounce.submission import BounceRules, Notifier
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.local_delivery import LocalDelivery
from pillarbox.config.parameters.logging import Logging
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.parameters.smtp_server import SmtpServer
from pillarbox.config.parameters.virtual_delivery import VirtualDelivery
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import time_span
from pillarbox.daemons.queue_hints import QueueHints
from pillarbox.daemons.service_lines import service_lines
from pillarbox.delivery.agents import Agents
from pillarbox.delivery.local.agent_settings import agent_settings
from pillarbox.delivery.local.configured import local_tables, status_filter_tables
from pillarbox.delivery.local.delivery_reports import is_report
from pillarbox.delivery.local.earlier_recipients import earlier_recipients
from pillarbox.delivery.local.expansion import LocalExpansion
from pillarbox.delivery.local.forwarding import QueueForwarder
from pillarbox.delivery.local.frames import Account
from pillarbox.delivery.local.means import Means, Tables
from pillarbox.delivery.local.users import SystemUsers
from pillarbox.delivery.pipe import PipeService
from pillarbox.delivery.pipe_delivery import PipeDelivery
from pillarbox.delivery.request import DeliverRecipients, JobDone, Outcome
from pillarbox.delivery.status_filter import StatusFilter
from pillarbox.net.channel import Channel, ChannelClosed
from pillarbox.net.event_loop import new_event_loop
from pillarbox.net.startup import AgentService
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import EventSink, Noted, Refused, Warned
from pillarbox.observability.log_file import LogFile, ServiceLines
from pillarbox.observability.loop_mistakes import tell_loop_mistakes
from pillarbox.queue.configured_rules import configured_rules
from pillarbox.queue.incoming import IncomingQueue
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.records import CorruptQueueFile
from pillarbox.routing.configured_mappings import configured_mappings
from pillarbox.routing.configured_routes import configured_routes
from pillarbox.routing.mappings import Mappings
from pillarbox.routing.resolution import Resolver
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.faults import ConfigurationFault

_BROKEN: Final = Outcome("deferred", "4.3.5", "mail system configuration error")
_NO_PIPE: Final = Outcome("deferred", "4.3.0", "unknown mail transport error")


class OpenedService(msgspec.Struct, frozen=True):
    """What was opened for one service of local(8) with the rights of a start."""

    snapshot: Snapshot
    tables: Tables
    default_account: Account  # default_privs
    mappings: Mappings  # of forwarded mail


class Opened(msgspec.Struct, frozen=True):
    """What was opened with the rights of a start."""

    snapshot: Snapshot
    cleanup: Snapshot
    bounces: BounceRules
    resolver: Resolver
    local: dict[str, OpenedService]
    pipes: dict[str, PipeService]
    filters: dict[str, tuple[LookupTable, ...]]  # delivery status filters, by service
    lines: dict[str, ServiceLines]  # of the log, by service
    faults: dict[str, str]  # why a service cannot work
    broken_pipes: dict[str, str]  # the same of pipes


def open_local_delivery(
    snapshot: Snapshot, services: Sequence[AgentService], *, cleanup: Snapshot, rewrite: Snapshot
) -> Opened:
    """Open all tables, and read what master.cf says of pipes.  `cleanup` is what forwarded mail goes through."""
    clock = SystemClock()
    opened = Opened(
        snapshot,
        cleanup,
        configured_bounces(snapshot, warn=lambda _: None),  # the queue manager tells
        Resolver(configured_routes(rewrite, clock=clock)),
        *({}, {}, {}, {}, {}, {}),
    )
    if not any(service.name == "local" for service in services):
        services = [*services, AgentService(name="local", program="local", snapshot=snapshot.encode())]
    for service in services:
        own = Snapshot.decode(service.snapshot)
        opened.lines[service.name] = service_lines(own)
        try:
            opened.filters[service.name] = status_filter_tables(own, service.program, clock=clock)
            if service.program == "pipe":
                opened.pipes[service.name] = _pipe(service, own)
            else:
                account = agent_settings(own, service).default_account
                opened.local[service.name] = OpenedService(
                    own,
                    local_tables(own, clock=clock),
                    account,
                    configured_mappings(cleanup, resolver=opened.resolver, clock=clock),
                )
        except ConfigurationFault as fault:
            faults = opened.broken_pipes if service.program == "pipe" else opened.faults
            faults[service.name] = str(fault)
    return opened


def _pipe(service: AgentService, snapshot: Snapshot) -> PipeService:
    name = f"{service.name}_time_limit"
    try:
        limit = time_span(snapshot.value(name))
    except ValueError as error:
        raise ConfigurationFault(snapshot.where(name), f"parameter {name}: {error}") from error
    return PipeService.parse(
        service.name,
        service.arguments,
        where=service.where,
        mail_owner=snapshot.group(Paths).mail_owner,
        time_limit=limit,
        delimiters=snapshot.group(Identity).recipient_delimiter,
        owner_request_special=snapshot.group(LocalDelivery).owner_request_special,
        writes_original=snapshot.group(QueueManager).enable_original_recipient,
    )


def serve_local_delivery(opened: Opened, sock: socket.socket, *, lifeline: int, tell: LogFile) -> None:
    """The process's life, after its rights have been dropped."""
    for name, fault in opened.faults.items():
        tell(Warned(f"fatal: service {name}: {fault}"))
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(opened, sock, lifeline, tell))


async def _serve(opened: Opened, sock: socket.socket, lifeline: int, tell: LogFile) -> None:
    snapshot, clock = opened.snapshot, SystemClock()
    channel: Channel[DeliverRecipients] = Channel(sock, DeliverRecipients)
    loop = asyncio.get_running_loop()
    tell_loop_mistakes(loop, tell)
    loop.add_reader(lifeline, channel.close)
    settings = snapshot.group(QueueManager)
    directories = QueueDirectories(
        snapshot.value("queue_directory"), hashed=settings.hash_queue_names, depth=settings.hash_queue_depth
    )
    agents = Agents(f"{directories.root}/private/pillarbox-delivery", tell=tell)
    queue = IncomingQueue(directories, clock=clock, long_ids=settings.enable_long_queue_ids)
    hints = QueueHints(f"{directories.root}/private/pillarbox-qmgr", queue)
    service = _Services(opened, agents, queue, hints, tell)
    async with asyncio.TaskGroup() as tasks:
        taking = tasks.create_task(hints.take_files())
        jobs: set[asyncio.Task[None]] = set()
        while (received := await channel.receive()) is not None:
            request, (descriptor, *_) = received
            job = tasks.create_task(service.deliver(request, descriptor, channel))
            jobs.add(job)
            job.add_done_callback(jobs.discard)
        if jobs:
            await asyncio.wait(jobs)
        taking.cancel()
    agents.close()
    await hints.close()
    queue.close()


class _Services:
    """All services, by name."""

    def __init__(
        self, opened: Opened, agents: Agents, queue: IncomingQueue, hints: QueueHints, tell: LogFile
    ) -> None:
        self._opened = opened
        self._agents = agents
        self._queue = queue
        self._hints = hints
        self._tell = tell
        self._clock = SystemClock()
        self._users = SystemUsers(self._clock)
        self._local = {name: self._means(name, service) for name, service in opened.local.items()}
        self._pipes = {
            name: PipeDelivery(
                pipe, agents=agents, clock=self._clock, refuse=self._refuse(name), warn=self._warn(name)
            )
            for name, pipe in opened.pipes.items()
        }

    async def deliver(
        self, request: DeliverRecipients, descriptor: int, channel: "Channel[DeliverRecipients]"
    ) -> None:
        """Do one job, and answer."""
        try:
            outcomes = await self._filtered(request, descriptor)
        finally:
            os.close(descriptor)
        try:
            channel.send(JobDone(request.job, outcomes))
        except ChannelClosed:
            return  # nobody waits any more

    async def _filtered(self, request: DeliverRecipients, descriptor: int) -> list[Outcome]:
        outcomes = await self._outcomes(request, descriptor)
        tables = self._opened.filters.get(request.transport, ())
        if not tables:
            return outcomes
        program = "pipe" if request.transport in self._pipes else "local"
        tell = self._told(request.transport, program)
        status_filter = StatusFilter(
            tables,
            parameter=f"{program}_delivery_status_filter",
            warn=lambda text: tell(Warned(text)),
        )
        return [status_filter.outcome(outcome) for outcome in outcomes]

    async def _outcomes(self, request: DeliverRecipients, descriptor: int) -> list[Outcome]:
        try:
            earlier = earlier_recipients(descriptor, request.data_offset)
            of_report = not request.sender and is_report(descriptor, request.data_offset)
        except (OSError, CorruptQueueFile) as error:
            broken = Outcome("deferred", "4.3.0", "queue file read error", str(error))
            return [broken] * len(request.recipients)
        pipe = self._pipes.get(request.transport)
        if pipe is not None:
            return await pipe.deliver(request, descriptor, earlier)
        if request.transport in self._opened.broken_pipes:
            self._refuse(request.transport)(self._opened.broken_pipes[request.transport])
            return [_NO_PIPE] * len(request.recipients)
        means = self._local.get(request.transport)
        if means is None:
            return [_BROKEN] * len(request.recipients)
        outcomes = []
        for recipient in request.recipients:
            expansion = LocalExpansion(means, request, descriptor, earlier, is_report=of_report)
            if request.forwards:
                outcomes.append(await expansion.forward(recipient, request.forwards))
            else:
                outcomes.append(await expansion.deliver(recipient))
        return outcomes

    def _told(self, service: str, program: str) -> EventSink:
        return self._tell.of_service(self._opened.lines[service], program)

    def _refuse(self, service: str) -> Callable[[str], None]:
        tell = self._told(service, "pipe")
        return lambda reason: tell(Refused(reason))

    def _warn(self, service: str) -> Callable[[str], None]:
        tell = self._told(service, "pipe")
        return lambda reason: tell(Warned(reason))

    def _means(self, name: str, service: OpenedService) -> Means:
        snapshot, tell = service.snapshot, self._told(name, "local")
        identity, local = snapshot.group(Identity), snapshot.group(LocalDelivery)
        rules = configured_rules(self._opened.cleanup)
        forwarder = QueueForwarder(
            self._queue,
            rules=rules,
            mappings=service.mappings,
            mail_name=identity.mail_name.encode(),
            delivered_header="forward" in local.prepend_delivered_header,
            notifier=Notifier(
                self._queue,
                rules=self._opened.bounces,
                submission=rules,
                mappings=service.mappings,
                clock=self._clock,
                tell=self._tell,
            ),
            clock=self._clock,
            queued=self._hints,
            tell=self._tell,
        )
        return Means(
            settings=local,
            soft_bounce=snapshot.group(QueueManager).soft_bounce,
            delimiters=identity.recipient_delimiter.encode(),
            propagate=frozenset(snapshot.group(VirtualDelivery).propagate_unmatched_extensions),
            default_account=service.default_account,
            tables=service.tables,
            resolver=self._opened.resolver,
            agents=self._agents,
            find_user=self._users.find,
            forwarder=forwarder,
            warn=lambda text: tell(Warned(text)),
            note=lambda text: tell(Noted(text)),
            line_limit=snapshot.group(SmtpServer).line_length_limit,
            is_postmaster_sender=PostmasterSender(self._opened.bounces.double_bounce, service.mappings).is_it,
            shows_internal=snapshot.group(Logging).info_log_address_format == "internal",
        )
