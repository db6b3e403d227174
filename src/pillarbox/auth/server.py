"""What an authentication server knows and does, whoever asks it over which socket.

DESCRIPTION
    `AuthServer` holds the passdbs, the userdbs and the logins that wait to be redeemed.  Connections
    (`daemons/auth_client.py`, `daemons/auth_master.py`) speak the protocol; everything else is here.
"""

import asyncio
import itertools
import os
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from pillarbox.auth.account_chain import AccountChain, Owner, UserLink
from pillarbox.auth.login_names import BadName, LoginNames
from pillarbox.auth.login_trace import LoginTrace, described
from pillarbox.auth.oauth2.loading import OAuth2Databases
from pillarbox.auth.passwd_file import PasswdFile
from pillarbox.auth.password_chain import Link, PasswordChain
from pillarbox.auth.penalties import Penalties
from pillarbox.auth.root_workers import RootWorkers
from pillarbox.auth.static_users import StaticPasswords, StaticUsers
from pillarbox.auth.system_users import Pam, Passwd, Shadow
from pillarbox.auth.user_database import LoginRequest, PasswordDatabase, UserAccount, UserDatabase
from pillarbox.config.dovecot.variables import named_values
from pillarbox.config.mailbox_settings import Database, MailboxSettings
from pillarbox.observability.events import EventSink, MailboxNotice, PasswordRefused
from pillarbox.vocabulary.clock import Clock
from pillarbox.wire.sasl.mechanisms import MECHANISMS

REDEEM_SECONDS: Final = 60.0
MOST_WAITING: Final = 10000


class Redeemable(msgspec.Struct, frozen=True):
    """A login that may be redeemed until `until`."""

    request: LoginRequest
    fields: Mapping[str, str]
    until: float


