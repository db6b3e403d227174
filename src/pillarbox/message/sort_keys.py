"""What SORT and THREAD compare, found once in a message's header.

DESCRIPTION
    Texts are brought into a form in which they compare as `i;unicode-casemap` has it, without regard to case
    and with accents behind their letters.  Addresses are those of ENVELOPE: the first of a field counts.

STANDARDS
    RFC 5256 §2.1, §2.2 (sent date), §3 (sort keys, message ids); RFC 5957 (DISPLAYFROM, DISPLAYTO); RFC 5051
"""

import re
from functools import lru_cache
from typing import Final

import msgspec

from pillarbox.message.base_subject import base_subject
from pillarbox.message.collation import casemap
from pillarbox.message.encoded_words import decode_words
from pillarbox.message.envelope import one_line
from pillarbox.message.message_ids import message_ids
from pillarbox.message.structured_fields import MailAddress, parse_addresses, parse_date

_FIELDS: Final = re.compile(
    rb"\n((?i:date|subject|from|to|cc|in-reply-to|references|message-id))[ \t]*:"
    rb"((?>(?:[^\n]*\n[ \t])*)[^\n]*)"
)
MAX_REFERENCES: Final = 200
"""Message ids of References that are looked at: the first, and those nearest to the message."""
MAX_TEXT: Final = 1024
"""Characters of a text that are compared."""


class SortKeys(msgspec.Struct, frozen=True, array_like=True):
    """Of one message."""

    sent: int  # seconds since 1970; INTERNALDATE if there is no Date
    subject: str  # the base subject
    is_reply: bool
    sender: str  # the local part of the first From
    recipient: str
    copied: str
    display_sender: str  # the name, or else the whole address
    display_recipient: str
    message_id: bytes  # empty if there is none
    references: bytes  # message ids with blanks between, the eldest first


def sort_keys(header: bytes, internal_date: int) -> SortKeys:
    """The keys of a message with this header."""
    values: dict[bytes, bytes] = {}
    for name, value in _FIELDS.findall(b"\n" + header):
        values.setdefault(
            name.lower(), one_line(value) if b"\n" in value else value.removesuffix(b"\r").lstrip(b" \t")
        )
    moment = parse_date(values.get(b"date", b"").strip())
    # Wide and unbreakable blanks are blanks then, too.
    subject, is_reply = base_subject(collated(decode_words(values.get(b"subject", b""))))
    sender = _first(values.get(b"from", b""))
    recipient = _first(values.get(b"to", b""))
    ids = message_ids(values.get(b"message-id", b""))
    return SortKeys(
        moment.seconds if moment is not None else internal_date,
        subject,
        is_reply,
        sender[0],
        recipient[0],
        _first(values.get(b"cc", b""))[0],
        sender[1],
        recipient[1],
        ids[0] if ids else b"",
        b" ".join(_references(values)),
    )


@lru_cache(maxsize=4096)
def collated(text: str) -> str:
    """The text in the form in which texts are compared."""
    return casemap(text[:MAX_TEXT])


def _references(values: dict[bytes, bytes]) -> list[bytes]:
    """RFC 5256 §3: "If there is no References … the first valid message ID in the In-Reply-To"."""
    ids = message_ids(values.get(b"references", b""))
    if len(ids) > MAX_REFERENCES:
        ids = [ids[0], *ids[1 - MAX_REFERENCES :]]
    return ids or message_ids(values.get(b"in-reply-to", b""))[:1]


@lru_cache(maxsize=4096)
def _first(value: bytes) -> tuple[str, str]:
    """Local part and display of the first address of a field."""
    address = next(iter(parse_addresses(value)), MailAddress())
    mailbox = collated((address.mailbox or b"").decode("utf-8", "replace"))
    if address.name:
        return mailbox, collated(decode_words(address.name))
    whole = address.mailbox or b""
    if address.domain:
        whole += b"@" + address.domain
    return mailbox, collated(whole.decode("utf-8", "replace"))
