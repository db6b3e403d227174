"""MAIL, RCPT and VRFY: whose message it is, and for whom it is taken (RFC 5321 §3.3)."""

import os
from typing import Final

from pillarbox.access.restrictions import REJECT_UNLISTED_RECIPIENT, Question, RestrictionList
from pillarbox.observability import events
from pillarbox.queue.incoming import QueueFileFault
from pillarbox.routing.alias_expansion import is_alias
from pillarbox.sessions.smtp.session_state import SessionState
from pillarbox.sessions.smtp.transaction import Transaction
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import MailFrom, RcptTo, Vrfy

_MAIL_OK: Final = Reply(250, (b"2.1.0 Ok",))
VRFY_DISABLED: Final = Reply(502, (b"5.5.1 VRFY command is disabled",))
_RCPT_OK: Final = Reply(250, (b"2.1.5 Ok",))


def mail(session: SessionState, command: MailFrom) -> Reply:
    """Begin a transaction."""
    policy, client = session.policy, session.client
    limit = policy.rules.message_size_limit
    if limit and command.size is not None and command.size > limit:
        return Reply(552, (b"5.3.4 Message size exceeds fixed limit",))
    if _needs_smtputf8(session, command.sender) and not command.smtputf8:
        return Reply(501, (b"5.1.7 Bad sender address syntax",))
    if _disk_is_full(session, command.size or 0):
        return Reply(452, (b"4.3.1 Insufficient system storage",))
    client.sender = command.sender
    client.sasl_sender = (command.auth or b"").decode("ascii")
    if not policy.access.smtpd_delay_reject:
        outcome = session.evaluate(policy.sender_restrictions)
        if isinstance(outcome, Reply):
            return outcome
    session.transaction = Transaction(command, policy=policy, queue=session.queue, resolver=session.resolver)
    return _MAIL_OK


def rcpt(session: SessionState, command: RcptTo) -> Reply:
    """One more recipient; the first opens the queue file, so that log lines have an id."""
    transaction = session.transaction
    if transaction is None:
        raise AssertionError("RCPT without MAIL reached the session")
    if _needs_smtputf8(session, command.recipient) and not transaction.mail.smtputf8:
        return Reply(501, (b"5.1.3 Bad recipient address syntax",))
    if transaction.recipient_count >= session.policy.server.smtpd_recipient_limit:
        return Reply(452, (b"4.5.3 Error: too many recipients",))
    try:
        refusal = _recipient_refusal(session, command.recipient)
        if refusal is None:
            first = transaction.add_recipient(command)
    except LookupFault as fault:
        refusal = session.lookup_failed(fault, command.recipient.internal)
    except QueueFileFault as fault:
        refusal = session.write_failed(fault)
    if refusal is not None:
        session.tell_refusal("RCPT", refusal, command.recipient.external)
        return refusal
    if first:
        client = session.client
        session.tell(
            events.MessageBegun(
                transaction.queue_id,
                client.label,
                client.sasl_method,
                client.sasl_username,
                client.sasl_sender,
            )
        )
    return _RCPT_OK


def vrfy(session: SessionState, command: Vrfy) -> Reply:
    """252: we would take mail for it; whether it arrives only a message can show (RFC 5321 §3.5.3)."""
    if session.policy.server.disable_vrfy_command:
        return VRFY_DISABLED
    refusal = _recipient_refusal(session, command.address)
    return refusal or Reply(252, (b"2.0.0 " + command.text,))


def _recipient_refusal(session: SessionState, recipient: Address) -> Reply | None:
    """Why the recipient is not taken; None if it is."""
    policy, resolver = session.policy, session.resolver
    # RFC 5321 §4.5.1: postmaster without a domain is always accepted.
    question = Question(session.client, resolver, policy.codes, recipient)
    question.resolution = resolver.resolve(recipient)
    lists: list[RestrictionList] = []
    if policy.access.smtpd_delay_reject:
        lists += [policy.client_restrictions, policy.helo_restrictions, policy.sender_restrictions]
    lists += [policy.relay_restrictions, policy.recipient_restrictions]
    if not recipient.domain and recipient.folded == b"postmaster":
        return None
    for restrictions in lists:
        outcome = restrictions.evaluate(question)
        if isinstance(outcome, Reply):
            return outcome
    if not policy.access.smtpd_reject_unlisted_recipient:
        return None
    if is_alias(resolver.complete(recipient), resolver=resolver):
        return None
    outcome = REJECT_UNLISTED_RECIPIENT.evaluate(question)
    return outcome if isinstance(outcome, Reply) else None


def _needs_smtputf8(session: SessionState, address: Address) -> bool:
    """A domain outside ASCII is none without SMTPUTF8 (RFC 6531 §3.3); local parts are let pass, as ever."""
    return session.policy.server.smtputf8_enable and not address.domain.isascii()


def _disk_is_full(session: SessionState, size: int) -> bool:
    """queue_minfree: room for one and a half messages of the largest size, at least."""
    policy = session.policy
    room = os.statvfs(session.queue.directory)
    needed = max(policy.server.queue_minfree, policy.rules.message_size_limit * 3 // 2, size)
    return room.f_bavail * room.f_frsize < needed
