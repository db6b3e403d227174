"""What a client wants to have of new messages, written down: for a session that is parked.

DESCRIPTION
    `written` and `read` turn `FetchItems` into octets and numbers and back, by the names they have on the wire.

STANDARDS
    RFC 3501 §9 (fetch-att); RFC 5465 §8
"""

import msgspec

from pillarbox.wire.imap.fetch_items import FetchItems, Item, Section, SectionPart


class _Section(msgspec.Struct, frozen=True, array_like=True):
    label: bytes
    path: tuple[int, ...]
    part: bytes
    fields: tuple[bytes, ...]
    partial: tuple[int, int] | None
    peek: bool
    decoded: bool
    only_size: bool


class WrittenItems(msgspec.Struct, frozen=True, array_like=True):
    """`FetchItems`."""

    items: list[bytes]
    sections: list[_Section]


def written(fetch: FetchItems | None) -> WrittenItems | None:
    """Written down."""
    if fetch is None:
        return None
    return WrittenItems(
        [item.value for item in fetch.items], [_written(section) for section in fetch.sections]
    )


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


def read(fetch: WrittenItems | None) -> FetchItems | None:
    """The other way."""
    if fetch is None:
        return None
    return FetchItems(tuple(map(Item, fetch.items)), tuple(map(_read, fetch.sections)))


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
