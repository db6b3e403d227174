"""pillarbox.sync: what two places had in common when they were synchronized last.

DESCRIPTION
    A file in the control directory of the place that was written to, of a name that Dovecot passes over; it may be
    lost: then nothing is remembered (mailstore/synchronizing/merging.py).  It counts only for the pair of places
    that it names.

FAULTS
    OSError  it cannot be written; one that cannot be read is none
"""

import os
from typing import Final

import msgspec

from pillarbox.files.replacing import replace_file
from pillarbox.mailstore.synchronizing.merging import Base
from pillarbox.mailstore.synchronizing.place import Place

FILE_NAME: Final = b"pillarbox.sync"
VERSION: Final = 1


class CommonMailbox(msgspec.Struct):
    """A mailbox that both had."""

    name: str
    uid_validities: tuple[int, int]
    messages: list[tuple[int, int, int, tuple[bytes, ...]]] = []
    """UID at the source and at the target, flags, keywords."""

    def base(self) -> Base:
        """The same for a merge."""
        return {(here, there): (flags, frozenset(names)) for here, there, flags, names in self.messages}


class Common(msgspec.Struct):
    """What was the same at both places."""

    source: str
    target: str
    mailboxes: dict[bytes, CommonMailbox] = {}
    """By GUID at the source."""
    subscriptions: list[str] = []
    version: int = VERSION


def read_common(source: Place, target: Place) -> Common | None:
    """What was the same after the last run; None if that is not known."""
    found = [common for place in (target, source) if (common := _read(place, source, target)) is not None]
    return max(found, key=lambda one: one[0])[1] if found else None


def _read(place: Place, source: Place, target: Place) -> tuple[float, Common] | None:
    path = place.tree.control + b"/" + FILE_NAME
    try:
        modified = place.files.stat(path).st_mtime
        common = msgspec.msgpack.decode(place.files.read_file(path), type=Common)
    except (OSError, msgspec.MsgspecError):
        return None
    if common.version != VERSION:
        return None
    if (common.source, common.target) == (target.root, source.root):
        common = _reversed(common)
    return (modified, common) if (common.source, common.target) == (source.root, target.root) else None


def _reversed(common: Common) -> Common:
    """As the other place sees it."""
    mailboxes = {
        guid: CommonMailbox(
            one.name,
            (one.uid_validities[1], one.uid_validities[0]),
            [(there, here, flags, names) for here, there, flags, names in one.messages],
        )
        for guid, one in common.mailboxes.items()
    }
    return Common(common.target, common.source, mailboxes, common.subscriptions)


def write_common(common: Common, place: Place) -> None:
    """Remember it there."""
    path = place.tree.control + b"/" + FILE_NAME
    temporary = b"%b.%d" % (path, os.getpid())
    replace_file(place.files, path, [msgspec.msgpack.encode(common)], temporary=temporary)
