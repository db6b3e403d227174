"""The order of deliveries: by hand, and what always holds whatever comes."""

import tracemalloc
from collections import Counter
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from fakes.examples import examples
from pillarbox.scheduling.concurrency import ConcurrencyRules
from pillarbox.scheduling.scheduler import Scheduler
from pillarbox.scheduling.transport_queue import (
    GOOD,
    Entry,
    Suspended,
    TransportQueue,
    TransportRules,
    Verdict,
    _Job,
)

REFUSED = Verdict(("4.4.1", "connect to a.test[192.0.2.1]:25: Connection refused"))


def entry(message: str, destination: str = "a.test", transport: str = "smtp", number: int = 0) -> Entry:
    """One recipient."""
    return Entry(message, transport, destination, (number,))


def scheduler(**rules: object) -> Scheduler:
    """With the same rules for every transport."""
    return Scheduler(lambda _: TransportRules(**rules))  # type: ignore[arg-type]


def drain(one: Scheduler, now: float = 0.0) -> list[Entry]:
    """All that may be delivered at once."""
    found = []
    while (taken := one.next(now)) is not None:
        found.append(taken)
    return found


def test_first_come_first_served_within_the_window() -> None:
    """No more than the window at once; the rest follows in order."""
    one = scheduler(concurrency=ConcurrencyRules(initial=2, limit=2))
    for name in ("m1", "m2", "m3"):
        assert [] == one.add([entry(name)], 0.0)
    first = drain(one)
    assert ["m1", "m2"] == [taken.message for taken in first]
    assert one.more_follows(first[0], 0.0)
    assert [] == one.done(first[0], GOOD, 1.0)
    assert ["m3"] == [taken.message for taken in drain(one)]


def test_more_is_to_be_expected_where_a_delivery_has_just_ended() -> None:
    """For a second, though nothing waits; not where it failed, nor at others."""
    one = scheduler()
    sent, failed, other = entry("m1", "a.test"), entry("m2", "b.test"), entry("m3", "c.test")
    for each in (sent, failed, other):
        one.add([each], 0.0)
    assert [sent, failed, other] == drain(one)
    assert not one.more_follows(sent, 0.0)
    one.done(sent, GOOD, 1.0)
    one.done(failed, Verdict(site_fault=("4.4.1", "no answer")), 1.0)
    assert [True, False, False] == [one.more_follows(each, 2.0) for each in (sent, failed, other)]
    assert not one.more_follows(sent, 2.1)
    one.done(other, GOOD, 3.0)
    assert [False, True] == [one.more_follows(each, 3.0) for each in (sent, other)]


def test_a_full_destination_does_not_hold_up_others() -> None:
    """m2's destination has room."""
    one = scheduler(concurrency=ConcurrencyRules(initial=1, limit=1))
    for name, destination in (("m1", "a.test"), ("m1b", "a.test"), ("m2", "b.test")):
        one.add([entry(name, destination)], 0.0)
    assert ["m1", "m2"] == [taken.message for taken in drain(one)]


def test_destinations_of_a_message_take_turns() -> None:
    """Not all of a.test before b.test."""
    one = scheduler()
    one.add(
        [entry("m", destination, number=number) for destination in ("a", "b") for number in range(2)], 0.0
    )
    assert ["a", "b", "a", "b"] == [taken.destination for taken in drain(one)]


def test_transports_take_turns() -> None:
    """A mountain of mail for one transport does not hold up another."""
    one = scheduler()
    for number in range(3):
        one.add([entry(f"s{number}", f"{number}.test")], 0.0)
    one.add([entry("l", "me", "local")], 0.0)
    assert ["s0", "l", "s1", "s2"] == [taken.message for taken in drain(one)]


