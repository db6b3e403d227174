"""New messages for addresses that aliases and .forward files lead to.

DESCRIPTION
    A forwarded message is queued like one that has just come: virtual aliases are applied, the message gets a
    Received: header, the Delivered-To: of the recipient that it was for, and a fresh time of arrival.  What is
    known of the client that sent the original goes along.

FAULTS
    ForwardFault  it could not be queued: the recipient waits, or is returned if it never can be
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from pillarbox.delivery.local.message_copy import content_of
from pillarbox.delivery.local.recipient_state import State
from pillarbox.delivery.request import DeliverRecipients
from pillarbox.observability.events import EventSink, MessageIdSeen, Warned
from pillarbox.queue.incoming import IncomingQueue, QueueFileFault
from pillarbox.queue.mail_date import mail_date
from pillarbox.queue.new_queue_file import NewEnvelope, NewRecipient
from pillarbox.queue.records import CorruptQueueFile
from pillarbox.queue.submission import MessageTooBig, Rules, Submission, TooManyHops
from pillarbox.queue.submission_protocol import CleanupStatus
from pillarbox.routing.address_maps import ExpansionFault
from pillarbox.routing.mappings import Mappings
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import Address
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

    def __init__(self, reason: str, *, refusal: tuple[str, str] | None = None) -> None:
        """`refusal`: status and text of what is wrong with the message; another time, it would be, too."""
        super().__init__(reason)
        self.refusal = refusal


class Forwarder(Protocol):
    """Queues messages for other addresses."""

    async def forward(
        self,
        request: DeliverRecipients,
        descriptor: int,
        *,
        sender: bytes,
        delivered: bytes,
        states: Sequence[State],
    ) -> QueueId:
        """Queue the message of `descriptor` for the addresses of `states`."""
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
        clock: Clock,
        queued: Callable[[QueueId], None],
        tell: EventSink,
    ) -> None:
        """`queued` is told of each new message."""
        self._queue = queue
        self._rules = rules
        self._mappings = mappings
        self._mail_name = mail_name
        self._delivered_header = delivered_header
        self._clock = clock
        self._queued = queued
        self._tell = tell

    async def forward(
        self,
        request: DeliverRecipients,
        descriptor: int,
        *,
        sender: bytes,
        delivered: bytes,
        states: Sequence[State],
    ) -> QueueId:
        """Queue it."""

        def warn(text: str) -> None:
            self._tell(Warned(f"{request.queue_id}: {text}"))

        try:
            content = content_of(descriptor, request.data_offset)
            source = self._mappings.sender(Address.from_internal(sender), warn=warn)
            recipients = self._mappings.recipients(
                map(_given, states), sender=source, warn=warn, copies=False
            )
            submission = Submission(self._queue, self._rules)
        except (OSError, CorruptQueueFile, LookupFault, ExpansionFault, QueueFileFault) as fault:
            raise ForwardFault(f"{request.queue_id}: cannot forward: {fault}") from fault
        now = self._clock.now()
        attributes = request.attributes
        context = attributes.get(b"rewrite_context", b"local")
        mappings = self._mappings
        is_list = any(state.owner_alias for state in states)
        try:
            submission.begin(
                NewEnvelope(
                    arrival_time=now,
                    sender=source.internal,
                    recipients=recipients,
                    attributes=[
                        (b"log_ident", submission.queue_id.encode()),
                        (b"rewrite_context", context),
                        (b"envelope_id", b"" if is_list else attributes.get(b"envelope_id", b"")),
                        (b"ret_flags", b"" if is_list else attributes.get(b"ret_flags", b"")),
                        *((name, attributes.get(name, b"")) for name in _CLIENT_ATTRIBUTES),
                    ],
                    encoding=attributes.get(b"encoding", b""),
                    warn_after=self._rules.delay_warning_time,
                ),
                trace=self._trace(submission.queue_id, delivered, now),
                add_missing=False,
                rewrite=mappings.headers(mappings.rewriting, warn=warn) if context == b"local" else None,
                send_options=request.send_options,
                source="forward",
            )
            await submission.feed(content.replace(b"\n", b"\r\n"))
            queue_id = await submission.commit()
        except (MessageTooBig, TooManyHops, QueueFileFault, LookupFault, ExpansionFault) as fault:
            submission.abort()
            reason, refusal = _told(fault)
            raise ForwardFault(f"{submission.queue_id}: {reason}", refusal=refusal) from fault
        except BaseException:
            submission.abort()
            raise
        for found, resent in submission.message_ids:
            self._tell(MessageIdSeen(queue_id, found, resent))
        self._queued(queue_id)
        return queue_id

    def _trace(self, queue_id: QueueId, delivered: bytes, now: float) -> list[bytes]:
        lines = [
            b"Received: by %s (%s)" % (self._rules.myhostname, self._mail_name),
            b"\tid %s; %s" % (queue_id.encode(), mail_date(now)),
        ]
        if self._delivered_header:
            lines.append(b"Delivered-To: %s" % Address.from_internal(delivered).external.lower())
        return lines


def _told(fault: Exception) -> tuple[str, tuple[str, str] | None]:
    """What the log has of it, in the words of cleanup(8), and what is wrong with the message if it is that."""
    if isinstance(fault, TooManyHops):
        return "message rejected: hopcount exceeded", ("5.4.0", CleanupStatus.HOPS.text)
    if isinstance(fault, MessageTooBig):
        return "queue file size limit exceeded", ("5.3.4", CleanupStatus.SIZE.text)
    return fault.reason if isinstance(fault, LookupFault) else str(fault), None


def _given(state: State) -> NewRecipient:
    return NewRecipient(
        state.address,
        state.original or state.address,
        without_success(Notify(state.notify)),
        state.dsn_original,
    )
