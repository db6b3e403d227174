"""The host's own users: passwd as userdb and passdb, shadow and PAM as passdb.

DESCRIPTION
    passwd(5) is asked by NSS in a thread.  Passwords of shadow(5) and PAM are checked in a process with root's
    rights (`daemons/auth_worker.py`), which hears one question at a time over `RootWorkers`.

FAULTS
    DatabaseFault  the worker cannot be reached, PAM does not work, no shadow password file

STANDARDS
    Dovecot 2.3 PasswordDatabase.PAM, AuthDatabase.Passwd
"""

import asyncio
import pwd
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Protocol

import msgspec

from pillarbox.auth import fields
from pillarbox.auth.password_schemes import UnknownScheme, verify
from pillarbox.auth.user_database import (
    DatabaseFault,
    LoginRequest,
    PasswordRight,
    PasswordWrong,
    StoredPassword,
    UnknownUser,
    Verdict,
)
from pillarbox.config.dovecot.variables import expand
from pillarbox.vocabulary.secret import Secret


class CheckByPam(msgspec.Struct, tag=True):
    """auth → worker: is this the user's password?"""

    service: str
    user: str
    password: bytes
    remote: str
    session: bool = False
    credentials: bool = False  # setcred


class CheckByShadow(msgspec.Struct, tag=True):
    """auth → worker: the same by shadow(5)."""

    user: str
    password: bytes


Question = CheckByPam | CheckByShadow


class Checked(msgspec.Struct, tag=True):
    """worker → auth.  `status` is right, wrong, unknown or fault."""

    status: str
    reason: str = ""
    message: str = ""


class Workers(Protocol):
    """Whoever answers with root's rights."""

    async def ask(self, question: Question) -> Checked:
        """The answer.  DatabaseFault."""
        ...


class Pam:
    """passdb pam: `args = [session=yes] [setcred=yes] [failure_show_msg=yes] [service]`."""

    driver = "pam"

    def __init__(self, args: str, workers: Workers) -> None:
        given = fields.words(args)
        self._session = given.pop("session", "no") == "yes"
        self._credentials = given.pop("setcred", "no") == "yes"
        self._shows = given.pop("failure_show_msg", "no") == "yes"
        for name in ("cache_key", "max_requests", "blocking"):
            given.pop(name, None)
        self._service = args.split()[-1] if given else "dovecot"
        self._workers = workers

    def lookup_text(self, request: LoginRequest) -> str:
        """For auth_debug."""
        return f"lookup service={self._service_of(request)}"

    def _service_of(self, request: LoginRequest) -> str:
        return expand(self._service.replace("%s", "%{service}"), request.values())

    async def verify(self, request: LoginRequest, password: Secret) -> Verdict:
        """PAM's answer."""
        service = self._service_of(request)
        question = CheckByPam(
            service, request.user, password.reveal(), request.remote, self._session, self._credentials
        )
        return _verdict(await self._workers.ask(question), shows=self._shows)

    async def stored(self, request: LoginRequest) -> StoredPassword | None:
        """PAM shows nothing; whether there is such a user is passwd's to say."""
        found = await _password_entry(request.user, None)
        return None if found is None else StoredPassword(Secret(b""))


class Shadow:
    """passdb shadow."""

    driver = "shadow"

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def lookup_text(self, request: LoginRequest) -> str:
        """For auth_debug."""
        return "lookup"

    async def verify(self, request: LoginRequest, password: Secret) -> Verdict:
        """Whether it is the one that shadow(5) has."""
        return _verdict(await self._workers.ask(CheckByShadow(request.user, password.reveal())))

    async def stored(self, request: LoginRequest) -> StoredPassword | None:
        """What shadow has stays there."""
        found = await _password_entry(request.user, None)
        return None if found is None else StoredPassword(Secret(b""))


class Passwd:
    """passwd(5), or what NSS has in its place."""

    driver = "passwd"

    def __init__(
        self, executor: Executor | None = None, *, first_valid_uid: int = 0, last_valid_uid: int = 0
    ) -> None:
        """The uids bound who is listed; `last_valid_uid` 0: there is no last one."""
        self._executor = executor
        self._first_uid = first_valid_uid
        self._last_uid = last_valid_uid

    def lookup_text(self, request: LoginRequest) -> str:
        """For auth_debug."""
        return "lookup"

    async def verify(self, request: LoginRequest, password: Secret) -> Verdict:
        """Whether it is the one in passwd; on a host with shadow passwords there is none."""
        entry = await _password_entry(request.user, self._executor)
        if entry is None:
            return UnknownUser()
        if len(entry.pw_passwd) < 2 or entry.pw_passwd[0] in "*!":
            return PasswordWrong("user has no password in passwd: use pam or shadow")
        loop = asyncio.get_running_loop()
        stored = b"{CRYPT}" + entry.pw_passwd.encode()
        try:
            is_right = await loop.run_in_executor(self._executor, verify, password.reveal(), stored)
        except UnknownScheme as fault:
            raise DatabaseFault(str(fault)) from fault
        return PasswordRight() if is_right else PasswordWrong("Password mismatch")

    async def stored(self, request: LoginRequest) -> StoredPassword | None:
        """What passwd has."""
        entry = await _password_entry(request.user, self._executor)
        return None if entry is None else StoredPassword(Secret(b"{CRYPT}" + entry.pw_passwd.encode()))

    async def lookup(self, request: LoginRequest) -> Mapping[str, str] | None:
        """uid, gid, home, and whose supplementary groups the mailbox's process has."""
        entry = await _password_entry(request.user, self._executor)
        if entry is None:
            return None
        return {
            "uid": str(entry.pw_uid),
            "gid": str(entry.pw_gid),
            "home": entry.pw_dir,
            "system_groups_user": entry.pw_name,
        }

    async def users(self) -> list[str]:
        """All that NSS lists, but for the system's own accounts."""
        entries = await asyncio.get_running_loop().run_in_executor(self._executor, pwd.getpwall)
        return [entry.pw_name for entry in entries if self._is_valid(entry.pw_uid)]

    def _is_valid(self, uid: int) -> bool:
        return self._first_uid <= uid and (not self._last_uid or uid <= self._last_uid)


async def _password_entry(user: str, executor: Executor | None) -> pwd.struct_passwd | None:
    def ask() -> pwd.struct_passwd | None:
        try:
            return pwd.getpwnam(user)
        except (KeyError, ValueError):
            return None

    return await asyncio.get_running_loop().run_in_executor(executor, ask)


def _verdict(checked: Checked, *, shows: bool = False) -> Verdict:
    if checked.status == "right":
        return PasswordRight()
    if checked.status == "fault":
        raise DatabaseFault(checked.reason)
    if checked.status == "unknown":
        return UnknownUser(checked.reason or "unknown user")
    message = checked.message if shows else ""
    return PasswordWrong(checked.reason, message, expired=checked.status == "expired")
