"""Who there is, whether a password is right, and what a user's mail account needs: passdb and userdb.

DESCRIPTION
    `UserDatabase` is asked by the auth role.  `passwd_file` is one implementation, `memory` its twin for tests.
    A user name is folded to lower case (auth_username_format %Lu).

FAULTS
    DatabaseFault  the database cannot answer now: logins fail for the time being, nobody is refused for good
"""

from typing import Protocol

import msgspec

from pillarbox.vocabulary.secret import Secret


class DatabaseFault(Exception):
    """No answer now; `str()` is for the log."""


class UserAccount(msgspec.Struct, frozen=True):
    """What the userdb says of a user."""

    user: str
    uid: int
    gid: int
    home: str
    fields: tuple[tuple[str, str], ...] = ()


class UserDatabase(Protocol):
    """Users of one source."""

    driver: str  # for log lines: passwd-file

    def check(self, user: str, password: Secret) -> str | None:
        """None if the password is right, else why not: "unknown user" or "Password mismatch".  May take long."""
        ...

    def account(self, user: str) -> UserAccount | None:
        """The user's account; None if there is no such user."""
        ...

    def users(self) -> list[str]:
        """All users."""
        ...
