"""What postmap and postalias ask of tables, take out of them, and list.

FAULTS
    Stop    a table that cannot be opened, cannot answer, or cannot do what is asked of it
"""

import os
import sys
from collections.abc import Iterator
from typing import Final

from pillarbox.tables.berkeley_writing import WriteFault
from pillarbox.tables.constant_tables import FailTable
from pillarbox.tables.database_writing import WRITABLE, written
from pillarbox.tables.file_values import FileValueFault, decoded_files
from pillarbox.tables.indexed_table import INDEX_KINDS, IndexedTable, dictionary_name
from pillarbox.tables.opening import open_with, table_types
from pillarbox.tables.page_reading import DamagedDatabase
from pillarbox.tables.table import Keys, LookupFault, LookupTable, octets_of, text_of
from pillarbox.tools.command_settings import Stop
from pillarbox.tools.table_request import Request
from pillarbox.vocabulary.faults import ConfigurationFault

NO_REASON: Final = "Application error"
"""What Postfix calls a fault that the system has no number for."""

_ONLY_LOOKUP = frozenset(("static", "environ"))


class Tables:
    """The tables of a command line, each opened when it is first asked."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._opened: dict[str, LookupTable] = {}

    def ask(self, key: str, name: str) -> str | None:
        """One table's answer."""
        request = self._request
        table = self._opened.get(name)
        if table is None:
            table = self._opened[name] = open_for_command(request, name)
        try:
            value = table.query(key)
        except LookupFault as fault:
            raise Stop(f"table {name}: query error: {fault.detail or NO_REASON}") from fault
        request.tell(f"{name}: {key}: {'not found' if value is None else value}")
        if value == "":
            request.warn(f"table {name}: key {key}: empty string result is not allowed")
            request.warn(f"table {name} should return NO RESULT in case of NOT FOUND")
        return value if value is None else self._shown(key, name, value)

    def _shown(self, key: str, name: str, value: str) -> str:
        try:
            return shown_value(self._request, name, key, value)
        except FileValueFault as fault:
            self._request.warn(str(fault))
            raise Stop(f"table {dictionary_name(name)}: query error") from fault

    def first(self, key: str) -> str | None:
        """The first table's answer that there is."""
        for name in self._request.names:
            if (value := self.ask(key, name)) is not None:
                return value
        return None


def query(request: Request, key: str) -> bool:
    """Print the value of a key."""
    value = Tables(request).first(key)
    if value is not None:
        write_line(value)
    return value is not None


def queries(request: Request, keys: Iterator[str]) -> bool:
    """Print keys with their values."""
    tables = Tables(request)
    found = False
    for key in keys:
        value = tables.first(key)
        if value is not None:
            write_line(f"{key}{request.command.key_end}\t{value}")
            found = True
    return found


def delete(request: Request, keys: Iterator[str]) -> bool:
    """Take keys out of all tables.  True if one had one."""
    wanted = list(keys)
    found = False
    for name in request.names:
        kind, _, path = name.removeprefix("proxy:").partition(":")
        if kind not in WRITABLE:
            raise Stop(_cannot_delete(kind, path))
        folding = Keys(name, request.opening())
        folded = [key for text in wanted if (key := folding.folded(text)) is not None]
        try:
            with written(kind, path, keep=True, create=False) as writer:
                for key in folded:
                    found |= any(writer.delete(octets_of(key) + end) for end in request.nulls.value)
        except OSError as error:
            where = path + INDEX_KINDS[kind].suffix
            raise Stop(f"open database {where}: {error.strerror}") from error
        except WriteFault as fault:
            raise Stop(f"error deleting from {name}: {fault}" if kind == "lmdb" else str(fault)) from fault
    return found


def sequence(request: Request, name: str) -> None:
    """Print all keys and values of a table."""
    if name.startswith("proxy:"):
        raise Stop("can't sequence maps via the proxy service")
    table = open_for_command(request, name)
    if isinstance(table, FailTable):
        raise Stop(f"table {name}: sequence error: {NO_REASON}")
    items = getattr(table, "items", None)
    if items is None:
        raise Stop(f"table {name}: sequence operation is not supported")
    try:
        for octets, value in items():
            try:
                _print_item(request, name, text_of(octets), text_of(value))
            except FileValueFault as malformed:
                request.warn(str(malformed))
    except LookupFault as fault:
        raise Stop(f"table {name}: sequence error: {fault.detail or NO_REASON}") from fault


def _print_item(request: Request, name: str, key: str, value: str) -> None:
    if not key:
        request.warn(f"table {name}: empty lookup key value is not allowed")
    elif not value:
        request.warn(f"table {name}: key {key}: empty string result is not allowed")
        request.warn(f"table {name} should return NO RESULT in case of NOT FOUND")
    write_line(f"{key}{request.command.key_end}\t{shown_value(request, name, key, value)}")


def shown_value(request: Request, name: str, key: str, value: str) -> str:
    """A value as it is printed: with -F, the files' content.  FileValueFault, with the table and the key."""
    if not request.files:
        return value
    try:
        return decoded_files(value).decode("utf-8", "surrogateescape")
    except FileValueFault as fault:
        raise FileValueFault(f"table {dictionary_name(name)}: key {key}: {fault}") from fault


def open_for_command(request: Request, name: str) -> LookupTable:
    """A table, opened in the words of the commands."""
    kind, _, path = name.partition(":")
    opening = request.opening()
    try:
        if kind in INDEX_KINDS and path:
            return IndexedTable(kind, path, opening=opening, nulls=request.nulls)
        return open_with(name, opening)
    except OSError as error:
        raise Stop(f"open database {error.filename}: {error.strerror}") from error
    except DamagedDatabase as damage:
        request.tell(f"{name}: {damage}")
        reason = "MDB_INVALID: File is not an LMDB file" if kind == "lmdb" else os.strerror(22)
        raise Stop(f"open database {path}{INDEX_KINDS[kind].suffix}: {reason}") from damage
    except ConfigurationFault as fault:
        raise Stop(fault.what) from fault


def lines_of_stdin() -> Iterator[str]:
    """Standard input, line by line."""
    for line in sys.stdin.buffer:
        yield line.removesuffix(b"\n").decode("utf-8", "surrogateescape")


def write_line(text: str) -> None:
    """A line of standard output, in the octets that it came from."""
    sys.stdout.buffer.write(octets_of(text) + b"\n")


def _cannot_delete(kind: str, path: str) -> str:
    if kind not in table_types():
        return f"unsupported dictionary type: {kind}"
    if kind == "fail":
        return f"table {kind}:{path}: delete error: {NO_REASON}"
    if kind in _ONLY_LOOKUP:
        return f"table {kind}:{path}: delete operation is not supported"
    return f"{kind}:{path} map requires O_RDONLY access mode"
