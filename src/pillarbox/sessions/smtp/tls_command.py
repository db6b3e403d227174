"""STARTTLS, and TLS from the first octet on port 465 (RFC 3207; RFC 8314 §3.3)."""

from pillarbox.access.client_rates import Event
from pillarbox.net.client_certificates import certificate_of
from pillarbox.net.connection import TlsFault
from pillarbox.observability import events
from pillarbox.sessions.smtp.session_state import SessionState
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import StartTls


def starttls(session: SessionState, command: StartTls) -> Reply:
    """220 if there is a certificate; the handshake follows the reply (`finish_starttls`)."""
    if session.client.uses_tls:
        return Reply(554, (b"5.5.1 Error: TLS already active",))
    if session.tls_context is None:
        return Reply(502, (b"5.5.1 Error: command not implemented",))
    if session.too_often(Event.NEW_TLS, b"many new TLS sessions") is not None:
        text = b"4.7.0 Error: too many new TLS sessions from %s" % str(session.client.address).encode()
        return Reply(454, (text,))
    return Reply(220, (b"2.0.0 Ready to start TLS",))


async def finish_starttls(session: SessionState) -> None:
    """The handshake behind the 220.  TlsFault if it fails."""
    await session.flush()
    await begin_tls(session)
    session.engine.start_tls()
    # RFC 3207 §4.2: what the client said before does not count any more.
    client = session.client
    client.helo = b""
    client.protocol = "SMTP"
    client.sasl_username = client.sasl_method = ""
    session.tell_engine()


async def begin_tls(session: SessionState) -> None:
    """Put TLS on the connection, and say so in the log."""
    if session.tls_context is None:
        raise TlsFault("no certificate is configured")
    await session.transport.start_tls(session.tls_context)
    session.client.uses_tls = True
    tls, client = session.transport.tls, session.client
    if tls is None:
        return
    client.cipher = tls.cipher()
    settings = session.policy.tls
    if session.policy.asks_for_certificates:
        client.certificate = certificate_of(tls, digest=settings.smtpd_tls_fingerprint_digest)
    certificate = client.certificate
    if settings.smtpd_tls_loglevel:
        name, protocol, bits = tls.cipher() or ("?", "?", 0)
        trust = "Anonymous" if certificate is None else "Trusted" if certificate.is_trusted else "Untrusted"
        session.tell(events.TlsEstablished("from", client.label, protocol, name, bits, trust))
    if session.policy.needs_certificate and (certificate is None or not certificate.is_trusted):
        session.objection = (
            "No client certificate presented" if certificate is None else "Client certificate not trusted"
        )
        session.tell(events.Noted(f"NOQUEUE: abort: TLS from {client.label}: {session.objection}"))
