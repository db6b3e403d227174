"""A session with one server, from the connection to the point where it takes mail.

DESCRIPTION
    `SessionOpener` finds out what TLS has to be, connects, greets, says hello, begins TLS and logs in.
    A handshake that fails where TLS was only wished for is followed by a second try in clear text.

FAULTS
    OSError, TimeoutError  no connection
    SiteFault              the server does not want us, or is not what it has to be
    NoPolicy               what TLS has to be cannot be found out
    LookupFault            a table cannot answer

STANDARDS
    RFC 5321 §3.1, §3.2; RFC 3207; RFC 4954; RFC 8689 §2, §5
"""

import os
from collections.abc import Callable
from functools import partial

import msgspec

from pillarbox.delivery.smtp.connecting import connect
from pillarbox.delivery.smtp.conversation import Broken, Conversation
from pillarbox.delivery.smtp.dane_policy import CONFIGURATION_PROBLEM, NoPolicy
from pillarbox.delivery.smtp.destination import Destination
from pillarbox.delivery.smtp.logging_in import log_in
from pillarbox.delivery.smtp.mail_exchangers import Target
from pillarbox.delivery.smtp.passwords import Login, find_login
from pillarbox.delivery.smtp.policy_table import BadPolicy, TlsPolicy
from pillarbox.delivery.smtp.request import DeliverBySmtp
from pillarbox.delivery.smtp.requirement import Requirement
from pillarbox.delivery.smtp.service import Service
from pillarbox.delivery.smtp.session import DISCARDING_TABLES, Session, SiteFault
from pillarbox.delivery.smtp.tls_reports import Wish
from pillarbox.observability import events
from pillarbox.queue.queue_file import SEND_REQUIRES_TLS, SEND_TLS_OPTIONAL
from pillarbox.routing.address_maps import MapFault
from pillarbox.tables.ehlo_keywords import DiscardedKeywords
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.smtp.transcript import Transcript


