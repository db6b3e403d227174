"""The commands of URLAUTH as values.

STANDARDS
    RFC 4467 §7; RFC 5524 §5 (URLAUTH=BINARY)
"""

from enum import Flag as EnumFlag
from enum import auto

import msgspec

from pillarbox.wire.imap.commands import Command


class GenUrlAuth(Command, frozen=True):
    """`"GENURLAUTH" 1*(SP url-rump SP mechanism)`  RFC 4467 §7"""

    rumps: tuple[tuple[bytes, bytes], ...]


class ResetKey(Command, frozen=True):
    """`"RESETKEY" [SP mailbox *(SP mechanism)]`  RFC 4467 §7; None for all mailboxes"""

    mailbox: str | None
    mechanisms: tuple[bytes, ...]


class UrlForm(EnumFlag):
    """`url-fetch-param`  RFC 5524 §5; none at all for the answer of RFC 4467"""

    NONE = 0
    EXTENDED = auto()
    BODY = auto()
    BINARY = auto()
    BODYPARTSTRUCTURE = auto()


class FetchedUrl(msgspec.Struct, frozen=True):
    """`url-full`, and how it is wanted."""

    text: bytes
    form: UrlForm = UrlForm.NONE


class UrlFetch(Command, frozen=True):
    """`"URLFETCH" 1*(SP url-full)`  RFC 4467 §7"""

    urls: tuple[FetchedUrl, ...]
