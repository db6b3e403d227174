"""Which delivery comes next: transports in turn, each by its own rules.

DESCRIPTION
    A message that became active is added once for each transport it needs, as entries: recipients of one
    destination, as many as go into one delivery.  `next()` gives the next entry that may be delivered, `done()`
    hears how that went.

    Transports take turns.  Which of its entries is next, and what comes back undelivered, each transport says by
    itself (transport_queue.py).

    Pure arithmetic: time comes in as an argument, nothing is delivered here.

PROPERTIES
    Nothing is forgotten: an entry that was added comes out of next(), add(), done() or expel() once.
    No transport starves while another has much to deliver.
"""

import itertools
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

from pillarbox.scheduling.transport_queue import (
    Crowd,
    Entry,
    Suspended,
    TransportQueue,
    TransportRules,
    Verdict,
)


class Scheduler:
    """All transports."""

    def __init__(
        self, rules: Callable[[str], TransportRules], *, tell: Callable[[str], None] | None = None
    ) -> None:
        """`rules` of a transport by its name; `tell` hears of each step of a window."""
        self._rules = rules
        self._tell = tell
        self._transports: OrderedDict[str, TransportQueue] = OrderedDict()
        self._numbers = itertools.count()

    @property
    def waiting(self) -> int:
        """Entries that have not been given out."""
        return sum(transport.waiting for transport in self._transports.values())

    def turn(self) -> int:
        """For a message whose entries are not all added at once: its place behind those that are there."""
        return next(self._numbers)

    def add(
        self, entries: Sequence[Entry], now: float, *, turn: int | None = None, unread: int = 0
    ) -> list[Suspended]:
        """Entries of one message for one transport; those that cannot be tried now come back.

        More of them may follow in the same `turn`, for `unread` recipients.
        """
        if not entries:
            return []
        transport = self._transport(entries[0].transport)
        return transport.add(entries, now, next(self._numbers) if turn is None else turn, unread)

    def fill(
        self, message: Hashable, transport: str, destination: str, recipients: Sequence[int], size: int
    ) -> int:
        """Let recipients join the last entry of the message for a destination, if it has not been given out.

        How many did: an entry has at most `size`.
        """
        return self._transport(transport).fill(message, destination, recipients, size)

    def waits(self, message: Hashable) -> bool:
        """Whether an entry of the message has not been given out."""
        return any(transport.has_job(message) for transport in self._transports.values())

    def overtakers(self) -> list[tuple[str, Hashable]]:
        """Transports and messages, with entries to follow, that have overtaken others since this was asked last."""
        return [
            (name, message)
            for name, transport in self._transports.items()
            for message in transport.take_overtakers()
        ]

    def next(self, now: float) -> Entry | None:
        """The next delivery; None if nothing may be delivered now."""
        for name, transport in list(self._transports.items()):
            if (entry := transport.next(now)) is not None:
                self._transports.move_to_end(name)
                return entry
        return None

    def done(self, entry: Entry, verdict: Verdict, now: float) -> list[Suspended]:
        """A delivery is over; entries that wait for what has shown itself dead come back."""
        return self._transport(entry.transport).done(entry, verdict, now)

    def more_follows(self, entry: Entry, now: float) -> bool:
        """Whether others wait for the same destination, or are to be expected: one was delivered just now."""
        return self._transport(entry.transport).more_follows(entry.destination, now)

    def crowd(self, transport: str, destination: str) -> Crowd | None:
        """Of a destination; None if nothing is."""
        return self._transport(transport).crowd(destination)

    def next_moment(self) -> float | None:
        """When to ask again though nothing was added or done; None: never."""
        moments = [moment for transport in self._transports.values() if (moment := transport.next_moment())]
        return min(moments, default=None)

    def revive(self) -> None:
        """Try what is dead again (postqueue -f)."""
        for transport in self._transports.values():
            transport.revive()

    def expel(self, message: Hashable) -> list[Entry]:
        """Take back what waits of a message."""
        return [entry for transport in self._transports.values() for entry in transport.expel(message)]

    def _transport(self, name: str) -> TransportQueue:
        transport = self._transports.get(name)
        if transport is None:
            transport = self._transports[name] = TransportQueue(self._rules(name), self._tell)
        return transport
