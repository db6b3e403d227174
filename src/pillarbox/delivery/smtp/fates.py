"""What is known of the recipients of a job: each has a last word in the end, and a delivery line that tells it.

DESCRIPTION
    A recipient waits until a server has taken it, has refused it for good, or was the last to be asked.
    Its line is told once, as soon as its fate is final, and so is its outcome: what waits for other recipients of
    the job may wait for long, and may end with the process.
"""

from collections.abc import Callable

import msgspec

from pillarbox.delivery.request import Outcome, would_be
from pillarbox.delivery.smtp.mail_exchangers import Target
from pillarbox.delivery.smtp.request import DeliverBySmtp
from pillarbox.delivery.smtp.service import Service
from pillarbox.delivery.smtp.transaction import Verdict
from pillarbox.delivery.status_filter import StatusFilter
from pillarbox.observability import events
from pillarbox.vocabulary.clock import Clock
from pillarbox.wire.smtp.replies import ServerReply

_NEVER = Verdict("4.3.0", "no server was tried")

Settled = Callable[[int, Outcome], None]
"""Learns the outcome of a recipient, which is given by its place in the job."""


class Fate(msgspec.Struct, frozen=True):
    """What is known of a recipient so far."""

    verdict: Verdict
    target: Target | None
    set_up: float  # when the session stood
    final: bool = False
    uses: int = 0  # of the session, before


class Fates:
    """Of the recipients of one job, by their place in it."""

    def __init__(self, service: Service, job: DeliverBySmtp, *, clock: Clock, settled: Settled) -> None:
        self._service = service
        self._filter = StatusFilter(
            service.status_filter, parameter=service.status_filter_title, warn=self._warn
        )
        self._job = job
        self._clock = clock
        self._settled = settled
        self._started = clock.now()
        self._fates: list[Fate | None] = [None] * len(job.recipients)
        self._told: list[Outcome | None] = [None] * len(job.recipients)

    def waiting(self) -> list[int]:
        """Recipients without a last word."""
        return [at for at, fate in enumerate(self._fates) if fate is None or not fate.final]

    def rest(self, verdict: Verdict, target: Target | None, *, final: bool = True) -> None:
        """One verdict for all who wait."""
        for at in self.waiting():
            self._fates[at] = Fate(verdict, target, set_up=self._clock.now(), final=final)

    def note(self, at: int, fate: Fate) -> None:
        """What a server says of a recipient; told if it is the last word."""
        self._fates[at] = fate
        if fate.final:
            self.finish(at)

    def finish(self, at: int) -> Outcome:
        """The outcome of a recipient, told once."""
        known = self._told[at]
        if known is not None:
            return known
        fate = self._fates[at] or Fate(_NEVER, None, set_up=self._clock.now())
        verdict, job, now = fate.verdict, self._job, self._clock.now()
        status = "sent" if verdict.is_sent else "deferred" if verdict.is_soft else "bounced"
        if self._service.status_filter:
            said = self._filter.outcome(Outcome(status, verdict.status, verdict.text))
            status, verdict = said.status, msgspec.structs.replace(verdict, status=said.dsn, text=said.text)
        shown = status
        if self._job.trace_only:
            shown = would_be(status, cached=self._job.is_cached)
        elif status == "bounced" and self._service.soft_bounce:
            status, shown = "deferred", "SOFTBOUNCE"
            verdict = msgspec.structs.replace(verdict, status=f"4{verdict.status[1:]}")
        relay = fate.target.relay if fate.target is not None else verdict.relay or "none"
        delays = (
            max(0.0, job.active_time - job.arrival_time),
            max(0.0, self._started - job.active_time),
            max(0.0, fate.set_up - self._started),
            max(0.0, now - fate.set_up),
        )
        recipient = job.recipients[at]
        self._service.tell(
            events.AttemptMade(
                self._service.program,
                job.queue_id,
                recipient.address,
                recipient.original,
                relay,
                delays,
                verdict.status,
                shown,
                verdict.text,
                uses=fate.uses + 1 if fate.uses else 0,
            )
        )
        outcome = Outcome(
            status,
            verdict.status,
            verdict.text,
            relay=relay,
            diagnostic=verdict.diagnostic or _diagnostic(verdict.reply),
            remote_mta=f"dns; {fate.target.host}" if fate.target is not None and verdict.reply else "",
            action="delivered" if self._service.assumes_final and not verdict.handled_dsn else "relayed",
            tells_success=not verdict.handled_dsn,
        )
        self._told[at] = outcome
        self._settled(at, outcome)
        return outcome

    def _warn(self, reason: str) -> None:
        self._service.tell(events.Warned(reason))


def _diagnostic(reply: ServerReply | None) -> str:
    return "smtp; " + reply.text.decode("utf-8", "replace") if reply is not None else ""
