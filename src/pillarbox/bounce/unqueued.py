"""Mail that cannot be queued at all goes back to its sender at once, as from cleanup(8) with CLEANUP_FLAG_BOUNCE.

DESCRIPTION
    Its addresses are mapped already.  The log has an attempt of cleanup's for each recipient, and the notices.
    Nobody gets a body back that a content check has refused, or that is too big, whatever RET= says.

FAULTS
    QueueFileFault  a notice cannot be queued
"""

from collections.abc import Sequence

import msgspec

from pillarbox.bounce.submission import Notifier
from pillarbox.observability import events
from pillarbox.queue.new_queue_file import NewRecipient
from pillarbox.queue.queue_file import QueueMessage
from pillarbox.queue.recipient_log import LogEntry
from pillarbox.queue.records import Source
from pillarbox.queue.submission import MessageTooBig, TooManyHops
from pillarbox.queue.submission_protocol import CleanupStatus
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.envelope import Ret
from pillarbox.vocabulary.identifiers import QueueId

HOPCOUNT_EXCEEDED = "message rejected: hopcount exceeded"


def refusal_of(fault: MessageTooBig | TooManyHops) -> tuple[str, str]:
    """Status and text."""
    if isinstance(fault, MessageTooBig):
        return "5.3.4", CleanupStatus.SIZE.text
    return "5.4.0", CleanupStatus.HOPS.text


async def return_unqueued(
    notifier: Notifier,
    queue_id: QueueId,
    message: QueueMessage,
    recipients: Sequence[NewRecipient],
    source: Source,
    *,
    refusal: tuple[str, str],
    tell: events.EventSink,
    verp: bytes = b"",
) -> list[QueueId]:
    """Report to whom it concerns; the ids of the notices.  `refusal` is status and text, `verp` as for reports."""
    dsn, reason = refusal
    if reason != CleanupStatus.HOPS.text:
        attributes = {**message.attributes, b"ret_flags": b"%d" % Ret.HEADERS}
        message = msgspec.structs.replace(message, attributes=attributes)
    entries = [
        LogEntry(
            recipient=Address.from_internal(recipient.address).external,
            original_recipient=Address.from_internal(recipient.original or recipient.address).external,
            offset=0,
            dsn_original=recipient.dsn_original,
            notify=int(recipient.notify),
            status=dsn,
            action="failed",
            reason=reason,
        )
        for recipient in recipients
        if not recipient.expanded
    ]
    for entry in entries:
        tell(
            events.AttemptMade(
                "cleanup",
                queue_id,
                entry.recipient,
                entry.original_recipient,
                "none",
                (0.0, 0.0, 0.0, 0.0),
                dsn,
                "bounced",
                reason,
            )
        )
    notices = await notifier.report("failure", queue_id, message, entries, source, verp=verp)
    for notice in notices:
        tell(events.BounceQueued(queue_id, notice.queue_id, notice.what))
    return [notice.queue_id for notice in notices]
