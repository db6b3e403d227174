"""One mail transaction: from MAIL to the reply after the content.

DESCRIPTION
    Collects sender and recipients, expands virtual aliases as cleanup(8) does, and hands the content to a
    `Submission`.  The queue file, and so the queue id, exists from the first accepted recipient on.
"""

from collections.abc import Callable, Sequence
from typing import Final

from pillarbox.access.client import ClientFacts
from pillarbox.access.question import Actions
from pillarbox.filters.content_checks import Inspector
from pillarbox.queue.incoming import QueueFileFault
from pillarbox.queue.new_queue_file import NewEnvelope, NewRecipient
from pillarbox.queue.queue_file import SEND_REQUIRES_TLS, SEND_SMTPUTF8, SEND_UTF8_SENDER
from pillarbox.queue.submission import MessageTooBig, Rules, Submission, TooLate
from pillarbox.routing.address_maps import ExpansionFault
from pillarbox.routing.resolution import Resolver
from pillarbox.sessions.smtp.before_queue_filter import FilterFault, MessageFilter
from pillarbox.sessions.smtp.policy import SmtpPolicy
from pillarbox.sessions.smtp.trace import protocol_name, received_header
from pillarbox.tables.table import LookupFault, Warn, ignore_warning
from pillarbox.vocabulary.address import NULL_ADDRESS, Address
from pillarbox.vocabulary.envelope import Notify, Ret
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import MailFrom, RcptTo

NewSubmission = Callable[[Rules], Submission]
"""The beginning of a message's way into the queue.  QueueFileFault."""

_ENCODINGS: Final = {True: b"8bit", False: b"7bit", None: b""}


