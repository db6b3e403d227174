"""How many recipients of which message may be in memory.

DESCRIPTION
    A message of many recipients is read in parts.  When it becomes active, as many are read as are missing to
    qmgr_message_recipient_limit over all messages, but not more than 5,000, and qmgr_message_recipient_minimum in
    any case.  From then on its transports say how many may follow: the oldest message that has unread recipients
    for a transport may fill NAME_recipient_limit, beside its minimum; those behind it go on with their minimum.  A
    message that overtakes another gets half of what is left of NAME_extra_recipient_limit besides.

    More are read when there is room for NAME_recipient_refill_limit, or for any and NAME_recipient_refill_delay
    seconds have gone by since the last time, or nothing of the message waits in memory.

PROPERTIES
    But for what is read at first, no more recipients of a transport are in memory than its limit, its extra limit,
    and the minimum of each message.
    A message that has unread recipients and none in memory may read some.

STANDARDS
    postconf(5), the parameters; SCHEDULER_README of Postfix
"""

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Final

import msgspec

AT_ONCE: Final = 5000
"""Recipients that are read in one go: nothing else is done meanwhile."""


class SlotRules(msgspec.Struct, frozen=True, kw_only=True):
    """Of a transport."""

    limit: int = 20000
    extra: int = 1000
    refill: int = 100
    refill_delay: float = 5.0  # seconds


class _Reader:
    """A message that has unread recipients."""

    __slots__ = ("count", "extra", "order", "refilled", "transports")

    def __init__(self, order: int, now: float) -> None:
        self.order = order
        self.count = 0  # of its recipients that are in memory
        self.transports: set[str] = set()
        self.extra: dict[str, int] = {}  # what it has got for overtaking, by transport
        self.refilled = now


class RecipientSlots:
    """Of all transports of one queue manager."""

    def __init__(self, rules: Callable[[str], SlotRules], *, limit: int, minimum: int) -> None:
        """`rules` of a transport; `limit` is that of all messages together."""
        self._rules_of = rules
        self._rules: dict[str, SlotRules] = {}
        self._limit = limit
        self._minimum = max(1, minimum)
        self._used: Counter[str] = Counter()
        self._extra: Counter[str] = Counter()  # given to who has overtaken
        self._readers: dict[Hashable, _Reader] = {}
        self.in_memory = 0

    # -- before transports are known -------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether no message is to become active."""
        return self.in_memory >= self._limit

    def first(self, others: int = 0) -> int:
        """Recipients to be read of a message that becomes active, besides so many that are not yet counted."""
        return min(AT_ONCE, max(self._minimum, self._limit - self.in_memory - others))

    def begin(self, message: Hashable, order: int, now: float) -> None:
        """Not all recipients of the message have been read; messages with a lower `order` are older."""
        self._readers[message] = _Reader(order, now)

    def end(self, message: Hashable) -> None:
        """All have been read, or nobody wants the rest."""
        reader = self._readers.pop(message, None)
        if reader is not None:
            self._extra.subtract(reader.extra)

    # -- recipients of transports ----------------------------------------------------------------------

    def use(self, message: Hashable, transport: str, count: int) -> None:
        """So many recipients of the message go over the transport."""
        self._used[transport] += count
        reader = self._readers.get(message)
        if reader is not None:
            reader.count += count
            reader.transports.add(transport)

    def release(self, message: Hashable, transport: str, count: int) -> None:
        """Their fate is known."""
        self._used[transport] -= count
        reader = self._readers.get(message)
        if reader is not None:
            reader.count -= count

    def overtook(self, message: Hashable, transport: str) -> None:
        """The message goes before a larger one that came earlier."""
        reader = self._readers.get(message)
        if reader is None or transport in reader.extra:
            return
        left = self._of(transport).extra - self._extra[transport]
        reader.extra[transport] = share = (left + 1) // 2 if left > 0 else 0
        self._extra[transport] += share

    # -- refills ---------------------------------------------------------------------------------------

    def room(self, message: Hashable) -> int:
        """Recipients that may be read in addition."""
        reader = self._readers.get(message)
        if reader is None:
            return 0
        room = self._minimum + sum(reader.extra.values()) - reader.count
        for transport in reader.transports:
            if self._is_oldest(reader, transport):
                room = max(room, self._minimum + self._of(transport).limit - self._used[transport])
        return max(0, min(AT_ONCE, room))

    def refill(self, message: Hashable, now: float, *, is_idle: bool) -> int:
        """How many are to be read now; 0: none.  `is_idle`: nothing of the message waits in memory."""
        room = self.room(message)
        if not room:
            return 0
        reader = self._readers[message]
        wanted, _ = self._patience(reader)
        if not is_idle and room < wanted and now < self._moment(reader):
            return 0
        reader.refilled = now
        return room

    def next_moment(self) -> float | None:
        """When some are to be read though nothing was released."""
        moments = [self._moment(reader) for message, reader in self._readers.items() if self.room(message)]
        return min(moments, default=None)

    def _moment(self, reader: _Reader) -> float:
        return reader.refilled + self._patience(reader)[1]

    def _patience(self, reader: _Reader) -> tuple[int, float]:
        """How much room is enough, and how long less of it is left alone."""
        rules = [self._of(transport) for transport in reader.transports] or [SlotRules()]
        return min(each.refill for each in rules), min(each.refill_delay for each in rules)

    def _is_oldest(self, reader: _Reader, transport: str) -> bool:
        return all(
            reader.order <= other.order for other in self._readers.values() if transport in other.transports
        )

    def _of(self, transport: str) -> SlotRules:
        rules = self._rules.get(transport)
        if rules is None:
            rules = self._rules[transport] = self._rules_of(transport)
        return rules
