"""The queue manager: takes messages from the queue, has them delivered, and decides what comes next.

DESCRIPTION
    One process owns the queue: it alone moves files and marks recipients.  smtpd tells it of new messages (a
    hint); scans of incoming and deferred are the truth: one at start, deferred every queue_run_delay seconds,
    and incoming as well, in case a hint was lost.

    Queue files are opened, moved and removed on the event loop: none of it waits for the disk, and a thread
    would cost more than the calls do (docs/adr/0008).  Directories are scanned by a thread.  Jobs go to agents
    over channels, with the queue file's descriptor; outcomes come back one per recipient.

FAULTS
    An agent that is gone: its jobs are deferred and tried again.  A queue that cannot be written: the message
    stays in active and is taken up when the queue manager starts again.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from pillarbox.bounce.submission import BounceRules, Notifier
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.queue_manager import QueueManager as QueueSettings
from pillarbox.config.parameters.virtual_delivery import VirtualDelivery
from pillarbox.config.snapshot import Snapshot
from pillarbox.daemons.queue_frames import FilesFree, MessagesQueued
from pillarbox.daemons.startup import Control, Serve, run_role
from pillarbox.delivery.agents import Agents
from pillarbox.delivery.mailbox_delivery import FileSource
from pillarbox.delivery.request import MailboxTarget, Outcome
from pillarbox.files.fsync_batch import background_fsyncs
from pillarbox.net.channel import Channel, ChannelClosed
from pillarbox.net.startup import Startup
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability import events
from pillarbox.queue.active_files import ActiveFiles, Damaged, Finished, NotNow, Opened
from pillarbox.queue.configured_rules import configured_rules
from pillarbox.queue.incoming import IncomingQueue, QueueFileFault, sweep
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_file import QueueRecipient
from pillarbox.queue.recipient_log import LogEntry
from pillarbox.queue.records import CorruptQueueFile
from pillarbox.queue.spare_files import LARGEST, SpareFiles
from pillarbox.routing.configured_routes import configured_routes
from pillarbox.routing.resolution import Resolver
from pillarbox.scheduling.backoff import is_expired, next_attempt
from pillarbox.scheduling.intake import Intake
from pillarbox.tables.opening import open_tables
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.vocabulary.identifiers import QueueId

_BATCH: Final = 16
"""Messages that are opened in one turn of the loop."""


class _Writer:
    """A process that writes new messages, and tells us of them."""

    def __init__(self, sock: socket.socket) -> None:
        self.pid, _, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        self.channel: Channel[MessagesQueued] = Channel(sock, MessagesQueued)
        self.wanted = 0  # files of finished messages that it can use
        self._free: list[str] = []

    def take(self, path: str) -> None:
        """Pass a file on."""
        self._free.append(path)
        if len(self._free) == 1:
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        paths, self._free = self._free, []
        try:
            self.channel.send(FilesFree(paths))
        except ChannelClosed:
            return  # its process has ended, and sweep() removes what has its number


class QueueManager:
    """The role."""

    def __init__(
        self,
        *,
        directories: QueueDirectories,
        settings: QueueSettings,
        virtual: VirtualDelivery,
        owners: "MailboxOwners",
        resolver: Resolver,
        agents: Agents,
        notifier: Notifier,
        spares: SpareFiles,
        tell: events.EventSink,
    ) -> None:
        self._notifier = notifier
        self._spares = spares
        self._may_recycle = not directories.is_hashed("active")
        self._writer_of: dict[QueueId, _Writer] = {}  # of messages not yet looked at
        self._taker: dict[QueueId, _Writer] = {}  # who gets the files of finished messages
        self._files = ActiveFiles(directories)
        self._directories = directories
        self._settings = settings
        self._virtual = virtual
        self._owners = owners
        self._resolver = resolver
        self._agents = agents
        self._tell = tell
        self._clock = SystemClock()
        self._intake = Intake(active_limit=settings.qmgr_message_active_limit)
        self._work = asyncio.Event()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="queue")
        self._finished: list[Finished] = []
        self._writers: set[_Writer] = set()

    async def run(self, hints: socket.socket, control: Control) -> None:
        """Serve until told to stop."""
        sweep(self._directories)
        await self._in_thread(lambda: self._files.recover(now=self._clock.now()))
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(self._take_hints(hints, tasks)),
                tasks.create_task(self._scan_regularly()),
                tasks.create_task(self._schedule(tasks)),
            ]
            control.ready()
            await control.order()
            # Jobs that agents have are waited for: what they delivered must not be delivered again.
            for task in background:
                task.cancel()
            for writer in list(self._writers):
                writer.channel.close()
        self._finish_gathered()
        self._threads.shutdown()

    # -- intake ----------------------------------------------------------------------------------------

    async def _take_hints(self, listener: socket.socket, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        while True:
            client, _ = await loop.sock_accept(listener)
            writer = _Writer(client)
            self._writers.add(writer)
            tasks.create_task(self._hear(writer))

    async def _hear(self, writer: _Writer) -> None:
        while (received := await writer.channel.receive()) is not None:
            ids = [QueueId(queue_id) for queue_id in received[0].ids]
            writer.wanted += received[0].wanted
            if self._may_recycle:
                self._writer_of.update(dict.fromkeys(ids, writer))
            self._intake.add_incoming(ids)
            self._work.set()
        self._writers.discard(writer)

    async def _scan_regularly(self) -> None:
        while True:
            self._intake.add_incoming(await self._in_thread(lambda: list(self._directories.scan("incoming"))))
            self._intake.add_deferred(await self._in_thread(self._due))
            self._work.set()
            await asyncio.sleep(self._settings.queue_run_delay)

    def _due(self) -> list[QueueId]:
        """Deferred messages whose time has come."""
        now = self._clock.now()
        due: list[QueueId] = []
        for queue_id in self._directories.scan("deferred"):
            try:
                modified = os.stat(self._directories.path("deferred", queue_id)).st_mtime
            except FileNotFoundError:
                continue
            if modified <= now + 1:
                due.append(queue_id)
        return due

    async def _schedule(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while batch := self._intake.take(_BATCH):
                now = self._clock.now()
                opened = self._files.open_batch(batch, now=now)
                for one, (queue_id, queue) in zip(opened, batch, strict=True):
                    writer = self._writer_of.pop(queue_id, None)
                    if isinstance(one, Opened):
                        self._begin(one, now, tasks, writer if queue == "incoming" else None)
                    else:
                        self._left(one)
                await asyncio.sleep(0)

    def _left(self, one: NotNow | Damaged) -> None:
        self._intake.done(one.queue_id)
        if isinstance(one, Damaged):
            self._tell(events.MessageCorrupt(one.queue_id, one.queue, one.reason))
        elif one.due:
            loop = asyncio.get_running_loop()
            loop.call_later(max(1.0, one.due - self._clock.now()), self._retry, one.queue_id, one.queue)

    # -- delivery --------------------------------------------------------------------------------------

    def _begin(
        self, opened: Opened, started: float, tasks: asyncio.TaskGroup, writer: _Writer | None
    ) -> None:
        """`writer` has just written the message, which nobody has read before."""
        message = opened.message
        to_do = message.to_do
        self._tell(
            events.MessageActive(
                opened.queue_id,
                Address.from_internal(message.sender).external,
                message.content_size,
                len(message.recipients),
            )
        )
        if not to_do:
            self._finish(Finished(queue_id=opened.queue_id, descriptor=opened.descriptor))
            return
        tasks.create_task(self._deliver(opened, to_do, started, writer))

    async def _deliver(
        self, opened: Opened, to_do: list[QueueRecipient], started: float, writer: _Writer | None
    ) -> None:
        """All recipients of one message: group them by agent, wait for outcomes, decide."""
        outcomes: dict[int, tuple[str, Outcome]] = {}
        groups: dict[tuple[int, int], list[tuple[QueueRecipient, MailboxTarget]]] = {}
        for recipient in to_do:
            routed = self._route(recipient)
            if isinstance(routed, Outcome):
                outcomes[recipient.offset] = ("error", routed)
            else:
                owner, target = routed
                groups.setdefault(owner, []).append((recipient, target))
        sender = Address.from_internal(opened.message.sender).external
        for (uid, gid), members in groups.items():
            results = await self._agents.deliver(
                opened.descriptor,
                data_offset=opened.message.data_offset,
                sender=sender,
                targets=[target for _, target in members],
                uid=uid,
                gid=gid,
            )
            for (recipient, _), outcome in zip(members, results, strict=True):
                outcomes[recipient.offset] = ("virtual", outcome)
        await self._decide(opened, to_do, outcomes, started, writer)

    def _route(self, recipient: QueueRecipient) -> Outcome | tuple[tuple[int, int], MailboxTarget]:
        """Where a recipient's mail goes: a mailbox with its owner, or an outcome at once."""
        address = Address.from_internal(recipient.address)
        try:
            resolution = self._resolver.resolve(address)
            if resolution.transport == "error":
                status, text = _status_and_text(resolution.nexthop)
                return Outcome("bounced", status, text)
            if resolution.transport != "virtual":
                return Outcome("deferred", "4.3.0", f"mail transport unavailable: {resolution.transport}")
            mailbox = self._resolver.mailbox_of(resolution.recipient)
            if mailbox is None:
                user = resolution.recipient.external.decode("utf-8", "replace")
                return Outcome("bounced", "5.1.1", f'unknown user: "{user}"')
            if not mailbox.endswith("/"):
                return Outcome("deferred", "4.3.5", "mbox delivery is not served; end the path in a slash")
            owner = self._owners.of(resolution.recipient)
        except LookupFault as fault:
            return Outcome("deferred", "4.3.0", "temporary lookup failure", fault.reason)
        path = os.path.normpath(f"{self._virtual.virtual_mailbox_base}/{mailbox}")
        original = Address.from_internal(recipient.original).external
        return owner, MailboxTarget(resolution.recipient.external, original, path)

    async def _decide(
        self,
        opened: Opened,
        to_do: list[QueueRecipient],
        outcomes: dict[int, tuple[str, Outcome]],
        started: float,
        writer: _Writer | None,
    ) -> None:
        now = self._clock.now()
        message, settings = opened.message, self._settings
        finished = Finished(queue_id=opened.queue_id, descriptor=opened.descriptor)
        failures: list[LogEntry] = []
        expired = is_expired(
            now=now,
            created=message.create_time,
            is_bounce=not message.sender,
            queue_lifetime=settings.maximal_queue_lifetime,
            bounce_lifetime=settings.bounce_queue_lifetime,
        )
        delays = (max(0.0, started - message.arrival_time), 0.0, 0.0, now - started)
        for recipient in to_do:
            agent, outcome = outcomes[recipient.offset]
            self._tell_attempt(opened.queue_id, recipient, agent, outcome, delays)
            if outcome.status == "deferred" and not expired:
                finished.deferred.append(_log_entry(recipient, outcome, "delayed"))
                continue
            finished.done.append(recipient)
            if outcome.status != "sent":
                failures.append(_log_entry(recipient, outcome, "failed"))
        if failures and expired:
            self._tell(events.MessageExpired(opened.queue_id, Address.from_internal(message.sender).external))
        if failures and not await self._bounced(opened, failures):
            # The sender could not be told: nobody is done who was not delivered to.
            kept = {failure.offset for failure in failures}
            finished.done = [recipient for recipient in finished.done if recipient.offset not in kept]
            finished.deferred += failures
        if finished.deferred:
            finished.next_attempt = next_attempt(
                now=now,
                created=message.create_time,
                minimal_backoff=settings.minimal_backoff_time,
                maximal_backoff=settings.maximal_backoff_time,
            )
        elif writer is not None and writer.wanted and not expired and message.content_size <= LARGEST:
            writer.wanted -= 1
            finished.recycled = self._spares.path(writer.pid)
            self._taker[opened.queue_id] = writer
        self._finish(finished)

    async def _bounced(self, opened: Opened, failures: list[LogEntry]) -> bool:
        """Queue the notification; False if it could not be."""
        try:
            source = FileSource(opened.descriptor)
            notice = await self._notifier.report_failures(opened.queue_id, opened.message, failures, source)
        except (QueueFileFault, CorruptQueueFile, OSError) as fault:
            self._tell(events.Warned(f"{opened.queue_id}: cannot queue a notification: {fault}"))
            return False
        if notice is not None:
            self._tell(events.BounceQueued(opened.queue_id, notice, "sender non-delivery notification"))
            self._intake.add_incoming([notice])
            self._work.set()
        return True

    def _tell_attempt(
        self,
        queue_id: QueueId,
        recipient: QueueRecipient,
        agent: str,
        outcome: Outcome,
        delays: tuple[float, float, float, float],
    ) -> None:
        if outcome.reason:
            self._tell(events.Warned(f"{queue_id}: {outcome.reason}"))
        self._tell(
            events.AttemptMade(
                agent,
                queue_id,
                Address.from_internal(recipient.address).external,
                Address.from_internal(recipient.original).external,
                agent if agent == "virtual" else "none",
                delays,
                outcome.dsn,
                outcome.status,
                outcome.text,
            )
        )

    # -- afterwards ------------------------------------------------------------------------------------

    def _finish(self, one: Finished) -> None:
        self._finished.append(one)
        if len(self._finished) == 1:
            asyncio.get_running_loop().call_soon(self._finish_gathered)

    def _finish_gathered(self) -> None:
        """All messages that ended in this turn of the loop."""
        batch, self._finished = self._finished, []
        for one, error in zip(batch, self._files.finish_batch(batch), strict=True):
            self._intake.done(one.queue_id)
            if one.recycled and error is None:
                self._spares.add(one.recycled, self._taker.pop(one.queue_id).take)
            if error is not None:
                self._taker.pop(one.queue_id, None)
                self._tell(events.Warned(f"{one.queue_id}: queue file: {error}"))
            elif not one.deferred:
                self._tell(events.MessageRemoved(one.queue_id))
            else:
                delay = max(1.0, one.next_attempt - self._clock.now())
                asyncio.get_running_loop().call_later(delay, self._retry, one.queue_id, "deferred")
        if batch:
            self._work.set()

    def _retry(self, queue_id: QueueId, queue: str) -> None:
        add = self._intake.add_incoming if queue == "incoming" else self._intake.add_deferred
        add([queue_id])
        self._work.set()

    async def _in_thread(self, work: "Callable[[], _T]") -> "_T":
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


