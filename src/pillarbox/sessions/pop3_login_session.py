"""A POP3 connection before login: greeting, STLS, USER and PASS, AUTH.

DESCRIPTION
    `Pop3LoginSession.run()` ends with a `HandOver` (the connection stays open; the worker answers
    `+OK Logged in.`) or with `NotLoggedIn` (the connection is closed).

FAULTS
    A wrong password is answered as an unknown user is.  The third bad command ends the connection.

STANDARDS
    RFC 1939 §4; RFC 2449 (CAPA); RFC 2595 (STLS); RFC 3206 (AUTH, SYS/TEMP); RFC 5034 (AUTH)
"""

import binascii
import hashlib
import ssl
from base64 import b64encode
from collections.abc import Callable
from typing import Final

from pillarbox.sessions.forwarded_client import BelieveProxy, told_by_xclient
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
from pillarbox.wire import pop3
from pillarbox.wire.pop3 import Command, Pop3Server, State

BASE_CAPABILITIES: Final = (b"CAPA", b"TOP", b"UIDL", b"RESP-CODES", b"PIPELINING", b"AUTH-RESP-CODE")
_DISALLOWED: Final = b"[AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections."


class Pop3LoginSession:
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
        """`secured`: TLS is on already, or the client is on this machine; `tls_context`: for STLS.

        `believe` takes what a trusted proxy tells of its client.
        """
        self._believe = believe
        self._engine = Pop3Server(state=State.AUTHORIZATION)
        self._client = LoginClient(
            transport,
            self._engine,
            authenticator,
            clock=clock,
            policy=policy,
            secured=secured,
            tls_context=tls_context,
            missing=missing,
            shutdown_text=b"[SYS/TEMP] Server shutting down.",
        )
        self._bad_commands = 0
        self._user: bytes | None = None

    def shutdown(self) -> None:
        """Close as soon as the client is waited for."""
        self._client.shut_down()

    def make_room(self) -> None:
        """End, because there are too many who have not logged in."""
        self._client.make_room()

    async def run(self) -> HandOver | NotLoggedIn:
        """From greeting to login, or to the end."""
        offer = b"" if self._believe is None else b"[XCLIENT] "
        policy = self._client.policy
        self._engine.ok(offer + policy.greeting + (b" " + policy.timestamp if policy.timestamp else b""))
        return await self._client.converse(self._answer_next, say_farewell=self._engine.error)

    async def _answer_next(self) -> HandOver | None:
        return await self._answer(await self._client.next_command())

    async def _answer(self, command: Command) -> HandOver | None:
        engine = self._engine
        if isinstance(command, pop3.Refused):
            engine.error(command.text)
            self._bad_commands += 1
            if self._bad_commands >= MAX_BAD_COMMANDS:
                raise LoginEnded("Disconnected: Too many bad commands", b"Too many invalid bad commands.")
            return None
        self._bad_commands = 0
        match command:
            case pop3.User(name):
                if self._allows_password(b"PLAIN"):
                    self._user = name
                    engine.ok()
            case pop3.Password():
                return await self._password(command)
            case pop3.Auth():
                return await self._auth(command)
            case pop3.Apop():
                return await self._apop(command)
            case pop3.StartTls():
                await self._start_tls()
            case pop3.Forwarded(arguments):
                self._take_client(arguments)
            case pop3.Capabilities():
                self._tell_capabilities()
            case pop3.Quit():
                engine.ok(b"Logging out")
                raise LoginEnded("Aborted login by logging out")
        return None

    def _tell_capabilities(self) -> None:
        lines = list(BASE_CAPABILITIES)
        if self._client.tls_context is not None:
            lines.append(b"STLS")
        if self._client.cleartext:
            lines.append(b"USER")
        lines.append(b" ".join([b"SASL", *self._client.offered]))
        self._engine.send(b"+OK\r\n" + b"".join(line + b"\r\n" for line in lines) + b".\r\n")

    def _take_client(self, arguments: bytes) -> None:
        """What a proxy tells of its client; what is right of it counts, even if all of it does not."""
        if self._believe is None:
            self._engine.ok(b"You are not from trusted IP - ignoring")
            return
        told, is_right = told_by_xclient(arguments)
        self._believe(told)
        if is_right:
            self._engine.ok(b"Updated")
        else:
            self._engine.error(b"Invalid parameters")

    def _allows_password(self, mechanism: bytes) -> bool:
        if self._client.cleartext:
            return True
        self._client.attempts.refused(mechanism, "tried to use disallowed plaintext auth")
        self._engine.error(_DISALLOWED)
        return False

    async def _start_tls(self) -> None:
        client = self._client
        if client.tls_context is None:
            text = b"TLS is already active." if client.tls_begun else b"TLS support isn't enabled."
            self._engine.error(text)
            return
        self._engine.ok(b"Begin TLS negotiation now.")
        await client.begin_tls(client.tls_context)
        self._user = None

    async def _password(self, command: pop3.Password) -> HandOver | None:
        if self._user is None:
            self._engine.error(b"No username given.")
            return None
        user, self._user = self._user, None
        return await self._run(b"PLAIN", b"\0%b\0%b" % (user, command.password.reveal()))

    async def _apop(self, command: pop3.Apop) -> HandOver | None:
        timestamp = self._client.policy.timestamp
        if not timestamp:
            self._engine.error(b"APOP not enabled.")
            return None
        if len(command.digest) != 2 * hashlib.md5(usedforsecurity=False).digest_size:
            self._engine.error(b"Invalid parameters.")
            return None
        try:
            digest = binascii.unhexlify(command.digest)
        except binascii.Error:
            self._engine.error(b"Invalid characters in MD5 response.")
            return None
        return await self._run(b"APOP", b"%b\0%b\0%b" % (timestamp, command.name, digest))

    async def _auth(self, command: pop3.Auth) -> HandOver | None:
        engine, mechanism = self._engine, command.mechanism
        if not mechanism:  # what servers did before CAPA, and clients still ask
            engine.send(b"+OK\r\n" + b"".join(name + b"\r\n" for name in self._client.offered) + b".\r\n")
            return None
        if mechanism not in self._client.mechanisms:
            self._client.attempts.refused(mechanism, "tried to use unsupported auth mechanism")
            engine.error(b"[AUTH] Unsupported authentication mechanism.")
            return None
        if shows_password(self._client.mechanisms[mechanism]) and not self._allows_password(mechanism):
            return None
        try:
            response = decode_initial_response(command.initial_response)
        except NotBase64:
            self._client.attempts.undecodable(mechanism)
            engine.error(b"[AUTH] Invalid base64 data in initial response")
            return None
        return await self._run(mechanism, response)

    async def _run(self, mechanism: bytes, response: bytes | None) -> HandOver | None:
        """Run a mechanism to its end."""
        engine = self._engine

        async def exchange(challenge: bytes) -> bytes:
            engine.send(b"+ %b\r\n" % b64encode(challenge))
            engine.expect_line()
            line = await self._client.next_command()
            return decode_response(line.text if isinstance(line, pop3.Line) else None)

        try:
            result = await self._client.authenticate(mechanism, response, exchange)
        except NotBase64:
            engine.error(b"[AUTH] Invalid base64 in response")
            return None
        except ExchangeAborted:
            engine.error(b"Authentication aborted by client.")
            return None
        if isinstance(result, Ticket):
            return HandOver(result, self._client.attempts.method, b"", engine.unread())
        engine.error(_failure_text(result))
        return None


def _failure_text(failure: Failure) -> bytes:
    if failure.temporary:
        return b"[SYS/TEMP] " + (failure.reason.encode("ascii", "replace") or TEMPORARY_FAILURE.encode())
    usual = b"Password expired" if failure.expired else b"Authentication failed."
    return b"[AUTH] " + (failure.reason.encode("ascii", "replace") or usual)
