"""A client of the auth server that has logins checked: smtpd, login processes, a real Postfix or Exim.

DESCRIPTION
    AUTH begins an exchange, CONT goes on, CANCEL gives up; the answers are OK, FAIL and CONT.  A refusal is held
    back for auth_failure_delay, and the next attempt from the same address for longer (`auth/penalties.py`)
    unless the client says `no-penalty`.

FAULTS
    A client that does not speak the protocol is let go.  A database that cannot answer: FAIL with `temp`.

STANDARDS
    Dovecot's Design.AuthProtocol, version 1.2
"""

import asyncio
import base64
import binascii
import os
import secrets
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Final

import msgspec

from pillarbox.auth.login_names import BadName, LoginName
from pillarbox.auth.password_chain import Outcome, forbidden_by
from pillarbox.auth.server import AuthServer, request_of
from pillarbox.auth.user_database import DatabaseFault, LoginRequest
from pillarbox.daemons.auth_lines import converse
from pillarbox.net.connection import Connection
from pillarbox.observability.events import MailboxNotice
from pillarbox.vocabulary.secret import Secret
from pillarbox.wire.auth_protocol import encode_line, parameters
from pillarbox.wire.sasl import steps
from pillarbox.wire.sasl.apop import timestamp_begin
from pillarbox.wire.sasl.bearer_tokens import BearerToken
from pillarbox.wire.sasl.mechanisms import SECURITY, start

_NO_CERTIFICATE: Final = "Client didn't present valid SSL certificate"


class _Exchange(msgspec.Struct):
    """One login that is under way."""

    mechanism: steps.Mechanism
    name: bytes
    given: dict[bytes, bytes]
    login: LoginName | None = None
    said: str = ""  # the name as the client said it
    fields: dict[str, str] = {}
    busy: bool = False
    refuse: Callable[[], Coroutine[None, None, None]] | None = None
    """What is left of a refusal that the client has been told, and has to answer."""


