"""The queue manager: takes messages from the queue, has them delivered, and decides what comes next.

DESCRIPTION
    It owns the queue: it alone moves files and marks recipients.  Writers tell it of new messages (a hint);
    scans of incoming and deferred are the truth: one at start, then every queue_run_delay seconds, incoming as
    well, in case a hint was lost.  A deferred message is tried again by the first scan after its time has come,
    as with qmgr(8); it has no timer of its own.  What is known of a queue is what is active and a little more, so
    that memory does not grow with it (scans.py).

    Queue files are opened, moved and removed on the event loop: none of it waits for the disk, and a thread
    would cost more than the calls do (docs/adr/0008).  Directories are scanned by a thread.  Jobs go to
    transports with the queue file's descriptor; outcomes come back one per recipient.

FAULTS
    An agent that is gone: its jobs are deferred and tried again.  A queue that cannot be written: the message
    stays in active and is taken up by the next scan.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from pillarbox.bounce.submission import Notifier
from pillarbox.config.parameters.queue_manager import QueueManager as QueueSettings
from pillarbox.observability import events
from pillarbox.queue.active_files import ActiveFiles, Damaged, Finished, NotNow, Opened, faults
from pillarbox.queue.incoming import sweep
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.site_logs import SiteLogs
from pillarbox.queue.spare_files import LARGEST, SpareFiles
from pillarbox.queue_manager.active_message import ActiveMessage
from pillarbox.queue_manager.aftermath import Aftermath, Probed
from pillarbox.queue_manager.dispatcher import Dispatcher, Routing, Services
from pillarbox.queue_manager.results import not_tried
from pillarbox.queue_manager.scans import STEP, QueueScan
from pillarbox.queue_manager.transport_rules import TransportSettings
from pillarbox.queue_manager.writers import Writer, Writers
from pillarbox.routing.domain_lists import DomainList
from pillarbox.scheduling.intake import Intake
from pillarbox.scheduling.recipient_slots import RecipientSlots, SlotRules
from pillarbox.vocabulary.address import external_form
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import QueueId

_BATCH: Final = 16
"""Messages that are opened in one turn of the loop."""
_DECIDING: Final = 64
"""Messages of which it is decided at the same time what comes next."""
_FINISHED: Final = 64
"""Messages that are finished in one turn: with a dead destination thousands may be deferred, with a log each."""
_TIDY_SECONDS: Final = 1000.0
"""How often logs of sites are looked at, as Postfix's master.cf wakes flush(8)."""


def _recipient_slots(
    settings: QueueSettings, rules: Mapping[str, TransportSettings], tell: events.EventSink
) -> RecipientSlots:
    """How many recipients may be in memory; never fewer than messages may be active."""
    if settings.qmgr_message_recipient_limit < settings.qmgr_message_active_limit:
        name = "qmgr_message_recipient_limit"
        tell(events.Warned(f"{name} is smaller than qmgr_message_active_limit - adjusting {name}"))
    return RecipientSlots(
        lambda name: rules[name].slots if name in rules else SlotRules(),
        limit=max(settings.qmgr_message_recipient_limit, settings.qmgr_message_active_limit),
        minimum=settings.qmgr_message_recipient_minimum,
    )


def _check_lifetimes(settings: QueueSettings, tell: events.EventSink) -> None:
    """Warn of a notice that would live longer than other mail; `is_expired` takes the shorter time."""
    if settings.bounce_queue_lifetime > settings.maximal_queue_lifetime:
        name = "bounce_queue_lifetime"
        tell(events.Warned(f"{name} is larger than maximal_queue_lifetime - adjusting {name}"))


