"""Local delivery's tables and settings from main.cf.

FAULTS
    ConfigurationFault  a table of an unknown type or a file that is not there, with the parameter's file and line
"""

from pillarbox.config.parameters.local_delivery import LocalDelivery
from pillarbox.config.parameters.local_recipients import LocalRecipients
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.local.expansion import Tables
from pillarbox.tables.opening import open_tables
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.clock import Clock


def local_tables(snapshot: Snapshot, *, clock: Clock) -> Tables:
    """All tables, opened."""
    local = snapshot.group(LocalDelivery)

    def tables(parameter: str, names: tuple[str, ...]) -> tuple[LookupTable, ...]:
        return open_tables(names, where=f"{snapshot.where(parameter)}, parameter {parameter}", clock=clock)

    return Tables(
        aliases=tables("alias_maps", snapshot.group(LocalRecipients).alias_maps),
        mailbox_transports=tables("mailbox_transport_maps", local.mailbox_transport_maps),
        mailbox_commands=tables("mailbox_command_maps", local.mailbox_command_maps),
        fallback_transports=tables("fallback_transport_maps", local.fallback_transport_maps),
    )
