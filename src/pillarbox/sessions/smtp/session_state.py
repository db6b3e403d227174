"""What the commands of one SMTP session share: who the client is, what it has begun, whom to ask and to tell.

DESCRIPTION
    `SessionState` belongs to one connection.  The command modules beside this one are functions of it; the
    conversation itself (`session.py`) reads commands and sends what they answer.

FAULTS
    Goodbye  the session ends after one more reply
    Gone     the client has closed the connection in the middle of a command
"""

import re
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from pillarbox.access.client import ClientFacts
from pillarbox.access.client_rates import ClientRate, Event
from pillarbox.access.question import Actions, Listing, Question
from pillarbox.access.session_values import session_values
from pillarbox.net.dns.host_lookup import HostLookup
from pillarbox.net.dns.records import Resolver as DnsResolver
from pillarbox.observability import events
from pillarbox.queue.incoming import QueueFileFault
from pillarbox.routing.resolution import Resolver
from pillarbox.sessions.login import Authenticator
from pillarbox.sessions.smtp.before_queue_filter import FilterSettings
from pillarbox.sessions.smtp.client_records import ClientRecords
from pillarbox.sessions.smtp.command_counts import CommandCounts
from pillarbox.sessions.smtp.disk_room import forget_room
from pillarbox.sessions.smtp.policy import SmtpPolicy
from pillarbox.sessions.smtp.transaction import NewSubmission, Transaction
from pillarbox.sessions.smtp.transport import SmtpTransport
from pillarbox.sessions.smtp.trouble import Trouble
from pillarbox.tables.ehlo_keywords import DiscardedKeywords
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import QueueId
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.command_grammar import Grammar
from pillarbox.wire.smtp.dot_stream import BareNewline
from pillarbox.wire.smtp.server import SmtpServer

Queued = Callable[[QueueId], None]
"""Told of each message that was committed."""

OK: Final = Reply(250, (b"2.0.0 Ok",))


UnderWay = tuple[Address | None, Address | None]
"""Sender and first recipient of a message."""
_STATUS: Final = re.compile(rb"5\.\d{1,3}\.\d{1,3} ")


class Goodbye(Exception):
    """The session ends after this reply."""

    def __init__(self, reply: Reply, why: str = "") -> None:
        self.reply = reply
        self.why = why


class Gone(Exception):
    """The client has closed the connection in the middle of a command."""


_REFUSAL: Final = re.compile(rb"^5(\d\d) 5\.")
"""How a refusal for good begins, with an enhanced status."""


