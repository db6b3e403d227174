"""header_checks and its kin from main.cf, tables opened.

FAULTS
    ConfigurationFault  a table that cannot be opened
"""

from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.content_checks import ContentChecks
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import unescaped
from pillarbox.filters.content_checks import ContentTables, MimeRules
from pillarbox.tables.opening import is_asked_in_utf8, open_tables
from pillarbox.tables.table import LookupTable, Warn, ignore_warning
from pillarbox.vocabulary.clock import Clock


def configured_content_tables(
    snapshot: Snapshot, *, clock: Clock, warn: Warn = ignore_warning
) -> ContentTables:
    """The tables of one configuration; `warn` hears of rules that are odd."""
    checks = snapshot.group(ContentChecks)

    def tables(parameter: str, names: tuple[str, ...]) -> tuple[LookupTable, ...]:
        where = snapshot.place_of(parameter)
        return open_tables(names, where=where, clock=clock, warn=warn, utf8=is_asked_in_utf8(parameter))

    return ContentTables(
        header=tables("header_checks", checks.header_checks),
        mime_header=tables("mime_header_checks", checks.mime_header_checks),
        nested_header=tables("nested_header_checks", checks.nested_header_checks),
        body=tables("body_checks", checks.body_checks),
        header_limit=snapshot.group(Cleanup).header_size_limit,
        body_limit=checks.body_checks_size_limit,
        mime=_mime_rules(checks),
        rejected=unescaped(checks.message_reject_characters).encode("utf-8", "surrogateescape"),
        stripped=unescaped(checks.message_strip_characters).encode("utf-8", "surrogateescape"),
    )


def _mime_rules(checks: ContentChecks) -> MimeRules:
    if checks.disable_mime_input_processing:
        return MimeRules(is_read=False)
    return MimeRules(
        max_nesting=checks.mime_nesting_limit,
        max_boundary=checks.mime_boundary_length_limit,
        seven_bit_headers=checks.strict_8bitmime or checks.strict_7bit_headers,
        seven_bit_bodies=checks.strict_8bitmime or checks.strict_8bitmime_body,
        proper_encodings=checks.strict_mime_encoding_domain,
    )
