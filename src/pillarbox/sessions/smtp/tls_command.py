"""STARTTLS, and TLS from the first octet on port 465 (RFC 3207; RFC 8314 §3.3)."""

import errno
import os
import ssl
from typing import Final, NoReturn

from pillarbox.access.client_rates import Event
from pillarbox.net.chain_faults import chain_fault_line
from pillarbox.net.client_certificates import certificate_of, issuer_of
from pillarbox.net.connection import IdleTimeout
from pillarbox.net.openssl import chain_fault
from pillarbox.net.tls_faults import TlsFault
from pillarbox.net.tls_figures import tls_figures
from pillarbox.observability import events
from pillarbox.sessions.smtp.server_names import ServerNames
from pillarbox.sessions.smtp.session_state import Gone, SessionState
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import StartTls

_DETAILS: Final = 2
"""Of smtpd_tls_loglevel."""


async def starttls(session: SessionState, command: StartTls) -> Reply:
    """220 if there is a certificate; the handshake follows the reply (`finish_starttls`).

    Where a certificate should be and is not, 454 (RFC 3207 §4).
    """
    if session.client.uses_tls:
        return Reply(554, (b"5.5.1 Error: TLS already active",))
    if not session.policy.may_use_tls or "STARTTLS" in session.discarded_keywords:
        return Reply(502, (b"5.5.1 Error: command not implemented",))
    if session.tls_context is None:
        return Reply(454, (b"4.7.0 TLS not available due to local problem",))
    if session.too_often(Event.NEW_TLS, b"many new TLS sessions") is not None:
        text = b"4.7.0 Error: too many new TLS sessions from %s" % session.client.address_text.encode()
        return Reply(454, (text,))
    return Reply(220, (b"2.0.0 Ready to start TLS",))


async def finish_starttls(session: SessionState) -> None:
    """The handshake behind the 220.  Gone if it fails: STARTTLS has not succeeded then."""
    await session.flush()
    if session.tls_context is None:
        return  # to which the reply was 454
    try:
        await _begin_tls(session, session.tls_context)
    except Gone:
        session.counts.take_back("starttls")
        raise
    session.engine.start_tls()
    # RFC 3207 §4.2: what the client said before does not count any more; that it has spoken ESMTP does in Postfix.
    client = session.client
    client.helo = b""
    client.sasl_username = client.sasl_method = ""
    session.tell_engine()


def _tell_details(session: SessionState, tls: ssl.SSLObject) -> None:
    """What smtpd_tls_loglevel = 2 has before the session's line; why a certificate that must be trusted is not."""
    policy, label, certificate = session.policy, session.client.label, session.client.certificate
    has_all = policy.tls.smtpd_tls_loglevel >= _DETAILS
    if has_all and tls.session_reused:
        session.tell(events.Noted(f"{label}: Reusing old session (RFC 5077 session ticket)"))
    if certificate is None:
        return
    if has_all:
        session.tell(
            events.Noted(
                f"{label}: subject_CN={certificate.subject}, issuer={certificate.issuer}, "
                f"fingerprint={certificate.fingerprint}, pkey_fingerprint={certificate.key_fingerprint}"
            )
        )
    if policy.needs_certificate and not certificate.is_trusted and not tls.session_reused:
        code, text = chain_fault(tls) or (1, "unspecified certificate verification error")
        session.tell(events.Noted(chain_fault_line(label, "client", code, text, issuer=issuer_of(tls))))


async def _handshake(session: SessionState, context: ssl.SSLContext) -> None:
    transport = session.transport
    if session.policy.tls.smtpd_tls_loglevel >= _DETAILS:
        session.tell(events.Noted(f"setting up TLS connection from {session.client.label}"))
    limit, transport.idle_limit = transport.idle_limit, session.policy.tls.smtpd_starttls_timeout
    try:
        await transport.start_tls(context)
    except TlsFault as fault:
        _name_asked_for(session)
        _failed(session, "-1" if fault.openssl else str(fault), fault.openssl)
    except IdleTimeout:
        _failed(session, os.strerror(errno.ETIMEDOUT))
    finally:
        transport.idle_limit = limit


def _name_asked_for(session: SessionState) -> str:
    """The name of tls_server_sni_maps that the client got a certificate for; what else it asked for is logged."""
    names = session.tls_context.sni_callback if session.tls_context is not None else None
    tls = session.transport.tls
    if not isinstance(names, ServerNames) or tls is None:
        return ""
    asked = names.take(tls)
    for event in asked.told(session.client.label):
        session.tell(event)
    return asked.name


def _failed(session: SessionState, reason: str, library: str = "") -> NoReturn:
    session.tell(events.TlsFailed(session.client.label, reason))
    if library:
        session.tell(events.Warned(f"TLS library problem: {library}:"))
    raise Gone


async def begin_with_tls(session: SessionState) -> bool:
    """smtpd_tls_wrappermode: TLS before anything is said; False without a certificate.  Gone if it fails."""
    if session.tls_context is None:
        session.tell(
            events.Warned(
                f"Wrapper-mode request dropped from {session.client.label} for service {session.policy.service}."
                " TLS context initialization failed. For details see earlier warnings in your logs."
            )
        )
        return False
    await _begin_tls(session, session.tls_context)
    return True


async def _begin_tls(session: SessionState, context: ssl.SSLContext) -> None:
    """Put TLS on the connection, and say in the log how it went.  Gone if it fails."""
    await _handshake(session, context)
    session.client.uses_tls = True
    tls, client = session.transport.tls, session.client
    if tls is None:
        return
    if (cipher := tls.cipher()) is not None:  # of which the second is the oldest version that has it
        client.cipher = (cipher[0], tls.version() or cipher[1], cipher[2])
    name_asked_for = _name_asked_for(session)
    settings = session.policy.tls
    if session.policy.asks_for_certificates:
        client.certificate = certificate_of(tls, digest=settings.smtpd_tls_fingerprint_digest)
    certificate = client.certificate
    _tell_details(session, tls)
    if settings.smtpd_tls_loglevel:
        name, protocol, bits = client.cipher or ("?", "?", 0)
        trust = "Anonymous" if certificate is None else "Trusted" if certificate.is_trusted else "Untrusted"
        figures = tls_figures(tls).text
        peer = f"{client.label} to {name_asked_for}" if name_asked_for else client.label
        session.tell(events.TlsEstablished("from", peer, protocol, name, bits, trust, figures))
    if session.policy.needs_certificate and (certificate is None or not certificate.is_trusted):
        session.objection = (
            "No client certificate presented" if certificate is None else "Client certificate not trusted"
        )
        session.tell(events.Noted(f"NOQUEUE: abort: TLS from {client.label}: {session.objection}"))
