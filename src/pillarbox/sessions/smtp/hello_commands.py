"""HELO and EHLO: who the client says it is, and what it is offered (RFC 5321 §4.1.1.1)."""

from typing import Final

from pillarbox.observability import events
from pillarbox.sessions.smtp.auth_command import offered_mechanisms
from pillarbox.sessions.smtp.early_refusals import ask_early
from pillarbox.sessions.smtp.session_state import SessionState
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import Ehlo, Helo
from pillarbox.wire.smtp.forwarded_attributes import XCLIENT, XFORWARD

_NEUTER: Final = bytes(
    0x3F if octet < 0x21 or octet == 0x7F or octet in b'<>()\\";@' else octet for octet in range(256)
)
"""What a HELO name must not hold when it is kept, lest it look like more in `Received:` and the queue file."""


async def helo(session: SessionState, command: Helo) -> Reply:
    """`250 myhostname`."""
    refusal = await _hello(session, command.domain, "SMTP")
    return refusal or Reply(250, (session.policy.host,))


async def ehlo(session: SessionState, command: Ehlo) -> Reply:
    """`250-myhostname` and the keywords."""
    if session.keywords_fault:
        session.tell(events.Warned(f"don't know what EHLO features to announce to {session.client.label}"))
        session.counts.add("ehlo", succeeded=False)
        raise session.out_of_order("EHLO")
    refusal = await _hello(session, command.domain, "ESMTP")
    if refusal is not None:
        return refusal
    discarded = session.discarded_keywords
    if discarded.note and "ENHANCEDSTATUSCODES" not in discarded:  # nobody is told otherwise, as in smtpd(8)
        session.tell(events.Noted(discarded.note))
    return Reply(250, (session.policy.host, *_keywords(session)))


async def _hello(session: SessionState, domain: bytes, protocol: str) -> Reply | None:
    """The refusal of a greeting, which leaves everything as it was before; or the beginning of a new session."""
    client = session.client
    if not session.policy.lists.delay_reject and (refused := await _judged(session, domain, protocol)):
        return refused
    session.abort_transaction()
    session.engine.reset()
    client.helo = domain.translate(_NEUTER)
    if client.protocol != "ESMTP":  # HELO does not make less of it, as with Postfix
        client.protocol = protocol
    return None


async def _judged(session: SessionState, domain: bytes, protocol: str) -> Reply | None:
    """What smtpd_helo_restrictions say of the name, as it was sent."""
    client = session.client
    before, client.helo = client.helo, domain
    try:
        stage = "EHLO" if protocol == "ESMTP" else "HELO"
        return await ask_early(session, stage, session.policy.lists.refuse_helo)
    finally:
        client.helo = before


def _keywords(session: SessionState) -> list[bytes]:
    """EHLO's answer, in Postfix's order."""
    policy, secured = session.policy, session.client.uses_tls
    words = [
        b"PIPELINING",
        b"SIZE %d" % policy.server.message_size_limit if policy.server.message_size_limit else b"SIZE",
    ]
    if not policy.server.disable_vrfy_command:
        words.append(b"VRFY")
    words.append(b"ETRN")
    if not secured and (session.tls_context is not None or policy.tls_level == "encrypt"):
        words.append(b"STARTTLS")
    if mechanisms := offered_mechanisms(session):
        words.append(b"AUTH " + b" ".join(mechanisms))
        if policy.sasl.broken_sasl_auth_clients:
            words.append(b"AUTH=" + b" ".join(mechanisms))
    if session.may_use_xverp:
        words.append(b"XVERP")
    if session.may_use_xclient:
        words.append(b"XCLIENT " + b" ".join(XCLIENT))
    if session.may_use_xforward:
        words.append(b"XFORWARD " + b" ".join(XFORWARD))
    words += [b"ENHANCEDSTATUSCODES", b"8BITMIME", b"DSN"]
    if policy.server.smtputf8_enable:
        words.append(b"SMTPUTF8")
    words.append(b"CHUNKING")
    if session.offers_requiretls:
        words.append(b"REQUIRETLS")
    discarded = session.discarded_keywords.words
    if not discarded:
        return words
    return [word for word in words if word.partition(b" ")[0].partition(b"=")[0].decode() not in discarded]
