"""What an administrator may choose of POP3 sessions (dovecot.conf)."""

from enum import StrEnum
from typing import Final

import msgspec

USUAL_FORMAT: Final = "%08Xu%08Xv"


class Pop3Workaround(StrEnum):
    """The words of pop3_client_workarounds."""

    OUTLOOK_NO_NULS = "outlook-no-nuls"
    """Outlook stops at an octet of zeros: it gets 0x80 in its place."""
    OE_NS_EOH = "oe-ns-eoh"
    """Outlook Express and Netscape wait for the empty line behind a header, also where there is none."""


class Pop3Options(msgspec.Struct, frozen=True, kw_only=True):
    """Of all sessions of a server."""

    uidl_format: str = USUAL_FORMAT
    """pop3_uidl_format: what a unique id is made of."""
    renames_duplicates: bool = False
    """pop3_uidl_duplicates = rename: a unique id that another message has already gets a number."""
    no_flag_updates: bool = False
    """pop3_no_flag_updates: what was retrieved is not marked as read."""
    workarounds: frozenset[Pop3Workaround] = frozenset()
