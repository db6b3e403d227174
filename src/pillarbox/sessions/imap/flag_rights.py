"""Which flags a user may change where an access list says what he may do.

DESCRIPTION
    \\Seen needs the right `s`, \\Deleted `t`, all others `w`.  Flags that may not be changed are left as they are,
    without a word, as Dovecot does.

STANDARDS
    RFC 4314 §4
"""

from collections.abc import Sequence
from typing import Final

from pillarbox.mailstore.mailbox import KEEP_ALL, FlagChange, KeptFlags
from pillarbox.mailstore.sharing.acl_file import Rights
from pillarbox.vocabulary.flags import IMAP_NAMES, Flag

CHANGE: Final = Rights.WRITE | Rights.WRITE_SEEN | Rights.WRITE_DELETED
_ALL_FLAGS: Final = Flag.SEEN | Flag.ANSWERED | Flag.FLAGGED | Flag.DELETED | Flag.DRAFT


def storable(rights: Rights) -> Flag:
    """The system flags."""
    flags = Flag.NONE
    if Rights.WRITE in rights:
        flags |= _ALL_FLAGS & ~(Flag.SEEN | Flag.DELETED)
    if Rights.WRITE_SEEN in rights:
        flags |= Flag.SEEN
    if Rights.WRITE_DELETED in rights:
        flags |= Flag.DELETED
    return flags


def kept(rights: Rights) -> KeptFlags:
    """Which flags copies keep in a mailbox where the user has these rights."""
    if rights & CHANGE == CHANGE:
        return KEEP_ALL
    return KeptFlags(storable(rights), keywords=Rights.WRITE in rights)


def storable_names(rights: Rights, keywords: Sequence[bytes]) -> list[bytes]:
    """For PERMANENTFLAGS."""
    allowed = storable(rights)
    names = [name for name, flag in IMAP_NAMES if flag & allowed]
    return [*names, *keywords, b"\\*"] if Rights.WRITE in rights else names


def permitted(change: FlagChange, rights: Rights) -> FlagChange:
    """What is left of a change; a replacement of all flags is one of those that may be changed."""
    if rights & CHANGE == CHANGE:
        return change
    scope = kept(rights)
    keywords = change.keywords if scope.keywords else ()
    return FlagChange(change.action, change.flags & scope.flags, keywords, change.expected, scope)
