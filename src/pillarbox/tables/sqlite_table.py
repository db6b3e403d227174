"""sqlite: tables, questions in SQL to a database in a file.

DESCRIPTION
        sqlite:/path        a file of parameters, of which dbpath is the database's path (lookup_parameters.py)

    The database is opened with the rights that a role begins with, and nothing is ever written to it: neither is
    it made if it is not there, nor can a query change it.  A database that somebody is writing to is waited for as
    long as clients may be kept waiting.  Of several statements in a query the first counts.

FAULTS
    ConfigurationFault  at open: what is wrong with the parameters; no such database
    LookupFault         the query is wrong, the database locked or damaged, or more values than expansion_limit;
                        a warning says which

STANDARDS
    sqlite_table(5)
"""

import sqlite3
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from pillarbox.tables.lookup_parameters import LookupParameters
from pillarbox.tables.lookup_template import TooManyValues
from pillarbox.tables.table import Keys, LookupFault, LookupTable, Opening, text_of
from pillarbox.vocabulary.utf8 import is_utf8

_PATIENCE: Final = 0.2
"""Seconds that a lock is waited for; Postfix does not wait."""
_PREPARING: Final = frozenset((sqlite3.SQLITE_ERROR, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_AUTH))
"""What is found out before the first row."""


class SqliteTable:
    """`sqlite:/path`"""

    partial_keys = True

    def __init__(self, path: str, opening: Opening) -> None:
        from pillarbox.tables.opening import open_with

        parameters = LookupParameters("sqlite", path, opening)
        self.name = f"sqlite:{path}"
        self.owner_uid = parameters.owner_uid
        self._path = path
        self._warn = opening.warn
        self._keys = Keys(self.name, opening)
        database = parameters.needed("dbpath")
        self._templates = parameters.templates()
        self._limit = parameters.number("expansion_limit", 0)
        self._domains = parameters.domains(open_with)
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(database)}?mode=rw",
                uri=True,
                timeout=_PATIENCE,
                isolation_level=None,
                check_same_thread=False,  # one thread at a time asks
            )
            self._connection.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            raise parameters.fault(
                f"{self.name}: Can't open database: {error}", mend=f"it is {database}"
            ) from error
        self._connection.text_factory = bytes

    def query(self, key: str) -> str | None:
        """The values of a key.  LookupFault."""
        folded = self._keys.folded(key)
        if folded is None or "\0" in folded or not is_utf8(folded):
            return None
        if self._domains is not None and not self._domains.has(folded):
            return None
        question = self._templates.question(folded, _quoted)
        if question is None:
            return None
        try:
            return self._keys.checked(
                key, self._templates.answer(self._values(question), folded, limit=self._limit)
            )
        except TooManyValues:
            raise self._failed(f"Expansion limit exceeded for key '{folded}'") from None
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            step = (
                "SQL prepare failed"
                if code & 0xFF in _PREPARING
                else f"SQL step failed for query '{question}'"
            )
            raise self._failed(f"{step}: {error}") from error

    def _values(self, question: str) -> Iterator[str | None]:
        """The first column of each row, as the library's text of it."""
        cursor = self._connection.execute(_first_statement(question))
        try:
            for row in cursor:
                yield self._text(row[0])
        finally:
            cursor.close()

    def _text(self, value: bytes | float | int | None) -> str | None:
        if isinstance(value, float):
            value = self._connection.execute("SELECT CAST(? AS TEXT)", (value,)).fetchone()[0]
        if isinstance(value, bytes):
            return text_of(value)
        return None if value is None else str(value)

    def _failed(self, reason: str) -> LookupFault:
        self._warn(f"dict_sqlite_lookup: {self._path}: {reason}")
        return LookupFault(self.name, reason)


def open_sqlite(path: str, opening: Opening) -> LookupTable:
    """`sqlite:/path`"""
    return SqliteTable(path, opening)


def _quoted(text: str) -> str:
    """What stands between two single quotes."""
    return text.replace("'", "''")


def _first_statement(text: str) -> str:
    end = text.find(";")
    while end >= 0:
        if sqlite3.complete_statement(text[: end + 1]):
            return text[: end + 1]
        end = text.find(";", end + 1)
    return text
