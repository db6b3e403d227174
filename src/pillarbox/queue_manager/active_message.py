"""A message that is active: its recipients, where they go, and what has become of each."""

from collections.abc import Iterable
from typing import Final

import msgspec

from pillarbox.delivery.request import Outcome
from pillarbox.queue.active_files import Opened
from pillarbox.queue.queue_file import QueueMessage, QueueRecipient
from pillarbox.queue_manager.transport import Routed
from pillarbox.queue_manager.writers import Writer

_NOTHING: Final[frozenset[int]] = frozenset()
"""The interpreter makes another, of 216 octets, each time it is asked for one."""


def _to_do(message: QueueMessage) -> list[QueueRecipient]:
    """Who gets the message: with a REDIRECT of cleanup(8), one address in the place of all recipients.

    It counts as what became of the first of them, by domain and user, as qmgr(8) has it.
    """
    if not message.redirect or not message.to_do:
        return message.to_do
    first = min(message.to_do, key=lambda recipient: recipient.address.lower().rpartition(b"@")[::-1])
    return [msgspec.structs.replace(first, address=message.redirect)]


class ReadInParts:
    """What is kept of a message of which not all recipients are in memory."""

    __slots__ = ("flush", "forgotten", "sites", "turn", "waits")

    def __init__(self, turn: int, *, flush: bool) -> None:
        """`turn` is its place in the order of messages; `flush`: also over deferred transports."""
        self.turn = turn
        self.flush = flush
        self.forgotten: set[int] = set()  # offsets in `to_do` of recipients that are done, or stand in a log
        self.waits = False  # some stand in the defer log
        self.sites: set[str] = set()  # domains of those


class ActiveMessage:
    """From the moment its file was opened until it is decided what comes next."""

    __slots__ = (
        "active_time",
        "delayed",
        "message",
        "opened",
        "outcomes",
        "parts",
        "queue_id",
        "routed",
        "started",
        "to_do",
        "traced",
        "writer",
    )

    def __init__(self, opened: Opened, *, active_time: float, writer: Writer | None) -> None:
        """`writer` has just written the message, which nobody has read before."""
        self.opened = opened
        self.queue_id = opened.queue_id
        self.message = opened.message  # what its file says
        self.active_time = active_time
        self.writer = writer
        self.to_do = _to_do(opened.message)
        self.routed: dict[int, Routed] = {}  # by the recipient's offset
        self.outcomes: dict[int, tuple[str, Outcome]] = {}  # transport and outcome, by offset
        self.traced = _NOTHING  # offsets of outcomes that stand in the trace log already
        self.delayed = _NOTHING  # offsets of those that stand in the defer log
        self.parts: ReadInParts | None = None
        self.started = active_time  # when the first delivery began

    def resolved(self, recipient: QueueRecipient) -> QueueRecipient:
        """A recipient as mail was sent to it: reports name the address that it leads to, not the route to it."""
        routed = self.routed.get(recipient.offset)
        return recipient if routed is None else routed.recipient

    @property
    def is_complete(self) -> bool:
        """Whether each recipient's fate is known, for this time."""
        return len(self.outcomes) >= self.in_memory and not self.message.unread

    @property
    def in_memory(self) -> int:
        """How many recipients are."""
        return len(self.to_do) - (len(self.parts.forgotten) if self.parts is not None else 0)

    @property
    def known(self) -> list[QueueRecipient]:
        """Recipients whose outcomes are in memory, once all are there."""
        if self.parts is None or not self.parts.forgotten:
            return self.to_do
        return [recipient for recipient in self.to_do if recipient.offset not in self.parts.forgotten]

    @property
    def in_order_of_outcomes(self) -> list[QueueRecipient]:
        """The same, who was delivered to or failed first before the others: so notices name them."""
        known = self.known
        if len(known) < 2:
            return known
        places = {offset: place for place, offset in enumerate(self.outcomes)}
        return sorted(known, key=lambda recipient: places[recipient.offset])

    def forget(self, recipients: Iterable[QueueRecipient]) -> int:
        """What became of them lasts, and is not asked for again; how many they are."""
        parts = self.parts
        assert parts is not None
        before = len(parts.forgotten)
        for recipient in recipients:
            parts.forgotten.add(recipient.offset)
            self.outcomes.pop(recipient.offset, None)
            self.routed.pop(recipient.offset, None)
        count = len(parts.forgotten) - before
        if len(parts.forgotten) > len(self.to_do) // 2:
            self.to_do = self.known
            parts.forgotten = set()
        return count
