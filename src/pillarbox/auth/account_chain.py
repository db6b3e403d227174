"""All userdbs of a configuration: from a user's name to uid, gid, home and the rest.

DESCRIPTION
    Each userdb that is asked leads on by result_success, result_failure or result_internalfail, as passdbs do;
    `skip` leaves one out.  Where several are asked, what a later one says of a field counts, and what one says
    that does not know the user is forgotten.  At a login the fields userdb_x that the passdb gave count, too, as
    said before all of them; `prefetch` needs no more.
    What none gives comes from mail_uid, mail_gid and mail_home.  Names of users and groups become numbers.

FAULTS
    DatabaseFault  a database cannot answer; a uid or gid that does not exist; no home; a field by which mail
                   would be elsewhere

STANDARDS
    Dovecot 2.3 UserDatabase
"""

import grp
import pwd
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from pillarbox.auth import fields
from pillarbox.auth.login_trace import SILENT, LoginTrace
from pillarbox.auth.static_users import StaticUsers
from pillarbox.auth.user_database import DatabaseFault, LoginRequest, UserAccount, UserDatabase
from pillarbox.config.dovecot.declared.blocks import ROOT
from pillarbox.config.dovecot.variables import expand
from pillarbox.config.mailbox_settings import Database
from pillarbox.vocabulary.digits import is_decimal_text


class UserLink(msgspec.Struct, frozen=True):
    """A database and how it stands in the configuration; None: prefetch."""

    settings: Database
    database: UserDatabase | None
    verbose: bool = False
    """Whether it is reported that it does not know a user."""


class Owner(msgspec.Struct, frozen=True):
    """mail_uid, mail_gid and mail_home."""

    uid: str = ""
    gid: str = ""
    home: str = ""


_PLACES: Final = frozenset(("chroot", "mail_chroot"))
_SERVED: Final = frozenset(("acl_groups",))
_OF_PLUGINS: Final = ("acl", "mail_log", "zlib", "trash", "fts", "sieve")
"""What settings of plugins begin with that count for all users alike."""

Exists = Callable[[LoginRequest], Awaitable[bool]]
"""Whether a passdb knows a user."""


Report = Callable[[str, LoginRequest, str], None]
"""Told of users who are not there, and of databases that cannot answer: driver, who is asked for, why."""


