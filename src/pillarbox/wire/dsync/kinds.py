"""The kinds of lines that dsync has, with their keys.

STANDARDS
    Dovecot 2.3, dsync protocol 3.5
"""

from typing import Final

from pillarbox.wire.dsync.fields import Kind

VERSION: Final = b"VERSION\tdsync\t3\t5\n"
END_OF_LIST: Final = b".\n"

HANDSHAKE: Final = Kind(
    b"H",
    "handshake",
    ("hostname",),
    (
        "sync_ns_prefix",
        "sync_box",
        "sync_box_guid",
        "sync_type",
        "debug",
        "sync_visible_namespaces",
        "exclude_mailboxes",
        "send_mail_requests",
        "backup_send",
        "backup_recv",
        "lock_timeout",
        "no_mail_sync",
        "no_backup_overwrite",
        "purge_remote",
        "no_notify",
        "sync_since_timestamp",
        "sync_max_size",
        "sync_flags",
        "sync_until_timestamp",
        "virtual_all_box",
        "empty_hdr_workaround",
        "import_commit_msgs_interval",
        "hashed_headers",
        "alt_char",
    ),
)
STATE: Final = Kind(
    b"S",
    "mailbox_state",
    ("mailbox_guid", "last_uidvalidity", "last_common_uid", "last_common_modseq", "last_common_pvt_modseq"),
    ("last_messages_count", "changes_during_sync"),
)
NODE: Final = Kind(
    b"N",
    "mailbox_tree_node",
    ("name", "existence"),
    (
        "mailbox_guid",
        "uid_validity",
        "uid_next",
        "last_renamed_or_created",
        "subscribed",
        "last_subscription_change",
    ),
)
DELETIONS: Final = Kind(
    b"D", "mailbox_delete", ("hierarchy_sep",), ("escape_char", "mailboxes", "dirs", "unsubscribes")
)
MAILBOX: Final = Kind(
    b"B",
    "mailbox",
    (
        "mailbox_guid",
        "uid_validity",
        "uid_next",
        "messages_count",
        "first_recent_uid",
        "highest_modseq",
        "highest_pvt_modseq",
    ),
    ("mailbox_lost", "mailbox_ignore", "cache_fields", "have_guids", "have_save_guids", "have_only_guid128"),
)
ATTRIBUTE: Final = Kind(
    b"A", "mailbox_attribute", ("type", "key"), ("value", "stream", "deleted", "last_change", "modseq")
)
CHANGE: Final = Kind(
    b"C",
    "mail_change",
    ("type", "uid"),
    (
        "guid",
        "hdr_hash",
        "modseq",
        "pvt_modseq",
        "add_flags",
        "remove_flags",
        "final_flags",
        "keywords_reset",
        "keyword_changes",
        "received_timestamp",
        "virtual_size",
    ),
)
REQUEST: Final = Kind(b"R", "mail_request", (), ("guid", "uid"))
MAIL: Final = Kind(
    b"M", "mail", (), ("guid", "uid", "pop3_uidl", "pop3_order", "received_date", "saved_date", "stream")
)
FINISH: Final = Kind(b"F", "finish", (), ("error", "mail_error", "require_full_resync"))
CACHE_FIELD: Final = Kind(b"c", "mailbox_cache_field", ("name", "decision"), ("last_used",))
DONE: Final = b"X"
"""The letter of a line by which a side ends the conversation."""

KINDS: Final = (
    HANDSHAKE,
    STATE,
    NODE,
    DELETIONS,
    MAILBOX,
    ATTRIBUTE,
    CHANGE,
    REQUEST,
    MAIL,
    FINISH,
    CACHE_FIELD,
)
BY_LETTER: Final = {kind.letter: kind for kind in KINDS}


def greeting() -> bytes:
    """What either side sends first."""
    return VERSION + b"".join(kind.heading() for kind in KINDS) + END_OF_LIST
