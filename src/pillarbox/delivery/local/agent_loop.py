"""The life of an agent of local delivery: jobs in, results out, commands beside each other.

DESCRIPTION
    Jobs that wait together are worked on together: what they have for Maildirs is stored in one batch, with the
    fsyncs shared (mailstore/deliver.py).  A job that runs a command goes on when the command has ended; as many
    run at once as the service's process limit allows, and local_destination_concurrency_limit for one recipient.

    The agent ends when its channel or its lifeline does.  Commands that run then go on; their mail is delivered
    again, as after any crash.
"""

import selectors
import socket
import time
from collections import deque
from collections.abc import Generator

import msgspec

from pillarbox.delivery.job_intake import take_jobs
from pillarbox.delivery.local.agent_settings import AgentSettings
from pillarbox.delivery.local.agent_work import AgentWork, Step, StepResult
from pillarbox.delivery.local.command import CommandResult, CommandRun, Running
from pillarbox.delivery.local.frames import DeliverLocally, LocalJobDone, Piece
from pillarbox.delivery.local.spool_rights import SpoolRights
from pillarbox.delivery.message_text import MessageText
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.mailstore.cache.arrivals import ArrivalNotes
from pillarbox.mailstore.deliver import Delivery, Unreadable, deliver_batch
from pillarbox.net.channel import FrameReader, FrameWriter
from pillarbox.net.system_clock import SystemClock
from pillarbox.queue.delivery_notes import DeliveryNotes
from pillarbox.vocabulary.clock import Clock

_Work = Generator[Step, StepResult, LocalJobDone]


class Worker:
    """The jobs of one agent.  `watched` are the descriptors of commands that run."""

    def __init__(
        self, settings: AgentSettings, *, clock: Clock, spool: SpoolRights, files: FileSystem = DISK
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._spool = spool
        self._files = files
        self._runs: dict[_Work, Running] = {}
        self._descriptors: dict[_Work, int] = {}
        self._waiting: deque[tuple[_Work, CommandRun]] = deque()
        self._done: list[LocalJobDone] = []
        self.notes = ArrivalNotes(files=files)
        """Of what was stored, to be written when there is nothing to do."""

    @property
    def watched(self) -> list[int]:
        """Descriptors to look at."""
        return [descriptor for running in self._runs.values() for descriptor in running.descriptors]

    def patience(self) -> float | None:
        """Seconds until the first command's time is up; None if none runs."""
        if not self._runs:
            return None
        return max(0.0, min(running.deadline for running in self._runs.values()) - time.monotonic())

    def take(self, jobs: list[tuple[DeliverLocally, int]]) -> None:
        """Work on jobs as far as they go without waiting.  The descriptors are closed when their jobs are done."""
        started: list[tuple[_Work, StepResult | None]] = []
        for request, descriptor in jobs:
            try:
                text = MessageText(descriptor, request.data_offset, files=self._files)
            except Unreadable as fault:
                broken = LocalJobDone(request.job, [Piece("deferred", "4.3.0", "queue file read error")])
                broken.warnings = [f"queue file read error: {fault}"]
                self._done.append(broken)
                self._files.close(descriptor)
                continue
            work = AgentWork(
                request,
                text,
                notes=DeliveryNotes(descriptor, has_some=request.is_noted, files=self._files),
                settings=self._settings,
                clock=self._clock,
                spool=self._spool,
                files=self._files,
            )
            performing = work.perform()
            self._descriptors[performing] = descriptor
            started.append((performing, None))
        self._advance(started)

    def look(self) -> None:
        """See what became of the commands that run."""
        ended: list[tuple[_Work, StepResult | None]] = []
        now = time.monotonic()
        for work, running in list(self._runs.items()):
            if now >= running.deadline:
                running.kill()
            result = running.look()
            if result is not None:
                del self._runs[work]
                ended.append((work, result))
        self._advance(ended)

    def results(self) -> list[LocalJobDone]:
        """What is finished, once."""
        done, self._done = self._done, []
        return done

    def _advance(self, works: list[tuple[_Work, StepResult | None]]) -> None:
        """Send each work what it waits for, until all are finished or wait for commands."""
        while works:
            deliveries: list[tuple[_Work, Delivery]] = []
            for work, result in works:
                try:
                    step = next(work) if result is None else work.send(result)
                except StopIteration as end:
                    self._done.append(end.value)
                    self._files.close(self._descriptors.pop(work))
                    continue
                if isinstance(step, Delivery):
                    deliveries.append((work, step))
                else:
                    self._waiting.append((work, step))
            stored = [delivery for _, delivery in deliveries]
            results = deliver_batch(stored, files=self._files)
            self.notes.remember(stored, results)
            works = [(work, result) for (work, _), result in zip(deliveries, results, strict=True)]
            works += self._start_commands()

    def _start_commands(self) -> list[tuple[_Work, StepResult | None]]:
        """Start what may run; those that cannot be started are at their end."""
        failed: list[tuple[_Work, StepResult | None]] = []
        waiting, self._waiting = self._waiting, deque()
        for work, run in waiting:
            if not self._may_run(run):
                self._waiting.append((work, run))
                continue
            try:
                self._runs[work] = Running(run, started=time.monotonic())
            except Unreadable as fault:
                failed.append((work, fault))
            except OSError as error:
                failed.append((work, CommandResult(75, f"4.3.0 Delivery failed: {error.strerror}")))
        return failed

    def _may_run(self, run: CommandRun) -> bool:
        settings = self._settings
        if settings.commands and len(self._runs) >= settings.commands:
            return False
        if not settings.commands_of_recipient:
            return True
        same = sum(running.run.recipient == run.recipient for running in self._runs.values())
        return same < settings.commands_of_recipient


def serve_local_jobs(
    sock: socket.socket, *, lifeline: int, settings: AgentSettings, spool: SpoolRights
) -> None:
    """An agent's whole life."""
    reader = FrameReader(msgspec.msgpack.Decoder(DeliverLocally))
    writer = FrameWriter()
    worker = Worker(settings, clock=SystemClock(), spool=spool)
    sock.setblocking(False)
    watched: set[int] = set()
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        selector.register(lifeline, selectors.EVENT_READ)
        while True:
            patience = 0 if worker.notes.waiting else worker.patience()
            ready = {key.fd for key, _ in selector.select(patience)}
            if lifeline in ready:
                return
            if not ready and worker.notes.waiting:
                worker.notes.write_one()
            for descriptor in watched:
                selector.unregister(descriptor)
            jobs = take_jobs(sock, reader) if sock.fileno() in ready else []
            if jobs is None:
                return
            worker.look()
            worker.take([(request, passed[0]) for request, passed in jobs])
            watched = set(worker.watched)
            for descriptor in watched:
                selector.register(descriptor, selectors.EVENT_READ)
            for done in worker.results():
                writer.put(done)
            sock.setblocking(True)
            try:
                writer.write_to(sock)
            except OSError:
                return
            sock.setblocking(False)
