"""Whose the rows of the cache are: which mailbox a directory is of those that the cache knows.

DESCRIPTION
    A GUID and a UIDVALIDITY alone do not tell.  Where somebody has copied a mailbox's directory, two have them, as
    they have for Dovecot, and soon other messages under the same UIDs; and one that was restored from a backup
    gives UIDs again that the cache has seen.  So the cache notes besides

        the place of the directory: a second directory that has the same identity while the first is there gets rows
        of its own; one whose owner is gone, because it was renamed by hand, goes on with the owner's;

        which file each row is of: a mailbox gives UIDs in rising order, so two that were one until a copy was made
        have the same files up to some UID, and none from there on.  If the last message that both the cache and the
        directory have is the same file, all before it are; if not, the rows are those of another history.

    No inode is looked at: a tree that comes back from a backup, or on another disk, has others.

    Places are told from the Maildir where the cache is in it, so that both may be moved or restored as one; with
    INDEX= they are whole paths.
"""

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.cache.message_cache import Cache, CachedMailbox, file_check
from pillarbox.mailstore.dovecot_files.uidlist import read_identity
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.message_directories import base_at


class CachedPlaces:
    """Where the mailboxes of one cache are."""

    def __init__(self, control: bytes, files: FileSystem, *, with_index: bool) -> None:
        """`control`: the directory of the tree's control files; `with_index`: the cache is at INDEX=."""
        self._below = b"" if with_index else control
        self._files = files

    def place_of(self, control: bytes) -> bytes:
        """The name for a mailbox's directory of control files."""
        if control == self._below:
            return b"."
        return control.removeprefix(self._below + b"/") if self._below else control

    def holds(self, place: bytes, guid: bytes, uid_validity: int) -> bool:
        """Whether the mailbox is there, as far as can be seen."""
        directory = place if place.startswith(b"/") else self._below + b"/" + place
        try:
            return read_identity(directory, self._files) == (guid, uid_validity)
        except OSError:
            return True


def cached_mailbox(
    cache: Cache, places: CachedPlaces, folder: FolderFiles, *, first_unseen: int
) -> CachedMailbox:
    """What the cache knows of the folder, which has been read; `first_unseen` as in `Cache.begin`."""
    place = places.place_of(folder.control)
    others = []
    for known in cache.mailboxes(folder.guid, folder.uid_validity):
        if known.place != place:
            others.append(known)
        elif _has_the_same_files(cache, known.number, folder):
            return known
        else:
            cache.forget(folder.guid, place)
    for known in others:
        is_there = places.holds(known.place, folder.guid, folder.uid_validity)
        if not is_there and _has_the_same_files(cache, known.number, folder):
            cache.set_place(known.number, place)
            return msgspec.structs.replace(known, place=place)
    return cache.begin(folder.guid, folder.uid_validity, place, first_unseen=first_unseen)


def _has_the_same_files(cache: Cache, number: int, folder: FolderFiles) -> bool:
    if cache.highest_uid(number) >= folder.next_uid:
        return False
    below = folder.next_uid
    while newest := cache.newest_files(number, below):
        for uid, file in newest:
            if (row := folder.row(uid)) >= 0:
                return file == file_check(base_at(folder.paths[row]))
        below = newest[-1][0]
    return True
