"""A queue file: the envelope, the content and what else is known of one message, in Postfix's format.

DESCRIPTION
    `read_message()` gives a `QueueMessage` from the records of a file: enough to schedule and deliver it.
    content_lines.py reads the lines.  new_queue_file.py has the records of a file that is written.

    Order of a new file: size, arrival time, attributes of the client, sender, recipients, `M`, content, `X`,
    `E`.  The size record is 97 octets and comes first, so that it can be overwritten in place when the
    content was written before its size was known.  A recipient that is done has its type octet overwritten
    (`R` → `D`) at `QueueRecipient.offset`; offsets never move.

FAULTS
    CorruptQueueFile  missing or malformed records: the file belongs into corrupt/.
"""

import re
from typing import Final

import msgspec

from pillarbox.queue.known_attributes import known_attribute, known_run, note_attribute, shared
from pillarbox.queue.records import (
    ATTRIBUTE,
    CANCELED,
    CONTENT_TYPES,
    DONE,
    END,
    ENVELOPE_TYPES,
    EXTRACTED,
    EXTRACTED_TYPES,
    FILTER,
    FULL_NAME,
    MESSAGE,
    ORIGINAL_RECIPIENT,
    PADDING,
    POINTER,
    RECIPIENT,
    REDIRECT,
    SENDER,
    SIZE,
    TIME,
    VERP,
    WARN,
    CorruptQueueFile,
    RecordReader,
    Source,
    UsersRecordReader,
    encode_record,
)
from pillarbox.vocabulary.digits import decimal, is_decimal
from pillarbox.vocabulary.envelope import Notify, Trace

SIZE_RECORD: Final = 97
"""Octets of the size record: type, length and six numbers of 15 with blanks between."""

SEND_SMTPUTF8: Final = 1
SEND_UTF8_HEADER: Final = 2
SEND_UTF8_SENDER: Final = 4
SEND_TLS_OPTIONAL: Final = 16
"""`TLS-Required: no` (RFC 8689 §5)"""
SEND_REQUIRES_TLS: Final = 32
"""`MAIL FROM:<…> REQUIRETLS` (RFC 8689 §2)"""

_NUMBERS: Final = re.compile(rb"(?:\s*[0-9]{1,15}(?!\S))*\s*")
_BEGINNING: Final = re.compile(
    rb"C_( {0,14}[0-9]{1,15})"
    + rb" ( {0,14}[0-9]{1,15})" * 5
    + rb"T([\x0c-\x11])([0-9]{10}) ([0-9]{1,6})"
    + rb"A\x16create_time=([0-9]{10})"
)
"""The first records of a queue file: sizes, time of arrival, time of creation."""
_LOG_IDENT: Final = b"log_ident="
_MESSAGE_ID: Final = b"message_id="
_QMGR_FLAGS: Final = 31
_MAX_ATTRIBUTES: Final = 100  # queue_file_attribute_count_limit
_MIXED: Final = 1
"""Flag of the size record: recipients stand among other records."""
_RECIPIENT_TYPES: Final = frozenset((RECIPIENT, DONE, CANCELED, ORIGINAL_RECIPIENT))
_LEADING_ELSEWHERE: Final = frozenset((POINTER, PADDING))
_ALL_NOTIFY: Final = Notify.NEVER | Notify.SUCCESS | Notify.FAILURE | Notify.DELAY
_TRACE_ONLY: Final = Trace.PROBE | Trace.WHAT_IF


class QueueRecipient(msgspec.Struct, frozen=True, gc=False):
    """A recipient and the offset of its record."""

    address: bytes  # internal form
    original: bytes
    offset: int
    done: bool
    notify: Notify
    dsn_original: bytes


