"""A tree of mailboxes at one end of a synchronization: its folders, subscriptions and annotations.

DESCRIPTION
    Methods block.  Who else works on the same mail sees what happens here as another program's doing.

FAULTS
    NoSuchMailbox, MailboxExists, MailboxNameRefused, StoreUnavailable, OSError
    GuidTaken  of a mailbox that is to get another's GUID
"""

import os
from typing import Final

from pillarbox.config.mailbox_settings import Storage
from pillarbox.files.directories import is_directory
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.mailstore.cache.cached_mailboxes import CachedPlaces
from pillarbox.mailstore.cache.message_cache import FILE_NAME as CACHE_FILE
from pillarbox.mailstore.cache.message_cache import Cache
from pillarbox.mailstore.cache.text_index import TextIndex
from pillarbox.mailstore.dovecot_files.attribute_dict import FILE_NAME as ATTRIBUTES
from pillarbox.mailstore.dovecot_files.attribute_dict import AttributeDict
from pillarbox.mailstore.dovecot_files.dotlock import LockFile
from pillarbox.mailstore.dovecot_files.subscriptions import Subscriptions
from pillarbox.mailstore.dovecot_files.takeover import read_index
from pillarbox.mailstore.dovecot_files.uid_validity import raise_uid_validity
from pillarbox.mailstore.dovecot_files.uidlist import read_guid
from pillarbox.mailstore.mailbox import NoSuchMailbox
from pillarbox.mailstore.mailbox_names import INBOX
from pillarbox.mailstore.maildir.file_names import NameMaker
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.mailbox_tree import PLACES, tree_at
from pillarbox.net.system_clock import SystemClock

_LIST_INDEXES: Final = (b"dovecot.list.index", b"dovecot.list.index.log", b"dovecot.list.index.log.2")
_INDEXES: Final = (b"dovecot.index", b"dovecot.index.log", b"dovecot.index.log.2", b"dovecot.index.cache")


class GuidTaken(Exception):
    """Another mailbox has that GUID, by which its messages and annotations are known; `str()` is its name."""


