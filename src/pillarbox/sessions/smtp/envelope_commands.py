"""MAIL, RCPT and VRFY: whose message it is, and for whom it is taken (RFC 5321 §3.3)."""

import itertools
from typing import Final

from pillarbox.access.client_rates import Event
from pillarbox.observability import events
from pillarbox.queue.incoming import QueueFileFault
from pillarbox.sessions.smtp.disk_room import has_room
from pillarbox.sessions.smtp.early_refusals import ask_early
from pillarbox.sessions.smtp.filter_commands import begin_filtering, filter_recipient
from pillarbox.sessions.smtp.session_state import SessionState
from pillarbox.sessions.smtp.transaction import Transaction
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import NULL_ADDRESS, Address
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import MailFrom, RcptTo, Vrfy

_MAIL_OK: Final = Reply(250, (b"2.1.0 Ok",))
_MUST_DECLARE: Final = Reply(553, (b"5.6.7 Must declare SMTPUTF8 to send unicode address",))
_BAD_SENDER: Final = Reply(501, (b"5.1.7 Bad sender address syntax",))
_BAD_RECIPIENT: Final = Reply(501, (b"5.1.3 Bad recipient address syntax",))
_MESSAGES: Final = itertools.count()
VRFY_DISABLED: Final = Reply(502, (b"5.5.1 VRFY command is disabled",))
_RCPT_OK: Final = Reply(250, (b"2.1.5 Ok",))


async def mail(session: SessionState, command: MailFrom) -> Reply:
    """Begin a transaction."""
    policy, client = session.policy, session.client
    if (too_often := count_use(session, b"MAIL")) is not None:
        return too_often
    if (refused := refuse_path(session, command)) is not None:
        return refused
    if _hides_smtputf8(session, command.sender) and not command.smtputf8:
        return _MUST_DECLARE
    client.sender = command.sender
    client.sasl_sender = "" if command.auth in (None, b"<>") else command.auth.decode("ascii")
    limit, size = policy.server.message_size_limit, command.size or 0
    if limit and size > limit:
        refused = Reply(552, (b"5.3.4 Message size exceeds fixed limit",))
    elif (session.filter is None or session.filter.stores) and _disk_is_full(session, size):
        refused = Reply(452, (b"4.3.1 Insufficient system storage",))
    if refused is not None:
        session.tell_refusal("MAIL", refused)
        client.sender = None
        return refused
    client.message_begun, client.message_number = session.clock.now(), next(_MESSAGES)
    session.transaction = Transaction(
        command, policy=policy, submission=session.submission, resolver=session.resolver
    )
    if not policy.lists.delay_reject:  # what is decreed is noted for the message
        refused = await ask_early(session, "MAIL", policy.lists.refuse_sender)
        if refused is not None:
            session.abort_transaction()
            return refused
    if session.take_time is not None:
        await session.take_time(policy.in_flow_delay)
    session.transaction.mail_line = session.engine.line
    if not policy.server.smtpd_delay_open_until_valid_rcpt:
        if session.filter is not None:
            refused = await begin_filtering(session, session.transaction)
            if refused is not None:
                session.abort_transaction()
                return refused
            return _MAIL_OK
        try:
            session.transaction.open()
        except QueueFileFault as fault:
            session.abort_transaction()
            return session.write_failed(fault)
        session.tell_begun(session.transaction)
    return _MAIL_OK


async def rcpt(session: SessionState, command: RcptTo) -> Reply:
    """One more recipient; the first opens the queue file, so that log lines have an id."""
    transaction = session.transaction
    if transaction is None:
        raise AssertionError("RCPT without MAIL reached the session")
    if (too_often := count_use(session, b"RCPT")) is not None:
        return too_often
    if (refused := refuse_path(session, command)) is not None:
        return refused
    if _hides_smtputf8(session, command.recipient) and not transaction.mail.smtputf8:
        return _MUST_DECLARE
    policy = session.policy
    if transaction.recipient_count >= policy.server.smtpd_recipient_limit:
        transaction.overshoot += 1
        session.is_excused = transaction.overshoot <= policy.server.smtpd_recipient_overshoot_limit
        return Reply(452, (b"4.5.3 Error: too many recipients",))
    try:
        refusal = await policy.lists.refuse_recipient(session.question("RCPT", command.recipient))
        if refusal is None and session.filter is not None:
            return await filter_recipient(session, transaction, command) or _RCPT_OK
        if refusal is None:
            first = transaction.add_recipient(command)
    except LookupFault as fault:
        refusal = session.lookup_failed(fault, command.recipient.internal)
    except QueueFileFault as fault:
        refusal = session.write_failed(fault)
    if refusal is not None:
        session.tell_refusal("RCPT", refusal, command.recipient)
        return refusal
    if first:
        session.tell_begun(transaction)
    return _RCPT_OK


