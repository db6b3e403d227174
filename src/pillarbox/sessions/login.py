"""Logging in, as sessions see it: a SASL exchange with whoever knows the users.

DESCRIPTION
    `Authenticator` is asked by SMTP, IMAP and POP3 sessions alike.  The exchange may take several steps:
    `exchange(challenge)` sends a challenge to the client and gives its answer, both decoded from base64.

    Success gives a `Ticket`: proof for the process that opens the mailbox, not a user name it would have to
    believe.  SMTP uses only the name in it.

STANDARDS
    RFC 4422 (SASL)
"""

from typing import Final, Protocol

import msgspec

from pillarbox.auth.logins import Exchange
from pillarbox.wire.sasl.mechanisms import MechanismProperties

TEMPORARY_FAILURE: Final = "Temporary authentication failure."
"""What a client is told while nobody knows whether its password is right."""


class Ticket(msgspec.Struct, frozen=True):
    """A login that succeeded, redeemable once at the authentication server."""

    user: str
    request_id: int
    client_pid: int
    cookie: bytes
    facts: dict[str, str] = {}
    """What the log may tell of the user, by the names of variables."""


class Failure(msgspec.Struct, frozen=True):
    """A login that did not.  `reason` may be shown to the client; empty for a wrong password."""

    reason: str = ""
    user: str = ""
    temporary: bool = False
    forbidden: bool = False  # who it is was known, or would have been
    expired: bool = False  # the password was right once, or the account is closed
    disabled: bool = False  # what was shown is right, but not for this


class ExchangeAborted(Exception):
    """The client gave up (`*`) or sent no base64; raised by `exchange`."""


class Authenticator(Protocol):
    """Checks logins."""

    @property
    def mechanisms(self) -> MechanismProperties:
        """The SASL mechanisms, in the order in which they are offered."""
        ...

    async def authenticate(
        self, mechanism: bytes, initial_response: bytes | None, exchange: Exchange, *, secured: bool
    ) -> Ticket | Failure:
        """Run a mechanism to its end.  Raises ExchangeAborted as `exchange` does."""
        ...
