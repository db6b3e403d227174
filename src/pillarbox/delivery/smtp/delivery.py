"""smtp(8) and lmtp(8): one job from its nexthop to an outcome for each recipient.

DESCRIPTION
    The servers of a destination are tried in their order until each recipient has been taken or refused for good.
    A server that cannot be connected to, or that says 4xx, leaves its recipients to the next; what the last one
    says counts.  At most smtp_mx_session_limit servers are talked to.  Then come the fallback relays.

    A handshake that fails where TLS was only wished for is followed by a second try in clear text.

    Delivery lines are told here, as each recipient's fate is known.
"""

import errno
import os
from functools import partial

import msgspec

from pillarbox.delivery.request import Outcome, would_be
from pillarbox.delivery.smtp.connecting import connect
from pillarbox.delivery.smtp.conversation import Broken, Conversation
from pillarbox.delivery.smtp.dane_policy import CONFIGURATION_PROBLEM, NoPolicy
from pillarbox.delivery.smtp.destination import Destination
from pillarbox.delivery.smtp.mail_exchangers import Target, Unreachable
from pillarbox.delivery.smtp.outgoing_content import outgoing
from pillarbox.delivery.smtp.passwords import Login, find_login
from pillarbox.delivery.smtp.policy_table import BadPolicy, TlsPolicy
from pillarbox.delivery.smtp.request import DeliverBySmtp, Oddity, SmtpDone
from pillarbox.delivery.smtp.requirement import Requirement
from pillarbox.delivery.smtp.service import Service
from pillarbox.delivery.smtp.session import Session, SiteFault
from pillarbox.delivery.smtp.session_cache import Key, SessionCache
from pillarbox.delivery.smtp.tls_reports import Wish
from pillarbox.delivery.smtp.transaction import Stale, Transaction, Verdict
from pillarbox.delivery.status_filter import StatusFilter
from pillarbox.observability import events
from pillarbox.queue.content_blocks import QueuedContent
from pillarbox.queue.queue_file import SEND_REQUIRES_TLS, SEND_TLS_OPTIONAL
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.smtp.replies import MalformedReply, ServerReply
from pillarbox.wire.smtp.transcript import Transcript


