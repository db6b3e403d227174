"""DATA, BDAT and what follows: message content, up to the reply that takes responsibility (RFC 5321 §4.1.1.4).

DESCRIPTION
    DATA is answered before its content comes; a BDAT chunk is not, so a refusal of its envelope waits for the
    chunk's end (RFC 3030 §2).  `250 2.0.0 Ok: queued as ID` is said only when the queue file is on disk.
"""

from typing import Final

from pillarbox.filters.content_checks import Inspector
from pillarbox.net.tls_figures import tls_figures
from pillarbox.observability import events
from pillarbox.queue.incoming import QueueFileFault
from pillarbox.queue.submission import MessageTooBig, Submission, TooManyHops
from pillarbox.routing.address_maps import ExpansionFault, MapFault
from pillarbox.sessions.smtp.filter_commands import filter_data, filter_end
from pillarbox.sessions.smtp.session_state import SessionState
from pillarbox.sessions.smtp.trace import comment_text
from pillarbox.sessions.smtp.transaction import Transaction
from pillarbox.tables.table import LookupFault, Warn
from pillarbox.vocabulary.identifiers import QueueId
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.command_order import State
from pillarbox.wire.smtp.commands import Data
from pillarbox.wire.smtp.server import EndOfContent

_TOO_BIG: Final = Reply(552, (b"5.3.4 Error: message file too big",))
_GO_AHEAD: Final = Reply(354, (b"End data with <CR><LF>.<CR><LF>",))


async def data(session: SessionState, command: Data) -> Reply:
    """354, unless the envelope is refused now; what goes wrong with its addresses is told at the end."""
    return await _begin_content(session) or _GO_AHEAD


async def take_content(session: SessionState, content: bytes) -> None:
    """Content of DATA, which was answered with 354, or of a BDAT chunk, which was not."""
    if session.engine.state is State.BDAT:
        session.last = "BDAT"
    session.octets += len(content)
    transaction = session.transaction
    if transaction is None:
        return
    if transaction.begun or await _begin_chunks(session, transaction):
        await transaction.feed(content)
    else:
        transaction.unread += len(content)


async def end_of_content(session: SessionState, command: EndOfContent) -> Reply:
    """The final dot, or the end of a chunk."""
    transaction = session.transaction
    if transaction is None:
        raise AssertionError("content without MAIL reached the session")
    if command.chunked:
        session.last = "BDAT"
    begun = transaction.begun or await _begin_chunks(session, transaction)
    if not begun and transaction.refusal is not None:
        if transaction.refuses_at_end and not command.last:
            return Reply(250, (b"2.0.0 Ok: %d bytes" % command.size,))
        return await _refuse_unread(session, transaction, transaction.refusal)
    if transaction.fault is None and not command.last:
        return Reply(250, (b"2.0.0 Ok: %d bytes" % command.size,))
    session.is_judged = True
    reply = await _commit(session, transaction, command)
    session.last = "END-OF-MESSAGE"
    is_told = transaction.inspector is not None and reply is transaction.inspector.refusal
    is_told |= transaction.is_told
    is_told |= isinstance(transaction.fault, (LookupFault, ExpansionFault))
    if not reply.is_positive and not is_told:
        session.tell_refusal("END-OF-MESSAGE", reply, transaction.only_recipient)
    session.abort_transaction()
    return reply


async def _refuse_unread(session: SessionState, transaction: Transaction, refusal: Reply) -> Reply:
    """A message that was refused before its content came: what smtpd(8) finds at the end goes first."""
    reply = refusal
    if transaction.refuses_at_end:
        limit = session.policy.server.message_size_limit
        if limit and transaction.unread > limit:
            reply = _TOO_BIG
        else:
            reply = await _refuse_message(session, transaction) or refusal
        if reply is not refusal:
            session.last = "END-OF-MESSAGE"
            session.tell_refusal("END-OF-MESSAGE", reply, transaction.only_recipient)
    session.abort_transaction()
    return reply


