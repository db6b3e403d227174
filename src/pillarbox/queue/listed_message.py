"""A message as the queue's listing has it: between whoever reads the queue, the wire, and whoever prints it.

DESCRIPTION
    Kept apart, and made of what any Python has loaded: commands that list the queue import next to nothing before
    they print their first line (tools/quick_listing.py).
"""

from typing import NamedTuple

from pillarbox.vocabulary.identifiers import QueueId


class ListedRecipient(NamedTuple):
    """A recipient who has not got the message; in quoted form, printable."""

    address: bytes
    reason: bytes = b""


class ListedMessage(NamedTuple):
    """A message in the queue."""

    queue: str
    queue_id: QueueId
    time: int  # of arrival, seconds since 1970
    size: int  # octets of content; of the file, in maildrop
    forced_expire: bool
    sender: bytes  # in quoted form, printable
    recipients: list[ListedRecipient]
