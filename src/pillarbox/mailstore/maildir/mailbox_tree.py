"""Where the mailboxes of an account lie: directories by their names, in Maildir++ or as a tree.

DESCRIPTION
    `MailboxTree` blocks; it is called in worker threads.  The root is INBOX.  By Maildir++ every other mailbox is
    a directory of the root, `.A.B` for `A/B`, flat; by LAYOUT=fs it is a directory below the one above it, `A/B`.
    A parent without `cur` is listed as not selectable.  Directories whose names begin with `..` are being
    deleted by someone.

    With CONTROL=, the files that say who is who (dovecot-uidlist, dovecot-keywords, subscriptions,
    dovecot-uidvalidity, maildirsize) lie in a tree of their own, of the same shape; INBOX is `INBOX` there, or
    `.INBOX` by Maildir++.

    DELETE renames what is there to `..DOVECOT-TRASHED.…` and then removes it: a crash leaves something that
    nobody lists.  RENAME by Maildir++ renames one directory after another, the mailbox itself first; in a tree it
    is one rename.

FAULTS
    NoSuchMailbox, MailboxExists, MailboxNameRefused  with the texts that Dovecot gives to clients
    OSError                                           the root cannot be read or written

STANDARDS
    RFC 3501 §6.3 (mailbox commands); Dovecot 2.3, Maildir format, MailLocation
"""

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final, Protocol

from pillarbox.config.mailbox_settings import Storage
from pillarbox.files.directories import is_directory, make_directories
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.mailstore.deliver import make_maildir
from pillarbox.mailstore.dovecot_files.uidlist import FILE_NAME as UIDLIST
from pillarbox.mailstore.mailbox import MailboxExists, MailboxNameRefused, NoSuchMailbox
from pillarbox.mailstore.mailbox_names import (
    INBOX,
    SEPARATOR,
    Escaping,
    check_new,
    decode_utf7,
    directory_name,
    levels_on_disk,
    name_of_directory,
    normalise,
    second_inbox,
)
from pillarbox.mailstore.maildir.directory_state import DirectoryState
from pillarbox.mailstore.maildir.file_names import NameMaker
from pillarbox.net.system_clock import SystemClock
from pillarbox.vocabulary.clock import Clock

TRASHED: Final = b"..DOVECOT-TRASHED"
MAX_DEPTH_OF_TREE: Final = 20
MAX_UNFINISHED: Final = 32
"""Directories without mail of which `MailboxTree.unfinished` tells."""
PLACES: Final = (b"cur", b"new", b"tmp")
_CONTROL_FILES: Final = (
    b"dovecot-uidlist",
    b"dovecot-keywords",
    b"pillarbox-keywords",
    b"pillarbox.arrivals",
    b"pillarbox.snapshot",
    b"dovecot-acl",
    b"dovecot.index",
    b"dovecot.index.log",
    b"dovecot.index.log.2",
    b"dovecot.index.cache",
)
"""What goes with the messages when a mailbox that has others below it is deleted."""


class Layout(Protocol):
    """Names on disk."""

    inbox: bytes
    """INBOX's directory in the control tree."""
    unfinished: tuple[bytes, ...]
    """Directories below the root that held no mail when they were listed last, not more than `MAX_UNFINISHED`."""

    def directory(self, name: str) -> bytes:
        """The directory below the root, empty for INBOX.  MailboxNameRefused."""
        ...

    def names(self, root: bytes, files: FileSystem) -> Mapping[str, bool]:
        """Name → whether it holds mail, without INBOX."""
        ...


