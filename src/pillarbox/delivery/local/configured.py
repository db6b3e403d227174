"""Local delivery's tables and settings from main.cf.

FAULTS
    ConfigurationFault  a table of an unknown type or a file that is not there, with the parameter's file and line
"""

from pillarbox.config.parameters.local_delivery import LocalDelivery
from pillarbox.config.parameters.local_recipients import LocalRecipients
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.local.means import Tables
from pillarbox.tables.opening import is_asked_in_utf8, open_default_table, open_tables
from pillarbox.tables.table import LookupTable, Opening
from pillarbox.vocabulary.clock import Clock


def local_tables(snapshot: Snapshot, *, clock: Clock) -> Tables:
    """All tables, opened."""
    local = snapshot.group(LocalDelivery)

    def tables(parameter: str, names: tuple[str, ...], sensitive: bool = True) -> tuple[LookupTable, ...]:
        where = snapshot.place_of(parameter)
        return open_tables(names, where=where, clock=clock, substitutes=False, sensitive=sensitive)

    aliases = snapshot.group(LocalRecipients).alias_maps
    opening = Opening(where="parameter alias_maps", clock=clock)
    return Tables(
        aliases=tables("alias_maps", aliases)
        if snapshot.explicit("alias_maps") is not None
        else tuple(open_default_table(name, opening) for name in aliases),
        mailbox_transports=tables("mailbox_transport_maps", local.mailbox_transport_maps, False),
        mailbox_commands=tables("mailbox_command_maps", local.mailbox_command_maps),
        fallback_transports=tables("fallback_transport_maps", local.fallback_transport_maps, False),
    )


def status_filter_tables(snapshot: Snapshot, program: str, *, clock: Clock) -> tuple[LookupTable, ...]:
    """Tables of local_delivery_status_filter, pipe_… or virtual_…."""
    local = snapshot.group(LocalDelivery)
    parameter = f"{program}_delivery_status_filter"
    names = {
        "local": local.local_delivery_status_filter,
        "pipe": local.pipe_delivery_status_filter,
        "virtual": local.virtual_delivery_status_filter,
    }[program]
    where = snapshot.place_of(parameter)
    return open_tables(names, where=where, clock=clock, utf8=is_asked_in_utf8(parameter))
