"""What an administrator may choose of POP3 sessions (dovecot.conf)."""

from enum import StrEnum
from typing import Final

import msgspec

from pillarbox.config.dovecot.logout_format import POP3_FIGURES, POP3_FORMAT, refers_to
from pillarbox.config.mailbox_settings import MailboxSettings

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
    reuses_header_ids: bool = False
    """pop3_reuse_xuidl: a message's X-UIDL field is its unique id."""
    saves_unique_ids: bool = False
    """pop3_save_uidl: they are written into the mailbox."""
    no_flag_updates: bool = False
    """pop3_no_flag_updates: what was retrieved is not marked as read."""
    deleted_flag: bytes = b""
    """pop3_deleted_flag: messages with this keyword are not there."""
    flags_deleted: bool = False
    """pop3_delete_type = flag: deleted messages get that keyword, and stay."""
    has_last: bool = False
    """pop3_enable_last: LAST is answered, and RSET makes all messages unread."""
    logout_format: str = POP3_FORMAT
    """pop3_logout_format: the figures of a session in the log."""
    workarounds: frozenset[Pop3Workaround] = frozenset()

    @property
    def logs_unique_ids(self) -> bool:
        """Whether pop3_logout_format tells of them."""
        return refers_to(self.logout_format, "uidl_change", POP3_FIGURES)


def pop3_options(settings: MailboxSettings) -> Pop3Options:
    """What dovecot.conf comes to."""
    return Pop3Options(
        uidl_format=settings.pop3_uidl_format,
        renames_duplicates=settings.pop3_uidl_duplicates == "rename",
        reuses_header_ids=settings.pop3_reuse_xuidl,
        saves_unique_ids=settings.pop3_save_uidl,
        no_flag_updates=settings.pop3_no_flag_updates,
        deleted_flag=settings.pop3_deleted_flag.encode(),
        flags_deleted=settings.pop3_delete_type == "flag",
        has_last=settings.pop3_enable_last,
        logout_format=settings.pop3_logout_format,
        workarounds=frozenset(map(Pop3Workaround, settings.pop3_client_workarounds)),
    )
