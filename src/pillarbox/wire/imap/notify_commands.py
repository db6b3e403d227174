"""The command NOTIFY as a value.

STANDARDS
    RFC 5465
"""

from enum import Enum

import msgspec

from pillarbox.wire.imap.commands import Command
from pillarbox.wire.imap.fetch_items import FetchItems


class NotifyFilter(Enum):
    """`filter-mailboxes`  RFC 5465 §6"""

    SELECTED = b"selected"
    SELECTED_DELAYED = b"selected-delayed"
    INBOXES = b"inboxes"
    PERSONAL = b"personal"
    SUBSCRIBED = b"subscribed"
    SUBTREE = b"subtree"
    MAILBOXES = b"mailboxes"


class NotifyEvent(Enum):
    """`event`  RFC 5465 §5"""

    MESSAGE_NEW = b"MessageNew"
    MESSAGE_EXPUNGE = b"MessageExpunge"
    FLAG_CHANGE = b"FlagChange"
    ANNOTATION_CHANGE = b"AnnotationChange"
    MAILBOX_NAME = b"MailboxName"
    SUBSCRIPTION_CHANGE = b"SubscriptionChange"
    MAILBOX_METADATA_CHANGE = b"MailboxMetadataChange"
    SERVER_METADATA_CHANGE = b"ServerMetadataChange"


class EventGroup(msgspec.Struct, frozen=True):
    """`"(" filter-mailboxes SP events ")"`; `fetch` is what to tell of new messages in the selected mailbox."""

    filter: NotifyFilter
    mailboxes: tuple[str, ...]
    events: frozenset[NotifyEvent]
    fetch: FetchItems | None = None


class Notify(Command, frozen=True):
    """`"NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE")`  RFC 5465 §3.1; NONE is no groups

    `unknown`: whether there are events that nobody here knows.
    """

    groups: tuple[EventGroup, ...]
    status: bool = False
    unknown: bool = False
