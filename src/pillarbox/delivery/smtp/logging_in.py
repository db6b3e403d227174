"""AUTH to a server: which mechanism, and what is said.

FAULTS
    SiteFault  the server does not know us, or has no mechanism that the settings allow

STANDARDS
    RFC 4954
"""

import base64

from pillarbox.delivery.smtp.login_failures import LoginFailures
from pillarbox.delivery.smtp.passwords import Login
from pillarbox.delivery.smtp.session import Session, SiteFault
from pillarbox.observability import events
from pillarbox.wire.sasl.client import ClientMechanism, choose
from pillarbox.wire.smtp.client import Exchange
from pillarbox.wire.smtp.replies import ServerReply


async def log_in(session: Session, login: Login, failures: LoginFailures | None) -> None:
    """AUTH to a server that asks for it.  SiteFault, Broken.

    `failures` are logins that need not be tried again.
    """
    sasl, label = session.rules.sasl, session.target.label
    if failures is not None:
        known = failures.find(session.target.host, login, tell=session.tell)
        if known is not None:
            status = "4" + known.status[1:] if sasl.smtp_sasl_auth_soft_bounce else known.status
            raise SiteFault(
                status,
                f"SASL [CACHED] authentication failed; server {session.target.host} said: {known.text}",
                reply=ServerReply(535, (known.text.encode(),)),
            )
    if not session.mechanisms:
        raise SiteFault(
            "4.7.0",
            f"SASL authentication failed: server {label} offered no compatible authentication "
            "mechanisms for this type of connection security",
        )
    options = sasl.smtp_sasl_security_options
    if session.is_tls:
        options = sasl.smtp_sasl_tls_security_options
        if session.is_trusted:
            options = sasl.smtp_sasl_tls_verified_security_options
    mechanism = choose(session.mechanisms, options=options, user=login.user, password=login.password)
    if mechanism is None:
        raise _cannot_begin(session, "No worthy mechs found", "no mechanism available")
    if mechanism.name == b"PLAIN" and not login.user.strip():
        raise _cannot_begin(session, "All-whitespace username.", "generic failure")
    reply = await _authenticate(session, mechanism)
    if reply.kind != 2:
        if reply.code == 535 and failures is not None:
            failures.remember(session.target.host, login, reply, tell=session.tell)
        status = reply.status
        if reply.kind == 5 and sasl.smtp_sasl_auth_soft_bounce:
            status = "4" + status[1:]
        text = reply.text.decode("utf-8", "replace")
        raise SiteFault(status, f"SASL authentication failed; server {label} said: {text}", reply=reply)
    session.is_logged_in = True


def _cannot_begin(session: Session, warning: str, text: str) -> SiteFault:
    """Our side of SASL has nothing to say; in the words of Cyrus SASL."""
    session.tell(events.Warned(f"SASL authentication failure: {warning}"))
    return SiteFault(
        "4.7.0",
        f"SASL authentication failed; cannot authenticate to server {session.target.label}: {text}",
        diagnostic=f"x-sasl; {text}",
    )


async def _authenticate(session: Session, mechanism: ClientMechanism) -> ServerReply:
    greeting = "LHLO" if session.rules.protocol == "LMTP" else "EHLO"
    limit, doing = session.rules.client.smtp_helo_timeout, f"performing the {greeting} handshake"
    initial = mechanism.initial()
    line = b"AUTH " + mechanism.name
    if initial is not None:
        line += b" " + (base64.b64encode(initial) or b"=")
    session.conversation.engine.command(Exchange.AUTH, line)
    reply = await session.ask(limit, doing)
    for _ in range(10):
        if reply.kind != 3:
            return reply
        try:
            challenge = base64.b64decode(reply.lines[-1][4:].strip(), validate=True)
            answer = base64.b64encode(mechanism.respond(challenge))
        except ValueError as error:
            raise SiteFault(
                "4.7.0",
                f"SASL authentication failed; cannot authenticate to server {session.target.label}: {error}",
            ) from error
        session.conversation.engine.command(Exchange.AUTH, answer)
        reply = await session.ask(limit, doing)
    raise SiteFault(
        "4.7.0",
        f"SASL authentication failed; authentication protocol loop with server {session.target.label}",
    )
