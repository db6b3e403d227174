"""What IMAP and POP3 have in common before login: attempts, STARTTLS, SASL responses, handing over.

DESCRIPTION
    Before login a client talks to a process that owns nothing.  A login session ends with `HandOver`, for
    the worker that opens the mailbox, or with `NotLoggedIn`, for the log.  What an admin reads there of a
    client that did not get in is Dovecot's wording: fail2ban reads it, too.

STANDARDS
    RFC 4422 §3 (SASL exchange); RFC 4648 §4 (base64); RFC 8314 §3 (cleartext is refused)
"""

import ssl
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from pillarbox.net.tls_faults import TlsFault
from pillarbox.sessions.login import ExchangeAborted, Failure, Ticket
from pillarbox.sessions.transport import Transport
from pillarbox.vocabulary.clock import Clock
from pillarbox.wire.sasl.mechanisms import MechanismProperties

LOGIN_TIMEOUT: Final = 180.0
"""Seconds within which a client has to log in, Dovecot's three minutes."""
MAX_BAD_COMMANDS: Final = 3


class LoginTransport(Transport, Protocol):
    """A transport that TLS can be put on."""

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Put TLS on.  TlsFault if it fails."""
        ...


class LoginPolicy(msgspec.Struct, frozen=True):
    """What may be done before login."""

    greeting: bytes = b"Dovecot (Debian) ready."  # login_greeting
    cleartext_allowed: bool = False  # disable_plaintext_auth = no
    server_id: tuple[tuple[str, str | None], ...] = (("name", "Dovecot"),)  # imap_id_send
    literal_minus: bool = False  # imap_literal_minus
    id_log: tuple[str, ...] = ()  # imap_id_log: fields of ID that the log tells
    capability: str = ""  # imap_capability: instead of ours, or with `+` behind them
    timestamp: bytes = b""  # for APOP, behind POP3's greeting; empty: there is no APOP


class HandOver(msgspec.Struct, frozen=True):
    """A login that succeeded: what the account's worker needs to go on.

    `tag` is that of the IMAP command to answer, empty for POP3; `unread` what the client sent behind it.
    `asked_capabilities`: the client has said CAPABILITY, although the greeting told; so it does not read what
    tagged answers tell of capabilities.
    """

    ticket: Ticket
    method: str
    tag: bytes
    unread: bytes
    asked_capabilities: bool = False


class NotLoggedIn(msgspec.Struct, frozen=True):
    """A connection that ended before login; `reason` as the log tells it."""

    reason: str
    user: str
    method: str
    tls: str = ""  # what went wrong with TLS, if that was the end


class NotBase64(ExchangeAborted):
    """The client's response is no base64."""


class Attempts:
    """What a client has tried, for the log."""

    __slots__ = (
        *("_clock", "_expired", "_failed", "_forbidden", "_gave_up", "_in_exchange", "_missing", "_note"),
        *("_disabled", "_started", "_temporary", "_undecodable"),
        *("method", "user"),
    )  # fmt: skip

    def __init__(self, clock: Clock, *, missing: Callable[[], str] = str) -> None:
        """`missing` says in the end what nobody could log in without; empty: nothing."""
        self._clock = clock
        self._missing = missing
        self._disabled = self._expired = self._forbidden = self._temporary = False
        self._started = clock.monotonic()
        self._failed = self._undecodable = 0
        self._gave_up = False
        self._note = ""
        self._in_exchange = False
        self.user = ""
        self.method = ""

    def begin(self, method: bytes) -> None:
        """A mechanism begins."""
        self.method = method.decode("ascii", "replace")
        self._in_exchange = True
        self._note = ""

    def end(self, result: Ticket | Failure | None) -> None:
        """A mechanism has ended; None if the client gave up."""
        self._in_exchange = False
        if result is None or isinstance(result, Failure):
            self._failed += 1
            self._gave_up = result is None
            self._forbidden = result is not None and result.forbidden
            self._expired = result is not None and result.expired
            self._temporary = result is not None and result.temporary
            self._disabled = result is not None and result.disabled
        if result is not None and result.user:
            self.user = result.user

    def refused(self, method: bytes, note: str) -> None:
        """A mechanism was not even begun."""
        self.method = method.decode("ascii", "replace")
        self._note = note

    def undecodable(self, method: bytes) -> None:
        """A mechanism was not begun, since the initial response is no base64."""
        self.refused(method, "sent invalid base64 in response")
        self._undecodable += 1

    def ended(self, reason: str) -> NotLoggedIn:
        """The connection ends without a login: `reason (auth failed, 1 attempts in 2 secs)`"""
        seconds = int(self._clock.monotonic() - self._started)
        if missing := self._missing():
            note = missing
        elif self._in_exchange or (self._gave_up and self._attempts == 1):
            note = f"client didn't finish SASL auth, waited {seconds} secs"
        elif self._expired:
            note = "password expired"
        elif self._disabled:
            note = "user disabled"
        elif self._temporary:
            note = "auth service reported temporary failure"
        elif self._failed:
            what = "authorization" if self._forbidden else "auth"
            note = f"{what} failed, {self._attempts} attempts in {seconds} secs"
        else:
            note = self._note or f"no auth attempts in {seconds} secs"
        return NotLoggedIn(f"{reason} ({note})", self.user, self.method)

    def ended_by_tls(self, fault: TlsFault) -> NotLoggedIn:
        """The connection ends in a handshake: `Connection closed: SSL_accept() failed: error:…`"""
        if fault.openssl:
            detail = f"SSL_accept() failed: {fault.openssl}"
        elif fault.is_end:
            detail = ""
        else:
            detail = f"read() failed: {fault}"
        ended = self.ended(f"Connection closed: {detail}" if detail else "Connection closed")
        return msgspec.structs.replace(ended, tls=f"TLS handshaking: {detail or 'Connection closed'}")

    @property
    def _attempts(self) -> int:
        return self._failed + self._undecodable

    @property
    def seconds_left(self) -> float:
        """How long the client may still take to log in."""
        return max(self._started + LOGIN_TIMEOUT - self._clock.monotonic(), 0.001)


def offered_mechanisms(mechanisms: MechanismProperties, *, cleartext: bool) -> list[bytes]:
    """The mechanisms to tell of: none that shows the password, where that is not allowed."""
    return [name for name, told in mechanisms.items() if cleartext or not shows_password(told)]


def shows_password(properties: tuple[bytes, ...]) -> bool:
    """Whether a mechanism of these properties sends the password itself."""
    return b"plaintext" in properties


def decode_response(line: bytes | None) -> bytes:
    """A client's response.  Raises ExchangeAborted for `*`, NotBase64 for anything but base64."""
    if line == b"*":
        raise ExchangeAborted
    if line is None:
        raise NotBase64
    return _decode(line)


def decode_initial_response(response: bytes | None) -> bytes | None:
    """The initial response of SASL-IR: `=` stands for an empty one (RFC 4959 §3).  Raises NotBase64."""
    if response is None or response == b"=":
        return None if response is None else b""
    return _decode(response)


def _decode(text: bytes) -> bytes:
    try:
        return b64decode(text, validate=True)
    except Base64Error:
        raise NotBase64 from None
