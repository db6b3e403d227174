"""A message as the queue's listing has it: between whoever reads the queue, the wire, and whoever prints it.

DESCRIPTION
    Kept apart, and made of what any Python has loaded: commands that list the queue import next to nothing before
    they print their first line (tools/quick_listing.py).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.vocabulary.identifiers import QueueId


class _Listed:
    """What has the same fields is the same."""

    __slots__: "tuple[str, ...]" = ()

    def _fields(self) -> "list[object]":
        return [getattr(self, name) for name in self.__slots__]

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._fields() == self._fields()

    __hash__ = None  # type: ignore[assignment]  # as of any class with lists in it

    def __repr__(self) -> str:
        return f"{type(self).__name__}{tuple(self._fields())}"


class ListedRecipient(_Listed):
    """A recipient who has not got the message; in quoted form, printable."""

    __slots__ = ("address", "reason")

    def __init__(self, address: bytes, reason: bytes = b"") -> None:
        self.address = address
        self.reason = reason


class ListedMessage(_Listed):
    """A message in the queue."""

    __slots__ = ("forced_expire", "queue", "queue_id", "recipients", "sender", "size", "time")

    def __init__(
        self,
        *,
        queue: str,
        queue_id: "QueueId",
        time: int,
        size: int,
        forced_expire: bool,
        sender: bytes,
        recipients: list[ListedRecipient],
    ) -> None:
        """`time`: of arrival, seconds since 1970; `size`: octets of content, and of the file in maildrop.

        `sender`: in quoted form, printable.
        """
        self.queue = queue
        self.queue_id = queue_id
        self.time = time
        self.size = size
        self.forced_expire = forced_expire
        self.sender = sender
        self.recipients = recipients
