"""What the configuration says of IMAP sessions.

DESCRIPTION
    Fields have the names of Dovecot's settings.  Workarounds are for clients that misread the protocol; each is
    off unless it is asked for.
"""

from enum import Enum
from typing import Final

import msgspec

from pillarbox.config.dovecot.logout_format import IMAP_FORMAT
from pillarbox.config.mail_log_settings import NOTHING, MailLogSettings
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.wire.imap.server import MAX_LINE


class Workaround(Enum):
    """The words of imap_client_workarounds."""

    DELAY_NEWMAIL = "delay-newmail"
    """EXISTS and RECENT are told only by NOOP, CHECK, IDLE, and commands that add or remove messages: Outlook
    Express."""
    EXTRA_MAILBOX_SEPARATOR = "tb-extra-mailbox-sep"
    """A separator at the end of a mailbox's name, of RENAME's new one, too, is not there: Thunderbird."""
    LSUB_FLAGS = "tb-lsub-flags"
    """LSUB tells \\Noselect of what cannot be selected, as LIST does: Thunderbird."""


ACL_COMMANDS: Final = frozenset((b"GETACL", b"SETACL", b"DELETEACL", b"LISTRIGHTS", b"MYRIGHTS"))
QUOTA_COMMANDS: Final = frozenset((b"GETQUOTA", b"GETQUOTAROOT", b"SETQUOTA"))


class ImapOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Of all sessions of a worker."""

    message_size_limit: int = 0  # octets of a message that APPEND takes; 0: any
    capability: str = ""  # imap_capability: instead of ours, or with `+` behind them
    workarounds: frozenset[Workaround] = frozenset()
    idle_notify_interval: float = 120.0  # seconds between two `Still here`
    user: str = ""
    has_acl: bool = False  # mail_plugins has imap_acl
    acl_anyone: bool = False  # users may share with everybody
    has_quota: bool = False  # mail_plugins has imap_quota
    id_log: tuple[str, ...] = ()  # imap_id_log: fields of ID that the log tells
    logout_format: str = IMAP_FORMAT  # imap_logout_format
    log_values: dict[str, str] = {}  # what it may tell of whose session it is
    trash: frozenset[str] = frozenset()  # names of mailboxes that are for \\Trash
    max_line_length: int = MAX_LINE  # octets
    server_id: tuple[tuple[str, str | None], ...] = (("name", "Dovecot"),)  # imap_id_send
    literal_minus: bool = False  # LITERAL- in place of LITERAL+  RFC 7888 §5
    mail_log: MailLogSettings = NOTHING
    metadata: bool = False  # imap_metadata: GETMETADATA and SETMETADATA are for clients
    url_host: str = ""  # imap_urlauth_host: whose URLs we make and fetch, `*` for any; empty: none
    url_port: int = 143  # imap_urlauth_port
    server_comment: str = ""  # mail_server_comment
    server_admin: str = ""  # mail_server_admin

    @property
    def server_metadata(self) -> dict[str, bytes]:
        """What the configuration says of the account's annotations (RFC 5464 §6.2.1)."""
        texts = {"/shared/comment": self.server_comment, "/shared/admin": self.server_admin}
        return {entry: text.encode("utf-8") for entry, text in texts.items() if text}

    @property
    def absent_commands(self) -> frozenset[bytes]:
        """Commands of plugins that are not loaded."""
        absent: frozenset[bytes] = frozenset()
        if not self.has_acl:
            absent |= ACL_COMMANDS
        if not self.has_quota:
            absent |= QUOTA_COMMANDS
        return absent


def imap_options(settings: MailboxSettings) -> ImapOptions:
    """What dovecot.conf comes to; user and log_values are each session's own."""
    return ImapOptions(
        message_size_limit=settings.quota_mail_size,
        capability=settings.imap_capability,
        workarounds=frozenset(map(Workaround, settings.imap_client_workarounds)),
        idle_notify_interval=settings.imap_idle_notify_interval,
        logout_format=settings.imap_logout_format,
        id_log=settings.imap_id_log,
        trash=_trash_names(settings),
        max_line_length=settings.imap_max_line_length,
        server_id=settings.imap_id_send,
        literal_minus=settings.imap_literal_minus,
        metadata=settings.imap_metadata,
        url_host=settings.imap_urlauth_host if settings.mail_attribute_dict else "",
        url_port=settings.imap_urlauth_port,
        server_comment=settings.mail_server_comment,
        server_admin=settings.mail_server_admin,
        has_quota=settings.has_plugin("imap_quota", "imap"),
        has_acl=settings.has_plugin("imap_acl", "imap") and settings.has_plugin("acl", "imap"),
        acl_anyone=settings.acl_anyone,
        mail_log=settings.mail_log_of("imap"),
    )


def _trash_names(settings: MailboxSettings) -> frozenset[str]:
    """Mailboxes that dovecot.conf says are for \\Trash (RFC 6154), as clients name them."""
    return frozenset(
        namespace.prefix + mailbox.name.replace("/", namespace.separator or "/")
        for namespace in settings.namespaces
        for mailbox in namespace.mailboxes
        if any(use.lower() == "\\trash" for use in mailbox.special_use)
    )


DEFAULTS: Final = ImapOptions()
