"""An authentication server that knows one password."""

from pillarbox.auth.logins import Exchange
from pillarbox.sessions.login import Failure, Ticket
from pillarbox.wire.sasl.mechanisms import SECURITY, MechanismProperties


class ScriptedAuthenticator:
    """PLAIN and LOGIN; the password of everybody is `secret`.  The user `broken` has a database that is down,
    `locked` a reason of his own, that of `expired` is too old, and `barred` may not log in whatever he says."""

    def __init__(self, mechanisms: tuple[bytes, ...] = (b"PLAIN", b"LOGIN")) -> None:
        self._mechanisms = {name: SECURITY[name] for name in mechanisms}
        self.secured: bool | None = None

    @property
    def mechanisms(self) -> MechanismProperties:
        """What is offered."""
        return self._mechanisms

    async def authenticate(
        self, mechanism: bytes, initial_response: bytes | None, exchange: Exchange, *, secured: bool
    ) -> Ticket | Failure:
        """Run a mechanism."""
        self.secured = secured
        if mechanism == b"LOGIN":
            user = initial_response if initial_response is not None else await exchange(b"Username:")
            password = await exchange(b"Password:")
        else:
            response = initial_response if initial_response is not None else await exchange(b"")
            parts = response.split(b"\0")
            if len(parts) != 3:
                return Failure()
            _, user, password = parts
        name = user.decode()
        if name == "broken":
            return Failure(temporary=True, user=name)
        if name == "expired":
            return Failure(user=name, expired=True)
        if name == "barred":
            return Failure(reason="Not here", user=name, forbidden=True)
        if name == "locked":
            return Failure(reason="Account is locked", user=name)
        return Ticket(name, 7, 4242, b"cookie") if password == b"secret" else Failure(user=name)
