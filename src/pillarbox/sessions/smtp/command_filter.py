"""smtpd_command_filter: tables that put another command in the place of the client's.

DESCRIPTION
    The tables are asked with the whole command line, without blanks before it.  Lines of a login and of a message
    are no commands.

FAULTS
    LookupFault  a table cannot answer: the client is sent away with 421

STANDARDS
    postconf(5)
"""

from collections.abc import Sequence

from pillarbox.observability.events import EventSink, Noted, Warned
from pillarbox.tables.table import LookupFault, LookupTable


class CommandFilter:
    """One service's."""

    def __init__(self, tables: Sequence[LookupTable]) -> None:
        self._tables = tables

    def __bool__(self) -> bool:
        return bool(self._tables)

    def replaced(self, line: bytes, *, client: str, tell: EventSink) -> bytes:
        """The command that is obeyed.  LookupFault."""
        said = line.lstrip(b" \t").decode("utf-8", "surrogateescape")
        if not said:
            return line
        for table in self._tables:
            try:
                found = table.query(said)
            except LookupFault:
                tell(Warned(f'{table.name} lookup error for "{said[:100]}"'))
                raise
            if found is not None:
                tell(Noted(f'{client}: replacing command "{_shown(line)}" with "{found[:100]}"'))
                return found.encode("utf-8", "surrogateescape")
        return line


def _shown(line: bytes) -> str:
    return line[:100].decode("utf-8", "surrogateescape")
