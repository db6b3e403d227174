"""Recipients that one transport leaves to another: fallback_transport, mailbox_transport, best_mx_transport."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import cast

import msgspec
import pytest

from pillarbox.delivery.agents import Agents
from pillarbox.delivery.request import Attempt, DeliverRecipients, Forwarding, JobRecipient, Outcome
from pillarbox.queue.queue_file import QueueMessage, QueueRecipient
from pillarbox.queue_manager.local_transport import LocalTransport
from pillarbox.queue_manager.transport import Done, Job, Routed, pass_on
from pillarbox.routing.resolution import AddressClass, Resolution
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.envelope import Notify
from pillarbox.vocabulary.identifiers import QueueId


class Other:
    """The transport that gets them."""

    tells_attempts = True

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self.jobs: list[Job] = []

    async def deliver(self, job: Job) -> Done:
        self.jobs.append(job)
        return Done([self._outcome])


class Self:
    """A transport that leaves everything to itself, each time for the next address."""

    tells_attempts = True

    def __init__(self, addresses: Iterator[bytes]) -> None:
        self._addresses = addresses
        self.count = 0

    async def deliver(self, job: Job) -> Done:
        self.count += 1
        attempt = Attempt(next(self._addresses), b"a@x.test", "passed", "2.0.0", "self:")
        attempts = await pass_on(job, job.recipients[0], attempt, transports={"self": self})
        return Done([Outcome("deferred", "4.3.0", "", attempts=attempts)])


@pytest.mark.parametrize(
    ("addresses", "count"),
    [(itertools.repeat(b"a@x.test"), 2), ((b"a%d@x.test" % number for number in itertools.count()), 21)],
    ids=["the same address", "another each time"],
)
def test_mail_that_is_passed_in_a_circle_waits(addresses: Iterator[bytes], count: int) -> None:
    """mailbox_transport = local: and the like; the queue manager goes on."""
    transport = Self(addresses)
    (outcome,) = asyncio.run(transport.deliver(_job())).outcomes
    assert outcome.attempts is not None
    (found,) = outcome.attempts
    assert (found.status, found.dsn) == ("deferred", "4.3.5")
    assert found.text == "mail system configuration error: transport self has its mail passed to itself"
    assert transport.count == count


def _job() -> Job:
    address = Address.parse(b"a@x.test")
    recipient = QueueRecipient(
        address.internal, address.internal, done=False, notify=Notify.SUCCESS, dsn_original=b"", offset=100
    )
    return Job(
        transport="local",
        nexthop="x.test",
        queue_id=QueueId("0123456789"),
        message=cast(QueueMessage, None),
        recipients=[Routed(recipient, Resolution(address, AddressClass.LOCAL, "local", "x.test"))],
        descriptor=-1,
        active_time=0.0,
    )


@pytest.mark.parametrize("one_by_one", [False, True])  # as an agent may tell of them
@pytest.mark.parametrize(
    ("wanted", "tells", "told"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_who_tells_of_success(wanted: bool, tells: bool, told: bool, one_by_one: bool) -> None:
    """Not we, if the next system does or nobody wants to hear of it (RFC 3461 §5.2.1); it may be relayed only."""
    job = _job()
    attempt = Attempt(b"a@x.test", b"a@x.test", "passed", "2.0.0", "smtp:hub.test", tells_success=wanted)
    made = Attempt(b"a@x.test", b"a@x.test", "sent", "2.0.0", "250 Ok", action="relayed", tells_success=tells)
    attempts = [made] if one_by_one else None
    other = Other(
        Outcome("sent", "2.0.0", "250 Ok", action="relayed", tells_success=tells, attempts=attempts)
    )
    (found,) = asyncio.run(pass_on(job, job.recipients[0], attempt, transports={"smtp": other}))
    assert (found.status, found.action, found.tells_success) == ("sent", "relayed", told)
    assert [(one.transport, one.nexthop, one.was_passed) for one in other.jobs] == [
        ("smtp", "hub.test", True)
    ]
    assert other.jobs[0].recipients[0].recipient.notify == (Notify.SUCCESS if wanted else Notify.NEVER)


class LocalDelivery:
    """The process that knows aliases; it has one new message left to do."""

    def __init__(self) -> None:
        self.forwarded: list[Forwarding] = []

    async def deliver_recipients(self, request: DeliverRecipients, descriptor: int) -> list[Outcome]:
        self.forwarded += request.forwards
        if request.forwards:
            done = Attempt(b"a@x.test", b"a@x.test", "sent", "2.0.0", "forwarded as NEW")
            return [Outcome("sent", "2.0.0", "", attempts=[done])]
        passed = Attempt(b"b@x.test", b"a@x.test", "passed", "2.0.0", "other:")
        return [Outcome("sent", "2.0.0", "", attempts=[passed], forwards=[LEFT])]


LEFT = Forwarding(b"s@x.test", b"a@x.test", [JobRecipient(b"c@y.test", b"a@x.test")])


@pytest.mark.parametrize(
    ("of_other", "status", "texts"),
    [
        ("sent", "sent", ["x", "forwarded as NEW"]),
        ("deferred", "deferred", ["x"]),
        ("bounced", "sent", ["x", "forwarded as NEW"]),
    ],
)
def test_new_messages_wait_for_what_was_passed_on(of_other: str, status: str, texts: list[str]) -> None:
    """Or else each attempt would queue them again while a server is away that has a user's mailbox."""
    local = LocalDelivery()
    other = Other(Outcome(of_other, "2.0.0", "x"))
    transport = LocalTransport(cast(Agents, local), {"other": other}, program="local")
    job = msgspec.structs.replace(_job(), message=QueueMessage(sender=b"s@x.test"))
    (outcome,) = asyncio.run(transport.deliver(job)).outcomes
    assert outcome.status == status
    assert [attempt.text for attempt in outcome.attempts or ()] == texts
    assert local.forwarded == ([] if of_other == "deferred" else [LEFT])
