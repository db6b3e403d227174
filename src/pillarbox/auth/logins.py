"""Who checks logins for SMTP, IMAP and POP3: an authentication server, or what Cyrus SASL would ask."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from pillarbox.wire.sasl.mechanisms import MechanismProperties


class Accepted(msgspec.Struct, frozen=True):
    """The login is right.  The numbers redeem it on the master socket."""

    user: str
    request_id: int
    client_pid: int
    cookie: bytes
    facts: dict[str, str] = {}
    """What the log may tell of the user, by the names of variables."""


class Refused(msgspec.Struct, frozen=True):
    """It is not; `temporary` if nobody knows, `expired` if it was right once, `disabled` if it is not for this."""

    user: str = ""
    reason: str = ""
    temporary: bool = False
    expired: bool = False
    disabled: bool = False


Exchange = Callable[[bytes], Awaitable[bytes]]
"""Sends a challenge to the client and gives its answer, both decoded from base64."""


class LoginChecker(Protocol):
    """Runs SASL exchanges to their end."""

    @property
    def mechanisms(self) -> MechanismProperties:
        """The SASL mechanisms, in the order in which they are offered; none while nobody can be asked."""
        ...

    async def connect(self) -> bool:
        """Whether logins can be checked now; `mechanisms` is known then."""
        ...

    async def authenticate(
        self,
        mechanism: bytes,
        initial_response: bytes | None,
        exchange: Exchange,
        *,
        fields: tuple[bytes, ...],
    ) -> Accepted | Refused:
        """One login.  `fields` are what AUTH tells a server: `service=imap`, `rip=…`, `secured` and so on."""
        ...

    def close(self) -> None:
        """No login comes any more."""
        ...
