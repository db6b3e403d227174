"""A message that is read in parts: every recipient is tried once, and memory stays within its limits."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.examples import examples
from pillarbox.config.parameters.queue_manager import QueueManager as QueueSettings
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.request import Outcome
from pillarbox.net.startup import AgentService
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import Event
from pillarbox.queue.active_files import Opened
from pillarbox.queue.file_source import FileSource
from pillarbox.queue.new_queue_file import NewEnvelope, NewRecipient, encode_end, encode_envelope, size_record
from pillarbox.queue.queue_file import QueueRecipient, read_message
from pillarbox.queue.records import encode_record
from pillarbox.queue_manager.active_message import ActiveMessage
from pillarbox.queue_manager.dispatcher import Dispatcher, Routing, Services
from pillarbox.queue_manager.transport import Done, Job
from pillarbox.queue_manager.transport_rules import TransportSettings
from pillarbox.routing.resolution import AddressClass, Resolution, Resolver
from pillarbox.scheduling.concurrency import ConcurrencyRules
from pillarbox.scheduling.recipient_slots import RecipientSlots, SlotRules
from pillarbox.scheduling.transport_queue import TransportRules
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.identifiers import QueueId

LIMIT, MINIMUM, SIZE = 30, 4, 7


class Routes:
    """The domain says which transport it is; one knows no way."""

    def resolve(self, address: Address, sender: Address) -> Resolution:
        """Where mail goes."""
        transport = address.domain.decode().partition(".")[0]
        return Resolution(address, AddressClass.RELAY, transport, address.domain.decode())


class Peer:
    """A transport that takes its time, and some recipients."""

    tells_attempts = True

    def __init__(self, bench: "Bench") -> None:
        self._bench = bench

    async def deliver(self, job: Job) -> Done:
        """Whatever chance says."""
        bench = self._bench
        bench.largest = max(bench.largest, bench.slots.in_memory)
        for _ in range(bench.chance.randrange(4)):
            await asyncio.sleep(0)
        outcomes: list[Outcome] = []
        for at, routed in enumerate(job.recipients):
            bench.tried[routed.recipient.address] += 1
            status = bench.chance.choice(("sent", "sent", "deferred", "bounced"))
            outcomes.append(Outcome(status, "2.0.0", "x"))
            if bench.chance.random() < 0.2 and job.heard is not None:
                job.heard([(at, outcomes[-1])])
        fault = ("4.4.1", "no answer") if bench.chance.random() < bench.faults else None
        return Done(outcomes, site_fault=fault)


class Bench:
    """A dispatcher, and a message."""

    def __init__(self, path: Path, recipients: Sequence[bytes], seed: int, *, faults: float) -> None:
        self.chance = random.Random(seed)
        self.faults = faults
        self.tried: Counter[bytes] = Counter()
        self.settled: Counter[bytes] = Counter()
        self.completed: list[ActiveMessage] = []
        self.events: list[Event] = []
        self.largest = 0
        self._over = asyncio.Event()
        rules = SlotRules(limit=LIMIT, extra=5, refill=6, refill_delay=0.01)
        self.slots = RecipientSlots(lambda _: rules, limit=LIMIT, minimum=MINIMUM)
        self.descriptor = _write(path, recipients)
        service = AgentService(name="a", program="smtp")
        scheduled = TransportRules(concurrency=ConcurrencyRules(initial=2, limit=3), dead_time=0.01)
        transport = TransportSettings(service, scheduled, SIZE, rules)
        self.dispatcher = Dispatcher(
            routing=Routing(
                resolver=cast(Resolver, Routes()),
                probe_resolver=cast(Resolver, Routes()),
                filter_nexthop="",
                double_bounce=b"double-bounce",
                caches_failures=True,
            ),
            services=Services(dict.fromkeys(("a", "b"), Peer(self)), dict.fromkeys(("a", "b"), transport)),
            settings=Snapshot.of({"defer_transports": "later"}).group(QueueSettings),
            slots=self.slots,
            settled=self._settled,
            completed=self._completed,
            clock=SystemClock(),
            sleep=asyncio.sleep,
            tell=self.events.append,
        )

    def _settled(self, active: ActiveMessage, recipients: Sequence[QueueRecipient]) -> list[QueueRecipient]:
        self.settled.update(recipient.address for recipient in recipients)
        return list(recipients)

    def _completed(self, active: ActiveMessage) -> None:
        self.completed.append(active)
        self._over.set()

    async def run(self) -> None:
        """Deliver it."""
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            self.dispatcher.start(tasks)
            message = read_message(FileSource(self.descriptor), limit=self.slots.first())
            active = ActiveMessage(
                Opened(QueueId("A1"), self.descriptor, message), active_time=0.0, writer=None
            )
            self.slots.in_memory += len(active.to_do)
            self.dispatcher.submit(active)
            await self._over.wait()
            self.dispatcher.stop()


def _write(path: Path, addresses: Sequence[bytes]) -> int:
    recipients = [NewRecipient(address, address) for address in addresses]
    text = encode_envelope(
        NewEnvelope(arrival_time=1.7e9, sender=b"s@x.test", recipients=recipients, attributes=[])
    )
    content = encode_record(ord("N"), b"Subject: x")
    head = size_record(
        data_size=len(content),
        data_offset=97 + len(text),
        recipients=len(recipients),
        flags=0,
        content_size=len(content),
        send_options=0,
    )
    path.write_bytes(head + text + content + encode_end())
    return os.open(path, os.O_RDWR)


@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    domains=st.lists(
        st.sampled_from((b"a.test", b"a.other", b"b.test", b"later.test")), min_size=1, max_size=150
    ),
    seed=st.integers(0, 10**6),
    faults=st.sampled_from((0.0, 0.0, 0.5)),
)
def test_everybody_is_tried_once(tmp_path: Path, domains: list[bytes], seed: int, faults: float) -> None:
    """Over whatever transports, dead destinations among them; what is in memory is bounded all the time."""
    addresses = [b"r%d@%s" % (number, domain) for number, domain in enumerate(domains)]
    bench = Bench(tmp_path / "message", addresses, seed, faults=faults)
    try:
        asyncio.run(bench.run())
    finally:
        os.close(bench.descriptor)
    (active,) = bench.completed
    assert not [address for address, count in bench.tried.items() if count > 1]
    if not faults:
        assert set(bench.tried) == {address for address in addresses if b"@later" not in address}
    if active.parts is not None:
        assert bench.settled == Counter(addresses)
        assert 0 == active.in_memory == bench.slots.in_memory
    else:
        assert len(active.outcomes) == len(addresses) == bench.slots.in_memory
    assert bench.largest <= 2 * (LIMIT + MINIMUM)


def test_a_part_that_is_damaged_waits(tmp_path: Path) -> None:
    """What was read is delivered; the rest is told of, and the message is tried again."""
    addresses = [b"r%d@a.test" % number for number in range(100)]
    bench = Bench(tmp_path / "message", addresses, 1, faults=0.0)
    first = read_message(FileSource(bench.descriptor), limit=LIMIT)
    os.pwrite(bench.descriptor, b"?", first.unread)
    asyncio.run(bench.run())
    os.close(bench.descriptor)
    (active,) = bench.completed
    assert active.parts is not None
    assert active.parts.waits
    assert set(addresses[:LIMIT]) == set(bench.tried)
    assert any("queue file" in str(event) for event in bench.events)


@pytest.mark.parametrize("count", [LIMIT, LIMIT + 1])
def test_what_fits_is_read_at_once(tmp_path: Path, count: int) -> None:
    """To the recipient."""
    bench = Bench(tmp_path / "message", [b"r%d@a.test" % number for number in range(count)], 1, faults=0.0)
    asyncio.run(bench.run())
    os.close(bench.descriptor)
    assert (bench.completed[0].parts is not None) == (count > LIMIT)
