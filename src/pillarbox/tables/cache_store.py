"""address_verify_map, smtp_sasl_auth_cache_name: where what a process has learnt outlives it.

DESCRIPTION
    All records are in memory; what has changed is written to the database in one step, from time to time or at
    once, so that a crash loses some seconds of results and never the database.  Postfix reads the same file.

FAULTS
    ConfigurationFault  at start: a type that cannot be written, or one whose library is missing
    StoreFault          the database cannot be read or written; what is in memory counts
"""

import importlib
import os
from collections.abc import Mapping
from typing import Final

from pillarbox.tables.berkeley_writing import WriteFault
from pillarbox.tables.database_writing import WRITABLE, written
from pillarbox.tables.indexed_table import INDEX_KINDS
from pillarbox.tables.page_reading import DamagedDatabase, OpenFile
from pillarbox.vocabulary.faults import ConfigurationFault

_CLEANED: Final = b"_LAST_CACHE_CLEANUP_COMPLETED_"
"""dict_cache(3)'s record of when expired entries were removed the last time."""


class StoreFault(Exception):
    """The database cannot be used; `str()` is for the log."""


class MemoryStore:
    """Nothing outlives the process (the parameter is empty)."""

    name = "internal:verify"

    def load(self) -> dict[bytes, bytes]:
        """Nothing."""
        return {}

    def write(self, changes: Mapping[bytes, bytes | None], *, cleaned: float | None = None) -> None:
        """Nowhere."""


class DatabaseStore:
    """`btree:name`, `hash:name` or `lmdb:name`"""

    def __init__(self, kind: str, path: str) -> None:
        self.name = f"{kind}:{path}"
        self._kind = kind
        self._path = path

    def load(self) -> dict[bytes, bytes]:
        """All records by key.  StoreFault."""
        kind = INDEX_KINDS[self._kind]
        try:
            descriptor = os.open(self._path + kind.suffix, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StoreFault(f"open database {self._path}{kind.suffix}: {error.strerror}") from error
        try:
            found = {
                key.removesuffix(b"\0"): value.removesuffix(b"\0")
                for key, value in kind.reader(OpenFile(descriptor)).items()
            }
        except (DamagedDatabase, OSError) as error:
            raise StoreFault(f"database {self._path}{kind.suffix}: {error}") from error
        finally:
            os.close(descriptor)
        found.pop(_CLEANED, None)
        return found

    def write(self, changes: Mapping[bytes, bytes | None], *, cleaned: float | None = None) -> None:
        """Store values, and take away those that are None.  StoreFault."""
        try:
            with written(self._kind, self._path, keep=True, create=True) as writer:
                for key, value in changes.items():
                    if value is None:
                        writer.delete(key + b"\0")
                        writer.delete(key)
                    else:
                        writer.put(key + b"\0", value + b"\0", replace=True)
                if cleaned is not None:
                    writer.put(_CLEANED + b"\0", b"%d\0" % int(cleaned), replace=True)
        except (OSError, WriteFault) as error:
            raise StoreFault(f"database {self.name}: {error}") from error


Store = MemoryStore | DatabaseStore


def open_store(name: str, *, where: str) -> Store:
    """The store that a parameter names.  ConfigurationFault."""
    if not name:
        return MemoryStore()
    kind, colon, path = name.removeprefix("proxy:").partition(":")
    if not colon or not path or kind not in WRITABLE:
        raise ConfigurationFault(
            where, f"{name}: a cache cannot be kept in such a table", mend="btree:, hash: or lmdb: and a name"
        )
    if kind == "lmdb":  # nothing is loaded after rights were dropped
        importlib.import_module("pillarbox.tables.lmdb_writing")
    return DatabaseStore(kind, path)
