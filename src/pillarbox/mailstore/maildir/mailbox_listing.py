"""Which mailboxes a Maildir has: the list for LIST, and their GUIDs.  Blocks; for worker threads.

DESCRIPTION
    The list is the same object again until names, subscriptions or special uses have changed, so that what was made
    of it can be kept with it (mailstore/mailbox_list.py).

    Where the subscriptions, or the special uses, cannot be read the list does without: a client that is told of no
    mailbox can do nothing at all.

    A GUID is read from the mailbox's dovecot-uidlist once, and again when another directory is in its place.

FAULTS
    OSError  the directories cannot be read

STANDARDS
    RFC 3501 §6.3.8; RFC 6154 (SPECIAL-USE)
"""

import os
from collections.abc import Mapping, Sequence, Set
from typing import Final

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.dovecot_files.attribute_dict import AttributeDict
from pillarbox.mailstore.dovecot_files.subscriptions import Subscriptions
from pillarbox.mailstore.dovecot_files.uidlist import read_guid
from pillarbox.mailstore.faults import StoreUnavailable
from pillarbox.mailstore.mailbox_list import MailboxEntry, MailboxList
from pillarbox.mailstore.mailbox_names import BELOW_PREFIX, INBOX, SEPARATOR, parents
from pillarbox.mailstore.maildir.mailbox_tree import MailboxTree
from pillarbox.mailstore.special_uses import SpecialUses

_BELOW_INBOX: Final = INBOX + SEPARATOR


class MailboxListing:
    """Of one account."""

    def __init__(
        self,
        tree: MailboxTree,
        subscriptions: Subscriptions,
        attributes: AttributeDict,
        *,
        files: FileSystem,
        usual_uses: Mapping[str, bytes],
    ) -> None:
        """`usual_uses`: the special uses that go by name; those of `attributes` count before them."""
        self._tree = tree
        self._subscriptions = subscriptions
        self._files = files
        self._usual_uses = usual_uses
        self._attributes = attributes
        self._given_uses = SpecialUses(attributes, self._guid)
        self._listed: (
            tuple[tuple[object, object], list[MailboxEntry], dict[str, bytes], MailboxList] | None
        ) = None
        self._guids: dict[str, tuple[int, bytes]] = {}  # name → inode of its directory, GUID

    def read(self) -> MailboxList:
        """Every mailbox, and every parent without one, in name order; INBOX is always there."""
        faults: list[StoreUnavailable] = []
        state = (self._tree.entries(), self._subscribed(faults))
        known = self._listed  # replaced as a whole: several threads ask
        is_known = known is not None and known[0] == state
        entries = known[1] if known is not None and is_known else self._entries(*state)
        uses = self._uses(entries, faults)
        if known is not None and is_known and known[2] == uses:
            listed = known[3]
        else:
            listed = MailboxList(
                msgspec.structs.replace(entry, special_use=uses[entry.name]) if entry.name in uses else entry
                for entry in entries
            )
            listed.usual_uses = self._usual_uses
            self._listed = (state, entries, uses, listed)
        listed.faults = faults
        return listed

    def _subscribed(self, faults: list[StoreUnavailable]) -> Set[str]:
        try:
            return frozenset(self._subscriptions.read())
        except OSError as error:
            faults.append(_fault(self._subscriptions.path, error))
            return frozenset()

    def _uses(self, entries: Sequence[MailboxEntry], faults: list[StoreUnavailable]) -> dict[str, bytes]:
        try:
            return self._given_uses.by_name([entry.name for entry in entries if entry.selectable])
        except OSError as error:
            faults.append(_fault(self._attributes.path, error))
            return {}

    def guids(self) -> dict[str, bytes]:
        """Every mailbox that can be selected → its GUID, b"" if it has none yet."""
        names = [INBOX, *(name for name, holds in self._tree.entries().items() if holds and name != INBOX)]
        known, self._guids = self._guids, {}
        for name in names:
            try:
                inode = self._files.stat(self._tree.directory(name)).st_ino
            except FileNotFoundError:  # another program was faster
                continue
            before = known.get(name)
            guid = before[1] if before is not None and before[0] == inode and before[1] else self._guid(name)
            self._guids[name] = (inode, guid)
        return {name: guid for name, (_, guid) in self._guids.items()}

    def _guid(self, name: str) -> bytes:
        try:
            return read_guid(self._tree.control_directory(name), self._files)
        except PermissionError:  # nobody gets into this mailbox; the others are told apart
            return b""

    def _entries(self, found: Mapping[str, bool], subscribed: Set[str]) -> list[MailboxEntry]:
        existing = {INBOX, *(name for name, holds in found.items() if holds)}
        implied = {parent for name in existing for parent in parents(name)} | {*found} - existing
        if self._tree.escaping.prefixed and any(name.startswith(_BELOW_INBOX) for name in existing):
            implied.add(BELOW_PREFIX + INBOX)  # PREFIX.INBOX, above PREFIX.INBOX.x
        implied -= existing
        with_children = {name.rpartition(SEPARATOR)[0] for name in existing | implied}
        if INBOX in with_children:
            with_children.add(BELOW_PREFIX + INBOX)
        return [
            MailboxEntry(
                name=name,
                selectable=name in existing,
                has_children=name in with_children,
                subscribed=name in subscribed,
                special_use=self._usual_uses.get(name, b""),
            )
            for name in sorted(existing | implied)
        ]


def _fault(path: bytes, error: OSError) -> StoreUnavailable:
    fault = StoreUnavailable(f"{os.fsdecode(path)}: {error.strerror}")
    fault.__cause__ = error
    return fault
