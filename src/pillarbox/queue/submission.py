"""cleanup(8)'s door: the one way by which a message gets into the queue.

DESCRIPTION
    A `Submission` is one message on its way in: `begin()` with the envelope, `feed()` with content in pieces
    of any size, then `commit()`, which returns when the message will survive a crash, or `abort()`.

    Small messages are written with one system call; a large one is spilled to its file as it arrives, so
    that memory does not grow with the message.  Postfix's rules for headers are `message_header.py`'s.

FAULTS
    MessageTooBig     message_size_limit is passed; the rest may be fed, and is thrown away
    TooManyHops       hopcount_limit Received: headers: a mail loop
    QueueFileFault    the file could not be written
    After any of them the message is gone; nothing is left behind.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from pillarbox.message.address_rewriting import VISIBLE_RECIPIENTS, HeaderRewriting
from pillarbox.queue.incoming import IncomingQueue, NewFile, QueueFileFault
from pillarbox.queue.inner_headers import InnerHeaders
from pillarbox.queue.mail_date import mail_date, message_id
from pillarbox.queue.message_header import HeaderCleaner, cut_fields
from pillarbox.queue.new_queue_file import (
    NewEnvelope,
    NewRecipient,
    encode_end,
    encode_envelope,
    qmgr_flags,
    size_record,
)
from pillarbox.queue.queue_file import (
    SEND_SMTPUTF8,
    SEND_TLS_OPTIONAL,
    SEND_UTF8_HEADER,
    SEND_UTF8_SENDER,
    SIZE_RECORD,
)
from pillarbox.queue.recipient_log import LogEntry
from pillarbox.queue.records import ContentEncoder
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.identifiers import QueueId

_ATOMS: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ \x80-\xff-]+")
_TO_ESCAPE: Final = re.compile(rb'(["\\])')
_IN_COMMENT: Final = re.compile(rb"([()\\])")
_SPILL: Final = 262144
"""Octets kept in memory before they are written."""

_NOBODY: Final = b"MAILER-DAEMON"
"""Whom a message without sender is from, if it does not say; as from cleanup(8), without a domain."""


class MessageTooBig(Exception):
    """More octets than message_size_limit."""


class TooManyHops(Exception):
    """hopcount_limit Received: headers or more, that of this host among them."""


class TooLate(Exception):
    """The envelope is on disk."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf says of new messages."""

    message_size_limit: int  # octets; 0: none
    header_size_limit: int
    hopcount_limit: int
    dropped_headers: frozenset[bytes]  # message_drop_headers, lower case
    undisclosed_recipients: bytes = b""  # undisclosed_recipients_header
    myhostname: bytes
    myorigin: bytes  # what completes an address; empty without append_at_myorigin
    delay_warning_time: float
    names_in_comments: bool = False  # header_from_format = obsolete
    detects_encoding: bool = True  # detect_8bit_encoding_header
    heeds_tls_required: bool = True  # tls_required_enable
    detects_utf8: frozenset[str] = frozenset()  # smtputf8_autodetect_classes
    reads_parts: bool = True  # not disable_mime_input_processing


_MAY_HAVE_PARTS: Final = re.compile(b"multipart|message", re.IGNORECASE)


