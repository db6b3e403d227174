"""What became of a recipient, as log lines and as entries of a bounce or defer log.

DESCRIPTION
    A recipient can stand for several addresses (aliases, .forward files).  Each of them has a line in the log and,
    if it failed, an entry of its own in the bounce; the recipient as a whole is done or tried again.
"""

from collections.abc import Iterable

import msgspec

from pillarbox.delivery.request import Attempt, Outcome, would_be
from pillarbox.observability import events
from pillarbox.queue.queue_file import QueueMessage, QueueRecipient
from pillarbox.queue.recipient_log import LogEntry
from pillarbox.vocabulary.address import external_form
from pillarbox.vocabulary.identifiers import QueueId


class Failure(msgspec.Struct, frozen=True):
    """A failed delivery, and who hears of it instead of the message's sender."""

    entry: LogEntry
    report_to: bytes | None  # internal form


def attempts_made(
    queue_id: QueueId,
    recipient: QueueRecipient,
    agent: str,
    outcome: Outcome,
    delays: tuple[float, float, float, float],
    *,
    trace_only: bool = False,
    cached: bool = True,
) -> list[events.AttemptMade]:
    """The events that delivery lines are made of; `cached` is as for `would_be()`."""
    return [
        events.AttemptMade(
            attempt.agent or agent,
            queue_id,
            attempt.recipient,
            attempt.original or attempt.recipient,
            _relay(attempt, agent),
            delays,
            attempt.dsn,
            would_be(attempt.status, cached=cached) if trace_only else attempt.shown or attempt.status,
            attempt.text,
        )
        for attempt in attempts_of(recipient, outcome)
        if not attempt.told
    ]


def delayed(recipient: QueueRecipient, outcome: Outcome) -> list[LogEntry]:
    """Entries for what is tried again."""
    return [
        _entry(recipient, attempt, "delayed")
        for attempt in attempts_of(recipient, outcome)
        if attempt.status == "deferred"
    ]


def failed(recipient: QueueRecipient, outcome: Outcome, *, expired: bool) -> list[Failure]:
    """Entries for what is returned; when the message's time is up, that is what would be tried again, too."""
    if outcome.is_sent:
        return []
    return [
        Failure(_entry(recipient, attempt, "failed"), attempt.report_to)
        for attempt in attempts_of(recipient, outcome)
        if attempt.status == "bounced" or (expired and attempt.status == "deferred")
    ]


def delivered(
    recipient: QueueRecipient, transport: str, outcome: Outcome, *, whoever_tells: bool = False
) -> list[LogEntry]:
    """Entries for what was delivered and no other system tells of.

    `whoever_tells`: also if another does, who knows of no delay that there was (confirm_delay_cleared).
    """
    entries: list[LogEntry] = []
    for attempt in attempts_of(recipient, outcome):
        if attempt.status == "sent" and (whoever_tells or (attempt.tells_success and outcome.tells_success)):
            action = attempt.action or outcome.action
            entries.append(_entry(recipient, _with_relay(attempt, transport), action))
    return entries


def traced(recipient: QueueRecipient, transport: str, outcome: Outcome, *, only: bool) -> list[LogEntry]:
    """Entries of a trace log: everything that was done for the recipient, or would be (`only`)."""
    entries: list[LogEntry] = []
    for attempt in attempts_of(recipient, outcome):
        if attempt.only_success:
            continue
        if only:
            action = would_be(attempt.status)
        elif attempt.status == "sent":
            action = attempt.action or outcome.action
        else:
            action = "delayed" if attempt.status == "deferred" else "failed"
        entries.append(_entry(recipient, _with_relay(attempt, transport), action))
    return entries


def may_be_traced(message: QueueMessage, recipient: QueueRecipient, *, confirms_delays: bool) -> bool:
    """Whether anybody may want to hear that the recipient got it; nobody does of nearly all mail."""
    return bool(message.trace or recipient.notify or (confirms_delays and message.warn_offset))


def _relay(attempt: Attempt, agent: str) -> str:
    return attempt.relay or (agent if agent == "virtual" else "none")


def _with_relay(attempt: Attempt, agent: str) -> Attempt:
    """As trace(3) has it: who took the mail stands in front of what was said."""
    relay = _relay(attempt, agent)
    if relay == "none":
        return attempt
    return msgspec.structs.replace(attempt, text=f"delivery via {relay}: {attempt.text}")


def not_tried(
    recipients: Iterable[QueueRecipient], reasons: Iterable[LogEntry], *, text: str
) -> dict[int, tuple[str, Outcome]]:
    """Outcomes by offset for a message that is returned as it is: what was said of it the last time, or `text`."""
    last: dict[int, list[Attempt]] = {}
    for entry in reasons:
        last.setdefault(entry.offset, []).append(
            Attempt(
                entry.recipient,
                # A log leaves out an original recipient that is the recipient; who has none has no ORCPT either.
                entry.original_recipient or (entry.recipient if entry.dsn_original else b""),
                "deferred",
                entry.status,
                entry.reason,
                diagnostic=entry.diagnostic,
                remote_mta=entry.remote_mta,
            )
        )
    return {
        offset: ("none", Outcome("deferred", "4.7.0", text, attempts=last.get(offset)))
        for offset in (recipient.offset for recipient in recipients)
    }


def attempts_of(recipient: QueueRecipient, outcome: Outcome) -> list[Attempt]:
    """What was done for the recipient, or for those it stands for."""
    if outcome.attempts is not None:
        return outcome.attempts
    return [
        Attempt(
            external_form(recipient.address),
            external_form(recipient.original),
            outcome.status,
            outcome.dsn,
            outcome.text,
            relay=outcome.relay,
            diagnostic=outcome.diagnostic,
            remote_mta=outcome.remote_mta,
            shown=outcome.shown,
        )
    ]


def _entry(recipient: QueueRecipient, attempt: Attempt, action: str) -> LogEntry:
    return LogEntry(
        recipient=attempt.recipient,
        original_recipient=attempt.original,
        offset=recipient.offset,
        dsn_original=recipient.dsn_original if attempt.original else b"",
        notify=int(recipient.notify),
        status=attempt.dsn,
        action=action,
        reason=attempt.text,
        diagnostic=attempt.diagnostic,
        remote_mta=attempt.remote_mta,
    )
