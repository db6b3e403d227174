"""Which mailboxes were given a special use (CREATE … USE): from the GUIDs of the annotations to names.

DESCRIPTION
    An annotation belongs to the GUID of a mailbox, which stands in its dovecot-uidlist.  The name that a GUID had
    the last time is tried first, so that LIST opens a file for each mailbox with a special use, and all of them
    only when one of those has moved.

STANDARDS
    RFC 6154 §3, §4 (`/private/specialuse`)
"""

from collections.abc import Callable, Sequence
from typing import Final

from pillarbox.mailstore.dovecot_files.attribute_dict import AttributeDict

KNOWN: Final = frozenset((b"\\Archive", b"\\Drafts", b"\\Important", b"\\Junk", b"\\Sent", b"\\Trash"))
"""What a mailbox may be for.  \\All and \\Flagged would be views of other mailboxes (RFC 6154 §2)."""


class SpecialUses:
    """Of one account; for worker threads."""

    def __init__(self, attributes: AttributeDict, guid_of: Callable[[str], bytes]) -> None:
        """`guid_of(name)` reads the GUID of a mailbox, b"" if it has none yet."""
        self._attributes = attributes
        self._guid_of = guid_of
        self._names: dict[bytes, str] = {}
        self._looked_through: Sequence[str] = ()

    def by_name(self, names: Sequence[str]) -> dict[str, bytes]:
        """Name → special uses, of those mailboxes that were given one."""
        uses = self._attributes.special_uses()
        if not uses:
            return {}
        known = frozenset(names)
        found = {
            name: use
            for guid, use in uses.items()
            if (name := self._names.get(guid)) is not None and name in known and self._guid_of(name) == guid
        }
        if len(found) == len(uses) or names == self._looked_through:
            return found
        self._names = {self._guid_of(name): name for name in names}
        self._looked_through = names
        return {self._names[guid]: use for guid, use in uses.items() if guid in self._names}