class SessionState:
    """One client's session, as its commands see it."""

    __slots__ = (
        "authenticator",
        "bare_newline",
        "client",
        "clock",
        "counts",
        "deferrals",
        "denied",
        "discarded_keywords",
        "dns",
        "engine",
        "forwarded",
        "forwarded_source",
        "hosts",
        "is_excused",
        "is_judged",
        "keywords_fault",
        "last",
        "listings",
        "may_use_xclient",
        "may_use_xforward",
        "may_use_xverp",
        "objection",
        "octets",
        "pipelined",
        "policy",
        "queued",
        "rate",
        "records",
        "remarks",
        "resolver",
        "stands_alone",
        "submission",
        "take_time",
        "tell",
        "tls_context",
        "transaction",
        "transport",
        "trouble",
    )

    def __init__(
        self,
        transport: SmtpTransport,
        client: ClientFacts,
        *,
        policy: SmtpPolicy,
        submission: NewSubmission,
        resolver: Resolver,
        dns: DnsResolver,
        hosts: HostLookup,
        clock: Clock,
        tell: events.EventSink,
        queued: Queued,
        authenticator: Authenticator | None,
        tls_context: ssl.SSLContext | None,
        rate: ClientRate | None = None,
    ) -> None:
        self.transport = transport
        self.trouble: Trouble | None = None
        self.take_time: Callable[[float], Awaitable[None]] | None = None  # in_flow_delay
        self.client = client
        self.policy = policy
        self.submission = submission
        self.stands_alone = False  # smtpd -S
        self.resolver = resolver
        self.dns = dns
        self.hosts = hosts
        self.remarks: list[str] = []  # warnings that the log has behind the next refusal
        self.listings: dict[str, Listing] = {}  # what DNS lists have said
        self.objection = ""  # to the client's certificate: nothing is answered but that
        self.is_excused = False  # the refusal of this command is no error of the client's
        self.is_judged = False  # a message was complete, and was taken or not, but by no restriction
        self.denied = False  # refused at connect: nothing but QUIT is answered
        self.pipelined = False  # commands came ahead where they may not
        self.deferrals: dict[str, Reply] = {}  # defer_if_permit of lists that were asked before RCPT
        self.clock = clock
        self.tell = tell
        self.queued = queued
        self.authenticator = authenticator
        self.tls_context = tls_context
        server = policy.server
        self.may_use_xclient = server.smtpd_authorized_xclient_hosts.contains(client.address, client.name)
        self.may_use_xforward = server.smtpd_authorized_xforward_hosts.contains(client.address, client.name)
        self.forwarded: dict[bytes, bytes] = {}  # XFORWARD
        self.forwarded_source = b""  # its SOURCE: LOCAL or REMOTE
        self.rate = rate  # None: nobody is counted
        excluded = server.smtpd_forbid_bare_newline_exclusions.contains(client.address, client.name)
        self.bare_newline = BareNewline.NO if excluded else policy.bare_newline
        self.engine = _new_engine(policy, self.bare_newline)
        self.engine.ignored = policy.noop_commands
        if policy.command_filter:
            self.engine.line_filter = self._filtered
        self.discarded_keywords = DiscardedKeywords()
        self.keywords_fault = False  # nobody knows what to offer this client
        self.know_address()
        self.transaction: Transaction | None = None
        self.records = ClientRecords()
        self.counts = CommandCounts()
        self.last = "CONNECT"  # the command the client gave last, for the log
        self.octets = 0  # of content that have come of the message under way

    @property
    def queue_id(self) -> str:
        """The queue id of the message under way; empty before its first recipient."""
        return self.transaction.queue_id if self.transaction is not None else ""

    @property
    def origin(self) -> str:
        """`name[address]`, and the port if it is logged, of where a message came from first (XFORWARD)."""
        client, told = self.client, self.forwarded
        name = told.get(b"NAME", client.name.encode()).decode("utf-8", "replace")
        address = told.get(b"ADDR", client.address_text.encode()).decode("utf-8", "replace")
        if told.get(b"ADDR") == b"unknown":
            return name
        port = told.get(b"PORT", str(client.port or "unknown").encode()).decode("utf-8", "replace")
        return f"{name}[{address}]:{port}" if client.shows_port else f"{name}[{address}]"

    @property
    def filter(self) -> FilterSettings | None:
        """The filter that gets all mail before it is queued (smtpd_proxy_filter)."""
        return None if self.stands_alone else self.policy.proxy_filter

    @property
    def is_local(self) -> bool:
        """Whether headers are completed as for local_header_rewrite_clients, unless XFORWARD says.  LookupFault."""
        if self.forwarded_source:
            return self.forwarded_source == b"LOCAL"
        return self.policy.local_clients.holds(self.client, self.resolver.routes.own_addresses)

    def tell_begun(self, transaction: Transaction) -> None:
        """`ID: client=…` in the log."""
        client = self.client
        self.tell(
            events.MessageBegun(
                transaction.queue_id or "NOQUEUE",
                client.label,
                client.sasl_method,
                client.sasl_username,
                client.sasl_sender,
                self.forwarded.get(b"IDENT", b"").decode("utf-8", "replace"),
                self.origin if self.forwarded else "",
            )
        )

    @property
    def must_start_tls(self) -> bool:
        """smtpd_tls_security_level = encrypt, and the client has not."""
        return self.policy.tls_level == "encrypt" and not self.client.uses_tls

    @property
    def offers_requiretls(self) -> bool:
        """RFC 8689 §2: under TLS only."""
        policy = self.policy
        return (
            self.client.uses_tls
            and policy.requires_tls.requiretls_enable
            and "REQUIRETLS" not in self.discarded_keywords
        )

    def tell_engine(self) -> None:
        """Which commands and parameters have a place, as things stand: it changes with TLS and with XCLIENT."""
        policy, in_clear = self.policy, not self.client.uses_tls
        discarded = self.discarded_keywords.words
        self.engine.tls_required = self.must_start_tls
        self.engine.auth_enabled = (
            self.authenticator is not None
            and policy.sasl.smtpd_sasl_auth_enable
            and "AUTH" not in discarded
            and not self.must_start_tls
            and not (in_clear and policy.tls.smtpd_tls_auth_only)
        )
        self.engine.grammar = Grammar(
            strict=policy.server.strict_rfc821_envelopes,
            smtputf8=policy.server.smtputf8_enable and "SMTPUTF8" not in discarded,
            names_smtputf8=policy.server.smtputf8_enable,
            requiretls=self.offers_requiretls,  # RFC 8689 §2: only where EHLO offers it, under TLS
            dsn="DSN" not in discarded,
            chunking="CHUNKING" not in discarded,
            verp=policy.verp_delimiters if self.may_use_xverp else b"",
            verp_filter=policy.verp_filter,
        )

    def under_way(self) -> UnderWay:
        """Sender and first recipient of the message under way."""
        transaction = self.transaction
        return self.client.sender, transaction.first_recipient if transaction is not None else None

    def with_footer(self, reply: Reply, about: UnderWay | None = None) -> Reply:
        """A reply as the client gets it: with smtpd_reject_footer, about the message under way or one that is over.

        What is refused is no recipient: `$recipient` is the first that was taken.
        """
        footer, client = self.policy.footer, self.client
        if reply.is_positive or not footer:
            return reply
        sender, recipient = about or self.under_way()
        host = self.policy.identity.myhostname
        values = session_values(client, recipient, host=host, now=self.clock.now(), sender=sender)
        return footer.added(reply, values, warn=lambda text: self.tell(events.Warned(text)))

    def know_address(self) -> None:
        """What is offered to a client with this address."""
        policy = self.policy
        self.keywords_fault = False
        try:
            self.discarded_keywords = policy.keywords.of_peer(self.client.address_text, self.tell)
        except LookupFault:
            self.keywords_fault = True
        self.may_use_xverp = (
            "XVERP" not in self.discarded_keywords
            and policy.server.smtpd_authorized_verp_clients.contains(self.client.address, self.client.name)
        )
        self.tell_engine()

    def too_often(self, event: Event, what: bytes) -> Reply | None:
        """Count an event; the refusal if the client has had its share for now."""
        rate = self.rate
        if rate is None or not rate.has_limit(event) or self.policy.is_exempt_from_limits(self.client):
            return None
        if not (count := rate.exceeded(event)):
            return None
        self.tell(events.Warned(rate.warning(event, count, self.client.label)))
        return Reply(450, (b"4.7.1 Error: too %s from %s" % (what, self.client.address_text.encode()),))

    async def flush(self) -> None:
        """Send the replies that are waiting."""
        if self.send_replies():
            await self.transport.drain()

    def send_replies(self) -> bool:
        """The same without waiting; whether the client has more to take than it should."""
        if not (out := self.engine.data_to_send()):
            return False
        self.transport.send(out)
        return self.transport.is_full

    def question(self, stage: str, recipient: Address | None = None, *, standing: bool = True) -> Question:
        """A decision to be made now; what it decrees is noted for the message under way.

        `standing`: what was to be deferred at an earlier stage is to be deferred now.
        """
        transaction = self.transaction
        resolution, unresolved = None, None
        if recipient is not None:
            try:  # with the sender, on whom its route may depend
                resolution = self.resolver.resolve(recipient, self.client.sender)
            except LookupFault as fault:  # of which the client hears if a restriction wants to know
                self.tell_fault(fault)
                unresolved = fault
        return Question(
            client=self.client,
            resolver=self.resolver,
            dns=self.dns,
            hosts=self.hosts,
            codes=self.policy.codes,
            tell=lambda verb, text: self.tell_verdict(verb, stage, text, recipient),
            tell_warning=self.tell_warning,
            tell_note=self.tell_note,
            note_unlisted=self._note_unlisted,
            actions=transaction.actions if transaction is not None else Actions(),
            stage=stage,
            recipient=recipient,
            resolution=resolution,
            unresolved=unresolved,
            recipient_count=transaction.recipient_count if transaction is not None else 0,
            queue_id=self.queue_id,
            size=(transaction.mail.size or 0) if transaction is not None else 0,
            pipelined=self.pipelined,
            goes_through_filter=self.filter is not None,
            remarks=self.remarks,
            listings=self.listings,
            if_permitted=next(iter(self.deferrals.values())) if standing and self.deferrals else None,
        )

    def abort_transaction(self) -> None:
        """Forget the message under way."""
        if self.transaction is not None:
            self.transaction.abort()
            self.transaction = None
            self.octets = 0
        self.client.sender = None
        self.forwarded_source = b""
        if self.forwarded:  # XFORWARD_README: for one mail transaction
            self.forwarded = {}
            self.records = ClientRecords()

    def tell_warning(self, text: str) -> None:
        """`warning: …` in the log."""
        self.tell(events.Warned(text))

    def tell_note(self, text: str) -> None:
        """A line of the log that is none of the others."""
        self.tell(events.Noted(text))

    def tell_fault(self, fault: LookupFault) -> None:
        """The log knows of a table that cannot answer."""
        for line in fault.lines:
            self.tell(events.Warned(line, fault.program))
        fault.is_told = True

    def lookup_failed(self, fault: LookupFault, what: bytes) -> Reply:
        """A table that cannot answer: the client is to come again, the log knows why."""
        self.tell_fault(fault)
        return Reply(451, (b"4.3.0 <%s>: Temporary lookup failure" % (fault.about or what),))

    def out_of_order(self, stage: str) -> Goodbye:
        """A table that the session itself depends on cannot answer."""
        reply = Reply(421, (b"4.3.0 %s Server local data error" % self.policy.host,))
        self.tell(
            events.CommandRefused(
                self.queue_id, stage, self.client.label, reply.first_line, None, None, "", b""
            )
        )
        return Goodbye(reply)

    def _filtered(self, line: bytes) -> bytes:
        """smtpd_command_filter."""
        try:
            return self.policy.command_filter.replaced(line, client=self.client.label, tell=self.tell)
        except LookupFault:
            raise self.out_of_order(self.last) from None

    def write_failed(self, fault: QueueFileFault) -> Reply:
        """A queue file that cannot be written."""
        self.tell(events.Warned(str(fault)))
        if fault.full:
            forget_room()
            return Reply(452, (b"4.3.1 Insufficient system storage",))
        return Reply(451, (b"4.3.0 Error: queue file write error",))

    def softened(self, reply: Reply) -> Reply:
        """soft_bounce: a refusal for good becomes one for now."""
        if not self.policy.soft_bounce or not 500 <= reply.code < 600:
            return reply
        text = tuple(b"4" + line[1:] if _STATUS.match(line) else line for line in reply.text)
        return Reply(reply.code - 100, text)

    def _note_unlisted(self) -> None:
        if self.trouble is not None:
            self.trouble.next_class = "bounce"

    def tell_refusal(self, stage: str, reply: Reply, recipient: Address | None = None) -> None:
        """`reject: RCPT from …` in the log."""
        self.tell_verdict("reject", stage, self.softened(reply).first_line, recipient)
        for remark in self.remarks:
            self.tell(events.Warned(remark))
        self.remarks.clear()

    def tell_verdict(self, verb: str, stage: str, text: bytes, recipient: Address | None) -> None:
        """The same with another verb: reject_warning, hold, warn …"""
        client = self.client
        if verb == "reject" and self.trouble is not None:
            self.trouble.is_refusal = True
        if verb == "reject_warning" and self.policy.soft_bounce:  # as it would have been told
            text = _REFUSAL.sub(rb"4\1 4.", text)
        self.tell(
            events.CommandRefused(
                self.queue_id,
                stage,
                client.label,
                text,
                client.sender.external if client.sender is not None else None,
                recipient.external if recipient is not None else None,
                client.protocol,
                client.helo,
                verb,
            )
        )


def _new_engine(policy: SmtpPolicy, bare_newline: BareNewline) -> SmtpServer:
    server = policy.server
    return SmtpServer(
        policy.host,
        max_line=server.line_length_limit,
        max_response=policy.sasl.smtpd_sasl_response_limit,
        max_message=policy.rules.message_size_limit,
        helo_required=server.smtpd_helo_required,
        bare_newline=bare_newline,
    )
