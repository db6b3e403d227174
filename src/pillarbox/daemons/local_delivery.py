"""The local delivery process: aliases, and who gets what with whose rights.

DESCRIPTION
    The delivery role forks it for the queue manager.  It opens the lookup tables, which may need root's rights,
    becomes mail_owner, and then takes jobs of local(8) and pipe(8) from one channel.  What has to be done with a
    user's rights it asks of agents that the delivery role forks in turn.  It also queues forwarded messages, as a
    writer like smtpd.

    It ends with its channel, after the jobs that it has.

FAULTS
    A configuration that cannot be served, or tables that cannot be opened: every job is deferred (4.3.5), with the
    reason in the log.
"""

import asyncio
import os
import socket
from typing import Final

import msgspec
import uvloop

from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.local_delivery import LocalDelivery
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.parameters.virtual_delivery import VirtualDelivery
from pillarbox.config.snapshot import Snapshot
from pillarbox.daemons.queue_hints import QueueHints
from pillarbox.delivery.agents import Agents
from pillarbox.delivery.local.agent_settings import agent_settings
from pillarbox.delivery.local.configured import local_tables
from pillarbox.delivery.local.expansion import LocalExpansion, Means, Tables
from pillarbox.delivery.local.forwarding import QueueForwarder
from pillarbox.delivery.local.frames import Account
from pillarbox.delivery.local.message_copy import header_of
from pillarbox.delivery.local.users import SystemUsers
from pillarbox.delivery.request import DeliverRecipients, JobDone, Outcome
from pillarbox.net.channel import Channel, ChannelClosed
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import EventSink, Warned
from pillarbox.queue.configured_rules import configured_rules
from pillarbox.queue.incoming import IncomingQueue
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.records import CorruptQueueFile
from pillarbox.routing.configured_routes import configured_routes
from pillarbox.routing.resolution import Resolver
from pillarbox.vocabulary.faults import ConfigurationFault

_BROKEN: Final = Outcome("deferred", "4.3.5", "mail system configuration error")


class Opened(msgspec.Struct, frozen=True):
    """What was opened with the rights of a start."""

    snapshot: Snapshot
    tables: Tables
    resolver: Resolver
    default_account: Account  # default_privs
    fault: str = ""  # why nothing can be delivered


def open_local_delivery(snapshot: Snapshot) -> Opened:
    """Open all tables."""
    clock = SystemClock()
    account = agent_settings(snapshot).default_account
    try:
        tables = local_tables(snapshot, clock=clock)
        return Opened(snapshot, tables, Resolver(configured_routes(snapshot, clock=clock)), account)
    except ConfigurationFault as fault:
        resolver = Resolver(configured_routes(Snapshot(), clock=clock))
        return Opened(snapshot, Tables(()), resolver, account, str(fault))


def serve_local_delivery(opened: Opened, sock: socket.socket, *, lifeline: int, tell: EventSink) -> None:
    """The process's life, after its rights have been dropped."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(opened, sock, lifeline, tell))


async def _serve(opened: Opened, sock: socket.socket, lifeline: int, tell: EventSink) -> None:
    loop = asyncio.get_running_loop()
    snapshot, clock = opened.snapshot, SystemClock()
    channel: Channel[DeliverRecipients] = Channel(sock, DeliverRecipients)
    loop.add_reader(lifeline, channel.close)
    queue_settings = snapshot.group(QueueManager)
    directories = QueueDirectories(
        snapshot.value("queue_directory"),
        hashed=queue_settings.hash_queue_names,
        depth=queue_settings.hash_queue_depth,
    )
    agents = Agents(f"{directories.root}/private/pillarbox-delivery", tell=tell)
    queue = IncomingQueue(directories, clock=clock, long_ids=queue_settings.enable_long_queue_ids)
    hints = QueueHints(f"{directories.root}/private/pillarbox-qmgr", queue)
    identity, local = snapshot.group(Identity), snapshot.group(LocalDelivery)
    means = Means(
        settings=local,
        delimiters=identity.recipient_delimiter.encode(),
        propagate=frozenset(snapshot.group(VirtualDelivery).propagate_unmatched_extensions),
        default_account=opened.default_account,
        tables=opened.tables,
        resolver=opened.resolver,
        agents=agents,
        find_user=SystemUsers(clock).find,
        forwarder=QueueForwarder(
            queue,
            rules=configured_rules(snapshot),
            resolver=opened.resolver,
            mail_name=identity.mail_name.encode(),
            delivered_header="forward" in local.prepend_delivered_header,
            clock=clock,
            queued=hints,
            tell=tell,
        ),
        warn=lambda text: tell(Warned(text)),
    )
    if opened.fault:
        tell(Warned(f"fatal: {opened.fault}"))
    async with asyncio.TaskGroup() as tasks:
        taking = tasks.create_task(hints.take_files())
        jobs: set[asyncio.Task[None]] = set()
        while (received := await channel.receive()) is not None:
            request, (descriptor, *_) = received
            job = tasks.create_task(_deliver(means, opened.fault, request, descriptor, channel))
            jobs.add(job)
            job.add_done_callback(jobs.discard)
        if jobs:
            await asyncio.wait(jobs)
        taking.cancel()
    agents.close()
    hints.close()
    queue.close()


async def _deliver(
    means: Means,
    fault: str,
    request: DeliverRecipients,
    descriptor: int,
    channel: "Channel[DeliverRecipients]",
) -> None:
    """One job: its recipients one after the other."""
    try:
        outcomes = (
            [_BROKEN] * len(request.recipients) if fault else await _outcomes(means, request, descriptor)
        )
    finally:
        os.close(descriptor)
    try:
        channel.send(JobDone(request.job, outcomes))
    except ChannelClosed:
        return  # nobody waits any more


async def _outcomes(means: Means, request: DeliverRecipients, descriptor: int) -> list[Outcome]:
    try:
        header = header_of(descriptor, request.data_offset)
    except (OSError, CorruptQueueFile) as error:
        broken = Outcome("deferred", "4.3.0", "queue file read error", str(error))
        return [broken] * len(request.recipients)
    return [
        await LocalExpansion(means, request, descriptor, header).deliver(recipient)
        for recipient in request.recipients
    ]
