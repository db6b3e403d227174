"""The protocol of public/showq: how the queue's messages go from showq(8) to postqueue(1) and to exporters.

DESCRIPTION
    The server speaks at once, and the client only listens.  A message is six attributes, then two for each
    recipient, then the end of its list; the end of all is one more.

FAULTS
    AttributeFault  in the reader: a server that speaks otherwise, or stopped in between

STANDARDS
    Postfix 3.5 to 3.10 mail_queue_list_protocol
"""

from collections.abc import Callable, Iterator
from typing import Final

from pillarbox.queue.queue_listing import ListedMessage, ListedRecipient
from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.identifiers import QueueId
from pillarbox.wire.attributes import END, Attribute, AttributeFault, AttributeReader, encode, greeting

PROTOCOL: Final = b"mail_queue_list_protocol"
GREETING: Final = greeting(PROTOCOL)
_NAMES: Final = (b"queue_name", b"queue_id", b"time", b"size", b"forced_expire", b"sender")


def encode_message(message: ListedMessage) -> bytes:
    """One message."""
    values = (
        message.queue.encode(),
        message.queue_id.encode(),
        b"%d" % message.time,
        b"%d" % message.size,
        b"%d" % message.forced_expire,
        message.sender,
    )
    recipients = [
        attribute
        for recipient in message.recipients
        for attribute in ((b"recipient", recipient.address), (b"reason", recipient.reason))
    ]
    return encode(zip(_NAMES, values, strict=True)) + encode(recipients) + END


def read_messages(receive: Callable[[], bytes]) -> Iterator[ListedMessage]:
    """The messages that a server sends; `receive` gives octets, none at the end."""
    stream = _Stream(receive)
    if stream.attribute() != (b"protocol", PROTOCOL) or stream.attribute() != (b"", b""):
        raise AttributeFault("the server speaks another protocol")
    while (first := stream.attribute()) != (b"", b""):
        values = [first, *(stream.attribute() for _ in _NAMES[1:])]
        if tuple(name for name, _ in values) != _NAMES:
            raise AttributeFault("attributes that do not belong here")
        queue, queue_id, time, size, forced_expire, sender = (value for _, value in values)
        try:
            yield ListedMessage(
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


def _recipients(stream: "_Stream") -> Iterator[ListedRecipient]:
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
    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._reader = AttributeReader()

    def attribute(self) -> Attribute:
        while (found := self._reader.next()) is None:
            data = self._receive()
            if not data:
                raise AttributeFault("the server stopped in between")
            self._reader.feed(data)
        return found
