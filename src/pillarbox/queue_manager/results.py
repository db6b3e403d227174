"""What became of a recipient, as a log line and as an entry of a bounce or defer log."""

from pillarbox.delivery.request import Outcome
from pillarbox.observability import events
from pillarbox.queue.queue_file import QueueRecipient
from pillarbox.queue.recipient_log import LogEntry
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.identifiers import QueueId


def attempt_made(
    queue_id: QueueId,
    recipient: QueueRecipient,
    agent: str,
    outcome: Outcome,
    delays: tuple[float, float, float, float],
) -> events.AttemptMade:
    """The event that the delivery line is made of."""
    return events.AttemptMade(
        agent,
        queue_id,
        Address.from_internal(recipient.address).external,
        Address.from_internal(recipient.original).external,
        agent if agent == "virtual" else "none",
        delays,
        outcome.dsn,
        outcome.status,
        outcome.text,
    )


def log_entry(recipient: QueueRecipient, outcome: Outcome, action: str) -> LogEntry:
    """The entry; `action` is delayed or failed."""
    return LogEntry(
        recipient=Address.from_internal(recipient.address).external,
        original_recipient=Address.from_internal(recipient.original).external,
        offset=recipient.offset,
        dsn_original=recipient.dsn_original,
        notify=int(recipient.notify),
        status=outcome.dsn if action == "delayed" else "5" + outcome.dsn[1:],
        action=action,
        reason=outcome.text,
    )
