"""All passdbs of a configuration, asked in its order.

DESCRIPTION
    `PasswordChain.verify()` gives one `Outcome`.  Each database that is asked leads on by result_success,
    result_failure or result_internalfail; `deny` refuses whom it knows; `master` databases are asked for the
    master user of `user*master` only; `skip`, `mechanisms` and `username_filter` leave one out.

STANDARDS
    Dovecot 2.3 PasswordDatabase
"""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from pillarbox.auth import fields
from pillarbox.auth.login_names import LoginName
from pillarbox.auth.login_trace import SILENT, LoginTrace
from pillarbox.auth.user_database import (
    DatabaseFault,
    LoginRequest,
    PasswordDatabase,
    PasswordRight,
    PasswordWrong,
    StoredPassword,
    UnknownUser,
    UnusablePassword,
    Verdict,
)
from pillarbox.auth.wrong_passwords import with_password
from pillarbox.config.mailbox_settings import Database
from pillarbox.vocabulary.secret import Secret

Report = Callable[[str, LoginRequest, str], None]
"""Told of every refusal: driver, who asked, why."""


_SILENT: Final = ("pam", "oauth2")
"""Drivers that check passwords and tell nothing."""


class Link(msgspec.Struct, frozen=True):
    """A database and how it stands in the configuration."""

    settings: Database
    database: PasswordDatabase
    verbose: bool = True
    """Whether its refusals are reported."""


class Outcome(msgspec.Struct, frozen=True):
    """What all of them together say."""

    right: bool
    user: str
    fields: dict[str, str] = {}
    message: str = ""
    """For the client, where the configuration says that it may hear it."""
    temporary: bool = False
    no_delay: bool = False
    """Whether a refusal is told at once."""
    expired: bool = False  # the password, or the account
    disabled: bool = False  # what was shown is right, but not for this
    more_at: str = ""  # where a client hears more of its token


class NoLookups(Exception):
    """No database can be asked about a user without his password."""