def test_the_process_limit_caps_a_transport() -> None:
    """The maxproc column: `slow unix - - n - 1 smtp`."""
    one = scheduler(process_limit=1)
    for name in ("m1", "m2"):
        one.add([entry(name, f"{name}.test")], 0.0)
    (first,) = drain(one)
    one.done(first, GOOD, 1.0)
    assert ["m2"] == [taken.message for taken in drain(one)]


def test_a_rate_delay_is_kept() -> None:
    """One by one, with a pause from the end of one to the beginning of the next."""
    one = scheduler(destination_rate_delay=5.0)
    for name in ("m1", "m2"):
        one.add([entry(name)], 0.0)
    (first,) = drain(one)
    one.done(first, GOOD, 10.0)
    assert [] == drain(one, 10.0)
    assert 15.0 == one.next_moment()
    assert ["m2"] == [taken.message for taken in drain(one, 15.0)]


def test_a_rate_delay_of_the_transport() -> None:
    """It counts for all destinations together."""
    one = scheduler(transport_rate_delay=5.0)
    for name in ("m1", "m2"):
        one.add([entry(name, f"{name}.test")], 0.0)
    (first,) = drain(one)
    one.done(first, GOOD, 1.0)
    assert [] == drain(one, 5.9)
    assert 6.0 == one.next_moment()
    assert ["m2"] == [taken.message for taken in drain(one, 6.0)]


def test_a_dead_destination_is_left_alone_for_a_while() -> None:
    """What waits comes back with the reason, what is added too, until the time is over."""
    one = scheduler(concurrency=ConcurrencyRules(initial=1, limit=1), dead_time=300.0)
    for name in ("m1", "m2"):
        one.add([entry(name)], 0.0)
    (first,) = drain(one)
    reason = REFUSED.site_fault
    assert reason is not None
    assert [Suspended(entry("m2"), *reason)] == one.done(first, REFUSED, 1.0)
    assert [Suspended(entry("m3"), *reason)] == one.add([entry("m3")], 300.0)
    assert [] == one.add([entry("m4")], 301.0)
    assert ["m4"] == [taken.message for taken in drain(one, 301.0)]


def test_flushing_revives_the_dead() -> None:
    """postqueue -f"""
    one = scheduler(concurrency=ConcurrencyRules(initial=1, limit=1))
    one.add([entry("m1")], 0.0)
    one.done(drain(one)[0], REFUSED, 1.0)
    one.revive()
    assert [] == one.add([entry("m2")], 2.0)


def test_a_dead_transport_takes_nothing_for_a_while() -> None:
    """transport_retry_time"""
    one = scheduler(retry_time=60.0, process_limit=1)
    for name in ("m1", "m2"):
        one.add([entry(name, f"{name}.test")], 0.0)
    fault = ("4.3.0", "mail transport unavailable")
    assert ["m2"] == [
        left.entry.message for left in one.done(drain(one)[0], Verdict(transport_fault=fault), 0.0)
    ]
    assert 1 == len(one.add([entry("m3")], 59.0))
    assert [] == one.add([entry("m4")], 60.0)


def test_small_messages_overtake_a_big_one() -> None:
    """A mailing to 200 destinations earns slots; one recipient does not wait for its end."""
    one = scheduler(process_limit=1)
    one.add([entry("big", f"{number}.test", number=number) for number in range(200)], 0.0)
    order = []
    current = one.next(0.0)
    one.add([entry("small", "me.test")], 0.0)
    while current is not None:
        order.append(current.message)
        one.done(current, GOOD, 0.0)
        current = one.next(0.0)
    assert 201 == len(order)
    assert order.index("small") <= 10


def test_a_message_is_taken_back() -> None:
    """Deleted by postsuper."""
    one = scheduler()
    one.add([entry("m1"), entry("m1", "b.test")], 0.0)
    assert 2 == len(one.expel("m1"))
    assert [] == drain(one)
    assert 0 == one.waiting


