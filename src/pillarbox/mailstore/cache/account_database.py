"""A database of an account that may be lost: SQLite beside the mail, never the only copy of anything.

DESCRIPTION
    One file in the account's cache directory, the Maildir itself or one of its own (INDEX=), of a name that Dovecot
    passes over.  It may be deleted, damaged or of another version at any moment: then it is made anew, and filled
    again as it is used.  `attempt` raises for no broken database; it finds nothing.

    Written in WAL mode without fsync per commit (synchronous=NORMAL): a crash may lose the last rows, not
    mix them up.  `trusted_schema` is off, since the file belongs to the user.  Methods block; a connection
    is used by one thread at a time, the file by several processes.

STANDARDS
    https://www.sqlite.org/security.html (untrusted database files)
"""

import os
import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import apsw

CHECKPOINT: Final = 16_000
"""Pages of the log at which it is worked into the database (64 MiB), or when the account is closed.

SQLite's own 1,000 make a client that looks at a new mailbox wait for ten fsyncs.
"""

_T = TypeVar("_T")


class DamagedRow(Exception):
    """What is in the database is not what was put there."""


class AccountDatabase:
    """One file."""

    def __init__(
        self, directory: str, name: str, *, schema: str, version: int, makes_directory: bool
    ) -> None:
        """`version` is of the tables and of what is put there; another version's file is thrown away.

        `makes_directory`: if it is missing.  One that is the Maildir itself is not made for what may be lost.
        """
        self.directory = directory
        self._path = os.path.join(directory, name)
        self._schema = schema
        self._version = version
        self._makes_directory = makes_directory
        self._lock = threading.Lock()
        self._connection: apsw.Connection | None = None
        self._is_closed = False

    def close(self) -> None:
        """Give back the file."""
        with self._lock:
            self._is_closed = True
            self._drop()

    def attempt(self, use: Callable[[apsw.Connection], _T], default: _T) -> _T:
        """Use the database; if it is broken, make it anew and try once more."""
        with self._lock:
            for _ in range(2):
                try:
                    return use(self._open())
                except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, apsw.FormatError, DamagedRow):
                    self._drop()
                    self._delete()
                except (apsw.Error, OSError):  # busy, disk full, not writable: no cache this time
                    return default
            return default

    def exists(self) -> bool:
        """Whether there is such a file: one that nobody needs need not be made."""
        return self._connection is not None or os.path.exists(self._path)

    def _open(self) -> apsw.Connection:
        if self._connection is None:
            if self._is_closed:
                raise apsw.ConnectionClosedError
            connection = self._connect()
            if connection.pragma("user_version") != self._version:
                connection.close()
                self._delete()
                connection = self._connect()
                with connection:
                    connection.execute(self._schema)
                    connection.pragma("user_version", self._version)
            self._connection = connection
        return self._connection

    def _connect(self) -> apsw.Connection:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_NOFOLLOW
        if self._makes_directory:
            os.makedirs(self.directory, 0o700, exist_ok=True)
        # SQLite would make it readable for others; its -wal and -shm get the mode of the database.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        connection = apsw.Connection(self._path, flags=flags)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        connection.set_busy_timeout(1000)
        connection.pragma("cell_size_check", True)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "normal")
        connection.pragma("wal_autocheckpoint", CHECKPOINT)
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(True)

    def _delete(self) -> None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            try:
                os.unlink(self._path + suffix)
            except OSError:
                continue


def run(connection: apsw.Connection, statement: str, rows: Sequence[tuple[int | bytes | str, ...]]) -> None:
    """One statement for each of the rows."""
    connection.executemany(statement, rows)
