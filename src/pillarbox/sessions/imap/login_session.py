"""An IMAP connection before login: greeting, STARTTLS, LOGIN and AUTHENTICATE, nothing else.

DESCRIPTION
    `ImapLoginSession.run()` ends with a `HandOver` (the connection stays open, and the command that logged
    in is not answered yet: the worker does that) or with `NotLoggedIn` (the connection is closed).

    Commands that a client sends ahead wait while it is being authenticated.

FAULTS
    A wrong password is answered as an unknown user is.  The third bad command ends the connection.

STANDARDS
    RFC 3501 §6.2, §7.1; RFC 4959 (SASL-IR); RFC 5530 (AUTHENTICATIONFAILED, EXPIRED, PRIVACYREQUIRED, UNAVAILABLE)
"""

import ssl
from base64 import b64encode
from collections.abc import Callable
from typing import Final

from pillarbox.sessions.forwarded_client import BelieveProxy, told_by_id
from pillarbox.sessions.imap.identification import told_identity
from pillarbox.sessions.login import TEMPORARY_FAILURE, Authenticator, ExchangeAborted, Failure, Ticket
from pillarbox.sessions.login_client import LoginClient, LoginEnded
from pillarbox.sessions.mailbox_login import (
    MAX_BAD_COMMANDS,
    HandOver,
    LoginPolicy,
    LoginTransport,
    NotBase64,
    NotLoggedIn,
    decode_initial_response,
    decode_response,
    shows_password,
)
from pillarbox.vocabulary.clock import Clock
from pillarbox.wire.imap import commands, responses
from pillarbox.wire.imap.command_order import State
from pillarbox.wire.imap.commands import Command
from pillarbox.wire.imap.server import MAX_LINE_BEFORE_LOGIN, ImapServer

_BASE: Final = b"IMAP4rev1 IMAP4rev2 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE".split()
_EXPOSED: Final = (
    b"BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but your client did it anyway."
    b" If anyone was listening, the password was exposed."
)
_DISALLOWED: Final = b"Plaintext authentication disallowed on non-secure (SSL/TLS) connections."


