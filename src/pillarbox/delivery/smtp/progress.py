"""What is known of a job's recipients lasts, whatever happens before the job is over.

DESCRIPTION
    Who has got the message is marked in the queue file at once, as deliver_completed() of Postfix's agents does it:
    a server may answer for one recipient and let us wait ten minutes for the next, and whoever is killed meanwhile
    must not deliver twice.  What needs more than a mark, a failure or a delivery that the sender is to hear of, or
    why a recipient has to wait, is told to the queue manager while others of the job still wait; what is known in
    one turn of the loop goes together.

FAULTS
    A record that cannot be marked: a warning.  The queue manager marks it again.
"""

import asyncio
from collections.abc import Callable

from pillarbox.delivery.request import Outcome
from pillarbox.delivery.smtp.request import DeliverBySmtp, SmtpProgress
from pillarbox.observability.events import EventSink, Warned
from pillarbox.queue.file_source import mark_done


class Progress:
    """Of one job."""

    def __init__(
        self, job: DeliverBySmtp, descriptor: int, *, send: Callable[[SmtpProgress], object], tell: EventSink
    ) -> None:
        """`descriptor` is the queue file's."""
        self._job = job
        self._descriptor = descriptor
        self._send = send
        self._tell = tell
        self._known: dict[int, Outcome] = {}
        self._unsent: list[tuple[int, Outcome]] = []

    def settled(self, at: int, outcome: Outcome) -> None:
        """A recipient has its last word."""
        self._known[at] = outcome
        recipient = self._job.recipients[at]
        if self._job.trace_only:
            return
        if outcome.status == "sent" and not recipient.is_traced:
            self._mark(recipient.offset)
        elif self._is_waiting:
            self._unsent.append((at, outcome))
            if len(self._unsent) == 1:
                asyncio.get_running_loop().call_soon(self._tell_manager)

    def rest(self, outcome: Outcome) -> list[Outcome]:
        """All outcomes, if this is that of everybody who has none."""
        for at in range(len(self._job.recipients)):
            self._known.setdefault(at, outcome)
        return [self._known[at] for at in range(len(self._job.recipients))]

    def mark_traced(self) -> None:
        """The queue manager is gone: a delivery that it was to write down is at least not made twice."""
        for at, outcome in self._known.items():
            if outcome.status == "sent" and self._job.recipients[at].is_traced and not self._job.trace_only:
                self._mark(self._job.recipients[at].offset)

    @property
    def _is_waiting(self) -> bool:
        return len(self._known) < len(self._job.recipients)

    def _tell_manager(self) -> None:
        if self._is_waiting:  # else it hears of all in a moment
            self._send(SmtpProgress(self._job.job, self._unsent))
        self._unsent = []

    def _mark(self, offset: int) -> None:
        if not offset:
            return
        try:
            mark_done(self._descriptor, offset)
        except OSError as error:
            self._tell(Warned(f"{self._job.queue_id}: queue file: {error}"))
