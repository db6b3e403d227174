"""local(8) and pipe(8) as the queue manager sees them: a process that knows aliases and commands.

DESCRIPTION
    Jobs go to the local delivery process (daemons/local_delivery.py).  It may find that another transport is to
    take a recipient's mail (mailbox_transport, fallback_transport); then that one is asked, and its outcome counts.
    If that does not make the recipient wait, the process is asked for the new messages that it has left to do.
"""

from collections.abc import Mapping, Sequence

import msgspec

from pillarbox.delivery.agents import Agents
from pillarbox.delivery.request import Attempt, DeliverRecipients, Forwarding, JobRecipient, Outcome
from pillarbox.queue_manager.transport import Done, Job, Routed, Transport, pass_on


class LocalTransport:
    """System users, aliases and commands."""

    tells_attempts = False

    def __init__(self, agents: Agents, transports: Mapping[str, Transport], *, program: str) -> None:
        """`transports` are all there are, by service name; `program` is local or pipe."""
        self._agents = agents
        self._transports = transports
        self._program = program

    async def deliver(self, job: Job) -> Done:
        """What became of each recipient."""
        outcomes = await self._agents.deliver_recipients(self._request(job, job.recipients), job.descriptor)
        return Done(
            [
                await self._completed(job, routed, outcome)
                for routed, outcome in zip(job.recipients, outcomes, strict=True)
            ]
        )

    def _request(
        self, job: Job, recipients: Sequence[Routed], forwards: Sequence[Forwarding] = ()
    ) -> DeliverRecipients:
        message = job.message
        return DeliverRecipients(
            job=0,
            transport=job.transport,
            nexthop=job.nexthop,
            queue_id=job.queue_id,
            data_offset=message.data_offset,
            size=message.content_size,
            sender=message.sender,
            recipients=[
                JobRecipient(
                    routed.resolution.recipient.internal,
                    routed.recipient.original,
                    int(routed.recipient.notify),
                    routed.recipient.dsn_original,
                    routed.recipient.offset,
                )
                for routed in recipients
            ],
            attributes=message.attributes,
            send_options=message.send_options,
            trace_only=message.is_trace_only,
            is_probe=message.is_probe,
            is_noted=message.is_noted,
            forwards=list(forwards),
        )

    async def _completed(self, job: Job, routed: Routed, outcome: Outcome) -> Outcome:
        """The outcome with what other transports did, and with the names for the log."""
        if outcome.attempts is None:
            return outcome
        attempts: list[Attempt] = []
        for attempt in outcome.attempts:
            if attempt.status == "passed":
                attempts += await self._passed(job, routed, attempt)
            else:
                attempts.append(self._named(job, attempt))
        if outcome.forwards and not _wait(attempts):
            request = self._request(job, [routed], outcome.forwards)
            (forwarded,) = await self._agents.deliver_recipients(request, job.descriptor)
            if forwarded.attempts is None:  # there is no agent
                return forwarded
            attempts += [self._named(job, attempt) for attempt in forwarded.attempts]
        status = "deferred" if _wait(attempts) else "sent"
        return msgspec.structs.replace(outcome, status=status, attempts=attempts, forwards=None)

    def _named(self, job: Job, attempt: Attempt) -> Attempt:
        return msgspec.structs.replace(attempt, agent=self._program, relay=job.transport)

    async def _passed(self, job: Job, routed: Routed, attempt: Attempt) -> list[Attempt]:
        """Another transport delivers to the address."""
        return await pass_on(
            job,
            routed,
            attempt,
            transports=self._transports,
        )


def _wait(attempts: Sequence[Attempt]) -> bool:
    return any(attempt.status == "deferred" for attempt in attempts)