class ImapLoginSession:
    """One client before login."""

    def __init__(
        self,
        transport: LoginTransport,
        authenticator: Authenticator,
        *,
        clock: Clock,
        policy: LoginPolicy,
        secured: bool,
        tls_context: ssl.SSLContext | None = None,
        missing: Callable[[], str] = str,
        believe: BelieveProxy | None = None,
    ) -> None:
        """`secured`: TLS is on already, or the client is on this machine; `tls_context`: for STARTTLS.

        `believe` takes what a trusted proxy tells of its client.
        """
        self._believe = believe
        self._engine = ImapServer(state=State.NOT_AUTHENTICATED, max_line=MAX_LINE_BEFORE_LOGIN)
        self._engine.literal_minus = policy.literal_minus
        self._client = LoginClient(
            transport,
            self._engine,
            authenticator,
            clock=clock,
            policy=policy,
            secured=secured,
            tls_context=tls_context,
            missing=missing,
            shutdown_text=b"Server shutting down.",
        )
        self._bad_commands = 0
        self._asked_capabilities = False
        self.identity: str | None = None
        """What the log is to tell of the client's first ID; None without one."""

    def shutdown(self) -> None:
        """Say BYE as soon as the client is waited for."""
        self._client.shut_down()

    def make_room(self) -> None:
        """End, because there are too many who have not logged in."""
        self._client.make_room()

    async def run(self) -> HandOver | NotLoggedIn:
        """From greeting to login, or to the end."""
        capability = responses.capability(self._capabilities())
        self._engine.untagged(b"OK [%s] %s" % (capability, self._client.policy.greeting))
        return await self._client.converse(
            self._answer_next, say_farewell=lambda text: self._engine.untagged(b"BYE " + text)
        )

    async def _answer_next(self) -> HandOver | None:
        return await self._answer(await self._client.next_command())

    async def _answer(self, command: Command) -> HandOver | None:
        engine, tag = self._engine, command.tag
        if isinstance(command, commands.Refused):
            self._bad_commands += 1
            if self._bad_commands >= MAX_BAD_COMMANDS:
                raise LoginEnded("Too many invalid commands", b"Too many invalid IMAP commands.")
            engine.reply(tag, b"%s %s" % (command.status, command.text))
            return None
        self._bad_commands = 0
        match command:
            case commands.Login():
                return await self._login(command)
            case commands.Authenticate():
                return await self._authenticate(command)
            case commands.StartTls():
                await self._start_tls(command)
            case commands.Capability():
                # Behind STARTTLS every client has to ask (RFC 3501 §6.2.1), which says nothing of it.
                self._asked_capabilities |= not self._client.tls_begun
                engine.untagged(responses.capability(self._capabilities()))
                engine.reply(tag, b"OK Pre-login capabilities listed, post-login capabilities have more.")
            case commands.Id():
                self._identify(command)
                engine.untagged(responses.identification(self._client.policy.server_id))
                engine.reply(tag, b"OK ID completed.")
            case commands.Enable():
                engine.untagged(b"ENABLED")
                engine.reply(tag, b"OK ENABLE ignored in non-authenticated state.")
            case commands.Noop():
                engine.reply(tag, b"OK NOOP completed.")
            case commands.Logout():
                engine.untagged(b"BYE Logging out")
                engine.reply(tag, b"OK Logout completed.")
                raise LoginEnded("Aborted login by logging out")
        return None

    def _identify(self, command: commands.Id) -> None:
        """The first is logged, even if it is NIL; the first with fields is what a proxy tells of its client."""
        if self.identity is None:
            self.identity = told_identity(command.parameters, self._client.policy.id_log)
        if self._believe is not None and command.parameters:
            believe, self._believe = self._believe, None
            believe(told_by_id(command.parameters))

    def _capabilities(self) -> list[bytes]:
        """CAPABILITY: STARTTLS where it can be had, LOGINDISABLED where LOGIN cannot (RFC 3501 §6.2.3)."""
        configured = self._client.policy.capability.encode("ascii", "replace")
        more = configured[1:].split() if configured.startswith(b"+") else []
        names = [*_BASE, *more, b"LITERAL-" if self._engine.literal_minus else b"LITERAL+"]
        if configured and not configured.startswith(b"+"):
            names = configured.split()
        if self._client.tls_context is not None:
            names.append(b"STARTTLS")
        if not self._client.cleartext:
            names.append(b"LOGINDISABLED")
        return names + [b"AUTH=" + mechanism for mechanism in self._client.offered]

    async def _start_tls(self, command: commands.StartTls) -> None:
        client = self._client
        if client.tls_context is None:
            text = b"BAD TLS is already active." if client.tls_begun else b"BAD TLS support isn't enabled."
            self._engine.reply(command.tag, text)
            return
        self._engine.reply(command.tag, b"OK Begin TLS negotiation now.")
        await client.begin_tls(client.tls_context)

    async def _login(self, command: commands.Login) -> HandOver | None:
        if not self._client.cleartext:
            self._refuse_cleartext(command.tag, b"PLAIN")
            return None
        response = b"\0%b\0%b" % (command.user, command.password.reveal())
        return await self._run(command.tag, b"PLAIN", response)

    async def _authenticate(self, command: commands.Authenticate) -> HandOver | None:
        mechanism, tag = command.mechanism, command.tag
        if mechanism not in self._client.mechanisms:
            self._client.attempts.refused(mechanism, "tried to use unsupported auth mechanism")
            self._engine.reply(tag, b"NO [ALERT] Unsupported authentication mechanism.")
            return None
        if shows_password(self._client.mechanisms[mechanism]) and not self._client.cleartext:
            self._refuse_cleartext(tag, mechanism)
            return None
        try:
            response = decode_initial_response(command.initial_response)
        except NotBase64:
            self._client.attempts.undecodable(mechanism)
            self._engine.reply(tag, b"BAD Invalid base64 data in initial response")
            return None
        return await self._run(tag, mechanism, response)

    def _refuse_cleartext(self, tag: bytes, mechanism: bytes) -> None:
        self._client.attempts.refused(mechanism, "tried to use disallowed plaintext auth")
        self._engine.untagged(_EXPOSED)
        self._engine.reply(tag, b"NO [PRIVACYREQUIRED] " + _DISALLOWED)

    async def _run(self, tag: bytes, mechanism: bytes, response: bytes | None) -> HandOver | None:
        """Run a mechanism to its end."""
        engine = self._engine

        async def exchange(challenge: bytes) -> bytes:
            engine.go_ahead(b64encode(challenge))
            engine.expect_line(tag)
            line = await self._client.next_command()
            return decode_response(line.text if isinstance(line, commands.Line) else None)

        try:
            result = await self._client.authenticate(mechanism, response, exchange)
        except NotBase64:
            engine.reply(
                tag, b"BAD Invalid base64 in response"
            )  # RFC 9051 §6.2.2: "MUST reject … with a tagged BAD"
            return None
        except ExchangeAborted:
            engine.reply(tag, b"BAD Authentication aborted by client.")
            return None
        if isinstance(result, Ticket):
            return HandOver(
                result, self._client.attempts.method, tag, engine.unread(), self._asked_capabilities
            )
        engine.reply(tag, b"NO " + _failure_text(result))
        return None


def _failure_text(failure: Failure) -> bytes:
    if failure.temporary:
        return b"[UNAVAILABLE] " + (failure.reason.encode("ascii", "replace") or TEMPORARY_FAILURE.encode())
    if failure.expired:
        return b"[EXPIRED] " + (failure.reason.encode("ascii", "replace") or b"Password expired")
    if failure.reason:
        code = b"[AUTHORIZATIONFAILED] " if failure.forbidden else b"[ALERT] "
        return code + failure.reason.encode("ascii", "replace")
    return b"[AUTHENTICATIONFAILED] Authentication failed."
