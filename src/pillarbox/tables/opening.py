"""Opens `type:name`: the first phase of a table's life, with the rights a role begins with.

DESCRIPTION
    `open_table()` gives a `LookupTable`.  `proxy:type:name` is opened as `type:name`: proxymap(8) spares
    Postfix's many processes many connections; ours are few.

    A role with many services opens their tables under `shared_openings()`: what several of them ask for in the same
    way is open once.

    The code of a type is loaded now, with the library that it may need: not before, because commands that open no
    such table begin sooner, and not when the table is first asked.

FAULTS
    ConfigurationFault  at the parameter's place: no such type, bad syntax, a file that cannot be opened; under
                        `unavailable_tables()` only for what is no `type:name` at all

STANDARDS
    DATABASE_README; postconf(1) -m
"""

import errno
import importlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import msgspec

from pillarbox.config.unserved_tables import UNSERVED_TABLES
from pillarbox.config.value_types import NO_FILE, without_braces
from pillarbox.tables.table import LookupTable, Opening, Warn, ignore_warning
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault

_OF_OCTETS: Final = frozenset(
    (
        *("header_checks", "mime_header_checks", "nested_header_checks", "body_checks"),
        *("smtp_header_checks", "smtp_mime_header_checks", "smtp_nested_header_checks", "smtp_body_checks"),
        *("smtp_reply_filter", "smtpd_command_filter", "smtp_delivery_status_filter"),
        *("local_delivery_status_filter", "pipe_delivery_status_filter", "virtual_delivery_status_filter"),
    )
)


class NoTable(ConfigurationFault):
    """What is to name a table is no `type:name`."""


class _Serving(msgspec.Struct, frozen=True):
    """How tables are opened by who goes on without some of them."""

    faults: dict[str, list[str]]
    warn: Warn


def is_asked_in_utf8(parameter: str) -> bool:
    """Whether a parameter's tables are asked for addresses and names, which are UTF-8 or nothing.

    Others are asked for whatever a peer has sent, in whatever charset, as in Postfix.
    """
    return parameter not in _OF_OCTETS


def open_table(
    name: str,
    *,
    where: str,
    clock: Clock,
    warn: Warn = ignore_warning,
) -> LookupTable:
    """The table that `type:name` names.  ConfigurationFault (at `where`) if it cannot be opened."""
    return open_with(name, Opening(where=where, clock=clock, warn=warn))


def open_tables(
    names: Iterable[str],
    *,
    where: str,
    clock: Clock,
    warn: Warn = ignore_warning,
    utf8: bool = True,
    substitutes: bool = True,
    sensitive: bool = False,
    files: bool = False,
) -> tuple[LookupTable, ...]:
    """Several tables, in order.

    Without `substitutes`, rules that put what a sender wrote into their answer are left out, as in Postfix where an
    answer says which program, host or user there is to be.  `sensitive` tables, of users, files and commands, are
    without such rules, too, and no server that anybody could be may be asked.  `files`: values name files, whose
    content they are.
    """
    opening = Opening(
        where=where,
        clock=clock,
        warn=warn,
        utf8=utf8,
        substitutes=substitutes and not sensitive,
        sensitive=sensitive,
        files=files,
    )
    return tuple(open_with(name, opening) for name in names)


def open_default_table(name: str, opening: Opening) -> LookupTable:
    """A table that no admin asked for: the built-in default of a parameter.

    Without a file for it the system runs all the same, as Postfix does.  If its source is there and only the
    database is not (`newaliases` has not been run), questions are faults; if neither is, it is empty.
    """
    token = _serving.set(None)
    try:
        return open_with(name, opening)
    except ConfigurationFault as fault:
        found = fault
    finally:
        _serving.reset(token)
    kind, _colon, path = name.removeprefix("proxy:").partition(":")
    if kind not in _INDEXED or not isinstance(found.__cause__, OSError):
        return do_without(name, found)
    from pillarbox.tables.constant_tables import EmptyTable, UnavailableTable

    opening.warn(found.what)
    missing = found.__cause__.errno == errno.ENOENT and not os.path.lexists(path)
    return EmptyTable(name) if missing else UnavailableTable(name, found.what)


@contextmanager
def shared_openings() -> Iterator[None]:
    """While it lasts, who asks for a table for the same parameter, with the same rights, gets the same one."""
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


@contextmanager
def unavailable_tables(warn: Warn = ignore_warning) -> Iterator[dict[str, list[str]]]:
    """While it lasts, what cannot be opened is an `UnavailableTable`.

    The result tells of each by its name why, once for each place that names it.  `warn` is told, then and later,
    what whoever opens a table does not want to hear himself.
    """
    serving = _Serving({}, warn)
    token = _serving.set(serving)
    try:
        yield serving.faults
    finally:
        _serving.reset(token)


def open_with(name: str, opening: Opening) -> LookupTable:
    """As `open_table()`, for a caller that says more of how."""
    serving = _serving.get()
    if serving is not None and opening.warn is ignore_warning:
        opening = msgspec.structs.replace(opening, warn=serving.warn)
    shared = _shared.get()
    if shared is None:
        return _open_or_replace(name, opening)
    table = shared.get((name, opening))
    if table is None:
        table = shared[name, opening] = _open_or_replace(name, opening)
    return table


def _open_or_replace(name: str, opening: Opening) -> LookupTable:
    try:
        return _open(name, opening)
    except ConfigurationFault as fault:
        return do_without(name, fault)