class Place:
    """Where the mail of one end is."""

    def __init__(self, place: Storage, *, files: FileSystem = DISK, attributes: str = "") -> None:
        """`attributes`: the file of the annotations, if it is not in the Maildir."""
        self.files = files
        self.root = place.path.rstrip("/") or "/"
        self.clock = SystemClock()
        self.names = NameMaker(self.clock)
        self.tree = tree_at(place, files=files, names=self.names)
        self._cache_directory = place.index or self.root
        self._places = CachedPlaces(self.tree.control, files, with_index=bool(place.index))
        self._separator = b"/" if place.nested else b"."
        self._lock_file = LockFile(self.tree.directory(INBOX) + b"/tmp", files=files, names=self.names)
        self.subscriptions = Subscriptions(
            self.tree.control, files, separator=self._separator, escaping=self.tree.escaping
        )
        self.has_own_attributes = not attributes
        self.attributes = AttributeDict(
            os.fsencode(attributes or f"{self.root}/{ATTRIBUTES}"), files, self.clock
        )

    @property
    def exists(self) -> bool:
        """Whether there is a Maildir."""
        return self.tree.is_mailbox(INBOX)

    def make(self) -> None:
        """The root, if it is missing."""
        if not self.exists:
            self.tree.make(INBOX)
        else:
            self.tree.make_control(INBOX)

    def mailboxes(self) -> dict[str, bytes]:
        """Name → GUID, b"" where there is none yet; INBOX first."""
        found = {INBOX: b""} if self.exists else {}
        found.update({name: b"" for name, holds in sorted(self.tree.entries().items()) if holds})
        return {name: read_guid(self.tree.control_directory(name), self.files) for name in found}

    def folder(self, name: str) -> FolderFiles:
        """A mailbox as it is now, with what Dovecot's index knows of it.  NoSuchMailbox."""
        if not self.tree.is_mailbox(name):
            raise NoSuchMailbox(name)
        directory = self.tree.directory(name)
        if not all(is_directory(directory + b"/" + part, self.files) for part in PLACES):
            self.tree.make(name)  # somebody died while making it
        else:
            self.tree.make_control(name)  # another program has made the mailbox
        folder = self._folder(name)
        read_index(folder)
        folder.sync(move_new=False)
        return folder

    def begin(self, name: str, guid: bytes, uid_validity: int) -> None:
        """A new mailbox, with the identity that it has elsewhere."""
        self.tree.make(name)
        folder = self._folder(name)
        with folder.lock():
            folder.uidlist.refresh()
            if not folder.uidlist.exists:
                folder.uidlist.guid, folder.uidlist.uid_validity = guid, uid_validity
                folder.uidlist.rewrite([])

    def _folder(self, name: str) -> FolderFiles:
        return FolderFiles(
            self.tree.directory(name),
            self.tree.control,
            files=self.files,
            clock=self.clock,
            names=self.names,
            control=self.tree.control_directory(name),
            index=self.tree.index_directory(name),
            lock_file=self._lock_file,
        )

    def update(self, name: str, *, guid: bytes = b"", uid_validity: int = 0, min_next_uid: int = 0) -> None:
        """Give a mailbox another identity, or a higher UIDNEXT; what is empty or 0 stays.

        Who has the mailbox open sees another one, as if it had been made anew.  NoSuchMailbox, GuidTaken.
        """
        folder = self.folder(name)
        former = folder.guid
        others = {other: one for one, other in self.mailboxes().items() if one != name} if guid else {}
        if guid and guid in others:
            raise GuidTaken(others[guid])
        with folder.mutex, folder.lock():
            uidlist = folder.uidlist
            uidlist.refresh()
            before = uidlist.guid, uidlist.uid_validity
            uidlist.guid, uidlist.uid_validity = guid or uidlist.guid, uid_validity or uidlist.uid_validity
            uidlist.next_uid = max(uidlist.next_uid, min_next_uid)
            if before != (uidlist.guid, uidlist.uid_validity):
                self.forget(name, former)
            uidlist.rewrite(list(uidlist.uids))
        raise_uid_validity(self.tree.control, uid_validity, files=self.files)
        if guid not in (b"", former) and (kept := self.attributes.of_mailbox(former)):
            self.attributes.change(guid, kept)
            if former not in others:
                self.attributes.forget(former)

    def delete(self, name: str, guid: bytes) -> None:
        """A mailbox with all that is known of it."""
        self.tree.delete(name)
        self._forget_rows(name, guid)
        self.attributes.forget(guid)

    def forget(self, name: str, guid: bytes) -> None:
        """What has been found out about a mailbox's messages, here and by Dovecot, is true no more."""
        directories = {
            self.tree.index_directory(name): _INDEXES,
            self.tree.index_directory(INBOX): _LIST_INDEXES,
        }
        if name == INBOX:
            directories = {self.tree.index_directory(name): (*_INDEXES, *_LIST_INDEXES)}
        for directory, file_names in directories.items():
            for file_name in file_names:
                try:
                    self.files.unlink(directory + b"/" + file_name)
                except (FileNotFoundError, NotADirectoryError):
                    continue
        self._forget_rows(name, guid)

    def _forget_rows(self, name: str, guid: bytes) -> None:
        if not os.path.exists(f"{self._cache_directory}/{CACHE_FILE}"):
            return
        cache = Cache(self._cache_directory)
        cache.forget(guid, self._places.place_of(self.tree.control_directory(name)))
        others = cache.numbers(guid)
        cache.close()
        texts = TextIndex(self._cache_directory)
        texts.forget(guid, others)
        texts.close()

    def close(self) -> None:
        """No more is done."""
        self._lock_file.remove()