class QueueMessage(msgspec.Struct):
    """What a queue file says of its message."""

    sender: bytes = b""  # internal form
    recipients: list[QueueRecipient] = []
    arrival_time: float = 0.0
    create_time: float = 0.0
    data_offset: int = 0
    data_size: int = 0
    content_size: int = 0
    send_options: int = 0
    flags: int = 0  # of the queue manager: what recipients want to be told of, one bit higher
    warn_time: int = 0
    warn_offset: int = 0
    full_name: bytes = b""
    filter: bytes = b""
    redirect: bytes = b""
    verp: bytes = b""
    trace: Trace = Trace.NONE  # what else is to come of it
    trace_offset: int = 0  # of the record that says so; 0: there is none
    attributes: dict[bytes, bytes] = {}
    end: int = 0
    """Offset behind the end record."""
    is_noted: bool = False
    """Something follows there: notes of deliveries (delivery_notes.py)."""
    recipient_count: int = 0
    """All there are, those that are done included; of a message that is read in parts, as it was written down."""
    unread: int = 0
    """Offset from which on `read_recipients()` finds more; 0: there are none."""
    has_done: bool = False
    """Whether some are done."""

    @property
    def wants_success(self) -> bool:
        """Whether there may be a trace log of what became of it before it was delivered: an alias expanded."""
        return bool(self.flags & Notify.SUCCESS << 1)

    @property
    def is_trace_only(self) -> bool:
        """Whether it is not to be delivered, only tried out: sendmail -bv, or a probe of verify(8)."""
        return self.trace is not Trace.NONE and bool(self.trace & _TRACE_ONLY)

    @property
    def is_probe(self) -> bool:
        """Whether verify(8) wants to know whether it could be delivered."""
        return self.trace is not Trace.NONE and bool(self.trace & Trace.PROBE)

    @property
    def to_do(self) -> list[QueueRecipient]:
        """Recipients that are neither delivered nor bounced: `recipients` itself if that is all of them."""
        if not any(recipient.done for recipient in self.recipients):
            return self.recipients
        return [recipient for recipient in self.recipients if not recipient.done]


def read_message(
    source: Source, *, maildrop: bool = False, by_user: bool = False, limit: int = 0
) -> QueueMessage:
    """The envelope and extracted segments.  CorruptQueueFile if the file cannot be delivered.

    With `maildrop` the file may lack the size record and the arrival time, as postdrop(1) leaves them out; with
    `by_user` the records may be a user's own, who is believed nothing (`UsersRecordReader`).
    With a `limit` so many recipients are read that are not done, and `unread` leads to the others.
    """
    message = QueueMessage(recipients=[], attributes={})
    reader = UsersRecordReader(source) if by_user else RecordReader(source)
    seen = _EnvelopeFacts(limit)
    window = b"" if by_user else reader.window_at(0)
    start = _take_short_records(message, seen, window, _take_beginning(message, seen, window))
    if not seen.message_offset:
        _take_records(message, seen, reader, start)
    if not seen.sender or (not maildrop and not (seen.size and seen.time)):
        raise CorruptQueueFile("no sender, arrival time or size record")
    if maildrop and not seen.size:
        end = _end_of_content(reader, seen.message_offset)
        message.data_offset, message.data_size = seen.message_offset, end - seen.message_offset
        message.content_size = message.data_size
    if not _take_short_end(message, window):
        _take_extracted(message, seen.recipient, reader)
    if not message.create_time:
        message.create_time = message.arrival_time
    if not message.unread:
        message.recipient_count = seen.recipient.count
    return message


def _take_beginning(message: QueueMessage, seen: "_EnvelopeFacts", window: bytes) -> int:
    """Sizes, times and the id as cleanup(8) writes them, at once; where the next record is, 0 if others come."""
    found = _BEGINNING.match(window)
    if found is None or found.end(6) != SIZE_RECORD or found[7][0] != len(found[8]) + len(found[9]) + 1:
        return 0
    data_size, data_offset, count, flags, content_size, send_options = map(int, found.groups()[:6])
    if not data_size or not data_offset or flags & ~_QMGR_FLAGS:
        return 0
    message.data_size, message.data_offset, message.recipient_count = data_size, data_offset, count
    message.flags, message.content_size, message.send_options = flags, content_size, send_options
    message.arrival_time = int(found[8]) + int(found[9]) / 1e6
    message.create_time = float(int(found[10]))
    seen.size = seen.time = True
    at = found.end()
    following = at + 2 + window[at + 1] if window.startswith(_LOG_IDENT, at + 2) else 0
    queue_id = window[at + 2 + len(_LOG_IDENT) : following]
    if not queue_id.isalnum() or window[at] != ATTRIBUTE or window[at + 1] > 0x7F or following > len(window):
        return at
    message.attributes[b"log_ident"] = shared(queue_id)
    return following


def _take_short_end(message: QueueMessage, window: bytes) -> bool:
    """An extracted segment that has nothing but Message-Id:, if it is in the window and the sizes lead to it."""
    start = message.data_offset + message.data_size
    at = start + 4
    if not window.startswith(_MESSAGE_ID, at) or not window.startswith(b"X\0A", start):
        return False
    following = at + window[start + 3]
    value = window[at + len(_MESSAGE_ID) : following]
    if window[start + 3] > 0x7F or not window.startswith(b"E\0", following):
        return False
    if not value or value != value.strip(b" ") or len(message.attributes) >= _MAX_ATTRIBUTES:
        return False
    message.attributes[b"message_id"] = shared(value)
    message.end = following + 2
    return True


