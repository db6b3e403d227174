"""SMTP AUTH by way of whoever checks the logins."""

from pillarbox.auth.logins import Accepted, Exchange, LoginChecker
from pillarbox.sessions.login import Failure, Ticket
from pillarbox.wire.sasl.mechanisms import MechanismProperties


class SmtpAuthenticator:
    """`sessions.login.Authenticator` for one client of smtpd."""

    def __init__(self, client: LoginChecker, *, service: str, local: str, remote: str) -> None:
        """`service` is smtpd_sasl_service."""
        self._client = client
        self._service = service.encode()
        self._local = local.encode()
        self._remote = remote.encode()

    @property
    def mechanisms(self) -> MechanismProperties:
        """What the server said it has; none while it is away."""
        return self._client.mechanisms

    async def authenticate(
        self, mechanism: bytes, initial_response: bytes | None, exchange: Exchange, *, secured: bool
    ) -> Ticket | Failure:
        """Run a mechanism to its end."""
        fields = (b"service=" + self._service, b"nologin", b"lip=" + self._local, b"rip=" + self._remote)
        result = await self._client.authenticate(
            mechanism, initial_response, exchange, fields=(*fields, b"secured") if secured else fields
        )
        if isinstance(result, Accepted):
            return Ticket(result.user, result.request_id, result.client_pid, result.cookie)
        return Failure(result.reason, result.user, result.temporary)
