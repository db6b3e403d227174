"""static as passdb and userdb: the same answer for every user, with his name in it.

DESCRIPTION
    passdb  `args = password=x` or `args = nopassword=y`; with both no password is asked for
    userdb  `args = uid=vmail gid=vmail home=/var/vmail/%d/%n [allow_all_users=yes]`.  Whether there is such a
            user is asked of the passdbs, unless allow_all_users says that there is.

STANDARDS
    Dovecot 2.3 PasswordDatabase.Static, UserDatabase.Static
"""

from collections.abc import Mapping
from typing import Final

from pillarbox.auth import fields
from pillarbox.auth.password_schemes import UnknownScheme, verify
from pillarbox.auth.user_database import (
    LoginRequest,
    PasswordRight,
    PasswordWrong,
    StoredPassword,
    UnusablePassword,
    Verdict,
)
from pillarbox.vocabulary.secret import Secret

_OPTIONS: Final = frozenset({"allow_all_users"})


class StaticPasswords:
    """passdb static."""

    driver = "static"

    def __init__(self, args: str) -> None:
        self._args = args

    def lookup_text(self, request: LoginRequest) -> str:
        """For auth_debug."""
        return "lookup"

    async def verify(self, request: LoginRequest, password: Secret) -> Verdict:
        """Whether it is the one password, if one is wanted."""
        given = fields.expanded(self._args, request.values())
        stored = given.pop("password", None)
        if "nopassword" in given:
            return PasswordRight(given)
        if stored is None:
            return PasswordWrong("No password returned (and no nopassword)", fields=given)
        try:
            is_right = verify(password.reveal(), _with_scheme(stored), user=request.user.encode())
        except UnknownScheme as fault:
            raise UnusablePassword(f"Unknown scheme {fault}") from fault
        if is_right:
            return PasswordRight(given)
        return PasswordWrong("Password mismatch", no_delay="nodelay" in given, fields=given)

    async def stored(self, request: LoginRequest) -> StoredPassword | None:
        """The one password."""
        given = fields.expanded(self._args, request.values())
        return StoredPassword(Secret(_with_scheme(given.pop("password", ""))), given)


class StaticUsers:
    """userdb static."""

    driver = "static"

    def __init__(self, args: str) -> None:
        self._args = args
        self.all_users = fields.words(args).get("allow_all_users", "no") == "yes"

    def lookup_text(self, request: LoginRequest) -> str:
        """Nothing is looked up."""
        return ""

    async def lookup(self, request: LoginRequest) -> Mapping[str, str] | None:
        """The template with the user's name in it."""
        given = fields.expanded(self._args, request.values())
        return {name: value for name, value in given.items() if name not in _OPTIONS}

    async def users(self) -> list[str]:
        """It knows none by name."""
        return []


def _with_scheme(stored: str) -> bytes:
    return (stored if stored.startswith("{") else f"{{PLAIN}}{stored}").encode()