def test_more_entries_of_a_message_keep_its_place() -> None:
    """Though others came before they were read; the rest of an entry that waits is filled first."""
    one = scheduler(process_limit=1)
    turn = one.turn()
    one.add([entry("big", number=1), entry("big", number=2)], 0.0, turn=turn, unread=3)
    one.add([entry("small")], 0.0)
    (first,) = drain(one)
    assert first == entry("big", number=1)
    assert one.waits("big")
    assert 1 == one.fill("big", "smtp", "a.test", [3, 4], 2)
    assert 0 == one.fill("big", "smtp", "a.test", [4], 2)
    assert 0 == one.fill("big", "smtp", "b.test", [4], 2)
    one.done(first, GOOD, 0.0)
    (second,) = drain(one)
    assert (2, 3) == second.recipients
    assert not one.waits("big")
    one.add([entry("big", number=4)], 0.0, turn=turn)
    one.done(second, GOOD, 0.0)
    assert [entry("big", number=4)] == drain(one)


def test_more_entries_have_room_where_others_had_none() -> None:
    """The message is not left waiting at the destination that is full."""
    one = scheduler(concurrency=ConcurrencyRules(initial=1, limit=1))
    turn = one.turn()
    one.add([entry("m", number=1), entry("m", number=2)], 0.0, turn=turn, unread=1)
    assert [entry("m", number=1)] == drain(one)
    one.add([entry("m", "b.test", number=3)], 0.0, turn=turn)
    assert [entry("m", "b.test", number=3)] == drain(one)
    assert one.waits("m")


def test_unread_recipients_count_when_it_is_asked_who_is_small() -> None:
    """A message of which little is in memory overtakes nobody, unless the other is larger still."""
    for unread, expected in ((0, ["small"]), (50, [])):
        one = scheduler(process_limit=1, slot_loan=0, slot_discount=0)
        one.add([entry("big", f"{number}.test", number=number) for number in range(40)], 0.0)
        one.add([entry("small")], 0.0, unread=unread)
        found: list[object] = []
        for _ in range(12):
            (taken,) = drain(one)
            found.append(taken.message)
            one.done(taken, GOOD, 0.0)
        assert expected == [name for name in found if name == "small"]
        assert [] == one.overtakers()


