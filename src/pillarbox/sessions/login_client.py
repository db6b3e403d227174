"""A client before login, whatever it speaks: waiting for it, TLS, the SASL exchange, the end.

DESCRIPTION
    `LoginClient` is the half of a login session that is the same for IMAP and POP3; the session brings its
    engine and the words.  `converse()` answers command after command until one of them gives a `HandOver`, or
    until the connection has ended, which it then closes.

FAULTS
    LoginEnded  the connection is over: `reason` is for the log, `farewell` for the client

STANDARDS
    RFC 4422 §3 (SASL exchange); RFC 3501 §6.2.1, RFC 2595 §4 (STARTTLS, STLS)
"""

import ssl
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from pillarbox.auth.logins import Exchange
from pillarbox.net.connection import IdleTimeout
from pillarbox.net.tls_faults import TlsFault
from pillarbox.sessions.client_wait import ClientWait
from pillarbox.sessions.login import Authenticator, ExchangeAborted, Failure, Ticket
from pillarbox.sessions.mailbox_login import (
    Attempts,
    HandOver,
    LoginPolicy,
    LoginTransport,
    NotLoggedIn,
    offered_mechanisms,
)
from pillarbox.vocabulary.clock import Clock
from pillarbox.wire.pause import Pause
from pillarbox.wire.sasl.mechanisms import MechanismProperties

_Command = TypeVar("_Command")
_Next = TypeVar("_Next", covariant=True)


class LoginEnded(Exception):
    """The connection is over."""

    def __init__(self, reason: str, farewell: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.farewell = farewell


class LoginEngine(Protocol[_Next]):
    """What the engines of both protocols can do."""

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the client."""
        ...

    def next_command(self) -> _Next | Pause:
        """The next command, if it has come as a whole."""
        ...

    def data_to_send(self) -> bytes:
        """Bytes for the client."""
        ...

    def unread(self) -> bytes:
        """Take away what has come behind the last command."""
        ...


class LoginClient(Generic[_Command]):
    """One client before login."""

    def __init__(
        self,
        transport: LoginTransport,
        engine: LoginEngine[_Command],
        authenticator: Authenticator,
        *,
        clock: Clock,
        policy: LoginPolicy,
        secured: bool,
        tls_context: ssl.SSLContext | None,
        shutdown_text: bytes,
        missing: Callable[[], str] = str,
    ) -> None:
        """`secured`: TLS is on already, or the client is on this machine; `tls_context`: TLS can be begun.

        `missing` says in the end what the client could not log in without.
        """
        self.policy = policy
        self.attempts = Attempts(clock, missing=missing)
        self.tls_context = tls_context
        self.tls_begun = False
        self._transport = transport
        self._engine = engine
        self._authenticator = authenticator
        self._secured = secured
        self._ending = "Server shutting down", shutdown_text
        self._wait = ClientWait(transport)

    def shut_down(self) -> None:
        """End as soon as the client is waited for."""
        self._wait.shut_down()

    def make_room(self) -> None:
        """End, because others wait who may be quicker to log in."""
        self._ending = "Connection queue full", b"Connection queue full"
        self._wait.shut_down()

    async def converse(
        self, answer_next: Callable[[], Awaitable[HandOver | None]], *, say_farewell: Callable[[bytes], None]
    ) -> HandOver | NotLoggedIn:
        """Answer commands until one logs in, or the connection ends."""
        try:
            try:
                while (result := await answer_next()) is None:
                    pass
            finally:
                self._wait.close()
        except LoginEnded as end:
            reason = end.reason
            if end.farewell:
                say_farewell(end.farewell)
        except IdleTimeout:
            reason = "Inactivity"
        except TlsFault as fault:
            self._transport.close()
            return self.attempts.ended_by_tls(fault)
        else:
            await self.flush()
            return result
        self._transport.send(self._engine.data_to_send())
        self._transport.close()
        return self.attempts.ended(reason)

    async def next_command(self) -> _Command:
        """The next command of the client, sending what there is before waiting for it.  Raises LoginEnded."""
        while isinstance(command := self._engine.next_command(), Pause):
            if command is Pause.CLOSED:
                raise LoginEnded("Connection closed")
            await self._receive()
        return command

    async def _receive(self) -> None:
        await self.flush()
        data = await self._wait.receive(limit=self.attempts.seconds_left)
        if data is None and self._wait.shutting_down:
            raise LoginEnded(*self._ending)
        if data is None:
            raise LoginEnded("Inactivity", b"Disconnected for inactivity.")
        self._engine.receive_data(data)

    async def flush(self) -> None:
        """Send what there is."""
        data = self._engine.data_to_send()
        if data:
            self._transport.send(data)
            await self._transport.drain()

    async def begin_tls(self, context: ssl.SSLContext) -> None:
        """The client has been told to go ahead: put TLS on."""
        await self.flush()
        self._engine.unread()  # what was sent ahead in clear text counts for nothing
        await self._transport.start_tls(context)
        self.tls_context = None
        self.tls_begun = self._secured = True

    @property
    def cleartext(self) -> bool:
        """Whether mechanisms that show the password may be used."""
        return self._secured or self.policy.cleartext_allowed

    @property
    def mechanisms(self) -> MechanismProperties:
        """All there are."""
        return self._authenticator.mechanisms

    @property
    def offered(self) -> list[bytes]:
        """Those to tell of."""
        return offered_mechanisms(self.mechanisms, cleartext=self.cleartext)

    async def authenticate(
        self, mechanism: bytes, response: bytes | None, exchange: Exchange
    ) -> Ticket | Failure:
        """Run a mechanism to its end.  Raises ExchangeAborted, or NotBase64, which is one."""
        await self.flush()
        self.attempts.begin(mechanism)
        try:
            result = await self._authenticator.authenticate(
                mechanism, response, exchange, secured=self._secured
            )
        except ExchangeAborted:
            self.attempts.end(None)
            raise
        self.attempts.end(result)
        return result
