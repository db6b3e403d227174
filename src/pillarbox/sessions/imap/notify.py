"""NOTIFY: the client is told of changes as they happen, in the selected mailbox and in others.

DESCRIPTION
    In the selected mailbox, news are told while the client is silent, too; of new messages, what the client wants
    to have of each.  Of other mailboxes it is told by STATUS what has changed since the last STATUS, of mailboxes
    that come, go, get another name or are subscribed by LIST, of annotations by METADATA.

    A mailbox is watched while it is asked for; nothing is polled.  All event groups that have a mailbox count for
    it.  As with Dovecot, a client that has said NOTIFY and nothing about the selected mailbox is not told of its
    changes.  What a client has done to names and subscriptions itself it is not told.

FAULTS
    NO [BADEVENT (…)]            events that are not told here; those that are
    NO [NOTIFICATIONOVERFLOW]    more mailboxes than are watched; what was asked for before goes on
    * OK [NOTIFICATIONOVERFLOW]  the same, since there are more by now; from then on it is as after NOTIFY NONE

STANDARDS
    RFC 5465
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from pillarbox.mailstore.mailbox import (
    Mailbox,
    MailboxStatus,
    NoSuchMailbox,
    PermissionDenied,
    StoreUnavailable,
)
from pillarbox.mailstore.mailbox_list import MailboxEntry
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.imap.event_groups import SELECTED, EventGroups
from pillarbox.sessions.imap.fetch import fetch_items
from pillarbox.sessions.imap.mailbox_commands import status_value
from pillarbox.sessions.imap.metadata_news import SERVER, MetadataNews
from pillarbox.sessions.imap.name_changes import NameChange, OwnChanges, name_changes
from pillarbox.sessions.imap.news import SILENT, SelectedNews
from pillarbox.sessions.imap.notify_state import ParkedNotify, read, written
from pillarbox.wire.imap import responses
from pillarbox.wire.imap.commands import StatusItem
from pillarbox.wire.imap.notify_commands import EventGroup, Notify, NotifyEvent, NotifyFilter

MAX_MAILBOXES: Final = 1000
"""Mailboxes that are watched for one session."""
MAX_PARKED_ENTRIES: Final = 1000
"""Annotations of mailboxes that a session that is parked watches."""
MAX_PARKED: Final = 64
"""The same for one that is parked: who goes on with it opens all of them."""
_TOO_MANY: Final = b"Too many mailboxes to watch"
_SUPPORTED: Final = (
    NotifyEvent.MESSAGE_NEW,
    NotifyEvent.MESSAGE_EXPUNGE,
    NotifyEvent.FLAG_CHANGE,
    NotifyEvent.MAILBOX_NAME,
    NotifyEvent.SUBSCRIPTION_CHANGE,
)
_WITH_METADATA: Final = (NotifyEvent.MAILBOX_METADATA_CHANGE, NotifyEvent.SERVER_METADATA_CHANGE)
"""Those that are told where METADATA is served (RFC 5465 §5.6: "REQUIRED")."""
_MESSAGE_EVENTS: Final = frozenset(
    (NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE, NotifyEvent.FLAG_CHANGE)
)


async def notify(conversation: Conversation, command: Notify) -> None:
    """NOTIFY."""
    supported = (*_SUPPORTED, *_WITH_METADATA) if conversation.options.metadata else _SUPPORTED
    if command.unknown or any(event not in supported for group in command.groups for event in group.events):
        names = b" ".join(event.value for event in supported)  # RFC 5465 §3.1: "all events supported"
        conversation.no(command.tag, b"[BADEVENT (%b)] Unsupported NOTIFY events" % names)
        return
    notifications = Notifications(conversation, command.groups)
    if not await notifications.look():
        conversation.no(command.tag, b"[NOTIFICATIONOVERFLOW] " + _TOO_MANY)
        return
    if conversation.notifications is not None:
        conversation.notifications.close()
    notifications.attach()
    await notifications.begin(with_status=command.status)
    selected = notifications.of_selected
    if selected is not None and selected.events:
        await conversation.refresh()
        await conversation.tell_changes(asked=True)
    conversation.ok(command.tag, b"NOTIFY completed")


async def go_on(conversation: Conversation, parked: ParkedNotify) -> None:
    """The same for a session that was parked: what has happened meanwhile is told."""
    notifications = Notifications(conversation, read(parked.groups))
    notifications.attach()
    await notifications.go_on(parked)


def _news(conversation: Conversation, group: EventGroup | None) -> SelectedNews:
    """What the client is told of the selected mailbox."""
    if group is None or not group.events & _MESSAGE_EVENTS:
        return SILENT
    fetch = group.fetch

    async def tell_new(after: int) -> None:
        if fetch is not None:
            await fetch_items(conversation, fetch, conversation.selected.uids_above(after))

    return SelectedNews(
        new=NotifyEvent.MESSAGE_NEW in group.events,
        expunges=NotifyEvent.MESSAGE_EXPUNGE in group.events,
        flags=NotifyEvent.FLAG_CHANGE in group.events,
        unasked=True,
        expunges_unasked=group.filter is NotifyFilter.SELECTED,
        tell_new=tell_new,
    )


class _Watched(msgspec.Struct):
    """A mailbox whose messages are watched."""

    mailbox: Mailbox
    events: frozenset[NotifyEvent]
    told: MailboxStatus
    end_watch: Callable[[], None]


class Notifications:
    """What one session watches: `news.Notifications`."""

    def __init__(self, conversation: Conversation, groups: Sequence[EventGroup]) -> None:
        """Nothing is watched yet."""
        self._conversation = conversation
        self.of_selected = next((group for group in groups if group.filter in SELECTED), None)
        self._groups = EventGroups(groups, conversation.account.separator)
        self._watched: dict[str, _Watched] = {}
        self._changed: set[str] = set()  # names of watched mailboxes
        self._names_changed = False
        self._identities: dict[str, bytes] = {}
        self._subscribed: frozenset[str] = frozenset()
        self._own = OwnChanges()
        self._closed: set[str] = set()  # what was told to be \NoAccess
        self._metadata = MetadataNews(conversation.account)
        self._end_names: Callable[[], None] | None = None
        self._end_selected: Callable[[], None] | None = None

    async def look(self) -> bool:
        """Learn what there is; False if that is more than can be watched."""
        if self._groups.groups:
            account = self._conversation.account
            self._identities = dict(await account.identities())
            self._subscribed = frozenset(await account.subscriptions())
        return len(self._wanted()) <= MAX_MAILBOXES and len(self._annotated()) <= MAX_MAILBOXES

    def attach(self) -> None:
        """From now on, the conversation's."""
        self._conversation.news = _news(self._conversation, self.of_selected)
        self._conversation.notifications = self

    async def begin(self, *, with_status: bool) -> None:
        """Begin to watch; `with_status`: tell how things are now (RFC 5465 §3.1)."""
        self.selected_changed()
        if not self._groups.groups:
            return
        self._end_names = self._conversation.account.watch_names(self._note_names)
        await self._metadata.begin(self._annotated())
        self._note_names()  # perhaps between the look and the watch
        await self._watch_messages()
        for name, watched in sorted(self._watched.items()) if with_status else ():
            if not self._is_selected(name):
                self._tell_status(name, watched, watched.told, with_validity=True)
                await self._conversation.flush_if_much()

    async def go_on(self, parked: ParkedNotify) -> None:
        """Go on with what another process has watched."""
        self.selected_changed()
        if not self._groups.groups:
            return
        self._end_names = self._conversation.account.watch_names(self._note_names)
        self._identities = parked.identities
        self._subscribed = frozenset(parked.subscribed)
        self._metadata.go_on(parked.annotations)
        await self._watch_messages()
        for name, watched in self._watched.items():
            told = parked.told.get(name)
            if told is not None and told.uid_validity == watched.told.uid_validity:
                watched.told = told
        self._note_names()

    @property
    def can_be_parked(self) -> bool:
        """Whether few enough mailboxes are watched to open them all for a change in one."""
        known = self._metadata.known
        entries = sum(map(len, known.values()))
        few = len(self._watched) <= MAX_PARKED and len(known) <= MAX_PARKED and entries <= MAX_PARKED_ENTRIES
        return few and not self._metadata.awaits_look

    @property
    def state(self) -> ParkedNotify:
        """All of that, written down."""
        groups = [*self._groups.groups, *([] if self.of_selected is None else [self.of_selected])]
        told = {name: watched.told for name, watched in self._watched.items()}
        subscribed = sorted(self._subscribed)
        return ParkedNotify(written(groups), told, self._identities, subscribed, self._metadata.known)

    @property
    def watched_directories(self) -> tuple[bytes, ...]:
        """Where messages are watched."""
        return tuple(
            directory
            for watched in self._watched.values()
            for directory in watched.mailbox.watched_directories
        )

    @property
    def name_directories(self) -> tuple[bytes, ...]:
        """Where mailboxes and subscriptions are watched."""
        return self._conversation.account.name_directories if self._groups.groups else ()

    @property
    def annotation_files(self) -> tuple[bytes, ...]:
        """Where annotations are, if they are watched."""
        return self._conversation.account.annotation_files if self._annotated() else ()

    def selected_changed(self) -> None:
        """Another mailbox is selected, or none."""
        if self._end_selected is not None:
            self._end_selected()
            self._end_selected = None
        view = self._conversation.view
        if view is not None and self._conversation.news.unasked:
            self._end_selected = view.mailbox.watch(self._conversation.waiting.mailbox_changed)

    def close(self) -> None:
        """Watch nothing any more."""
        for end in (self._end_names, self._end_selected):
            if end is not None:
                end()
        self._end_names = self._end_selected = None
        for name in list(self._watched):
            self._forget(name)

    async def tell(self) -> None:
        """What has happened in other mailboxes."""
        if self._names_changed:
            self._names_changed = False
            await self._tell_names()
            await self._tell_metadata()
        while self._changed:
            name = self._changed.pop()
            watched = self._watched.get(name)
            if watched is not None and not self._is_selected(name):
                await self._tell_messages(name, watched)

    # --- messages -----------------------------------------------------------------------------------

    def _wanted(self) -> dict[str, frozenset[NotifyEvent]]:
        """The mailboxes whose messages are asked for, and what of them."""
        return {
            name: events for name in self._identities if (events := self._events_of(name) & _MESSAGE_EVENTS)
        }

    async def _watch_messages(self, *, made_anew: Container[str] = ()) -> None:
        """Watch the mailboxes that are there and asked for, no others; of those made anew tell the UIDVALIDITY."""
        wanted = self._wanted()
        if len(wanted) > MAX_MAILBOXES:
            self._overflow()
            return
        for name in [name for name in self._watched if name not in wanted or name in made_anew]:
            self._forget(name)
        for name, events in wanted.items():
            if name in self._watched:
                self._watched[name].events = events
                continue
            await self._watch(name, events)
            if name in made_anew and name in self._watched and NotifyEvent.FLAG_CHANGE in events:
                watched = self._watched[name]
                self._tell_status(name, watched, watched.told, with_validity=True)  # RFC 5465 §5.1

    async def _watch(self, name: str, events: frozenset[NotifyEvent]) -> None:
        account = self._conversation.account
        try:
            mailbox = await account.open(name, read_only=True)
        except PermissionDenied:
            self._tell_no_access(name)
            return
        except (NoSuchMailbox, StoreUnavailable):
            return
        try:
            told = await account.status(name, with_modseq=self._with_modseq(events))
        except (NoSuchMailbox, StoreUnavailable, PermissionDenied):
            mailbox.close()
            return
        end_watch = mailbox.watch(lambda: self._note(name))
        self._watched[name] = _Watched(mailbox, events, told, end_watch)
        if not self._identities[name]:  # by which it is known again under another name
            self._identities[name] = mailbox.guid
        self._changed.add(name)  # perhaps between the look and the watch
        if name in self._closed:  # RFC 5465 §5.9
            self._closed.discard(name)
            entries = {entry.name: entry for entry in await account.list_mailboxes()}
            self._tell_listing(NameChange(name), entries)

    def _with_modseq(self, events: frozenset[NotifyEvent]) -> bool:
        return NotifyEvent.FLAG_CHANGE in events or self._conversation.condstore

    def _forget(self, name: str) -> None:
        watched = self._watched.pop(name)
        watched.end_watch()
        watched.mailbox.close()

    async def _tell_messages(self, name: str, watched: _Watched) -> None:
        try:
            found = await self._conversation.account.status(
                name, with_modseq=self._with_modseq(watched.events)
            )
        except PermissionDenied:  # RFC 5465 §5.9
            self._forget(name)
            self._tell_no_access(name)
            return
        except (NoSuchMailbox, StoreUnavailable):
            return  # that it is gone is told by its name
        before, watched.told = watched.told, found
        is_anew = found.uid_validity != before.uid_validity
        news = (
            (NotifyEvent.MESSAGE_NEW, found.uid_next != before.uid_next),
            (
                NotifyEvent.MESSAGE_EXPUNGE,
                found.messages < before.messages + found.uid_next - before.uid_next,
            ),
            (NotifyEvent.FLAG_CHANGE, is_anew or found.highest_modseq != before.highest_modseq),
        )
        if any(event in watched.events and is_new for event, is_new in news):
            with_validity = NotifyEvent.FLAG_CHANGE in watched.events and self._conversation.condstore
            self._tell_status(name, watched, found, with_validity=is_anew or with_validity)

    def _tell_status(
        self, name: str, watched: _Watched, found: MailboxStatus, *, with_validity: bool
    ) -> None:
        """`* STATUS`, with what RFC 5465 §3.1 and §5.1 to §5.3 want in it."""
        conversation = self._conversation
        items = [StatusItem.MESSAGES]
        if NotifyEvent.MESSAGE_NEW in watched.events:
            items.append(StatusItem.UIDNEXT)
        if with_validity:
            items.append(StatusItem.UIDVALIDITY)
        items.append(StatusItem.UNSEEN)
        if self._with_modseq(watched.events):
            items.append(StatusItem.HIGHESTMODSEQ)
        values = [(item, status_value(conversation, found, item)) for item in items]
        conversation.engine.untagged(responses.status(conversation.name(name), values))

    def _note(self, name: str) -> None:
        self._changed.add(name)
        self._conversation.waiting.mailbox_changed()

    # --- names --------------------------------------------------------------------------------------

    def _note_names(self) -> None:
        self._names_changed = True
        self._conversation.waiting.mailbox_changed()

    def caused(self, change: NameChange, *, exists: bool = True) -> None:
        """The client itself makes, deletes or renames a mailbox."""
        self._own.names.append((change, exists))

    def caused_subscription(self, name: str, *, subscribed: bool) -> None:
        """The same of a subscription."""
        self._own.subscriptions[name] = subscribed

    def caused_metadata(self, name: str, changes: Mapping[str, bytes | None]) -> None:
        """The same of annotations."""
        self._metadata.caused(name, changes)

    async def _tell_names(self) -> None:
        """`* LIST` of what has come, gone, or been subscribed; a mailbox that was renamed by its GUID."""
        account = self._conversation.account
        before, subscribed_before = self._identities, self._subscribed
        self._identities = now = dict(await account.identities())
        self._subscribed = frozenset(await account.subscriptions())
        own, self._own = self._own, OwnChanges()
        for name, guid in now.items():
            if not guid and before.get(name):
                now[name] = before[name]
        told = [
            change
            for change in name_changes(before, now, account.separator)
            if NotifyEvent.MAILBOX_NAME in self._events_of(change.name) and not own.has(change, now)
        ]
        await self._name_new_ones(change.name for change in told)
        subscriptions = [
            name
            for name in sorted(self._subscribed ^ subscribed_before)
            if NotifyEvent.SUBSCRIPTION_CHANGE in self._events_of(name, subscribed=True)
            and own.subscriptions.get(name) is not (name in self._subscribed)
        ]
        if told or subscriptions:
            entries = {entry.name: entry for entry in await account.list_mailboxes()}
            for change in (*told, *map(NameChange, subscriptions)):
                self._tell_listing(change, entries)
        anew = {name for name, guid in now.items() if guid and before.get(name) not in (None, guid, b"")}
        await self._watch_messages(made_anew=anew)

    async def _name_new_ones(self, names: Iterable[str]) -> None:
        """A mailbox that has just been made has no GUID before somebody looks at it."""
        for name in names:
            if self._identities.get(name) == b"":
                with suppress(NoSuchMailbox, StoreUnavailable, PermissionDenied):
                    status = await self._conversation.account.status(name, with_size=False)
                    self._identities[name] = status.guid

    def _tell_listing(self, change: NameChange, entries: Mapping[str, MailboxEntry]) -> None:
        """`* LIST`, with the attributes that the mailbox has (RFC 5465 §5.5)."""
        entry = entries.get(change.name)
        attributes = [b"\\NonExistent"] if change.name not in self._identities else []
        if change.name in self._subscribed:
            attributes.append(b"\\Subscribed")
        if entry is not None:
            attributes.append(b"\\HasChildren" if entry.has_children else b"\\HasNoChildren")
            attributes += [entry.special_use] if entry.special_use else []
        self._tell_list(change.name, attributes, change.old_name)

    def _tell_no_access(self, name: str) -> None:
        """RFC 5465 §3.1: the mailbox is listed, but may not be read."""
        if name not in self._closed:
            self._closed.add(name)
            self._tell_list(name, [b"\\NoAccess"])

    def _tell_list(self, name: str, attributes: Iterable[bytes], old: str = "") -> None:
        conversation = self._conversation
        separator = conversation.account.separator.encode("ascii")
        old_name = conversation.name(old) if old else None
        line = responses.listing(b"LIST", attributes, conversation.name(name), separator, old_name=old_name)
        conversation.engine.untagged(line)

    # --- annotations --------------------------------------------------------------------------------

    def _annotated(self) -> list[str]:
        """Mailboxes whose annotations are asked for, the account among them."""
        asked = self._groups.events
        names = [SERVER] if NotifyEvent.SERVER_METADATA_CHANGE in asked else []
        if NotifyEvent.MAILBOX_METADATA_CHANGE in asked:
            event = NotifyEvent.MAILBOX_METADATA_CHANGE
            names += [name for name in self._identities if event in self._events_of(name)]
        return names

    async def _tell_metadata(self) -> None:
        """`* METADATA INBOX /shared/comment`"""
        annotated = self._annotated()
        if len(annotated) > MAX_MAILBOXES:
            self._overflow()
            return
        conversation = self._conversation
        for change in await self._metadata.changes(annotated):
            name = responses.mailbox(conversation.name(change.mailbox))
            entries = (responses.astring(entry.encode("utf-8")) for entry in change.entries)
            conversation.engine.untagged(b"METADATA %b %b" % (name, b" ".join(entries)))

    # --- which --------------------------------------------------------------------------------------

    def _events_of(self, name: str, *, subscribed: bool = False) -> frozenset[NotifyEvent]:
        """What the client wants to hear of a mailbox; `subscribed`: it is or was subscribed."""
        return self._groups.of_mailbox(name, subscribed=subscribed or name in self._subscribed)

    def _is_selected(self, name: str) -> bool:
        view = self._conversation.view
        return view is not None and self._conversation.account.name_of(view.mailbox) == name

    def _overflow(self) -> None:
        """RFC 5465 §5.8: "behaves as if a NOTIFY NONE command had just been received"."""
        self.close()
        self._groups = EventGroups((), "")
        self.of_selected = None
        self._conversation.news = SILENT
        self._conversation.engine.untagged(b"OK [NOTIFICATIONOVERFLOW] " + _TOO_MANY)