async def vrfy(session: SessionState, command: Vrfy) -> Reply:
    """252: we would take mail for it; whether it arrives only a message can show (RFC 5321 §3.5.3)."""
    if session.policy.server.disable_vrfy_command:
        return VRFY_DISABLED
    if (too_often := count_use(session, b"VRFY")) is not None:
        return too_often
    if (refused := refuse_path(session, command)) is not None:
        return refused
    if _hides_smtputf8(session, command.address) and not command.smtputf8:
        return _MUST_DECLARE
    try:
        refusal = await session.policy.lists.refuse_recipient(session.question("VRFY", command.address))
    except LookupFault as fault:
        refusal = session.lookup_failed(fault, command.address.internal)
    if refusal is not None:
        session.tell_refusal("VRFY", refusal, command.address)
    return refusal or Reply(252, (b"2.0.0 " + command.text,))


def count_use(session: SessionState, verb: bytes) -> Reply | None:
    """Count a MAIL, RCPT or VRFY, whatever becomes of it; the refusal if the client has said too many."""
    if verb == b"MAIL":
        return session.too_often(Event.MESSAGE, b"much mail")
    return session.too_often(Event.RECIPIENT, b"many recipients")


def refuse_path(
    session: SessionState, command: MailFrom | RcptTo | Vrfy, *, alone: bool = False
) -> Reply | None:
    """A path that is an address may lead to none: `"user@a..b"@here`; this goes before parameters.

    `alone`: nothing else is asked of it.
    """
    # Not isinstance(), which takes thrice as long for a class whose own class is not `type`.
    if type(command) is MailFrom:
        verb, address, smtputf8 = "MAIL", command.sender, command.smtputf8
    elif type(command) is RcptTo:
        transaction = session.transaction
        declared = transaction is not None and transaction.mail.smtputf8
        verb, address, smtputf8 = "RCPT", command.recipient, declared
    else:
        assert type(command) is Vrfy
        verb, address, smtputf8 = "VRFY", command.address, command.smtputf8
    if address.is_null:
        return None
    try:
        # A domain outside ASCII is none without SMTPUTF8 (RFC 6531 §3.3); local parts are let pass, as ever.
        if session.resolver.leads_somewhere(address, ascii_only=not smtputf8):
            if verb == "MAIL":
                session.resolver.expect(address, NULL_ADDRESS)
            elif alone:
                session.resolver.expect(address, session.client.sender)
            return None
    except LookupFault as fault:
        if alone or verb == "MAIL":  # of others, whoever asks next says it
            session.tell_fault(fault)
        return None
    brackets = not isinstance(command, Vrfy) and command.brackets
    path = b"<%s>" % command.text if brackets else command.text
    shown = path.decode("utf-8", "backslashreplace")
    session.tell(
        events.Warned(f"Illegal address syntax from {session.client.label} in {verb} command: {shown}")
    )
    return _BAD_SENDER if verb == "MAIL" else _BAD_RECIPIENT


def _hides_smtputf8(session: SessionState, address: Address) -> bool:
    """strict_smtputf8: a local part outside ASCII needs it, too."""
    server = session.policy.server
    return server.strict_smtputf8 and server.smtputf8_enable and not address.local_part.isascii()


def _disk_is_full(session: SessionState, size: int) -> bool:
    """queue_minfree: room for one and a half messages of the largest size, at least."""
    policy = session.policy
    needed = max(policy.server.queue_minfree, policy.server.message_size_limit * 3 // 2, size)
    return not has_room(policy.queue_directory, needed, session.clock)
