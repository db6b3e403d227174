"""How each transport is scheduled: NAME_… parameters, master.cf's process limit, defaults.

FAULTS
    ConfigurationFault  a value that is not of its parameter's kind, with file and line
"""

from collections.abc import Callable
from typing import Final

import msgspec

from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.transport_values import transport_value
from pillarbox.net.startup import AgentService
from pillarbox.scheduling.concurrency import ConcurrencyRules, Feedback, read_feedback
from pillarbox.scheduling.recipient_slots import SlotRules
from pillarbox.scheduling.transport_queue import TransportRules

_ONE_BY_ONE: Final = frozenset({"local", "virtual", "error", "discard"})
"""Programs whose deliveries are not concurrent here: whoever does them takes one batch after the other.

What is concurrent in local delivery, users' commands, is limited by its agents (delivery/local/agent_loop.py)."""


class TransportSettings(msgspec.Struct, frozen=True):
    """What the queue manager knows of a transport."""

    service: AgentService
    rules: TransportRules
    recipient_limit: int  # in one delivery; 0: none
    slots: SlotRules = SlotRules()  # recipients in memory
    soft_bounce: bool = False  # of the service itself: `-o soft_bounce=yes`, or main.cf's


def transport_settings(
    service: AgentService, snapshot: Snapshot, *, warn: Callable[[str], None]
) -> TransportSettings:
    """The settings of one transport; `warn` hears of what is ignored.  ConfigurationFault."""
    settings = snapshot.group(QueueManager)

    def number(suffix: str) -> int:
        return int(transport_value(snapshot, service.name, suffix))

    def seconds(suffix: str) -> float:
        return transport_value(snapshot, service.name, suffix)

    def feedback(which: str, default: str) -> Feedback:
        """What cannot be read, or is above 1, counts as 1, as with qmgr(8)."""
        suffix = f"destination_concurrency_{which}_feedback"
        text = snapshot.value(f"{service.name}_{suffix}")
        try:
            return read_feedback(text)
        except ValueError:
            name = "default" if text == default else service.name
            warn(f"{name}_{suffix}: ignoring malformed or unreasonable feedback: {text}")
            return Feedback(1)

    destination_delay = seconds("destination_rate_delay")
    transport_delay = seconds("transport_rate_delay")
    limit = number("destination_concurrency_limit")
    process_limit = settings.default_process_limit if service.process_limit is None else service.process_limit
    if service.program in _ONE_BY_ONE and not destination_delay and not transport_delay:
        limit = process_limit = 0
    return TransportSettings(
        service,
        TransportRules(
            process_limit=process_limit,
            concurrency=ConcurrencyRules(
                initial=number("initial_destination_concurrency"),
                limit=limit,
                positive=feedback("positive", settings.default_destination_concurrency_positive_feedback),
                negative=feedback("negative", settings.default_destination_concurrency_negative_feedback),
                failed_cohort_limit=number("destination_concurrency_failed_cohort_limit"),
            ),
            destination_rate_delay=destination_delay,
            transport_rate_delay=transport_delay,
            dead_time=settings.minimal_backoff_time,
            retry_time=settings.transport_retry_time,
            slot_cost=number("delivery_slot_cost"),
            slot_loan=number("delivery_slot_loan"),
            slot_discount=number("delivery_slot_discount"),
            minimum_slots=number("minimum_delivery_slots"),
        ),
        number("destination_recipient_limit"),
        SlotRules(
            limit=number("recipient_limit"),
            extra=number("extra_recipient_limit"),
            refill=number("recipient_refill_limit"),
            refill_delay=seconds("recipient_refill_delay"),
        ),
        soft_bounce=_bounces_softly(service, settings),
    )


def _bounces_softly(service: AgentService, settings: QueueManager) -> bool:
    """soft_bounce of a service: with an -o option its own, or else that of `settings`."""
    if service.snapshot:
        own = Snapshot.decode(service.snapshot)
        if "soft_bounce" in own.overrides:
            return own.group(QueueManager).soft_bounce
    return settings.soft_bounce
