"""new/ and cur/ of a folder: which files came and went since they were listed.

DESCRIPTION
    A directory is listed only if it has changed since (mailstore/maildir/directory_state.py).  Files whose names
    begin with a dot or a colon are no messages.

    A file that is gone from both directories in two listings is told to have vanished: a rename during the listing
    may hide one.

FAULTS
    NoSuchMailbox  one of the directories is gone
    OSError        cannot be read

STANDARDS
    https://cr.yp.to/proto/maildir.html
"""

import os
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.mailbox import NoSuchMailbox
from pillarbox.mailstore.maildir.directory_state import DirectoryState
from pillarbox.mailstore.maildir.file_names import NameMaker, base

NEW: Final = b"new/"
CUR: Final = b"cur/"
_NO_MESSAGES: Final = (b"new/.", b"new/:", b"cur/.", b"cur/:")
"""What the names of other files begin with."""
_RENAMED: Final = 30
"""Seconds after which a second name of one file is left over, and not about to be the only one."""


def base_at(path: bytes) -> bytes:
    """The base of the name of a message's file at `cur/<name>` or `new/<name>`."""
    return base(path[len(CUR) :])


def by_base(paths: Iterable[bytes]) -> dict[bytes, bytes]:
    """base → path; fewer than `paths` if several of them have one base."""
    start = len(CUR)
    return {path[start:].partition(b":")[0]: path for path in paths}


class Look(msgspec.Struct, frozen=True):
    """Both mtimes at a moment, all in nanoseconds since 1970, and which directories have to be listed."""

    now: int
    new_mtime: int
    cur_mtime: int
    list_new: bool
    list_cur: bool


class MessageDirectories:
    """Both, and what is known of them."""

    def __init__(self, directory: bytes, files: FileSystem) -> None:
        self._files = files
        self._new = DirectoryState()
        self._cur = DirectoryState()
        self.relocate(directory)

    def relocate(self, directory: bytes) -> None:
        """The folder has been renamed."""
        self._directory = directory
        self.places = (directory + b"/new", directory + b"/cur")

    def look(self, now: int) -> Look:
        """Whether they have to be listed.  Their mtimes are taken before they are."""
        new_mtime, cur_mtime = self._mtimes()
        return Look(
            now, new_mtime, cur_mtime, self._new.is_stale(new_mtime, now), self._cur.is_stale(cur_mtime, now)
        )

    def are_stale(self, now: int) -> bool:
        """Whether one of them has to be listed."""
        new_mtime, cur_mtime = self._mtimes()
        return self._new.is_stale(new_mtime, now) or self._cur.is_stale(cur_mtime, now)

    def have_changed(self) -> bool:
        """Whether one of them has to be listed before it is changed."""
        new_mtime, cur_mtime = self._mtimes()
        return self._new.has_changed(new_mtime) or self._cur.has_changed(cur_mtime)

    @property
    def are_settled(self) -> bool:
        """Whether their mtimes alone tell whether they have changed since they were listed."""
        return self._new.is_settled and self._cur.is_settled

    def only_wait(self, now: int) -> bool:
        """Whether one has to be listed for nothing but what a change of our own may have hidden."""
        return not self.have_changed() and self.are_stale(now)

    @property
    def states(self) -> tuple[tuple[DirectoryState, bytes], tuple[DirectoryState, bytes]]:
        """What is known of new/ and cur/, and where they are."""
        new, cur = self.places
        return (self._new, new), (self._cur, cur)

    def go_on_from(self, new_mtime: int | None, cur_mtime: int | None) -> None:
        """Another process has listed those of which there is a mtime, and they are as they were."""
        for state, mtime in ((self._new, new_mtime), (self._cur, cur_mtime)):
            if mtime is None:
                state.forget()
            else:
                state.go_on_from(mtime)

    def changes(self, look: Look, paths: Sequence[bytes], *, any_new: bool) -> tuple[set[bytes], set[bytes]]:
        """Paths that are not among the known `paths`, and those that are no longer there.

        `any_new` is whether some of `paths` are in new/.
        """
        if look.list_new and look.list_cur:
            appeared, vanished = _differences(self._list(NEW) | self._list(CUR), set(paths))
        elif look.list_new:
            known = {path for path in paths if path.startswith(NEW)} if any_new else set()
            appeared, vanished = _differences(self._list(NEW), known)
        elif look.list_cur:
            known = set(paths)
            if any_new:
                known = {path for path in known if path.startswith(CUR)}
            appeared, vanished = _differences(self._list(CUR), known)
        else:
            return set(), set()
        if vanished and not set(map(base_at, vanished)) <= set(map(base_at, appeared)):
            # A rename during the listing may hide a file (readdir(3)): look again, everywhere.
            appeared, vanished = _differences(self._list(NEW) | self._list(CUR), set(paths))
        if look.list_new:
            self._new.note_listing(look.new_mtime, look.now)
        if look.list_cur:
            self._cur.note_listing(look.cur_mtime, look.now)
        return appeared, vanished

    def note_own_change(self, now: int, *, new: bool) -> None:
        """We changed cur/, and new/ if so: that is listed again at once, for it holds little and deliveries."""
        if new:
            self._new.forget()
        self._cur.note_own_change(self._mtime_of(self.places[1]), now)

    def forget(self, *, new: bool = True, cur: bool = True) -> None:
        """List them next time, whatever their mtimes."""
        if new:
            self._new.forget()
        if cur:
            self._cur.forget()

    def settle_double(self, path: bytes, other: bytes, *, now: float, names: NameMaker) -> None:
        """Two files of one base: if both are there, `path` becomes a message of its own, with a name of `names`.

        `now` in seconds since 1970.
        """
        try:
            second = self._files.stat(self._directory + b"/" + path)
            first = self._files.stat(self._directory + b"/" + other)
        except FileNotFoundError:
            self.forget(new=False)  # one was being renamed while we listed; look again
            return
        if first.st_ino == second.st_ino:
            if now - second.st_ctime > _RENAMED:
                self._files.unlink(self._directory + b"/" + path)
            return
        self._files.rename(self._directory + b"/" + path, self._directory + b"/" + NEW + names.take())
        self.forget(cur=False)

    def _mtimes(self) -> tuple[int, int]:
        new, cur = self.places
        stat = self._files.stat
        try:
            return stat(new).st_mtime_ns, stat(cur).st_mtime_ns
        except FileNotFoundError as error:
            raise NoSuchMailbox(os.fsdecode(self._directory)) from error

    def _mtime_of(self, place: bytes) -> int:
        try:
            return self._files.stat(place).st_mtime_ns
        except FileNotFoundError as error:
            raise NoSuchMailbox(os.fsdecode(self._directory)) from error

    def _list(self, place: bytes) -> set[bytes]:
        """All names, also those that are no messages'."""
        return set(map(place.__add__, self._files.listdir(self._directory + b"/" + place)))


def _differences(listed: set[bytes], known: set[bytes]) -> tuple[set[bytes], set[bytes]]:
    if listed == known:  # as nearly always
        return set(), set()
    appeared = {path for path in listed - known if not path.startswith(_NO_MESSAGES)}
    return appeared, known - listed
