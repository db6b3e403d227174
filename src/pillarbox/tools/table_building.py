"""How postmap and postalias make a database from its source.

DESCRIPTION
    Run by root, a database is made as the owner of its source, so that it has that owner and no more can go
    wrong than the owner could do himself; -o keeps root's rights.  It gets the source's permissions for group
    and others; -p gives it the usual ones.  With -i entries come from standard input and are added.

FAULTS
    Stop    a source or database that cannot be opened, a type of which no files are made, a library's refusal

STANDARDS
    postmap(1), postalias(1)
"""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator

from pillarbox.net.system_clock import SystemClock
from pillarbox.tables.berkeley_writing import WriteFault
from pillarbox.tables.database_writing import WRITABLE, DatabaseWriter, written
from pillarbox.tables.file_values import FileValueFault
from pillarbox.tables.indexed_table import INDEX_KINDS, Nulls
from pillarbox.tables.opening import table_types
from pillarbox.tables.table import Keys, octets_of
from pillarbox.tools.command_settings import Stop
from pillarbox.tools.table_queries import NO_REASON
from pillarbox.tools.table_request import Request


def build(request: Request, name: str) -> None:
    """Make or add to the database of `type:path`."""
    kind, _, path = name.partition(":")
    if kind == "proxy" and not request.incremental:
        raise Stop("can't create maps via the proxy service")
    content, status = _source(request, path)
    if kind not in WRITABLE:
        raise Stop(f"table {name}: write error: {NO_REASON}" if kind == "fail" else not_writable(kind))
    mode = 0o644
    if request.copy_mode and stat.S_ISREG(status.st_mode):
        mode &= ~(0o022 | (~status.st_mode & 0o077))
    shown = "stdin" if request.incremental else path
    try:
        with (
            _rights_of(status, wanted=request.as_owner),
            written(
                kind, path, keep=request.incremental, create=True, mode=mode, size_hint=len(content)
            ) as writer,
        ):
            _Builder(request, name, writer).add_all(content, shown)
    except OSError as error:
        where = error.filename or path + INDEX_KINDS[kind].suffix
        raise Stop(f"open database {where}: {error.strerror}") from error
    except WriteFault as fault:
        raise Stop(f"error updating {name}: {fault}" if kind == "lmdb" else str(fault)) from fault


def not_writable(kind: str) -> str:
    """Why no file of this type can be made or changed."""
    if kind not in table_types():
        return f"unsupported dictionary type: {kind}. Is the postfix-{kind} package installed?"
    return f"unsupported dictionary type: {kind} does not support bulk-mode creation."


class _Builder:
    """Entries into a database."""

    def __init__(self, request: Request, name: str, writer: DatabaseWriter) -> None:
        self._request = request
        self._writer = writer
        self._opening = request.opening()
        self._keys = Keys(name, self._opening)
        self._end = b"" if request.nulls is Nulls.WITHOUT else b"\0"
        kind, _, path = name.partition(":")
        # What the original calls the table in its warning of a key that comes twice.
        self._shown = name if kind == "lmdb" else path + INDEX_KINDS[kind].suffix
        self._replace = request.duplicates.replace

    def add_all(self, content: str, path: str) -> None:
        """All entries of a source."""
        request = self._request
        for line, key, value in request.command.entries(content, path=path, opening=self._opening):
            folded = self._keys.folded(key)
            if folded is not None:
                try:
                    self._add(folded, self._opening.value(value), self._end)
                except FileValueFault as fault:
                    request.warn(f"{path}, line {line}: {fault}: skipping this entry")
        if request.command.signs_aliases:
            self._sign()

    def _sign(self) -> None:
        """sendmail's sign of a complete database, and NIS's keys, which must not end in a NUL."""
        self._replace = self._replace or self._request.incremental
        self._add("@", "@", self._end)
        self._add("YP_LAST_MODIFIED", f"{int(SystemClock().now()):010d}", b"")
        self._add("YP_MASTER_NAME", self._request.myhostname, b"")

    def _add(self, key: str, value: str, end: bytes) -> None:
        stored = self._writer.put(octets_of(key) + end, octets_of(value) + end, replace=self._replace)
        if not stored and self._request.duplicates.warn:
            self._request.warn(f'{self._shown}: duplicate entry: "{key}"')


def _source(request: Request, path: str) -> tuple[str, os.stat_result]:
    if request.incremental:
        content, status = sys.stdin.buffer.read(), os.fstat(sys.stdin.fileno())
    else:
        try:
            with open(path, "rb") as file:
                content, status = file.read(), os.fstat(file.fileno())
        except OSError as error:
            raise Stop(f"open {path}: {error.strerror}") from error
    return content.decode("utf-8", "surrogateescape"), status


@contextlib.contextmanager
def _rights_of(status: os.stat_result, *, wanted: bool) -> Iterator[None]:
    """Be the owner of the source for a while, if we are root."""
    if not wanted or os.getuid() != 0 or (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid()):
        yield
        return
    groups = os.getgroups()
    os.setgroups([status.st_gid])
    os.setegid(status.st_gid)
    os.seteuid(status.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