class Transaction:
    """A message that a client is giving us."""

    __slots__ = (
        "_copies",
        "_decreed",
        "_new_submission",
        "_policy",
        "_recipients",
        "_resolver",
        "_sender",
        "_warn",
        "actions",
        "begun",
        "fault",
        "filter",
        "inspector",
        "is_thrown_away",
        "is_told",
        "mail",
        "mail_line",
        "overshoot",
        "refusal",
        "refuses_at_end",
        "submission",
        "unread",
    )

    def __init__(
        self, mail: MailFrom, *, policy: SmtpPolicy, submission: NewSubmission, resolver: Resolver
    ) -> None:
        self.mail = mail
        self.submission: Submission | None = None
        self.refusal: Reply | None = None  # of the envelope, found when the first chunk came
        self.refuses_at_end = False  # not before the last chunk
        self.unread = 0  # octets of content that came after a refusal
        self.inspector: Inspector | None = None  # header_checks and body_checks, if there are any
        self.overshoot = 0  # recipients beyond smtpd_recipient_limit
        self._copies: tuple[bytes, ...] = ()  # that header and body checks decree
        self._decreed: tuple[tuple[bytes, ...], ...] = ((), ())  # copies that have been written
        self.fault: Exception | None = None  # what went wrong with the content, told after its end
        self.actions = Actions()
        self._policy = policy
        self._new_submission = submission
        self._resolver = resolver
        self._recipients: list[RcptTo] = []
        self._sender = NULL_ADDRESS  # as it is queued
        self._warn: Warn = ignore_warning
        self.begun = False
        self.filter: MessageFilter | None = None  # what it goes through in place of our queue
        self.mail_line = b""  # MAIL as the client has said it, for the filter
        self.is_told = False  # the log knows what became of it
        self.is_thrown_away = False  # before its content came: nobody looks at that

    @property
    def queue_id(self) -> str:
        """The queue id; empty before the first recipient."""
        return self.submission.queue_id if self.submission is not None else ""

    @property
    def recipient_count(self) -> int:
        """Accepted recipients."""
        return len(self._recipients)

    @property
    def only_recipient(self) -> Address | None:
        """The recipient, if there is one only: DATA and what follows is about all of them."""
        return self._recipients[0].recipient if len(self._recipients) == 1 else None

    @property
    def first_recipient(self) -> Address | None:
        """The recipient that was accepted first."""
        return self._recipients[0].recipient if self._recipients else None

    @property
    def last_recipient(self) -> bytes:
        """The recipient that came last, mapped but not expanded, as log lines of content checks have it."""
        if not self._recipients:
            return b""
        policy, last = self._policy, self._recipients[-1].recipient
        mapped = policy.mappings.recipient(last, warn=ignore_warning, mapped=policy.receive.address_mappings)
        return mapped.external

    @property
    def queued_sender(self) -> bytes:
        """The sender as it is queued, once there is content."""
        return self._sender.external

    @property
    def size(self) -> int:
        """Octets of content so far."""
        if self.filter is not None:
            return self.filter.size
        return self.submission.size if self.submission is not None else 0

    def add_recipient(self, recipient: RcptTo) -> bool:
        """Take a recipient; whether it is the first.  QueueFileFault if there is no file to be had."""
        first = self.open()
        self._recipients.append(recipient)
        return first

    def note_recipient(self, recipient: RcptTo) -> None:
        """A recipient that the filter has taken."""
        self._recipients.append(recipient)

    def open(self) -> bool:
        """Have a queue file; whether there was none.  QueueFileFault if there is none to be had."""
        if self.submission is not None:
            return False
        self.submission = self._new_submission(self._policy.rules)
        return True

    def begin(
        self,
        client: ClientFacts,
        *,
        is_local: bool,
        now: float,
        client_records: bytes,
        tls: Sequence[str],
        warn: Warn,
    ) -> None:
        """The envelope is complete; `is_local`: the header is completed as a local client's.

        ExpansionFault, LookupFault if its aliases cannot be expanded.
        """
        submission = self.submission
        if submission is None or self.begun:
            return
        policy = self._policy
        rewriting = policy.rewriting if is_local else policy.remote_rewriting
        trace = self._trace(client, now=now, tls=tls)
        mappings, self._warn = policy.mappings, warn
        is_mapped = policy.receive.address_mappings
        self._sender = mappings.sender(self.mail.sender, warn=warn, mapped=is_mapped)
        if self.inspector is not None:
            trace = self.inspector.trace(trace)
        submission.content_filter = self.actions.filter or policy.receive.content_filter
        self.actions.filter = b""  # from here on, who speaks later is right
        submission.begin(
            NewEnvelope(
                arrival_time=now,
                sender=self._sender.internal,
                recipients=self._expanded(),
                attributes=self._first_attributes(client, "local" if is_local else "remote"),
                encoding=_ENCODINGS[self.mail.eight_bit],
                client_records=client_records,
                warn_after=policy.rules.delay_warning_time,
                verp=self.mail.verp,
            ),
            trace=trace,
            add_missing=rewriting is not None or policy.always_add_missing_headers,
            rewrite=mappings.headers(rewriting, warn=warn, mapped=is_mapped)
            if rewriting is not None
            else None,
            send_options=self._send_options(),
            source="smtpd",
        )
        self.begun = True

    async def begin_filtered(
        self, client: ClientFacts, *, now: float, tls: Sequence[str], is_forwarded: bool
    ) -> None:
        """The filter waits for the content.  With `is_forwarded` it is somebody else's, whose trace it has."""
        if self.filter is None or self.begun:
            return
        self.begun = True
        trace = list(self.actions.prepend) if is_forwarded else self._trace(client, now=now, tls=tls)
        try:
            await self.filter.trace(trace)
        except FilterFault as fault:
            self.fault = fault

    def _trace(self, client: ClientFacts, *, now: float, tls: Sequence[str]) -> list[bytes]:
        """What stands in front of the message: headers that rules have prepended, and our own."""
        policy, only = self._policy, self.only_recipient
        return self.actions.prepend + received_header(
            client,
            host=policy.host,
            mail_name=policy.identity.mail_name.encode(),
            queue_id=self.queue_id,
            recipient=only.external if only is not None else None,
            now=now,
            protocol=protocol_name(client, smtputf8=self.mail.smtputf8),
            hidden=policy.server.smtpd_hide_client_session,
            authenticated=policy.sasl.smtpd_sasl_authenticated_header,
            tls=tls if policy.tls.smtpd_tls_received_header else (),
        )

    async def feed(self, content: bytes) -> None:
        """Content; what goes wrong is kept in `fault`, and the rest of the content is let pass."""
        if self.filter is not None and self.fault is None:
            try:
                await self.filter.feed(content)
            except (MessageTooBig, FilterFault) as fault:
                self.fault = fault
            return
        if self.fault is not None or self.submission is None:
            return
        if self.inspector is not None:
            content = self.inspector.feed(content)
            self._take_verdict(self.inspector)
        await self._pass_on(self.submission, content)

    async def finish(self) -> None:
        """The content is complete."""
        if self.inspector is not None and self.submission is not None and self.fault is None:
            rest = self.inspector.finish()
            self._take_verdict(self.inspector)
            await self._pass_on(self.submission, rest)

    async def _pass_on(self, submission: Submission, content: bytes) -> None:
        try:
            await submission.feed(content)
        except (MessageTooBig, QueueFileFault, LookupFault, ExpansionFault) as fault:
            self.fault = fault

    def _take_verdict(self, inspector: Inspector) -> None:
        """What header and body checks decree is done like what access tables do."""
        actions = self.actions
        actions.hold |= inspector.hold
        actions.discard |= inspector.discard
        if inspector.filter and self.submission is not None:
            self.submission.content_filter = inspector.filter
        actions.redirect = inspector.redirect or actions.redirect
        if len(inspector.bcc) == len(self._copies):
            return
        self._copies = tuple(inspector.bcc)
        inspector.refusal = self.write_recipients_anew() or inspector.refusal

    def write_recipients_anew(self) -> Reply | None:
        """BCC that came after the envelope was written; the refusal of a message too long for that.

        LookupFault, ExpansionFault if the new recipients cannot be expanded.
        """
        if self.submission is None or not self.begun or self._decreed == self._all_copies():
            return None
        try:
            self.submission.replace_recipients(self._expanded())
        except TooLate:
            return Reply(451, (b"4.3.0 Error: queue file write error",))
        return None

    def abort(self) -> None:
        """Forget the message."""
        self._warn = ignore_warning  # who warned knows this transaction: no cycle is left for the collector
        if self.submission is not None:
            self.submission.abort()
            self.submission = None
        if self.filter is not None:
            self.filter.close()
            self.filter = None

    def _expanded(self) -> list[NewRecipient]:
        """Recipients as they are queued: mapped, with the copies that tables and checks ask for."""
        self._decreed = self._all_copies()
        given = [
            NewRecipient(internal, internal, rcpt.notify, self._dsn_original(rcpt))
            for rcpt, internal in [(rcpt, rcpt.recipient.internal) for rcpt in self._recipients]
        ]
        given += [NewRecipient(copy, copy, Notify.NEVER) for copy in self.actions.bcc]
        is_mapped = self._policy.receive.address_mappings
        return self._policy.mappings.recipients(
            given,
            sender=self._sender,
            warn=self._warn,
            copies=is_mapped,
            decreed=self._copies,
            mapped=is_mapped,
        )

    def _all_copies(self) -> tuple[tuple[bytes, ...], ...]:
        return tuple(self.actions.bcc), self._copies

    def _send_options(self) -> int:
        options = SEND_SMTPUTF8 if self.mail.smtputf8 else 0
        if self.mail.requires_tls:
            options |= SEND_REQUIRES_TLS
        return options if self.mail.sender.is_ascii else options | SEND_UTF8_SENDER

    def _first_attributes(self, client: ClientFacts, context: str) -> list[tuple[bytes, bytes]]:
        mail = self.mail
        attributes = [(b"log_ident", self.queue_id.encode()), (b"rewrite_context", context.encode())]
        if client.sasl_method or client.sasl_username or client.sasl_sender:
            attributes += [
                (b"sasl_method", client.sasl_method.encode()),
                (b"sasl_username", client.sasl_username.encode("utf-8", "surrogateescape")),
                (b"sasl_sender", client.sasl_sender.encode()),
            ]
        if mail.envelope_id:
            attributes.append((b"envelope_id", mail.envelope_id))
        if mail.ret is not Ret.DEFAULT:
            attributes.append((b"ret_flags", b"%d" % mail.ret))
        return attributes

    def _dsn_original(self, rcpt: RcptTo) -> bytes:
        """ORCPT as the client gave it, or the address that it gave (RFC 3461 §5.2.1, RFC 6533 §3)."""
        if rcpt.dsn_original:
            return rcpt.dsn_original
        return (b"utf-8;" if self.mail.smtputf8 and not rcpt.text.isascii() else b"rfc822;") + rcpt.text
