"""Queues the notices that mail gives rise to.

DESCRIPTION
    `report()` is called when recipients of a message failed, are late, or got it and the sender wanted to know,
    before the queue file is changed: the notice survives a crash first.

    The null sender is never answered (RFC 5321 §6.1): what cannot be delivered then is postmaster's, if
    notify_classes has `2bounce` or `bounce`.  Postmaster also gets the headers of other bounces and delays, if
    the classes `bounce` and `delay` are there.  What the null sender would hear of success is postmaster's with
    `2bounce` alone.
    Notices to postmaster come from double_bounce_sender; one that cannot be delivered ends.

    Of a failure or a delay, a recipient with NOTIFY=NEVER, or without the word for what happened, is not reported
    (RFC 3461 §4.1).  What a trace has is all reported: it was put there because somebody wants to hear of it.

FAULTS
    QueueFileFault  a notice cannot be queued: the caller tries the message again later
    NotMapped       a kind of that, of which the log has been told
"""

import errno
import itertools
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from pillarbox.bounce.notification import Kind, Original, Style, compose
from pillarbox.bounce.postmaster_sender import PostmasterSender
from pillarbox.bounce.templates import Template
from pillarbox.message.header_fields import first_value
from pillarbox.observability.events import EventSink, MessageIdSeen, Noted, Warned
from pillarbox.queue.content_lines import read_content
from pillarbox.queue.incoming import IncomingQueue, QueueFileFault
from pillarbox.queue.mail_date import mail_date
from pillarbox.queue.new_queue_file import NewEnvelope, NewRecipient
from pillarbox.queue.queue_file import SEND_REQUIRES_TLS, SEND_SMTPUTF8, SEND_TLS_OPTIONAL, QueueMessage
from pillarbox.queue.recipient_log import LogEntry
from pillarbox.queue.records import Source
from pillarbox.queue.submission import Rules, Submission
from pillarbox.queue.verp import verp_sender
from pillarbox.routing.address_maps import ExpansionFault, MapFault
from pillarbox.routing.mappings import Mappings
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import NULL_ADDRESS, Address
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.envelope import Notify, Ret
from pillarbox.vocabulary.identifiers import QueueId

_WANTED: Final[Mapping[Kind, Notify]] = {"failure": Notify.FAILURE, "delay": Notify.DELAY}
_WORDS: Final[dict[Kind, str]] = {
    "failure": "non-delivery notification",
    "delay": "delay notification",
    "success": "delivery status notification",
    "verify": "delivery status notification",
}


class NotMapped(QueueFileFault):
    """The addresses of a notice cannot be mapped; the log knows why."""

    def __init__(self) -> None:
        super().__init__(OSError(errno.EAGAIN, "addresses cannot be mapped"))


