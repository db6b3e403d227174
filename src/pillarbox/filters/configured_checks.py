"""header_checks and its kin from main.cf, tables opened.

FAULTS
    ConfigurationFault  a table that cannot be opened
"""

from pillarbox.config.parameters.content_checks import ContentChecks
from pillarbox.config.snapshot import Snapshot
from pillarbox.filters.content_checks import ContentTables
from pillarbox.tables.opening import open_tables
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.clock import Clock


def configured_content_tables(snapshot: Snapshot, *, clock: Clock) -> ContentTables:
    """The tables of one configuration."""
    checks = snapshot.group(ContentChecks)

    def tables(parameter: str, names: tuple[str, ...]) -> tuple[LookupTable, ...]:
        where = f"{snapshot.where(parameter)}, parameter {parameter}"
        return open_tables(names, where=where, clock=clock)

    return ContentTables(
        header=tables("header_checks", checks.header_checks),
        mime_header=tables("mime_header_checks", checks.mime_header_checks),
        nested_header=tables("nested_header_checks", checks.nested_header_checks),
        body=tables("body_checks", checks.body_checks),
        body_limit=checks.body_checks_size_limit,
    )