class QueueManager:
    """All messages of one queue."""

    def __init__(
        self,
        *,
        directories: QueueDirectories,
        settings: QueueSettings,
        routing: Routing,
        services: Services,
        notifier: Notifier,
        probed: Probed,
        flush_sites: DomainList,
        spares: SpareFiles,
        clock: Clock,
        tell: events.EventSink,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`probed` learns what became of address probes.  `flush_sites`: fast_flush_domains, which may ask for
        deferred mail.  `sleep` lets seconds of `clock` go by."""
        self._aftermath = Aftermath(
            directories=directories,
            settings=settings,
            notifier=notifier,
            queued=self.queued,
            probed=probed,
            flush_sites=flush_sites,
            clock=clock,
            tell=tell,
        )
        self._site_logs = SiteLogs(directories)
        self._tidied = clock.monotonic()
        self._spares = spares
        self._may_recycle = not directories.is_hashed("active") and not settings.dont_remove
        self._writer_of: dict[QueueId, Writer] = {}  # of messages not yet looked at
        self._taker: dict[QueueId, Writer] = {}  # who gets the files of finished messages
        self._files = ActiveFiles(directories, keeps_finished=bool(settings.dont_remove))
        self._directories = directories
        self._settings = settings
        self._slots = _recipient_slots(settings, services.rules, tell)
        _check_lifetimes(settings, tell)
        self._dispatcher = Dispatcher(
            routing=routing,
            services=services,
            settings=settings,
            slots=self._slots,
            settled=self._aftermath.settled,
            completed=self._completed,
            clock=clock,
            sleep=sleep,
            tell=tell,
        )
        self._flushed: set[QueueId] = set()  # to be tried whatever their time, also over deferred transports
        self._tasks: asyncio.TaskGroup | None = None
        self._tell = tell
        self._clock = clock
        self._sleep = sleep
        self._intake = Intake(active_limit=settings.qmgr_message_active_limit)
        self._work = asyncio.Event()
        self._room = asyncio.Event()  # something was taken up
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="queue")
        scan = partial(QueueScan, directories, threads=self._threads, clock=clock)
        self._incoming = scan("incoming", found=self._found_incoming)
        self._deferred = scan("deferred", found=self._found_deferred, due_only=True)
        self._finished: list[Finished] = []
        self._undecided: deque[ActiveMessage] = deque()
        self._deciding = 0  # messages of which all is known, and whose files are not yet where they belong
        self._writers = Writers(self._queued, tell=tell)

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
                tasks.create_task(self._incoming.run()),
                tasks.create_task(self._deferred.run()),
                tasks.create_task(self._schedule()),
            ]
            ready()
            await stop.wait()
            # Jobs that agents have are waited for: what they delivered must not be delivered again.
            for task in background:
                task.cancel()
            self._writers.close()
            self._dispatcher.stop()
        while self._finished:
            self._finish_gathered()
        self._threads.shutdown()

    # -- intake ----------------------------------------------------------------------------------------

    def _queued(self, ids: list[QueueId], writer: Writer) -> None:
        if self._may_recycle and self._intake.waiting_incoming < STEP:
            self._writer_of.update(dict.fromkeys(ids, writer))
        self.queued(ids)

    async def _scan_regularly(self) -> None:
        while True:
            await self._in_thread(
                lambda: self._files.recover(now=self._clock.now(), is_active=self._intake.is_active)
            )
            self.scan(deferred=True)
            await self._tidy()
            await self._sleep(self._settings.queue_run_delay)

    async def _tidy(self) -> None:
        """The logs of sites, now and then."""
        if self._clock.monotonic() - self._tidied < _TIDY_SECONDS:
            return
        self._tidied = self._clock.monotonic()
        settings, now = self._settings, self._clock.now()
        await self._in_thread(
            lambda: self._site_logs.tidy(
                now=now, refresh=settings.fast_flush_refresh_time, purge=settings.fast_flush_purge_time
            )
        )

    async def _found_incoming(self, ids: list[QueueId], _: bool) -> None:
        self.queued(ids)
        while self._intake.waiting_incoming >= STEP:
            await self._until_room()

    async def _found_deferred(self, ids: list[QueueId], at_once: bool) -> None:
        """`at_once`: to be tried whatever their time."""
        while self._intake.waiting_deferred >= STEP:
            await self._until_room()
        if at_once:
            self._flushed.update(ids)
        self._intake.add_deferred(ids)
        self._work.set()

    def _watch_flow(self) -> None:
        """in_flow_delay: writers hear when the active queue is full and much waits, and when half of it is gone."""
        waiting, limit = self._intake.waiting_incoming, self._settings.default_process_limit
        if waiting <= limit // 2:
            self._writers.tell_flow(False)
        elif waiting > limit and self._settings.in_flow_delay:
            if self._slots.is_full or self._intake.active_count >= self._settings.qmgr_message_active_limit:
                self._writers.tell_flow(True)

    async def _until_room(self) -> None:
        self._room.clear()
        await self._room.wait()

    async def _schedule(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while not self._slots.is_full and (batch := self._intake.take(_BATCH)):
                self._room.set()
                self._watch_flow()
                now = self._clock.now()
                opened = self._files.open_batch(
                    batch, now=now, at_once=self._flushed, limit=self._slots.first
                )
                for one, (queue_id, queue) in zip(opened, batch, strict=True):
                    writer = self._writer_of.pop(queue_id, None)
                    if isinstance(one, Opened):
                        self._begin(one, now, writer if queue == "incoming" else None)
                    else:
                        self._left(one)
                for fault in faults(opened):
                    self._tell(events.Warned(fault))
                await asyncio.sleep(0)

    def _left(self, one: NotNow | Damaged) -> None:
        self._intake.done(one.queue_id)
        self._flushed.discard(one.queue_id)
        if isinstance(one, Damaged):
            self._tell(events.MessageCorrupt(one.queue_id, one.queue, one.reason))

    # -- requests from outside -------------------------------------------------------------------------

    def queued(self, ids: Iterable[QueueId]) -> None:
        """New messages are in incoming."""
        if not self._intake.add_incoming(ids):
            self._incoming.request()
        self._watch_flow()
        self._work.set()

    async def flushed(self, ids: list[QueueId]) -> None:
        """Deferred messages are due now, whatever their time was, over deferred transports, too.

        Returns when there is room for more.
        """
        await self._found_deferred(ids, True)

    def scan(self, *, deferred: bool, at_once: bool = False) -> None:
        """Look at incoming out of turn, and at what is due in deferred; `at_once`: at all of it."""
        self._incoming.request()
        if deferred:
            self._deferred.request(at_once=at_once)

    @property
    def is_idle(self) -> bool:
        """Nothing is being done that could end by itself: whatever there is waits for a time to come."""
        busy = self._intake.has_waiting or self._undecided or self._deciding or self._finished
        reading = not (self._incoming.is_idle and self._deferred.is_idle)
        return self._dispatcher.is_idle and not busy and not reading

    def revive(self) -> None:
        """Forget which destinations cannot be reached: all flushes do."""
        self._dispatcher.revive()

    # -- delivery --------------------------------------------------------------------------------------

    def _begin(self, opened: Opened, started: float, writer: Writer | None) -> None:
        """`writer` has just written the message, which nobody has read before."""
        message = opened.message
        active = ActiveMessage(opened, active_time=started, writer=writer)
        self._tell(
            events.MessageActive(
                opened.queue_id,
                external_form(message.sender),
                message.content_size,
                message.recipient_count,
            )
        )
        if not active.to_do:  # there may be notices that could not be queued
            self._completed(active)
            return
        self._slots.in_memory += len(active.to_do)
        if opened.is_expired:
            text = "message expired by the administrator"
            active.outcomes = not_tried(active.to_do, opened.reasons, text=text)
            self._completed(active)
            return
        self._dispatcher.submit(active, flush=opened.queue_id in self._flushed)

    def _completed(self, active: ActiveMessage) -> None:
        """Each recipient's fate is known, for this time."""
        self._slots.in_memory -= active.in_memory
        self._flushed.discard(active.queue_id)
        finished = self._aftermath.at_once(active)
        if finished is not None:
            self._conclude(active, finished)
        else:
            self._undecided.append(active)
            self._decide_some()

    def _decide_some(self) -> None:
        """Decide of messages of which all is known, so many at a time: a task is larger than a message."""
        while self._undecided and self._deciding < _DECIDING and self._tasks is not None:
            self._deciding += 1
            self._tasks.create_task(self._decide(self._undecided.popleft()))

    async def _decide(self, active: ActiveMessage) -> None:
        finished, expired = await self._aftermath.decide(active)
        self._deciding -= 1
        self._conclude(active, finished, expired=expired)
        self._decide_some()

    def _conclude(self, active: ActiveMessage, finished: Finished, *, expired: bool = False) -> None:
        """It is decided; the file may serve again."""
        writer = active.writer
        small = active.message.content_size <= LARGEST
        if finished.is_over and writer is not None and writer.wanted and not expired and small:
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
        """The messages that ended in this turn of the loop, some of them if they are many."""
        batch, self._finished = self._finished[:_FINISHED], self._finished[_FINISHED:]
        if self._finished:
            asyncio.get_running_loop().call_soon(self._finish_gathered)
        for one, error in zip(batch, self._files.finish_batch(batch), strict=True):
            self._intake.done(one.queue_id)
            if one.recycled and error is None:
                self._spares.add(one.recycled, self._taker.pop(one.queue_id).take)
            if error is not None:
                self._taker.pop(one.queue_id, None)
                self._tell(events.Warned(f"{one.queue_id}: queue file: {error}"))
            elif one.is_over:
                self._tell(events.MessageRemoved(one.queue_id))
        if batch:
            self._work.set()

    async def _in_thread(self, work: "Callable[[], _T]") -> "_T":
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


_T = TypeVar("_T")
