"""NOTIFY: the client is told of changes as they happen, in the selected mailbox and in others.

DESCRIPTION
    In the selected mailbox, news are told while the client is silent, too; of new messages, what the client wants
    to have of each.  Of other mailboxes it is told by STATUS what has changed since the last STATUS, of mailboxes
    that come, go, get another name or are subscribed by LIST.

    A mailbox is watched while it is asked for; nothing is polled.  The first event group that has a mailbox
    counts for it.  As with Dovecot, a client that has said NOTIFY and nothing about the selected mailbox is not
    told of its changes.

FAULTS
    NO [BADEVENT …]              events that are not told here
    * OK [NOTIFICATIONOVERFLOW]  more mailboxes than are watched; from then on it is as after NOTIFY NONE

STANDARDS
    RFC 5465
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pillarbox.mailstore.mailbox import Mailbox, MailboxStatus, NoSuchMailbox, StoreUnavailable
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.imap.fetch import fetch_items
from pillarbox.sessions.imap.mailbox_commands import status_value
from pillarbox.sessions.imap.news import SILENT, SelectedNews
from pillarbox.sessions.imap.notify_state import ParkedNotify, read, written
from pillarbox.wire.imap import responses
from pillarbox.wire.imap.commands import StatusItem
from pillarbox.wire.imap.notify_commands import EventGroup, Notify, NotifyEvent, NotifyFilter

MAX_MAILBOXES: Final = 1000
"""Mailboxes that are watched for one session."""
MAX_PARKED: Final = 64
"""The same for one that is parked: who goes on with it opens all of them."""
_UNSUPPORTED: Final = (
    NotifyEvent.ANNOTATION_CHANGE,
    NotifyEvent.MAILBOX_METADATA_CHANGE,
    NotifyEvent.SERVER_METADATA_CHANGE,
)
_SELECTED: Final = (NotifyFilter.SELECTED, NotifyFilter.SELECTED_DELAYED)
_MESSAGE_EVENTS: Final = frozenset(
    (NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE, NotifyEvent.FLAG_CHANGE)
)
_NAME_EVENTS: Final = frozenset((NotifyEvent.MAILBOX_NAME, NotifyEvent.SUBSCRIPTION_CHANGE))


async def notify(conversation: Conversation, command: Notify) -> None:
    """NOTIFY."""
    unknown = {event for group in command.groups for event in group.events if event in _UNSUPPORTED}
    if unknown:
        names = b" ".join(event.value for event in _UNSUPPORTED if event in unknown)
        conversation.no(command.tag, b"[BADEVENT %b] Unsupported NOTIFY events" % names)
        return
    if conversation.notifications is not None:
        conversation.notifications.close()
        conversation.notifications = None
    notifications = Notifications(conversation, command.groups)
    await notifications.begin(with_status=command.status)
    selected = notifications.of_selected
    if selected is not None and selected.events:
        await conversation.refresh()
        await conversation.tell_changes(asked=True)
    conversation.ok(command.tag, b"NOTIFY completed")


async def go_on(conversation: Conversation, parked: ParkedNotify) -> None:
    """The same for a session that was parked: what has happened meanwhile is told."""
    await Notifications(conversation, read(parked.groups)).go_on(parked)


def _news(conversation: Conversation, group: EventGroup | None) -> SelectedNews:
    """What the client is told of the selected mailbox."""
    if group is None or not group.events & _MESSAGE_EVENTS:
        return SILENT
    fetch = group.fetch

    async def tell_new(after: int) -> None:
        if fetch is not None:
            await fetch_items(conversation, fetch, after)

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
        """From now on, the conversation's."""
        self._conversation = conversation
        self.of_selected = next((group for group in groups if group.filter in _SELECTED), None)
        self._groups = [group for group in groups if group.filter not in _SELECTED]
        conversation.news = _news(conversation, self.of_selected)
        conversation.notifications = self
        self._watched: dict[str, _Watched] = {}
        self._changed: set[str] = set()  # names of watched mailboxes
        self._names_changed = False
        self._identities: dict[str, bytes] = {}
        self._subscribed: frozenset[str] = frozenset()
        self._end_names: Callable[[], None] | None = None
        self._end_selected: Callable[[], None] | None = None

    async def begin(self, *, with_status: bool) -> None:
        """Begin to watch; `with_status`: tell how things are now (RFC 5465 §3.1)."""
        self.selected_changed()
        if not self._groups:
            return
        account = self._conversation.account
        self._end_names = account.watch_names(self._note_names)
        self._identities = await account.identities()
        self._subscribed = frozenset(await account.subscriptions())
        await self._watch_messages()
        for name, watched in sorted(self._watched.items()) if with_status else ():
            if not self._is_selected(name):
                self._tell_status(name, watched, watched.told, first=True)
                await self._conversation.flush_if_much()

    async def go_on(self, parked: ParkedNotify) -> None:
        """Go on with what another process has watched."""
        self.selected_changed()
        if not self._groups:
            return
        self._end_names = self._conversation.account.watch_names(self._note_names)
        self._identities = parked.identities
        self._subscribed = frozenset(parked.subscribed)
        await self._watch_messages()
        for name, watched in self._watched.items():
            told = parked.told.get(name)
            if told is not None and told.uid_validity == watched.told.uid_validity:
                watched.told = told
        self._note_names()

    @property
    def can_be_parked(self) -> bool:
        """Whether few enough mailboxes are watched to open them all for a change in one."""
        return len(self._watched) <= MAX_PARKED

    @property
    def state(self) -> ParkedNotify:
        """All of that, written down."""
        groups = [*self._groups, *([] if self.of_selected is None else [self.of_selected])]
        told = {name: watched.told for name, watched in self._watched.items()}
        return ParkedNotify(written(groups), told, self._identities, sorted(self._subscribed))

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
        return self._conversation.account.name_directories if self._groups else ()

    def selected_changed(self) -> None:
        """Another mailbox is selected, or none."""
        if self._end_selected is not None:
            self._end_selected()
            self._end_selected = None
        view = self._conversation.view
        if view is not None and self._conversation.news.unasked:
            self._end_selected = view.mailbox.watch(self._conversation.mailbox_changed)

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
        while self._changed:
            name = self._changed.pop()
            watched = self._watched.get(name)
            if watched is not None and not self._is_selected(name):
                await self._tell_messages(name, watched)

    # --- messages -----------------------------------------------------------------------------------

    async def _watch_messages(self) -> None:
        """Watch the mailboxes that are there and asked for, no others."""
        wanted: dict[str, frozenset[NotifyEvent]] = {}
        for name in self._identities:
            events = self._events_of(name) & _MESSAGE_EVENTS
            if events:
                wanted[name] = events
        if len(wanted) > MAX_MAILBOXES:
            self._overflow()
            return
        for name in [name for name in self._watched if name not in wanted]:
            self._forget(name)
        for name, events in wanted.items():
            if name not in self._watched:
                await self._watch(name, events)

    async def _watch(self, name: str, events: frozenset[NotifyEvent]) -> None:
        account = self._conversation.account
        try:
            mailbox = await account.open(name, read_only=True)
        except (NoSuchMailbox, StoreUnavailable):
            return
        try:
            told = await account.status(name, with_modseq=NotifyEvent.FLAG_CHANGE in events)
        except (NoSuchMailbox, StoreUnavailable):
            mailbox.close()
            return
        end_watch = mailbox.watch(lambda: self._note(name))
        self._watched[name] = _Watched(mailbox, events, told, end_watch)
        self._changed.add(name)  # perhaps between the look and the watch

    def _forget(self, name: str) -> None:
        watched = self._watched.pop(name)
        watched.end_watch()
        watched.mailbox.close()

    async def _tell_messages(self, name: str, watched: _Watched) -> None:
        try:
            found = await self._conversation.account.status(
                name, with_modseq=NotifyEvent.FLAG_CHANGE in watched.events
            )
        except (NoSuchMailbox, StoreUnavailable):
            return  # that it is gone is told by its name
        before, watched.told = watched.told, found
        news = (
            (NotifyEvent.MESSAGE_NEW, found.uid_next != before.uid_next),
            (
                NotifyEvent.MESSAGE_EXPUNGE,
                found.messages < before.messages + found.uid_next - before.uid_next,
            ),
            (NotifyEvent.FLAG_CHANGE, found.highest_modseq != before.highest_modseq),
        )
        if any(event in watched.events and is_new for event, is_new in news):
            self._tell_status(name, watched, found)

    def _tell_status(
        self, name: str, watched: _Watched, found: MailboxStatus, *, first: bool = False
    ) -> None:
        conversation = self._conversation
        items = [StatusItem.MESSAGES]
        if NotifyEvent.MESSAGE_NEW in watched.events:
            items.append(StatusItem.UIDNEXT)
        if first:
            items.append(StatusItem.UIDVALIDITY)
        items.append(StatusItem.UNSEEN)
        if NotifyEvent.FLAG_CHANGE in watched.events:
            items.append(StatusItem.HIGHESTMODSEQ)
        values = [(item, status_value(conversation, found, item)) for item in items]
        conversation.engine.untagged(responses.status(conversation.name(name), values))

    def _note(self, name: str) -> None:
        self._changed.add(name)
        self._conversation.mailbox_changed()

    # --- names --------------------------------------------------------------------------------------

    def _note_names(self) -> None:
        self._names_changed = True
        self._conversation.mailbox_changed()

    async def _tell_names(self) -> None:
        """`* LIST` of what has come, gone, or been subscribed; a mailbox that was renamed by its GUID."""
        account = self._conversation.account
        before, subscribed_before = self._identities, self._subscribed
        self._identities = await account.identities()
        self._subscribed = frozenset(await account.subscriptions())
        old_names = {
            guid: name for name, guid in before.items() if guid and self._identities.get(name) != guid
        }
        renamed: set[str] = set()
        for name, guid in self._identities.items():
            if before.get(name) in (guid, b"") and name in before:
                continue
            old = old_names.get(guid, "") if guid else ""
            if old and old not in self._identities:
                renamed.add(old)
            if NotifyEvent.MAILBOX_NAME in self._events_of(name):
                self._tell_listing(name, old=old)
        for name in before:
            if name not in self._identities and name not in renamed:
                if NotifyEvent.MAILBOX_NAME in self._events_of(name):
                    self._tell_listing(name)
        for name in sorted(self._subscribed ^ subscribed_before):
            if NotifyEvent.SUBSCRIPTION_CHANGE in self._events_of(name, subscribed=True):
                self._tell_listing(name)
        await self._watch_messages()

    def _tell_listing(self, name: str, *, old: str = "") -> None:
        conversation = self._conversation
        attributes = [b"\\NonExistent"] if name not in self._identities else []
        if name in self._subscribed:
            attributes.append(b"\\Subscribed")
        separator = conversation.account.separator.encode("ascii")
        line = responses.listing(
            b"LIST",
            attributes,
            conversation.name(name),
            separator,
            old_name=conversation.name(old) if old else None,
        )
        conversation.engine.untagged(line)

    # --- which --------------------------------------------------------------------------------------

    def _events_of(self, name: str, *, subscribed: bool = False) -> frozenset[NotifyEvent]:
        """What the client wants to hear of a mailbox; `subscribed`: it is or was subscribed."""
        separator = self._conversation.account.separator
        for group in self._groups:
            match group.filter:
                case NotifyFilter.INBOXES | NotifyFilter.PERSONAL:
                    return group.events
                case NotifyFilter.SUBSCRIBED if subscribed or name in self._subscribed:
                    return group.events
                case NotifyFilter.MAILBOXES if name in group.mailboxes:
                    return group.events
                case NotifyFilter.SUBTREE if any(
                    name == top or name.startswith(top + separator) for top in group.mailboxes
                ):
                    return group.events
        return frozenset()

    def _is_selected(self, name: str) -> bool:
        view = self._conversation.view
        return view is not None and self._conversation.account.name_of(view.mailbox) == name

    def _overflow(self) -> None:
        """RFC 5465 §5.8: "behaves as if a NOTIFY NONE command had just been received"."""
        self.close()
        self._groups = []
        self.of_selected = None
        self._conversation.news = SILENT
        self._conversation.engine.untagged(b"OK [NOTIFICATIONOVERFLOW] Too many mailboxes to watch")
