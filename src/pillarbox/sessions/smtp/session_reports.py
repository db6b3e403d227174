"""Queues what postmaster is to read of sessions of the SMTP server.

FAULTS
    A notice that cannot be queued, for lack of room perhaps, is told in the log, and is lost.
"""

from collections.abc import Callable

from pillarbox.bounce.submission import Notifier, NotMapped
from pillarbox.observability.events import EventSink, Warned
from pillarbox.queue.incoming import QueueFileFault
from pillarbox.sessions.smtp.trouble import Report
from pillarbox.vocabulary.identifiers import QueueId


class SessionReports:
    """Of one service."""

    def __init__(
        self, notifier: Notifier, *, mail_name: str, queued: Callable[[QueueId], None], tell: EventSink
    ) -> None:
        self._notifier = notifier
        self._mail_name = mail_name
        self._queued = queued
        self._tell = tell

    async def report(self, report: Report) -> None:
        """Queue a notice."""
        aborted = [f"Session aborted, reason: {report.reason}"] if report.reason else []
        try:
            queue_id = await self._notifier.tell_postmaster(
                f"{self._mail_name} SMTP server: errors from {report.client}",
                ["Transcript of session follows.", ""],
                report.transcript,
                ["", *aborted, "", "For other details, see the local mail logfile"],
                kind="bounce" if report.to_bounce_recipient else "error",
            )
        except (QueueFileFault, OSError) as fault:
            if not isinstance(fault, NotMapped):
                self._tell(Warned(f"postmaster notify: {fault}"))
        else:
            self._queued(queue_id)
