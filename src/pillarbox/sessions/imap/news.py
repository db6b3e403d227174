"""What a session tells its client beside the answers to commands, and who finds it out.

DESCRIPTION
    `Conversation` tells news of the selected mailbox at the end of each command.  NOTIFY changes what, and when
    (`SelectedNews`); results of SEARCH that are kept up to date (`ResultUpdates`) and other mailboxes
    (`Notifications`) add to it.

STANDARDS
    RFC 3501 §5.2; RFC 5267 §4.3; RFC 5465
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import msgspec

from pillarbox.mailstore.view import Told
from pillarbox.sessions.imap.name_changes import NameChange


async def _tell_nothing(after: int) -> None:
    """EXISTS is enough."""


class SelectedNews(msgspec.Struct, frozen=True, kw_only=True):
    """What the client is told of the selected mailbox, and when (RFC 5465 §6.1); RFC 3501's rules by default."""

    new: bool = True
    expunges: bool = True
    flags: bool = True
    unasked: bool = False  # while no command is in progress, too
    expunges_unasked: bool = False
    tell_new: Callable[[int], Awaitable[None]] = _tell_nothing
    """More of messages with a higher UID than that, behind EXISTS."""


SILENT: Final = SelectedNews(new=False, expunges=False, flags=False)


class Notifications(Protocol):
    """What a client of NOTIFY has us watch."""

    async def tell(self) -> None:
        """What has happened in other mailboxes."""
        ...

    @property
    def watched_directories(self) -> tuple[bytes, ...]:
        """Where messages are watched."""
        ...

    @property
    def name_directories(self) -> tuple[bytes, ...]:
        """Where mailboxes and subscriptions are watched."""
        ...

    @property
    def annotation_files(self) -> tuple[bytes, ...]:
        """Where annotations are, if they are watched."""
        ...

    def selected_changed(self) -> None:
        """Another mailbox is selected, or none."""
        ...

    def caused(self, change: NameChange, *, exists: bool = True) -> None:
        """The client itself makes, deletes (not `exists`) or renames a mailbox."""
        ...

    def caused_subscription(self, name: str, *, subscribed: bool) -> None:
        """The same of a subscription."""
        ...

    def caused_metadata(self, name: str, changes: Mapping[str, bytes | None]) -> None:
        """The same of annotations, `private/comment` → value, of a mailbox or ("") of the account."""
        ...

    def close(self) -> None:
        """Watch nothing any more."""
        ...


class ResultUpdates(Protocol):
    """Results of SEARCH that are kept up to date: what to tell, each time the client is told news."""

    async def of_flags(self) -> list[bytes]:
        """Of messages whose flags have changed; before the view is synchronised."""
        ...

    def of_expunged(self, told: Told) -> list[bytes]:
        """Of messages that are told to be gone; before that is told."""
        ...

    async def tell_new(self, after: int) -> None:
        """Tell of messages with a higher UID; after EXISTS."""
        ...
