"""smtp(8) and lmtp(8): one job from its nexthop to an outcome for each recipient.

DESCRIPTION
    The servers of a destination are tried in their order until each recipient has been taken or refused for good.
    A server that cannot be connected to, or that says 4xx, leaves its recipients to the next; what the last one
    says counts.  At most smtp_mx_session_limit servers are given mail; one that
    sends us away does not count.  Then come the fallback relays.

    Sessions are opened in session_opening.py; each recipient's fate, and its delivery line, is in fates.py.
"""

import errno
import os
from typing import Final

from pillarbox.delivery.smtp.connecting import CannotBind
from pillarbox.delivery.smtp.conversation import Conversation
from pillarbox.delivery.smtp.dane_policy import CONFIGURATION_PROBLEM, NoPolicy
from pillarbox.delivery.smtp.destination import Destination
from pillarbox.delivery.smtp.fates import Fate, Fates, Settled
from pillarbox.delivery.smtp.mail_exchangers import Target, Unreachable
from pillarbox.delivery.smtp.outgoing_content import outgoing
from pillarbox.delivery.smtp.policy_table import BadPolicy
from pillarbox.delivery.smtp.request import DeliverBySmtp, Oddity, SmtpDone
from pillarbox.delivery.smtp.requirement import Requirement
from pillarbox.delivery.smtp.service import Service
from pillarbox.delivery.smtp.service_flags import shown
from pillarbox.delivery.smtp.session import Session, SiteFault
from pillarbox.delivery.smtp.session_cache import Key, SessionCache
from pillarbox.delivery.smtp.session_opening import SessionOpener
from pillarbox.delivery.smtp.transaction import Stale, Transaction, Verdict
from pillarbox.filters.content_checks import CheckFault
from pillarbox.observability import events
from pillarbox.queue.content_blocks import QueuedContent
from pillarbox.queue.queue_file import SEND_REQUIRES_TLS
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.clock import Clock

_NO_SERVER: Final = Verdict("4.3.0", "server unavailable or unable to receive mail")


