"""Parameters that are named after a transport, `NAME_destination_rate_delay` and the like, as numbers and seconds.

FAULTS
    ConfigurationFault  a value that is not of its parameter's kind or out of bounds, with file and line

STANDARDS
    postconf(5), qmgr(8)
"""

from collections.abc import Callable
from typing import Final

import msgspec

from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import number, time_span
from pillarbox.vocabulary.faults import ConfigurationFault


class _Kind(msgspec.Struct, frozen=True):
    """What is taken."""

    parse: Callable[[str], float]
    minimum: int = 0
    maximum: int = 2**31 - 1


_KINDS: Final = {
    "delivery_slot_cost": _Kind(number),
    "delivery_slot_discount": _Kind(number, maximum=100),
    "delivery_slot_loan": _Kind(number),
    "destination_concurrency_failed_cohort_limit": _Kind(number),
    "destination_concurrency_limit": _Kind(number),
    "destination_rate_delay": _Kind(time_span),
    "destination_recipient_limit": _Kind(number),
    "extra_recipient_limit": _Kind(number),
    "initial_destination_concurrency": _Kind(number, minimum=1),
    "minimum_delivery_slots": _Kind(number),
    "recipient_limit": _Kind(number),
    "recipient_refill_delay": _Kind(time_span, minimum=1),
    "recipient_refill_limit": _Kind(number, minimum=1),
    "transport_rate_delay": _Kind(time_span),
}
"""By what follows `NAME_`.  Feedback is no such number: what cannot be read counts as 1 (qmgr(8))."""


def transport_value(snapshot: Snapshot, transport: str, suffix: str) -> float:
    """The value, in seconds if it is a time.  ConfigurationFault."""
    kind, parameter = _KINDS[suffix], f"{transport}_{suffix}"
    try:
        found = kind.parse(snapshot.value(parameter))
    except ValueError as error:
        raise ConfigurationFault(snapshot.where(parameter), f"parameter {parameter}: {error}") from error
    if not kind.minimum <= found <= kind.maximum:
        bound = f"{found:g} < {kind.minimum}" if found < kind.minimum else f"{found:g} > {kind.maximum}"
        raise ConfigurationFault(snapshot.where(parameter), f"invalid {parameter} parameter value {bound}")
    return found


def check_transport_values(snapshot: Snapshot, transport: str) -> None:
    """ConfigurationFault for the first value that is wrong, so that no program has to end for it."""
    for suffix in _KINDS:
        transport_value(snapshot, transport, suffix)
