"""Access lists of the mailboxes of one tree, for one user.

DESCRIPTION
    A mailbox's list is the file dovecot-acl in its directory (mailstore/sharing/acl_file.py); a file for all
    mailboxes may say more, and what it says counts last.  A mailbox that is created gets the list of the one above
    it.  A file that makes no sense gives nobody any right but the owner.

    Blocks; called in worker threads.

FAULTS
    OSError  a file cannot be read or written

STANDARDS
    RFC 4314; Dovecot 2.3, ACL
"""

import fnmatch
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.files.replacing import replace_file
from pillarbox.mailstore.dovecot_files.dotlock import DotLock
from pillarbox.mailstore.mailbox_names import SEPARATOR
from pillarbox.mailstore.maildir.mailbox_tree import MailboxTree
from pillarbox.mailstore.sharing.acl_file import (
    ALL,
    FILE_NAME,
    AclFault,
    Entry,
    Identifier,
    Kind,
    Rights,
    changed,
    effective,
    parse,
    parse_global,
    render,
)
from pillarbox.vocabulary.clock import Clock

MAX_GLOBAL: Final = 1 << 20


class AclUser(msgspec.Struct, frozen=True, kw_only=True):
    """Whose rights are asked for."""

    name: str
    groups: tuple[str, ...] = ()
    is_owner: bool = False
    """Whether the tree is his."""


class AccessLists:
    """Of one tree."""

    def __init__(
        self,
        tree: MailboxTree,
        user: AclUser,
        *,
        files: FileSystem,
        clock: Clock,
        global_file: str = "",
        public_name: Callable[[str], str] = str,
    ) -> None:
        """`public_name` gives a mailbox's name as the file for all mailboxes has it."""
        self._tree = tree
        self.user = user
        self._files = files
        self._clock = clock
        self._global_file = global_file
        self._public_name = public_name
        self._known: dict[bytes, tuple[tuple[int, int, int], tuple[Entry, ...]]] = {}

    def entries(self, name: str) -> list[Entry]:
        """The mailbox's own list."""
        return list(self._read(self._path(name)))

    def rights(self, name: str) -> Rights:
        """What the user may do to a mailbox, existing or not."""
        user = self.user
        own = effective(self.entries(name), user=user.name, groups=user.groups, is_owner=user.is_owner)
        others = self._of_all(name)
        if not others:
            return own
        given = effective(others, user=user.name, groups=user.groups, is_owner=user.is_owner, is_all=False)
        concerned = [entry for entry in others if self._concerns(entry)]
        if any(entry.given is not None for entry in concerned):
            own = given
        for entry in concerned:
            own &= ~(entry.taken or Rights.NONE)
        return own

    def rights_above(self, name: str) -> Rights:
        """What the user may do to the mailbox above a new one."""
        above = name.rpartition(SEPARATOR)[0]
        while above and not self._tree.is_mailbox(above):
            above = above.rpartition(SEPARATOR)[0]
        if above:
            return self.rights(above)
        return ALL if self.user.is_owner else self.rights("")

    def change(self, name: str, who: Identifier, rights: Rights | None, *, taken: bool, mode: str) -> None:
        """SETACL, and with None DELETEACL."""
        path = self._path(name)
        with DotLock(path, files=self._files, clock=self._clock):
            self._write(path, changed(self._read(path), who, rights, taken=taken, mode=mode))

    def inherit(self, name: str) -> None:
        """A new mailbox gets the list of the one above."""
        above = name.rpartition(SEPARATOR)[0]
        if above and (entries := self.entries(above)):
            self._write(self._path(name), entries)

    def _concerns(self, entry: Entry) -> bool:
        who, user = entry.who, self.user
        return (
            who.kind in (Kind.ANYONE, Kind.AUTHENTICATED)
            or (who.kind == Kind.OWNER and user.is_owner)
            or (who.kind == Kind.USER and who.name == user.name)
            or (who.kind in (Kind.GROUP, Kind.GROUP_OVERRIDE) and who.name in user.groups)
        )

    def _of_all(self, name: str) -> list[Entry]:
        if not self._global_file:
            return []
        with open(self._global_file, encoding="utf-8", errors="surrogateescape") as file:
            lines = parse_global(file.read(MAX_GLOBAL))
        shown = self._public_name(name)
        return [entry for mask, entry in lines if _pattern(mask).fullmatch(shown)]

    def _path(self, name: str) -> bytes:
        return (self._tree.directory(name) if name else self._tree.root) + b"/" + FILE_NAME

    def _read(self, path: bytes) -> Sequence[Entry]:
        try:
            status = self._files.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        state = (status.st_ino, status.st_mtime_ns, status.st_size)
        known = self._known.get(path)
        if known is None or known[0] != state:
            text = self._files.read_file(path).decode("utf-8", "surrogateescape")
            try:
                entries = tuple(parse(text))
            except AclFault:
                entries = ()
            known = self._known[path] = (state, entries)
        return known[1]

    def _write(self, path: bytes, entries: Sequence[Entry]) -> None:
        content = render(entries).encode("utf-8", "surrogateescape")
        replace_file(self._files, path, [content], temporary=path + b".new")


@cache
def _pattern(mask: str) -> "re.Pattern[str]":
    return re.compile(fnmatch.translate(mask.replace("[", "[[]")))