class SmtpDelivery:
    """One job."""

    def __init__(
        self,
        service: Service,
        job: DeliverBySmtp,
        *,
        content: QueuedContent,
        cache: SessionCache,
        clock: Clock,
        settled: Settled,
        earlier: frozenset[bytes] = frozenset(),
    ) -> None:
        """`settled` is told of each recipient's outcome as soon as it has a last word.

        `earlier` are those of whom Delivered-To: tells, if flags=D wants to know, in lower case.
        """
        self._earlier = earlier
        self._service = service
        self._job = job
        self._queued = content
        self._cache = cache
        self._clock = clock
        self._tell = service.tell
        self._fates = Fates(service, job, clock=clock, settled=settled)
        self._site_fault: tuple[str, str] | None = None
        self._oddities: list[Oddity] = []
        self._opener = SessionOpener(service, job, clock=clock, keep_oddity=self._keep_oddity)
        self._passed = ""  # best_mx_transport
        self._set_up = clock.now()  # when the last session stood

    async def run(self) -> SmtpDone:
        """Deliver.  Never raises for what happens to mail."""
        try:
            if (objection := self._objection()) is not None:
                self._fates.rest(objection, None)
            else:
                await self._try_destinations()
        except LookupFault as fault:
            self._tell(events.Warned(f"{self._job.queue_id}: {fault.reason}"))
            self._fates.rest(Verdict("4.3.0", "Temporary lookup error"), None)
        except BadPolicy as fault:
            self._tell(events.Warned(str(fault)))
            self._fates.rest(Verdict("4.7.5", CONFIGURATION_PROBLEM), None)
        if self._passed:
            return SmtpDone(self._job.job, [], oddities=self._oddities, passed=self._passed)
        outcomes = [self._fates.finish(at) for at in range(len(self._job.recipients))]
        return SmtpDone(self._job.job, outcomes, self._site_fault, self._oddities)

    def _objection(self) -> Verdict | None:
        """What flags= of the service says against it.  LookupFault."""
        service, job = self._service, self._job
        if flag := service.flags.too_many_for(job):
            self._tell(
                events.Warned(f"flag `{flag}' requires {service.name}_destination_recipient_limit = 1")
            )
            return Verdict("4.3.5", "mail system configuration error", relay=service.name)
        if "D" in service.flags:
            address = job.recipients[0].address
            if shown(address, service.generic).lower() in self._earlier:
                text = f"mail forwarding loop for {address.decode('utf-8', 'replace')}"
                return Verdict("5.4.6", text, relay=service.name)
        return None

    # -- destinations and servers ----------------------------------------------------------------------

    def _destinations(self) -> tuple[list[Destination], int]:
        """All of them, and how many are no fallback relays.  ValueError."""
        read = self._service.destinations
        usual = list(read(self._job.nexthop))
        relays = [one for relay in self._service.rules.client.smtp_fallback_relay for one in read(relay)]
        return usual + relays, len(usual)

    async def _try_destinations(self) -> None:
        try:
            destinations, usual = self._destinations()
        except ValueError as error:
            # A mistake of our own configuration is no reason to return mail.
            self._tell(events.Warned(str(error)))
            self._fates.rest(Verdict("4.3.5", "mail system configuration error"), None)
            return
        for at, destination in enumerate(destinations):
            is_last = at == len(destinations) - 1
            try:
                route = await self._service.exchangers.route(destination)
            except Unreachable as fault:
                is_last = is_last or fault.is_ours  # another relay would give it back to us
                if self._cannot_reach(fault, is_fallback=at >= usual, is_last=is_last):
                    return
                continue
            is_last = is_last or route.is_ours
            await self._try_targets(destination, route.targets, is_last=is_last)
            if is_last or not self._fates.waiting():
                return

    def _cannot_reach(self, fault: Unreachable, *, is_fallback: bool, is_last: bool) -> bool:
        """No server of a destination is known; whether nothing else is to be tried.

        What looks like a mistake of our own configuration is no reason to return mail.
        """
        for warning in filter(None, (fault.warning, fault.reason)):
            self._tell(events.Warned(warning))
        status = fault.status
        if is_last and status[0] == "5":
            prefix = "lmtp" if self._service.lmtp else "smtp"
            if is_fallback:
                self._tell(events.Warned(f"{prefix}_fallback_relay configuration problem"))
                status = "4.3.5"
            elif not self._service.lmtp and self._job.nexthop == self._service.relayhost:
                self._tell(events.Warned("relayhost configuration problem"))
                status = "4.3.5"
            elif fault.is_loop and self._job.may_pass and self._service.rules.exchange.best_mx_transport:
                self._passed = self._service.rules.exchange.best_mx_transport
                self._tell_passed()
                return True
        if is_last and status[0] == "4":
            self._site_fault = (status, fault.text)
        self._fates.rest(Verdict(status, fault.text), None, final=is_last)
        return is_last

    def _tell_passed(self) -> None:
        transport = self._passed.partition(":")[0]
        for recipient in self._job.recipients:
            shown = recipient.address.decode("utf-8", "replace")
            self._tell(events.Noted(f"{self._job.queue_id}: passing <{shown}> to transport={transport}"))

    async def _try_targets(self, destination: Destination, targets: list[Target], *, is_last: bool) -> None:
        client = self._service.rules.client
        client_tls = self._service.rules.tls
        requirement = self._requirement(destination)
        limit = client.smtp_mx_session_limit
        key = self._key(destination, requirement)
        while (kept := self._cache.take(key)) is not None:
            self._set_up = self._clock.now()
            try:
                await self._deliver(kept, destination, final=is_last and not targets)
            except Stale:
                await kept.quit()
            else:
                break
        reporter = self._service.reporter
        if reporter is not None:
            named = destination.host and not destination.is_address
            self._opener.wish = await reporter.wish(destination.host) if named else None
        sessions = 0
        for number, target in enumerate(targets):
            if not self._fates.waiting() or (limit and sessions >= limit):
                return
            is_last_server = is_last and number == len(targets) - 1
            try:
                known = await self._opener.policy(destination, target)
            except NoPolicy as fault:
                self._tell(
                    events.Warned(f"TLS policy lookup for {destination.text}/{target.host}: {fault.text}")
                )
                self._fates.rest(Verdict(fault.status, fault.text), None, final=is_last_server)
                continue
            if client_tls.smtp_tls_wrappermode and not known.is_required:
                prefix = "lmtp" if self._service.lmtp else "smtp"
                self._tell(
                    events.Warned(
                        f'{prefix}_tls_wrappermode requires "{prefix}_tls_security_level = encrypt" (or stronger)'
                    )
                )
                self._fates.rest(_NO_SERVER, None, final=is_last_server)
                continue
            try:
                session = await self._opener.open(target, destination, known, requirement)
                self._set_up = self._clock.now()
            except (OSError, TimeoutError) as error:
                self._cannot_connect(target, error, final=is_last_server)
                continue
            except CannotBind as fault:
                self._tell(events.Noted(str(fault)))
                self._fates.rest(Verdict("4.4.0", str(fault)), None, final=is_last_server)
                continue
            except SiteFault as fault:  # which does not count as a session
                self._cannot_use(target, fault, final=is_last_server)
                continue
            sessions += 1
            is_limit = is_last and sessions == limit
            await self._deliver(session, destination, final=is_last_server or is_limit)

    def _cannot_connect(self, target: Target, error: Exception, *, final: bool) -> None:
        text = f"connect to {target.relay}: {_reason(error)}"
        self._tell(events.Noted(text))
        if final:
            self._site_fault = ("4.4.1", text)
        self._fates.rest(Verdict("4.4.1", text), None, final=final)

    def _cannot_use(self, target: Target, fault: SiteFault, *, final: bool) -> None:
        soft = self._may_be_elsewhere(fault.status) or (fault.is_of_server and not final)
        verdict = Verdict(fault.status, fault.text, fault.reply, diagnostic=fault.diagnostic)
        if final or not soft:
            self._site_fault = (fault.status, fault.text) if soft else None
            self._fates.rest(verdict, target)
        else:
            self._tell(events.Noted(f"{self._job.queue_id}: {fault.text}"))
            self._fates.rest(verdict, target, final=False)

    def _may_be_elsewhere(self, status: str) -> bool:
        """Whether another server is to be asked; also after a refusal for good, with soft_bounce (smtp(8))."""
        return status[0] == "4" or (status[0] == "5" and self._service.soft_bounce)

    def _requirement(self, destination: Destination) -> Requirement:
        """What REQUIRETLS asks of the destination.  BadPolicy, LookupFault."""
        policy = self._service.requirement
        if policy is None or not self._job.send_options & SEND_REQUIRES_TLS:
            return Requirement.NONE
        return policy.of(destination.host or destination.path)

    # -- sessions --------------------------------------------------------------------------------------

    def _key(self, destination: Destination, requirement: Requirement) -> Key:
        by_sender = self._service.rules.sasl.smtp_sender_dependent_authentication
        sender = self._job.sender if by_sender else b""
        return Key(
            self._service.name, destination.text.lower(), sender, self._opener.is_tls_optional, requirement
        )

    async def _deliver(self, session: Session, destination: Destination, *, final: bool) -> None:
        """Over a session that stands.  Stale, if it was kept and is not good any more."""
        waiting = self._fates.waiting()
        generic = self._service.generic
        lacks_requiretls = bool(session.requirement and session.is_tls and not session.asks_for_tls)

        told: Verdict | None = None  # of all who share it

        def heard(place: int, verdict: Verdict) -> None:
            nonlocal lacks_requiretls, told
            if lacks_requiretls:
                lacks_requiretls = False
                self._tell_of_requirement(session)
            is_final = final or not self._may_be_elsewhere(verdict.status)
            if not is_final and verdict is not told and (not transaction.broken or verdict.reply is not None):
                told = verdict
                self._tell(events.Noted(f"{self._job.queue_id}: {verdict.text}"))
            self._fates.note(
                waiting[place], Fate(verdict, session.target, self._set_up, is_final, session.uses)
            )

        transaction = Transaction(
            session,
            self._job,
            [self._job.recipients[at] for at in waiting],
            heard=heard,
            rewrite=generic.map_first if generic else None,
            is_last=not (self._wants_to_keep(session, destination) and self._cache.may_keep(session)),
        )
        try:
            await transaction.run(outgoing(self._queued, session, self._service, self._job))
        except CheckFault as fault:
            session.conversation.abort()
            self._tell(events.Warned(f"{self._job.queue_id}: smtp {fault.kind} checks lookup error"))
            self._give_up(session, final=final)
            return
        except LookupFault:
            session.conversation.abort()
            raise
        if transaction.broken:
            if final:
                self._site_fault = (transaction.broken.status, transaction.broken.text)
            else:
                self._tell(events.Noted(f"{self._job.queue_id}: {transaction.broken.text}"))
        keeps = self._wants_to_keep(session, destination) and session.conversation.engine.awaits is None
        if not (keeps and self._cache.keep(self._key(destination, session.requirement), session)):
            await session.quit()
        self._keep_oddity(session.conversation)

    def _give_up(self, session: Session, *, final: bool) -> None:
        """A table cannot answer about the content: the next server is tried, and the destination left alone."""
        verdict = Verdict("4.3.0", f"local data error while talking to {session.target.label}")
        for at in self._fates.waiting():
            self._fates.note(at, Fate(verdict, session.target, self._set_up, final, session.uses))
        if final:
            self._site_fault = (verdict.status, verdict.text)
        else:
            self._tell(events.Noted(f"{self._job.queue_id}: {verdict.text}"))

    def _tell_of_requirement(self, session: Session) -> None:
        self._tell(
            events.Noted(
                f"{self._job.queue_id}: REQUIRETLS Debug: sender requested REQUIRETLS, but REQUIRETLS support "
                f"was not offered by host {session.target.label}"
            )
        )

    def _keep_oddity(self, conversation: Conversation) -> None:
        if transcript := conversation.take_transcript():
            self._oddities.append(Oddity(conversation.target.relay, transcript))

    def _wants_to_keep(self, session: Session, destination: Destination) -> bool:
        client = self._service.rules.client
        if session.is_tls and not session.is_kept_under_tls:
            return False
        if self._job.more_follows and client.smtp_connection_cache_on_demand:
            return True
        try:
            return (destination.host or destination.path) in self._service.kept
        except LookupFault:
            return False


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        return os.strerror(errno.ETIMEDOUT)
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error)
