"""A message that is active: its recipients, where they go, and what has become of each."""

from pillarbox.delivery.request import Outcome
from pillarbox.queue.active_files import Opened
from pillarbox.queue.queue_file import QueueMessage, QueueRecipient
from pillarbox.queue_manager.transport import Routed
from pillarbox.queue_manager.writers import Writer
from pillarbox.vocabulary.identifiers import QueueId


class ActiveMessage:
    """From the moment its file was opened until it is decided what comes next."""

    __slots__ = ("active_time", "opened", "outcomes", "routed", "started", "to_do", "writer")

    def __init__(self, opened: Opened, *, active_time: float, writer: Writer | None) -> None:
        """`writer` has just written the message, which nobody has read before."""
        self.opened = opened
        self.active_time = active_time
        self.writer = writer
        self.to_do: list[QueueRecipient] = opened.message.to_do
        self.routed: dict[int, Routed] = {}  # by the recipient's offset
        self.outcomes: dict[int, tuple[str, Outcome]] = {}  # transport and outcome, by offset
        self.started = active_time  # when the first delivery began

    @property
    def queue_id(self) -> QueueId:
        """Its name."""
        return self.opened.queue_id

    @property
    def message(self) -> QueueMessage:
        """What its file says."""
        return self.opened.message

    @property
    def is_complete(self) -> bool:
        """Whether each recipient's fate is known, for this time."""
        return len(self.outcomes) >= len(self.to_do)
