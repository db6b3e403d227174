"""unix: tables: the system's users and groups, as local_recipient_maps asks for them.

DESCRIPTION
        unix:passwd.byname   name → a line as in /etc/passwd
        unix:group.byname    name → a line as in /etc/group

    Names are folded to lower case.

FAULTS
    ConfigurationFault  another name than these two
    LookupFault         the name service cannot be reached: getpwnam(3) gave an error, not an empty answer

STANDARDS
    DATABASE_README
"""

import errno
import grp
import pwd
from collections.abc import Callable
from typing import Final

from pillarbox.tables.table import Keys, LookupFault, Opening
from pillarbox.vocabulary.faults import ConfigurationFault

_NOT_FOUND: Final = frozenset((0, errno.ENOENT, errno.ESRCH, errno.EBADF, errno.EPERM))


def _passwd(name: str) -> str:
    entry = pwd.getpwnam(name)
    fields = (
        entry.pw_name,
        entry.pw_passwd,
        str(entry.pw_uid),
        str(entry.pw_gid),
        entry.pw_gecos,
        entry.pw_dir,
        entry.pw_shell,
    )
    return ":".join(fields)


def _group(name: str) -> str:
    entry = grp.getgrnam(name)
    return ":".join((entry.gr_name, entry.gr_passwd or "", str(entry.gr_gid), ",".join(entry.gr_mem)))


_LOOKUPS: Final[dict[str, Callable[[str], str]]] = {"passwd.byname": _passwd, "group.byname": _group}


class AccountTable:
    """`unix:passwd.byname`, `unix:group.byname`"""

    partial_keys = True
    owner_uid = 0

    def __init__(self, name: str, opening: Opening) -> None:
        self.name = f"unix:{name}"
        found = _LOOKUPS.get(name)
        if found is None:
            raise ConfigurationFault(
                opening.where, f"unknown table: {self.name}", mend=f"one of {', '.join(sorted(_LOOKUPS))}"
            )
        self._lookup = found
        self._keys = Keys(self.name, opening)

    def query(self, key: str) -> str | None:
        """The line of a user or group."""
        folded = self._keys.folded(key)
        if not folded or "\0" in folded:
            return None
        try:
            return self._lookup(folded)
        except KeyError:
            return None
        except OSError as error:
            if error.errno in _NOT_FOUND:
                return None
            raise LookupFault(self.name, error.strerror or "no answer") from error