class PasswordChain:
    """The passdbs."""

    def __init__(
        self,
        links: Sequence[Link],
        *,
        report: Report,
        report_fault: Report,
        shown_passwords: str = "no",
        trace: LoginTrace = SILENT,
    ) -> None:
        """`shown_passwords`: auth_verbose_passwords."""
        self._trace = trace
        self._shown_passwords = shown_passwords
        self._links = [link for link in links if not link.settings.master]
        self._masters = [link for link in links if link.settings.master]
        self._report = report
        self._report_fault = report_fault

    @property
    def has_masters(self) -> bool:
        """Whether anybody may be a master user."""
        return bool(self._masters)

    async def verify(self, name: LoginName, request: LoginRequest, password: Secret) -> Outcome:
        """Whether the password is right: that of the master user, if there is one."""
        if not name.master:
            return await self._run(self._links, request, password)
        outcome = await self._run(self._masters, msgspec.structs.replace(request, user=name.master), password)
        if not outcome.right:
            return msgspec.structs.replace(outcome, user=name.user)
        if any(link.settings.go_on for link in self._masters) and not await self.knows(request):
            return Outcome(False, name.user)
        return Outcome(True, name.user, {**outcome.fields, "master_user": name.master})

    async def knows(self, request: LoginRequest) -> bool:
        """Whether any database knows the user.  DatabaseFault, also if they are such as tell of nobody."""
        if self._links and all(link.settings.driver == "oauth2" for link in self._links):
            raise DatabaseFault("passdb oauth2 doesn't support lookups, can't verify user's existence")
        for link in self._links:
            if not link.settings.deny and await link.database.stored(request) is not None:
                return True
        return False

    async def described(self, request: LoginRequest) -> dict[str, str] | None:
        """What the first database that knows the user says of him besides the password.

        DatabaseFault; NoLookups if there are none but such as check passwords and tell nothing.
        """
        asked = [
            link for link in self._links if not link.settings.deny and link.settings.driver not in _SILENT
        ]
        if not asked:
            raise NoLookups("Configured passdbs don't support credentials lookups")
        for link in asked:
            found = await link.database.stored(request)
            if found is not None:
                return {name: value for name, value in found.fields.items() if not name.startswith("userdb_")}
        return None

    async def stored(self, request: LoginRequest) -> StoredPassword | None:
        """The first stored password of the user.  DatabaseFault."""
        for link in self._links:
            if self._is_left_out(link, request, authenticated=False):
                continue
            self._trace.begins("passdb", link.database, request)
            found = await link.database.stored(request)
            self._trace.ends("passdb", link.database.driver, request)
            if found is not None and link.settings.deny:
                return None
            if found is not None and found.password.reveal():
                return self._with_settings(link, request, found)
        return None

    @staticmethod
    def _with_settings(link: Link, request: LoginRequest, found: StoredPassword) -> StoredPassword | None:
        """What is stored, with default_fields and override_fields; None if one of them forbids the login."""
        defaults, overrides = _set_fields(link, request, found.fields)
        if any(forbidden_by(one, request) for one in (defaults, found.fields, overrides)):
            return None
        return StoredPassword(found.password, {**defaults, **found.fields, **overrides})

    async def _run(self, links: Sequence[Link], request: LoginRequest, password: Secret) -> Outcome:
        state = Outcome(False, request.user)
        faulty, asked = False, False
        for link in links:
            request = msgspec.structs.replace(request, passdb=state.fields)
            if self._is_left_out(link, request, authenticated=state.right):
                continue
            asked = True
            try:
                self._trace.begins("passdb", link.database, request)
                verdict = await self._ask(link, request, password)
            except DatabaseFault as fault:
                self._report_fault(link.database.driver, request, str(fault))
                is_of_user = isinstance(fault, UnusablePassword)
                faulty = faulty or not is_of_user
                settings = link.settings
                then = settings.result_failure if is_of_user else settings.result_internalfail
                right = False
                verdict = UnknownUser(str(fault))
            else:
                right = isinstance(verdict, PasswordRight)
                then = link.settings.result_success if right else link.settings.result_failure
                if right and link.settings.go_on:
                    then = "continue-ok"
            self._trace.ends("passdb", link.database.driver, request)
            if link.settings.deny:
                if right:
                    self._refused(link, request, "User found from deny passdb")
                    return Outcome(False, request.user)
                continue
            state = self._with(state, link, request, verdict)
            if then in ("return-ok", "continue-ok"):
                state = msgspec.structs.replace(state, right=True)
            elif then in ("return-fail", "continue-fail"):
                state = msgspec.structs.replace(state, right=False)
            if then.startswith("return"):
                break
        if not asked:
            mechanism = request.mechanism.lower()
            self._report_fault(mechanism, request, "All password databases were skipped")
        return msgspec.structs.replace(state, temporary=(faulty or not asked) and not state.right)

    async def _ask(self, link: Link, request: LoginRequest, password: Secret) -> Verdict:
        if link.settings.deny:
            found = await link.database.stored(request)
            return UnknownUser() if found is None else PasswordRight()
        verdict = await link.database.verify(request, password)
        if not isinstance(verdict, UnknownUser):
            verdict = self._judged(link, request, verdict)
        if not isinstance(verdict, PasswordRight):
            self._refused(link, request, with_password(verdict.reason, password, self._shown_passwords))
            if self._trace.shows_passwords and isinstance(verdict, PasswordWrong):
                stored = await link.database.stored(request)
                if stored is not None and stored.password.reveal():
                    self._trace.mismatch(link.database.driver, request, password, stored.password)
        return verdict

    def _judged(
        self, link: Link, request: LoginRequest, verdict: PasswordRight | PasswordWrong
    ) -> PasswordRight | PasswordWrong:
        """What the user's fields make of it; of a client's address it is told whatever the password is."""
        defaults, overrides = _set_fields(link, request, verdict.fields)
        for found in (defaults, verdict.fields, overrides):
            networks = found.get("allow_nets")
            if not networks:
                continue
            is_allowed, invalid = fields.judged_networks(networks, request.remote)
            for word in invalid:
                self._refused(link, request, f"allow_nets: Invalid network '{word}'")
            if not is_allowed and isinstance(verdict, PasswordWrong):
                self._refused(link, request, _outside(request))
        if isinstance(verdict, PasswordWrong):
            return verdict
        refusals = (forbidden_by(found, request) for found in (defaults, verdict.fields, overrides))
        return next(filter(None, refusals), verdict)

    def _refused(self, link: Link, request: LoginRequest, reason: str) -> None:
        if link.verbose:
            self._report(link.database.driver, request, reason)

    @staticmethod
    def _with(state: Outcome, link: Link, request: LoginRequest, verdict: Verdict) -> Outcome:
        said = {} if isinstance(verdict, UnknownUser) else verdict.fields
        defaults, overrides = _set_fields(link, request, said)
        if not isinstance(verdict, PasswordRight):
            wrong = verdict if isinstance(verdict, PasswordWrong) else PasswordWrong("")
            return msgspec.structs.replace(
                state,
                message=verdict.message or state.message,
                no_delay=state.no_delay or wrong.no_delay or "nodelay" in defaults,
                expired=state.expired or wrong.expired,
                disabled=state.disabled or wrong.disabled,
                more_at=verdict.more_at or state.more_at,
            )
        found = {**defaults, **state.fields, **verdict.fields, **overrides}
        found.pop("password", None)
        return msgspec.structs.replace(state, user=found.pop("user", state.user), fields=found)

    def _is_left_out(self, link: Link, request: LoginRequest, *, authenticated: bool) -> bool:
        settings = link.settings
        mechanism = request.mechanism.lower()
        if settings.mechanisms and mechanism not in {word.lower() for word in settings.mechanisms}:
            self._trace.of(mechanism, request, "skipping passdb: mechanism filtered")
            return True
        if settings.username_filter and not _passes(settings.username_filter, request.user):
            self._trace.of(mechanism, request, "skipping passdb: username filtered")
            return True
        return settings.skip == ("authenticated" if authenticated else "unauthenticated")


def _set_fields(
    link: Link, request: LoginRequest, found: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """default_fields and override_fields, which may name what was `found`."""
    defaults = fields.expanded(link.settings.default_fields, request.values())
    request = msgspec.structs.replace(request, passdb={**defaults, **request.passdb, **found})
    return defaults, fields.expanded(link.settings.override_fields, request.values())


def _passes(patterns: Sequence[str], user: str) -> bool:
    """`*@example.org !root@example.org`: one that fits, and none with `!` that does."""
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    if any(fnmatchcase(user, pattern[1:]) for pattern in patterns if pattern.startswith("!")):
        return False
    return not wanted or any(fnmatchcase(user, pattern) for pattern in wanted)


def _outside(request: LoginRequest) -> str:
    return f"allow_nets check failed: IP {request.remote} not in allowed networks"


def forbidden_by(found: Mapping[str, str], request: LoginRequest) -> PasswordWrong | None:
    """What an extra field of a right password still forbids."""
    networks = found.get("allow_nets")
    if networks and not fields.judged_networks(networks, request.remote)[0]:
        return PasswordWrong(_outside(request))
    if "fail" in found:
        return PasswordWrong("Login forbidden by the field fail")
    if "nologin" in found:
        return PasswordWrong("User login disabled", found.get("reason", ""))
    return None
