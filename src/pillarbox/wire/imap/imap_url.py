"""IMAP URLs that name a message or a part of one, relative to the server: `/INBOX/;UID=7/;SECTION=1.2`.

FAULTS
    BadUrl  not such a URL; `str()` is for the client.

STANDARDS
    RFC 5092 §6, §11 (ABNF); RFC 4469 §3; RFC 5550 (URL-PARTIAL)
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from pillarbox.vocabulary.digits import decimal
from pillarbox.wire.imap.fetch_items import Section
from pillarbox.wire.imap.message_grammar import read_section
from pillarbox.wire.imap.scanner import BadSyntax

_URL: Final = re.compile(
    rb"/?(?P<mailbox>[^;]*?)(?:;UIDVALIDITY=(?P<validity>[0-9]{1,10}))?/;UID=(?P<uid>[0-9]{1,10})"
    rb"(?:/;SECTION=(?P<section>[^;]+?))?(?:/;PARTIAL=(?P<first>[0-9]{1,19})(?:\.(?P<count>[0-9]{1,19}))?)?",
    re.IGNORECASE,
)
_SCHEME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*:")
_ALL: Final = (1 << 63) - 1


class BadUrl(Exception):
    """NO [BADURL …]"""


class MessageUrl(msgspec.Struct, frozen=True):
    """What such a URL names; an empty mailbox is the selected one."""

    mailbox: str
    uid_validity: int | None
    uid: int
    section: Section


def parse_message_url(text: bytes) -> MessageUrl:
    """`[mailbox [";UIDVALIDITY=" nz-number]] "/;UID=" nz-number ["/;SECTION=" enc-section] ["/;PARTIAL=" range]`"""
    if _SCHEME.match(text) is not None:
        known = text[:5].lower() == b"imap:"
        raise BadUrl("Relative IMAP URL required" if known else "Invalid IMAP URL: Not an IMAP URL")
    found = _URL.fullmatch(text)
    if found is None:
        raise BadUrl("Invalid IMAP URL: not the URL of a message")
    try:
        mailbox = unquote_to_bytes(found["mailbox"]).decode("utf-8")
        partial = (
            (decimal(found["first"]), decimal(found["count"] or b"%d" % _ALL)) if found["first"] else None
        )
        section = read_section(unquote_to_bytes(found["section"] or b""))
    except (UnicodeError, BadSyntax):
        raise BadUrl("Invalid IMAP URL") from None
    validity = decimal(found["validity"]) if found["validity"] else None
    section = msgspec.structs.replace(section, partial=partial)
    return MessageUrl(mailbox, validity, decimal(found["uid"]), section)
