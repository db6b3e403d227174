"""Tells postmaster of servers that did not understand us: notify_classes has `protocol`.

FAULTS
    A notice that cannot be queued is told in the log, and is lost: the mail itself has been dealt with.
"""

from collections.abc import Callable, Iterable, Sequence

from pillarbox.bounce.submission import Notifier, NotMapped
from pillarbox.delivery.smtp.request import Oddity
from pillarbox.observability.events import EventSink, Warned
from pillarbox.queue.incoming import QueueFileFault
from pillarbox.vocabulary.identifiers import QueueId


class OddSessions:
    """Notices about sessions of the SMTP and LMTP clients."""

    def __init__(
        self,
        notifier: Notifier,
        *,
        mail_name: str,
        queued: Callable[[Iterable[QueueId]], None],
        tell: EventSink,
    ) -> None:
        self._notifier = notifier
        self._mail_name = mail_name
        self._queued = queued
        self._tell = tell

    async def report(self, oddities: Sequence[Oddity]) -> None:
        """Queue a notice for each."""
        for oddity in oddities:
            try:
                queue_id = await self._notifier.tell_postmaster(
                    f"{self._mail_name} SMTP client: errors from {oddity.server}",
                    [f"Unexpected response from {oddity.server}.", "", "Transcript of session follows.", ""],
                    oddity.transcript,
                    ["", "For other details, see the local mail logfile"],
                )
            except (QueueFileFault, OSError) as fault:
                if not isinstance(fault, NotMapped):
                    self._tell(Warned(f"postmaster notify: {fault}"))
            else:
                self._queued([queue_id])
