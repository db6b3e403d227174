"""All userdbs of a configuration: from a user's name to uid, gid, home and the rest.

DESCRIPTION
    The first userdb that knows the user answers.  `prefetch` takes the fields userdb_x that the passdb gave.
    What none gives comes from mail_uid, mail_gid and mail_home.  Names of users and groups become numbers.

FAULTS
    DatabaseFault  a database cannot answer; a uid or gid that does not exist; no home

STANDARDS
    Dovecot 2.3 UserDatabase
"""

import grp
import pwd
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from pillarbox.auth import fields
from pillarbox.auth.static_users import StaticUsers
from pillarbox.auth.user_database import DatabaseFault, LoginRequest, UserAccount, UserDatabase
from pillarbox.config.dovecot.variables import expand
from pillarbox.config.mailbox_settings import Database


class UserLink(msgspec.Struct, frozen=True):
    """A database and how it stands in the configuration; None: prefetch."""

    settings: Database
    database: UserDatabase | None


class Owner(msgspec.Struct, frozen=True):
    """mail_uid, mail_gid and mail_home."""

    uid: str = ""
    gid: str = ""
    home: str = ""


Exists = Callable[[LoginRequest], Awaitable[bool]]
"""Whether a passdb knows a user."""


class AccountChain:
    """The userdbs."""

    def __init__(self, links: Sequence[UserLink], *, owner: Owner, exists: Exists | None = None) -> None:
        """`exists` tells whether a passdb knows the user: for static userdbs, which know everybody."""
        self._links = links
        self._owner = owner
        self._exists = exists

    async def account(
        self, request: LoginRequest, prefetched: Mapping[str, str] | None = None
    ) -> UserAccount | None:
        """The user's account.  `prefetched` is what the passdb said at login; None if this is no login."""
        for link in self._links:
            found = await self._ask(link, request, prefetched)
            if found is None:
                continue
            values = request.values()
            merged = {
                **fields.expanded(link.settings.default_fields, values),
                **found,
                **fields.expanded(link.settings.override_fields, values),
            }
            return self._account(request, merged)
        return None

    async def users(self) -> list[str]:
        """All users that can be listed."""
        found: list[str] = []
        for link in self._links:
            if link.database is not None:
                found += await link.database.users()
        return list(dict.fromkeys(found))

    async def _ask(
        self, link: UserLink, request: LoginRequest, prefetched: Mapping[str, str] | None
    ) -> Mapping[str, str] | None:
        if link.database is None:
            given = {
                name.removeprefix("userdb_"): value
                for name, value in (prefetched or {}).items()
                if name.startswith("userdb_")
            }
            return given or None
        if isinstance(link.database, StaticUsers) and not link.database.all_users and prefetched is None:
            if self._exists is not None and not await self._exists(request):
                return None
        return await link.database.lookup(request)

    def _account(self, request: LoginRequest, found: dict[str, str]) -> UserAccount:
        uid = found.pop("uid", "") or self._owner.uid
        gid = found.pop("gid", "") or self._owner.gid
        home = found.pop("home", "")
        if not home and self._owner.home:
            home = expand(self._owner.home, request.values())
        user = found.pop("user", request.user)
        return UserAccount(user, _uid(uid), _gid(gid), home, tuple(found.items()))


def _uid(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 11:
        return int(text)
    if not text:
        raise DatabaseFault("userdb didn't return uid, and there is no mail_uid")
    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        raise DatabaseFault(f"no such user: uid={text}") from None


def _gid(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 11:
        return int(text)
    if not text:
        raise DatabaseFault("userdb didn't return gid, and there is no mail_gid")
    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        raise DatabaseFault(f"no such group: gid={text}") from None
