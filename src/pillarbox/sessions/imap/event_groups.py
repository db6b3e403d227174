"""Which events of which mailboxes a client of NOTIFY has asked for.

DESCRIPTION
    All groups that have a mailbox count for it; those of the selected mailbox are not among them.

STANDARDS
    RFC 5465 §6
"""

from collections.abc import Sequence
from typing import Final

from pillarbox.sessions.imap.name_changes import parents
from pillarbox.wire.imap.notify_commands import EventGroup, NotifyEvent, NotifyFilter

SELECTED: Final = (NotifyFilter.SELECTED, NotifyFilter.SELECTED_DELAYED)


class EventGroups:
    """The groups of one command."""

    def __init__(self, groups: Sequence[EventGroup], separator: str) -> None:
        self.groups = [group for group in groups if group.filter not in SELECTED]
        self._names = [frozenset(group.mailboxes) for group in self.groups]
        self._separator = separator

    @property
    def events(self) -> set[NotifyEvent]:
        """Those of any mailbox."""
        return {event for group in self.groups for event in group.events}

    def of_mailbox(self, name: str, *, subscribed: bool) -> frozenset[NotifyEvent]:
        """What the client wants to hear of a mailbox."""
        found: frozenset[NotifyEvent] = frozenset()
        for group, names in zip(self.groups, self._names, strict=True):
            match group.filter:
                case NotifyFilter.INBOXES | NotifyFilter.PERSONAL:
                    found |= group.events
                case NotifyFilter.SUBSCRIBED if subscribed:
                    found |= group.events
                case NotifyFilter.MAILBOXES if name in names:
                    found |= group.events
                case NotifyFilter.SUBTREE if name in names or any(
                    above in names for above in parents(name, self._separator)
                ):
                    found |= group.events
        return found
