"""AUTH: a SASL exchange between the client and whoever knows the users (RFC 4954)."""

import base64
import binascii
from typing import Final

from pillarbox.access.client_rates import Event
from pillarbox.observability import events
from pillarbox.sessions.login import Authenticator, ExchangeAborted, Failure
from pillarbox.sessions.smtp.session_state import Gone, Goodbye, SessionState
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import Auth
from pillarbox.wire.smtp.server import AuthResponse, Pause

_NOT_OFFERED: Final = {"cyrus": "no mechanism available", "dovecot": "Invalid authentication mechanism"}
"""What is said of a mechanism that may not be used, by smtpd_sasl_type."""


class _BadResponse(ExchangeAborted):
    """A response that is no base64."""


class _ResponseTooLong(ExchangeAborted):
    """A response beyond smtpd_sasl_response_limit."""


def offered_mechanisms(session: SessionState) -> tuple[bytes, ...]:
    """What EHLO shows: nothing to clients in smtpd_sasl_exceptions_networks."""
    authenticator = session.authenticator
    if authenticator is None or not session.engine.auth_enabled:
        return ()
    client = session.client
    if session.policy.sasl.smtpd_sasl_exceptions_networks.contains(client.address, client.name):
        return ()
    return _allowed(session, authenticator)


def _allowed(session: SessionState, authenticator: Authenticator) -> tuple[bytes, ...]:
    return session.policy.mechanisms.offered(authenticator.mechanisms, secured=session.client.uses_tls)


async def auth(session: SessionState, command: Auth) -> Reply:
    """The whole exchange, to 235 or a refusal."""
    client = session.client
    authenticator = session.authenticator
    if authenticator is None:
        raise AssertionError("AUTH where it is not offered reached the session")
    if client.sasl_username:
        return Reply(503, (b"5.5.1 Error: already authenticated",))
    if not authenticator.mechanisms:
        away = Failure("Connection lost to authentication server", temporary=True)
        return _failed(session, command.mechanism, away)
    if (refused := session.too_often(Event.AUTH, b"many AUTH commands")) is not None:
        return refused
    if command.mechanism.upper() not in _allowed(session, authenticator):
        return _failed(session, command.mechanism, Failure(_NOT_OFFERED[session.policy.sasl.smtpd_sasl_type]))

    async def exchange(challenge: bytes) -> bytes:
        return await _exchange(session, challenge)

    try:
        initial = None
        if command.initial_response is not None:
            initial = _decode(command.initial_response, "initial")
        result = await authenticator.authenticate(
            command.mechanism.upper(), initial, exchange, secured=client.uses_tls
        )
    except _BadResponse as fault:
        return _failed(session, command.mechanism, Failure(str(fault)))
    except _ResponseTooLong:
        return Reply(500, (b"5.5.6 SASL response limit exceeded",))
    except ExchangeAborted:
        session.tell_warning(
            f"{client.label}: SASL {command.mechanism.decode('ascii', 'replace')} authentication aborted"
        )
        return Reply(501, (b"5.7.0 Authentication aborted",))
    except (Gone, Goodbye):
        session.counts.add("auth", succeeded=False)
        raise
    if isinstance(result, Failure):
        return _failed(session, command.mechanism, result)
    client.sasl_method = command.mechanism.decode("ascii")
    client.sasl_username = result.user
    return Reply(235, (b"2.7.0 Authentication successful",))


async def _exchange(session: SessionState, challenge: bytes) -> bytes:
    """Send a challenge, wait for the answer (RFC 4954 §4)."""
    engine = session.engine
    engine.reply(Reply(334, (base64.b64encode(challenge),)))
    while True:
        answer = engine.next_command()
        if answer is not Pause.NEED_DATA:
            break
        await session.flush()
        data = await session.transport.receive()
        if not data:
            raise Gone
        engine.receive_data(data)
    limit = session.policy.sasl.smtpd_sasl_response_limit
    if not isinstance(answer, AuthResponse) or len(answer.data) >= limit:  # else: a line without end
        raise _ResponseTooLong
    if answer.data == b"*":
        raise ExchangeAborted
    return _decode(answer.data, "continued")


def _failed(session: SessionState, mechanism: bytes, failure: Failure) -> Reply:
    name = mechanism.decode("ascii", "replace")
    session.tell(events.AuthenticationFailed(session.client.label, name, failure.reason, failure.user))
    reason = (failure.reason or "(reason unavailable)").encode()
    if failure.temporary:
        return Reply(454, (b"4.7.0 Temporary authentication failure: " + reason,))
    return Reply(535, (b"5.7.8 Error: authentication failed: " + reason,))


def _decode(text: bytes, which: str) -> bytes:
    """`=` stands for an empty initial response (RFC 4954 §4)."""
    if text == b"=" and which == "initial":
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise _BadResponse(f"Invalid base64 data in {which} response") from error
