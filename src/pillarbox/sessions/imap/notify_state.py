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
from pillarbox.wire.imap.fetch_items import FetchItems, Item, Section, SectionPart
from pillarbox.wire.imap.notify_commands import EventGroup, NotifyEvent, NotifyFilter


class _Section(msgspec.Struct, frozen=True, array_like=True):
    label: bytes
    path: tuple[int, ...]
    part: bytes
    fields: tuple[bytes, ...]
    partial: tuple[int, int] | None
    peek: bool
    decoded: bool
    only_size: bool


class WrittenGroup(msgspec.Struct, frozen=True, array_like=True):
    """An event group."""

    filter: bytes
    mailboxes: tuple[str, ...]
    events: list[bytes]
    items: list[bytes] | None  # what is fetched of new messages
    sections: list[_Section]


class ParkedNotify(msgspec.Struct, frozen=True, array_like=True):
    """What a session that is parked watches."""

    groups: list[WrittenGroup]
    told: dict[str, MailboxStatus]  # of each mailbox whose messages are watched, by STATUS
    identities: dict[str, bytes]  # of the mailboxes that there were
    subscribed: list[str]


def written(groups: Iterable[EventGroup]) -> list[WrittenGroup]:
    """Event groups, written down."""
    return [
        WrittenGroup(
            group.filter.value,
            group.mailboxes,
            [event.value for event in group.events],
            [item.value for item in group.fetch.items] if group.fetch is not None else None,
            [_written(section) for section in group.fetch.sections] if group.fetch is not None else [],
        )
        for group in groups
    ]


def _written(one: Section) -> _Section:
    return _Section(
        one.label,
        one.path,
        one.part.value,
        one.fields,
        one.partial,
        one.peek,
        one.decoded,
        one.only_size,
    )


def read(groups: Iterable[WrittenGroup]) -> list[EventGroup]:
    """The other way."""
    return [
        EventGroup(
            NotifyFilter(group.filter),
            group.mailboxes,
            frozenset(map(NotifyEvent, group.events)),
            FetchItems(tuple(map(Item, group.items)), tuple(map(_read, group.sections)))
            if group.items is not None
            else None,
        )
        for group in groups
    ]


def _read(one: _Section) -> Section:
    return Section(
        one.label,
        one.path,
        SectionPart(one.part),
        one.fields,
        one.partial,
        one.peek,
        one.decoded,
        one.only_size,
    )