async def _begin_content(session: SessionState) -> Reply | None:
    """The envelope is complete: write it, or say why not.

    An address that cannot be mapped now refuses the message, too (`refusal`), after its content.
    """
    transaction = session.transaction
    if transaction is None:
        raise AssertionError("content without MAIL reached the session")
    lists, only = session.policy.lists, transaction.only_recipient
    if lists.data.restrictions:
        stage = session.last  # DATA or BDAT
        refused = await lists.refuse_data(session.question(stage, only))
        if refused is not None:
            session.tell_refusal(stage, refused, only)
            return refused
    if transaction.filter is not None:
        if (refused := await filter_data(session, transaction)) is None:
            await transaction.begin_filtered(
                session.client,
                now=session.clock.now(),
                tls=_tls_texts(session),
                is_forwarded=bool(session.forwarded),
            )
        return refused
    transaction.is_thrown_away = transaction.actions.discard
    if session.policy.content_tables.any and not transaction.is_thrown_away:
        transaction.inspector = _inspector(session, transaction)
    try:
        transaction.begin(
            session.client,
            is_local=session.is_local,
            now=session.clock.now(),
            client_records=session.records.of(
                session.client, (session.client.server_address, session.client.server_port), session.forwarded
            ),
            tls=_tls_texts(session),
            warn=_warning(session, transaction),
        )
    except (LookupFault, ExpansionFault) as fault:
        transaction.refusal = _cannot_expand(session, transaction, fault)
        transaction.refuses_at_end = True  # cleanup(8) is heard when the content has come
    return None


async def _begin_chunks(session: SessionState, transaction: Transaction) -> bool:
    """The first BDAT chunk: nobody has looked at the envelope yet.  A refusal waits for its end."""
    if transaction.refusal is None:
        transaction.refusal = await _begin_content(session) or transaction.refusal
    return transaction.refusal is None


async def _commit(session: SessionState, transaction: Transaction, command: EndOfContent) -> Reply:
    if session.send_replies():
        await session.transport.drain()
    if transaction.filter is not None:
        refused = await _refuse_message(session, transaction) if transaction.fault is None else None
        return refused or await filter_end(session, transaction)
    submission = transaction.submission
    if submission is None:
        raise AssertionError("content without a recipient reached the session")
    try:
        await transaction.finish()
        if isinstance(transaction.fault, MessageTooBig | QueueFileFault):  # smtpd(8) has seen it, too
            raise transaction.fault
        # Restrictions come before what cleanup(8) says of content and addresses.
        if (refused := await _refuse_message(session, transaction)) is not None:
            if not transaction.is_thrown_away:
                _tell_ids_of_refused(session, transaction, submission)
            return refused
        if transaction.fault is not None:
            raise transaction.fault
        if transaction.inspector is not None and transaction.inspector.refusal is not None:
            submission.end_header()
            is_loop = submission.has_too_many_hops
            _tell_ids(
                session, submission, all_of_them=not (is_loop or transaction.inspector.refused_in_header)
            )
            if is_loop:
                transaction.is_told = True  # by the check
                raise TooManyHops
            return transaction.inspector.refusal
        if (refused := transaction.write_recipients_anew()) is not None:
            return refused
        if transaction.actions.discard:
            if not transaction.is_thrown_away:
                _tell_ids_of_discarded(session, transaction, submission)
            return _taken(command, submission.queue_id)
        if transaction.actions.hold:
            submission.hold()
        submission.content_filter = transaction.actions.filter or submission.content_filter
        submission.redirect = transaction.actions.redirect
        queue_id = await submission.commit()
    except MessageTooBig:
        return _TOO_BIG
    except TooManyHops:
        session.tell(events.Warned(f"{submission.queue_id}: message rejected: hopcount exceeded", "cleanup"))
        return Reply(554, (b"5.4.0 Error: too many hops",))
    except QueueFileFault as fault:
        return session.write_failed(fault)
    except (LookupFault, ExpansionFault) as fault:
        return _cannot_expand(session, transaction, fault)
    _tell_ids(session, submission)
    if not transaction.actions.hold:
        session.queued(queue_id)
    session.counts.forgive()
    return _taken(command, queue_id)


def _taken(command: EndOfContent, queue_id: QueueId) -> Reply:
    size = b"%d bytes " % command.total if command.chunked else b""
    return Reply(250, (b"2.0.0 Ok: %squeued as %s" % (size, queue_id.encode()),))


def _tell_ids(session: SessionState, submission: Submission, *, all_of_them: bool = True) -> None:
    for found, resent in submission.message_ids if all_of_them else submission.given_ids:
        session.tell(events.MessageIdSeen(submission.queue_id, found, resent))


