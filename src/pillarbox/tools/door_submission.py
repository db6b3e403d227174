"""A session's message that goes in as a local user's: by one of the doors of local_submission.py.

FAULTS
    QueueFileFault   the mail system did not take it; the reason is in the log of who asked
"""

import errno
from collections.abc import Iterable
from typing import Final

from pillarbox.config.snapshot import Snapshot
from pillarbox.message.address_rewriting import HeaderRewriting
from pillarbox.queue.incoming import QueueFileFault
from pillarbox.queue.new_queue_file import NewEnvelope, NewRecipient
from pillarbox.queue.queue_file import SEND_REQUIRES_TLS, SEND_SMTPUTF8
from pillarbox.queue.records import (
    ATTRIBUTE,
    END,
    EXTRACTED,
    MESSAGE,
    RECIPIENT,
    SENDER,
    VERP,
    ContentEncoder,
    encode_record,
)
from pillarbox.queue.submission import MessageTooBig, Rules, Submission
from pillarbox.tools.command_settings import Stop
from pillarbox.tools.local_submission import open_door
from pillarbox.vocabulary.identifiers import QueueId

_KEPT: Final = (b"envelope_id", b"ret_flags")
"""Attributes that a local user may say; the rest is the mail system's to know."""


class DoorSubmission(Submission):
    """One message on its way; its header is completed, and its hops are counted, by the mail system."""

    __slots__ = ("_door", "_id", "_octets", "_records", "_size_limit")

    def __init__(self, snapshot: Snapshot, rules: Rules) -> None:
        """QueueFileFault if there is no door, or nobody behind it."""
        self.content_filter, self.redirect = b"", b""
        self.message_ids = []
        self._records = ContentEncoder()
        self._octets = 0
        self._size_limit = rules.message_size_limit
        self._handed_over = False
        try:
            self._door = open_door(snapshot, "sendmail")
            self._id = self._door.identify()
        except Stop as stop:
            raise _fault(stop) from stop

    @property
    def queue_id(self) -> QueueId:
        """The id of the file that it is until the mail system has taken it."""
        return QueueId(self._id)

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
        """Write the envelope and the `trace` lines.  What else is asked for, pickup does."""
        attributes = [(name, value) for name, value in envelope.attributes if name in _KEPT and value]
        parts = [encode_record(ATTRIBUTE, name + b"=" + value) for name, value in attributes]
        parts.append(encode_record(SENDER, envelope.sender))
        if envelope.verp:
            parts.append(encode_record(VERP, envelope.verp))
        if envelope.encoding:
            parts.append(encode_record(ATTRIBUTE, b"encoding=" + envelope.encoding))
        if options := send_options & (SEND_SMTPUTF8 | SEND_REQUIRES_TLS):
            parts.append(encode_record(ATTRIBUTE, b"sendopts=%d" % options))
        for recipient in envelope.recipients:
            if recipient.notify:
                parts.append(encode_record(ATTRIBUTE, b"notify_flags=%d" % recipient.notify))
            if recipient.dsn_original:
                parts.append(encode_record(ATTRIBUTE, b"dsn_orig_rcpt=" + recipient.dsn_original))
            parts.append(encode_record(RECIPIENT, recipient.original))
        parts.append(encode_record(MESSAGE, b""))
        parts += [self._records.feed(line + b"\r\n") for line in trace]
        self._write(b"".join(parts))

    def replace_recipients(self, recipients: list[NewRecipient]) -> None:
        """No table adds any."""
        raise AssertionError("recipients of a message of a local user are final")

    async def feed(self, content: bytes) -> None:
        """Content with CRLF line ends.  MessageTooBig, QueueFileFault."""
        self._octets += len(content)
        if self._size_limit and self._octets > self._size_limit:
            raise MessageTooBig
        self._write(self._records.feed(content))

    async def commit(self) -> QueueId:
        """The message is complete: the mail system's id of it, if that has taken it already."""
        self._write(self._records.finish() + encode_record(EXTRACTED, b"") + encode_record(END, b""))
        self._handed_over = True
        try:
            self._door.commit()
        except Stop as stop:
            raise _fault(stop) from stop
        return QueueId(self._door.queue_id or self._id)

    @property
    def size(self) -> int:
        """Octets of content."""
        return self._octets

    def abort(self) -> None:
        """Forget the message."""
        if not self._handed_over:
            self._handed_over = True
            self._door.abort()

    def _write(self, records: bytes) -> None:
        try:
            self._door.write(records)
        except Stop as stop:
            raise _fault(stop) from stop


def _fault(stop: Stop) -> QueueFileFault:
    return QueueFileFault(OSError(errno.EIO, str(stop)))