class AccountChain:
    """The userdbs."""

    def __init__(
        self,
        links: Sequence[UserLink],
        *,
        owner: Owner,
        exists: Exists | None = None,
        report: Report | None = None,
        report_fault: Report | None = None,
        trace: LoginTrace = SILENT,
    ) -> None:
        """`exists` tells whether a passdb knows the user: for static userdbs, which know everybody."""
        self._links = links
        self._owner = owner
        self._exists = exists
        self._report = report
        self._report_fault = report_fault
        self._trace = trace
        self._told: set[str] = set()

    async def account(
        self, request: LoginRequest, prefetched: Mapping[str, str] | None = None
    ) -> UserAccount | None:
        """The user's account.  `prefetched` is what the passdb said at login; None if this is no login."""
        is_known = False
        kept = _for_userdb(prefetched or {})
        fields_so_far = dict(kept)
        faults: list[tuple[str, DatabaseFault]] = []
        request = msgspec.structs.replace(request, passdb=prefetched or {})
        at = 0  # the first one is asked whatever its skip says
        while at < len(self._links):
            link = self._links[at]
            settings = link.settings
            request = msgspec.structs.replace(request, userdb=fields_so_far)
            fields_so_far |= fields.expanded(settings.default_fields, request.values())
            request = msgspec.structs.replace(request, userdb=dict(fields_so_far))
            found: Mapping[str, str] | None = None
            try:
                found = await self._ask(link, request, prefetched)
            except DatabaseFault as fault:
                faults.append((settings.driver, fault))
                then = settings.result_internalfail
            else:
                then = settings.result_failure if found is None else settings.result_success
                if found is None and link.verbose and link.database is not None and self._report is not None:
                    self._report(settings.driver, request, "unknown user")
            self._trace.ends("userdb", settings.driver, request)
            fields_so_far |= found or {}
            if then.endswith(("-ok", "-fail")):
                is_known = then.endswith("-ok")
            at = self._next(at + 1, is_known=is_known)
            is_last = at == len(self._links) or then.startswith("return")
            if is_known if is_last else found is not None:
                request = msgspec.structs.replace(request, userdb=dict(fields_so_far))
                fields_so_far |= fields.expanded(settings.override_fields, request.values())
            if is_last:
                break
            if found is None:
                fields_so_far = dict(kept)
            else:
                kept = dict(fields_so_far)
                request = msgspec.structs.replace(request, user=found.get("user", request.user))
        return self._outcome(request, fields_so_far if is_known else None, faults)

    def _judge(self, name: str, request: LoginRequest) -> None:
        """What is to be said of a field that is a setting, of one user for all.  DatabaseFault."""
        if name.startswith("namespace/") or name in _PLACES:
            raise DatabaseFault(f"userdb field {name} is not served, and where mail is depends on it")
        is_setting = name.removeprefix("plugin/") != name or name.startswith(_OF_PLUGINS)
        if name not in _SERVED and (is_setting or name in ROOT.settings) and name not in self._told:
            self._told.add(name)
            if self._report_fault is not None:
                self._report_fault(
                    "userdb", request, f"field {name} is ignored: set it in dovecot.conf for all"
                )

    def _next(self, at: int, *, is_known: bool) -> int:
        """The first database from there on that is to be asked; how many there are, if none is."""
        left_out = "found" if is_known else "notfound"
        while at < len(self._links) and self._links[at].settings.skip == left_out:
            at += 1
        return at

    def _outcome(
        self, request: LoginRequest, found: dict[str, str] | None, faults: list[tuple[str, DatabaseFault]]
    ) -> UserAccount | None:
        """The account; a database that could not answer might have known a user whom no other knows."""
        raised = faults.pop()[1] if found is None and faults else None
        for driver, fault in faults:
            if self._report_fault is not None:
                self._report_fault(driver, request, str(fault))
        if raised is not None:
            raise raised
        return None if found is None else self._account(request, found)

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
        if link.database is not None:
            self._trace.begins("userdb", link.database, request)
        else:
            self._trace.of("prefetch", request, "Performing userdb lookup")
            given = _for_userdb(prefetched or {})
            if not given:
                text = "passdb didn't return userdb entries, trying the next userdb"
                self._trace.of("prefetch", request, text)
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
            values = msgspec.structs.replace(request, userdb=found).values()
            home = expand(self._owner.home, values | {"uid": str(_uid(uid)), "gid": str(_gid(gid))})
        user = found.pop("user", request.user)
        if "mail_location" in found:
            found.setdefault("mail", found.pop("mail_location"))
        for name in found:
            self._judge(name, request)
        return UserAccount(user, _uid(uid), _gid(gid), home, tuple(found.items()))


def _for_userdb(fields: Mapping[str, str]) -> dict[str, str]:
    """What a passdb says of the account."""
    return {
        name.removeprefix("userdb_"): value for name, value in fields.items() if name.startswith("userdb_")
    }


def _uid(text: str) -> int:
    if is_decimal_text(text, max_digits=10):
        return int(text)
    if not text:
        raise DatabaseFault("userdb didn't return uid, and there is no mail_uid")
    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        raise DatabaseFault(f"no such user: uid={text}") from None


def _gid(text: str) -> int:
    if is_decimal_text(text, max_digits=10):
        return int(text)
    if not text:
        raise DatabaseFault("userdb didn't return gid, and there is no mail_gid")
    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        raise DatabaseFault(f"no such group: gid={text}") from None
