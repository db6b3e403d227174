"""The mailboxes of an account at one moment, and what was made of them.

DESCRIPTION
    A store gives the same `MailboxList` again as long as nothing has changed, so that what somebody has made of it,
    names of a namespace or the lines of LIST, can be kept with it and goes when it goes.

STANDARDS
    RFC 3501 §6.3.8
"""

from collections.abc import Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from pillarbox.mailstore.faults import StoreUnavailable

MAX_MADE: Final = 8
"""Things that are kept with a list."""


class MailboxEntry(msgspec.Struct, frozen=True):
    """One line of LIST: a name and what it can do."""

    name: str
    selectable: bool
    has_children: bool
    subscribed: bool
    special_use: bytes = b""  # `\\Sent` and the like (RFC 6154)


class MailboxList(tuple[MailboxEntry, ...]):
    """Every mailbox, and every parent without one, in name order."""

    usual_uses: Mapping[str, bytes] = MappingProxyType({})
    """Name → special use that goes by the name, whether there is such a mailbox or not."""
    faults: Sequence[StoreUnavailable] = ()
    """Why the list is short of something: a file beside the mailboxes cannot be read."""

    def recall(self, key: Hashable) -> object | None:
        """What was kept under the key, None if nothing (any more)."""
        return self._made().get(key)

    def keep(self, key: Hashable, made: object) -> None:
        """Keep something that depends on this list and the key alone; the oldest goes if there are many."""
        kept = self._made()
        if len(kept) >= MAX_MADE:
            kept.pop(next(iter(kept)), None)
        kept[key] = made

    def _made(self) -> dict[Hashable, object]:
        made: dict[Hashable, object] = self.__dict__.setdefault("made", {})
        return made
