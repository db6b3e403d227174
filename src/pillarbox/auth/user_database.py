"""Who there is, whether a password is right, and what a user's mail account needs: passdb and userdb.

DESCRIPTION
    A `PasswordDatabase` is asked whether a password is right, a `UserDatabase` for the account behind a name.
    `password_chain.py` and `account_chain.py` ask several of them in the order of the configuration.

    Names come here as `login_names.py` has made them: of the allowed characters, folded by
    auth_username_format.

FAULTS
    DatabaseFault  the database cannot answer now: logins fail for the time being, nobody is refused for good
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from pillarbox.config.dovecot.variables import field_values, user_values
from pillarbox.vocabulary.secret import Secret


class DatabaseFault(Exception):
    """No answer now; `str()` is for the log."""


class UnusablePassword(DatabaseFault):
    """What is stored for the user is no password that could be compared: he is refused, and the admin told."""


class LoginRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and from where."""

    user: str
    service: str = ""
    remote: str = ""
    local: str = ""
    session: str = ""
    mechanism: str = "PLAIN"
    secured: bool = False
    passdb: Mapping[str, str] = {}
    """Extra fields that passdbs have given so far: `%{passdb:NAME}`."""
    userdb: Mapping[str, str] = {}
    """Fields of the account so far: `%{userdb:NAME}`."""
    facts: Mapping[str, str] = {}
    """What else is known of the client and of the login, by the names of variables: ports, other names."""

    def values(self) -> dict[str, str]:
        """What %-variables stand for."""
        own = {
            "service": self.service,
            "rip": self.remote,
            "lip": self.local,
            "session": self.session,
            "mechanism": self.mechanism,
            "secured": "secured" if self.secured else "",
        }
        of_databases = field_values("passdb", self.passdb) | field_values("userdb", self.userdb)
        return {**user_values(self.user), **own, **self.facts, **of_databases}


class PasswordRight(msgspec.Struct, frozen=True):
    """It is; with what the database says of the user besides."""

    fields: Mapping[str, str] = {}


class PasswordWrong(msgspec.Struct, frozen=True):
    """It is not; `reason` for the log, `message` for the client if it may hear one.

    `expired`: it was right once, or the account is closed by now.
    """

    reason: str
    message: str = ""
    no_delay: bool = False
    """Whether the client hears of it at once (extra field nodelay)."""
    fields: Mapping[str, str] = {}
    """What the database says of the user all the same."""
    expired: bool = False
    disabled: bool = False
    """Whether it is right, but not for this."""
    more_at: str = ""
    """Where a client hears more of its token (RFC 7628 §3.2.2)."""


class UnknownUser(msgspec.Struct, frozen=True):
    """No such user."""

    reason: str = "unknown user"
    message: str = ""
    more_at: str = ""
    """As in PasswordWrong."""


Verdict = PasswordRight | PasswordWrong | UnknownUser


class StoredPassword(msgspec.Struct, frozen=True):
    """What a database has stored for a user: `{SCHEME}text`."""

    password: Secret
    fields: Mapping[str, str] = {}


class UserAccount(msgspec.Struct, frozen=True):
    """What the userdb says of a user."""

    user: str
    uid: int
    gid: int
    home: str
    fields: tuple[tuple[str, str], ...] = ()


class PasswordDatabase(Protocol):
    """passdb of one source."""

    driver: str  # for log lines: passwd-file

    def lookup_text(self, request: LoginRequest) -> str:
        """`lookup: user=me file=/etc/dovecot/users`: what auth_debug tells of a question.  DatabaseFault."""
        ...

    async def verify(self, request: LoginRequest, password: Secret) -> Verdict:
        """Whether the password is the user's.  DatabaseFault."""
        ...

    async def stored(self, request: LoginRequest) -> StoredPassword | None:
        """What is stored for the user; None if there is no such user.  DatabaseFault, also where nothing is
        stored that could be shown."""
        ...


class UserDatabase(Protocol):
    """userdb of one source."""

    driver: str

    def lookup_text(self, request: LoginRequest) -> str:
        """As that of passdbs."""
        ...

    async def lookup(self, request: LoginRequest) -> Mapping[str, str] | None:
        """uid, gid, home and other fields of the user; None if there is no such user.  DatabaseFault."""
        ...

    async def users(self) -> list[str]:
        """All users, as far as the database can list them."""
        ...
