"""Queues the notifications that undeliverable mail gives rise to.

DESCRIPTION
    `report_failures()` is called when recipients of a message were refused or its time is up, before the
    queue file is changed: the notification survives a crash first.  The null sender is never answered (RFC 5321
    §6.1), nor is a recipient with NOTIFY=NEVER or without FAILURE (RFC 3461 §4.1).

FAULTS
    QueueFileFault  the notification cannot be queued: the caller tries the message again later
"""

from collections.abc import Sequence

import msgspec

from pillarbox.bounce.notification import Original, non_delivery
from pillarbox.queue.incoming import IncomingQueue
from pillarbox.queue.queue_file import NewEnvelope, NewRecipient, QueueMessage, read_content
from pillarbox.queue.recipient_log import LogEntry
from pillarbox.queue.records import Source
from pillarbox.queue.submission import Rules, Submission
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.envelope import Notify, Ret
from pillarbox.vocabulary.identifiers import QueueId


class BounceRules(msgspec.Struct, frozen=True):
    """What main.cf says of bounces."""

    host: bytes  # myhostname
    mail_name: bytes
    size_limit: int  # bounce_size_limit, octets of returned content


class Notifier:
    """Composes and queues notifications."""

    def __init__(self, queue: IncomingQueue, *, rules: BounceRules, submission: Rules, clock: Clock) -> None:
        self._queue = queue
        self._rules = rules
        self._submission = msgspec.structs.replace(submission, message_size_limit=0, hopcount_limit=1 << 30)
        self._clock = clock

    async def report_failures(
        self, queue_id: QueueId, message: QueueMessage, failures: Sequence[LogEntry], source: Source
    ) -> QueueId | None:
        """Tell the sender; the notification's queue id, None if nobody is to be told."""
        told = [entry for entry in failures if not entry.notify or entry.notify & Notify.FAILURE]
        if not message.sender or not told:
            return None
        now = self._clock.now()
        submission = Submission(self._queue, self._submission)
        try:
            recipient = Address.from_internal(message.sender)
            submission.begin(
                NewEnvelope(
                    arrival_time=now,
                    sender=b"",
                    recipients=[NewRecipient(message.sender, message.sender)],
                    attributes=[(b"log_ident", submission.queue_id.encode()), (b"rewrite_context", b"local")],
                ),
                trace=[],
                add_missing=True,
                send_options=message.send_options,
            )
            await submission.feed(
                non_delivery(
                    self._original(queue_id, message, recipient, source),
                    told,
                    host=self._rules.host,
                    mail_name=self._rules.mail_name,
                    queue_id=submission.queue_id,
                    now=now,
                )
            )
        except BaseException:
            submission.abort()
            raise
        return await submission.commit()

    def _original(
        self, queue_id: QueueId, message: QueueMessage, sender: Address, source: Source
    ) -> Original:
        full = message.attributes.get(b"ret_flags") != b"%d" % Ret.HEADERS
        small = message.content_size <= self._rules.size_limit
        lines: list[bytes] = []
        for line in read_content(source, message.data_offset):
            if not (full and small) and not line:
                break
            lines.append(line)
        return Original(
            queue_id=queue_id,
            sender=sender.external,
            arrival_time=message.arrival_time,
            envelope_id=message.attributes.get(b"envelope_id", b""),
            content=b"".join([line + b"\r\n" for line in lines]),
            headers_only=not (full and small),
        )