class Machine(RuleBasedStateMachine):
    """Any order of events: nothing is lost, no limit is passed, nobody starves."""

    chosen: ClassVar = TransportRules(
        process_limit=6,
        concurrency=ConcurrencyRules(initial=2, limit=3),
        destination_rate_delay=0.0,
        dead_time=50.0,
    )
    taken = Bundle("taken")

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(lambda _: self.chosen)
        self.now = 0.0
        self.added: Counter[Entry] = Counter()
        self.ended: Counter[Entry] = Counter()
        self.running: list[Entry] = []
        self.number = 0

    @rule(
        destinations=st.lists(st.sampled_from("abc"), min_size=1, max_size=25),
        transport=st.sampled_from(["smtp", "slow"]),
    )
    def add(self, destinations: list[str], transport: str) -> None:
        """A message comes."""
        self.number += 1
        entries = [Entry(self.number, transport, name, (at,)) for at, name in enumerate(destinations)]
        self.added.update(entries)
        self.ended.update(one.entry for one in self.scheduler.add(entries, self.now))

    @rule(target=taken)
    def take(self) -> Entry | None:
        """A delivery begins."""
        entry = self.scheduler.next(self.now)
        if entry is not None:
            self.running.append(entry)
        else:
            self.nobody_waits_who_has_room()
        return entry

    def nobody_waits_who_has_room(self) -> None:
        """Nothing may be delivered now, says the scheduler."""
        for transport in self.scheduler._transports.values():
            if transport._busy < self.chosen.process_limit and transport._dead_until <= self.now:
                for destination in transport._destinations.values():
                    room = destination.has_room(self.now, single=transport._single, unlimited=False)
                    assert not (destination.waiting and room)

    @rule(entry=consumes(taken), fails=st.booleans())
    def finish(self, entry: Entry | None, fails: bool) -> None:
        """A delivery ends."""
        if entry is None:
            return
        self.running.remove(entry)
        self.ended[entry] += 1
        left = self.scheduler.done(entry, REFUSED if fails else GOOD, self.now)
        self.ended.update(one.entry for one in left)

    @rule(seconds=st.floats(0, 60))
    def wait(self, seconds: float) -> None:
        """Time goes by."""
        self.now += seconds

    @rule()
    def revive(self) -> None:
        """postqueue -f"""
        self.scheduler.revive()

    @invariant()
    def limits_hold(self) -> None:
        """Processes of a transport, deliveries to a destination."""
        by_transport = Counter(entry.transport for entry in self.running)
        assert all(count <= self.chosen.process_limit for count in by_transport.values())
        by_destination = Counter((entry.transport, entry.destination) for entry in self.running)
        assert all(count <= max(1, self.chosen.concurrency.limit) for count in by_destination.values())

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """What was added waits, runs, or has ended, once."""
        assert sum(self.added.values()) == self.scheduler.waiting + len(self.running) + sum(
            self.ended.values()
        )
        assert all(self.ended[entry] <= 1 for entry in self.ended)

    def teardown(self) -> None:
        """If all goes well from here on, everything gets its turn."""
        while self.running or self.scheduler.waiting:
            for entry in self.running:
                self.ended[entry] += 1
                self.ended.update(one.entry for one in self.scheduler.done(entry, GOOD, self.now))
            self.running = []
            while (following := self.scheduler.next(self.now)) is not None:
                self.running.append(following)
                self.limits_hold()
            if not self.running:
                moment = self.scheduler.next_moment()
                assert moment is not None or not self.scheduler.waiting, "somebody starves"
                self.now = max(self.now, moment or self.now)
        assert self.added == self.ended


class DelayedMachine(Machine):
    """The same with rate delays."""

    chosen: ClassVar = TransportRules(
        process_limit=6,
        concurrency=ConcurrencyRules(initial=2, limit=3),
        destination_rate_delay=7.0,
        dead_time=50.0,
    )


TestScheduler = Machine.TestCase
TestScheduler.settings = settings(max_examples=examples(150), stateful_step_count=60, deadline=None)
TestDelayedScheduler = DelayedMachine.TestCase
TestDelayedScheduler.settings = settings(max_examples=examples(100), stateful_step_count=60, deadline=None)


def test_what_waits_for_room_is_told_of_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A destination with a full window: who looks at it finds room, or is the only one who does not."""
    looks: list[str] = []
    take = TransportQueue._take

    def looked(queue: TransportQueue, job: _Job, now: float) -> Entry | None:
        found = take(queue, job, now)
        looks.append("taken" if found is not None else "full")
        return found

    monkeypatch.setattr(TransportQueue, "_take", looked)
    one = scheduler(concurrency=ConcurrencyRules(initial=20, limit=20))
    for number in range(400):
        one.add([entry(f"m{number}")], 0.0)
    running = drain(one)
    assert Counter(taken=20, full=380) == Counter(looks)
    looks.clear()
    while running:
        for ended in running:
            one.done(ended, GOOD, 0.0)
        running = drain(one)
    assert looks.count("taken") == 380
    assert looks.count("full") <= 19


def test_what_waits_is_small() -> None:
    """Twenty thousand messages may be active, nearly all of which wait for one destination."""
    scheduler = Scheduler(lambda _: TransportRules(process_limit=20))
    entries = [Entry(f"ID{number}", "smtp", "dest.example", (100,)) for number in range(3000)]
    tracemalloc.start()
    try:
        for entry in entries:
            scheduler.add([entry], 1.0)
        while scheduler.next(1.0) is not None:
            continue
        octets, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert scheduler.waiting > 2900
    assert octets < 800 * len(entries)
