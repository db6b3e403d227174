"""ETRN: a site asks for its mail, which it is sent by the usual way, now (RFC 1985).

DESCRIPTION
    The queue manager makes the site's deferred mail due; that is asked over public/flush, as postqueue -s does.
    Only sites of fast_flush_domains can ask.
"""

import asyncio
from typing import Final

from pillarbox.observability import events
from pillarbox.queue.flush_protocol import FlushRequest, FlushStatus, ask_flush
from pillarbox.sessions.smtp.session_state import SessionState
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.attributes import AttributeFault
from pillarbox.wire.smtp.commands import Etrn

_NOT_QUEUED: Final = Reply(458, (b"Unable to queue messages",))


async def etrn(session: SessionState, command: Etrn) -> Reply:
    """250 when the mail is on its way; 459 for a site that may not ask, 458 if nobody could be asked."""
    if session.stands_alone:
        session.tell(events.Warned('do not use ETRN in "sendmail -bs" mode'))
        return _NOT_QUEUED
    question = session.question("ETRN")
    question.etrn_domain = command.domain
    refused = await session.policy.lists.refuse_etrn(question)
    if refused is not None:
        session.tell_refusal("ETRN", refused)
        return refused
    policy = session.policy
    shown = f"{command.domain[:100].decode('ascii', 'replace')}... from {session.client.label}"
    try:
        is_served = policy.flush_sites.holds(command.domain.decode("ascii", "replace").lower())
    except LookupFault as fault:
        session.tell_fault(fault)
        return _NOT_QUEUED
    if not is_served:
        return _denied(session, command, shown)
    try:
        status = await asyncio.to_thread(ask_flush, policy.queue_directory, FlushRequest(site=command.domain))
    except (OSError, AttributeFault):
        session.tell(events.Warned("unable to talk to fast flush service"))
        return _NOT_QUEUED
    if status is FlushStatus.DENIED:  # by tables that have changed meanwhile
        return _denied(session, command, shown)
    if status is not FlushStatus.OK:
        session.tell(events.Warned(f"bad ETRN {shown}"))
        return _NOT_QUEUED
    return Reply(250, (b"Queuing started",))


def _denied(session: SessionState, command: Etrn, shown: str) -> Reply:
    session.tell(events.Warned(f"reject: ETRN {shown}"))
    return Reply(459, (b"<%s>: service unavailable" % command.domain,))