class _Fate(msgspec.Struct):
    """What is known of a recipient so far."""

    verdict: Verdict
    target: Target | None
    uses: int
    set_up: float  # when the session stood
    final: bool = False


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
    ) -> None:
        self._service = service
        self._job = job
        self._queued = content
        self._cache = cache
        self._clock = clock
        self._tell = service.tell
        self._started = clock.now()
        self._fates: list[_Fate | None] = [None] * len(job.recipients)
        self._told: list[Outcome | None] = [None] * len(job.recipients)
        self._site_fault: tuple[str, str] | None = None
        self._oddities: list[Oddity] = []
        self._wish: Wish | None = None  # for reports of TLS
        self._passed = ""  # best_mx_transport
        self._set_up = self._started

    async def run(self) -> SmtpDone:
        """Deliver.  Never raises for what happens to mail."""
        try:
            await self._try_destinations()
        except LookupFault as fault:
            self._tell(events.Warned(f"{self._job.queue_id}: {fault.reason}"))
            self._rest(Verdict("4.3.0", "Temporary lookup error"), None)
        except BadPolicy as fault:
            self._tell(events.Warned(str(fault)))
            self._rest(Verdict("4.7.5", CONFIGURATION_PROBLEM), None)
        if self._passed:
            return SmtpDone(self._job.job, [], oddities=self._oddities, passed=self._passed)
        outcomes = [self._finish(at) for at in range(len(self._job.recipients))]
        return SmtpDone(self._job.job, outcomes, self._site_fault, self._oddities)

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
            self._rest(Verdict("5.4.4", f"bad destination: {error}"), None)
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
            if is_last or not self._waiting():
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
        self._rest(Verdict(status, fault.text), None, final=is_last)
        return is_last

    def _tell_passed(self) -> None:
        transport = self._passed.partition(":")[0]
        for recipient in self._job.recipients:
            shown = recipient.address.decode("utf-8", "replace")
            self._tell(events.Noted(f"{self._job.queue_id}: passing <{shown}> to transport={transport}"))

    async def _try_targets(self, destination: Destination, targets: list[Target], *, is_last: bool) -> None:
        client = self._service.rules.client
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
            self._wish = await reporter.wish(destination.host) if named else None
        sessions = 0
        for number, target in enumerate(targets):
            if not self._waiting() or (limit and sessions >= limit):
                return
            final = is_last and (number == len(targets) - 1 or bool(limit and sessions == limit - 1))
            try:
                known = await self._policy(destination, target)
            except NoPolicy as fault:
                self._tell(
                    events.Warned(f"TLS policy lookup for {destination.text}/{target.host}: {fault.text}")
                )
                final = is_last and number == len(targets) - 1
                self._rest(Verdict(fault.status, fault.text), None, final=final)
                continue
            try:
                session = await self._open(target, destination, known, requirement)
            except (OSError, TimeoutError) as error:
                final = is_last and number == len(targets) - 1
                self._cannot_connect(target, error, final=final)
                continue
            except SiteFault as fault:
                sessions += 1
                self._cannot_use(target, fault, final=final)
                continue
            sessions += 1
            await self._deliver(session, destination, final=final)

    async def _policy(self, destination: Destination, target: Target) -> TlsPolicy:
        """What TLS with a server has to be.  NoPolicy, LookupFault."""
        policies = self._service.policies
        try:
            if self._is_tls_optional:
                policy = policies.optional()
            else:
                policy = policies.policy(destination)
                for warning in policy.ignored:
                    self._tell(events.Warned(warning))
                policy = policies.at_server(policy, destination, target.host)
            policies.anchors(policy)
        except (BadPolicy, ConfigurationFault) as fault:
            self._tell(events.Warned(fault.what if isinstance(fault, ConfigurationFault) else str(fault)))
            raise NoPolicy(CONFIGURATION_PROBLEM) from fault
        if policies.excludes(policy, target.host):
            raise NoPolicy(f"server {target.host} is not named by the STS policy")
        return await self._service.dane.of(policy, destination, target, tell=self._tell)

    def _cannot_connect(self, target: Target, error: Exception, *, final: bool) -> None:
        text = f"connect to {target.relay}: {_reason(error)}"
        self._tell(events.Noted(text))
        if final:
            self._site_fault = ("4.4.1", text)
        self._rest(Verdict("4.4.1", text), None, final=final)

    def _cannot_use(self, target: Target, fault: SiteFault, *, final: bool) -> None:
        soft = fault.status[0] == "4" or (fault.is_of_server and not final)
        if final or not soft:
            self._site_fault = (fault.status, fault.text) if soft else None
            self._rest(Verdict(fault.status, fault.text, fault.reply), target)
        else:
            self._tell(events.Noted(f"{self._job.queue_id}: {fault.text}"))
            self._rest(Verdict(fault.status, fault.text, fault.reply), target, final=False)

    @property
    def _is_tls_optional(self) -> bool:
        """TLS-Required: no.  Who asks for both wants TLS (RFC 8689 §2, §5)."""
        if self._service.requirement is not None and self._job.send_options & SEND_REQUIRES_TLS:
            return False
        return self._service.heeds_tls_required and bool(self._job.send_options & SEND_TLS_OPTIONAL)

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
        return Key(self._service.name, destination.text.lower(), sender, self._is_tls_optional, requirement)

    async def _open(
        self, target: Target, destination: Destination, policy: TlsPolicy, requirement: Requirement
    ) -> Session:
        """A session that takes mail.  OSError, TimeoutError, SiteFault."""
        waited = self._job.active_time - self._job.arrival_time
        try:
            return await self._open_once(target, destination, policy, requirement, tls=True)
        except SiteFault as fault:
            # As Postfix: first TLS is given another chance, and a password never goes in clear text.
            if (
                not fault.retry_plain
                or waited < self._service.minimal_backoff
                or self._login(target, destination) is not None
            ):
                raise
            self._tell(events.Noted(f"{self._job.queue_id}: {fault.text}"))
        return await self._open_once(target, destination, policy, requirement, tls=False)

    async def _open_once(
        self,
        target: Target,
        destination: Destination,
        policy: TlsPolicy,
        requirement: Requirement,
        *,
        tls: bool,
    ) -> Session:
        rules = self._service.rules
        source = rules.client.smtp_bind_address6 if ":" in target.address else rules.client.smtp_bind_address
        place = target
        if not target.port and not target.address.startswith("/"):
            place = msgspec.structs.replace(
                target, address=os.path.join(self._service.queue_directory, target.address)
            )
        wire = await connect(
            place,
            limit=rules.client.smtp_connect_timeout,
            source=source or None,
            must_bind=rules.client.smtp_bind_address_enforce,
            tell=self._tell,
        )
        least_rate = rules.client.smtp_min_data_rate if rules.client.smtp_per_request_deadline else 0
        conversation = Conversation(wire, target, least_rate=least_rate)
        if self._service.keeps_transcripts:
            conversation.engine.transcript = Transcript()
        if self._service.reply_filter is not None:
            rewrite = partial(self._filtered_reply, self._service.reply_filter, target)
            conversation.engine.filter_replies(rewrite)
        session = Session(
            conversation,
            discarded=self._discarded(target),
            rules=rules,
            destination=destination,
            policy=policy,
            tell=self._tell,
            failures=self._service.login_failures,
            requirement=requirement,
        )
        try:
            if rules.tls.smtp_tls_wrappermode and tls:
                await session.handshake(self._service.policies)
            greeting = await session.greet()
            self._work_around(session, greeting)
            await session.hello(esmtp=session.speaks_esmtp)
            if not rules.tls.smtp_tls_wrappermode:
                await session.secure(self._service.policies, allowed=tls)
            session.check_requirement()
            await session.log_in(self._login(target, destination))
        except Broken as fault:
            self._report_tls(session, policy)
            raise SiteFault(fault.status, fault.text) from fault
        except BaseException:
            self._report_tls(session, policy)
            await session.quit() if not conversation.is_over else wire.abort()
            self._keep_oddity(conversation)
            raise
        self._report_tls(session, policy)
        self._set_up = self._clock.now()
        return session

    def _report_tls(self, session: Session, policy: TlsPolicy) -> None:
        """smtp_tlsrpt_enable: a session in which TLS was tried."""
        reporter, wish = self._service.reporter, self._wish
        if reporter is not None and wish is not None and session.tls_outcome:
            reporter.report(wish, policy, session.facts, session.tls_outcome)

    def _work_around(self, session: Session, greeting: bytes) -> None:
        """smtp_pix_workarounds.  LookupFault."""
        try:
            measures = self._service.workarounds.for_server(session.target.address, greeting)
        except ValueError as error:
            self._tell(events.Warned(f"smtp_pix_workaround_maps: {error}"))
            return
        session.measures = measures
        if measures.names:
            self._tell(
                events.Noted(
                    f"{self._job.queue_id}: enabling PIX workarounds: {measures.names} for {session.target.relay}"
                )
            )

    def _login(self, target: Target, destination: Destination) -> Login | None:
        sasl = self._service.rules.sasl
        if not sasl.smtp_sasl_auth_enable:
            return None
        return find_login(
            self._service.passwords,
            destination=destination,
            host=target.host,
            sender=self._job.sender,
            by_sender=sasl.smtp_sender_dependent_authentication,
        )

    def _discarded(self, target: Target) -> frozenset[str]:
        """smtp_discard_ehlo_keyword_address_maps, or smtp_discard_ehlo_keywords."""
        words = self._service.rules.client.smtp_discard_ehlo_keywords
        for table in self._service.discarded:
            if (value := table.query(target.address)) is not None:
                words = tuple(value.replace(",", " ").split())
                break
        return frozenset(word.lower() for word in words)

    async def _deliver(self, session: Session, destination: Destination, *, final: bool) -> None:
        """Over a session that stands.  Stale, if it was kept and is not good any more."""
        waiting = self._waiting()
        generic = self._service.generic
        transaction = Transaction(
            session,
            self._job,
            [self._job.recipients[at] for at in waiting],
            rewrite=generic.map_first if generic else None,
            is_last=not (self._wants_to_keep(session, destination) and self._cache.may_keep(session)),
            age=self._clock.now() - self._job.arrival_time,
        )
        try:
            verdicts = await transaction.run(
                outgoing(self._queued, session, self._service, queue_id=self._job.queue_id)
            )
        except LookupFault:
            session.conversation.abort()
            raise
        if session.requirement and session.is_tls and not session.asks_for_tls:
            self._tell(
                events.Noted(
                    f"{self._job.queue_id}: REQUIRETLS Debug: sender requested REQUIRETLS, but REQUIRETLS support "
                    f"was not offered by host {session.target.label}"
                )
            )
        for at, verdict in zip(waiting, verdicts, strict=True):
            is_final = final or not verdict.is_soft
            if not is_final and (not transaction.broken or verdict.reply is not None):
                self._tell(events.Noted(f"{self._job.queue_id}: {verdict.text}"))
            self._fates[at] = _Fate(verdict, session.target, session.uses, self._set_up, is_final)
        for sent in (False, True):  # who was refused was refused first
            for at in waiting:
                fate = self._fates[at]
                if fate is not None and fate.final and fate.verdict.is_sent is sent:
                    self._finish(at)
        if transaction.broken:
            if final:
                self._site_fault = (transaction.broken.status, transaction.broken.text)
            else:
                self._tell(events.Noted(f"{self._job.queue_id}: {transaction.broken.text}"))
        keeps = self._wants_to_keep(session, destination) and session.conversation.engine.awaits is None
        if not (keeps and self._cache.keep(self._key(destination, session.requirement), session)):
            await session.quit()
        self._keep_oddity(session.conversation)

    def _keep_oddity(self, conversation: Conversation) -> None:
        if transcript := conversation.take_transcript():
            self._oddities.append(Oddity(conversation.target.relay, transcript))

    def _warn(self, reason: str) -> None:
        self._tell(events.Warned(reason))

    def _filtered_reply(self, table: LookupTable, target: Target, line: bytes) -> bytes:
        """smtp_reply_filter."""
        try:
            found = table.query(line.decode("utf-8", "surrogateescape"))
        except LookupFault as fault:
            self._tell(events.Warned(fault.reason))
            raise MalformedReply("the reply filter cannot answer") from fault
        if found is None:
            return line
        shown = line.decode("utf-8", "replace")
        self._tell(events.Noted(f'{target.relay}: replacing server reply "{shown}" with "{found}"'))
        return found.encode("utf-8", "surrogateescape")

    def _wants_to_keep(self, session: Session, destination: Destination) -> bool:
        client = self._service.rules.client
        if session.is_tls and not session.is_kept_under_tls:
            return False
        return (self._job.more_follows and client.smtp_connection_cache_on_demand) or (
            destination.text.lower() in map(str.lower, client.smtp_connection_cache_destinations)
        )

    # -- fates -----------------------------------------------------------------------------------------

    def _waiting(self) -> list[int]:
        """Recipients without a last word."""
        return [at for at, fate in enumerate(self._fates) if fate is None or not fate.final]

    def _rest(self, verdict: Verdict, target: Target | None, *, final: bool = True) -> None:
        """The same for all who wait."""
        for at in self._waiting():
            self._fates[at] = _Fate(verdict, target, 0, self._clock.now(), final)

    def _finish(self, at: int) -> Outcome:
        """The outcome of a recipient, told once."""
        known = self._told[at]
        if known is not None:
            return known
        fate = self._fates[at] or _Fate(_NEVER, None, 0, self._clock.now())
        verdict, job, now = fate.verdict, self._job, self._clock.now()
        status = "sent" if verdict.is_sent else "deferred" if verdict.is_soft else "bounced"
        if self._service.status_filter:
            said = StatusFilter(self._service.status_filter, warn=self._warn).outcome(
                Outcome(status, verdict.status, verdict.text)
            )
            status, verdict = said.status, msgspec.structs.replace(verdict, status=said.dsn, text=said.text)
        shown = status
        if self._job.trace_only:
            shown = would_be(status, cached=self._job.is_cached)
        elif status == "bounced" and self._service.soft_bounce:
            status = shown = "SOFTBOUNCE"
        relay = fate.target.relay if fate.target is not None else "none"
        delays = (
            max(0.0, job.active_time - job.arrival_time),
            max(0.0, self._started - job.active_time),
            max(0.0, fate.set_up - self._started),
            max(0.0, now - fate.set_up),
        )
        recipient = job.recipients[at]
        self._tell(
            events.AttemptMade(
                self._service.program,
                job.queue_id,
                recipient.address,
                recipient.original,
                relay,
                delays,
                verdict.status,
                shown,
                verdict.text,
                uses=fate.uses + 1 if fate.uses else 0,
            )
        )
        outcome = Outcome(
            "deferred" if status == "SOFTBOUNCE" else status,
            verdict.status if status != "SOFTBOUNCE" else "4" + verdict.status[1:],
            verdict.text,
            relay=relay,
            diagnostic=_diagnostic(verdict.reply),
            remote_mta=f"dns; {fate.target.host}" if fate.target is not None and verdict.reply else "",
            action="delivered" if self._service.assumes_final and not verdict.handled_dsn else "relayed",
            tells_success=not verdict.handled_dsn,
        )
        self._told[at] = outcome
        return outcome


_NEVER = Verdict("4.3.0", "no server was tried")


def _diagnostic(reply: ServerReply | None) -> str:
    return "smtp; " + reply.text.decode("utf-8", "replace") if reply is not None else ""


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        return os.strerror(errno.ETIMEDOUT)
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error)
