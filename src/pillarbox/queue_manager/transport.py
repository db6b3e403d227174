"""Transports: what delivers a message to some of its recipients.

DESCRIPTION
    A transport is a service name of master.cf (`smtp`, `relay`, `virtual`, `slow` …) with whatever stands
    behind it.  The queue manager hands it a `Job`: one message, the descriptor of its queue file, and the
    recipients that share a nexthop.  It gives back one `Outcome` per recipient, in their order, and never raises
    for what happened to mail: an exception is a mistake in the program.

FAULTS
    A transport that cannot work at all answers with `deferred` for each recipient, and the mail is tried again.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from pillarbox.delivery.request import Attempt, Outcome
from pillarbox.observability.events import EventSink, Warned
from pillarbox.queue.queue_file import QueueMessage, QueueRecipient
from pillarbox.routing.resolution import Resolution
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.envelope import without_success
from pillarbox.vocabulary.identifiers import QueueId


class Routed(msgspec.Struct, frozen=True, gc=False):
    """A recipient, and where its mail goes."""

    recipient: QueueRecipient
    resolution: Resolution


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One message for some of its recipients, all with the same transport and nexthop."""

    queue_id: QueueId
    descriptor: int  # of the queue file; stays open until the outcomes are there
    message: QueueMessage
    transport: str
    nexthop: str
    recipients: list[Routed]
    active_time: float = 0.0  # when the queue manager took the message
    more_follows: bool = False  # other mail for the same destination waits, or is to be expected
    passed_to: tuple[tuple[str, bytes], ...] = ()
    """The transports, and the addresses, by which others have left the recipient to this one."""
    traced: frozenset[int] = frozenset()
    """Offsets of recipients whose delivery is written down before it is marked in the queue file."""
    heard: Callable[[Sequence[tuple[int, Outcome]]], None] | None = None
    """Wants to know outcomes before the others of the job are there, by the recipients' places."""

    @property
    def was_passed(self) -> bool:
        """Whether it comes from another transport."""
        return bool(self.passed_to)


class Done(msgspec.Struct, frozen=True):
    """What became of a job."""

    outcomes: list[Outcome]  # in the order of `Job.recipients`
    site_fault: tuple[str, str] | None = None
    """Status code and text, if the destination could not be reached: the scheduler leaves it alone for a while."""
    transport_fault: tuple[str, str] | None = None
    """The same if the agent itself could not be reached."""
    told: bool | None = None
    """Whether delivery lines have been written, if that is not what the transport's `tells_attempts` says."""


class Transport(Protocol):
    """One way to deliver."""

    tells_attempts: bool
    """Whether the agent writes the delivery lines itself, with its own process id."""

    async def deliver(self, job: Job) -> Done:
        """What became of each recipient."""
        ...


MAX_PASSES: Final = 20
"""How often one transport may leave a recipient to another; more is taken for a loop."""


async def pass_on(
    job: Job, routed: Routed, attempt: Attempt, *, transports: "Mapping[str, Transport]"
) -> list[Attempt]:
    """Have another transport deliver to an address that a recipient stands for, as an attempt says (`passed`).

    Mail that goes in a circle waits; in Postfix agents wait for each other then.
    """
    transport, _, nexthop = attempt.text.partition(":")
    address = Address.parse(attempt.recipient)
    step = transport, address.internal
    if step in job.passed_to or len(job.passed_to) == MAX_PASSES:
        text = f"mail system configuration error: transport {transport} has its mail passed to itself"
        return [msgspec.structs.replace(attempt, status="deferred", dsn="4.3.5", text=text, agent="error")]
    nexthop = nexthop or job.nexthop
    notify = routed.recipient.notify
    if not attempt.tells_success:  # an alias has told of it
        notify = without_success(notify)
    passed = Routed(
        msgspec.structs.replace(routed.recipient, address=address.internal, notify=notify),
        msgspec.structs.replace(routed.resolution, recipient=address, transport=transport, nexthop=nexthop),
    )
    other = msgspec.structs.replace(
        job,
        transport=transport,
        nexthop=nexthop,
        recipients=[passed],
        passed_to=(*job.passed_to, step),
        heard=None,
    )
    agent = transports.get(transport, _MISSING)
    done = await agent.deliver(other)
    (outcome,) = done.outcomes
    if outcome.attempts is not None:
        return [
            msgspec.structs.replace(one, tells_success=attempt.tells_success and one.tells_success)
            for one in outcome.attempts
        ]
    told = agent.tells_attempts if done.told is None else done.told
    return [
        msgspec.structs.replace(
            attempt,
            status=outcome.status,
            dsn=outcome.dsn,
            text=outcome.text,
            agent="error" if isinstance(agent, ErrorTransport) else transport,  # as retry, too, is called
            relay=outcome.relay,
            diagnostic=outcome.diagnostic,
            remote_mta=outcome.remote_mta,
            told=told and done.transport_fault is None,
            action=attempt.action or outcome.action,
            tells_success=attempt.tells_success and outcome.tells_success,
        )
    ]


class ErrorTransport:
    """error(8) and retry(8): the nexthop is the reason why nothing is delivered.

    The first bounces with 5.0.0, the second defers with 4.0.0, or with the code that the reason begins with if that
    says the same: `5.4.4 no route`.  Of one that says something else the log warns.
    """

    tells_attempts = False

    def __init__(self, *, status: str, tell: EventSink) -> None:
        """`status` is the code for a nexthop that has none, or one that says something else."""
        self._status = status
        self._tell = tell

    async def deliver(self, job: Job) -> Done:
        """The same for every recipient."""
        code, text = _with_status(job.nexthop, self._status)
        is_late = code[0] == "4"
        for _ in job.recipients:
            _warn_of_status(
                job.nexthop, code, "defer_append" if is_late else "bounce_append", "error", self._tell
            )
        outcome = Outcome("deferred" if is_late else "bounced", code, text or "unspecified reason")
        return Done([outcome] * len(job.recipients))


class DiscardTransport:
    """discard(8): the mail is thrown away, and reported as sent with the nexthop as the reason."""

    tells_attempts = False

    def __init__(self, *, tell: EventSink) -> None:
        self._tell = tell

    async def deliver(self, job: Job) -> Done:
        """Gone, as the configuration says."""
        code, text = _with_status(job.nexthop, "2.0.0")
        for _ in job.recipients:
            _warn_of_status(job.nexthop, code, "sent", "discard", self._tell)
        return Done([Outcome("sent", code, text)] * len(job.recipients))


def _with_status(text: str, usual: str) -> tuple[str, str]:
    """The code that a text begins with, if its class is that of the usual one, or else this; and the rest."""
    match = _STATUS.match(text)
    if match is None:
        return usual, text
    return (match[1] if match[1][0] == usual[0] else usual), text[match.end() :]


def _warn_of_status(nexthop: str, used: str, function: str, program: str, tell: EventSink) -> None:
    match = _STATUS.match(nexthop)
    if match is not None and match[1] != used:
        tell(Warned(f'{function}: ignoring dsn code "{match[1]}"', program))


_STATUS: Final = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|\Z)", re.ASCII)


class MissingTransport:
    """What a message gets whose transport is no service: `mail transport unavailable`."""

    tells_attempts = False

    async def deliver(self, job: Job) -> Done:
        """It waits until there is one."""
        return Done([Outcome("deferred", "4.3.0", "mail transport unavailable")] * len(job.recipients))


_MISSING: Final = MissingTransport()
