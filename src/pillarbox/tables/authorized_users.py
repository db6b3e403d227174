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
from collections.abc import Collection

from pillarbox.config.parameters.local_submission import LocalSubmission
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import MatchList
from pillarbox.tables.opening import open_table
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.clock import Clock


class AuthorizedUsers:
    """One list, its tables opened."""

    def __init__(self, listed: MatchList, *, where: str, clock: Clock, exempt: Collection[int] = ()) -> None:
        """`exempt` are uids that are not looked up."""
        self._exempt = frozenset(exempt)
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
        """The list of one parameter.  Root and the queue's owner may list and flush, whatever it says."""
        listed: MatchList = getattr(snapshot.group(LocalSubmission), parameter)
        exempt = () if parameter == "authorized_submit_users" else (0, *_owner(snapshot))
        return cls(listed, where=snapshot.place_of(parameter), clock=clock, exempt=exempt)

    def may(self, uid: int) -> bool:
        """Whether he may."""
        if uid in self._exempt:
            return True
        name = user_name(uid)
        for text, table, wanted in self._entries:
            if table.query(name) is not None if table is not None else text.lower() == name.lower():
                return wanted
        return False


def _owner(snapshot: Snapshot) -> tuple[int, ...]:
    try:
        return (os.stat(os.path.join(snapshot.group(Paths).queue_directory, "active")).st_uid,)
    except OSError:
        return ()


def user_name(uid: int) -> str:
    """The login name of a user."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "unknown"
