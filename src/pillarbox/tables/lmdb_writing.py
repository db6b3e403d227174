"""LMDB files, written by py-lmdb: for commands, and for the cache of verified addresses.

FAULTS
    WriteFault  the library's refusal: a key longer than 511 octets

STANDARDS
    LMDB 0.9; Postfix lmdb_table(5): one file, locked by the caller
"""

from typing import Final

import lmdb

from pillarbox.tables.berkeley_writing import WriteFault

_LEAST_MAP: Final = 16 << 20  # lmdb_map_size
_MAP_PER_OCTET: Final = 16  # what pages, and a tree that splits them, may need at most


class LmdbWriter:
    """A `DatabaseWriter`.  All that is written is one transaction."""

    def __init__(self, path: str, *, size_hint: int) -> None:
        self._environment = lmdb.open(
            path, map_size=_LEAST_MAP + size_hint * _MAP_PER_OCTET, subdir=False, lock=False, sync=False
        )
        self._transaction = self._environment.begin(write=True)

    def put(self, key: bytes, value: bytes, *, replace: bool) -> bool:
        """Store a value; False if there is one for this key and it is not to be replaced."""
        try:
            return bool(self._transaction.put(key, value, overwrite=replace))
        except lmdb.Error as error:
            raise _refusal(error) from error

    def delete(self, key: bytes) -> bool:
        """Take a key away; False if there was none."""
        if not key:
            return False  # no file holds an empty one: the library calls the question wrong
        try:
            return bool(self._transaction.delete(key))
        except lmdb.Error as error:
            raise _refusal(error) from error

    def close(self) -> None:
        """Write out everything."""
        self._transaction.commit()
        self._environment.close()


def _refusal(error: lmdb.Error) -> WriteFault:
    """The library's reason, without the name of its function."""
    text = str(error)
    return WriteFault(text.partition(": ")[2] if text.startswith("mdb_") else text)
