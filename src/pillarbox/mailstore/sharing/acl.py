"""Access lists of the mailboxes of one tree, for one user.

DESCRIPTION
    A mailbox's list is the file dovecot-acl in its directory (mailstore/sharing/acl_file.py); a file for all
    mailboxes may say more, and what it says counts last.  Whom no entry concerns has the rights of a default: of a
    public tree the list in its root, of others that of INBOX if acl_defaults_from_inbox says so.  A mailbox that is
    created gets the list of the one above it, or that default.  Instead of a file for all there may be a directory,
    in which each mailbox has a file of its name.

    A file that makes no sense makes its mailbox unavailable, for the owner, too.

    Blocks; called in worker threads.

FAULTS
    OSError           a file cannot be written
    StoreUnavailable  a file cannot be read, or makes no sense; `str()` tells which line

STANDARDS
    RFC 4314; Dovecot 2.3, ACL
"""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.files.replacing import replace_file
from pillarbox.mailstore.dovecot_files.dotlock import DotLock
from pillarbox.mailstore.faults import StoreUnavailable
from pillarbox.mailstore.mailbox_names import SEPARATOR
from pillarbox.mailstore.maildir.mailbox_tree import MailboxTree
from pillarbox.mailstore.sharing.acl_file import (
    ALL,
    FILE_NAME,
    AclFault,
    Entry,
    Identifier,
    Rights,
    concerns,
    effective,
    parse,
    parse_global,
    render,
)
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.wildcards import mask_pattern

_T = TypeVar("_T")


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
        default: str | None = None,
    ) -> None:
        """`public_name` gives a mailbox's name as the file for all mailboxes has it; `default` is the mailbox whose
        list counts where nothing else does, empty for the tree's root."""
        self._default = default
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

    def shared_entries(self, name: str) -> list[Entry]:
        """With whom the mailbox is shared: by its own list and, if it has one, by that for all."""
        own = self.entries(name)
        return [*own, *self._of_all(name)] if own else []

    def entries_for_all(self, name: str) -> list[Entry]:
        """What the list for all mailboxes says of this one."""
        return sorted(self._of_all(name), key=lambda entry: entry.who)

    def concerns(self, who: Identifier) -> bool:
        """Whether an entry counts for the user."""
        user = self.user
        return concerns(who, user=user.name, groups=user.groups, is_owner=user.is_owner)

    def rights(self, name: str) -> Rights:
        """What the user may do to a mailbox, existing or not."""
        user = self.user
        own, of_all = self.entries(name), self._of_all(name)
        if self._default is not None and name != self._default and not user.is_owner:
            if not any(
                concerns(entry.who, user=user.name, groups=user.groups, is_owner=False)
                for entry in (*own, *of_all)
            ):
                own = self.entries(self._default)
        return effective(own, of_all, user=user.name, groups=user.groups, is_owner=user.is_owner)

    def rights_above(self, name: str) -> Rights:
        """What the user may do to the mailbox above a new one."""
        above = name.rpartition(SEPARATOR)[0]
        while above and not self._tree.is_mailbox(above):
            above = above.rpartition(SEPARATOR)[0]
        if above:
            return self.rights(above)
        return ALL if self.user.is_owner else self.rights("")

    def change(self, name: str, change: Callable[[Sequence[Entry]], Sequence[Entry]]) -> None:
        """Make another list of a mailbox's, while nobody else does."""
        path = self._path(name)
        with DotLock(path, files=self._files, clock=self._clock):
            before = self._read(path)
            entries = list(change(before))
            if entries != list(before):
                self._write(path, entries)

    def inherit(self, name: str) -> None:
        """A new mailbox gets the list of the one above, or the default."""
        above = name.rpartition(SEPARATOR)[0] or self._default
        if above is not None and (entries := self.entries(above)):
            self._write(self._path(name), entries)

    def _of_all(self, name: str) -> list[Entry]:
        if not self._global_file:
            return []
        shown = self._public_name(name)
        if os.path.isdir(self._global_file):
            return list(self._of_directory(shown)) if shown else []
        path = os.fsencode(self._global_file)
        lines = self._parsed(path, parse_global)
        return [entry for mask, entry in lines if mask_pattern(mask).fullmatch(shown)]

    def _of_directory(self, shown: str) -> Sequence[Entry]:
        """The file of a mailbox, or `.DEFAULT` in the directory of its name."""
        if not {"", ".", ".."}.isdisjoint(shown.split("/")):
            return ()
        path = os.fsencode(os.path.join(self._global_file, shown))
        return self._read(os.path.join(path, b".DEFAULT") if os.path.isdir(path) else path)

    def _path(self, name: str) -> bytes:
        return (self._tree.directory(name) if name else self._tree.root) + b"/" + FILE_NAME

    def _read(self, path: bytes) -> Sequence[Entry]:
        try:
            status = self._files.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise _unreadable(path, error) from error
        state = (status.st_ino, status.st_mtime_ns, status.st_size)
        known = self._known.get(path)
        if known is None or known[0] != state:
            entries = tuple(self._parsed(path, parse))
            known = self._known[path] = (state, entries)
        return known[1]

    def _parsed(self, path: bytes, parse_text: Callable[[str], list[_T]]) -> list[_T]:
        """What a file says.  StoreUnavailable: nobody's rights are known."""
        try:
            return parse_text(self._files.read_file(path).decode("utf-8", "surrogateescape"))
        except AclFault as fault:
            raise StoreUnavailable(f"ACL file {os.fsdecode(path)} {fault}") from fault
        except OSError as error:
            raise _unreadable(path, error) from error

    def _write(self, path: bytes, entries: Sequence[Entry]) -> None:
        content = render(entries).encode("utf-8", "surrogateescape")
        replace_file(self._files, path, [content], temporary=path + b".new")


def _unreadable(path: bytes, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"ACL file {os.fsdecode(path)}: {error.strerror}")
