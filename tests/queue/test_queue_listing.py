"""The queue's listing: what is found, and how it goes over the wire."""

import tracemalloc
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from fakes import postfix_queue_files as golden
from pillarbox.queue.listed_message import ListedMessage, ListedRecipient
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_listing import list_queue
from pillarbox.queue.queue_listing_protocol import GREETING, encode_message, read_messages
from pillarbox.queue.records import (
    POINTER,
    RECIPIENT,
    SENDER,
    BytesSource,
    RecordReader,
    encode_record,
    short_records,
)
from pillarbox.vocabulary.identifiers import QueueId
from pillarbox.wire.attributes import END, AttributeFault

REASON = b"host x said: 451 later"


@pytest.fixture
def directories(tmp_path: Path) -> QueueDirectories:
    found = QueueDirectories(str(tmp_path))
    found.create()
    return found


def put(directories: QueueDirectories, queue: str, name: str, content: bytes, mode: int = 0o700) -> Path:
    path = Path(directories.path(queue, QueueId(name)))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def listed(directories: QueueDirectories) -> list[ListedMessage]:
    return list(list_queue(directories, empty_address=b"MAILER-DAEMON"))


def test_a_deferred_message(directories: QueueDirectories) -> None:
    """Delivered recipients are left out; the defer log knows the reason."""
    put(directories, "deferred", "10F512301A4", golden.A_TWO_RECIPIENTS, 0o710)
    put(
        directories,
        "defer",
        "10F512301A4",
        b"\n<x>: y\nrecipient=defer+ext@dest.example\nreason=%s\n\n" % REASON,
        0o600,
    )
    (message,) = listed(directories)
    assert message == ListedMessage(
        queue="deferred",
        queue_id=QueueId("10F512301A4"),
        time=1795353636,
        size=348,
        forced_expire=True,
        sender=b"alice@example.org",
        recipients=[ListedRecipient(b"defer+ext@dest.example", REASON)],
    )


def test_queues_in_their_order(directories: QueueDirectories) -> None:
    """maildrop first, then active, incoming, deferred, hold; not what is corrupt."""
    for queue in ("hold", "deferred", "incoming", "active", "maildrop", "corrupt"):
        put(directories, queue, "10F512301A4", golden.A_TWO_RECIPIENTS)
    assert [message.queue for message in listed(directories)] == [
        "maildrop",
        "active",
        "incoming",
        "deferred",
        "hold",
    ]


def test_a_users_pointers_are_not_followed(directories: QueueDirectories) -> None:
    """What a user has put into maildrop could be read ten thousand times."""
    data = golden.B_MAILDROP[:19] + encode_record(SENDER, b"me") + encode_record(RECIPIENT, b"x@y.test")
    put(directories, "maildrop", "B0000000001", data + encode_record(POINTER, b"%15d" % 19), 0o744)
    (drop,) = listed(directories)
    assert (drop.sender, drop.recipients) == (b"me", [ListedRecipient(b"x@y.test")])


def test_recipients_of_sendmail_t_and_pointers(directories: QueueDirectories) -> None:
    """Those after the content, and what a milter has changed."""
    put(directories, "maildrop", "B0000000001", golden.B_MAILDROP, 0o744)
    put(directories, "hold", "D0000000001", golden.D_MILTER)
    drop, held = listed(directories)
    assert (drop.size, len(drop.recipients)) == (len(golden.B_MAILDROP), 3)
    assert held.sender == b"newsender@example.org"
    assert [recipient.address for recipient in held.recipients] == [
        b"defer-keep@dest.example",
        b"defer-added@dest.example",
    ]


@pytest.mark.parametrize("content", [b"", b"junk" * 30, golden.A_TWO_RECIPIENTS[:120]])
def test_what_has_no_sender_is_passed_over(content: bytes, directories: QueueDirectories) -> None:
    """As what is being written is."""
    put(directories, "incoming", "E0000000001", content)
    put(directories, "incoming", "E0000000002", golden.A_TWO_RECIPIENTS, 0o600)
    assert listed(directories) == []


def test_addresses_cannot_break_a_line(directories: QueueDirectories) -> None:
    """Quoted and printable; the null sender has a name."""
    sender = b"S\x11alice@example.org"
    put(
        directories,
        "hold",
        "A0000000001",
        golden.A_TWO_RECIPIENTS.replace(sender, b'S\x0fbl"an k\n@ex.o\xffg'),
    )
    put(directories, "hold", "A0000000002", golden.A_TWO_RECIPIENTS.replace(sender, b"S\0"))
    senders = {message.sender for message in listed(directories)}
    assert senders == {b'"bl\\"an k?"@ex.o?g', b"MAILER-DAEMON"}


def receiver(data: bytes, size: int) -> Callable[[], bytes]:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return lambda: pieces.pop(0) if pieces else b""


MESSAGES = [
    ListedMessage(
        queue="deferred",
        queue_id=QueueId("10F512301A4"),
        time=1795353636,
        size=348,
        forced_expire=False,
        sender="jörg@exämple.org".encode(),
        recipients=[ListedRecipient(b"a@b", b"why"), ListedRecipient(b"c@d")],
    ),
    ListedMessage(
        queue="hold",
        queue_id=QueueId("A0000000001"),
        time=1,
        size=0,
        forced_expire=True,
        sender=b"MAILER-DAEMON",
        recipients=[],
    ),
]


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_over_the_wire(size: int) -> None:
    """What is sent is read, in pieces of any size."""
    data = GREETING + b"".join(map(encode_message, MESSAGES)) + END
    assert list(read_messages(receiver(data, size))) == MESSAGES


def test_newer_servers_send_more() -> None:
    """Postfix 3.11 tells what the address was before, and a class."""
    data = encode_message(MESSAGES[0]).replace(
        b"recipient\0a@b\0", b"original_recipient\0A@b\0recipient\0a@b\0log_class\0defer\0"
    )
    (message,) = read_messages(receiver(GREETING + data + END, 100))
    assert message == MESSAGES[0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"protocol\0other\0\0",
        GREETING,
        GREETING + encode_message(MESSAGES[0])[:40],
        GREETING + b"name\0value\0\0",
        GREETING + encode_message(MESSAGES[0]).replace(b"time\x001795353636", b"time\0x") + END,
    ],
)
def test_what_is_no_listing(data: bytes) -> None:
    """A server that stops in between, or speaks otherwise."""
    with pytest.raises(AttributeFault):
        list(read_messages(receiver(data, 100)))


def test_a_long_queue_takes_no_more_memory(directories: QueueDirectories) -> None:
    """One message at a time is held."""
    for number in range(2000):
        put(directories, "deferred", f"A{number:09X}", golden.A_TWO_RECIPIENTS)
    tracemalloc.start()
    try:
        count = sum(1 for _ in list_queue(directories, empty_address=b"x"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 2000
    assert peak < 1 << 20


@pytest.mark.parametrize(
    "data", [golden.A_TWO_RECIPIENTS, golden.B_MAILDROP, golden.C_SMTPUTF8, golden.D_MILTER]
)
def test_the_quick_reader_reads_the_same(data: bytes) -> None:
    """Up to where it stops, what the other one reads."""
    found, offset = short_records(data, frozenset(range(256)))
    records = islice(RecordReader(BytesSource(data)).records(), len(found))
    assert found == [(kind, payload) for kind, at, payload in records if at < offset]
    assert len(found) >= 5
