"""A message that is active: its recipients, where they go, and what has become of each."""

from typing import Final

import msgspec

from pillarbox.delivery.request import Outcome
from pillarbox.queue.active_files import Opened
from pillarbox.queue.queue_file import QueueMessage, QueueRecipient
from pillarbox.queue_manager.transport import Routed
from pillarbox.queue_manager.writers import Writer
from pillarbox.vocabulary.identifiers import QueueId

_NOTHING: Final[frozenset[int]] = frozenset()
"""The interpreter makes another, of 216 octets, each time it is asked for one."""


def _to_do(message: QueueMessage) -> list[QueueRecipient]:
    """Who gets the message: with a REDIRECT of cleanup(8), one address in the place of all recipients."""
    if not message.redirect or not message.to_do:
        return message.to_do
    return [msgspec.structs.replace(message.to_do[0], address=message.redirect)]


class ActiveMessage:
    """From the moment its file was opened until it is decided what comes next."""

    __slots__ = ("active_time", "opened", "outcomes", "routed", "started", "to_do", "traced", "writer")

    def __init__(self, opened: Opened, *, active_time: float, writer: Writer | None) -> None:
        """`writer` has just written the message, which nobody has read before."""
        self.opened = opened
        self.active_time = active_time
        self.writer = writer
        self.to_do = _to_do(opened.message)
        self.routed: dict[int, Routed] = {}  # by the recipient's offset
        self.outcomes: dict[int, tuple[str, Outcome]] = {}  # transport and outcome, by offset
        self.traced = _NOTHING  # offsets of outcomes that stand in the trace log already
        self.started = active_time  # when the first delivery began

    @property
    def queue_id(self) -> QueueId:
        """Its name."""
        return self.opened.queue_id

    @property
    def message(self) -> QueueMessage:
        """What its file says."""
        return self.opened.message

    def resolved(self, recipient: QueueRecipient) -> QueueRecipient:
        """A recipient as mail was sent to it: reports name the address that it leads to, not the route to it."""
        routed = self.routed.get(recipient.offset)
        return recipient if routed is None else routed.recipient

    @property
    def is_complete(self) -> bool:
        """Whether each recipient's fate is known, for this time."""
        return len(self.outcomes) >= len(self.to_do)
