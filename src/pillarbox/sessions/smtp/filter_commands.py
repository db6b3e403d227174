"""MAIL, RCPT, DATA and the end of a message where a filter gets it before the queue (smtpd_proxy_filter).

DESCRIPTION
    Access rules are ours, as ever; what they let pass is the filter's to decide.  The connection to it is made with
    the first recipient that is accepted, or at MAIL with smtpd_delay_open_until_valid_rcpt = no.
"""

from pillarbox.observability import events
from pillarbox.queue.submission import MessageTooBig
from pillarbox.sessions.smtp.before_queue_filter import FilterFault, as_reply, new_filter
from pillarbox.sessions.smtp.session_state import SessionState
from pillarbox.sessions.smtp.transaction import Transaction
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import RcptTo
from pillarbox.wire.smtp.forwarded_attributes import XFORWARD, Forwarded

_TOO_BIG = b"552 5.3.4 Error: message file too big"


async def begin_filtering(session: SessionState, transaction: Transaction) -> Reply | None:
    """Connect, and say MAIL; what the client is told if that fails."""
    settings = session.filter
    if settings is None or transaction.filter is not None:
        return None
    chosen = new_filter(settings, limit=session.policy.server.message_size_limit, tell=session.tell)
    try:
        await chosen.open(_told(session), transaction.mail_line)
    except FilterFault as fault:
        chosen.close()
        return _refused(session, fault)
    except BaseException:
        chosen.close()
        raise
    transaction.filter = chosen
    session.tell_begun(transaction)
    return None


async def filter_recipient(session: SessionState, transaction: Transaction, command: RcptTo) -> Reply | None:
    """A recipient that our rules accept; what the client is told if the filter does not."""
    refused = await begin_filtering(session, transaction)
    if refused is not None or transaction.filter is None:
        return refused
    try:
        await transaction.filter.recipient(session.engine.line)
    except FilterFault as fault:
        return _refused(session, fault)
    transaction.note_recipient(command)
    return None


async def filter_data(session: SessionState, transaction: Transaction) -> Reply | None:
    """The envelope is complete; what the client is told if the filter wants no content."""
    if transaction.filter is None:
        return None
    try:
        await transaction.filter.data(session.engine.line if session.last == "DATA" else b"DATA")
    except FilterFault as fault:
        return _refused(session, fault)
    return None


async def filter_end(session: SessionState, transaction: Transaction) -> Reply:
    """The message is complete: what the filter says of it."""
    if transaction.filter is None:
        raise AssertionError("the message goes through no filter")
    accepted = False
    try:
        if transaction.fault is not None:
            raise transaction.fault
        lines = await transaction.filter.end()
        accepted = lines[-1].startswith(b"2")
    except MessageTooBig:
        lines = (_TOO_BIG,)
        _class(session, "bounce")
    except FilterFault as fault:
        lines = fault.lines
        _class(session, fault.kind)
    transaction.is_told = True
    client, only = session.client, transaction.first_recipient
    session.tell(
        events.FilterAnswered(
            accepted,
            b"??".join(lines),
            transaction.mail.sender.external,
            only.external if only is not None else b"",
            client.protocol,
            client.helo,
        )
    )
    if accepted:
        session.counts.forgive()
    return as_reply(lines)


def _refused(session: SessionState, fault: FilterFault) -> Reply:
    _class(session, fault.kind)
    return fault.reply


def _class(session: SessionState, kind: str) -> None:
    if session.trouble is not None:
        session.trouble.next_class = kind


def _told(session: SessionState) -> Forwarded:
    """Whose mail it is, by XFORWARD's names; of a client that somebody else has told us of, what was told."""
    client, told = session.client, session.forwarded
    own = {
        b"NAME": client.name.encode("ascii", "replace"),
        b"ADDR": client.literal.encode(),
        b"PORT": b"%d" % client.port if client.port else b"unknown",
        b"HELO": client.helo,
        b"PROTO": client.protocol.encode(),
        b"SOURCE": b"LOCAL" if session.is_local else b"REMOTE",
    }
    values = own | {name: told[name] for name in XFORWARD if told.get(name)}
    if told:
        values |= {name: told.get(name, b"") for name in (b"HELO", b"IDENT")}
    return {name: value for name, value in values.items() if value and value != b"unknown"}
