"""Lookup tables: `type:name`, asked for a key.

DESCRIPTION
    A table has two phases.  `opening.open_table()` may need rights (a file only root can read) and happens
    before a role drops its own; `query()` happens after.  A miss is `None`; a table that cannot answer raises
    `LookupFault`, because an error is never a miss: mail is deferred, not bounced, while a database is away.

    Some tables notice that their file has changed and read it anew; what cannot be read with the role's
    rights waits for a new generation of the role.

    Keys and values are text; octets that are not UTF-8 are surrogates.  While UTF-8 is asked for (`Opening.utf8`,
    smtputf8_enable), such a key is never found, and such a value is a fault, as in Postfix.

FAULTS
    ConfigurationFault  at open: unknown type, missing file, bad syntax (the parameter's file and line are named)
    LookupFault         at query: the table cannot answer now
    `Opening.warn`      a line of a table that is skipped, a database older than its source
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.tables.file_values import encoded_files
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault, TemporaryFault
from pillarbox.vocabulary.status import EnhancedStatus
from pillarbox.vocabulary.utf8 import is_utf8


class LookupFault(TemporaryFault):
    """A table cannot answer now: `451 4.3.0 <key>: Temporary lookup failure`."""

    def __init__(self, table: str, reason: str) -> None:
        super().__init__(
            EnhancedStatus(4, 3, 0),
            "Temporary lookup failure",
            reason=f"table lookup problem: {table}" + (f": {reason}" if reason else ""),
        )
        self.table = table
        self.detail = reason
        self.key = ""  # that was asked for, if it is known
        self.about = b""  # the address that it is about, if not that of the command
        self.program = ""  # whose log line it is, if not that of the program that runs
        self.is_told = False  # the log has it

    @property
    def lines(self) -> list[str]:
        """What the log is to have of it."""
        return self.reason.split("\n") if self.reason and not self.is_told else []


class LookupTable(Protocol):
    """One opened table."""

    name: str  # `type:name` as configured
    partial_keys: bool  # whether lookups by parts of an address make sense (not for regular expressions)
    owner_uid: int  # whose file it is; 0 for what only root could have written, such as text of main.cf

    def query(self, key: str) -> str | None:
        """The value of a key; None if there is none.  LookupFault if the table cannot answer."""
        ...


def is_fixed(table: LookupTable) -> bool:
    """Whether a table was read once, so that it answers a question always in the same way."""
    return getattr(table, "is_fixed", False)


Warn = Callable[[str], None]
"""Told of what an admin should mend, in Postfix's words."""


def ignore_warning(text: str) -> None:
    """For callers whose tables have no files, and for tests."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """How tables are opened."""

    where: str  # of the parameter, for ConfigurationFault
    clock: Clock
    warn: Warn = ignore_warning
    utf8: bool = True  # smtputf8_enable
    substitutes: bool = True  # what a pattern matched may be part of an answer
    sensitive: bool = False  # an answer says whose file or command there is to be: nobody else may say that
    fold: bool = True  # keys of fixed strings are folded to lower case
    files: bool = False  # values name files, whose content is given (file_values.py)
    file_system: FileSystem = DISK

    def refuse_unauthenticated(self, name: str) -> None:
        """ConfigurationFault for a server that anybody could be, where answers name users, files or commands."""
        if self.sensitive:
            raise ConfigurationFault(self.where, f"{name} map is not allowed for security-sensitive data")

    def value(self, text: str) -> str:
        """What a table gives for a value of its text.  FileValueFault."""
        return encoded_files(text, files=self.file_system) if self.files else text


def octets_of(text: str) -> bytes:
    """The octets that the text was read from."""
    return text.encode("utf-8", "surrogateescape")


def text_of(octets: bytes) -> str:
    """Octets of a table as text, up to the first NUL: to Postfix, these are C strings."""
    return octets.partition(b"\0")[0].decode("utf-8", "surrogateescape")


class Keys:
    """What becomes of a key before a table is asked, and of a value before it is given out."""

    __slots__ = ("_fold", "_name", "_utf8", "_warn")

    def __init__(self, name: str, opening: Opening, *, fold: bool = True) -> None:
        self._name = name
        self._utf8 = opening.utf8
        self._fold = fold and opening.fold
        self._warn = opening.warn

    def folded(self, key: str) -> str | None:
        """The key to look for; None if it cannot be in any table."""
        if key.isascii():
            return key.lower() if self._fold else key
        if not self._utf8:
            return octets_of(key).lower().decode("utf-8", "surrogateescape") if self._fold else key
        if not is_utf8(key):
            self._warn(f'{self._name}: non-UTF-8 key "{key}": {_NOT_UTF8}')
            return None
        return key.casefold() if self._fold else key

    def checked(self, key: str, value: str | None) -> str | None:
        """The value, unless it is not UTF-8 and has to be."""
        if value is None or not self._utf8 or is_utf8(value):
            return value
        self._warn(f'{self._name}: key "{key}": non-UTF-8 value "{value}": {_NOT_UTF8}')
        raise LookupFault(self._name, "a value that is not UTF-8")


_NOT_UTF8 = "malformed UTF-8 or invalid codepoint"