_T = TypeVar("_T")


class MailboxOwners:
    """virtual_uid_maps and virtual_gid_maps."""

    def __init__(self, uids: tuple[LookupTable, ...], gids: tuple[LookupTable, ...], *, minimum: int) -> None:
        self._uids = uids
        self._gids = gids
        self._minimum = minimum

    def of(self, recipient: Address) -> tuple[int, int]:
        """uid and gid of the recipient's mailbox.  LookupFault if there is none, or one too low."""
        key = recipient.folded.decode("utf-8", "surrogateescape")
        return self._number(self._uids, key, "virtual_uid_maps", self._minimum), self._number(
            self._gids, key, "virtual_gid_maps", 1
        )

    def _number(self, tables: tuple[LookupTable, ...], key: str, parameter: str, minimum: int) -> int:
        for table in tables:
            value = table.query(key)
            if value is not None:
                if not (value.isascii() and value.isdigit()) or int(value) < minimum:
                    raise LookupFault(table.name, f"bad id {value!r} for {key} in {parameter}")
                return int(value)
        raise LookupFault(parameter, f"no entry for {key}")


def _status_and_text(nexthop: str) -> tuple[str, str]:
    status, _, text = nexthop.partition(" ")
    return (status, text) if status[:2] in ("5.", "4.") else ("5.0.0", nexthop)


