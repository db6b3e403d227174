"""NOTIFY: what a client wants to be told of without asking.

FAULTS
    BadSyntax, Refusal  as `scanner` says.

STANDARDS
    RFC 5465 §8 (formal syntax)
"""

from typing import Final

from pillarbox.wire.imap.fetch_items import FetchItems
from pillarbox.wire.imap.message_grammar import fetch_list
from pillarbox.wire.imap.notify_commands import EventGroup, Notify, NotifyEvent, NotifyFilter
from pillarbox.wire.imap.scanner import BadSyntax, Scanner

MAX_GROUPS: Final = 100
MAX_NAMES: Final = 1000
_FILTERS: Final = {one.value.upper(): one for one in NotifyFilter}
_EVENTS: Final = {one.value.upper(): one for one in NotifyEvent}
_SELECTED: Final = (NotifyFilter.SELECTED, NotifyFilter.SELECTED_DELAYED)
_WITH_NAMES: Final = (NotifyFilter.SUBTREE, NotifyFilter.MAILBOXES)


def notify(tag: bytes, scanner: Scanner) -> Notify:
    """`notify = "NOTIFY" SP ("SET" [SP "STATUS"] *(SP event-group) / "NONE")`"""
    scanner.space_or("Invalid arguments")
    word = scanner.word()
    if word == b"NONE" and scanner.at_word_end:  # what follows is ignored, as Dovecot does
        return Notify(tag, ())
    if word != b"SET":
        raise BadSyntax("Invalid arguments")
    status = False
    groups: list[EventGroup] = []
    unknown: list[bytes] = []
    while scanner.take_space() and not scanner.at_end:
        if not groups and not status and scanner.take_word(b"STATUS"):
            status = True
            continue
        groups.append(_group(scanner, unknown))
        if len(groups) > MAX_GROUPS:
            raise BadSyntax("Too many event groups")
    scanner.end()
    if sum(group.filter in _SELECTED for group in groups) > 1:
        raise BadSyntax("Duplicate selected filter")
    return Notify(tag, tuple(groups), status, bool(unknown))


def _group(scanner: Scanner, unknown: list[bytes]) -> EventGroup:
    """`event-group = "(" filter-mailboxes SP events ")"`"""
    scanner.expect_open()
    kind = _FILTERS.get(scanner.word())
    if kind is None:
        raise BadSyntax("Invalid arguments")
    scanner.space()
    names = _names(scanner) if kind in _WITH_NAMES else ()
    events, fetch = _events(scanner, unknown)
    scanner.expect_close()
    if fetch is not None and kind not in _SELECTED:
        raise BadSyntax("Invalid arguments")
    both = {NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE}
    if kind in _SELECTED and len(both & events) == 1:
        raise BadSyntax("MessageNew and MessageExpunge must be together")
    if kind in _SELECTED and NotifyEvent.FLAG_CHANGE in events and not both <= events:
        raise BadSyntax("FlagChange requires MessageNew and MessageExpunge")
    return EventGroup(kind, names, events, fetch)


def _names(scanner: Scanner) -> tuple[str, ...]:
    """`one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")"`, and the space behind"""
    names: list[str] = []
    if scanner.take_open():
        while not scanner.take_close():
            if names:
                scanner.space()
            names.append(scanner.mailbox_name())
            if len(names) > MAX_NAMES:
                raise BadSyntax("Too many mailboxes")
    else:
        names.append(scanner.mailbox_name())
    scanner.space()
    if not names:
        raise BadSyntax("Invalid arguments")
    return tuple(names)


def _events(scanner: Scanner, unknown: list[bytes]) -> tuple[frozenset[NotifyEvent], FetchItems | None]:
    """`events = "(" event *(SP event) ")" / "NONE"`, with what is to be fetched of new messages

    `unknown` gets the names of extensions that there are not (`event-ext = atom`).
    """
    if scanner.take_word(b"NONE"):
        return frozenset(), None
    scanner.expect_open()
    events: set[NotifyEvent] = set()
    fetch: FetchItems | None = None
    first = True
    while not scanner.take_close():
        if not first:
            scanner.space()
        first = False
        word = scanner.word()
        event = _EVENTS.get(word)
        if event is None:
            unknown.append(word)
            continue
        events.add(event)
        if event is NotifyEvent.MESSAGE_NEW and scanner.next_word_opens:
            scanner.space()
            fetch = fetch_list(scanner)
    if first:
        raise BadSyntax("Invalid arguments")
    return frozenset(events), fetch
