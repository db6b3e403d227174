"""Which flags a user may change where an access list says what he may do.

DESCRIPTION
    \\Seen needs the right `s`, \\Deleted `t`, all others `w`.  Flags that may not be changed are left as they are,
    without a word, as Dovecot does.

STANDARDS
    RFC 4314 §4
"""

from collections.abc import Sequence
from typing import Final

from pillarbox.mailstore.mailbox import KEEP_ALL, FlagAction, FlagChange, KeptFlags
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


def permitted(changes: Sequence[FlagChange], rights: Rights, known: Sequence[bytes] = ()) -> list[FlagChange]:
    """What is left of changes; a replacement of all flags becomes two of those that may be changed.

    `known`: the mailbox's keywords, which a replacement takes away.
    """
    if rights & CHANGE == CHANGE:
        return list(changes)
    allowed = storable(rights)
    keeps_keywords = Rights.WRITE not in rights
    found: list[FlagChange] = []
    for change in changes:
        flags = change.flags & allowed
        keywords = () if keeps_keywords else change.keywords
        if change.action is not FlagAction.REPLACE:
            found.append(FlagChange(change.action, flags, keywords, change.expected))
            continue
        others = () if keeps_keywords else tuple(name for name in known if name not in keywords)
        found.append(FlagChange(FlagAction.REMOVE, allowed & ~flags, others, change.expected))
        found.append(FlagChange(FlagAction.ADD, flags, keywords))
    return found
