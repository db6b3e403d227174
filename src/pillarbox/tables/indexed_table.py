"""hash:, btree: and lmdb: tables: files that postmap(1) and postalias(1) make, with a suffix to the name.

DESCRIPTION
    Keys and values usually end in a NUL; a table may have both kinds, so that both are asked for.

    A small file is kept in memory, as a dict; of a large one the few pages are read that a key needs.  Each
    query looks at the open file's times: Postfix's postmap rewrites the file in place, ours (and an admin) puts
    another one under the name.  Then it is read anew; a file that may not be opened any more waits for the next
    generation of the role.

    While postmap writes in place it has a lock on the file.  A query does not wait for it: a table in memory
    answers from what it has, another one is `LookupFault` for the moment.

FAULTS
    OSError          at open
    DamagedDatabase  at open
    LookupFault      at query: a file that has become damaged, or one that is being written
    warnings         the database is older than its source

STANDARDS
    DATABASE_README; Postfix locks Berkeley DB files by flock(2) and LMDB files by fcntl(2)
"""

import fcntl
import os
from collections.abc import Callable
from enum import Enum
from typing import Final

import msgspec

from pillarbox.tables.berkeley_btree import BtreeFile
from pillarbox.tables.berkeley_hash import HashFile
from pillarbox.tables.lmdb_pages import LmdbFile
from pillarbox.tables.page_reading import (
    DamagedDatabase,
    DatabaseReader,
    FileInMemory,
    OpenFile,
    ReadAt,
)
from pillarbox.tables.table import Keys, LookupFault, Opening, octets_of, text_of

IN_MEMORY: Final = 4 << 20
"""Octets of a file that is kept in memory."""

_HOT_SECONDS: Final = 100
"""How long a source may be newer than its database without a warning: postmap may be at work."""


class IndexKind(msgspec.Struct, frozen=True):
    """A type of file."""

    suffix: str
    reader: Callable[[ReadAt], DatabaseReader]
    lock: Callable[[int, int], object]


INDEX_KINDS: Final[dict[str, IndexKind]] = {
    "btree": IndexKind(".db", BtreeFile, fcntl.flock),
    "hash": IndexKind(".db", HashFile, fcntl.flock),
    "lmdb": IndexKind(".lmdb", LmdbFile, fcntl.lockf),
}


def dictionary_name(name: str) -> str:
    """A table as Postfix's libraries call it: one of Berkeley DB by its file."""
    kind = name.partition(":")[0]
    return name + INDEX_KINDS[kind].suffix if kind in ("btree", "hash") else name


class Nulls(Enum):
    """Whether keys are looked for with a NUL at their end."""

    EITHER = (b"\0", b"")
    WITH = (b"\0",)
    WITHOUT = (b"",)


class IndexedTable:
    """`hash:/path`, `btree:/path`, `lmdb:/path`"""

    partial_keys = True

    def __init__(
        self,
        kind: str,
        path: str,
        *,
        opening: Opening,
        nulls: Nulls = Nulls.EITHER,
        in_memory: int = IN_MEMORY,
    ) -> None:
        self.name = f"{kind}:{path}"
        self.path = path + INDEX_KINDS[kind].suffix
        self._kind = INDEX_KINDS[kind]
        self._keys = Keys(self.name, opening)
        self._ends = nulls.value
        self._in_memory = in_memory
        self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self._version = _version(os.fstat(self._descriptor))
        self._values: dict[bytes, bytes] | None = None
        self._damage = ""
        self._load(wait=True)
        if self._damage:
            os.close(self._descriptor)
            raise DamagedDatabase(self._damage)
        status = os.fstat(self._descriptor)
        self.owner_uid = status.st_uid
        try:
            source = os.stat(path).st_mtime
        except OSError:
            return  # a database without its source is as good
        if status.st_mtime < source < opening.clock.now() - _HOT_SECONDS:
            opening.warn(f"database {self.path} is older than source file {path}")

    def close(self) -> None:
        """No more questions."""
        os.close(self._descriptor)

    def query(self, key: str) -> str | None:
        """The value of a key."""
        folded = self._keys.folded(key)
        if folded is None:
            return None
        status = os.fstat(self._descriptor)
        if _version(status) != self._version:
            self._refresh(replaced=status.st_nlink == 0)
        value = self._find(octets_of(folded))
        return None if value is None else self._keys.checked(folded, text_of(value))

    def items(self) -> list[tuple[bytes, bytes]]:
        """All keys and values as they stand in the file."""
        if self._values is not None:
            return list(self._values.items())
        try:
            return list(self._kind.reader(OpenFile(self._descriptor)).items())
        except DamagedDatabase as damage:
            raise LookupFault(self.name, str(damage)) from damage

    def _find(self, key: bytes) -> bytes | None:
        if self._values is not None:
            for end in self._ends:
                if (value := self._values.get(key + end)) is not None:
                    return value
            return None
        if self._damage:
            raise LookupFault(self.name, self._damage)
        return self._find_in_pages(key)

    def _find_in_pages(self, key: bytes) -> bytes | None:
        try:
            self._kind.lock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as busy:
            raise LookupFault(self.name, "the database is being written") from busy
        try:
            reader = self._kind.reader(OpenFile(self._descriptor))
            for end in self._ends:
                if (value := reader.get(key + end)) is not None:
                    return value
            return None
        except DamagedDatabase as damage:
            raise LookupFault(self.name, str(damage)) from damage
        finally:
            self._kind.lock(self._descriptor, fcntl.LOCK_UN)

    def _refresh(self, *, replaced: bool) -> None:
        if replaced:
            try:
                descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return  # not ours to read any more, or between unlink and rename
            os.close(self._descriptor)
            self._descriptor = descriptor
        self._load(wait=False)

    def _load(self, *, wait: bool) -> None:
        """Read the file if it is small; note what version this is."""
        try:
            self._kind.lock(self._descriptor, fcntl.LOCK_SH | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            return  # the next query tries again
        try:
            status = os.fstat(self._descriptor)
            self._version = _version(status)
            self._values, self._damage = None, ""
            if status.st_size <= self._in_memory:
                content = os.pread(self._descriptor, status.st_size, 0)
                self._values = dict(self._kind.reader(FileInMemory(content)).items())
            else:
                self._kind.reader(OpenFile(self._descriptor))
        except DamagedDatabase as damage:
            self._damage = str(damage)
        finally:
            self._kind.lock(self._descriptor, fcntl.LOCK_UN)


def _version(status: os.stat_result) -> tuple[int, int, bool]:
    return status.st_mtime_ns, status.st_size, status.st_nlink == 0