def _log_entry(recipient: QueueRecipient, outcome: Outcome, action: str) -> LogEntry:
    return LogEntry(
        recipient=Address.from_internal(recipient.address).external,
        original_recipient=Address.from_internal(recipient.original).external,
        offset=recipient.offset,
        dsn_original=recipient.dsn_original,
        notify=int(recipient.notify),
        status=outcome.dsn if action == "delayed" else "5" + outcome.dsn[1:],
        action=action,
        reason=outcome.text,
    )


def open_role(startup: Startup) -> Serve:
    """Settings, tables and directories; the rest needs no rights."""
    snapshot = Snapshot.decode(startup.snapshots["qmgr"])
    clock = SystemClock()
    settings = snapshot.group(QueueSettings)
    virtual = snapshot.group(VirtualDelivery)
    directories = QueueDirectories(
        snapshot.value("queue_directory"), hashed=settings.hash_queue_names, depth=settings.hash_queue_depth
    )
    resolver = Resolver(configured_routes(snapshot, clock=clock))
    owners = MailboxOwners(
        open_tables(virtual.virtual_uid_maps, where=snapshot.where("virtual_uid_maps"), clock=clock),
        open_tables(virtual.virtual_gid_maps, where=snapshot.where("virtual_gid_maps"), clock=clock),
        minimum=virtual.virtual_minimum_uid,
    )
    if virtual.virtual_mailbox_maps and not virtual.virtual_mailbox_base:
        raise ConfigurationFault(
            snapshot.where("virtual_mailbox_base"), "virtual_mailbox_maps needs virtual_mailbox_base"
        )
    identity = snapshot.group(Identity)
    rules = configured_rules(snapshot)
    bounce_rules = BounceRules(
        identity.myhostname.encode(), identity.mail_name.encode(), settings.bounce_size_limit
    )
    hints = socket.socket(fileno=startup.listeners["qmgr"])

    async def serve(control: Control, tell: events.EventSink) -> None:
        agents = Agents(f"{directories.root}/private/pillarbox-delivery", tell=tell)
        queue = IncomingQueue(directories, clock=clock, long_ids=settings.enable_long_queue_ids)
        fsyncs = background_fsyncs()
        spares = SpareFiles(directories, fsyncs=fsyncs, clock=clock)
        manager = QueueManager(
            directories=directories,
            settings=settings,
            virtual=virtual,
            owners=owners,
            resolver=resolver,
            agents=agents,
            notifier=Notifier(queue, rules=bounce_rules, submission=rules, clock=clock),
            spares=spares,
            tell=tell,
        )
        await manager.run(hints, control)
        agents.close()
        fsyncs.close()
        spares.close()
        queue.close()

    return serve


if __name__ == "__main__":
    run_role(open_role)
