"""Opens `type:name`: the first phase of a table's life, with the rights a role begins with.

DESCRIPTION
    `open_table()` gives a `LookupTable`.  `proxy:type:name` is opened as `type:name`: proxymap(8) spares
    Postfix's many processes many connections; ours are few.

    A pattern table that needs the library for it loads the library now, not when it is first asked.

FAULTS
    ConfigurationFault  at the parameter's place: no such type, bad syntax, a file that cannot be opened

STANDARDS
    DATABASE_README; postconf(1) -m
"""

import errno
import importlib
import os
from collections.abc import Callable, Iterable
from typing import Final

from pillarbox.config.value_types import without_braces
from pillarbox.tables.account_tables import AccountTable
from pillarbox.tables.cidr_table import CidrTable
from pillarbox.tables.composed_tables import PipedTables, UnitedTables
from pillarbox.tables.constant_tables import (
    EmptyTable,
    EnvironmentTable,
    FailTable,
    InlineTable,
    RandomTable,
    StaticTable,
    UnavailableTable,
    braced_items,
)
from pillarbox.tables.indexed_table import INDEX_KINDS, IndexedTable
from pillarbox.tables.page_reading import DamagedDatabase
from pillarbox.tables.passwd_file_table import PasswdFileTable
from pillarbox.tables.regexp_table import open_regexp
from pillarbox.tables.table import LookupTable, Opening, Warn, ignore_warning
from pillarbox.tables.text_table import TextHashTable
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault


def open_table(
    name: str,
    *,
    where: str,
    clock: Clock,
    warn: Warn = ignore_warning,
    utf8: bool = True,
) -> LookupTable:
    """The table that `type:name` names.  ConfigurationFault (at `where`) if it cannot be opened."""
    return open_with(name, Opening(where=where, clock=clock, warn=warn, utf8=utf8))


def open_tables(
    names: Iterable[str],
    *,
    where: str,
    clock: Clock,
    warn: Warn = ignore_warning,
    utf8: bool = True,
) -> tuple[LookupTable, ...]:
    """Several tables, in order."""
    opening = Opening(where=where, clock=clock, warn=warn, utf8=utf8)
    return tuple(open_with(name, opening) for name in names)


def open_default_table(name: str, opening: Opening) -> LookupTable:
    """A table that no admin asked for: the built-in default of a parameter.

    Without a file for it the system runs all the same, as Postfix does.  If its source is there and only the
    database is not (`newaliases` has not been run), questions are faults; if neither is, it is empty.
    """
    try:
        return open_with(name, opening)
    except ConfigurationFault as fault:
        kind, _colon, path = name.removeprefix("proxy:").partition(":")
        if kind not in INDEX_KINDS or not isinstance(fault.__cause__, OSError):
            raise
        opening.warn(fault.what)
        missing = fault.__cause__.errno == errno.ENOENT and not os.path.lexists(path)
        return EmptyTable(name) if missing else UnavailableTable(name, fault.what)


def open_with(name: str, opening: Opening) -> LookupTable:
    """As `open_table()`, for a caller that says more of how."""
    kind, colon, rest = name.partition(":")
    if colon and not rest:
        raise ConfigurationFault(
            opening.where, f'open dictionary: expecting "type:name" form instead of "{name}"'
        )
    if not colon:
        raise ConfigurationFault(
            opening.where, f'"{name}" is not a table', mend="write type:name, as in texthash:/etc/x"
        )
    if kind == "proxy":
        return open_with(rest, opening)
    opener = _TYPES.get(kind)
    if opener is None:
        raise ConfigurationFault(
            opening.where,
            f"unsupported dictionary type: {kind}",
            mend=f"served are: {', '.join(table_types())}",
        )
    try:
        return opener(rest, opening)
    except OSError as error:
        what = "open" if kind in _RULE_FILES else "open database"
        raise ConfigurationFault(
            opening.where, f"{what} {error.filename or rest}: {error.strerror}", mend=_mend(kind, rest, error)
        ) from error
    except DamagedDatabase as damage:
        path = rest + INDEX_KINDS[kind].suffix
        raise ConfigurationFault(
            opening.where, f"open database {path}: {damage}", mend=f"make it anew: postmap {kind}:{rest}"
        ) from damage


def table_types() -> list[str]:
    """The types that can be opened, in order, as `postconf -m` lists them."""
    return sorted([*_TYPES, "proxy"])


def _mend(kind: str, path: str, error: OSError) -> str:
    if kind in INDEX_KINDS and error.errno == errno.ENOENT and os.path.exists(path):
        return f"make it: postmap {kind}:{path}, or postalias for aliases"
    return ""


def _open_passwd_file(path: str, opening: Opening) -> LookupTable:
    return PasswdFileTable(path, clock=opening.clock)


def _open_pcre(name: str, opening: Opening) -> LookupTable:
    """The library is loaded here, while the role still opens, and only by roles that have such a table."""
    try:
        module = importlib.import_module("pillarbox.tables.pcre_table")
    except ImportError as error:
        raise ConfigurationFault(
            opening.where,
            f"unsupported dictionary type: pcre ({error})",
            mend="install the pcre2 package, or write regexp: tables",
        ) from error
    opened: LookupTable = module.open_pcre(name, opening)
    return opened


def _open_parts(kind: str, text: str, opening: Opening) -> list[LookupTable]:
    need = f'need "{kind}:{{type:name...}}"'
    names = braced_items(kind, text, need=need, opening=opening)
    if any(":" not in name for name in names):
        raise ConfigurationFault(opening.where, f'bad syntax: "{kind}:{text}"; {need}')
    try:
        return [open_with(without_braces(name), opening) for name in names]
    except ValueError as error:
        raise ConfigurationFault(opening.where, f'bad syntax: "{kind}:{text}"; {need}') from error


def _open_indexed(kind: str) -> Callable[[str, Opening], LookupTable]:
    return lambda path, opening: IndexedTable(kind, path, opening=opening)


_RULE_FILES: Final = frozenset(("cidr", "pcre", "regexp"))

_TYPES: Final[dict[str, Callable[[str, Opening], LookupTable]]] = {
    "btree": _open_indexed("btree"),
    "cidr": CidrTable,
    "environ": EnvironmentTable,
    "fail": FailTable,
    "hash": _open_indexed("hash"),
    "inline": InlineTable,
    "lmdb": _open_indexed("lmdb"),
    "passwd-file": _open_passwd_file,
    "pcre": _open_pcre,
    "pipemap": lambda text, opening: PipedTables(text, _open_parts("pipemap", text, opening)),
    "randmap": RandomTable,
    "regexp": open_regexp,
    "static": StaticTable,
    "texthash": TextHashTable,
    "unionmap": lambda text, opening: UnitedTables(text, _open_parts("unionmap", text, opening)),
    "unix": AccountTable,
}