class AuthClientConnection:
    """One connection.  `redeemable`: its logins may be redeemed on the master socket."""

    def __init__(
        self, server: AuthServer, connection: Connection, tasks: asyncio.TaskGroup, *, redeemable: bool
    ) -> None:
        self._server = server
        self._connection = connection
        self._tasks = tasks
        self._redeemable = redeemable
        self._pid = 0
        self._exchanges: dict[int, _Exchange] = {}
        self._leaving = False
        self._number = server.next_client()

    async def run(self) -> None:
        """Serve it to its end."""
        await converse(self._connection, greeting=self._greeting(), take=self._take)

    def leave(self) -> None:
        """End it as soon as no login is under way: the client finds the next generation."""
        self._leaving = True
        self._leave_if_idle()

    def _leave_if_idle(self) -> None:
        if self._leaving and not self._exchanges:
            self._connection.close()

    def _greeting(self) -> bytes:
        server = self._server
        lines = [encode_line(b"VERSION", b"1", b"2")]
        lines += [encode_line(b"MECH", name, *SECURITY[name]) for name in server.mechanisms()]
        lines += [
            encode_line(b"SPID", b"%d" % os.getpid()),
            encode_line(b"CUID", b"%d" % self._number),
            encode_line(b"COOKIE", server.cookie),
            encode_line(b"DONE"),
        ]
        return b"".join(lines)

    def _take(self, fields: list[bytes]) -> bool:
        """One line; False ends the connection."""
        word = fields[0]
        if word == b"VERSION":
            return len(fields) > 1 and fields[1] == b"1"
        if len(fields) < 2 or not fields[1].isdigit() or len(fields[1]) > 18:
            return False
        number = int(fields[1])
        if word == b"CPID":
            self._pid = number
            self._server.trace.say(f"auth client connected (pid={number})")
            return True
        self._server.trace.client_said(fields)
        if word == b"AUTH" and len(fields) > 2:
            return self._begin(number, fields)
        elif word == b"CONT" and number in self._exchanges:
            if self._exchanges[number].busy:
                return False
            self._step(number, fields[2] if len(fields) > 2 else b"", "continued")
        elif word == b"CANCEL":
            self._exchanges.pop(number, None)
            self._leave_if_idle()
        else:
            return False
        return True

    def _begin(self, number: int, fields: list[bytes]) -> bool:
        name = fields[2].upper()
        server = self._server
        if name not in server.mechanisms() or number in self._exchanges:
            return False  # the client was told which there are
        given = parameters(fields[3:])
        if server.settings.auth_ssl_require_client_cert and b"valid-client-cert" not in given:
            server.refused(name.decode().lower(), request_of("", given, name), _NO_CERTIFICATE)
            self._fail(number, "", b"reason=" + _NO_CERTIFICATE.encode())
            return True
        mechanism = start(
            name,
            nonce=secrets.token_urlsafe(18).encode(),
            host=server.settings.hostname.encode(),
            timestamp=timestamp_begin(os.getpid(), self._number),
            realms=[realm.encode() for realm in server.settings.auth_realms] or [b""],
        )
        self._exchanges[number] = _Exchange(mechanism, name, given)
        response = given.get(b"resp")
        self._step(number, b"" if response == b"=" else response, "initial")
        return True

    def _step(self, number: int, encoded: bytes | None, which: str) -> None:
        exchange = self._exchanges[number]
        if exchange.refuse is not None:
            exchange.busy = True
            self._tasks.create_task(exchange.refuse())
            return
        try:
            response = None if encoded is None else base64.b64decode(encoded, validate=True)
            step = self._exchanges[number].mechanism.step(response)
        except binascii.Error:
            self._refuse_malformed(number, f"Invalid base64 data in {which} response", b"code=invalid_base64")
        except steps.MalformedResponse as fault:
            self._refuse_malformed(number, str(fault), user=fault.user)
        else:
            self._go_on(number, step)

    def _refuse_malformed(self, number: int, reason: str, code: bytes = b"", *, user: bytes = b"") -> None:
        """What is wrong with a response is for the log; the client is told of what has a code."""
        exchange = self._exchanges[number]
        exchange.busy = True
        request = self._request(exchange, user.decode("utf-8", "replace"))
        self._server.refused(exchange.name.decode().lower(), request, reason)
        told = (code, b"reason=" + reason.encode()) if code else ()
        self._tasks.create_task(self._refuse(number, exchange, request, b"", *told))

    def _go_on(self, number: int, step: steps.Step) -> None:
        exchange = self._exchanges[number]
        match step:
            case steps.Challenge(data):
                self._send(encode_line(b"CONT", b"%d" % number, base64.b64encode(data)))
                return
            case steps.Credentials():
                exchange.busy = True
                self._tasks.create_task(self._check(number, exchange, step))
            case steps.Vouched():
                exchange.busy = True
                self._tasks.create_task(self._vouch(number, exchange, step))
            case steps.Nobody(trace):
                del self._exchanges[number]
                request = self._request(exchange, trace.decode("utf-8", "replace"))
                self._server.logged_in_without_name(request)
                self._succeed(number, exchange, Outcome(True, self._server.settings.auth_anonymous_username))
            case steps.WantsStored():
                exchange.busy = True
                self._tasks.create_task(self._find_stored(number, exchange, step))
            case steps.Proven():
                del self._exchanges[number]
                user = exchange.login.user if exchange.login is not None else ""
                user = exchange.fields.pop("user", user)
                self._succeed(number, exchange, Outcome(True, user, exchange.fields))
            case steps.Disproven():
                exchange.busy = True
                self._tasks.create_task(self._refuse_proof(number, exchange))

    def _request(self, exchange: _Exchange, user: str) -> LoginRequest:
        """Who asks in an exchange."""
        master = exchange.login.master if exchange.login is not None else ""
        who = {"said": exchange.said, "master": master}
        return request_of(user, exchange.given, exchange.name, pid=self._pid, **who)

    # -- certificates ----------------------------------------------------------------------------------

    def _name_in_certificate(self, exchange: _Exchange) -> bytes:
        if not self._server.settings.auth_ssl_username_from_cert:
            return b""
        return exchange.given.get(b"cert_username", b"")

    async def _vouch(self, number: int, exchange: _Exchange, vouched: steps.Vouched) -> None:
        user = self._name_in_certificate(exchange)
        if user:
            await self._check(number, exchange, steps.Credentials(user, Secret(b""), vouched.authorization))
            return
        request = request_of("", exchange.given, exchange.name)
        self._server.refused("external", request, "username not known")
        await self._refuse(number, exchange, request, b"")

    # -- passwords that were given ---------------------------------------------------------------------

    async def _check(self, number: int, exchange: _Exchange, given: steps.Credentials) -> None:
        login = self._login(exchange, given.user, given.authorization, login_user="login user: ")
        if login is None:
            await self._refuse_name(number, exchange, given.user)
            return
        request = self._request(exchange, login.user)
        if self._counts_penalties(exchange):
            await self._server.wait_for_penalty(request.remote)
        outcome = await self._server.passwords.verify(login, request, given.password)
        if self._is_cancelled(number, exchange):
            return
        if outcome.temporary:
            del self._exchanges[number]
            user = b"user=" + login.user.encode()
            self._trace_end(request)
            self._send(encode_line(b"FAIL", b"%d" % number, user, b"temp", b"code=temp_fail"))
            self._leave_if_idle()
        elif outcome.right:
            del self._exchanges[number]
            self._succeed(number, exchange, outcome)
        else:
            more = [b"reason=" + outcome.message.encode()] if outcome.message else []
            if outcome.expired:
                more.append(b"code=pass_expired")
            elif outcome.disabled:
                more.append(b"code=user_disabled")
            password, no_delay = given.password.reveal(), outcome.no_delay
            refuse = partial(self._refuse, number, exchange, request, password, *more, no_delay=no_delay)
            if isinstance(exchange.mechanism, BearerToken):
                exchange.refuse, exchange.busy = refuse, False
                told = exchange.mechanism.refusal(outcome.more_at)
                self._send(encode_line(b"CONT", b"%d" % number, base64.b64encode(told)))
            else:
                await refuse()

    async def _refuse_name(self, number: int, exchange: _Exchange, user: bytes) -> None:
        request = self._request(exchange, user.decode("utf-8", "replace"))
        await self._refuse(number, exchange, request, b"")

    def _login(
        self, exchange: _Exchange, user: bytes, authorization: bytes, *, login_user: str = ""
    ) -> LoginName | None:
        """Whose login it is; None if the name is none.  `login_user`: how the log begins of a wrong master user."""
        text = user.decode("utf-8", "replace")
        names = self._server.names
        certified = self._name_in_certificate(exchange).decode("utf-8", "replace")
        try:
            login = names.parse(text)
            if certified and login.master:
                login = LoginName(login.user, names.normal(certified))
            elif certified:
                login = LoginName(names.normal(certified))
            if authorization and authorization != user and not login.master:
                wanted = names.normal(authorization.decode("utf-8", "replace"))
                if wanted != login.user:  # acting for another is the master user's right only
                    login = LoginName(wanted, login.user)
            if login.master and not self._server.passwords.has_masters:
                raise BadName(f"{login_user}Master user login attempted without master passdbs")
        except BadName as fault:
            request = self._request(exchange, text)
            self._server.refused(exchange.name.decode().lower(), request, str(fault))
            return None
        exchange.login = login
        exchange.said = text
        return login

    # -- mechanisms that do not show the password -------------------------------------------------------

    async def _find_stored(self, number: int, exchange: _Exchange, wanted: steps.WantsStored) -> None:
        is_whole = not wanted.realm or b"@" in wanted.user
        name = wanted.user if is_whole else b"%s@%s" % (wanted.user, wanted.realm)
        login = self._login(exchange, name, wanted.authorization)
        if login is None:
            await self._refuse_name(number, exchange, wanted.user)
            return
        stored = None
        if not login.master:
            request = self._request(exchange, login.user)
            if self._counts_penalties(exchange):
                await self._server.wait_for_penalty(request.remote)
            try:
                stored = await self._server.passwords.stored(request)
            except DatabaseFault as fault:
                self._complain(exchange, login.user, fault)
                if not self._is_cancelled(number, exchange):
                    del self._exchanges[number]
                    self._fail(number, login.user, b"temp", b"code=temp_fail")
                return
            if stored is not None and forbidden_by(stored.fields, request) is not None:
                stored = None
        if self._is_cancelled(number, exchange):
            return
        exchange.busy = False
        if stored is not None:
            exchange.fields = dict(stored.fields)
        try:
            step = exchange.mechanism.with_stored(None if stored is None else stored.password.reveal())
        except steps.UnusableSecret as fault:
            self._complain(exchange, login.user, fault)
            step = steps.Disproven()
        self._go_on(number, step)

    def _complain(self, exchange: _Exchange, user: str, fault: Exception) -> None:
        text = f"{exchange.name.decode().lower()}({user}): {fault}"
        self._server.tell(MailboxNotice("auth", "Error", text))

    async def _refuse_proof(self, number: int, exchange: _Exchange) -> None:
        user = exchange.login.user if exchange.login is not None else ""
        request = self._request(exchange, user)
        self._server.refused(exchange.name.decode().lower(), request, "Password mismatch")
        await self._refuse(number, exchange, request, exchange.name)

    # -- answers ---------------------------------------------------------------------------------------

    def _counts_penalties(self, exchange: _Exchange) -> bool:
        return self._server.settings.auth_penalty and b"no-penalty" not in exchange.given

    def _is_cancelled(self, number: int, exchange: _Exchange) -> bool:
        """Whether CANCEL came meanwhile; the number may be another login's by now."""
        return self._exchanges.get(number) is not exchange

    async def _refuse(
        self,
        number: int,
        exchange: _Exchange,
        request: LoginRequest | None,
        password: bytes,
        *more: bytes,
        no_delay: bool = False,
    ) -> None:
        if request is not None:
            self._trace_end(request)
        if request is not None and self._counts_penalties(exchange):
            self._server.penalties.failed(request.remote, request.user, password)
        if b"nodelay" not in exchange.given and not no_delay:
            await asyncio.sleep(self._server.settings.auth_failure_delay)
            if request is not None:
                self._server.penalties.answered(request.remote)
        if self._is_cancelled(number, exchange):
            return
        del self._exchanges[number]
        self._fail(number, request.user if request is not None else "", *more)

    def _succeed(self, number: int, exchange: _Exchange, outcome: Outcome) -> None:
        request = self._request(exchange, outcome.user)
        self._server.penalties.succeeded(request.remote)
        if self._redeemable and b"nologin" not in exchange.given:
            self._server.logins.add(self._pid, number, request, outcome.fields)
        self._trace_end(request)
        said = [f"user={outcome.user}"]
        if exchange.said not in ("", outcome.user):
            said.append(f"original_user={exchange.said}")
        if exchange.login is not None and exchange.login.master:
            said.append(f"auth_user={exchange.login.master}")
        if self._redeemable:
            said += [f"{name}={value}" for name, value in outcome.fields.items() if _is_told(name)]
        fields = [field.encode("utf-8", "surrogateescape") for field in said]
        self._send(encode_line(b"OK", b"%d" % number, *fields))
        self._leave_if_idle()

    def _fail(self, number: int, user: str, *more: bytes) -> None:
        fields = (b"user=" + user.encode(),) if user else ()
        self._send(encode_line(b"FAIL", b"%d" % number, *fields, *more))
        self._leave_if_idle()

    def _send(self, line: bytes) -> None:
        self._server.trace.client_hears(line)
        self._connection.send(line)

    def _trace_end(self, request: LoginRequest) -> None:
        self._server.trace.of("auth", request, "Auth request finished")


def _is_told(name: str) -> bool:
    """Whether a field that the passdb gave is for login_log_format, `%{passdb:NAME}`."""
    return name not in ("user", "master_user", "nologin") and not name.startswith("userdb_")
