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
import re
import stat
from collections.abc import Iterator
from enum import Enum
from typing import Final, Self

from pillarbox.queue.listed_message import ListedMessage, ListedRecipient
from pillarbox.queue.queue_directories import EXPIRE_BIT, READY, QueueDirectories
from pillarbox.queue.recipient_log import read_reasons
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
_CONTENT: Final = bytes((MESSAGE,))
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PLAIN: Final = re.compile(rb"[A-Za-z0-9_+=-]+(?:\.[A-Za-z0-9_+=-]+)*@[A-Za-z0-9.-]+")
"""Addresses that look the same in both forms."""


class Half(Enum):
    """Which messages of a queue are read: halves are for two processes, and a message is always in the same one."""

    BOTH = 0
    ODD = 1
    EVEN = 2


def list_queue(directories: QueueDirectories, *, empty_address: bytes) -> Iterator[ListedMessage]:
    """Every message; `empty_address` (empty_address_recipient) stands for the null sender."""
    for queue in LISTED_QUEUES:
        yield from list_messages(directories, queue, empty_address=empty_address)


def list_messages(
    directories: QueueDirectories, queue: str, *, empty_address: bytes, half: Half = Half.BOTH
) -> Iterator[ListedMessage]:
    """The messages of one queue."""
    with _OpenDirectories(directories) as opened:
        for queue_id in directories.scan(queue, lazily=True):
            if half is not Half.BOTH and (half is Half.ODD) != bool(ord(queue_id[-1]) & 1):
                continue
            message = _read(opened, queue, queue_id, empty_address)
            if message is not None:
                yield message


class _OpenDirectories:
    """The directory that was read from last, of each queue: one short name to look up instead of a path."""

    def __init__(self, directories: QueueDirectories) -> None:
        self._directories = directories
        self._opened: dict[str, tuple[str, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for _path, descriptor in self._opened.values():
            os.close(descriptor)
        self._opened.clear()

    def open(self, queue: str, queue_id: QueueId) -> int:
        """A message's file in a queue, for reading.  OSError."""
        path = self._directories.directory(queue, queue_id)
        last, directory = self._opened.get(queue, ("", -1))
        if path != last:
            following = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if last:
                os.close(directory)
            directory = following
            self._opened[queue] = (path, directory)
        return os.open(queue_id, _FLAGS, dir_fd=directory)


def _read(
    opened: _OpenDirectories, queue: str, queue_id: QueueId, empty_address: bytes
) -> ListedMessage | None:
    read = _read_file(opened, queue, queue_id)
    if read is None:
        return None
    facts, status = read
    if facts.sender is None:
        return None
    recipients = [
        ListedRecipient(_printable(recipient), _printable(reason))
        for recipient, reason in read_reasons(_defer_log(opened, queue_id))
    ]
    known = {recipient.address for recipient in recipients}
    for internal in facts.recipients:
        address = _shown(internal, empty_address)
        if address not in known:
            recipients.append(ListedRecipient(address))
    return ListedMessage(
        queue=queue,
        queue_id=queue_id,
        time=facts.time or int(status.st_mtime),
        size=facts.size or status.st_size,
        forced_expire=bool(status.st_mode & EXPIRE_BIT),
        sender=_shown(facts.sender, empty_address),
        recipients=recipients,
    )


def _read_file(
    opened: _OpenDirectories, queue: str, queue_id: QueueId
) -> "tuple[_Facts, os.stat_result] | None":
    try:
        descriptor = opened.open(queue, queue_id)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & READY != READY:
            return None
        facts = _Facts()
        try:
            _take_records(facts, descriptor, pointers=queue != "maildrop")  # a user's may lead anywhere
        except CorruptQueueFile:
            pass  # what was read before it is shown
    finally:
        os.close(descriptor)
    return facts, status


class _File:
    """A `records.Source` over an open file."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)


class _Facts:
    __slots__ = ("data_offset", "recipients", "sender", "size", "time")

    def __init__(self) -> None:
        self.time = self.size = self.data_offset = 0
        self.sender: bytes | None = None
        self.recipients: list[bytes] = []


def _take_records(facts: _Facts, descriptor: int, *, pointers: bool) -> None:
    """All of a file.  CorruptQueueFile where it cannot be read on."""
    window = os.pread(descriptor, _WINDOW, 0)
    found, offset = short_records(window, _LISTED)
    if _take_all(facts, found):
        return
    following = facts.data_offset + facts.size
    if (
        window[offset : offset + 1] == _CONTENT
        and offset < facts.data_offset
        and following < len(window)
        and facts.sender is not None
    ):
        found, offset = short_records(window, _LISTED, following)
        if _take_all(facts, found):
            return
    reader = RecordReader(_File(descriptor), pointers=pointers)
    while offset >= 0:
        offset = _take_segment(facts, reader, offset)


def _take_all(facts: _Facts, found: list[tuple[int, bytes]]) -> bool:
    """Whether the end is among them."""
    for kind, payload in found:
        if kind == END:
            return True
        _take(facts, kind, payload)
    return False


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


def _defer_log(opened: _OpenDirectories, queue_id: QueueId) -> bytes:
    try:
        descriptor = opened.open("defer", queue_id)
    except OSError:
        return b""
    try:
        content = os.read(descriptor, _WINDOW)
        if len(content) == _WINDOW:
            content += os.read(descriptor, _MAX_LOG)
        return content
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _shown(address: bytes, empty_address: bytes) -> bytes:
    if _PLAIN.fullmatch(address):
        return address
    return _printable(Address.from_internal(address).external) if address else empty_address


def _printable(text: bytes) -> bytes:
    """Text that breaks no line: UTF-8 stays, what is neither that nor printable becomes `?`."""
    if text.isascii():
        return text if text.decode("ascii").isprintable() else text.translate(_CONTROLS)
    return text.decode("utf-8", "replace").replace("�", "?").encode().translate(_CONTROLS)


_CONTROLS: Final = bytes(0x3F if octet < 0x20 or octet == 0x7F else octet for octet in range(256))
