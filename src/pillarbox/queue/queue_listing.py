"""The messages of a queue, as mailq(1) lists them.

DESCRIPTION
    `list_queue()` gives one `ListedMessage` after the other as it finds them: maildrop, active, incoming, deferred,
    hold.  It holds one message at a time, so that a queue of any size is listed in the same memory.

    Recipients with a reason come from the defer log, then those of the queue file that the log has not.  Files
    that are being written, or that went on meanwhile, are passed over; of damaged ones what can be read is shown.

STANDARDS
    Postfix showq(8)
"""

import os
import stat
from collections.abc import Iterator
from typing import Final

import msgspec

from pillarbox.queue.queue_directories import EXPIRE_BIT, READY, QueueDirectories
from pillarbox.queue.recipient_log import read_entries
from pillarbox.queue.records import (
    END,
    EXTRACTED,
    MESSAGE,
    RECIPIENT,
    SENDER,
    SIZE,
    TIME,
    CorruptQueueFile,
    RecordReader,
    short_records,
)
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.identifiers import QueueId

LISTED_QUEUES: Final = ("maildrop", "active", "incoming", "deferred", "hold")
_MAX_LOG: Final = 64 << 20
_WINDOW: Final = 16384
_LISTED: Final = frozenset((TIME, SIZE, SENDER, RECIPIENT, END))


class ListedRecipient(msgspec.Struct, frozen=True):
    """A recipient who has not got the message; in quoted form, printable."""

    address: bytes
    reason: bytes = b""


class ListedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message in the queue."""

    queue: str
    queue_id: QueueId
    time: int  # of arrival, seconds since 1970
    size: int  # octets of content; of the file, in maildrop
    forced_expire: bool
    sender: bytes  # in quoted form, printable
    recipients: list[ListedRecipient]


def list_queue(directories: QueueDirectories, *, empty_address: bytes) -> Iterator[ListedMessage]:
    """Every message; `empty_address` (empty_address_recipient) stands for the null sender."""
    for queue in LISTED_QUEUES:
        for queue_id in directories.scan(queue):
            message = _read(directories, queue, queue_id, empty_address)
            if message is not None:
                yield message


class _File:
    """A `records.Source` over an open file."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)


def recipients_of(directories: QueueDirectories, queue: str, queue_id: QueueId) -> list[bytes]:
    """Who is still to get a message, in internal form; nobody if it cannot be read."""
    read = _read_file(directories, queue, queue_id)
    return read[0].recipients if read is not None else []


def _read(
    directories: QueueDirectories, queue: str, queue_id: QueueId, empty_address: bytes
) -> ListedMessage | None:
    read = _read_file(directories, queue, queue_id)
    if read is None or read[0].sender is None:
        return None
    facts, status = read
    recipients = [
        ListedRecipient(_printable(entry[b"recipient"]), _printable(entry.get(b"reason", b"")))
        for entry in _defer_log(directories, queue_id)
    ]
    known = {recipient.address for recipient in recipients}
    left = (_shown(address, empty_address) for address in facts.recipients)
    recipients += [ListedRecipient(address) for address in left if address not in known]
    return ListedMessage(
        queue=queue,
        queue_id=queue_id,
        time=facts.time or int(status.st_mtime),
        size=facts.size or status.st_size,
        forced_expire=bool(status.st_mode & EXPIRE_BIT),
        sender=_shown(facts.sender or b"", empty_address),
        recipients=recipients,
    )


def _read_file(
    directories: QueueDirectories, queue: str, queue_id: QueueId
) -> "tuple[_Facts, os.stat_result] | None":
    try:
        descriptor = os.open(
            directories.path(queue, queue_id), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & READY != READY:
            return None
        facts = _Facts()
        try:
            _take_records(facts, _File(descriptor))
        except CorruptQueueFile:
            pass  # what was read before it is shown
    finally:
        os.close(descriptor)
    return facts, status


class _Facts:
    def __init__(self) -> None:
        self.time = self.size = self.data_offset = 0
        self.sender: bytes | None = None
        self.recipients: list[bytes] = []


def _take_records(facts: _Facts, source: _File) -> None:
    """All of a file.  CorruptQueueFile where it cannot be read on."""
    found, offset = short_records(source.read_at(0, _WINDOW), _LISTED)
    for kind, payload in found:
        if kind == END:
            return
        _take(facts, kind, payload)
    reader = RecordReader(source)
    while offset >= 0:
        offset = _take_segment(facts, reader, offset)


def _take_segment(facts: _Facts, reader: RecordReader, offset: int) -> int:
    """Records from `offset` on; where to go on, -1 at the end."""
    for kind, at, payload in reader.records(offset):
        if kind == MESSAGE and facts.data_offset > at:
            return facts.data_offset + facts.size
        if kind == END or (kind == EXTRACTED and facts.sender is None):
            return -1
        _take(facts, kind, payload)
    return -1


def _take(facts: _Facts, kind: int, payload: bytes) -> None:
    if kind == RECIPIENT:
        facts.recipients.append(payload)
    elif kind == TIME and not facts.time:
        facts.time = _number(payload)
    elif kind == SIZE and not facts.size:
        words = payload.split()
        if len(words) >= 2:
            facts.size, facts.data_offset = _number(words[0]), _number(words[1])
    elif kind == SENDER and facts.sender is None:
        facts.sender = payload


def _number(text: bytes) -> int:
    digits = text.split(b" ", 1)[0]
    return int(digits) if digits.isdigit() and len(digits) <= 15 else 0


def _defer_log(directories: QueueDirectories, queue_id: QueueId) -> Iterator[dict[bytes, bytes]]:
    try:
        descriptor = os.open(directories.path("defer", queue_id), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return iter(())
    try:
        content = os.read(descriptor, min(os.fstat(descriptor).st_size, _MAX_LOG))
    except OSError:
        return iter(())
    finally:
        os.close(descriptor)
    return read_entries(content)


def _shown(address: bytes, empty_address: bytes) -> bytes:
    return _printable(Address.from_internal(address).external) if address else empty_address


def _printable(text: bytes) -> bytes:
    """Text that breaks no line: UTF-8 stays, what is neither that nor printable becomes `?`."""
    if text.isascii():
        return text if text.decode("ascii").isprintable() else text.translate(_CONTROLS)
    return text.decode("utf-8", "replace").replace("�", "?").encode().translate(_CONTROLS)


_CONTROLS: Final = bytes(0x3F if octet < 0x20 or octet == 0x7F else octet for octet in range(256))