def do_without(name: str, fault: ConfigurationFault) -> LookupTable:
    """What is asked instead of something that a setting names and that cannot be used.

    It raises the fault but under `unavailable_tables()`, which tells of it by the name.
    """
    serving = _serving.get()
    if serving is None or isinstance(fault, NoTable):
        raise fault
    from pillarbox.tables.constant_tables import UnavailableTable

    reasons = serving.faults.setdefault(name, [])
    if str(fault) not in reasons:
        reasons.append(str(fault))
    return UnavailableTable(name, fault.what)


def _open(name: str, opening: Opening) -> LookupTable:
    kind, colon, rest = name.partition(":")
    if colon and not (kind and rest):
        raise NoTable(opening.where, f'open dictionary: expecting "type:name" form instead of "{name}"')
    if not colon:
        raise NoTable(
            opening.where, f'"{name}" is not a table', mend="write type:name, as in texthash:/etc/x"
        )
    if kind == NO_FILE:
        raise ConfigurationFault(opening.where, f"open file {rest}: {_why_unreadable(rest)}")
    if kind == "proxy":
        return open_with(rest, opening)
    if kind in _COMPOSED:
        return _open_composed(kind, rest, opening)
    if kind in _INDEXED:
        return _open_indexed(kind, rest, opening)
    if kind not in _TYPES:
        raise ConfigurationFault(
            opening.where,
            f"unsupported dictionary type: {kind}",
            mend=UNSERVED_TABLES.get(kind) or f"served are: {', '.join(table_types())}",
        )
    try:
        return _opener(kind, opening)(rest, opening)
    except OSError as error:
        what = "open" if kind in _RULE_FILES else "open database"
        raise _cannot_open(what, kind, rest, error, opening) from error


def table_types() -> list[str]:
    """The types that can be opened, in order, as `postconf -m` lists them."""
    return sorted([*_TYPES, *_INDEXED, *_COMPOSED, "proxy"])


def _opener(kind: str, opening: Opening) -> Callable[[str, Opening], LookupTable]:
    """The code of a type, which is loaded while the role still opens, and only by roles that have such a table."""
    module, name = _TYPES[kind]
    try:
        found: Callable[[str, Opening], LookupTable] = getattr(
            importlib.import_module(f"pillarbox.tables.{module}"), name
        )
    except ImportError as error:
        raise ConfigurationFault(
            opening.where,
            f"unsupported dictionary type: {kind} ({error})",
            mend="install the pcre2 package, or write regexp: tables" if kind == "pcre" else "",
        ) from error
    return found


def _open_indexed(kind: str, path: str, opening: Opening) -> LookupTable:
    from pillarbox.tables.indexed_table import INDEX_KINDS, IndexedTable
    from pillarbox.tables.page_reading import DamagedDatabase

    try:
        return IndexedTable(kind, path, opening=opening)
    except OSError as error:
        raise _cannot_open("open database", kind, path, error, opening) from error
    except DamagedDatabase as damage:
        raise ConfigurationFault(
            opening.where,
            f"open database {path}{INDEX_KINDS[kind].suffix}: {damage}",
            mend=f"make it anew: postmap {kind}:{path}",
        ) from damage


def _cannot_open(what: str, kind: str, path: str, error: OSError, opening: Opening) -> ConfigurationFault:
    lacks_database = kind in _INDEXED and error.errno == errno.ENOENT and os.path.exists(path)
    return ConfigurationFault(
        opening.where,
        f"{what} {error.filename or path}: {error.strerror}",
        mend=f"make it: postmap {kind}:{path}, or postalias for aliases" if lacks_database else "",
    )


def _why_unreadable(path: str) -> str:
    try:
        open(path).close()
    except OSError as error:
        return str(error.strerror)
    return "it could not be read at the start"


def _open_composed(kind: str, text: str, opening: Opening) -> LookupTable:
    from pillarbox.tables.composed_tables import PipedTables, UnitedTables
    from pillarbox.tables.constant_tables import braced_items

    need = f'need "{kind}:{{type:name...}}"'
    names = braced_items(kind, text, need=need, opening=opening)
    if any(":" not in name for name in names):
        raise ConfigurationFault(opening.where, f'bad syntax: "{kind}:{text}"; {need}')
    try:
        parts = [open_with(without_braces(name), opening) for name in names]
    except ValueError as error:
        raise ConfigurationFault(opening.where, f'bad syntax: "{kind}:{text}"; {need}') from error
    return PipedTables(text, parts) if kind == "pipemap" else UnitedTables(text, parts)


_shared: Final[ContextVar[dict[tuple[str, Opening], LookupTable] | None]] = ContextVar("shared", default=None)
_serving: Final[ContextVar[_Serving | None]] = ContextVar("serving", default=None)
_RULE_FILES: Final = frozenset(("cidr", "pcre", "regexp"))
_COMPOSED: Final = ("pipemap", "unionmap")
_INDEXED: Final = ("btree", "hash", "lmdb")
_TYPES: Final[dict[str, tuple[str, str]]] = {
    "cidr": ("cidr_table", "CidrTable"),
    "environ": ("constant_tables", "EnvironmentTable"),
    "fail": ("constant_tables", "FailTable"),
    "inline": ("constant_tables", "InlineTable"),
    "passwd-file": ("passwd_file_table", "open_passwd_file"),
    "pcre": ("pcre_table", "open_pcre"),
    "randmap": ("constant_tables", "RandomTable"),
    "regexp": ("regexp_table", "open_regexp"),
    "socketmap": ("socketmap_table", "open_socketmap"),
    "sqlite": ("sqlite_table", "open_sqlite"),
    "static": ("constant_tables", "StaticTable"),
    "tcp": ("tcp_table", "open_tcp"),
    "texthash": ("text_table", "TextHashTable"),
    "unix": ("account_tables", "AccountTable"),
}
"""The module of each other type, and what opens a table in it."""
