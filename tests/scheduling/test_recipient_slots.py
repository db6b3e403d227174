"""Recipients in memory: by hand, and what always holds."""

from collections import Counter
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fakes.examples import examples
from pillarbox.scheduling.recipient_slots import AT_ONCE, RecipientSlots, SlotRules

RULES = SlotRules(limit=100, extra=21, refill=30, refill_delay=5.0)


def slots(rules: SlotRules = RULES, *, limit: int = 1000, minimum: int = 10) -> RecipientSlots:
    """With the same rules for every transport."""
    return RecipientSlots(lambda _: rules, limit=limit, minimum=minimum)


def test_what_is_read_at_first() -> None:
    """What is missing to the limit, never less than the minimum and never more than 5,000."""
    some = slots(limit=1000)
    assert (1000, 700, 10) == (some.first(), some.first(300), some.first(2000))
    some.in_memory = 995
    assert 10 == some.first()
    some.in_memory = 1000
    assert [False, True] == [slots(limit=1001).is_full, some.is_full]
    assert AT_ONCE == slots(limit=10**6).first()


def test_the_oldest_fills_the_transport_and_others_have_their_minimum() -> None:
    """Until it has been read to its end; then it is the next one's turn."""
    some = slots()
    for order, message in enumerate(("old", "young")):
        some.begin(message, order, 0.0)
        some.use(message, "smtp", 4)
    assert 102 == some.room("old")
    assert 6 == some.room("young")
    some.use("old", "smtp", 102)
    assert 0 == some.room("old")
    assert 6 == some.room("young")
    some.end("old")
    assert 6 == some.room("young")
    some.release("old", "smtp", 50)
    assert 50 == some.room("young")


def test_another_transport_is_not_concerned() -> None:
    """Each has slots of its own."""
    some = slots()
    some.begin("m", 0, 0.0)
    some.begin("n", 1, 0.0)
    some.use("m", "smtp", 110)
    some.use("n", "local", 1)
    assert 0 == some.room("m")
    assert 109 == some.room("n")


def test_who_overtakes_gets_half_of_the_extra_slots() -> None:
    """Once; and gives them back in the end."""
    some = slots()
    for order, message in enumerate(("big", "a", "b", "c")):
        some.begin(message, order, 0.0)
        some.use(message, "smtp", 10)
    for _ in range(2):
        some.overtook("a", "smtp")
    some.overtook("b", "smtp")
    assert [11, 5, 0] == [some.room(message) for message in ("a", "b", "c")]
    some.end("a")
    some.overtook("c", "smtp")
    assert 8 == some.room("c")


def test_when_more_is_read() -> None:
    """When there is room for enough, after a while, or when nothing waits."""
    some = slots()
    some.begin("m", 0, 100.0)
    some.use("m", "smtp", 110)
    assert some.next_moment() is None
    some.release("m", "smtp", 29)
    assert 0 == some.refill("m", 104.9, is_idle=False)
    assert 105.0 == some.next_moment()
    assert 29 == some.refill("m", 104.9, is_idle=True)
    some.use("m", "smtp", 29)
    some.release("m", "smtp", 1)
    assert 0 == some.refill("m", 109.8, is_idle=False)
    assert 1 == some.refill("m", 109.9, is_idle=False)
    some.release("m", "smtp", 29)
    assert 30 == some.refill("m", 110.0, is_idle=False)


class Machine(RuleBasedStateMachine):
    """Messages come, are read in parts, and are delivered, in any order."""

    TRANSPORTS: ClassVar = ("smtp", "local")
    MINIMUM: ClassVar = 10

    def __init__(self) -> None:
        super().__init__()
        self.slots = slots(limit=60, minimum=self.MINIMUM)
        self.now = 0.0
        self.number = 0
        self.unread: Counter[int] = Counter()
        self.using: Counter[tuple[int, str]] = Counter()
        self.of_first: Counter[str] = Counter()

    def _read(self, message: int, count: int, transport: str) -> None:
        count = min(count, self.unread[message])
        self.unread[message] -= count
        self.using[message, transport] += count
        self.slots.in_memory += count
        self.slots.use(message, transport, count)
        if not self.unread[message]:
            del self.unread[message]
            self.slots.end(message)

    @rule(recipients=st.integers(1, 300), transport=st.sampled_from(TRANSPORTS))
    def begin(self, recipients: int, transport: str) -> None:
        """A message becomes active."""
        first = self.slots.first()
        assert first >= self.MINIMUM
        self.number += 1
        self.unread[self.number] = recipients
        if recipients > first:
            self.slots.begin(self.number, self.number, self.now)
        self.of_first[transport] += min(first, recipients)
        self._read(self.number, first, transport)

    @precondition(lambda self: self.unread)
    @rule(data=st.data(), transport=st.sampled_from(TRANSPORTS))
    def refill(self, data: st.DataObject, transport: str) -> None:
        """More are read."""
        message = data.draw(st.sampled_from(sorted(self.unread)))
        held = sum(count for (owner, _), count in self.using.items() if owner == message)
        more = self.slots.refill(message, self.now, is_idle=not held)
        assert more or held
        if more:
            used = {name: transport for (owner, name) in self.using if owner == message}
            self._read(message, more, next(iter(used), transport))

    @precondition(lambda self: +self.using)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Some recipients have got the message."""
        message, transport = key = data.draw(st.sampled_from(sorted(+self.using)))
        count = data.draw(st.integers(1, self.using[key]))
        self.using[key] -= count
        self.slots.in_memory -= count
        self.slots.release(message, transport, count)

    @rule(seconds=st.floats(0, 10))
    def wait(self, seconds: float) -> None:
        """Time goes by."""
        self.now += seconds

    @invariant()
    def memory_is_bounded(self) -> None:
        """By the limits, and the minimum of each message."""
        messages = len({message for (message, _), count in self.using.items() if count})
        for transport in self.TRANSPORTS:
            used = sum(count for (_, name), count in self.using.items() if name == transport)
            bound = RULES.limit + RULES.extra + self.MINIMUM * messages
            assert used <= max(bound, self.of_first[transport])
        assert self.slots.in_memory <= 2 * (RULES.limit + RULES.extra) + 60 + self.MINIMUM * messages

    def teardown(self) -> None:
        """All is read in the end."""
        while self.unread or +self.using:
            for (message, transport), count in list((+self.using).items()):
                self.slots.release(message, transport, count)
                self.slots.in_memory -= count
            self.using.clear()
            for message in sorted(self.unread):
                more = self.slots.refill(message, self.now, is_idle=True)
                assert more
                self._read(message, more, "smtp")
        assert 0 == self.slots.in_memory


TestRecipientSlots = Machine.TestCase
TestRecipientSlots.settings = settings(max_examples=examples(150), stateful_step_count=50, deadline=None)
