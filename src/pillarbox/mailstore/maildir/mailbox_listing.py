"""Which mailboxes a Maildir has: the list for LIST, and their GUIDs.  Blocks; for worker threads.

DESCRIPTION
    The list is the same object again until names, subscriptions or special uses have changed, so that what was made
    of it can be kept with it (mailstore/mailbox_list.py).

    A GUID is read from the mailbox's dovecot-uidlist once, and again when another directory is in its place.

FAULTS
    OSError  cannot be read

STANDARDS
    RFC 3501 §6.3.8; RFC 6154 (SPECIAL-USE)
"""

from collections.abc import Mapping, Set
from typing import Final

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.dovecot_files.attribute_dict import AttributeDict
from pillarbox.mailstore.dovecot_files.subscriptions import Subscriptions
from pillarbox.mailstore.dovecot_files.uidlist import read_guid
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
        self._given_uses = SpecialUses(attributes, self._guid)
        self._listed: (
            tuple[tuple[object, object], list[MailboxEntry], dict[str, bytes], MailboxList] | None
        ) = None
        self._guids: dict[str, tuple[int, bytes]] = {}  # name → inode of its directory, GUID

    def read(self) -> MailboxList:
        """Every mailbox, and every parent without one, in name order; INBOX is always there."""
        state = (self._tree.entries(), self._subscriptions.read())
        known = self._listed  # replaced as a whole: several threads ask
        is_known = known is not None and known[0] == state
        entries = known[1] if known is not None and is_known else self._entries(state[0], frozenset(state[1]))
        uses = self._given_uses.by_name([entry.name for entry in entries if entry.selectable])
        if known is not None and is_known and known[2] == uses:
            return known[3]
        listed = MailboxList(
            msgspec.structs.replace(entry, special_use=uses[entry.name]) if entry.name in uses else entry
            for entry in entries
        )
        listed.usual_uses = self._usual_uses
        self._listed = (state, entries, uses, listed)
        return listed

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
        return read_guid(self._tree.control_directory(name), self._files)

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