class FlatLayout:
    """Maildir++.

    The root is listed when its mtime has changed (mailstore/maildir/directory_state.py): to look at a thousand
    mailboxes takes 6 ms.  While a directory is there that holds no mail yet, it is listed every time.

    A directory that cannot be entered counts as a mailbox: whoever selects it is told why that is impossible.
    """

    inbox = b".INBOX"

    def __init__(self, clock: Clock, escaping: Escaping) -> None:
        self._clock = clock
        self._escaping = escaping
        # Replaced as a whole: several threads ask.
        self._known: tuple[DirectoryState, dict[str, bool]] = (DirectoryState(), {})
        self.unfinished: tuple[bytes, ...] = ()

    def directory(self, name: str) -> bytes:
        """`.A.B` for `A/B`."""
        return directory_name(name, self._escaping)

    def names(self, root: bytes, files: FileSystem) -> Mapping[str, bool]:
        """One listing, if anything has changed."""
        now = int(self._clock.now() * 1e9)
        try:
            mtime = files.stat(root).st_mtime_ns
        except FileNotFoundError:
            return {}
        state, found = self._known
        if state.is_stale(mtime, now):
            state, found = DirectoryState(), {}
            state.note_listing(mtime, now)
            unfinished: list[bytes] = []
            for entry in _entries(root, files):
                if entry.startswith(b".") and (name := name_of_directory(entry, self._escaping)):
                    holds = _holds_mail(root + b"/" + entry, files)
                    if holds is None:
                        state.forget()  # others may open it
                    if holds is not False:
                        found[name] = True
                    elif is_directory(root + b"/" + entry, files):
                        state.forget()  # it may become one
                        unfinished.append(entry)
            self._known = (state, found)
            self.unfinished = tuple(unfinished[:MAX_UNFINISHED])
        return found


class NestedLayout:
    """LAYOUT=fs."""

    inbox = b"INBOX"

    def __init__(self, escaping: Escaping) -> None:
        self._escaping = escaping
        self.unfinished: tuple[bytes, ...] = ()

    def directory(self, name: str) -> bytes:
        """`A/B` for `A/B`."""
        name = normalise(name)
        return b"" if name == INBOX else b"/".join(levels_on_disk(name, self._escaping))

    def names(self, root: bytes, files: FileSystem) -> Mapping[str, bool]:
        """Every directory but those that make a Maildir of the one above."""
        found = dict(self._below(root, b"", "", files, MAX_DEPTH_OF_TREE))
        without = (self.directory(name) for name, holds in found.items() if not holds)
        self.unfinished = tuple(itertools.islice(without, MAX_UNFINISHED))
        return found

    def _below(
        self, root: bytes, directory: bytes, name: str, files: FileSystem, depth: int
    ) -> Iterator[tuple[str, bool]]:
        for entry in _entries(root + b"/" + directory if directory else root, files):
            if entry in PLACES or entry.startswith(b".."):
                continue
            inner = directory + b"/" + entry if directory else entry
            if not is_directory(root + b"/" + inner, files):
                continue
            try:
                level = self._escaping.plain(decode_utf7(entry))
            except ValueError:
                continue
            full = name + SEPARATOR + level if name else level
            if not self._escaping.prefixed:
                full = normalise(full)
            holds = _holds_mail(root + b"/" + inner, files)
            if normalise(full) != INBOX:
                yield full, holds is not False
            elif holds and (second := second_inbox(full, self._escaping)):
                yield second, True  # else it is the parent of INBOX/x
            if depth and holds is not None:
                yield from self._below(root, inner, full, files, depth - 1)


