"""Types of lookup tables that Postfix may have and this system has not.

DESCRIPTION
    A start with such a table is refused, as without it mail would be refused, or go elsewhere than it should.
    `unserved_table()` finds the first in a value, so that this is told with the parameter's file and line before
    any role is started; tables within tables (`pipemap:{ … }`) and behind `proxy:` count.

STANDARDS
    DATABASE_README
"""

import re
from typing import Final

_SQL: Final = (
    "sqlite: tables have the same parameters; tcp: and socketmap: ask a server that asks the database"
)
_SERVER: Final = "tcp: and socketmap: ask a server that looks it up"
_FILE: Final = "hash:, btree: and lmdb: are made of the same files, by postmap(1)"

UNSERVED_TABLES: Final[dict[str, str]] = {
    "cdb": _FILE,
    "dbm": _FILE,
    "hesiod": _SERVER,
    "ldap": _SERVER,
    "memcache": _SERVER,
    "mongodb": _SERVER,
    "mysql": _SQL,
    "netinfo": _SERVER,
    "nis": _SERVER,
    "nisplus": _SERVER,
    "pgsql": _SQL,
    "sdbm": _FILE,
}
"""Type → what can be had instead."""

_NAMED: Final = re.compile(rf"(?:^|[\s,{{!:])({'|'.join(UNSERVED_TABLES)}):(?=[^\s,])")


def unserved_table(text: str) -> str | None:
    """The type of the first such table that a value names."""
    found = _NAMED.search(text)
    return None if found is None else found[1]
