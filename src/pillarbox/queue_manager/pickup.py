"""pickup(8): messages of local users, out of maildrop or from the submission socket, into the queue.

DESCRIPTION
    A file of maildrop is taken if it is a regular file with one name and complete; its owner is who sent the
    message.  What is in it is a user's word: attributes that only the mail system may set are left out.  Mail that
    postsuper(1) has put back there belongs to the mail system; it keeps what it had, and delivered recipients
    stay delivered.  A user's records are those of postdrop(1), whoever wrote them: no pointers, by which few octets
    can be read again and again, and no line ends in addresses and attributes.

    The message gets a Received: field, missing header fields and its queue id as one from a client gets them; then
    its file in maildrop goes.  A crash in between leaves both: it is sent twice rather than not at all.

FAULTS
    A message in a loop, or too big, is returned to its sender.  A file that cannot be read, or is larger than the
    records of a message of message_size_limit can be, goes to corrupt/.  While the queue cannot be written, or a
    table not asked, messages stay where they are, and are looked at again.

STANDARDS
    Postfix pickup(8), cleanup(8)
"""

import asyncio
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from pillarbox.bounce.submission import Notifier
from pillarbox.bounce.unqueued import HOPCOUNT_EXCEEDED, refusal_of, return_unqueued
from pillarbox.filters.content_checks import ContentTables, Inspector
from pillarbox.observability import events
from pillarbox.observability.mistakes import mistakes
from pillarbox.queue.content_lines import read_content
from pillarbox.queue.file_source import FileSource
from pillarbox.queue.incoming import IncomingQueue, QueueFileFault
from pillarbox.queue.mail_date import mail_date
from pillarbox.queue.maildrop import is_put_back, largest_file
from pillarbox.queue.new_queue_file import NewEnvelope, NewRecipient
from pillarbox.queue.queue_directories import READY, QueueDirectories
from pillarbox.queue.queue_file import SEND_REQUIRES_TLS, SEND_SMTPUTF8, QueueMessage, read_message
from pillarbox.queue.receive_options import ReceiveOptions
from pillarbox.queue.records import CorruptQueueFile, Source
from pillarbox.queue.submission import MessageTooBig, Rules, Submission, TooManyHops
from pillarbox.queue.submission_protocol import CleanupStatus
from pillarbox.routing.address_maps import ExpansionFault, MapFault
from pillarbox.routing.mappings import Mappings
from pillarbox.routing.rewriting import AddressRewriting
from pillarbox.tables.table import LookupFault, Warn
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.digits import is_decimal
from pillarbox.vocabulary.identifiers import QueueId

_CHUNK: Final = 65536
_AT_ONCE: Final = 16
"""Messages that are taken at the same time, so that they share the wait for the disk."""
_USERS_ATTRIBUTES: Final = frozenset((b"envelope_id", b"ret_flags", b"rewrite_context", b"trace_flags"))
_TRACE_FLAGS: Final = (b"512", b"1024")
_STRAY: Final = bytes(0x20 if octet in b"\r\n" else octet for octet in range(256))


