"""What a client of NOTIFY has asked for and was told, written down: for a session that is parked.

DESCRIPTION
    `written` and `read` turn event groups into octets, names and numbers and back, by the names that they have on
    the wire.

STANDARDS
    RFC 5465 §8
"""

from collections.abc import Iterable

import msgspec

from pillarbox.mailstore.mailbox import MailboxStatus
from pillarbox.sessions.imap import fetch_state
from pillarbox.sessions.imap.fetch_state import WrittenItems
from pillarbox.wire.imap.notify_commands import EventGroup, NotifyEvent, NotifyFilter


class WrittenGroup(msgspec.Struct, frozen=True, array_like=True):
    """An event group."""

    filter: bytes
    mailboxes: tuple[str, ...]
    events: list[bytes]
    fetch: WrittenItems | None  # of new messages


class ParkedNotify(msgspec.Struct, frozen=True, array_like=True):
    """What a session that is parked watches."""

    groups: list[WrittenGroup]
    told: dict[str, MailboxStatus]  # of each mailbox whose messages are watched, by STATUS
    identities: dict[str, bytes]  # of the mailboxes that there were
    subscribed: list[str]
    annotations: dict[str, dict[str, bytes]] = {}  # digests of those that are watched, by mailbox and entry


def written(groups: Iterable[EventGroup]) -> list[WrittenGroup]:
    """Event groups, written down."""
    return [
        WrittenGroup(
            group.filter.value,
            group.mailboxes,
            [event.value for event in group.events],
            fetch_state.written(group.fetch),
        )
        for group in groups
    ]


def read(groups: Iterable[WrittenGroup]) -> list[EventGroup]:
    """The other way."""
    return [
        EventGroup(
            NotifyFilter(group.filter),
            group.mailboxes,
            frozenset(map(NotifyEvent, group.events)),
            fetch_state.read(group.fetch),
        )
        for group in groups
    ]
