"""An IMAP connection before login: greeting, STARTTLS, LOGIN and AUTHENTICATE, nothing else.

DESCRIPTION
    `ImapLoginSession.run()` ends with a `HandOver` (the connection stays open, and the command that logged
    in is not answered yet: the worker does that) or with `NotLoggedIn` (the connection is closed).

    Commands that a client sends ahead wait while it is being authenticated.

FAULTS
    A wrong password is answered as an unknown user is.  The third bad command ends the connection.

STANDARDS
    RFC 3501 §6.2, §7.1; RFC 4959 (SASL-IR); RFC 5530 (AUTHENTICATIONFAILED, PRIVACYREQUIRED, UNAVAILABLE)
"""

import ssl
from base64 import b64encode
from typing import Final

from pillarbox.net.connection import IdleTimeout, TlsFault
from pillarbox.sessions.client_wait import ClientWait
from pillarbox.sessions.imap.session import SERVER_ID
from pillarbox.sessions.login import Authenticator, ExchangeAborted, Failure, Ticket
from pillarbox.sessions.mailbox_login import (
    MAX_BAD_COMMANDS,
    Attempts,
    HandOver,
    LoginPolicy,
    LoginTransport,
    NotBase64,
    NotLoggedIn,
    decode_initial_response,
    decode_response,
    offered_mechanisms,
    shows_password,
)
from pillarbox.vocabulary.clock import Clock
from pillarbox.wire.imap import commands, responses
from pillarbox.wire.imap.commands import Command
from pillarbox.wire.imap.server import MAX_LINE_BEFORE_LOGIN, ImapServer, Pause, State

_BASE: Final = b"IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+".split()
_EXPOSED: Final = (
    b"BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but your client did it anyway."
    b" If anyone was listening, the password was exposed."
)
_DISALLOWED: Final = b"Plaintext authentication disallowed on non-secure (SSL/TLS) connections."


