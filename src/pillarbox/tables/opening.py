"""Opens `type:name`."""

from collections.abc import Callable, Iterable
from typing import Final

from pillarbox.tables.inline_tables import InlineTable, StaticTable
from pillarbox.tables.passwd_file_table import PasswdFileTable
from pillarbox.tables.table import LookupTable
from pillarbox.tables.text_files import TextHashTable
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault


def open_table(name: str, *, where: str, clock: Clock) -> LookupTable:
    """The table that `type:name` names.  ConfigurationFault (at `where`) if there is no such type."""
    kind, colon, rest = name.partition(":")
    if not colon:
        raise ConfigurationFault(
            where, f'"{name}" is not a table', mend="write type:name, as in texthash:/etc/x"
        )
    if kind == "proxy":  # proxy(8) is for many processes; ours are few, and open the table themselves
        return open_table(rest, where=where, clock=clock)
    opener = _TYPES.get(kind)
    if opener is None:
        raise ConfigurationFault(
            where, f"unsupported dictionary type: {kind}", mend=f"served are: {', '.join(sorted(_TYPES))}"
        )
    return opener(rest, clock)


def open_tables(names: Iterable[str], *, where: str, clock: Clock) -> tuple[LookupTable, ...]:
    """Several tables, in order."""
    return tuple(open_table(name, where=where, clock=clock) for name in names)


def table_types() -> list[str]:
    """The types that can be opened, in order, as `postconf -m` lists them."""
    return sorted([*_TYPES, "proxy"])


_TYPES: Final[dict[str, Callable[[str, Clock], LookupTable]]] = {
    "inline": lambda text, clock: InlineTable(text),
    "passwd-file": lambda path, clock: PasswdFileTable(path, clock=clock),
    "static": lambda text, clock: StaticTable(text),
    "texthash": lambda path, clock: TextHashTable(path),
}
