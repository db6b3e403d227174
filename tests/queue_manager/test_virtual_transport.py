"""virtual(8) as the queue manager sees it: what becomes of mail whose mailbox or owner is not to be had."""

import asyncio
from collections.abc import Iterator
from typing import cast

import pytest

from pillarbox.config.parameters.virtual_delivery import VirtualDelivery
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.agents import Agents
from pillarbox.delivery.request import Outcome
from pillarbox.delivery.status_filter import StatusFilter
from pillarbox.queue.queue_file import QueueMessage, QueueRecipient
from pillarbox.queue_manager.transport import Job, Routed
from pillarbox.queue_manager.virtual_transport import MailboxOwners, VirtualTransport
from pillarbox.routing.resolution import AddressClass, Resolution, Resolver
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.envelope import Notify
from pillarbox.vocabulary.identifiers import QueueId


class Tables:
    """A resolver whose answers are given; one that is a fault is raised."""

    def __init__(self, mailbox: str | LookupFault | None, owner: str | LookupFault | None) -> None:
        self._mailbox = mailbox
        self._owner = owner

    def mailbox_of(self, address: Address) -> str | None:
        """virtual_mailbox_maps."""
        return _given(self._mailbox)

    def find(self, tables: tuple[LookupTable, ...], address: Address) -> str | None:
        """virtual_uid_maps and virtual_gid_maps."""
        return _given(self._owner)


def _given(answer: str | LookupFault | None) -> str | None:
    if isinstance(answer, LookupFault):
        raise answer
    return answer


BROKEN = LookupFault("tcp:localhost:1", "Connection refused")


def cases() -> Iterator[tuple[Tables, tuple[str, str, str], str]]:
    """Tables, what is told to the sender, and what is logged."""
    configuration = ("deferred", "4.3.5", "mail system configuration error")
    yield Tables(None, "1"), ("bounced", "5.1.1", 'unknown user: "me@x.test"'), ""
    yield Tables(BROKEN, "6000"), configuration, BROKEN.reason
    yield Tables("me/", BROKEN), configuration, BROKEN.reason
    yield Tables("me/", None), configuration, "recipient me@x.test: not found in virtual_uid_maps"
    yield Tables("me/", "7"), configuration, "recipient me@x.test: bad uid 7 in virtual_uid_maps"
    yield Tables("me/", "x100"), configuration, "recipient me@x.test: bad uid x100 in virtual_uid_maps"
    huge = "9" * 10
    yield Tables("me/", huge), configuration, f"recipient me@x.test: bad uid {huge} in virtual_uid_maps"


@pytest.mark.parametrize(("tables", "told", "logged"), [*cases()])
def test_nobody_to_deliver_to(tables: Tables, told: tuple[str, str, str], logged: str) -> None:
    """A table that does not answer is a mistake of the configuration, as one without the recipient is."""
    resolver = cast(Resolver, tables)
    transport = VirtualTransport(
        resolver=resolver,
        settings=Snapshot.of({"virtual_mailbox_base": "/mail"}).group(VirtualDelivery),
        owners=MailboxOwners((), (), minimum=100, resolver=resolver),
        agents=Agents("/nowhere", tell=lambda _: None),
        status_filter=cast(StatusFilter, Unfiltered()),
    )
    me = Address.parse(b"me@x.test")
    routed = Routed(
        QueueRecipient(b"me@x.test", b"me@x.test", 100, False, Notify.DEFAULT, b""),
        Resolution(me, AddressClass.VIRTUAL_MAILBOX, "virtual", "x.test"),
    )
    job = Job(
        queue_id=QueueId("A1"),
        descriptor=-1,
        message=QueueMessage(),
        transport="virtual",
        nexthop="x.test",
        recipients=[routed],
    )
    (outcome,) = asyncio.run(transport.deliver(job)).outcomes
    assert told == (outcome.status, outcome.dsn, outcome.text)
    assert logged == outcome.reason


def test_a_remark_behind_a_number() -> None:
    """As by atol(3), which Postfix uses."""
    resolver = cast(Resolver, Tables("me/", " 5000 # me"))
    owners = MailboxOwners((), (), minimum=100, resolver=resolver)
    assert owners.of(Address.parse(b"me@x.test")) == (5000, 5000)


class Unfiltered:
    """No delivery status filter."""

    def outcome(self, outcome: Outcome) -> Outcome:
        """As it is."""
        return outcome
