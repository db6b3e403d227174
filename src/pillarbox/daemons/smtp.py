"""The smtp role: all smtp and lmtp services of master.cf, one process, thousands of sessions.

DESCRIPTION
    The queue manager sends jobs over a channel, each with the descriptor of a queue file, and gets outcomes.  The
    descriptor is kept open until the delivery is over: with it goes the lock that tells everybody else to keep
    their hands off the message.

    Who has got the message is marked in the queue file as soon as its server says so (delivery/smtp/progress.py).
    If the queue manager ends in the middle, deliveries go on.

FAULTS
    A mistake in the configuration ends the role before it serves, with the place and the mend.
"""

import asyncio
import os
import socket
from functools import partial

from pillarbox.config.snapshot import Snapshot
from pillarbox.daemons.service_lines import service_lines
from pillarbox.daemons.startup import Control, Serve, resolver_options, role_clock, run_role
from pillarbox.delivery.local.earlier_recipients import earlier_recipients
from pillarbox.delivery.request import Outcome
from pillarbox.delivery.smtp.configured import open_service
from pillarbox.delivery.smtp.delivery import SmtpDelivery
from pillarbox.delivery.smtp.progress import Progress
from pillarbox.delivery.smtp.request import DeliverBySmtp, SmtpDone, SmtpProgress
from pillarbox.delivery.smtp.service import Service
from pillarbox.delivery.smtp.service_flags import service_flags
from pillarbox.delivery.smtp.session import Session
from pillarbox.delivery.smtp.session_cache import SessionCache
from pillarbox.net.channel import Channel, ChannelClosed
from pillarbox.net.dns.stub_resolver import StubResolver
from pillarbox.net.startup import Drain, Startup
from pillarbox.observability.events import EventSink, Warned
from pillarbox.observability.log_file import LogFile, ServiceLines
from pillarbox.observability.mistakes import mistakes
from pillarbox.queue.content_blocks import QueuedContent
from pillarbox.queue.file_source import FileSource
from pillarbox.queue.records import CorruptQueueFile
from pillarbox.vocabulary.clock import Clock


class SmtpRole:
    """All services of the process."""

    def __init__(
        self, services: dict[str, Service], listener: socket.socket, *, clock: Clock, tell: EventSink
    ) -> None:
        self._services = services
        self._listener = listener
        self._tell = tell
        self._clock = clock
        self._jobs: set[asyncio.Task[None]] = set()
        self._channels: set[Channel[DeliverBySmtp]] = set()

    async def run(self, control: Control) -> None:
        """Serve until told to stop."""
        self._listener.setblocking(False)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._cache = SessionCache(discard=_say_goodbye, tasks=tasks)
            accepting = tasks.create_task(self._accept())
            control.ready(
                {
                    f"TLS of {service.name}": service.policies.fault
                    for service in self._services.values()
                    if service.policies.fault
                }
            )
            order = await control.order()
            accepting.cancel()
            self._cache.close()
            if isinstance(order, Drain):
                control.draining()
                while self._jobs:
                    await asyncio.wait(self._jobs)
            for channel in list(self._channels):
                channel.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self._listener)
            self._tasks.create_task(self._hear(Channel(client, DeliverBySmtp)))

    async def _hear(self, channel: "Channel[DeliverBySmtp]") -> None:
        self._channels.add(channel)
        while (received := await channel.receive()) is not None:
            job, descriptors = received
            task = self._tasks.create_task(self._deliver(channel, job, descriptors[0]))
            self._jobs.add(task)
            task.add_done_callback(self._jobs.discard)
        self._channels.discard(channel)

    async def _deliver(self, channel: "Channel[DeliverBySmtp]", job: DeliverBySmtp, descriptor: int) -> None:
        try:
            progress = Progress(job, descriptor, send=lambda said: _send(channel, said), tell=self._tell)
            done = await self._outcomes(job, descriptor, progress)
            if not _send(channel, done):
                progress.mark_traced()
        finally:
            os.close(descriptor)

    async def _outcomes(self, job: DeliverBySmtp, descriptor: int, progress: Progress) -> SmtpDone:
        service = self._services.get(job.service)
        if service is None:
            return SmtpDone(
                job.job, progress.rest(Outcome("deferred", "4.3.0", "mail transport unavailable"))
            )
        content = QueuedContent(FileSource(descriptor), job.data_offset)
        try:
            earlier = earlier_recipients(descriptor, job.data_offset) if "D" in service.flags else frozenset()
            return await SmtpDelivery(
                service,
                job,
                content=content,
                cache=self._cache,
                clock=self._clock,
                settled=progress.settled,
                earlier=earlier,
            ).run()
        except (CorruptQueueFile, OSError) as error:
            self._tell(Warned(f"{job.queue_id}: queue file: {error}"))
            return SmtpDone(job.job, progress.rest(Outcome("deferred", "4.3.0", "queue file read error")))
        except Exception as error:  # one delivery's bug must not end the others
            for mistake in mistakes(error):
                self._tell(Warned(f"panic: {job.queue_id}: {mistake}"))
            return SmtpDone(job.job, progress.rest(Outcome("deferred", "4.3.0", "delivery agent failed")))


def _send(channel: "Channel[DeliverBySmtp]", said: SmtpProgress | SmtpDone) -> bool:
    """Whether the queue manager is there."""
    try:
        channel.send(said)
    except ChannelClosed:
        return False
    return True


async def _say_goodbye(session: Session) -> None:
    await session.quit()


def _warn(service: Service, text: str) -> None:
    service.tell(Warned(text))


def open_role(startup: Startup) -> Serve:
    """Settings, tables and certificates of all services."""
    clock = role_clock(startup)
    resolver = StubResolver(clock=clock, options=resolver_options(startup))
    proving = StubResolver(clock=clock, options=resolver_options(startup), dnssec=True)
    services: dict[str, Service] = {}
    lines: dict[str, ServiceLines] = {}
    for transport in startup.services:
        snapshot = Snapshot.decode(transport.snapshot)
        lines[transport.name] = service_lines(snapshot)
        services[transport.name] = open_service(
            transport.name,
            transport.program,
            snapshot,
            flags=service_flags(transport.arguments, where=transport.where),
            resolver=resolver,
            proving=proving,
            search=resolver.search_domains,
            clock=clock,
        )
    listener = socket.socket(fileno=startup.listeners["smtp-client"])

    async def serve(control: Control, tell: LogFile) -> None:
        for name, service in services.items():
            service.tell = tell.of_service(lines[name], service.program)
            for warning in service.warnings:
                service.tell(Warned(warning))
            service.exchangers.tell = service.tell
            if service.reporter is not None:
                service.reporter.tell = service.tell
            if service.probed is not None:
                service.probed.warn = partial(_warn, service)
            if service.dns_filter is not None:
                service.dns_filter.tell = service.tell
        await SmtpRole(services, listener, clock=clock, tell=tell).run(control)

    return serve


def main(startup: Startup) -> None:
    """Entry of the role."""
    run_role(open_role, startup)
