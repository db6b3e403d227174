"""Networks of main.cf whose lists name tables: mynetworks = cidr:/etc/postfix/mynetworks.

DESCRIPTION
    A table is asked with the address; whatever it says, the address is in the list, or with `!` before the table is
    not.  While a table cannot answer, no address is in its list: these lists are about trust.

FAULTS
    ConfigurationFault  a table that cannot be opened

STANDARDS
    postconf(5), mynetworks
"""

from typing import Any, TypeVar

import msgspec

from pillarbox.config.parameter import declarations
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import NetworkList
from pillarbox.tables.opening import open_table
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.clock import Clock

GroupType = TypeVar("GroupType")


def with_networks(group: type[GroupType], snapshot: Snapshot, *, clock: Clock) -> GroupType:
    """A group of settings, with the tables of its network lists opened."""
    settings = snapshot.group(group)
    opened: dict[str, Any] = {
        declared.field: _opened(listed, f"{snapshot.where(declared.name)}, parameter {declared.name}", clock)
        for declared in declarations(group)
        if declared.type is NetworkList and (listed := getattr(settings, declared.field)).tables
    }
    if not opened:
        return settings
    values = {declared.field: getattr(settings, declared.field) for declared in declarations(group)}
    return group(**(values | opened))


def _opened(listed: NetworkList, where: str, clock: Clock) -> NetworkList:
    tables = {name: open_table(name, where=where, clock=clock) for name in listed.tables}

    def has(table: str, address: str) -> bool | None:
        try:
            return tables[table].query(address) is not None
        except LookupFault:
            return None

    return msgspec.structs.replace(listed, table_has=has)
