"""The records of a new queue file: what `NewEnvelope` says, around the content.

DESCRIPTION
    `size_record`, `encode_envelope`, the content's lines, `encode_end`: in this order they are a file, in Postfix's
    format.  queue_file.py reads it.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from pillarbox.queue.records import (
    ATTRIBUTE,
    FILTER,
    FULL_NAME,
    ORIGINAL_RECIPIENT,
    RECIPIENT,
    REDIRECT,
    SENDER,
    SIZE,
    TIME,
    VERP,
    WARN,
    encode_record,
)
from pillarbox.vocabulary.envelope import Notify


class NewEnvelope(msgspec.Struct, kw_only=True):
    """The envelope of a file to be written.  Addresses are in internal form."""

    arrival_time: float
    sender: bytes
    recipients: list["NewRecipient"]
    attributes: list[tuple[bytes, bytes]]  # in the order of the file, without create_time
    encoding: bytes = b""  # 7bit or 8bit, as the client declared
    client_records: bytes = b""  # `encode_attributes()` of log_* and client_*: the same for a whole session
    full_name: bytes = b""
    warn_after: float = 0.0  # delay_warning_time in seconds; 0: no delay warning
    verp: bytes = b""
    create_time: float = 0.0  # when it came into this queue, if not at arrival_time; lifetimes count from it


class NewRecipient(msgspec.Struct, frozen=True, gc=False):
    """A recipient to be written."""

    address: bytes
    original: bytes
    notify: Notify = Notify.DEFAULT
    dsn_original: bytes = b""
    before_aliases: bytes = b""  # if virtual_alias_maps have another address for it
    expanded: bool = False  # others get the message for it; the sender hears that, and nothing else of it


_SIZES: Final = b" ".join([b"%15d"] * 6)


def size_record(
    *, data_size: int, data_offset: int, recipients: int, flags: int, content_size: int, send_options: int
) -> bytes:
    """The 97 octets at the beginning of a file; zeroes until the sizes are known."""
    numbers = (data_size, data_offset, recipients, flags, content_size, send_options)
    return encode_record(SIZE, _SIZES % numbers)


def encode_envelope(envelope: NewEnvelope) -> bytes:
    """All records from the arrival time to `M`."""
    seconds, microseconds = divmod(round(envelope.arrival_time * 1_000_000), 1_000_000)
    out = [
        encode_record(TIME, b"%d %d" % (seconds, microseconds)),
        encode_record(ATTRIBUTE, b"create_time=%d" % (int(envelope.create_time) or seconds)),
        encode_attributes(envelope.attributes),
    ]
    if envelope.full_name:
        out.append(encode_record(FULL_NAME, envelope.full_name))
    out.append(encode_record(SENDER, envelope.sender))
    if envelope.encoding:
        out.append(encode_record(ATTRIBUTE, b"encoding=" + envelope.encoding))
    out.append(envelope.client_records)
    if envelope.verp:
        out.append(encode_record(VERP, envelope.verp))
    if envelope.warn_after > 0 and envelope.sender:  # who else would be warned?
        out.append(encode_record(WARN, b"%15d" % (seconds + int(envelope.warn_after))))
    out += [_encode_recipient(recipient) for recipient in envelope.recipients]
    out.append(b"M\x00")
    return b"".join(out)


def encode_attributes(attributes: Iterable[tuple[bytes, bytes]]) -> bytes:
    """`A` records; attributes without a value are left out."""
    payloads = [b"%s=%s" % pair for pair in attributes if pair[1]]
    return b"".join(
        [
            # Nearly always the length takes one octet.
            b"A%c%b" % (length, payload)
            if (length := len(payload)) < 0x80
            else encode_record(ATTRIBUTE, payload)
            for payload in payloads
        ]
    )


def _encode_recipient(recipient: NewRecipient) -> bytes:
    asked, original, address = recipient.dsn_original, recipient.original, recipient.address
    if asked and not recipient.notify and max(len(asked) + 14, len(original), len(address)) < 0x80:
        # The three records below, whose lengths take an octet each, as nearly all of them do.
        return b"A%cdsn_orig_rcpt=%bO%c%bR%c%b" % (
            len(asked) + 14,
            asked,
            len(original),
            original,
            len(address),
            address,
        )
    notify = encode_record(ATTRIBUTE, b"notify_flags=%d" % recipient.notify) if recipient.notify else b""
    return (
        notify
        + (encode_record(ATTRIBUTE, b"dsn_orig_rcpt=" + asked) if asked else b"")
        + encode_record(ORIGINAL_RECIPIENT, original)
        + encode_record(RECIPIENT, address)
    )


def qmgr_flags(recipients: Iterable[NewRecipient]) -> int:
    """Field 4 of the size record: what the recipients want to be told, shifted by one."""
    flags = 0
    for recipient in recipients:
        flags |= int(recipient.notify) << 1
    return flags


def encode_end(
    attributes: Iterable[tuple[bytes, bytes]] = (), *, content_filter: bytes = b"", redirect: bytes = b""
) -> bytes:
    """The extracted segment: `X`, what was learnt from the content, `E`.

    `content_filter` is the transport:destination that the message has to go through, `redirect` the address that
    gets it in the place of all recipients.
    """
    through = encode_record(FILTER, content_filter) if content_filter else b""
    instead = encode_record(REDIRECT, redirect) if redirect else b""
    return b"X\x00" + through + instead + encode_attributes(attributes) + b"E\x00"
