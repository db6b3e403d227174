"""STARTTLS, and TLS from the first octet on port 465 (RFC 3207; RFC 8314 §3.3)."""

from pillarbox.access.client_rates import Event
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
    session.client.cipher = session.transport.tls.cipher() if session.transport.tls is not None else None
    if session.policy.tls.smtpd_tls_loglevel and (tls := session.transport.tls) is not None:
        name, protocol, bits = tls.cipher() or ("?", "?", 0)
        session.tell(events.TlsEstablished("from", session.client.label, protocol, name, bits))