class BounceRules(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf says of notices."""

    style: Style
    templates: Mapping[str, Template]
    size_limit: int  # bounce_size_limit, octets of returned content
    classes: frozenset[str]  # notify_classes
    postmasters: Mapping[str, tuple[bytes, bytes]]  # by class: who gets the copies, complete and as written
    double_bounce: bytes  # complete address
    queue_lifetime: float  # seconds
    utf8: bool = True  # smtputf8_enable
    threaded: bool = False  # enable_threaded_bounces
    redacts: bool = True  # requiretls_redact_dsn


class Notice(msgspec.Struct, frozen=True):
    """A notice that was queued."""

    queue_id: QueueId
    what: str  # `sender non-delivery notification`


class Notifier:
    """Composes and queues notices."""

    def __init__(
        self,
        queue: IncomingQueue,
        *,
        rules: BounceRules,
        submission: Rules,
        mappings: Mappings,
        clock: Clock,
        tell: EventSink,
    ) -> None:
        """`mappings` are those of mail from the system itself: nobody gets copies."""
        self._queue = queue
        self._mappings = mappings
        self._postmaster_sender = PostmasterSender(rules.double_bounce, mappings)
        self._tell = tell
        self._rules = rules
        self._submission = msgspec.structs.replace(submission, message_size_limit=0, hopcount_limit=1 << 30)
        self._clock = clock

    async def report(
        self,
        kind: Kind,
        queue_id: QueueId,
        message: QueueMessage,
        entries: Sequence[LogEntry],
        source: Source,
        *,
        verp: bytes = b"",
    ) -> list[Notice]:
        """Tell who is to be told; the notices.  `verp`: each recipient has one, to an address of its own."""
        if not self._rules.utf8:
            entries = [_in_ascii(entry) for entry in entries]
        told = [entry for entry in entries if _is_wanted(kind, entry.notify)]
        is_double = self._postmaster_sender.is_it(message.sender)
        is_trace = kind in ("success", "verify")
        if is_trace and (is_double or (not message.sender and "2bounce" not in self._rules.classes)):
            # As bounce(8): whether or not anything was delivered.
            bounce = "double-bounce" if is_double else "single-bounce"
            self._tell(
                Noted(f"{queue_id}: not sending trace/success notification for {bounce} message", "bounce")
            )
            return []
        if is_trace:
            entries = told
        if not entries:
            return []
        notices: list[Notice] = []
        if message.sender and told and not is_double:
            sender = message.sender if self._rules.utf8 else _ascii(message.sender)
            for address, some in _by_address(sender, told, verp):
                notice = await self._queue_notice(
                    kind, queue_id, message, some, source, recipient=Address.from_internal(address)
                )
                notices.append(Notice(notice, f"sender {_WORDS[kind]}"))
        elif is_double:
            self._tell(Warned(f"{queue_id}: undeliverable postmaster notification discarded", "bounce"))
        copy = "2bounce" if is_trace and not message.sender else self._copy_class(kind, message.sender)
        if copy and not is_double:
            complete, written = self._rules.postmasters[copy]
            # Whatever the sender has asked for; with VERP a copy of each notice, as from bounce(8).
            for some in [[entry] for entry in entries] if verp else [entries]:
                notice = await self._queue_notice(
                    kind,
                    queue_id,
                    message,
                    some,
                    source,
                    recipient=Address.from_internal(complete),
                    written=written,
                    for_postmaster=True,
                    introduced=is_trace,
                    full=copy == "2bounce",
                    heeds_ret=copy != "2bounce",
                )
                notices.append(Notice(notice, f"{'sender' if is_trace else 'postmaster'} {_WORDS[kind]}"))
        return notices

    async def tell_postmaster(
        self,
        subject: str,
        introduction: Sequence[str],
        transcript: Sequence[bytes],
        closing: Sequence[str] = (),
        *,
        kind: str = "error",
    ) -> QueueId:
        """A notice about a session; its queue id.  `kind` is the class of its recipient.  QueueFileFault."""
        complete, written = self._rules.postmasters[kind]
        style = self._rules.style
        if not self._rules.utf8:
            transcript = [_ascii(line) for line in transcript]
        text = [*introduction, *_wrapped(transcript), *closing]
        daemon = b"MAILER-DAEMON@" + style.host
        template = b"From: %s (Mail Delivery System)\r\nTo: %s (Postmaster)\r\n"
        if not style.names_in_comments:
            template = b"From: Mail Delivery System <%s>\r\nTo: Postmaster <%s>\r\n"
        content = b"".join(
            (
                template % (daemon, self._rules.postmasters["error"][0]),  # whoever gets it
                b"Subject: %s\r\n\r\n" % subject.encode(),
                *(line.encode("utf-8", "replace") + b"\r\n" for line in text),
            )
        )
        return await self._submit(
            Address.from_internal(complete),
            written,
            for_postmaster=True,
            send_options=0,
            content=lambda _own_id, _now: content,
        )

    def _copy_class(self, kind: Kind, sender: bytes) -> str:
        """The class of notices by which postmaster hears of it; empty: not at all."""
        if kind == "failure" and not sender:
            return "2bounce" if self._tells_of_double else ""
        wanted = {"failure": "bounce", "delay": "delay"}.get(kind, "")
        return wanted if wanted in self._rules.classes else ""

    @property
    def _tells_of_double(self) -> bool:
        """Either class asks for mail that can neither be delivered nor returned, as with bounce(8)."""
        return not self._rules.classes.isdisjoint(("bounce", "2bounce"))

    async def _queue_notice(
        self,
        kind: Kind,
        queue_id: QueueId,
        message: QueueMessage,
        entries: Sequence[LogEntry],
        source: Source,
        *,
        recipient: Address,
        written: bytes = b"",
        for_postmaster: bool = False,
        introduced: bool = False,
        full: bool = True,
        heeds_ret: bool = True,
    ) -> QueueId:
        """`introduced`: postmaster gets what a sender gets; `heeds_ret`: RET=HDRS counts.  QueueFileFault."""
        rules = self._rules
        full = full and kind == "failure"
        if heeds_ret and message.attributes.get(b"ret_flags") == b"%d" % Ret.HEADERS:
            full = False
        original = self._original(kind, queue_id, message, source, full=full, now=self._clock.now())

        def content(own_id: QueueId, now: float) -> bytes:
            return compose(
                kind,
                original,
                entries,
                template=rules.templates[kind],
                style=rules.style,
                recipient=recipient.external,
                for_postmaster=for_postmaster and not introduced,
                queue_id=own_id,
                now=now,
                warn=lambda text: self._tell(Warned(text, "bounce")),
            )

        return await self._submit(
            recipient,
            written,
            for_postmaster=for_postmaster,
            send_options=message.send_options & (SEND_SMTPUTF8 | (0 if rules.redacts else SEND_REQUIRES_TLS)),
            content=content,
            fields=_tls_required(message),
        )

    async def _submit(
        self,
        recipient: Address,
        written: bytes,
        *,
        for_postmaster: bool,
        send_options: int,
        content: Callable[[QueueId, float], bytes],
        fields: bytes = b"",
    ) -> QueueId:
        """Queue a message of the mail system's own; `fields` come before its header.  QueueFileFault."""
        now = self._clock.now()
        rules = self._rules
        submission = Submission(self._queue, self._submission)
        try:
            own_id = submission.queue_id

            def warn(text: str) -> None:
                self._tell(Warned(f"{own_id}: {text}", "cleanup"))

            sender = self._postmaster_sender.mapped(warn=warn) if for_postmaster else NULL_ADDRESS
            submission.begin(
                NewEnvelope(
                    arrival_time=now,
                    sender=sender.internal,
                    recipients=self._mappings.recipients(
                        [NewRecipient(recipient.internal, written or recipient.internal)],
                        sender=sender,
                        warn=warn,
                        copies=False,
                        utf8=bool(send_options & SEND_SMTPUTF8),
                    ),
                    attributes=[(b"log_ident", own_id.encode()), (b"rewrite_context", b"local")],
                ),
                trace=[
                    b"Received: by %s (%s)" % (rules.style.host, rules.style.mail_name),
                    b"\tid %s; %s" % (own_id.encode(), mail_date(now)),
                ],
                add_missing=True,
                rewrite=self._mappings.headers(self._mappings.rewriting, warn=warn),
                send_options=send_options,
                source="notify" if for_postmaster else "bounce",
            )
            await submission.feed(fields + b"Date: %s\r\n" % mail_date(now) + content(own_id, now))
        except (LookupFault, ExpansionFault) as fault:
            submission.abort()
            if isinstance(fault, MapFault):
                self._tell(Warned(fault.cause, "cleanup"))
                warn(fault.reason)
            else:
                warn(f"{fault} -- message not accepted, try again later")
            raise NotMapped from fault
        except BaseException:
            submission.abort()
            raise
        queue_id = await submission.commit()
        for found, resent in submission.message_ids:
            self._tell(MessageIdSeen(queue_id, found, resent))
        return queue_id

    def _original(
        self, kind: Kind, queue_id: QueueId, message: QueueMessage, source: Source, *, full: bool, now: float
    ) -> Original:
        full = (
            full
            and message.content_size <= self._rules.size_limit
            # RFC 8689 §4.3: what needed protection is not sent back without.
            and not (self._rules.redacts and message.send_options & SEND_REQUIRES_TLS)
        )
        lines: list[bytes] = []
        for line in read_content(source, message.data_offset):
            if not full and not line:
                break
            lines.append(line)
        encoding = message.attributes.get(b"encoding", b"").decode("ascii", "replace")
        return Original(
            queue_id=queue_id,
            # As bounce(8): what had no sender came from the mail system.
            sender=Address.from_internal(message.sender).external
            or b"MAILER-DAEMON@" + self._rules.style.host,
            arrival_time=message.arrival_time,
            envelope_id=message.attributes.get(b"envelope_id", b""),
            content=b"".join([line + b"\r\n" for line in lines]),
            headers_only=not full,
            encoding="8bit" if self._rules.utf8 else encoding,
            smtputf8=bool(message.send_options & SEND_SMTPUTF8),
            message_id=self._thread(message, lines),
            retry_until=message.create_time + self._rules.queue_lifetime if kind == "delay" else 0.0,
        )

    def _thread(self, message: QueueMessage, lines: Iterable[bytes]) -> bytes:
        """What the notice answers to; empty for a message whose id is none (RFC 5322 §3.6.4)."""
        return thread_of(message.attributes, lines) if self._rules.threaded else b""


def thread_of(attributes: Mapping[bytes, bytes], lines: Iterable[bytes]) -> bytes:
    """The Message-ID that was noted, or that the header has: Postfix's cleanup(8) notes none."""
    found = attributes.get(b"message_id")
    if found is None:
        header = itertools.takewhile(bool, lines)
        found = (first_value(b"".join([line + b"\r\n" for line in header]), b"message-id") or b"").strip()
    return found if _MESSAGE_ID.fullmatch(found) else b""


_MESSAGE_ID: Final = re.compile(rb"<[^<>\s]+>")
_WIDE: Final = re.compile(rb"[\x80-\xff]")
_TRANSCRIPT_WIDTH: Final = 78
_UNPRINTABLE: Final = {code: "?" for code in (*range(0x20), 0x7F)}


def _wrapped(transcript: Sequence[bytes]) -> list[str]:
    """Lines of a session, one column in; long ones in several, four more columns in."""
    found: list[str] = []
    for line in transcript:
        text = line.decode("utf-8", "replace").translate(_UNPRINTABLE)
        direction, said = text[:5], text[5:]
        parts = textwrap.wrap(
            said,
            _TRANSCRIPT_WIDTH,
            initial_indent=direction,
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
        )
        found += [f" {part}" for part in parts or [direction.rstrip()]]
    return found


def _tls_required(message: QueueMessage) -> bytes:
    """RFC 8689 §5: a notice needs no more than the message did."""
    both = message.send_options & (SEND_TLS_OPTIONAL | SEND_REQUIRES_TLS)
    return b"TLS-Required: no\r\n" if both == SEND_TLS_OPTIONAL else b""


def _by_address(
    sender: bytes, entries: Sequence[LogEntry], verp: bytes
) -> list[tuple[bytes, Sequence[LogEntry]]]:
    """Who hears of which entries."""
    if not verp:
        return [(sender, entries)]
    # With the quotes that the recipient has in the log of bounces, as from bounce(8).
    return [(verp_sender(sender, verp, _recipient(entry)), [entry]) for entry in entries]


def _ascii(octets: bytes) -> bytes:
    return _WIDE.sub(b"?", octets)


def _in_ascii(entry: LogEntry) -> LogEntry:
    """As bounce(8) has it without smtputf8_enable: each octet that is none of ASCII's is a question mark."""
    return msgspec.structs.replace(
        entry,
        recipient=_ascii(entry.recipient),
        original_recipient=_ascii(entry.original_recipient),
        dsn_original=_ascii(entry.dsn_original),
        reason=_ascii(entry.reason.encode("utf-8", "surrogateescape")).decode(),
        diagnostic=_ascii(entry.diagnostic.encode("utf-8", "surrogateescape")).decode(),
    )


def _recipient(entry: LogEntry) -> bytes:
    """Whom a sender knows the recipient as."""
    return entry.original_recipient or entry.recipient


def _is_wanted(kind: Kind, notify: int) -> bool:
    return kind not in _WANTED or not notify or bool(notify & _WANTED[kind])