class Logins:
    """Logins that wait to be redeemed: by client pid and request id, each once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: OrderedDict[tuple[int, int], Redeemable] = OrderedDict()

    def add(self, pid: int, number: int, request: LoginRequest, fields: Mapping[str, str]) -> None:
        """A login was right."""
        self._waiting[pid, number] = Redeemable(request, fields, self._clock.monotonic() + REDEEM_SECONDS)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)

    def redeem(self, pid: int, number: int) -> Redeemable | None:
        """The login, if it is there and not too old."""
        found = self._waiting.pop((pid, number), None)
        return found if found is not None and found.until > self._clock.monotonic() else None


class AuthServer:
    """Answers for all clients."""

    def __init__(
        self,
        settings: MailboxSettings,
        *,
        clock: Clock,
        tell: EventSink,
        oauth2: OAuth2Databases | None = None,
    ) -> None:
        """`oauth2`: what has been loaded for the passdbs of that driver."""
        self.settings = settings
        self._oauth2 = oauth2
        self.clock = clock
        self.tell = tell
        self.trace = LoginTrace(tell, debug=settings.auth_debug, passwords=settings.auth_debug_passwords)
        self.cookie = secrets.token_hex(16).encode()
        self.logins = Logins(clock)
        self.penalties = Penalties(clock)
        self.names = LoginNames(
            chars=settings.auth_username_chars,
            format=settings.auth_username_format,
            translation=settings.auth_username_translation,
            default_realm=settings.auth_default_realm,
            master_separator=settings.auth_master_user_separator,
        )
        self._clients = itertools.count(1)
        self._threads = ThreadPoolExecutor(max(2, os.cpu_count() or 1), thread_name_prefix="auth")
        self._workers = RootWorkers(f"{settings.base_dir}/auth-worker", limit=settings.auth_worker_max_count)
        self.passwords = PasswordChain(
            [Link(one, self._password_database(one), self._is_verbose(one)) for one in settings.passdbs],
            report=self._tell_refusal,
            report_fault=self._faulty,
            shown_passwords=settings.auth_verbose_passwords,
            trace=self.trace,
        )
        self.accounts = AccountChain(
            [UserLink(one, self._user_database(one), self._is_verbose(one)) for one in settings.userdbs],
            owner=Owner(settings.mail_uid, settings.mail_gid, settings.mail_home),
            exists=self.passwords.knows,
            report=self._tell_refusal,
            report_fault=self._faulty,
            trace=self.trace,
        )

    def close(self) -> None:
        """Let the worker go, and whoever waits for an answer about a token."""
        self._workers.close()
        if self._oauth2 is not None:
            self._oauth2.close()

    def next_client(self) -> int:
        """CUID: a number for each connection."""
        return next(self._clients)

    def mechanisms(self) -> list[bytes]:
        """Those that are configured, in the order in which they are offered."""
        wanted = {name.upper().encode() for name in self.settings.auth_mechanisms}
        return [name for name in MECHANISMS if name in wanted]

    async def account(
        self, request: LoginRequest, prefetched: Mapping[str, str] | None = None
    ) -> UserAccount | None:
        """The userdb's answer.  DatabaseFault."""
        return await self.accounts.account(request, prefetched)

    def user_request(self, user: str, given: Mapping[bytes, bytes]) -> LoginRequest | None:
        """The lookup of a user by name; None for a name that nobody can have."""
        try:
            return request_of(self.names.normal(user), given, said=user)
        except BadName as fault:
            self.tell(MailboxNotice("auth", "Info", f"userdb({user}): {fault}"))
            return None

    def refused(self, driver: str, request: LoginRequest, reason: str) -> None:
        """A login was refused before any database was asked, or after all of them."""
        if self.settings.auth_verbose:
            self._tell_refusal(driver, request, reason)

    def logged_in_without_name(self, request: LoginRequest) -> None:
        """By ANONYMOUS; the user of the request is what he said of himself."""
        if self.settings.auth_verbose:
            self._tell_refusal("anonymous", request, "login")

    def _tell_refusal(self, driver: str, request: LoginRequest, reason: str) -> None:
        self.tell(PasswordRefused(driver, request.user, request.remote, request.session, reason))

    def _is_verbose(self, settings: Database) -> bool:
        if settings.auth_verbose == "default":
            return self.settings.auth_verbose
        return settings.auth_verbose == "yes"

    def _faulty(self, driver: str, request: LoginRequest, reason: str) -> None:
        self.tell(MailboxNotice("auth", "Error", f"{described(driver, request)}: {reason}"))

    async def wait_for_penalty(self, remote: str) -> None:
        """Hold an attempt back, if its address has tried wrong passwords."""
        if seconds := self.penalties.seconds(remote):
            await asyncio.sleep(seconds)

    def _password_database(self, settings: Database) -> PasswordDatabase:
        match settings.driver:
            case "pam":
                return Pam(settings.args, self._workers)
            case "shadow":
                return Shadow(self._workers)
            case "passwd":
                return Passwd(self._threads)
            case "static":
                return StaticPasswords(settings.args)
        if settings.oauth2 is not None:
            assert self._oauth2 is not None, "it is loaded where a passdb is of it"
            return self._oauth2.of(settings.oauth2, self._threads)
        return PasswdFile(settings.args, executor=self._threads)

    def _user_database(self, settings: Database) -> UserDatabase | None:
        match settings.driver:
            case "prefetch":
                return None
            case "passwd":
                return Passwd(
                    self._threads,
                    first_valid_uid=self.settings.first_valid_uid,
                    last_valid_uid=self.settings.last_valid_uid,
                )
            case "static":
                return StaticUsers(settings.args)
        return PasswdFile(settings.args, executor=self._threads)


_SAID: Final = (
    "lport",
    "rport",
    "real_lip",
    "real_rip",
    "real_lport",
    "real_rport",
    "local_name",
    "client_id",
)
"""Parameters of the protocol that are variables of the same name."""


def request_of(
    user: str,
    given: Mapping[bytes, bytes],
    mechanism: bytes = b"",
    *,
    said: str = "",
    master: str = "",
    pid: int = 0,
) -> LoginRequest:
    """Who asks, from the parameters of the protocol.

    `said`: the whole name as the client said it; `master`: who acts for the user; `pid`: of the protocol's client.
    """

    def text(name: bytes) -> str:
        return given.get(name, b"").decode("utf-8", "replace")

    facts = {name: text(name.encode()) for name in _SAID if name.encode() in given}
    facts |= {"pid": str(pid), "cert": "valid" if b"valid-client-cert" in given else ""}
    facts |= {name: "0" for name in ("lport", "rport") if name not in facts}
    if said:
        facts |= named_values("orig", said) | named_values("auth", master or said)
    facts |= named_values("login", user if master else "") | {"master_user": master}
    return LoginRequest(
        facts=facts,
        user=user,
        service=text(b"service"),
        remote=text(b"rip"),
        local=text(b"lip"),
        session=text(b"session"),
        mechanism=mechanism.decode("ascii", "replace"),
        secured=b"secured" in given,
    )
