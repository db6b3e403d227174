"""The decisions of an SMTP session: which restriction lists are asked at which stage, and what comes of them.

DESCRIPTION
    With smtpd_delay_reject, client, helo and sender restrictions are asked at RCPT, so that the log shows whom
    a refused client wrote to.  A permit ends its own list only.  Last, recipients (and senders) that do not exist
    are refused, unless the message is thrown away (DISCARD).  What some restriction wanted deferred
    (defer_if_permit) is deferred if nobody refused.

STANDARDS
    SMTPD_ACCESS_README; RFC 5321 §4.5.1 (postmaster without a domain is always accepted)
"""

from collections.abc import Callable

import msgspec

from pillarbox.access.address_checks import reject_unlisted_recipient, reject_unlisted_sender
from pillarbox.access.question import Question, Subject
from pillarbox.access.restrictions import RestrictionList
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.reply import Reply


class AccessLists(msgspec.Struct, frozen=True, kw_only=True):
    """A service's lists."""

    client: RestrictionList
    helo: RestrictionList
    sender: RestrictionList
    relay: RestrictionList
    recipient: RestrictionList
    data: RestrictionList
    end_of_data: RestrictionList
    etrn: RestrictionList
    delay_reject: bool
    relay_before_recipient: bool
    reject_unlisted_recipient: bool
    reject_unlisted_sender: bool
    is_probe_sender: Callable[[Address], bool]
    """Whether an address is the sender of our address probes: servers that are probed may ask back for it."""

    async def refuse_recipient(self, question: Question) -> Reply | None:
        """Why a recipient is not taken; None if it is."""
        recipient = question.recipient
        if recipient is not None and not recipient.domain and recipient.folded == b"postmaster":
            return None
        if recipient is not None and self.is_probe_sender(recipient):
            return None
        if self.delay_reject:
            for restrictions in (self.client, self.helo):
                if restrictions.restrictions and (refused := await _refusal(restrictions, question)):
                    return refused
            asks_of_sender = self.sender.restrictions or self.reject_unlisted_sender
            if asks_of_sender and (refused := await self._sender(question)):
                return refused
        pair = (self.relay, self.recipient) if self.relay_before_recipient else (self.recipient, self.relay)
        question.if_refused = None
        for restrictions in pair:  # what the first wants deferred counts in the second, too
            if restrictions.restrictions and (refused := await _refused_by(restrictions, question)):
                return refused
        is_asked = self.reject_unlisted_recipient and not question.actions.discard
        if question.if_permitted is None and is_asked:
            outcome = reject_unlisted_recipient(question, Subject.RECIPIENT)
            if isinstance(outcome, Reply):
                return question.softened(outcome)
        return question.if_permitted

    async def refuse_client(self, question: Question) -> Reply | None:
        """At connect, unless smtpd_delay_reject puts it off."""
        return None if self.delay_reject else await _refusal(self.client, question)

    async def refuse_helo(self, question: Question) -> Reply | None:
        """At HELO or EHLO, likewise."""
        return None if self.delay_reject else await _refusal(self.helo, question)

    async def refuse_sender(self, question: Question) -> Reply | None:
        """At MAIL, likewise."""
        return None if self.delay_reject else await self._sender(question)

    async def refuse_data(self, question: Question) -> Reply | None:
        """At DATA, or the first chunk."""
        return await _refusal(self.data, question) or question.if_permitted

    async def refuse_message(self, question: Question) -> Reply | None:
        """At the end of the message."""
        return await _refusal(self.end_of_data, question) or question.if_permitted

    async def refuse_etrn(self, question: Question) -> Reply | None:
        """At ETRN, with the client and helo lists that were put off."""
        lists = [self.client, self.helo] if self.delay_reject else []
        for restrictions in (*lists, self.etrn):
            if (refused := await _refusal(restrictions, question)) is not None:
                return refused
        return question.if_permitted

    async def _sender(self, question: Question) -> Reply | None:
        if (refused := await _refusal(self.sender, question)) is not None:
            return refused
        if self.reject_unlisted_sender and not question.actions.discard:
            outcome = reject_unlisted_sender(question, Subject.SENDER)
            return question.softened(outcome) if isinstance(outcome, Reply) else None
        return None


async def _refusal(restrictions: RestrictionList, question: Question) -> Reply | None:
    question.if_refused = None  # defer_if_reject is about its own list
    return await _refused_by(restrictions, question)


async def _refused_by(restrictions: RestrictionList, question: Question) -> Reply | None:
    outcome = await restrictions.evaluate(question)
    return outcome if type(outcome) is Reply else None  # isinstance() takes thrice as long for such a class
