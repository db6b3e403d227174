"""NOTIFY of annotations: which of a mailbox's, or of the account's, have other values.

DESCRIPTION
    Two looks at the annotations are compared; a client is told the names of what is new, different or gone, but for
    what it has set itself.  Of each value a digest is kept, which a session that is parked writes down.

STANDARDS
    RFC 5465 §5.6, §5.7; RFC 5464 §4.4.2 (METADATA without values)
"""

import hashlib
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


def _digest(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=16).digest()


class MetadataNews:
    """What one session was told of annotations."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._known: dict[str, dict[str, bytes]] = {}
        self._own: dict[tuple[str, str], bytes | None] = {}

    async def begin(self, mailboxes: Iterable[str]) -> None:
        """What these have now is no news."""
        self._known = await self._look(mailboxes)

    def go_on(self, known: dict[str, dict[str, bytes]]) -> None:
        """What another process has `known` is no news."""
        self._known = known

    @property
    def known(self) -> dict[str, dict[str, bytes]]:
        """Mailbox → entry → digest of its value, as they were at the last look."""
        return self._known

    @property
    def awaits_look(self) -> bool:
        """Whether the client has set something itself since the last look."""
        return bool(self._own)

    def caused(self, mailbox: str, changes: Mapping[str, bytes | None]) -> None:
        """The client itself has set entries, `private/comment`, or removed them."""
        digests = {entry: None if value is None else _digest(value) for entry, value in changes.items()}
        self._own.update({(mailbox, entry): digest for entry, digest in digests.items()})

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
                values = await self._account.attributes(mailbox)
            except (NoSuchMailbox, MailboxNameRefused, PermissionDenied):
                continue
            except StoreUnavailable:  # what has changed is told at the next look
                if mailbox in self._known:
                    found[mailbox] = self._known[mailbox]
                continue
            found[mailbox] = {entry: _digest(value) for entry, value in values.items()}
        return found


def _differing(before: Mapping[str, bytes], now: Mapping[str, bytes]) -> Iterator[str]:
    return (entry for entry in sorted({*before, *now}) if before.get(entry) != now.get(entry))
