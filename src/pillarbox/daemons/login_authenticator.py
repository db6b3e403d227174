"""Clients of the login role, and the auth server: what it is told of them, and what it says."""

import os
from datetime import UTC, datetime
from typing import Final

from pillarbox.auth.logins import Accepted, Exchange, LoginChecker
from pillarbox.daemons.login_facts import LoginFacts
from pillarbox.daemons.login_peer import LoginPeer
from pillarbox.daemons.login_tls import ClientCertificate
from pillarbox.observability.events import EventSink, LoginTrouble
from pillarbox.sessions.login import TEMPORARY_FAILURE, Failure, Ticket
from pillarbox.vocabulary.clock import Clock
from pillarbox.wire.sasl.mechanisms import USUAL_MECHANISMS, MechanismProperties

_NAMELESS: Final = "Unable to validate certificate"


class LoginAuthenticator:
    """`sessions.login.Authenticator` for one client of this role."""

    def __init__(
        self,
        checker: LoginChecker,
        client: LoginPeer,
        certificate: ClientCertificate,
        tell: EventSink,
        *,
        trusted: bool,
        facts: LoginFacts,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._checker = checker
        self._client = client
        self._certificate = certificate
        self._tell = tell
        self._trusted = trusted
        self._facts = facts

    @property
    def mechanisms(self) -> MechanismProperties:
        """What the auth server said it has."""
        return self._checker.mechanisms or USUAL_MECHANISMS

    async def authenticate(
        self, mechanism: bytes, initial_response: bytes | None, exchange: Exchange, *, secured: bool
    ) -> Ticket | Failure:
        """Run a mechanism to its end."""
        peer, certificate = self._client.peer, self._certificate
        if certificate.lacks_name:
            method = mechanism.decode("ascii", "replace")
            for severity, text in (
                ("Error", "Cannot get username from certificate: Missing username in certificate"),
                ("Info", f"Authenticate {method} failed: {_NAMELESS}"),
            ):
                where = (peer.remote, peer.local, "TLS", peer.session, self._facts.now())
                self._tell(LoginTrouble(peer.service, severity, text, method, *where))
            return Failure(_NAMELESS, forbidden=True)
        fields = [b"service=" + peer.service.encode()]
        if secured:
            fields.append(b"secured")
        if self._trusted and not self._client.is_forwarded:  # its own clients may be guessers
            fields.append(b"no-penalty")
        if certificate.is_valid:
            fields.append(b"valid-client-cert")
        fields.append(b"session=" + peer.session.encode())
        if certificate.is_valid:
            fields.append(b"cert_username=" + certificate.name.encode())
        fields += [b"lip=" + peer.local.encode(), b"rip=" + peer.remote.encode()]
        fields += [f"{name}={value}".encode() for name, value in self._facts.of_client(peer).items()]
        result = await self._checker.authenticate(mechanism, initial_response, exchange, fields=tuple(fields))
        if isinstance(result, Accepted):
            return Ticket(result.user, result.request_id, result.client_pid, result.cookie, result.facts)
        reason = result.reason
        if result.temporary and not reason:  # by which an admin finds it in the log
            when = datetime.fromtimestamp(self._clock.now(), UTC).astimezone()
            reason = f"{TEMPORARY_FAILURE} [{os.uname().nodename}:{when:%Y-%m-%d %H:%M:%S}]"
        why = {"temporary": result.temporary, "expired": result.expired, "disabled": result.disabled}
        return Failure(reason, result.user, **why)
