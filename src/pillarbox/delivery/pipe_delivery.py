"""pipe(8)'s deliveries: a command for the recipients of a job, run by an agent with the service's user's rights.

FAULTS
    As outcomes; nothing is raised for what happened to mail.
"""

from collections.abc import Callable, Sequence

from pillarbox.delivery.local.command import TIME_IS_OVER
from pillarbox.delivery.local.frames import Account, DeliverLocally, Piece, PipeMail, Recipient
from pillarbox.delivery.local.means import Agents
from pillarbox.delivery.pipe import PipeService
from pillarbox.delivery.request import Attempt, DeliverRecipients, JobRecipient, Outcome
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import Clock


class PipeDelivery:
    """One service of pipe(8)."""

    def __init__(
        self,
        service: PipeService,
        *,
        agents: Agents,
        clock: Clock,
        refuse: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        """`refuse` tells of what keeps the command from being started, `warn` of one that was ended."""
        self._service = service
        self._agents = agents
        self._clock = clock
        self._refuse, self._warn = refuse, warn

    async def deliver(
        self, request: DeliverRecipients, descriptor: int, earlier: frozenset[bytes]
    ) -> list[Outcome]:
        """What became of each recipient.  `earlier` had the message before (earlier_recipients.py)."""
        service = self._service
        if service.size_limit and request.size > service.size_limit:
            too_large = Piece("bounced", "5.2.3", "message too large")
            return [_outcome(each, too_large) for each in request.recipients]
        if request.trace_only:
            text = f"delivers to command: {service.program}"
            return [_outcome(each, Piece("sent", "2.0.0", text)) for each in request.recipients]
        outcomes: dict[int, Outcome] = {}
        waiting: list[int] = []
        for at, recipient in enumerate(request.recipients):
            address = Address.from_internal(recipient.address).external
            if "D" in service.flags and address.lower() in earlier:
                text = f"mail forwarding loop for {address.decode('utf-8', 'replace')}"
                outcomes[at] = _outcome(recipient, Piece("bounced", "5.4.6", text))
            else:
                waiting.append(at)
        groups = [[at] for at in waiting] if service.one_by_one else [waiting] if waiting else []
        for group in groups:
            recipients = [request.recipients[at] for at in group]
            found = await self._run(request, recipients, descriptor)
            outcomes.update(zip(group, found, strict=True))
        return [outcomes[at] for at in range(len(request.recipients))]

    async def _run(
        self, request: DeliverRecipients, recipients: Sequence[JobRecipient], descriptor: int
    ) -> list[Outcome]:
        service, first = self._service, recipients[0]
        work = PipeMail(
            arguments=service.arguments(request, recipients),
            content=service.content(request, first, now=self._clock.now()),
            service=service.name,
            time_limit=service.time_limit,
            directory=service.directory,
        )
        done = await self._agents.local(
            DeliverLocally(
                job=0,
                data_offset=request.data_offset,
                recipient=Recipient(
                    first.address, first.original, first.address, request.sender, b"", b"", b""
                ),
                account=Account(service.uid, service.gid),
                work=work,
                service=service.name,
                offset=first.offset,
                is_noted=request.is_noted,
            ),
            descriptor,
        )
        for warning in done.warnings:
            (self._warn if warning == TIME_IS_OVER else self._refuse)(warning)
        piece = done.pieces[0]
        action = "delivered" if "X" in service.flags else "relayed"
        return [_outcome(each, piece, action=action) for each in recipients]


def _outcome(recipient: JobRecipient, piece: Piece, *, action: str = "") -> Outcome:
    """With an attempt of its own, which names the program in the log."""
    attempt = Attempt(
        Address.from_internal(recipient.address).external,
        Address.from_internal(recipient.original).external,
        piece.status,
        piece.dsn,
        piece.text,
        diagnostic=piece.diagnostic,
        action=action,
    )
    status = "deferred" if piece.status == "deferred" else "sent"
    return Outcome(status, piece.dsn, piece.text, attempts=[attempt])