def tell_ids_of_lost(session: SessionState) -> None:
    """A message whose end has not come is known to cleanup(8) as far as it has come."""
    transaction = session.transaction
    if (
        transaction is None
        or not transaction.begun
        or transaction.is_thrown_away
        or transaction.filter is not None
    ):
        return
    submission = transaction.submission
    if isinstance(submission, Submission) and submission.in_body:
        tell_ids = _tell_ids_of_discarded if transaction.actions.discard else _tell_ids_of_refused
        tell_ids(session, transaction, submission)


def _tell_ids_of_discarded(session: SessionState, transaction: Transaction, submission: Submission) -> None:
    in_header = transaction.inspector is not None and transaction.inspector.discards_in_header
    _tell_ids(session, submission, all_of_them=not in_header)


def _tell_ids_of_refused(session: SessionState, transaction: Transaction, submission: Submission) -> None:
    inspector = transaction.inspector
    if inspector is None or inspector.refusal is None:
        _tell_ids(session, submission, all_of_them=submission.in_body)
        return
    submission.end_header()
    _tell_ids(session, submission, all_of_them=not inspector.refused_in_header)


def _cannot_expand(
    session: SessionState, transaction: Transaction, fault: LookupFault | ExpansionFault
) -> Reply:
    if isinstance(fault, LookupFault):
        if isinstance(fault, MapFault):
            session.tell(events.Warned(fault.cause))
            session.tell(events.Warned(f"{transaction.queue_id}: {fault.reason}"))
        else:
            session.tell(events.Warned(fault.reason))
        return Reply(451, (b"4.3.0 Error: queue file write error",))
    session.tell(events.Warned(f"{transaction.queue_id}: {fault} -- message not accepted, try again later"))
    return Reply(451, (b"4.6.0 Alias expansion error",))


def _inspector(session: SessionState, transaction: Transaction) -> Inspector:
    client = session.client

    def log(verb: str, kind: str, content: bytes, text: bytes) -> None:
        session.tell(
            events.ContentInspected(
                transaction.queue_id,
                verb,
                kind,
                content,
                session.origin,
                transaction.queued_sender,
                transaction.last_recipient,
                session.forwarded.get(b"PROTO", client.protocol.encode()).decode("utf-8", "replace"),
                session.forwarded.get(b"HELO", client.helo),
                text,
            )
        )

    policy = session.policy
    inspector = Inspector(
        policy.content_tables,
        log,
        _warning(session, transaction),
        most_hops=policy.rules.hopcount_limit,
    )
    inspector.hold = transaction.actions.hold
    return inspector


def _warning(session: SessionState, transaction: Transaction) -> Warn:
    """Warnings about the message under way."""
    return lambda reason: session.tell(events.Warned(f"{transaction.queue_id}: {reason}"))


async def _refuse_message(session: SessionState, transaction: Transaction) -> Reply | None:
    lists, only = session.policy.lists, transaction.only_recipient
    if not lists.end_of_data.restrictions:
        return None
    question = session.question("END-OF-MESSAGE", only)
    question.size = transaction.size
    try:
        refused = await lists.refuse_message(question)
    except LookupFault as fault:
        refused = session.lookup_failed(fault, only.internal if only is not None else b"")
    session.is_judged = refused is None
    return refused


def _tls_texts(session: SessionState) -> tuple[str, ...]:
    """smtpd_tls_received_header's texts."""
    tls = session.transport.tls
    cipher = tls.cipher() if tls is not None else None
    if tls is None or cipher is None:
        return ()
    name, protocol, bits = cipher
    return (
        f"using {protocol} with cipher {name} ({bits}/{bits} bits){tls_figures(tls).folded}",
        _certificate_text(session),
    )


def _certificate_text(session: SessionState) -> str:
    """What the Received: header says of the client's certificate."""
    certificate = session.client.certificate
    if certificate is None:
        asked = session.policy.tls.smtpd_tls_ask_ccert
        return "Client did not present a certificate" if asked else "No client certificate requested"
    trust = "verified OK" if certificate.is_trusted else "not verified"
    subject, issuer = (comment_text(name).decode() for name in (certificate.subject, certificate.issuer))
    return f'Client CN "{subject}", Issuer "{issuer}" ({trust})'
