"""The file that tells who shares mailboxes with whom: acl_shared_dict.

DESCRIPTION
        shared/shared-boxes/user/you/me
        1
        shared/shared-boxes/anyone/me
        1

    `me` lets `you`, or everybody, look up some of his mailboxes: whoever lists mailboxes looks into the trees of
    those only.  Keys and values in turn, escaped as in mailstore/dovecot_files/attribute_dict.py; changed under
    `FILE.lock`.

    Blocks; called in worker threads.

FAULTS
    OSError  the file cannot be read or written

STANDARDS
    Dovecot 2.3, SharedMailboxes, lib-dict (file)
"""

import os
from collections.abc import Iterable
from typing import Final

from pillarbox.files.file_system import FileSystem
from pillarbox.files.replacing import replace_file
from pillarbox.mailstore.dovecot_files.attribute_dict import escape, parse
from pillarbox.mailstore.dovecot_files.dotlock import DotLock
from pillarbox.mailstore.sharing.acl_file import Entry, Identifier, Kind, Rights
from pillarbox.vocabulary.clock import Clock

_PREFIX: Final = "shared/shared-boxes/"
_KINDS: Final = {Kind.USER: "user", Kind.GROUP: "group", Kind.GROUP_OVERRIDE: "group"}


class SharedDict:
    """The file."""

    def __init__(self, path: str, files: FileSystem, clock: Clock) -> None:
        self.path = path
        self._path = os.fsencode(path)
        self._files = files
        self._clock = clock

    def owners(self, user: str, groups: Iterable[str]) -> list[str]:
        """Who shares something with a user, in order."""
        prefixes = [
            f"{_PREFIX}user/{user}/",
            f"{_PREFIX}anyone/",
            *(f"{_PREFIX}group/{one}/" for one in groups),
        ]
        found = {
            key.removeprefix(prefix)
            for key in self._read()
            for prefix in prefixes
            if key.startswith(prefix) and "/" not in key.removeprefix(prefix)
        }
        return sorted(found - {user})

    def publish(self, owner: str, lists: Iterable[Iterable[Entry]]) -> None:
        """What the access lists of a user's mailboxes come to."""
        of_owner = (Identifier(Kind.OWNER), Identifier(Kind.USER, owner))
        wanted = {
            _key(entry.who, owner)
            for entries in lists
            for entry in entries
            if entry.who not in of_owner and entry.given is not None and Rights.LOOKUP in entry.given
        }
        with DotLock(self._path, files=self._files, clock=self._clock):
            entries = self._read()
            own = {key for key in entries if key.startswith(_PREFIX) and key.endswith("/" + owner)}
            if own == wanted:
                return
            for key in own - wanted:
                del entries[key]
            entries |= dict.fromkeys(sorted(wanted - own), "1")
            self._write(entries)

    def _read(self) -> dict[str, str]:
        try:
            content = self._files.read_file(self._path)
        except FileNotFoundError:
            return {}
        return {_text(key): _text(value) for key, value in parse(content).items()}

    def _write(self, entries: dict[str, str]) -> None:
        lines = [
            b"%b\n%b\n" % (escape(_octets(key)), escape(_octets(value))) for key, value in entries.items()
        ]
        replace_file(self._files, self._path, lines, temporary=self._path + b".new")


def _key(who: Identifier, owner: str) -> str:
    if who.kind in (Kind.ANYONE, Kind.AUTHENTICATED):
        return f"{_PREFIX}anyone/{owner}"
    return f"{_PREFIX}{_KINDS[Kind(who.kind)]}/{who.name}/{owner}"


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
