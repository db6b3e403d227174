"""How each transport is scheduled: NAME_… parameters, master.cf's process limit, defaults.

FAULTS
    ConfigurationFault  a value that is not of its parameter's kind, with file and line
"""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import number, time_span
from pillarbox.net.startup import AgentService
from pillarbox.scheduling.concurrency import ConcurrencyRules, read_feedback
from pillarbox.scheduling.recipient_slots import SlotRules
from pillarbox.scheduling.transport_queue import TransportRules
from pillarbox.vocabulary.faults import ConfigurationFault

_ONE_BY_ONE: Final = frozenset({"local", "virtual", "error", "discard"})
"""Programs whose deliveries are not concurrent here: whoever does them takes one batch after the other.

What is concurrent in local delivery, users' commands, is limited by its agents (delivery/local/agent_loop.py)."""

_T = TypeVar("_T")


class TransportSettings(msgspec.Struct, frozen=True):
    """What the queue manager knows of a transport."""

    service: AgentService
    rules: TransportRules
    recipient_limit: int  # in one delivery; 0: none
    slots: SlotRules = SlotRules()  # recipients in memory


def transport_settings(service: AgentService, snapshot: Snapshot) -> TransportSettings:
    """The settings of one transport."""
    settings = snapshot.group(QueueManager)
    name = service.name

    def read(suffix: str, parse: Callable[[str], _T]) -> _T:
        parameter = f"{name}_{suffix}"
        text = snapshot.value(parameter)
        try:
            return parse(text)
        except ValueError as error:
            raise ConfigurationFault(snapshot.where(parameter), f"parameter {parameter}: {error}") from error

    destination_delay = read("destination_rate_delay", time_span)
    transport_delay = read("transport_rate_delay", time_span)
    limit = read("destination_concurrency_limit", number)
    process_limit = settings.default_process_limit if service.process_limit is None else service.process_limit
    if service.program in _ONE_BY_ONE and not destination_delay and not transport_delay:
        limit = process_limit = 0
    return TransportSettings(
        service,
        TransportRules(
            process_limit=process_limit,
            concurrency=ConcurrencyRules(
                initial=max(1, read("initial_destination_concurrency", number)),
                limit=limit,
                positive=read("destination_concurrency_positive_feedback", read_feedback),
                negative=read("destination_concurrency_negative_feedback", read_feedback),
                failed_cohort_limit=read("destination_concurrency_failed_cohort_limit", number),
            ),
            destination_rate_delay=destination_delay,
            transport_rate_delay=transport_delay,
            dead_time=settings.minimal_backoff_time,
            retry_time=settings.transport_retry_time,
            slot_cost=read("delivery_slot_cost", number),
            slot_loan=read("delivery_slot_loan", number),
            slot_discount=min(100, read("delivery_slot_discount", number)),
            minimum_slots=read("minimum_delivery_slots", number),
        ),
        read("destination_recipient_limit", number),
        SlotRules(
            limit=read("recipient_limit", number),
            extra=read("extra_recipient_limit", number),
            refill=max(1, read("recipient_refill_limit", number)),
            refill_delay=read("recipient_refill_delay", time_span),
        ),
    )
