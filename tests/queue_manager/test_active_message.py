"""What of a queue file's envelope is delivered."""

import tracemalloc

import msgspec

from pillarbox.queue.active_files import Opened
from pillarbox.queue.queue_file import QueueMessage, QueueRecipient
from pillarbox.queue_manager.active_message import ActiveMessage
from pillarbox.queue_manager.transport import Routed
from pillarbox.routing.resolution import AddressClass, Resolution
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.envelope import Notify
from pillarbox.vocabulary.identifiers import QueueId


def active(message: QueueMessage) -> ActiveMessage:
    return ActiveMessage(Opened(QueueId("A1"), -1, message), active_time=0.0, writer=None)


def recipient(address: bytes, offset: int, *, done: bool = False) -> QueueRecipient:
    return QueueRecipient(address, address, offset, done, Notify.DEFAULT, b"")


def test_a_redirect_of_cleanup_takes_the_place_of_all_recipients() -> None:
    """A queue of Postfix may hold messages that header_checks have redirected."""
    recipients = [recipient(b"a@x.test", 10), recipient(b"b@x.test", 20)]
    found = active(QueueMessage(recipients=recipients, redirect=b"trap@x.test")).to_do
    assert [(one.address, one.original, one.offset) for one in found] == [(b"trap@x.test", b"a@x.test", 10)]


def test_others_are_delivered_to() -> None:
    """Those that have not got it."""
    recipients = [recipient(b"a@x.test", 10, done=True), recipient(b"b@x.test", 20)]
    assert [one.address for one in active(QueueMessage(recipients=recipients)).to_do] == [b"b@x.test"]
    assert active(QueueMessage(redirect=b"trap@x.test")).to_do == []


def test_a_recipient_is_reported_on_as_mail_was_sent_to_it() -> None:
    """Where a route or an address in quotes leads."""
    recipients = [recipient(b"b@x.test@here.test", 10), recipient(b"c@x.test", 20)]
    message = active(QueueMessage(recipients=recipients))
    leads_to = msgspec.structs.replace(recipients[0], address=b"b@x.test")
    message.routed[10] = Routed(
        leads_to, Resolution(Address(b"b", b"x.test"), AddressClass.DEFAULT, "smtp", "x.test")
    )
    assert [message.resolved(one).address for one in recipients] == [b"b@x.test", b"c@x.test"]
    assert message.resolved(recipients[0]).original == b"b@x.test@here.test"


def test_a_message_that_waits_takes_little() -> None:
    """Twenty thousand may be active, nearly all of them for one recipient (320 octets of 64-bit CPython 3.11)."""
    messages = [QueueMessage(recipients=[recipient(b"a@x.test", 10)]) for _ in range(1000)]
    opened = [Opened(QueueId("A1"), -1, message) for message in messages]
    tracemalloc.start()
    try:
        found = [ActiveMessage(one, active_time=0.0, writer=None) for one in opened]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken <= 320 * len(found)