def _take_short_records(message: QueueMessage, seen: "_EnvelopeFacts", window: bytes, at: int) -> int:
    """The beginning of an envelope, nearly always all of it; where `_take_records()` has to go on.

    That is where a record is long or leads elsewhere, or as many recipients have been read as are wanted.
    """
    attributes, recipient, recipients = message.attributes, seen.recipient, message.recipients
    limit = recipient.limit
    size = len(window)
    while at + 2 <= size:
        kind, length = window[at], window[at + 1]
        following = at + 2 + length
        if length > 0x7F or following > size or kind in _LEADING_ELSEWHERE:
            break
        if limit and len(recipients) >= limit:
            break
        if kind == ATTRIBUTE:
            run = known_run(window, at)
            if run is not None and len(attributes) + len(run.attributes) <= _MAX_ATTRIBUTES:
                attributes.update(run.attributes)
                at += len(run.records)
                continue
            _take_attribute(message, recipient, window[at + 2 : following], at)
        elif kind == MESSAGE:
            seen.message_offset = following
            break
        else:
            _take_envelope(message, seen, kind, at, window[at + 2 : following])
        at = following
    return at


def _take_records(message: QueueMessage, seen: "_EnvelopeFacts", reader: RecordReader, start: int) -> None:
    """The envelope from there on, whatever stands in it."""
    limit = seen.recipient.limit
    for kind, offset, payload in reader.records(start):
        if limit and len(message.recipients) >= limit and kind != MESSAGE:
            message.unread = message.unread or offset
            if message.data_offset and not message.flags & _MIXED:
                seen.message_offset = message.data_offset  # nothing but recipients stands before it
                return
        if kind == ATTRIBUTE:
            _take_attribute(message, seen.recipient, payload, offset)
        elif kind == MESSAGE:
            seen.message_offset = offset + 2
            return
        else:
            _take_envelope(message, seen, kind, offset, payload)
    raise CorruptQueueFile("no message content")


def read_recipients(source: Source, message: QueueMessage, limit: int) -> list[QueueRecipient]:
    """The next recipients that are not done, at most `limit`; `message.unread` leads to those that follow.

    CorruptQueueFile, and then there are no more.
    """
    part = QueueMessage(recipients=[], attributes={})
    facts = _RecipientFacts(limit)
    start, message.unread = message.unread, 0
    end = message.data_offset + message.data_size
    reader = RecordReader(source)
    for first in (start, end) if start < message.data_offset else (start,):
        for kind, offset, payload in reader.records(first):
            if kind in (END, MESSAGE):
                break
            if len(part.recipients) >= limit:
                message.unread = offset
                return part.recipients
            if kind == ATTRIBUTE:
                _take_attribute(part, facts, payload, offset)
            elif kind in _RECIPIENT_TYPES:
                _take_recipient(part, facts, kind, offset, payload)
            elif kind not in ENVELOPE_TYPES and kind not in EXTRACTED_TYPES and kind != EXTRACTED:
                raise CorruptQueueFile(f"unexpected record type {kind} among the recipients at {offset}")
        else:
            raise CorruptQueueFile("the recipients do not end")
    return part.recipients


class _EnvelopeFacts:
    """What was met on the way through the envelope."""

    def __init__(self, limit: int) -> None:
        self.size = self.time = self.sender = False
        self.message_offset = 0
        self.recipient = _RecipientFacts(limit)


class _RecipientFacts:
    """Attribute and O records that belong to the next recipient; how many there were."""

    __slots__ = ("count", "dsn_original", "limit", "notify", "original")

    def __init__(self, limit: int) -> None:
        self.original = b""
        self.notify = Notify.DEFAULT
        self.dsn_original = b""
        self.limit = limit  # of those that are not done; 0: none
        self.count = 0


def _take_envelope(
    message: QueueMessage, seen: _EnvelopeFacts, kind: int, offset: int, payload: bytes
) -> None:
    if kind in _RECIPIENT_TYPES:
        _take_recipient(message, seen.recipient, kind, offset, payload)
    elif kind == SENDER:
        if seen.sender:
            raise CorruptQueueFile("more than one sender")
        seen.sender = True
        message.sender = payload
    elif kind == SIZE:
        if not seen.size:  # a second one was left by a requeue of old versions
            _take_sizes(message, payload)
            seen.size = True
    elif kind == TIME:
        message.arrival_time = _arrival_time(payload)
        seen.time = True
    elif kind == WARN:
        message.warn_offset = offset
        text = payload.strip(b" ")
        message.warn_time = decimal(text, max_digits=15) if text.isdigit() else -1
    elif kind == FULL_NAME:
        message.full_name = payload
    elif kind == FILTER:
        message.filter = payload
    elif kind == REDIRECT:
        message.redirect = payload
    elif kind == VERP:
        message.verp = payload
    elif kind not in ENVELOPE_TYPES:
        raise CorruptQueueFile(f"unexpected record type {kind} in the envelope at {offset}")


