"""Local delivery's tables and settings from main.cf.

FAULTS
    ConfigurationFault  a table of an unknown type or a file that is not there, with the parameter's file and line
"""

import os
from collections.abc import Callable
from typing import Final

from pillarbox.config.parameters.local_delivery import LocalDelivery
from pillarbox.config.parameters.local_recipients import LocalRecipients
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.local.expansion import AliasTable, Tables, UserFault
from pillarbox.delivery.local.frames import Account
from pillarbox.delivery.local.users import account_of
from pillarbox.tables.opening import open_table, open_tables
from pillarbox.vocabulary.clock import Clock

_FILES: Final = {
    "hash": ".db",
    "btree": ".db",
    "lmdb": ".lmdb",
    "cdb": ".cdb",
    "texthash": "",
    "regexp": "",
    "pcre": "",
    "cidr": "",
}
"""Table types that are files, and what is added to the name."""


def local_tables(snapshot: Snapshot, *, clock: Clock) -> Tables:
    """All tables, opened."""
    local = snapshot.group(LocalDelivery)
    aliases = snapshot.group(LocalRecipients).alias_maps

    def where(parameter: str) -> str:
        return f"{snapshot.where(parameter)}, parameter {parameter}"

    return Tables(
        aliases=tuple(
            AliasTable(open_table(name, where=where("alias_maps"), clock=clock), _owner(name))
            for name in aliases
        ),
        mailbox_transports=open_tables(
            local.mailbox_transport_maps, where=where("mailbox_transport_maps"), clock=clock
        ),
        mailbox_commands=open_tables(
            local.mailbox_command_maps, where=where("mailbox_command_maps"), clock=clock
        ),
        fallback_transports=open_tables(
            local.fallback_transport_maps, where=where("fallback_transport_maps"), clock=clock
        ),
    )


def _owner(name: str) -> Callable[[], Account | None]:
    """Who owns a table; None for root, which also owns tables that are no files."""
    kind, _, path = name.removeprefix("proxy:").partition(":")
    suffix = _FILES.get(kind)
    if suffix is None:
        return lambda: None

    def find() -> Account | None:
        try:
            uid = os.stat(path + suffix).st_uid
        except OSError:
            return None  # gone since it was opened
        if uid == 0:
            return None
        account = account_of(uid)
        if account is None:
            raise UserFault(f"cannot find alias database owner for {name}")
        return account

    return find
