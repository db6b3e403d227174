"""The queue manager: takes messages from the queue, has them delivered, and decides what comes next.

DESCRIPTION
    It owns the queue: it alone moves files and marks recipients.  Writers tell it of new messages (a hint);
    scans of incoming and deferred are the truth: one at start, then every queue_run_delay seconds, incoming as
    well, in case a hint was lost.  A deferred message is tried again by the first scan after its time has come,
    as with qmgr(8); it has no timer of its own.

    Queue files are opened, moved and removed on the event loop: none of it waits for the disk, and a thread
    would cost more than the calls do (docs/adr/0008).  Directories are scanned by a thread.  Jobs go to
    transports with the queue file's descriptor; outcomes come back one per recipient.

FAULTS
    An agent that is gone: its jobs are deferred and tried again.  A queue that cannot be written: the message
    stays in active and is taken up by the next scan.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from pillarbox.bounce.submission import Notifier
from pillarbox.config.parameters.queue_manager import QueueManager as QueueSettings
from pillarbox.observability import events
from pillarbox.queue.active_files import ActiveFiles, Damaged, Finished, NotNow, Opened
from pillarbox.queue.incoming import sweep
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.spare_files import LARGEST, SpareFiles
from pillarbox.queue_manager.active_message import ActiveMessage
from pillarbox.queue_manager.aftermath import Aftermath, Probed
from pillarbox.queue_manager.dispatcher import Dispatcher
from pillarbox.queue_manager.results import not_tried
from pillarbox.queue_manager.transport import Transport
from pillarbox.queue_manager.transport_rules import TransportSettings
from pillarbox.queue_manager.writers import Writer, Writers
from pillarbox.routing.resolution import Resolver
from pillarbox.scheduling.intake import Intake
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import QueueId

_BATCH: Final = 16
"""Messages that are opened in one turn of the loop."""


class QueueManager:
    """All messages of one queue."""

    def __init__(
        self,
        *,
        directories: QueueDirectories,
        settings: QueueSettings,
        filter_nexthop: str,
        resolver: Resolver,
        transports: Mapping[str, Transport],
        rules: Mapping[str, TransportSettings],
        notifier: Notifier,
        probed: Probed,
        probe_resolver: Resolver,
        double_bounce: bytes,
        caches_failures: bool,
        spares: SpareFiles,
        clock: Clock,
        tell: events.EventSink,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`transports` and `rules` by service name; `filter_nexthop` is default_filter_nexthop.

        `probed` learns what became of address probes, which go where `probe_resolver` says.

        `sleep` lets seconds of `clock` go by.
        """
        self._aftermath = Aftermath(
            directories=directories,
            settings=settings,
            notifier=notifier,
            queued=self.queued,
            probed=probed,
            clock=clock,
            tell=tell,
        )
        self._spares = spares
        self._may_recycle = not directories.is_hashed("active")
        self._writer_of: dict[QueueId, Writer] = {}  # of messages not yet looked at
        self._taker: dict[QueueId, Writer] = {}  # who gets the files of finished messages
        self._files = ActiveFiles(directories)
        self._directories = directories
        self._settings = settings
        self._dispatcher = Dispatcher(
            resolver=resolver,
            probe_resolver=probe_resolver,
            double_bounce=double_bounce,
            caches_failures=caches_failures,
            settings=settings,
            filter_nexthop=filter_nexthop,
            transports=transports,
            rules=rules,
            completed=self._completed,
            clock=clock,
            sleep=sleep,
            tell=tell,
        )
        self._recipients = 0  # of all active messages
        self._flushed: set[QueueId] = set()  # to be tried whatever their time, also over deferred transports
        self._tasks: asyncio.TaskGroup | None = None
        self._tell = tell
        self._clock = clock
        self._sleep = sleep
        self._intake = Intake(active_limit=settings.qmgr_message_active_limit)
        self._work = asyncio.Event()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="queue")
        self._finished: list[Finished] = []
        self._deciding = 0  # messages of which all is known, and whose files are not yet where they belong
        self._writers = Writers(self._queued)

    async def run(self, hints: socket.socket, *, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Serve until `stop`; `ready` is called when everything that was active is queued again."""
        sweep(self._directories)
        await self._in_thread(lambda: self._files.recover(now=self._clock.now()))
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._dispatcher.start(tasks)
            background = [
                tasks.create_task(self._writers.serve(hints, tasks)),
                tasks.create_task(self._scan_regularly()),
                tasks.create_task(self._schedule()),
            ]
            ready()
            await stop.wait()
            # Jobs that agents have are waited for: what they delivered must not be delivered again.
            for task in background:
                task.cancel()
            self._writers.close()
            self._dispatcher.stop()
        self._finish_gathered()
        self._threads.shutdown()

    # -- intake ----------------------------------------------------------------------------------------

    def _queued(self, ids: list[QueueId], writer: Writer) -> None:
        if self._may_recycle:
            self._writer_of.update(dict.fromkeys(ids, writer))
        self._intake.add_incoming(ids)
        self._work.set()

    async def _scan_regularly(self) -> None:
        while True:
            await self._in_thread(
                lambda: self._files.recover(now=self._clock.now(), is_active=self._intake.is_active)
            )
            await self.scan(deferred=True)
            await self._sleep(self._settings.queue_run_delay)

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

    async def _schedule(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._recipients < self._settings.qmgr_message_recipient_limit and (
                batch := self._intake.take(_BATCH)
            ):
                now = self._clock.now()
                opened = self._files.open_batch(batch, now=now, at_once=self._flushed)
                for one, (queue_id, queue) in zip(opened, batch, strict=True):
                    writer = self._writer_of.pop(queue_id, None)
                    if isinstance(one, Opened):
                        self._begin(one, now, writer if queue == "incoming" else None)
                    else:
                        self._left(one)
                await asyncio.sleep(0)

    def _left(self, one: NotNow | Damaged) -> None:
        self._intake.done(one.queue_id)
        self._flushed.discard(one.queue_id)
        if isinstance(one, Damaged):
            self._tell(events.MessageCorrupt(one.queue_id, one.queue, one.reason))

    # -- requests from outside -------------------------------------------------------------------------

    def queued(self, ids: Iterable[QueueId]) -> None:
        """New messages are in incoming."""
        self._intake.add_incoming(ids)
        self._work.set()

    def flushed(self, ids: Iterable[QueueId]) -> None:
        """Deferred messages are due now, whatever their time was, over deferred transports, too."""
        ids = list(ids)
        self._flushed.update(ids)
        self._intake.add_deferred(ids)
        self._work.set()

    async def scan(self, *, deferred: bool) -> None:
        """Look at incoming, and at what is due in deferred, out of turn."""
        self.queued(await self._in_thread(lambda: list(self._directories.scan("incoming"))))
        if deferred:
            self._intake.add_deferred(await self._in_thread(self._due))
            self._work.set()

    @property
    def is_idle(self) -> bool:
        """Nothing is being done that could end by itself: whatever there is waits for a time to come."""
        busy = self._intake.has_waiting or self._deciding or self._finished
        return self._dispatcher.is_idle and not busy

    def revive(self) -> None:
        """Forget which destinations cannot be reached (postqueue -f)."""
        self._dispatcher.revive()

    # -- delivery --------------------------------------------------------------------------------------

    def _begin(self, opened: Opened, started: float, writer: Writer | None) -> None:
        """`writer` has just written the message, which nobody has read before."""
        message = opened.message
        active = ActiveMessage(opened, active_time=started, writer=writer)
        self._tell(
            events.MessageActive(
                opened.queue_id,
                Address.from_internal(message.sender).external,
                message.content_size,
                len(message.recipients),
            )
        )
        if not active.to_do:  # there may be notices that could not be queued
            self._completed(active)
            return
        self._recipients += len(active.to_do)
        if opened.is_expired:
            text = "message expired by the administrator"
            active.outcomes = not_tried(active.to_do, opened.reasons, text=text)
            self._completed(active)
            return
        self._dispatcher.submit(active, flush=opened.queue_id in self._flushed)

    def _completed(self, active: ActiveMessage) -> None:
        """Each recipient's fate is known, for this time."""
        self._recipients -= len(active.to_do)
        self._flushed.discard(active.queue_id)
        finished = self._aftermath.at_once(active)
        if finished is not None:
            self._conclude(active, finished)
        elif self._tasks is not None:
            self._deciding += 1
            self._tasks.create_task(self._decide(active))

    async def _decide(self, active: ActiveMessage) -> None:
        finished, expired = await self._aftermath.decide(active)
        self._deciding -= 1
        self._conclude(active, finished, expired=expired)

    def _conclude(self, active: ActiveMessage, finished: Finished, *, expired: bool = False) -> None:
        """It is decided; the file may serve again."""
        writer = active.writer
        small = active.message.content_size <= LARGEST
        if not finished.deferred and writer is not None and writer.wanted and not expired and small:
            writer.wanted -= 1
            finished.recycled = self._spares.path(writer.pid)
            self._taker[active.queue_id] = writer
        self._finish(finished)

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
        if batch:
            self._work.set()

    async def _in_thread(self, work: "Callable[[], _T]") -> "_T":
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


_T = TypeVar("_T")
