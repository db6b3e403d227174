"""What comes of a message when all its recipients' fates are known: who is told, and when it is tried again.

DESCRIPTION
    Failures are reported to the sender (or to whom an alias names), deliveries too if the sender asked for that.
    A message that is late is reported once, delay_warning_time after it came, and with confirm_delay_cleared once
    more when it was delivered.  When its time is up, what still waits fails.

    sendmail -v has the first attempt reported whatever came of it, sendmail -bv what would come of one; then every
    recipient is done.

    Entries of a bounce or trace log that are left from before, a notice could not be queued or it was another
    system, are reported with the others.

FAULTS
    A notice that cannot be queued: nobody is done who was not delivered to, and the message is tried again.  What
    was delivered, or would be, stands in the trace log until then.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from pillarbox.bounce.notification import Kind
from pillarbox.bounce.submission import Notifier, NotMapped
from pillarbox.config.parameters.queue_manager import QueueManager as QueueSettings
from pillarbox.delivery.request import Outcome
from pillarbox.observability import events
from pillarbox.queue.active_files import Finished
from pillarbox.queue.file_source import FileSource, mark_done
from pillarbox.queue.incoming import QueueFileFault
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_file import QueueMessage, QueueRecipient
from pillarbox.queue.recipient_log import LogEntry, append_entries, discard, log_entries
from pillarbox.queue.records import KILLED, WARN, CorruptQueueFile, encode_record
from pillarbox.queue.site_logs import site_of
from pillarbox.queue_manager.active_message import ActiveMessage
from pillarbox.queue_manager.results import Failure, delayed, delivered, failed, may_be_traced
from pillarbox.queue_manager.results import traced as outcomes_traced
from pillarbox.routing.domain_lists import DomainList
from pillarbox.scheduling.backoff import is_expired, next_attempt
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.envelope import Notify, Trace
from pillarbox.vocabulary.identifiers import QueueId

_ASKED_OF_BOUNCE: Final[dict[Kind, str]] = {"failure": "bounce", "success": "trace"}
"""What a kind of notice is called in the log when there was none, as by the clients of bounce(8)."""
Probed = Callable[[QueueRecipient, Outcome], Awaitable[None]]
"""Learns what became of a recipient of an address probe."""


class Aftermath:
    """Decides for one queue manager."""

    def __init__(
        self,
        *,
        directories: QueueDirectories,
        settings: QueueSettings,
        notifier: Notifier,
        queued: Callable[[list[QueueId]], None],
        probed: Probed,
        flush_sites: DomainList,
        clock: Clock,
        tell: events.EventSink,
    ) -> None:
        """`queued` is told of notices, `probed` of what verify(8) asked for.

        `flush_sites` may ask for their deferred mail.
        """
        self._flush_sites = flush_sites
        self._probed = probed
        self._directories = directories
        self._settings = settings
        self._notifier = notifier
        self._queued = queued
        self._clock = clock
        self._tell = tell

    def at_once(self, active: ActiveMessage) -> Finished | None:
        """As `decide()` of a message that everybody has got and of which nobody is to hear more; else None."""
        opened, message = active.opened, active.message
        if opened.is_expired or message.trace or message.wants_success:
            return None
        if _has_history(active):  # there may be logs of the attempts before
            return None
        for recipient in active.to_do:
            _, outcome = active.outcomes[recipient.offset]
            if not outcome.is_sent or self._may_be_traced(message, recipient):
                return None
        return Finished(queue_id=opened.queue_id, descriptor=opened.descriptor, done=active.to_do)

    def settled(self, active: ActiveMessage, recipients: Sequence[QueueRecipient]) -> list[QueueRecipient]:
        """What has become of some recipients lasts, while others of the message still wait.

        They are done in the queue file, and what their sender is to hear of stands in a log before that; why others
        have to be tried again stands in the defer log.  Those of which that is true.
        """
        if active.message.is_trace_only:
            return []
        logs: dict[str, list[LogEntry]] = {"bounce": [], "trace": [], "defer": []}
        done: list[QueueRecipient] = []
        waiting: list[QueueRecipient] = []
        for recipient in recipients:
            transport, outcome = active.outcomes[recipient.offset]
            resolved = active.resolved(recipient)
            failures = failed(resolved, outcome, expired=False)
            if any(failure.report_to is not None for failure in failures):
                continue  # an alias's owner hears of it in the end: a log has no place for that
            if self._may_be_traced(active.message, recipient):
                logs["trace"] += self._traced(active.message, resolved, transport, outcome)
            if outcome.status == "deferred":
                if not failures:
                    logs["defer"] += delayed(resolved, outcome)
                    waiting.append(recipient)
                continue
            logs["bounce"] += [failure.entry for failure in failures]
            done.append(recipient)
        try:
            for queue, entries in logs.items():
                if entries:
                    append_entries(
                        self._directories, queue, active.queue_id, entries, is_synced=queue != "defer"
                    )
            active.traced |= {entry.offset for entry in logs["trace"]}
            for recipient in done:
                mark_done(active.opened.descriptor, recipient.offset)
        except OSError as error:
            self._tell(events.Warned(f"{active.queue_id}: queue file: {error}"))
            return []
        if active.parts is None:
            active.delayed |= {recipient.offset for recipient in waiting}
        elif waiting:
            active.parts.waits = True
            active.parts.sites |= {site_of(entry.recipient) for entry in logs["defer"]}
        return done + waiting

    async def decide(self, active: ActiveMessage) -> tuple[Finished, bool]:
        """What is to be done with the queue file, and whether the message's time is up."""
        now = self._clock.now()
        opened, message, settings = active.opened, active.message, self._settings
        finished = Finished(queue_id=opened.queue_id, descriptor=opened.descriptor)
        expired = opened.is_expired or is_expired(
            now=now,
            created=message.create_time,
            is_bounce=not message.sender,
            queue_lifetime=settings.maximal_queue_lifetime,
            bounce_lifetime=settings.bounce_queue_lifetime,
        )
        earlier = self._delayed_earlier(active, expired=expired, now=now)
        failures, traced = await self._sort(active, finished, expired=expired)
        if expired:
            gone = [Failure(msgspec.structs.replace(entry, action="failed"), None) for entry in earlier]
            failures = gone + failures
        finished.waits = active.parts is not None and active.parts.waits and not expired
        finished.logged = active.delayed
        waits = bool(earlier) or any(outcome.status == "deferred" for _, outcome in active.outcomes.values())
        if expired and waits and not message.is_trace_only:
            sender = Address.from_internal(message.sender).external
            self._tell(events.MessageExpired(opened.queue_id, sender, is_forced=opened.is_expired))
        has_history = _has_history(active)
        left_over = (
            log_entries(self._directories, "bounce", active.queue_id) if failures or has_history else []
        )
        if failures or left_over:
            finished.deferred += await self._report_failures(active, failures, left_over)
            kept = {entry.offset for entry in finished.deferred}
            finished.done = [recipient for recipient in finished.done if recipient.offset not in kept]
        if has_history or message.wants_success or active.traced:
            traced = log_entries(self._directories, "trace", active.queue_id) + traced
        if traced or (message.wants_success and not message.is_trace_only):
            finished.deferred += await self._report_trace(active, traced)
        if finished.is_over:
            if active.delayed or earlier:
                discard(self._directories, "defer", active.queue_id)
        else:
            if not message.is_trace_only:
                await self._warn_of_delay(active, finished.deferred + earlier, now)
            self._set_back(active, finished, now)
        return finished, expired

    async def _sort(
        self, active: ActiveMessage, finished: Finished, *, expired: bool
    ) -> tuple[list[Failure], list[LogEntry]]:
        """Tell `finished` who is done and who waits; failures to report, and what a trace says of the outcomes."""
        message = active.message
        failures: list[Failure] = []
        traced: list[LogEntry] = []
        for recipient in active.in_order_of_outcomes:
            transport, outcome = active.outcomes[recipient.offset]
            resolved = active.resolved(recipient)
            if self._may_be_traced(message, recipient) and recipient.offset not in active.traced:
                traced += self._traced(message, resolved, transport, outcome)
            if message.is_trace_only:
                finished.done.append(recipient)
                if message.is_probe:
                    await self._probed(recipient, outcome)
                continue
            failures += failed(resolved, outcome, expired=expired)
            if outcome.status == "deferred" and not expired:
                finished.deferred += delayed(resolved, outcome)
            else:
                finished.done.append(recipient)
        return failures, traced

    def _set_back(self, active: ActiveMessage, finished: Finished, now: float) -> None:
        """When the message is tried again, and the sites that ETRN may ask for."""
        sites = {site_of(entry.recipient) for entry in finished.deferred}
        if active.parts is not None:
            sites |= active.parts.sites
        finished.sites = self._sites(active.queue_id, sites)
        finished.next_attempt = next_attempt(
            now=now,
            created=active.message.create_time,
            minimal_backoff=self._settings.minimal_backoff_time,
            maximal_backoff=self._settings.maximal_backoff_time,
        )

    def _delayed_earlier(self, active: ActiveMessage, *, expired: bool, now: float) -> list[LogEntry]:
        """The defer log of a message that is read in parts, if somebody is to be told of it."""
        if active.parts is None or not active.parts.waits:
            return []
        if not expired and not _is_late(active.message, now):
            return []
        try:
            return log_entries(self._directories, "defer", active.queue_id)
        except OSError as error:
            self._tell(events.Warned(f"{active.queue_id}: defer log: {error}"))
            return []

    def _sites(self, queue_id: QueueId, sites: set[str]) -> list[str]:
        """Who may ask for the mail that is deferred."""
        try:
            return [site for site in sorted(sites) if site and self._flush_sites.holds(site)]
        except LookupFault as fault:
            self._tell(events.Warned(fault.reason))
            self._tell(events.Warned(f"{queue_id}: flush service failure"))
            return []

    def _may_be_traced(self, message: QueueMessage, recipient: QueueRecipient) -> bool:
        return may_be_traced(message, recipient, confirms_delays=self._settings.confirm_delay_cleared)

    def _traced(
        self, message: QueueMessage, recipient: QueueRecipient, transport: str, outcome: Outcome
    ) -> list[LogEntry]:
        """What a trace log has of a recipient: sendmail -v and -bv, NOTIFY=SUCCESS, confirm_delay_cleared."""
        trace = message.trace
        entries: list[LogEntry] = []
        if trace & (Trace.WHAT_IF | Trace.RECORD):
            entries += outcomes_traced(recipient, transport, outcome, only=message.is_trace_only)
        if message.is_trace_only:
            return entries
        wants_delays = not recipient.notify or recipient.notify & Notify.DELAY
        was_told = trace & Trace.DELAY_TOLD or (
            self._settings.confirm_delay_cleared and message.warn_offset and message.warn_time < 0
        )
        if was_told and wants_delays and not trace & Trace.RECORD:
            entries += delivered(recipient, transport, outcome, whoever_tells=True)
        if recipient.notify & Notify.SUCCESS:
            entries += delivered(recipient, transport, outcome)
        return entries

    async def _report_trace(self, active: ActiveMessage, entries: list[LogEntry]) -> list[LogEntry]:
        """Tell the sender; what has to wait because the notice could not be queued."""
        message, directories = active.message, self._directories
        kind: Kind = "verify" if message.trace & (Trace.WHAT_IF | Trace.RECORD) else "success"
        if await self._report(kind, active.queue_id, message, entries, active.opened.descriptor):
            discard(directories, "trace", active.queue_id)
            if message.trace & Trace.RECORD:  # once is enough
                try:
                    os.pwrite(active.opened.descriptor, bytes((KILLED,)), message.trace_offset)
                except OSError as error:
                    self._tell(events.Warned(f"{active.queue_id}: queue file: {error}"))
            return []
        try:
            discard(directories, "trace", active.queue_id)
            append_entries(directories, "trace", active.queue_id, entries)
        except OSError as error:
            self._tell(events.Warned(f"{active.queue_id}: trace log: {error}"))
        return entries

    async def _report_failures(
        self, active: ActiveMessage, failures: list[Failure], left_over: list[LogEntry]
    ) -> list[LogEntry]:
        """One notice for each who is to hear of failures; what has to wait because one could not be queued."""
        queue_id, descriptor = active.queue_id, active.opened.descriptor
        by_listener: dict[bytes | None, list[LogEntry]] = {}
        verp = b"" if self._settings.disable_verp_bounces else active.message.verp
        reported = {failure.entry.offset for failure in failures}
        left_over = [entry for entry in left_over if entry.offset not in reported]
        if left_over:
            by_listener[None] = left_over
        for failure in failures:
            by_listener.setdefault(failure.report_to, []).append(failure.entry)
        for listener, entries in by_listener.items():
            message = active.message
            if listener is not None:
                message = msgspec.structs.replace(message, sender=listener)
            own = verp if listener is None else b""
            if not await self._report("failure", queue_id, message, entries, descriptor, verp=own):
                return [failure.entry for failure in failures] or left_over
        discard(self._directories, "bounce", queue_id)
        return []

    async def _warn_of_delay(self, active: ActiveMessage, entries: list[LogEntry], now: float) -> None:
        """Once, when delay_warning_time is over: the time in the file's W record becomes -1."""
        message = active.message
        if not _is_late(message, now):
            return
        if await self._report("delay", active.queue_id, message, entries, active.opened.descriptor):
            try:
                os.pwrite(active.opened.descriptor, encode_record(WARN, b"%15d" % -1), message.warn_offset)
            except OSError as error:
                self._tell(events.Warned(f"{active.queue_id}: queue file: {error}"))

    async def _report(
        self,
        kind: Kind,
        queue_id: QueueId,
        message: QueueMessage,
        entries: list[LogEntry],
        descriptor: int,
        *,
        verp: bytes = b"",
    ) -> bool:
        source = FileSource(descriptor)
        try:
            notices = await self._notifier.report(kind, queue_id, message, entries, source, verp=verp)
        except (QueueFileFault, CorruptQueueFile, OSError) as fault:
            if not isinstance(fault, NotMapped):
                self._tell(events.Warned(f"{queue_id}: cannot queue a notification: {fault}"))
            what = "verp" if verp else _ASKED_OF_BOUNCE.get(kind, "whatever")
            self._tell(events.Noted(f"{queue_id}: status=deferred ({what} failed)"))
            return False
        for notice in notices:
            self._tell(events.BounceQueued(queue_id, notice.queue_id, notice.what))
        if notices:
            self._queued([notice.queue_id for notice in notices])
        return True


def _is_late(message: QueueMessage, now: float) -> bool:
    """Whether the sender is to hear that it is on its way still; a second early, as from qmgr(8)."""
    return 0 < message.warn_time <= now + 1


def _has_history(active: ActiveMessage) -> bool:
    """Whether something has been logged of the message before."""
    message = active.message
    return message.has_done or active.parts is not None or len(active.to_do) < len(message.recipients)
