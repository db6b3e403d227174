"""pillarbox.sync.HOST: what a user's mail had in common with its other self at HOST after the last run.

DESCRIPTION
    By it is told what has been deleted, renamed, expunged, set or removed here since, and there.  It may be lost,
    then nothing is remembered: flags are united, and of messages that one side lacks only those are expunged that
    it tells of.  Of messages it counts only while neither side has another UIDVALIDITY, or a UIDNEXT that is lower
    than what both had: then a mailbox has been made anew.

FAULTS
    OSError  it cannot be written; one that cannot be read is none
"""

import os
import re
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from pillarbox.files.replacing import replace_file
from pillarbox.mailstore.synchronizing.merging import Base, Message
from pillarbox.mailstore.synchronizing.place import Place

FILE_NAME: Final = b"pillarbox.sync."
VERSION: Final = 1
_PLAIN: Final = re.compile(r"[^0-9A-Za-z.-]")


class CommonMessages(msgspec.Struct, frozen=True):
    """Of one mailbox."""

    uid_validity: int
    messages: tuple[Message, ...]
    """In UID order."""
    annotations: dict[str, bytes] = {}

    def counts_for(self, uid_validity: int, next_uid: int) -> bool:
        """Whether a side can have had them."""
        last = self.messages[-1].uid if self.messages else 0
        return uid_validity == self.uid_validity and next_uid > last

    def base(self) -> Base:
        """The same for a merge."""
        return {(one.uid, one.uid): one.meaning for one in self.messages}


class _File(msgspec.Struct):
    host: str
    mailboxes: dict[bytes, CommonMessages]
    names: dict[bytes, str]
    """Of mailboxes, by GUID."""
    subscriptions: list[str]
    version: int = VERSION


class PeerMemory:
    """What is remembered of one host."""

    def __init__(self, place: Place, host: str) -> None:
        self._place, self._host = place, host
        name = _PLAIN.sub(lambda found: f"_{ord(found[0]):x}", host)[:128]
        self._path = place.tree.control + b"/" + FILE_NAME + os.fsencode(name)
        self._file = self._read()
        self._has_changed = False

    @property
    def names(self) -> Mapping[bytes, str]:
        """GUID → name, of the mailboxes that both had."""
        return self._file.names

    @property
    def subscriptions(self) -> Collection[str]:
        """What both were subscribed to."""
        return self._file.subscriptions

    def common(self, guid: bytes) -> CommonMessages | None:
        """Of a mailbox; None if nothing is known."""
        return self._file.mailboxes.get(guid)

    def note(self, guid: bytes, common: CommonMessages | None) -> None:
        """What is common now; None if that is not known."""
        self._has_changed = True
        if common is None:
            self._file.mailboxes.pop(guid, None)
        else:
            self._file.mailboxes[guid] = common

    def note_names(self, names: Mapping[bytes, str], subscriptions: Collection[str]) -> None:
        """What both have, as far as it was looked at."""
        self._has_changed = True
        self._file.names |= names
        self._file.subscriptions = sorted(subscriptions)

    def write(self) -> None:
        """Keep it, of the mailboxes that are there."""
        if not self._has_changed:
            return
        present = set(self._place.mailboxes().values())
        file = _File(
            self._host,
            {guid: common for guid, common in self._file.mailboxes.items() if guid in present},
            {guid: name for guid, name in self._file.names.items() if guid in present},
            self._file.subscriptions,
        )
        temporary = b"%b.%d" % (self._path, os.getpid())
        replace_file(self._place.files, self._path, [msgspec.msgpack.encode(file)], temporary=temporary)

    def _read(self) -> _File:
        try:
            found = msgspec.msgpack.decode(self._place.files.read_file(self._path), type=_File)
        except (OSError, msgspec.MsgspecError):
            found = _File("", {}, {}, [])
        is_right = (found.version, found.host) == (VERSION, self._host)
        return found if is_right else _File(self._host, {}, {}, [])