class SessionOpener:
    """Opens the sessions of one job."""

    def __init__(
        self,
        service: Service,
        job: DeliverBySmtp,
        *,
        clock: Clock,
        keep_oddity: Callable[[Conversation], None],
    ) -> None:
        """`keep_oddity` is told of a conversation that did not get so far."""
        self._clock = clock
        self._service = service
        self._job = job
        self._keep_oddity = keep_oddity
        self._tell = service.tell
        self.wish: Wish | None = None
        """Who wants reports of TLS with the destination."""

    @property
    def is_tls_optional(self) -> bool:
        """TLS-Required: no.  Who asks for both wants TLS (RFC 8689 §2, §5)."""
        if self._service.requirement is not None and self._job.send_options & SEND_REQUIRES_TLS:
            return False
        return self._service.heeds_tls_required and bool(self._job.send_options & SEND_TLS_OPTIONAL)

    async def policy(self, destination: Destination, target: Target) -> TlsPolicy:
        """What TLS with a server has to be.  NoPolicy, LookupFault."""
        policies = self._service.policies
        try:
            if self.is_tls_optional:
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

    async def open(
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
        conversation = await self._converse(target, destination)
        session = Session(
            conversation,
            discarded=partial(self._discarded_keywords, target),
            rules=self._service.rules,
            destination=destination,
            policy=policy,
            tell=self._tell,
            requirement=requirement,
        )
        session.queue_id = self._job.queue_id
        try:
            is_whole = await self._begin(session, target, destination, tls=tls)
        except Broken as fault:
            self._report_tls(session, policy)
            if not conversation.is_over:
                await session.quit()
            raise SiteFault(fault.status, fault.text) from fault
        except BaseException:
            self._report_tls(session, policy)
            await session.quit() if not conversation.is_over else conversation.wire.abort()
            self._keep_oddity(conversation)
            raise
        if is_whole:
            self._report_tls(session, policy)
        return session

    async def _converse(self, target: Target, destination: Destination) -> Conversation:
        """The connection, with whoever is to see what is said.  OSError, TimeoutError, SiteFault."""
        service, rules = self._service, self._service.rules
        source = rules.sources.get(6 if ":" in target.address else 4)
        place = target
        if not target.port and not target.address.startswith("/"):
            place = msgspec.structs.replace(
                target, address=os.path.join(service.queue_directory, target.address)
            )
        wire = await connect(
            place,
            limit=rules.client.smtp_connect_timeout,
            source=source.address if source else None,
            must_bind=rules.client.smtp_bind_address_enforce and source is not None and source.is_set,
            window=rules.window,
            tell=self._tell,
        )
        least_rate = rules.client.smtp_min_data_rate if rules.client.smtp_per_request_deadline else 0
        conversation = Conversation(wire, target, least_rate=least_rate)
        trace = service.debugged.trace(
            target.relay,
            lambda line: self._tell(events.Noted(line)),
            names=(target.host, destination.host),
            address=target.address,
        )
        if service.keeps_transcripts or trace is not None:
            conversation.engine.transcript = Transcript(kept=service.keeps_transcripts)
            conversation.engine.transcript.trace = trace
        if service.reply_filter is not None:
            rewrite = partial(self._filtered_reply, service.reply_filter, target)
            conversation.engine.filter_replies(rewrite)
        return conversation

    async def _begin(self, session: Session, target: Target, destination: Destination, *, tls: bool) -> bool:
        """Greeting, hello, TLS and login; False if a message that will be refused needs no more than the first two.

        SiteFault, Broken.
        """
        service, is_wrapped = self._service, self._service.rules.tls.smtp_tls_wrappermode
        if is_wrapped and tls:
            await session.handshake(service.policies)
        greeting = await session.greet()
        self._work_around(session, greeting)
        await session.hello(esmtp=session.speaks_esmtp)
        if self._job.needs_smtputf8 and not session.capabilities.smtputf8:
            session.conversation.is_closing = True  # the message is refused; others want TLS and a login
            return False
        session.use_8bitmime()
        if not is_wrapped:
            await session.secure(service.policies, allowed=tls)
        session.check_requirement()
        if session.capabilities.logins and (login := self._known_login(target, destination)) is not None:
            await log_in(session, login, service.login_failures)
        return True

    def _report_tls(self, session: Session, policy: TlsPolicy) -> None:
        """smtp_tlsrpt_enable: a session in which TLS was tried."""
        reporter, wish = self._service.reporter, self.wish
        if reporter is not None and wish is not None and session.tls_outcome:
            reporter.report(wish, policy, session.facts, session.tls_outcome)

    def _work_around(self, session: Session, greeting: bytes) -> None:
        """smtp_pix_workarounds."""
        try:
            measures = self._service.workarounds.for_server(
                session.target.address,
                greeting,
                age=self._clock.now() - self._job.arrival_time,
                tell=self._tell,
            )
        except ValueError as error:
            self._tell(events.Warned(f"smtp_pix_workaround_maps: {error}"))
            return
        if measures is not None:
            session.measures = measures
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
            by_sender=sasl.smtp_sender_dependent_authentication and not self._service.lmtp,
        )

    def _known_login(self, target: Target, destination: Destination) -> Login | None:
        """SiteFault, if that cannot be known now."""
        try:
            return self._login(target, destination)
        except MapFault as fault:
            self._tell(events.Warned(fault.cause))
            self._tell(events.Warned(f"{self._job.queue_id}: {fault.table} lookup error"))
            raise _local_fault(target) from fault

    def _discarded_keywords(self, target: Target) -> DiscardedKeywords:
        """smtp_discard_ehlo_keyword_address_maps.  SiteFault."""
        try:
            return self._service.discarded.of_peer(target.address, self._tell)
        except LookupFault as fault:
            name = DISCARDING_TABLES["LMTP" if self._service.lmtp else "SMTP"]
            self._tell(events.Warned(f"{self._job.queue_id}: {name} map lookup error for {target.address}"))
            raise _local_fault(target) from fault

    def _filtered_reply(self, table: LookupTable, target: Target, line: bytes) -> bytes:
        """smtp_reply_filter.  Broken."""
        try:
            found = table.query(line.decode("utf-8", "surrogateescape"))
        except LookupFault as fault:
            shown = line.decode("utf-8", "replace")
            self._tell(events.Warned(f"{self._job.queue_id}: table {table.name} lookup error for {shown}"))
            local = _local_fault(target)
            raise Broken(local.status, local.text) from fault
        if found is None:
            return line
        shown = line.decode("utf-8", "replace")
        self._tell(events.Noted(f'{target.relay}: replacing server reply "{shown}" with "{found}"'))
        return found.encode("utf-8", "surrogateescape")


def _local_fault(target: Target) -> SiteFault:
    """A table of ours cannot answer."""
    return SiteFault("4.3.0", f"local data error while talking to {target.label}")
