"""Every Postfix parameter that this system knows and does not serve.

DESCRIPTION
    `treatment(name)` says what becomes of a parameter: also of served ones, and of the names that come from
    the services in master.cf, such as `smtp_destination_rate_delay`.  The tables are in the folder
    `unserved`; a parameter that gets served moves from there to a group (folder `parameters`), and a test
    sees to it that no name is in both.
"""

from functools import cache
from typing import Final

import msgspec

from pillarbox.config.postfix_parameters import SERVED
from pillarbox.config.treatment import Kind, Section, Treatment
from pillarbox.config.unread_parameters import unread
from pillarbox.config.unserved import (
    addresses,
    filters,
    postscreen,
    processes,
    queue,
    smtp_client,
    smtp_server,
)

_SECTIONS: Final[tuple[Section, ...]] = (
    *smtp_server.SECTIONS,
    *filters.SECTIONS,
    *addresses.SECTIONS,
    *smtp_client.SECTIONS,
    *queue.SECTIONS,
    *postscreen.SECTIONS,
    *processes.SECTIONS,
)

TRANSPORT_PARAMETERS: Final[dict[str, str]] = {
    "delivery_slot_cost": "$default_delivery_slot_cost",
    "delivery_slot_discount": "$default_delivery_slot_discount",
    "delivery_slot_loan": "$default_delivery_slot_loan",
    "destination_concurrency_failed_cohort_limit": "$default_destination_concurrency_failed_cohort_limit",
    "destination_concurrency_limit": "$default_destination_concurrency_limit",
    "destination_concurrency_negative_feedback": "$default_destination_concurrency_negative_feedback",
    "destination_concurrency_positive_feedback": "$default_destination_concurrency_positive_feedback",
    "destination_rate_delay": "$default_destination_rate_delay",
    "destination_recipient_limit": "$default_destination_recipient_limit",
    "extra_recipient_limit": "$default_extra_recipient_limit",
    "initial_destination_concurrency": "$initial_destination_concurrency",
    "minimum_delivery_slots": "$default_minimum_delivery_slots",
    "recipient_limit": "$default_recipient_limit",
    "recipient_refill_delay": "$default_recipient_refill_delay",
    "recipient_refill_limit": "$default_recipient_refill_limit",
    "transport_rate_delay": "$default_transport_rate_delay",
}
"""What may follow `NAME_` for a delivery agent NAME in master.cf, and its default."""

COMMAND_PARAMETERS: Final[dict[str, str]] = {"time_limit": "$command_time_limit"}
"""The same for services that run a command."""

UNEXPANDED: Final = frozenset(
    {
        "command_execution_directory",
        "default_rbl_reply",
        "forward_path",
        "luser_relay",
        "mailbox_command",
        "postscreen_expansion_filter",
        "postscreen_reject_footer",
        "smtpd_expansion_filter",
        "smtpd_reject_footer",
    }
)
"""Parameters whose `$name` is for the program that uses them: it stands for a client, a user, a reply."""


@cache
def unserved() -> dict[str, Treatment]:
    """All parameters that are known and not served."""
    return {name: treated for section in _SECTIONS for name, treated in section.treatments()}


@cache
def _served() -> dict[str, Treatment]:
    not_read = unread()
    return {
        name: msgspec.structs.replace(not_read.get(name, Treatment(Kind.SERVED)), default=declared.default)
        for name, declared in SERVED.items()
    }


def treatment(name: str) -> Treatment:
    """What becomes of the parameter when it is set.  `UNKNOWN` for a name that is no parameter."""
    known = _served().get(name) or unserved().get(name)
    if known is not None:
        return known
    suffix = _suffix(name)
    if suffix is None:
        return Treatment(Kind.UNKNOWN)
    default = (TRANSPORT_PARAMETERS | COMMAND_PARAMETERS)[suffix]
    return Treatment(Kind.SERVED, default=default)


def _suffix(name: str) -> str | None:
    """The part of `smtp_destination_rate_delay` that is not the service's name."""
    for suffix in (*TRANSPORT_PARAMETERS, *COMMAND_PARAMETERS):
        if name.endswith(f"_{suffix}"):
            return suffix
    return None
