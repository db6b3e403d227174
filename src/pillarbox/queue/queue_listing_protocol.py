"""The protocol of public/showq: how the queue's messages go from showq(8) to postqueue(1) and to exporters.

DESCRIPTION
    The server speaks at once, and the client only listens.  A message is six attributes, then two for each
    recipient, then the end of its list; the end of all is one more.

    The first messages are read attribute by attribute: the regular expression that reads those of a long queue in a
    fifth of the time takes longer to load than some hundreds of them (tools/quick_listing.py).

FAULTS
    AttributeFault  in the reader: a server that speaks otherwise, or stopped in between

STANDARDS
    Postfix 3.5 to 3.10 mail_queue_list_protocol
"""

from pillarbox.queue.listed_message import ListedMessage, ListedRecipient
from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.identifiers import QueueId
from pillarbox.wire.attributes import AttributeFault, AttributeReader, greeting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from pillarbox.wire.attributes import Attribute

PROTOCOL: "Final" = b"mail_queue_list_protocol"
GREETING: "Final" = greeting(PROTOCOL)
_NAMES: "Final" = (b"queue_name", b"queue_id", b"time", b"size", b"forced_expire", b"sender")
_MESSAGE: "Final" = (
    rb"queue_name\0([a-z]+)\0queue_id\0([0-9A-Za-z]+)\0time\0([0-9]{1,20})\0size\0([0-9]{1,20})\0"
    rb"forced_expire\0([^\0]*)\0sender\0([^\0]*)\0((?:recipient\0[^\0]*\0reason\0[^\0]*\0)*)\0"
)
"""A whole message as Postfix up to 3.10 and we send it."""
_FEW: "Final" = 200
"""Messages that are read sooner than the module `re` is loaded."""


def encode_message(message: ListedMessage) -> bytes:
    """One message."""
    recipients = [
        b"recipient\0%s\0reason\0%s\0" % (recipient.address, recipient.reason)
        for recipient in message.recipients
    ]
    return b"queue_name\0%s\0queue_id\0%s\0time\0%d\0size\0%d\0forced_expire\0%d\0sender\0%s\0%s\0" % (
        message.queue.encode(),
        message.queue_id.encode(),
        message.time,
        message.size,
        message.forced_expire,
        message.sender,
        recipients[0] if len(recipients) == 1 else b"".join(recipients),
    )


def read_messages(receive: "Callable[[], bytes]") -> "Iterator[ListedMessage]":
    """The messages that a server sends; `receive` gives octets, none at the end."""
    stream = _Stream(receive)
    if stream.attribute() != (b"protocol", PROTOCOL) or stream.attribute() != (b"", b""):
        raise AttributeFault("the server speaks another protocol")
    read = 0
    while True:
        if read >= _FEW:
            yield from stream.whole_messages()
        # What is cut off by the end of what has come, sent in another form, or the end.
        first = stream.attribute()
        if first == (b"", b""):
            return
        yield _message(first, stream)
        read += 1


def _message(first: "Attribute", stream: "_Stream") -> ListedMessage:
    values = [first, *(stream.attribute() for _ in _NAMES[1:])]
    if tuple(name for name, _ in values) != _NAMES:
        raise AttributeFault("attributes that do not belong here")
    queue, queue_id, time, size, forced_expire, sender = (value for _, value in values)
    try:
        return ListedMessage(
            queue=queue.decode("ascii"),
            queue_id=QueueId(queue_id.decode("ascii")),
            time=decimal(time),
            size=decimal(size),
            forced_expire=forced_expire != b"0",
            sender=sender,
            recipients=list(_recipients(stream)),
        )
    except ValueError as error:
        raise AttributeFault(f"malformed attribute: {error}") from error


def _recipients(stream: "_Stream") -> "Iterator[ListedRecipient]":
    """Two attributes each; newer servers send what the address was before, and a class, as well."""
    address: bytes | None = None
    while True:
        name, value = stream.attribute()
        if name == b"recipient":
            address = value
        elif name == b"reason" and address is not None:
            yield ListedRecipient(address, value)
            address = None
        elif not name:
            return
        elif name not in (b"original_recipient", b"log_class"):
            raise AttributeFault(f"attribute {name[:40]!r} does not belong here")


class _Stream:
    def __init__(self, receive: "Callable[[], bytes]") -> None:
        self._receive = receive
        self._reader = AttributeReader()

    def attribute(self) -> "Attribute":
        while (found := self._reader.next()) is None:
            data = self._receive()
            if not data:
                raise AttributeFault("the server stopped in between")
            self._reader.feed(data)
        return found

    def whole_messages(self) -> "Iterator[ListedMessage]":
        """Those that have come."""
        import re

        whole = re.compile(_MESSAGE)
        data = self._reader.take_rest()
        at = 0
        while found := whole.match(data, at):
            at = found.end()
            queue, queue_id, time, size, forced_expire, sender, recipients = found.groups()
            fields = recipients.split(b"\0")
            yield ListedMessage(
                queue=queue.decode("ascii"),
                queue_id=QueueId(queue_id.decode("ascii")),
                time=decimal(time),
                size=decimal(size),
                forced_expire=forced_expire != b"0",
                sender=sender,
                recipients=[ListedRecipient(*pair) for pair in zip(fields[1::4], fields[3::4], strict=False)],
            )
        self._reader.feed(data[at:])
