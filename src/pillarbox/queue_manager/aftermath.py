"""What comes of a message when all its recipients' fates are known: who is told, and when it is tried again.

DESCRIPTION
    Failures are reported to the sender (or to whom an alias names), deliveries too if the sender asked for that.
    A message that is late is reported once, delay_warning_time after it came.  When its time is up, what still
    waits fails.  Entries of a bounce log that an earlier system left are reported with the others.

FAULTS
    A notice that cannot be queued: nobody is done who was not delivered to, and the message is tried again.
"""

import os
from collections.abc import Callable

import msgspec

from pillarbox.bounce.notification import Kind
from pillarbox.bounce.submission import Notifier
from pillarbox.config.parameters.queue_manager import QueueManager as QueueSettings
from pillarbox.delivery.mailbox_delivery import FileSource
from pillarbox.observability import events
from pillarbox.queue.active_files import Finished
from pillarbox.queue.incoming import QueueFileFault
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_file import QueueMessage
from pillarbox.queue.recipient_log import LogEntry, discard, log_entries
from pillarbox.queue.records import WARN, CorruptQueueFile, encode_record
from pillarbox.queue_manager.active_message import ActiveMessage
from pillarbox.queue_manager.results import Failure, delayed, delivered, failed
from pillarbox.scheduling.backoff import is_expired, next_attempt
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import QueueId


class Aftermath:
    """Decides for one queue manager."""

    def __init__(
        self,
        *,
        directories: QueueDirectories,
        settings: QueueSettings,
        notifier: Notifier,
        queued: Callable[[list[QueueId]], None],
        clock: Clock,
        tell: events.EventSink,
    ) -> None:
        """`queued` is told of notices."""
        self._directories = directories
        self._settings = settings
        self._notifier = notifier
        self._queued = queued
        self._clock = clock
        self._tell = tell

    async def decide(self, active: ActiveMessage) -> tuple[Finished, bool]:
        """What is to be done with the queue file, and whether the message's time is up."""
        now = self._clock.now()
        opened, message, settings = active.opened, active.message, self._settings
        finished = Finished(queue_id=opened.queue_id, descriptor=opened.descriptor)
        failures: list[Failure] = []
        successes: list[LogEntry] = []
        expired = (
            opened.is_expired
            or message.is_probe
            or is_expired(
                now=now,
                created=message.create_time,
                is_bounce=not message.sender,
                queue_lifetime=settings.maximal_queue_lifetime,
                bounce_lifetime=settings.bounce_queue_lifetime,
            )
        )
        for recipient in active.to_do:
            transport, outcome = active.outcomes[recipient.offset]
            failures += failed(recipient, outcome, expired=expired)
            successes += delivered(recipient, transport, outcome)
            if outcome.status == "deferred" and not expired:
                finished.deferred += delayed(recipient, outcome)
            else:
                finished.done.append(recipient)
        if failures and expired and not message.is_probe:
            sender = Address.from_internal(message.sender).external
            self._tell(events.MessageExpired(opened.queue_id, sender, is_forced=opened.is_expired))
        if failures and not await self._report_failures(active, failures):
            kept = {failure.entry.offset for failure in failures}
            finished.done = [recipient for recipient in finished.done if recipient.offset not in kept]
            finished.deferred += [failure.entry for failure in failures]
        if successes:
            await self._report("success", opened.queue_id, message, successes, opened.descriptor)
        if finished.deferred:
            await self._warn_of_delay(active, finished.deferred, now)
            finished.next_attempt = next_attempt(
                now=now,
                created=message.create_time,
                minimal_backoff=settings.minimal_backoff_time,
                maximal_backoff=settings.maximal_backoff_time,
            )
        return finished, expired

    async def _report_failures(self, active: ActiveMessage, failures: list[Failure]) -> bool:
        """One notice for each who is to hear of failures; False if one could not be queued."""
        queue_id, descriptor = active.queue_id, active.opened.descriptor
        by_listener: dict[bytes | None, list[LogEntry]] = {}
        reported = {failure.entry.offset for failure in failures}
        left_over = [
            entry
            for entry in log_entries(self._directories, "bounce", queue_id)
            if entry.offset not in reported
        ]
        if left_over:
            by_listener[None] = left_over
        for failure in failures:
            by_listener.setdefault(failure.report_to, []).append(failure.entry)
        for listener, entries in by_listener.items():
            message = active.message
            if listener is not None:
                message = msgspec.structs.replace(message, sender=listener)
            if not await self._report("failure", queue_id, message, entries, descriptor):
                return False
        discard(self._directories, "bounce", queue_id)
        return True

    async def _warn_of_delay(self, active: ActiveMessage, entries: list[LogEntry], now: float) -> None:
        """Once, when delay_warning_time is over: the time in the file's W record becomes -1."""
        message = active.message
        if not 0 < message.warn_time <= now:
            return
        if await self._report("delay", active.queue_id, message, entries, active.opened.descriptor):
            try:
                os.pwrite(active.opened.descriptor, encode_record(WARN, b"%15d" % -1), message.warn_offset)
            except OSError as error:
                self._tell(events.Warned(f"{active.queue_id}: queue file: {error}"))

    async def _report(
        self, kind: Kind, queue_id: QueueId, message: QueueMessage, entries: list[LogEntry], descriptor: int
    ) -> bool:
        try:
            notices = await self._notifier.report(kind, queue_id, message, entries, FileSource(descriptor))
        except (QueueFileFault, CorruptQueueFile, OSError) as fault:
            self._tell(events.Warned(f"{queue_id}: cannot queue a notification: {fault}"))
            return False
        for notice in notices:
            self._tell(events.BounceQueued(queue_id, notice.queue_id, notice.what))
        if notices:
            self._queued([notice.queue_id for notice in notices])
        return True
