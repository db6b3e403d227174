"""What the authorized_* parameters let a user do.

DESCRIPTION
    A list holds login names, `!name` and tables, in order; the first that matches decides.  A user who has no name
    is `unknown`.

FAULTS
    ConfigurationFault  at open: a table that cannot be opened
    LookupFault         a table that cannot answer

STANDARDS
    postconf(5): authorized_mailq_users, authorized_flush_users, authorized_submit_users
"""

import os
import pwd

from pillarbox.config.parameters.local_submission import LocalSubmission
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import MatchList
from pillarbox.tables.opening import open_table
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.clock import Clock


class AuthorizedUsers:
    """One list, its tables opened."""

    def __init__(self, listed: MatchList, *, where: str, clock: Clock) -> None:
        self._entries: list[tuple[str, LookupTable | None, bool]] = [
            (
                pattern.text,
                open_table(pattern.text, where=where, clock=clock) if pattern.is_table else None,
                not pattern.negated,
            )
            for pattern in listed.patterns
        ]

    @classmethod
    def of(cls, snapshot: Snapshot, parameter: str, *, clock: Clock) -> "AuthorizedUsers":
        """The list of one parameter."""
        listed: MatchList = getattr(snapshot.group(LocalSubmission), parameter)
        return cls(listed, where=snapshot.place_of(parameter), clock=clock)

    def may(self, uid: int) -> bool:
        """Root and the process's own user always may."""
        if uid in (0, os.geteuid()):
            return True
        name = user_name(uid)
        for text, table, wanted in self._entries:
            if table.query(name) is not None if table is not None else text.lower() == name.lower():
                return wanted
        return False


def user_name(uid: int) -> str:
    """The login name of a user."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "unknown"
