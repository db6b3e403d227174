"""virtual(8)'s work: a message from its queue file into Maildirs.

DESCRIPTION
    Jobs that wait together are delivered together: every message's content is read once, and
    `mailstore.deliver` shares the directory fsync of messages for the same Maildir.  Each copy gets
    Return-Path:, X-Original-To: and Delivered-To: in front (virtual(8)).

    A message that has our own Delivered-To: already loops, and is bounced (5.4.6).

FAULTS
    A queue file that cannot be read, a full disk, a Maildir that cannot be written: the recipients are deferred.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from pillarbox.delivery.request import DeliverToMailboxes, MailboxTarget, Outcome
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.mailstore.deliver import Delivery, Stored, deliver_batch
from pillarbox.mailstore.mailbox import OverQuota
from pillarbox.queue.queue_file import content_text
from pillarbox.queue.records import CorruptQueueFile

SENT: Final = Outcome("sent", "2.0.0", "delivered to maildir")


class FileSource:
    """A queue file's octets by pread(2)."""

    __slots__ = ("_descriptor", "_files")

    def __init__(self, descriptor: int, *, files: FileSystem = DISK) -> None:
        self._descriptor = descriptor
        self._files = files

    def read_at(self, offset: int, length: int) -> bytes:
        """At most `length` octets from `offset`."""
        return self._files.pread(self._descriptor, length, offset)


class _Waiting(msgspec.Struct):
    job: int
    at: int
    delivery: Delivery


def deliver_jobs(
    jobs: Sequence[tuple[DeliverToMailboxes, int]], *, files: FileSystem = DISK
) -> dict[int, list[Outcome]]:
    """Outcomes by job number.  Each job comes with the descriptor of its queue file, which stays open."""
    outcomes: dict[int, list[Outcome]] = {}
    waiting: list[_Waiting] = []
    for request, descriptor in jobs:
        outcomes[request.job] = [SENT] * len(request.targets)
        try:
            content = content_text(FileSource(descriptor, files=files), request.data_offset)
        except (OSError, CorruptQueueFile) as error:
            broken = Outcome("deferred", "4.3.0", "queue file read error", str(error))
            outcomes[request.job] = [broken] * len(request.targets)
            continue
        for at, target in enumerate(request.targets):
            if is_loop(content, target.recipient):
                text = f"mail forwarding loop for {target.recipient.decode('utf-8', 'replace')}"
                outcomes[request.job][at] = Outcome("bounced", "5.4.6", text)
            else:
                delivery = Delivery(target.maildir, (_prefix(request.sender, target), content))
                waiting.append(_Waiting(request.job, at, delivery))
    results = deliver_batch([one.delivery for one in waiting], files=files)
    for one, result in zip(waiting, results, strict=True):
        if not isinstance(result, Stored):
            outcomes[one.job][one.at] = _failed(result)
    return outcomes


def is_loop(content: bytes, recipient: bytes) -> bool:
    """Whether the header has a Delivered-To: with the recipient."""
    end = content.find(b"\n\n")
    header = content if end < 0 else content[: end + 1]
    lower = header.lower()
    if b"delivered-to:" not in lower:
        return False
    return any(match[1].strip() == recipient.lower() for match in _DELIVERED_TO.finditer(lower))


_DELIVERED_TO: Final = re.compile(rb"^delivered-to:([^\n]*)", re.MULTILINE)


def _prefix(sender: bytes, target: MailboxTarget) -> bytes:
    return b"Return-Path: <%s>\nX-Original-To: %s\nDelivered-To: %s\n" % (
        sender,
        target.original,
        target.recipient,
    )


def _failed(fault: Exception) -> Outcome:
    if isinstance(fault, OverQuota):
        return Outcome("deferred", "4.2.2", "mailbox is full", str(fault))
    return Outcome("deferred", "4.2.0", "maildir delivery failed", str(fault))