class MailboxTree:
    """One account's directories."""

    def __init__(
        self,
        root: bytes,
        *,
        files: FileSystem,
        names: NameMaker,
        control: bytes = b"",
        index: bytes = b"",
        nested: bool = False,
        escaping: str = "",
        prefixed: bool = False,
        second_inbox: bool = False,
        clock: Clock | None = None,
    ) -> None:
        """`escaping`: the character of listescape, if it is there; `prefixed`, `second_inbox`: as in Storage."""
        self.root = root
        self.control = control or root
        """Where subscriptions and dovecot-uidvalidity are."""
        self._index = index
        self.escaping = Escaping(escaping, nested, prefixed, second_inbox)
        self.layout: Layout = (
            NestedLayout(self.escaping) if nested else FlatLayout(clock or SystemClock(), self.escaping)
        )
        self._is_nested = nested
        self._files = files
        self._names = names

    def directory(self, name: str) -> bytes:
        """The directory that a mailbox has or would have.  MailboxNameRefused."""
        directory = self.layout.directory(name)
        return self.root + b"/" + directory if directory else self.root

    def control_directory(self, name: str) -> bytes:
        """Where its uidlist and keywords are."""
        if self.control == self.root:
            return self.directory(name)
        return self.control + b"/" + (self.layout.directory(name) or self.layout.inbox)

    def index_directory(self, name: str) -> bytes:
        """Where Dovecot has its index of the mailbox."""
        if not self._index:
            return self.directory(name)
        return self._index + b"/" + (self.layout.directory(name) or self.layout.inbox)

    def existing(self, name: str) -> bytes:
        """The directory that a name would have; a name that cannot be is no mailbox."""
        try:
            return self.directory(name)
        except MailboxNameRefused as error:
            raise NoSuchMailbox(name, reason=str(error)) from error

    def is_mailbox(self, name: str) -> bool:
        """Whether there is such a one."""
        return is_maildir(self.existing(name), self._files)

    def is_untouched(self, name: str) -> bool:
        """Whether there is such a one, and nobody has opened it yet nor put anything into it."""
        if not self.is_mailbox(name):
            return False
        with suppress(FileNotFoundError):
            self._files.stat(self.control_directory(name) + b"/" + UIDLIST)
            return False
        directory = self.directory(name)
        return not any(self._files.listdir(directory + place) for place in (b"/new", b"/cur"))

    def entries(self) -> Mapping[str, bool]:
        """Names without INBOX, and whether they hold mail; in a tree, also directories that hold none."""
        return self.layout.names(self.root, self._files)

    @property
    def unfinished(self) -> tuple[bytes, ...]:
        """Directories that held no mail at the last look: other programs make a mailbox in steps."""
        return tuple(self.root + b"/" + directory for directory in self.layout.unfinished)

    def make(self, name: str) -> None:
        """The mailbox's directories, with all that is missing above; nothing happens to what is there."""
        make_maildir(os.fsdecode(self.directory(name)), files=self._files, is_folder=not self._is_nested)
        self.make_control(name)

    def make_control(self, name: str) -> None:
        """The directory of its uidlist."""
        if self.control != self.root:
            make_directories(self.control_directory(name), self._files)

    def create(self, name: str) -> None:
        """CREATE."""
        if name == INBOX or is_maildir(self.directory(name), self._files):
            raise MailboxExists(name)
        check_new(name)
        self.make(name)

    def delete(self, name: str) -> None:
        """Remove a mailbox; those below it stay."""
        directory = self.existing(name)
        if not is_maildir(directory, self._files):
            raise NoSuchMailbox(name)
        trashed = b"%s/%s.%s" % (self.root, TRASHED, self._names.take())
        if self._is_nested:
            self._trash_places(directory, trashed)
        else:
            self._files.rename(directory, trashed)
        self._files.sync_directory(self.root)
        remove_tree(trashed, self._files)
        if self.control != self.root:
            self._forget_control(self.control_directory(name))

    def _trash_places(self, directory: bytes, trashed: bytes) -> None:
        """cur, new and tmp go, what is below stays; the directory goes if nothing is."""
        self._files.mkdir(trashed, 0o700)
        for place in (*PLACES, *_CONTROL_FILES):
            try:
                self._files.rename(directory + b"/" + place, trashed + b"/" + place)
            except FileNotFoundError:
                continue
        _remove_if_empty(directory, self._files)
        self._files.sync_directory(os.path.dirname(directory))

    def _forget_control(self, directory: bytes) -> None:
        for name in _CONTROL_FILES:
            try:
                self._files.unlink(directory + b"/" + name)
            except OSError:
                continue
        _remove_if_empty(directory, self._files)

    def rename(
        self, old: str, new: str, *, may_replace: Callable[[str], bool] = lambda _: False
    ) -> list[tuple[str, str]]:
        """Rename a mailbox with those below; (old name, new name) of each.

        `may_replace` says of a mailbox that has the new name whether it may go.  By Maildir++ a name without a
        mailbox of its own may get one that is there already: what was below the one comes below the other.
        """
        target = self.directory(new)
        check_new(new)
        self.existing(old)
        names = [name for name in self.entries() if name == old or name.startswith(old + SEPARATOR)]
        if not names:
            raise NoSuchMailbox(old)
        if new == INBOX:  # even if nobody has opened it yet
            raise MailboxExists(new)
        moved = [(name, new + name[len(old) :]) for name in sorted(names)]
        in_the_way = [after for _, after in moved if is_maildir(self.directory(after), self._files)]
        if self._is_nested and is_maildir(target, self._files) and new not in in_the_way:
            in_the_way.append(new)
        for name in in_the_way:
            if not may_replace(name):
                raise MailboxExists(name)
        for name in in_the_way:
            self.delete(name)
        if self._is_nested:
            moved_places = [(self.directory(old), target)]
            if self.control != self.root:
                moved_places.append((self.control_directory(old), self.control_directory(new)))
            for source, place in moved_places:
                self._move_directory(source, place)
            self._remove_empty_above(moved_places[-1][0])  # with CONTROL=, those in the Maildir stay
            return moved
        for before, after in moved:
            self._files.rename(self.directory(before), self.directory(after))
            if self.control != self.root:
                self._move_directory(self.control_directory(before), self.control_directory(after))
        self._files.sync_directory(self.root)
        return moved

    def _remove_empty_above(self, directory: bytes) -> None:
        above = os.path.dirname(directory)
        while above not in (self.root, self.control) and _remove_if_empty(above, self._files):
            above = os.path.dirname(above)

    def _move_directory(self, source: bytes, target: bytes) -> None:
        make_directories(os.path.dirname(target), self._files)
        _remove_if_empty(target, self._files)
        try:
            self._files.rename(source, target)
        except FileNotFoundError:
            return  # a mailbox that nobody has opened has no control files yet
        for directory in {os.path.dirname(source), os.path.dirname(target)}:
            self._files.sync_directory(directory)