def _take_attribute(message: QueueMessage, recipient: _RecipientFacts, payload: bytes, offset: int) -> None:
    attributes = message.attributes
    if (known := known_attribute(payload)) is not None and len(attributes) < _MAX_ATTRIBUTES:
        attributes[known[0]] = known[1]
        return
    name, equals, value = payload.partition(b"=")
    name, value = name.strip(b" "), value.strip(b" ")
    if not equals or not name:
        raise CorruptQueueFile(f"malformed attribute {payload[:60]!r}")
    if name == b"notify_flags":
        if (number := _number(value, name)) > _ALL_NOTIFY:
            raise CorruptQueueFile(f"malformed attribute {name!r}")
        recipient.notify = Notify(number)
    elif name == b"dsn_orig_rcpt":
        recipient.dsn_original = value
    elif name == b"create_time":
        message.create_time = float(_number(value, name))
    elif value:
        if len(attributes) >= _MAX_ATTRIBUTES and name not in attributes:
            raise CorruptQueueFile("too many attributes")
        name, value = shared(name), shared(value)
        attributes[name] = value
        if name == b"trace_flags":
            message.trace = Trace(decimal(value)) if is_decimal(value, max_digits=9) else Trace.NONE
            message.trace_offset = offset
        else:
            note_attribute(payload, name, value)


def _take_recipient(
    message: QueueMessage, facts: _RecipientFacts, kind: int, offset: int, payload: bytes
) -> None:
    if message.unread:
        return
    if kind == ORIGINAL_RECIPIENT:
        facts.original = payload
        return
    if kind != CANCELED:
        facts.count += 1
        is_done = kind == DONE
        message.has_done |= is_done
        if not is_done or not facts.limit:
            message.recipients.append(
                QueueRecipient(
                    payload, facts.original or payload, offset, is_done, facts.notify, facts.dsn_original
                )
            )
    facts.original = facts.dsn_original = b""
    facts.notify = Notify.DEFAULT


def _take_sizes(message: QueueMessage, payload: bytes) -> None:
    if _NUMBERS.fullmatch(payload) is None:
        raise CorruptQueueFile("malformed size record")
    numbers = list(map(int, payload.split()))
    if len(numbers) < 3 or not numbers[0] or not numbers[1]:
        raise CorruptQueueFile("malformed size record")
    if len(numbers) > 3 and numbers[3] & ~_QMGR_FLAGS:
        raise CorruptQueueFile("unknown flags in the size record")
    message.data_size, message.data_offset = numbers[0], numbers[1]
    message.flags = numbers[3] if len(numbers) > 3 else 0
    message.recipient_count = numbers[2]
    message.content_size = numbers[4] if len(numbers) > 4 else numbers[0]
    message.send_options = numbers[5] if len(numbers) > 5 else 0


def _take_extracted(message: QueueMessage, facts: _RecipientFacts, reader: RecordReader) -> None:
    facts.original = facts.dsn_original = b""
    facts.notify = Notify.DEFAULT
    start = message.data_offset + message.data_size
    for count, (kind, offset, payload) in enumerate(reader.records(start)):
        if count == 0:
            if kind != EXTRACTED:
                raise CorruptQueueFile("the size record does not lead to the end of the content")
            continue
        if kind == END:
            message.end = offset + len(encode_record(END, payload))
            return
        if facts.limit and not message.unread and len(message.recipients) >= facts.limit:
            message.unread = offset
        if kind not in EXTRACTED_TYPES:
            raise CorruptQueueFile(f"unexpected record type {kind} after the content at {offset}")
        if kind == ATTRIBUTE:
            _take_attribute(message, facts, payload, offset)
        elif kind in _RECIPIENT_TYPES:
            _take_recipient(message, facts, kind, offset, payload)
        elif kind == FILTER:
            message.filter = payload
        elif kind == REDIRECT:
            message.redirect = payload
    raise CorruptQueueFile("no end record")


def _arrival_time(payload: bytes) -> float:
    seconds, _, microseconds = payload.partition(b" ")
    try:
        return decimal(seconds) + (decimal(microseconds) / 1e6 if microseconds else 0.0)
    except ValueError:
        raise CorruptQueueFile("malformed arrival time") from None


def _number(value: bytes, name: bytes) -> int:
    try:
        return decimal(value, max_digits=15)
    except ValueError:
        raise CorruptQueueFile(f"malformed attribute {name!r}") from None


def _end_of_content(reader: RecordReader, offset: int) -> int:
    for kind, at, _ in reader.records(offset):
        if kind == EXTRACTED:
            return at
        if kind not in CONTENT_TYPES:
            break
    raise CorruptQueueFile("the content does not end")
