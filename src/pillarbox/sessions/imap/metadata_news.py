"""NOTIFY of annotations: which of a mailbox's, or of the account's, have other values.

DESCRIPTION
    Two looks at the annotations are compared; a client is told the names of what is new, different or gone, but for
    what it has set itself.

STANDARDS
    RFC 5465 §5.6, §5.7; RFC 5464 §4.4.2 (METADATA without values)
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from pillarbox.mailstore.mailbox import (
    Account,
    MailboxNameRefused,
    NoSuchMailbox,
    PermissionDenied,
    StoreUnavailable,
)

SERVER: Final = ""
"""The name of the account, among those of mailboxes."""


class MetadataChange(msgspec.Struct, frozen=True):
    """Entries of one mailbox, `/private/comment`."""

    mailbox: str
    entries: tuple[str, ...]


class MetadataNews:
    """What one session was told of annotations."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._known: dict[str, dict[str, bytes]] = {}
        self._own: dict[tuple[str, str], bytes | None] = {}

    async def begin(self, mailboxes: Iterable[str]) -> None:
        """What these have now is no news."""
        self._known = await self._look(mailboxes)

    def caused(self, mailbox: str, changes: Mapping[str, bytes | None]) -> None:
        """The client itself has set entries, `private/comment`, or removed them."""
        self._own.update({(mailbox, entry): value for entry, value in changes.items()})

    async def changes(self, mailboxes: Iterable[str]) -> list[MetadataChange]:
        """What has changed since the last look; all that a new mailbox has is no news."""
        before, self._known = self._known, await self._look(mailboxes)
        own, self._own = self._own, {}
        found: list[MetadataChange] = []
        for mailbox, entries in self._known.items():
            if mailbox in before:
                changed = tuple(
                    "/" + entry
                    for entry in _differing(before[mailbox], entries)
                    if (mailbox, entry) not in own or own[mailbox, entry] != entries.get(entry)
                )
                if changed:
                    found.append(MetadataChange(mailbox, changed))
        return found

    async def _look(self, mailboxes: Iterable[str]) -> dict[str, dict[str, bytes]]:
        found: dict[str, dict[str, bytes]] = {}
        for mailbox in mailboxes:
            try:
                found[mailbox] = await self._account.attributes(mailbox)
            except (NoSuchMailbox, MailboxNameRefused, PermissionDenied, StoreUnavailable):
                continue
        return found


def _differing(before: Mapping[str, bytes], now: Mapping[str, bytes]) -> Iterator[str]:
    return (entry for entry in sorted({*before, *now}) if before.get(entry) != now.get(entry))
