"""Restriction lists that are asked before RCPT (smtpd_delay_reject = no), the client's with the greeting.

STANDARDS
    RFC 5321 §3.1, §4.3.1; SMTPD_ACCESS_README
"""

from collections.abc import Awaitable, Callable
from typing import Final

from pillarbox.access.question import Question
from pillarbox.sessions.smtp.session_state import SessionState
from pillarbox.vocabulary.reply import Reply


async def ask_early(
    session: SessionState, stage: str, ask: Callable[[Question], Awaitable[Reply | None]]
) -> Reply | None:
    """A list that is asked before RCPT (smtpd_delay_reject = no); what it wants deferred is remembered."""
    which = _SAME_STAGE.get(stage, stage)
    session.deferrals.pop(which, None)
    question = session.question(stage, standing=False)
    refused: Reply | None = await ask(question)
    if refused is not None:
        session.tell_refusal(stage, refused)
    elif (deferred := question.if_permitted) is not None:
        session.deferrals[which] = deferred
    return refused


_SAME_STAGE: Final = {"EHLO": "HELO", "XCLIENT": "CONNECT"}


async def greeting(session: SessionState, stage: str = "CONNECT") -> Reply:
    """220, or a refusal of the client (RFC 5321 §4.3.1), after which nothing but QUIT is answered."""
    session.denied = False
    if not session.policy.lists.delay_reject:
        refused = await ask_early(session, stage, session.policy.lists.refuse_client)
        if refused is not None:
            session.denied = True
            return refused
    return Reply(220, (session.policy.identity.smtpd_banner.encode(),))
