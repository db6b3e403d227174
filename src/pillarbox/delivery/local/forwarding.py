"""New messages for addresses that aliases and .forward files lead to.

DESCRIPTION
    A forwarded message is queued like one that has just come: virtual aliases are applied, the message gets a
    Received: header, the Delivered-To: of the recipient that it was for, and a fresh time of arrival.  What is
    known of the client that sent the original goes along.

    One that can never be queued, because it is too big or goes in circles, is returned to its sender at once.

FAULTS
    ForwardFault  it could not be queued: the recipient waits
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from pillarbox.bounce.submission import Notifier
from pillarbox.bounce.unqueued import HOPCOUNT_EXCEEDED, refusal_of, return_unqueued
from pillarbox.delivery.local.message_copy import content_of
from pillarbox.delivery.request import DeliverRecipients, Forwarding, JobRecipient
from pillarbox.message.address_rewriting import HeaderRewriting
from pillarbox.observability.events import EventSink, MessageIdSeen, Warned
from pillarbox.queue.incoming import IncomingQueue, QueueFileFault
from pillarbox.queue.mail_date import mail_date
from pillarbox.queue.new_queue_file import NewEnvelope, NewRecipient, encode_end
from pillarbox.queue.queue_file import QueueMessage
from pillarbox.queue.records import BytesSource, ContentEncoder, CorruptQueueFile
from pillarbox.queue.submission import MessageTooBig, Rules, Submission, TooManyHops
from pillarbox.routing.address_maps import ExpansionFault
from pillarbox.routing.mappings import Mappings
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import NULL_ADDRESS, Address
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.envelope import Notify, without_success
from pillarbox.vocabulary.identifiers import QueueId

_CLIENT_ATTRIBUTES = (
    b"log_client_name",
    b"log_client_address",
    b"log_client_port",
    b"log_message_origin",
    b"log_protocol_name",
    b"log_helo_name",
    b"sasl_method",
    b"sasl_username",
    b"sasl_sender",
)


class ForwardFault(Exception):
    """The message was not queued; `str()` is for the log."""


class Forwarder(Protocol):
    """Queues messages for other addresses."""

    async def forward(self, request: DeliverRecipients, descriptor: int, forwarding: Forwarding) -> QueueId:
        """Queue the message of `descriptor` for other addresses."""
        ...


class QueueForwarder:
    """By a message in incoming."""

    def __init__(
        self,
        queue: IncomingQueue,
        *,
        rules: Rules,
        mappings: Mappings,
        mail_name: bytes,
        delivered_header: bool,
        notifier: Notifier,
        clock: Clock,
        queued: Callable[[QueueId], None],
        tell: EventSink,
    ) -> None:
        """`queued` is told of each new message; `notifier` reports on one that cannot be queued."""
        self._queue = queue
        self._rules = rules
        self._mappings = mappings
        self._mail_name = mail_name
        self._delivered_header = delivered_header
        self._notifier = notifier
        self._clock = clock
        self._queued = queued
        self._tell = tell

    async def forward(self, request: DeliverRecipients, descriptor: int, forwarding: Forwarding) -> QueueId:
        """Queue it."""

        def warn(text: str) -> None:
            self._tell(Warned(f"{request.queue_id}: {text}"))

        try:
            content = content_of(descriptor, request.data_offset)
            source = self._sender(forwarding.sender, warn)
            recipients = self._mappings.recipients(
                map(_given, forwarding.recipients), sender=source, warn=warn, copies=False
            )
            submission = Submission(self._queue, self._rules)
        except (OSError, CorruptQueueFile, LookupFault, ExpansionFault, QueueFileFault) as fault:
            raise ForwardFault(f"{request.queue_id}: cannot forward: {fault}") from fault
        now = self._clock.now()
        envelope = NewEnvelope(
            arrival_time=now,
            sender=source.internal,
            recipients=recipients,
            attributes=_attributes(request, submission.queue_id, is_list=forwarding.is_list),
            encoding=request.attributes.get(b"encoding", b""),
            warn_after=self._rules.delay_warning_time,
        )
        trace = self._trace(submission.queue_id, forwarding.delivered, now)
        content = content.replace(b"\n", b"\r\n")
        try:
            submission.begin(
                envelope,
                trace=trace,
                add_missing=False,
                rewrite=self._rewrite(request, warn),
                send_options=request.send_options,
                source="forward",
            )
            await submission.feed(content)
            queue_id = await submission.commit()
        except (MessageTooBig, TooManyHops) as fault:
            submission.end_header()
            message = _message(envelope, submission, len(content))
            submission.abort()
            await self._return(
                submission, message, recipients, b"\r\n".join((*trace, content)), refusal_of(fault)
            )
            return submission.queue_id
        except (QueueFileFault, LookupFault, ExpansionFault) as fault:
            submission.abort()
            reason = fault.reason if isinstance(fault, LookupFault) else str(fault)
            raise ForwardFault(f"{submission.queue_id}: {reason}") from fault
        except BaseException:
            submission.abort()
            raise
        self._tell_ids(submission)
        self._queued(queue_id)
        return queue_id

    def _rewrite(self, request: DeliverRecipients, warn: Callable[[str], None]) -> HeaderRewriting | None:
        """How addresses in the header are brought to their standard form; None for mail of clients elsewhere."""
        mappings = self._mappings
        is_local = request.attributes.get(b"rewrite_context", b"local") == b"local"
        return mappings.headers(mappings.rewriting, warn=warn) if is_local else None

    def _sender(self, given: bytes, warn: Callable[[str], None]) -> Address:
        """Nobody remains nobody, whatever a table has for `""`: a notice would be reported on otherwise."""
        return self._mappings.sender(Address.from_internal(given), warn=warn) if given else NULL_ADDRESS

    async def _return(
        self,
        submission: Submission,
        message: QueueMessage,
        recipients: Sequence[NewRecipient],
        content: bytes,
        refusal: tuple[str, str],
    ) -> None:
        """To its sender.  ForwardFault if the notice cannot be queued."""
        queue_id = submission.queue_id
        self._tell_ids(submission)
        if submission.has_too_many_hops:
            self._tell(Warned(f"{queue_id}: {HOPCOUNT_EXCEEDED}", "cleanup"))
        encoder = ContentEncoder()
        source = BytesSource(encoder.feed(content) + encoder.finish() + encode_end())
        try:
            notices = await return_unqueued(
                self._notifier, queue_id, message, recipients, source, refusal=refusal, tell=self._tell
            )
        except QueueFileFault as fault:
            raise ForwardFault(f"{queue_id}: cannot queue a notification: {fault}") from fault
        for notice in notices:
            self._queued(notice)

    def _tell_ids(self, submission: Submission) -> None:
        for found, resent in submission.message_ids:
            self._tell(MessageIdSeen(submission.queue_id, found, resent))

    def _trace(self, queue_id: QueueId, delivered: bytes, now: float) -> list[bytes]:
        lines = [
            b"Received: by %s (%s)" % (self._rules.myhostname, self._mail_name),
            b"\tid %s; %s" % (queue_id.encode(), mail_date(now)),
        ]
        if self._delivered_header:
            lines.append(b"Delivered-To: %s" % Address.from_internal(delivered).external.lower())
        return lines


def _message(envelope: NewEnvelope, submission: Submission, size: int) -> QueueMessage:
    """What a notice has to know of it; the content begins where its source does."""
    attributes = dict(envelope.attributes)
    attributes[b"encoding"] = envelope.encoding
    if submission.message_id:
        attributes[b"message_id"] = submission.message_id
    return QueueMessage(
        sender=envelope.sender,
        arrival_time=envelope.arrival_time,
        content_size=size,
        send_options=submission.send_options | submission.utf8_options(),
        attributes=attributes,
    )


def _given(recipient: JobRecipient) -> NewRecipient:
    return NewRecipient(
        recipient.address,
        recipient.original or recipient.address,
        without_success(Notify(recipient.notify)),
        recipient.dsn_original,
    )


def _attributes(request: DeliverRecipients, queue_id: QueueId, *, is_list: bool) -> list[tuple[bytes, bytes]]:
    """The new message's; a list's members are told nothing of what the sender asked for."""
    given = request.attributes
    return [
        (b"log_ident", queue_id.encode()),
        (b"rewrite_context", given.get(b"rewrite_context", b"local")),
        (b"envelope_id", b"" if is_list else given.get(b"envelope_id", b"")),
        (b"ret_flags", b"" if is_list else given.get(b"ret_flags", b"")),
        *((name, given.get(name, b"")) for name in _CLIENT_ATTRIBUTES),
    ]