class PickupRules(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf says of local mail."""

    submission: Rules
    mail_name: bytes
    mappings: Mappings
    content_tables: ContentTables  # header_checks and its kin
    receive: ReceiveOptions = ReceiveOptions()
    remote_rewriting: AddressRewriting | None = (
        None  # of headers of mail that comes from elsewhere (sendmail -G)
    )
    always_add_missing_headers: bool = False
    soft_bounce: bool = False
    verp_bounces: bool = True  # not disable_verp_bounces


class _Rejected(Exception):
    """What a content check says of a message: status and text."""


class _Deferred(Exception):
    """A content check wants it later, or (`is_fault`) cannot say what it wants; the log has why."""

    def __init__(self, *, is_fault: bool) -> None:
        self.is_fault = is_fault


class Pickup:
    """Takes messages in."""

    def __init__(
        self,
        directories: QueueDirectories,
        queue: IncomingQueue,
        *,
        rules: PickupRules,
        notifier: Notifier,
        clock: Clock,
        queued: Callable[[list[QueueId]], None],
        tell: events.EventSink,
    ) -> None:
        """`queued` is told of what is in incoming now."""
        self._directories = directories
        self._queue = queue
        self._rules = rules
        self._notifier = notifier
        self._clock = clock
        self._queued = queued
        self._tell = tell
        self._scanning = asyncio.Lock()
        self._warned: set[str] = set()

    async def scan(self) -> bool:
        """Take everything that is complete in maildrop; whether something was left there."""
        async with self._scanning:
            names = await asyncio.to_thread(lambda: list(self._directories.scan("maildrop")))
            taken: list[asyncio.Task[bool]] = []
            for at in range(0, len(names), _AT_ONCE):
                async with asyncio.TaskGroup() as tasks:
                    taken += [tasks.create_task(self._take_file(name)) for name in names[at : at + _AT_ONCE]]
        return not all(task.result() for task in taken)

    # -- files of maildrop -----------------------------------------------------------------------------

    async def _take_file(self, name: QueueId) -> bool:
        """Whether it has gone from maildrop."""
        path = self._directories.path("maildrop", name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                return True
            self._warn_once(name, f"open input file maildrop/{name}: {error.strerror}")
            return False
        try:
            status = os.fstat(descriptor)
            reason = _unacceptable(status)
            if reason:
                self._warn_once(name, f"maildrop/{name}: uid {status.st_uid}: {reason}")
            elif status.st_mode & READY == READY and await self._took(name, descriptor, status):
                os.unlink(path)
                return True
        except CorruptQueueFile as fault:
            return self._set_aside(name, path, fault)
        except OSError as error:
            self._warn_once(name, f"maildrop/{name}: {error.strerror}")
        except Exception as error:  # the queue manager would end by it, and meet it again when it is back
            for mistake in mistakes(error):
                self._warn_once(name, f"maildrop/{name}: {mistake}")
        finally:
            os.close(descriptor)
        return False

    def _set_aside(self, name: QueueId, path: str, fault: CorruptQueueFile) -> bool:
        """Whether a file that cannot be read is in corrupt/ now."""
        try:
            os.rename(path, f"{self._directories.root}/corrupt/{name}")
        except FileNotFoundError:
            return not os.path.lexists(path)  # somebody else has removed it
        except OSError as error:
            self._warn_once(name, f"move maildrop/{name} to corrupt: {error.strerror}")
            return False
        self._tell(events.MessageCorrupt(name, "maildrop", str(fault)))
        return True

    async def _took(self, name: QueueId, descriptor: int, status: os.stat_result) -> bool:
        """Whether the file may go now."""
        requeued = is_put_back(status, os.geteuid())
        limit = largest_file(self._rules.submission.message_size_limit)
        if not requeued and 0 < limit < status.st_size:
            raise CorruptQueueFile(CleanupStatus.SIZE.text)
        outcome, queue_id = await self.take(
            FileSource(descriptor),
            status.st_uid,
            modified=status.st_mtime,
            requeued=name if requeued else "",
        )
        if outcome is CleanupStatus.WRITE and queue_id:
            what = f"maildrop/{name}: error writing {queue_id}: {CleanupStatus.WRITE.text}"
            self._tell(events.Warned(what, "pickup"))
        return outcome not in (CleanupStatus.WRITE, CleanupStatus.DEFER)

    def _warn_once(self, name: str, reason: str) -> None:
        if name not in self._warned:
            self._warned.add(name)
            self._tell(events.Warned(reason))

    # -- any message -----------------------------------------------------------------------------------

    async def take(
        self, source: Source, uid: int, *, modified: float, requeued: str = ""
    ) -> "tuple[CleanupStatus, str]":
        """Queue one message; what came of it, and its queue id.

        OK: it is queued, or has been returned to its sender.  WRITE: not now.  CorruptQueueFile if it is none.
        """
        message = read_message(source, maildrop=True, by_user=not requeued)
        message.send_options = _kept_options(message)
        if not message.to_do:
            return CleanupStatus.NO_RECIPIENTS, ""
        try:
            submission = Submission(self._queue, self._rules.submission)
        except QueueFileFault as fault:
            self._tell(events.Warned(str(fault)))
            return CleanupStatus.WRITE, ""
        try:
            envelope = self._envelope(message, submission.queue_id, modified, requeued=bool(requeued))
            inspector = self._inspector(submission.queue_id, envelope)
            sender = Address.from_internal(message.sender).external  # as it was given
            self._tell(events.MessagePickedUp(submission.queue_id, uid, sender, requeued))
            self._begin(submission, envelope, message, uid, modified, inspector)
            for chunk in _content(source, message.data_offset, pointers=bool(requeued)):
                await submission.feed(inspector.feed(chunk) if inspector is not None else chunk)
            if inspector is not None:
                await submission.feed(inspector.finish())
                if not self._obey(inspector, submission, message):
                    self._tell_ids(submission)
                    submission.abort()
                    return CleanupStatus.OK, submission.queue_id
            queue_id = await submission.commit()
        except (MessageTooBig, TooManyHops, _Rejected) as fault:
            submission.end_header()
            self._tell_ids(submission)
            message.send_options |= submission.utf8_options()
            submission.abort()
            if inspector is not None and inspector.bcc:
                try:
                    _, recipients = self._addresses(message, submission.queue_id, inspector.bcc)
                except (LookupFault, ExpansionFault) as unknown:
                    self._tell(events.Warned(f"{submission.queue_id}: {unknown}", "cleanup"))
                    return CleanupStatus.WRITE, submission.queue_id
                envelope = msgspec.structs.replace(envelope, recipients=recipients)
            if submission.message_id:  # what the notice answers to
                message.attributes[b"message_id"] = submission.message_id
            return await self._return(
                submission.queue_id, envelope, message, source, fault
            ), submission.queue_id
        except (QueueFileFault, LookupFault, ExpansionFault) as fault:
            submission.abort()
            if isinstance(fault, MapFault):
                self._tell(events.Warned(fault.cause, "cleanup"))
            reason = fault.reason if isinstance(fault, LookupFault) else str(fault)
            self._tell(events.Warned(f"{submission.queue_id}: {reason}", "cleanup"))
            return CleanupStatus.WRITE, submission.queue_id
        except _Deferred as refused:
            submission.end_header()
            self._tell_ids(submission, all_of_them=inspector is None or not inspector.refused_in_header)
            submission.abort()
            return (CleanupStatus.WRITE if refused.is_fault else CleanupStatus.DEFER), submission.queue_id
        except BaseException:
            submission.abort()
            raise
        self._tell_ids(submission)
        self._queued([queue_id])
        return CleanupStatus.OK, queue_id

    def _tell_ids(self, submission: Submission, *, all_of_them: bool = True) -> None:
        for found, resent in submission.message_ids if all_of_them else submission.given_ids:
            self._tell(events.MessageIdSeen(submission.queue_id, found, resent))

    def _begin(
        self,
        submission: Submission,
        envelope: NewEnvelope,
        message: QueueMessage,
        uid: int,
        modified: float,
        inspector: Inspector | None,
    ) -> None:
        rules = self._rules
        host = rules.submission.myhostname
        trace = [
            b"Received: by %s (%s, from userid %d)" % (host, rules.mail_name, uid),
            b"\tid %s; %s" % (submission.queue_id.encode(), mail_date(modified)),
        ]
        is_local = message.attributes.get(b"rewrite_context") != b"remote"
        mappings, warn = rules.mappings, self._warning(submission.queue_id)
        rewriting = mappings.rewriting if is_local else rules.remote_rewriting
        submission.content_filter = rules.receive.content_filter
        submission.begin(
            envelope,
            trace=trace if inspector is None else inspector.trace(trace),
            add_missing=rewriting is not None or rules.always_add_missing_headers,
            rewrite=mappings.headers(rewriting, warn=warn, mapped=rules.receive.address_mappings)
            if rewriting is not None
            else None,
            send_options=message.send_options,
            source="sendmail",
        )

    def _inspector(self, queue_id: QueueId, envelope: NewEnvelope) -> Inspector | None:
        """header_checks and body_checks for one message, if there are any."""
        if not self._rules.content_tables.any:
            return None
        sender = Address.from_internal(envelope.sender).external
        last = Address.from_internal(envelope.recipients[-1].address).external

        def log(verb: str, kind: str, content: bytes, text: bytes) -> None:
            self._tell(
                events.ContentInspected(queue_id, verb, kind, content, "local", sender, last, "", b"", text)
            )

        return Inspector(self._rules.content_tables, log, self._warning(queue_id))

    def _warning(self, queue_id: QueueId) -> Warn:
        """Warnings about one message."""
        return lambda reason: self._tell(events.Warned(f"{queue_id}: {reason}", "cleanup"))

    def _obey(self, inspector: Inspector, submission: Submission, message: QueueMessage) -> bool:
        """Do what the checks decree; False if the message is thrown away."""
        if inspector.refusal is not None:
            if inspector.refusal.code < 500:
                raise _Deferred(is_fault=inspector.has_given_up)
            raise _Rejected(inspector.refusal.text[0].decode("utf-8", "replace"))
        if inspector.discard:
            return False
        if inspector.hold:
            submission.hold()
        submission.content_filter = inspector.filter or submission.content_filter
        submission.redirect = inspector.redirect
        if inspector.bcc:
            _, recipients = self._addresses(message, submission.queue_id, inspector.bcc)
            submission.replace_recipients(recipients)
        return True

    def _addresses(
        self, message: QueueMessage, queue_id: str, copies: Sequence[bytes] = ()
    ) -> tuple[Address, list[NewRecipient]]:
        """Sender and recipients as they are queued, with the copies that checks ask for."""
        mappings, warn = self._rules.mappings, self._warning(QueueId(queue_id))
        is_mapped = self._rules.receive.address_mappings
        sender = mappings.sender(Address.from_internal(message.sender), warn=warn, mapped=is_mapped)
        detects = {"sendmail", "all"} & self._rules.submission.detects_utf8
        utf8 = bool(detects or message.send_options & SEND_SMTPUTF8)
        recipients = mappings.recipients(
            _given(message),
            sender=sender,
            warn=warn,
            copies=is_mapped,
            decreed=copies,
            mapped=is_mapped,
            utf8=utf8,
        )
        return sender, recipients

    def _envelope(
        self, message: QueueMessage, queue_id: QueueId, modified: float, *, requeued: bool
    ) -> NewEnvelope:
        now = self._clock.now()
        found = message.attributes
        sender, recipients = self._addresses(message, queue_id)
        context = b"remote" if found.get(b"rewrite_context") == b"remote" else b"local"
        attributes = [(b"log_ident", queue_id.encode()), (b"rewrite_context", context)]
        for name, value in found.items():
            if name in (b"log_ident", b"rewrite_context", b"encoding", b"message_id"):
                continue
            if name == b"trace_flags" and not requeued and value not in _TRACE_FLAGS:
                continue
            if requeued or name in _USERS_ATTRIBUTES:
                attributes.append((name, value))
        return NewEnvelope(
            arrival_time=message.arrival_time or modified,
            create_time=now,
            sender=sender.internal,
            recipients=recipients,
            attributes=attributes,
            encoding=found.get(b"encoding", b""),
            full_name=message.full_name,
            verp=message.verp,
            warn_after=self._rules.submission.delay_warning_time,
        )

    async def _return(
        self,
        queue_id: QueueId,
        envelope: NewEnvelope,
        message: QueueMessage,
        source: Source,
        fault: Exception,
    ) -> CleanupStatus:
        """A message that cannot be queued at all goes back to its sender; its addresses are mapped already."""
        if isinstance(fault, TooManyHops):
            self._tell(events.Warned(f"{queue_id}: {HOPCOUNT_EXCEEDED}", "cleanup"))
        if self._rules.soft_bounce:  # it waits in maildrop, as with Postfix
            return CleanupStatus.DEFER
        if isinstance(fault, MessageTooBig | TooManyHops):
            refusal = refusal_of(fault)
        else:
            dsn, _, reason = str(fault).partition(" ")
            refusal = dsn, reason
        try:
            notices = await return_unqueued(
                self._notifier,
                queue_id,
                msgspec.structs.replace(message, sender=envelope.sender, arrival_time=envelope.arrival_time),
                envelope.recipients,
                source,
                refusal=refusal,
                tell=self._tell,
                verp=message.verp if self._rules.verp_bounces else b"",
            )
        except QueueFileFault as fault_2:
            self._tell(events.Warned(f"{queue_id}: cannot queue a notification: {fault_2}"))
            return CleanupStatus.WRITE
        self._queued(notices)
        return CleanupStatus.OK


def _kept_options(message: QueueMessage) -> int:
    """What the submitter, or who put it back, asked for; the rest is seen anew in the message."""
    asked = message.send_options
    given = message.attributes.get(b"sendopts", b"")
    if is_decimal(given) and len(given) < 4:
        asked |= int(given)
    return asked & (SEND_SMTPUTF8 | SEND_REQUIRES_TLS)


def _given(message: QueueMessage) -> list[NewRecipient]:
    """The recipients as the submitter named them."""
    return [
        NewRecipient(
            recipient.address,
            recipient.original or recipient.address,
            recipient.notify,
            recipient.dsn_original,
        )
        for recipient in message.to_do
    ]


def _unacceptable(status: os.stat_result) -> str:
    """Why a file is not looked at: a link could lead to what its maker may not read."""
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    if status.st_nlink != 1:
        return f"file has {status.st_nlink} links"
    return ""


def _content(source: Source, data_offset: int, *, pointers: bool) -> Iterator[bytes]:
    """The message's lines with CRLF, in pieces.  A CR or LF inside a record is no line end."""
    waiting: list[bytes] = []
    octets = 0
    for line in read_content(source, data_offset, pointers=pointers):
        if b"\r" in line or b"\n" in line:
            line = line.translate(_STRAY)
        waiting.append(line)
        octets += len(line) + 2
        if octets > _CHUNK:
            waiting.append(b"")
            yield b"\r\n".join(waiting)
            waiting, octets = [], 0
    if waiting:
        waiting.append(b"")
        yield b"\r\n".join(waiting)
