"""local(8) and pipe(8) as the queue manager sees them: a process that knows aliases and commands.

DESCRIPTION
    Jobs go to the local delivery process (daemons/local_delivery.py).  It may find that another transport is to
    take a recipient's mail (mailbox_transport, fallback_transport); then that one is asked, and its outcome counts.
"""

from collections.abc import Mapping

import msgspec

from pillarbox.delivery.agents import Agents
from pillarbox.delivery.request import Attempt, DeliverRecipients, JobRecipient, Outcome
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
        message = job.message
        request = DeliverRecipients(
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
                for routed in job.recipients
            ],
            attributes=message.attributes,
            send_options=message.send_options,
            trace_only=message.is_trace_only,
            is_probe=message.is_probe,
            is_noted=message.is_noted,
        )
        outcomes = await self._agents.deliver_recipients(request, job.descriptor)
        return Done(
            [
                await self._completed(job, routed, outcome)
                for routed, outcome in zip(job.recipients, outcomes, strict=True)
            ]
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
                attempts.append(msgspec.structs.replace(attempt, agent=self._program, relay=job.transport))
        waits = any(attempt.status == "deferred" for attempt in attempts)
        return msgspec.structs.replace(outcome, status="deferred" if waits else "sent", attempts=attempts)

    async def _passed(self, job: Job, routed: Routed, attempt: Attempt) -> list[Attempt]:
        """Another transport delivers to the address."""
        return await pass_on(
            job,
            routed,
            attempt,
            transports=self._transports,
        )
