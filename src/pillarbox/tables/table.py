"""Lookup tables: `type:name`, asked for a key.

DESCRIPTION
    A table has two phases.  `open_table()` may need rights (a file only root can read) and happens before a
    role drops its own; `query()` happens after.  A miss is `None`; a table that cannot answer raises
    `LookupFault`, because an error is never a miss: mail is deferred, not bounced, while a database is away.

    Some tables notice that their file has changed and read it anew; what cannot be read with the role's
    rights waits for a new generation of the role.

FAULTS
    ConfigurationFault  at open: unknown type, missing file, malformed line (file and line are named)
    LookupFault         at query: the table cannot answer now
"""

from typing import Protocol

from pillarbox.vocabulary.faults import TemporaryFault
from pillarbox.vocabulary.status import EnhancedStatus


class LookupFault(TemporaryFault):
    """A table cannot answer now: `451 4.3.0 <key>: Temporary lookup failure`."""

    def __init__(self, table: str, reason: str) -> None:
        super().__init__(
            EnhancedStatus(4, 3, 0),
            "Temporary lookup failure",
            reason=f"table lookup problem: {table}: {reason}",
        )


class LookupTable(Protocol):
    """One opened table."""

    name: str  # `type:name` as configured
    partial_keys: bool  # whether lookups by parts of an address make sense (not for regular expressions)

    def query(self, key: str) -> str | None:
        """The value of a key; None if there is none.  LookupFault if the table cannot answer."""
        ...