class _End(Exception):
    """The connection is over; `args[0]` is the reason for the log, `args[1]` the BYE, if any."""


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
    ) -> None:
        """`secured`: TLS is on already, or the client is on this machine; `tls_context`: for STARTTLS."""
        self._transport = transport
        self._authenticator = authenticator
        self._policy = policy
        self._secured = secured
        self._tls_context = tls_context
        self._engine = ImapServer(state=State.NOT_AUTHENTICATED, max_line=MAX_LINE_BEFORE_LOGIN)
        self._wait = ClientWait(transport)
        self._attempts = Attempts(clock)
        self._bad_commands = 0
        self._tls_begun = False

    def shutdown(self) -> None:
        """Say BYE as soon as the client is waited for."""
        self._wait.shut_down()

    async def run(self) -> HandOver | NotLoggedIn:
        """From greeting to login, or to the end."""
        engine = self._engine
        capability = responses.capability(self._capabilities())
        engine.untagged(b"OK [%s] %s" % (capability, self._policy.greeting))
        try:
            while True:
                command = await self._next_command()
                result = await self._answer(command)
                if result is not None:
                    await self._flush()
                    return result
        except _End as end:
            reason, bye = end.args
            if bye:
                engine.untagged(b"BYE " + bye)
        except IdleTimeout:
            reason = "Inactivity"
        except TlsFault as fault:
            reason = f"Disconnected: TLS handshaking: {fault}"
        self._transport.send(engine.data_to_send())
        self._transport.close()
        return self._attempts.ended(reason)

    async def _next_command(self) -> Command:
        engine = self._engine
        while True:
            command = engine.next_command()
            if isinstance(command, Command):
                return command
            await self._flush()
            if command is Pause.CLOSED:
                raise _End("Connection closed", b"")
            data = await self._wait.receive(limit=self._attempts.seconds_left)
            if data is None and self._wait.shutting_down:
                raise _End("Server shutting down", b"Server shutting down.")
            if data is None:
                raise _End("Inactivity", b"Disconnected for inactivity.")
            engine.receive_data(data)

    async def _flush(self) -> None:
        data = self._engine.data_to_send()
        if data:
            self._transport.send(data)
            await self._transport.drain()

    async def _answer(self, command: Command) -> HandOver | None:
        engine, tag = self._engine, command.tag
        if isinstance(command, commands.Refused):
            self._bad_commands += 1
            if self._bad_commands >= MAX_BAD_COMMANDS:
                raise _End("Too many invalid commands", b"Too many invalid IMAP commands.")
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
                engine.untagged(responses.capability(self._capabilities()))
                engine.reply(tag, b"OK Pre-login capabilities listed, post-login capabilities have more.")
            case commands.Id():
                engine.untagged(responses.identification(SERVER_ID))
                engine.reply(tag, b"OK ID completed.")
            case commands.Enable():
                engine.untagged(b"ENABLED")
                engine.reply(tag, b"OK ENABLE ignored in non-authenticated state.")
            case commands.Noop():
                engine.reply(tag, b"OK NOOP completed.")
            case commands.Logout():
                engine.untagged(b"BYE Logging out")
                engine.reply(tag, b"OK Logout completed.")
                raise _End("Aborted login by logging out", b"")
        return None

    @property
    def _cleartext(self) -> bool:
        return self._secured or self._policy.cleartext_allowed

    def _capabilities(self) -> list[bytes]:
        """CAPABILITY: STARTTLS where it can be had, LOGINDISABLED where LOGIN cannot (RFC 3501 §6.2.3)."""
        names = list(_BASE)
        if self._tls_context is not None:
            names.append(b"STARTTLS")
        if not self._cleartext:
            names.append(b"LOGINDISABLED")
        offered = offered_mechanisms(self._authenticator.mechanisms, cleartext=self._cleartext)
        return names + [b"AUTH=" + mechanism for mechanism in offered]

    async def _start_tls(self, command: commands.StartTls) -> None:
        engine = self._engine
        if self._tls_context is None:
            text = b"BAD TLS is already active." if self._tls_begun else b"BAD TLS support isn't enabled."
            engine.reply(command.tag, text)
            return
        engine.reply(command.tag, b"OK Begin TLS negotiation now.")
        await self._flush()
        engine.unread()  # what was sent ahead in clear text counts for nothing
        await self._transport.start_tls(self._tls_context)
        self._tls_context = None
        self._tls_begun = self._secured = True

    async def _login(self, command: commands.Login) -> HandOver | None:
        if not self._cleartext:
            self._refuse_cleartext(command.tag, b"PLAIN")
            return None
        response = b"\0%b\0%b" % (command.user, command.password.reveal())
        return await self._run(command.tag, b"PLAIN", response)

    async def _authenticate(self, command: commands.Authenticate) -> HandOver | None:
        mechanism, tag = command.mechanism, command.tag
        if mechanism not in self._authenticator.mechanisms:
            self._attempts.refused(mechanism, "tried to use unsupported auth mechanism")
            self._engine.reply(tag, b"NO [ALERT] Unsupported authentication mechanism.")
            return None
        if shows_password(mechanism) and not self._cleartext:
            self._refuse_cleartext(tag, mechanism)
            return None
        try:
            response = decode_initial_response(command.initial_response)
        except NotBase64:
            self._engine.reply(tag, b"BAD Invalid base64 data in initial response")
            return None
        return await self._run(tag, mechanism, response)

    def _refuse_cleartext(self, tag: bytes, mechanism: bytes) -> None:
        self._attempts.refused(mechanism, "tried to use disallowed plaintext auth")
        self._engine.untagged(_EXPOSED)
        self._engine.reply(tag, b"NO [PRIVACYREQUIRED] " + _DISALLOWED)

    async def _run(self, tag: bytes, mechanism: bytes, response: bytes | None) -> HandOver | None:
        """Run a mechanism to its end."""
        engine = self._engine

        async def exchange(challenge: bytes) -> bytes:
            engine.go_ahead(b64encode(challenge))
            engine.expect_line(tag)
            line = await self._next_command()
            return decode_response(line.text if isinstance(line, commands.Line) else None)

        await self._flush()
        self._attempts.begin(mechanism)
        try:
            result = await self._authenticator.authenticate(
                mechanism, response, exchange, secured=self._secured
            )
        except NotBase64:
            self._attempts.end(None)
            engine.reply(tag, b"NO [ALERT] Invalid base64 in response")
            return None
        except ExchangeAborted:
            self._attempts.end(None)
            engine.reply(tag, b"BAD Authentication aborted by client.")
            return None
        self._attempts.end(result)
        if isinstance(result, Ticket):
            return HandOver(result, self._attempts.method, tag, engine.unread())
        engine.reply(tag, b"NO " + _failure_text(result))
        return None


def _failure_text(failure: Failure) -> bytes:
    if failure.temporary:
        return b"[UNAVAILABLE] Temporary authentication failure."
    if failure.reason:
        return b"[AUTHENTICATIONFAILED] " + failure.reason.encode("ascii", "replace")
    return b"[AUTHENTICATIONFAILED] Authentication failed."
