"""Networks of main.cf whose lists name tables or hosts: mynetworks = cidr:/etc/postfix/mynetworks.

DESCRIPTION
    A table is asked with the client's name and the domains above it, and with its address; whatever it says, the
    client is in the list, or with `!` before the table is not.  Domains are asked as they are if
    parent_domain_matches_subdomains names the parameter, else as `.domain`.

FAULTS
    ConfigurationFault  a table that cannot be opened, an item that cannot be read; not under `unavailable_tables()`
    LookupFault         of a list that is asked: a table cannot answer, or there is such an item

STANDARDS
    postconf(5), mynetworks
"""

from typing import Any, Final, TypeVar

import msgspec

from pillarbox.config.parameter import declarations
from pillarbox.config.parameters.local_recipients import LocalRecipients
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import NetworkList
from pillarbox.tables.opening import do_without, open_table
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault

GroupType = TypeVar("GroupType")


def with_networks(group: type[GroupType], snapshot: Snapshot, *, clock: Clock) -> GroupType:
    """A group of settings, with the tables of its network lists opened."""
    settings = snapshot.group(group)
    parents = snapshot.group(LocalRecipients).parent_domain_matches_subdomains
    opened: dict[str, Any] = {
        declared.field: _opened(listed, declared.name, snapshot, clock, parents)
        for declared in declarations(group)
        if declared.type is NetworkList and (listed := getattr(settings, declared.field)).entries
    }
    if not opened:
        return settings
    values = {declared.field: getattr(settings, declared.field) for declared in declarations(group)}
    return group(**(values | opened))


def _opened(
    listed: NetworkList, parameter: str, snapshot: Snapshot, clock: Clock, parents: tuple[str, ...]
) -> NetworkList:
    where = snapshot.place_of(parameter)
    tables = {name: open_table(name, where=where, clock=clock) for name in listed.tables}
    for mistake in listed.mistakes:
        do_without(mistake, ConfigurationFault(where, mistake))

    def has(name: str, key: str, whole: bool) -> bool:
        table = tables.get(name)
        if table is None:
            raise LookupFault(parameter, name)
        try:
            return (whole or table.partial_keys) and table.query(key) is not None
        except LookupFault as fault:
            fault.reason = f"{parameter}: {table.name}: table lookup problem"
            raise

    return msgspec.structs.replace(
        listed, table_has=has, subdomains=_PARENTS_OF.get(parameter, parameter) in parents
    )


_PARENTS_OF: Final = {"smtpd_forbid_bare_newline_exclusions": "mynetworks"}
"""Lists for which another one's name in parent_domain_matches_subdomains counts."""