def tree_at(place: Storage, *, files: FileSystem = DISK, names: NameMaker | None = None) -> MailboxTree:
    """The mailboxes that a mail_location with absolute paths names."""
    return MailboxTree(
        os.fsencode(place.path.rstrip("/") or "/"),
        files=files,
        names=names or NameMaker(SystemClock()),
        control=os.fsencode(place.control.rstrip("/")),
        index=os.fsencode(place.index.rstrip("/")),
        nested=place.nested,
        escaping=place.escaping,
        prefixed=place.prefixed,
        second_inbox=place.second_inbox,
    )


def is_maildir(directory: bytes, files: FileSystem) -> bool:
    """Whether the directory holds mail."""
    return is_directory(directory + b"/cur", files)


def _holds_mail(directory: bytes, files: FileSystem) -> bool | None:
    """`is_maildir`; None: the directory cannot be entered, so that it may."""
    try:
        return is_maildir(directory, files)
    except PermissionError:
        return None


def remove_tree(path: bytes, files: FileSystem, depth: int = MAX_DEPTH_OF_TREE) -> None:
    """Remove a directory with what is in it; what others put there meanwhile stays."""
    for name in files.listdir(path):
        child = path + b"/" + name
        try:
            files.unlink(child)
        except (IsADirectoryError, PermissionError):  # POSIX allows unlink of a directory to say EPERM
            if depth:
                remove_tree(child, files, depth - 1)
    _remove_if_empty(path, files)


def _remove_if_empty(path: bytes, files: FileSystem) -> bool:
    try:
        files.rmdir(path)
    except OSError:
        return False
    return True


def _entries(directory: bytes, files: FileSystem) -> list[bytes]:
    try:
        return files.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