class Submission:
    """One message on its way into the queue."""

    __slots__ = (
        "_begun",
        "_cleaner",
        "_content_octets",
        "_data_offset",
        "_detects_utf8",
        "_encoder",
        "_envelope",
        "_expanded",
        "_file",
        "_handed_over",
        "_held",
        "_inner",
        "_made_id",
        "_parts",
        "_queue",
        "_rules",
        "_too_big",
        "_written",
        "content_filter",
        "message_id",
        "message_ids",
        "redirect",
        "send_options",
    )

    def __init__(self, queue: IncomingQueue, rules: Rules) -> None:
        self._queue = queue
        self._rules = rules
        self._file: NewFile = queue.take()
        self._encoder = ContentEncoder()
        self._parts: list[bytes] = []
        self._held = 0
        self._written = 0
        self._content_octets = 0
        self._data_offset = 0
        self._too_big = False
        self._expanded: list[NewRecipient] = []
        self._begun = False
        self._handed_over = False
        self.message_id = b""
        # As they are logged, and whether of Resent-Message-Id:
        self.message_ids: list[tuple[bytes, bool]] = []
        self._made_id: list[tuple[bytes, bool]] = []
        self._detects_utf8 = False
        self._inner: InnerHeaders | None = None  # where SMTPUTF8 or encodings of parts count
        self.send_options = 0
        self.content_filter = b""  # transport:destination that it goes through
        self.redirect = b""  # who gets it in the place of all recipients

    @property
    def queue_id(self) -> QueueId:
        """The id, known before a single octet has come."""
        return self._file.queue_id

    def begin(
        self,
        envelope: NewEnvelope,
        *,
        trace: Iterable[bytes],
        add_missing: bool,
        send_options: int = 0,
        rewrite: HeaderRewriting | None = None,
        source: str = "",
    ) -> None:
        """The envelope is complete.  `trace` lines (Received:) go in front of the message.

        `rewrite` brings the addresses in its header to their standard form.  `source` is the message's class in
        smtputf8_autodetect_classes.
        """
        self._begun = True
        self._detects_utf8 = bool({source, "all"} & self._rules.detects_utf8)
        envelope = self._without_expanded(envelope)
        self.send_options = send_options
        if self._rules.reads_parts and (self._detects_utf8 or send_options & SEND_SMTPUTF8):
            self._inner = InnerHeaders()
        head = encode_envelope(envelope)
        self._data_offset = SIZE_RECORD + len(head)
        self._cleaner = HeaderCleaner(
            dropped=self._rules.dropped_headers,
            size_limit=self._rules.header_size_limit,
            missing=self._missing_headers if add_missing else None,
            rewrite=rewrite,
        )
        trace = list(trace)
        self._cleaner.hops = sum([line[:9].lower() == b"received:" for line in trace])
        text = b"".join([line + b"\r\n" for line in trace])
        if len(text) > self._rules.header_size_limit:
            text = cut_fields(text, self._rules.header_size_limit)
        received = self._encoder.feed(text)
        self._parts = [b"", head, received]  # the size record's place is kept
        self._written = len(received)

    def replace_recipients(self, recipients: list[NewRecipient]) -> None:
        """Other recipients than the envelope had.  TooLate if it has been written to disk."""
        if self._file.spilled:
            raise TooLate
        head = encode_envelope(
            self._without_expanded(msgspec.structs.replace(self._envelope, recipients=recipients))
        )
        self._data_offset = SIZE_RECORD + len(head)
        self._parts[1] = head

    def _without_expanded(self, envelope: NewEnvelope) -> NewEnvelope:
        """Note which recipients have been expanded; the others are the envelope's."""
        self._expanded = [one for one in envelope.recipients if one.expanded]
        if self._expanded:
            others = [one for one in envelope.recipients if not one.expanded]
            envelope = msgspec.structs.replace(envelope, recipients=others)
        self._envelope = envelope
        return envelope

    def hold(self) -> None:
        """The message goes into the hold queue, where it waits for an admin."""
        self._file.queue = "hold"

    async def feed(self, content: bytes) -> None:
        """Content with CRLF line ends.  MessageTooBig once too much has come; more may be fed then."""
        self._content_octets += len(content)
        if self._too_big:
            return
        limit = self._rules.message_size_limit
        if limit and self._content_octets > limit:
            self._too_big = True
            self._parts.clear()
            raise MessageTooBig
        if self._inner is not None:
            self._inner.feed(content)
        cleaner = self._cleaner
        if not cleaner.in_body:
            content = cleaner.feed(content)
            self._note_end_of_header(content)
        if content:
            self._add(self._encoder.feed(content))
            if self._held > _SPILL:
                await self._spill()

    async def commit(self) -> QueueId:
        """The message is complete: keep it for good."""
        if self._too_big:
            raise MessageTooBig
        if not self._cleaner.in_body:
            last = self._cleaner.finish()
            self._note_message_id()
            self._add(self._encoder.feed(last))
        if self.has_too_many_hops:
            raise TooManyHops
        self._add(self._encoder.finish())
        if self._rules.heeds_tls_required and self._cleaner.tls_optional:
            self.send_options |= SEND_TLS_OPTIONAL
        self.send_options |= self.utf8_options()
        size = size_record(
            data_size=self._written,
            data_offset=self._data_offset,
            recipients=len(self._envelope.recipients),
            flags=qmgr_flags([*self._envelope.recipients, *self._expanded]),
            content_size=self._written,
            send_options=self.send_options,
        )
        learnt = [(b"message_id", self.message_id)] if self.message_id else []
        if self._rules.detects_encoding and self._is_eight_bit:
            learnt.append((b"encoding", b"8bit"))
        self._parts.append(encode_end(learnt, content_filter=self.content_filter, redirect=self.redirect))
        head = b""
        if self._file.spilled:
            head = size
        else:
            self._parts[0] = size
        if self._expanded:
            entries = [_expansion(one) for one in self._expanded]
            await self._queue.write_trace_log(self._file.queue_id, entries)
        self._handed_over = True  # from here on the file is the queue's, whatever becomes of us
        try:
            await self._queue.commit(self._file, self._parts, head=head)
        except QueueFileFault:
            if self._expanded:
                self._queue.discard_trace_log(self._file.queue_id)
            raise
        return self._file.queue_id

    def _note_end_of_header(self, content: bytes) -> None:
        """If the header has ended in `content`, look for encodings of parts, if it may have any."""
        self._note_message_id()
        rules, cleaner = self._rules, self._cleaner
        if not cleaner.in_body or self._inner is not None:
            return
        if not cleaner.kinds or cleaner.is_eight_bit or not (rules.reads_parts and rules.detects_encoding):
            return
        if any(_MAY_HAVE_PARTS.search(kind) for kind in cleaner.kinds):
            self._inner = InnerHeaders()
            self._inner.begin_in_body(cleaner.kinds, at_empty_line=not cleaner.lacks_end)
            end = 0 if content.startswith(b"\r\n") else content.index(b"\r\n\r\n") + 2
            self._inner.feed(content[end + 2 :])

    @property
    def _is_eight_bit(self) -> bool:
        return self._cleaner.is_eight_bit or (self._inner is not None and self._inner.is_eight_bit)

    def utf8_options(self) -> int:
        """Whether SMTPUTF8 is needed, and whether for the header (RFC 6531 §3.6)."""
        has_utf8 = self._cleaner.has_utf8 or (self._inner is not None and self._inner.has_utf8)
        envelope, header = self._envelope, SEND_UTF8_HEADER if has_utf8 else 0
        sender = 0 if envelope.sender.isascii() else SEND_UTF8_SENDER
        if self.send_options & SEND_SMTPUTF8:
            return header | sender
        if not self._detects_utf8:
            return 0
        is_ascii = not (header or sender) and all(
            (one.before_aliases or one.address).isascii() for one in envelope.recipients
        )
        return 0 if is_ascii else SEND_SMTPUTF8 | header | sender

    @property
    def has_too_many_hops(self) -> bool:
        """As far as the header has come."""
        return self._cleaner.hops >= self._rules.hopcount_limit

    @property
    def size(self) -> int:
        """Octets of the content as the queue counts them."""
        return self._written

    def abort(self) -> None:
        """Forget the message, unless it is being committed."""
        if not self._handed_over:
            self._handed_over = True
            self._queue.give_back(self._file)

    def _add(self, records: bytes) -> None:
        if records:
            self._parts.append(records)
            self._held += len(records)
            self._written += len(records)

    async def _spill(self) -> None:
        if not self._file.spilled:
            self._parts[0] = bytes(SIZE_RECORD)
        parts, self._parts, self._held = self._parts, [], 0
        await self._queue.spill(self._file, parts)

    def end_header(self) -> None:
        """What has come is all that comes of a message that is refused; there may be no body."""
        self._cleaner.finish()
        self._note_message_id()

    @property
    def in_body(self) -> bool:
        """Whether the header has come to its end."""
        return self._cleaner.in_body

    @property
    def given_ids(self) -> list[tuple[bytes, bool]]:
        """Those of `message_ids` that the message came with."""
        return self._cleaner.message_ids

    def _note_message_id(self) -> None:
        if self._cleaner.in_body and not self.message_ids:
            found = self._cleaner.message_ids + self._made_id
            if not any(not resent for _, resent in found):
                found.append((b"", False))
            self.message_ids = found
            self.message_id = self._cleaner.message_id or (self._made_id[0][0] if self._made_id else b"")

    def _missing_headers(self, prefix: bytes, names: frozenset[bytes]) -> bytes:
        """Message-Id, Date and From, as far as they are missing (RFC 5322 §3.6)."""
        lower = prefix.lower()
        arrival = self._envelope.arrival_time
        out = b""
        if lower + b"message-id" not in names:
            made = message_id(arrival, self._file.queue_id, self._rules.myhostname)
            self._made_id = [(made, bool(prefix))]
            out += b"%sMessage-Id: %s\r\n" % (prefix, made)
        if lower + b"date" not in names:
            out += b"%sDate: %s\r\n" % (prefix, mail_date(arrival))
        if lower + b"from" not in names:
            out += b"%sFrom: %s\r\n" % (prefix, self._from())
        if self._rules.undisclosed_recipients and not names & VISIBLE_RECIPIENTS:
            out += self._rules.undisclosed_recipients + b"\r\n"
        return out

    def _from(self) -> bytes:
        """The sender, with the name that sendmail(1) gave (header_from_format)."""
        sender = self._envelope.sender
        shown = _NOBODY
        if sender:
            origin = self._rules.myorigin
            complete = sender if b"@" in sender or not origin else sender + b"@" + origin
            shown = Address.from_internal(complete).external
        name = self._envelope.full_name
        if not name or not sender:
            return shown
        if self._rules.names_in_comments:
            return b"%s (%s)" % (shown, _comment(name))
        return b"%s <%s>" % (_phrase(name), shown)


def _expansion(recipient: NewRecipient) -> LogEntry:
    """What the sender hears of an alias that was expanded (RFC 3461 §5.2.7.3)."""
    return LogEntry(
        recipient=Address.from_internal(recipient.address).external,
        original_recipient=Address.from_internal(recipient.original).external,
        offset=0,
        dsn_original=recipient.dsn_original,
        notify=int(recipient.notify),
        status="2.0.0",
        action="expanded",
        reason="alias expanded",
    )


def _comment(name: bytes) -> bytes:
    """The text of a comment (RFC 5322 §3.2.2); parentheses that are no pairs are quoted."""
    depth = lowest = 0
    for octet in name:
        depth += (octet == 0x28) - (octet == 0x29)
        lowest = min(lowest, depth)
    return name if not depth and not lowest else _IN_COMMENT.sub(rb"\\\1", name)


def _phrase(name: bytes) -> bytes:
    """A display name (RFC 5322 §3.2.5): atoms as they are, anything else as a quoted string."""
    name = b" ".join(name.split())
    if _ATOMS.fullmatch(name) is not None:
        return name
    return b'"%s"' % _TO_ESCAPE.sub(rb"\\\1", name)
