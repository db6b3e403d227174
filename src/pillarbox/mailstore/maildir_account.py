"""One user's Maildir++: `Account` over directories.

DESCRIPTION
    The root is INBOX; every other mailbox is a directory of the root, `.A.B` for `A/B`, flat
    (mailstore/mailbox_names.py).  A parent without a directory is listed as not selectable.  Directories whose
    names begin with `..` are being deleted by someone.

    All sessions of an account in this process share one `MaildirAccount`, and those that select the same
    mailbox one `MaildirMailbox`.  A few mailboxes that nobody uses any more stay loaded, so that STATUS and
    the next SELECT need no new listing.

    DELETE renames the directory to `..DOVECOT-TRASHED.…` and then removes it: a crash leaves something that
    nobody lists.  RENAME renames one directory after another, the mailbox itself first.  Neither touches
    the subscriptions, as Dovecot does not.

    Special use (RFC 6154) goes by name, as the mailbox blocks of the configuration's namespace say
    (`MailboxDefinition`); `USUAL` is what there is without them.  Nothing is stored; CREATE makes such a mailbox
    like any other, and `ensure_defaults` makes those that have `auto`.

FAULTS
    NoSuchMailbox, MailboxExists, MailboxNameRefused  with the texts that Dovecot gives to clients
    StoreUnavailable                                  the root cannot be read or written

STANDARDS
    RFC 3501 §6.3 (mailbox commands); RFC 6154 (SPECIAL-USE); Dovecot 2.3, Maildir format
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final, TypeVar

from pillarbox.config.mailbox_settings import MailboxDefinition
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.files.inotify import Inotify
from pillarbox.mailstore.cache import Cache
from pillarbox.mailstore.deliver import fault_of, make_maildir
from pillarbox.mailstore.folder_files import FolderFiles
from pillarbox.mailstore.mailbox import (
    Mailbox,
    MailboxEntry,
    MailboxExists,
    MailboxNameRefused,
    MailboxStatus,
    NoSuchMailbox,
)
from pillarbox.mailstore.mailbox_names import (
    INBOX,
    SEPARATOR,
    directory_name,
    name_of_directory,
    normalise,
    parents,
)
from pillarbox.mailstore.maildir import MaildirMailbox
from pillarbox.mailstore.maildir_names import NameMaker
from pillarbox.mailstore.subscriptions import Subscriptions
from pillarbox.mailstore.uidlist import UidList
from pillarbox.net.system_clock import SystemClock
from pillarbox.vocabulary.clock import Clock

USUAL: Final = tuple(
    MailboxDefinition(name=name, auto="no" if " " in name else "subscribe", special_use=(use,))
    for name, use in (
        ("Drafts", "\\Drafts"),
        ("Sent", "\\Sent"),
        ("Sent Messages", "\\Sent"),
        ("Junk", "\\Junk"),
        ("Trash", "\\Trash"),
        ("Archive", "\\Archive"),
    )
)
"""Dovecot's 15-mailboxes.conf, and Archive; made and subscribed."""
MAX_IDLE: Final = 8
"""Mailboxes without users that stay loaded."""
TRASHED: Final = b"..DOVECOT-TRASHED"
MAX_DEPTH_OF_TREE: Final = 20

_T = TypeVar("_T")


class MaildirAccount:
    """`Account` over the Maildir at `root`."""

    separator = SEPARATOR
    prefix = ""

    def __init__(
        self,
        root: str,
        *,
        files: FileSystem = DISK,
        clock: Clock | None = None,
        executor: Executor | None = None,
        inotify: Inotify | None = None,
        host: bytes | None = None,
        mailboxes: Sequence[MailboxDefinition] = USUAL,
    ) -> None:
        self._definitions = mailboxes
        self._special_use = {one.name: " ".join(one.special_use).encode() for one in mailboxes}
        self._root = os.fsencode(root.rstrip("/") or "/")
        self._files = files
        self._clock = clock or SystemClock()
        self._executor = executor
        self._inotify = inotify
        self._names = NameMaker(self._clock, host=host)
        self._cache = Cache(root)
        self._subscriptions = Subscriptions(self._root, files)
        self._open: dict[str, MaildirMailbox] = {}
        self._loading: dict[str, asyncio.Lock] = {}

    def name_of(self, mailbox: Mailbox) -> str:
        """The name of an opened mailbox."""
        return mailbox.name

    # --- the tree -----------------------------------------------------------------------------------

    async def list_mailboxes(self) -> list[MailboxEntry]:
        """Every mailbox, and every parent without one, in name order; INBOX is always there."""
        return await self._run(self._list)

    async def create(self, name: str) -> None:
        """CREATE."""
        await self._run(self._create, normalise(name.removesuffix(SEPARATOR)))

    async def delete(self, name: str) -> None:
        """DELETE; children stay."""
        name = normalise(name)
        if name == INBOX:
            raise MailboxNameRefused("INBOX can't be deleted")
        guid = await self._run(self._delete, name)
        self._open.pop(name, None)
        if guid:
            await self._run(self._cache.forget, guid)

    async def rename(self, old: str, new: str) -> None:
        """RENAME with all children."""
        old, new = normalise(old), normalise(new)
        if old == INBOX:
            raise MailboxNameRefused("Renaming INBOX isn't supported.")
        if new == old or new.startswith(old + SEPARATOR):
            raise MailboxNameRefused(
                "Can't rename mailbox under its own child." if new != old else "Same name"
            )
        moved = await self._run(self._rename, old, new)
        for before, after in moved:
            mailbox = self._open.pop(before, None)
            if mailbox is not None:
                mailbox.name = after
                mailbox.folder.relocate(self._directory(after))
                self._open[after] = mailbox

    async def ensure_defaults(self) -> None:
        """Make and subscribe the mailboxes that mail programs expect, where they are missing."""
        await self._run(self._make_defaults)

    def path(self, name: str) -> str:
        """The directory of a mailbox, whether or not it is there.  MailboxNameRefused."""
        return os.fsdecode(self._directory(normalise(name)))

    # --- subscriptions ------------------------------------------------------------------------------

    async def subscribe(self, name: str) -> None:
        """SUBSCRIBE (the name need not exist, RFC 3501 §6.3.6)."""
        directory_name(name)
        await self._run(self._subscriptions.add, normalise(name))

    async def unsubscribe(self, name: str) -> None:
        """UNSUBSCRIBE."""
        await self._run(self._subscriptions.remove, normalise(name))

    async def subscriptions(self) -> list[str]:
        """Subscribed names, existing or not."""
        return await self._run(self._subscriptions.read)

    # --- mailboxes ----------------------------------------------------------------------------------

    async def open(self, name: str, *, read_only: bool = False) -> MaildirMailbox:
        """The opened mailbox, refreshed."""
        try:
            return await self._opened(await self._loaded(name), read_only=read_only)
        except NoSuchMailbox:
            # What is loaded may be one that somebody has replaced meanwhile: look at what is there now.
            if self._open.pop(normalise(name), None) is None:
                raise
        return await self._opened(await self._loaded(name), read_only=read_only)

    async def status(self, name: str, *, with_modseq: bool = False) -> MailboxStatus:
        """STATUS."""
        mailbox = await self._loaded(name)
        if with_modseq:
            await mailbox.track_modseqs()
        return await mailbox.status()

    async def close(self) -> None:
        """Give back all files."""
        for mailbox in self._open.values():
            await mailbox.finish()
        self._open.clear()
        await self._run(self._cache.close)

    # --- inside -------------------------------------------------------------------------------------

    async def _opened(self, mailbox: MaildirMailbox, *, read_only: bool) -> MaildirMailbox:
        mailbox.users += 1
        try:
            await mailbox.refresh(read_only=read_only)
        except BaseException:
            mailbox.close()
            raise
        mailbox.fill_cache()
        return mailbox

    async def _loaded(self, name: str) -> MaildirMailbox:
        """The mailbox with its messages; two sessions that ask at once get the same."""
        name = normalise(name)
        if (loaded := self._open.get(name)) is not None:
            return loaded
        async with self._loading.setdefault(name, asyncio.Lock()):
            mailbox = self._open.get(name)
            if mailbox is None:
                directory = self._existing(name)
                if not await self._run(self._is_mailbox, directory):
                    if name != INBOX:
                        raise NoSuchMailbox(name)
                    await self._run(partial(make_maildir, files=self._files), os.fsdecode(directory))
                folder = FolderFiles(
                    directory, self._root, files=self._files, clock=self._clock, names=self._names
                )
                mailbox = MaildirMailbox(
                    name,
                    folder,
                    cache=self._cache,
                    executor=self._executor,
                    inotify=self._inotify,
                    on_close=self._keep_few_idle,
                )
                await mailbox.load()
                self._open[name] = mailbox
            return mailbox

    def _keep_few_idle(self, closed: MaildirMailbox) -> None:
        idle = [name for name, mailbox in self._open.items() if mailbox.users == 0 and mailbox is not closed]
        for name in idle[: max(0, len(idle) + 1 - MAX_IDLE)]:
            self._open.pop(name).filling.stop()

    async def _run(self, function: Callable[..., _T], *arguments: object) -> _T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, partial(function, *arguments))
        except OSError as error:
            raise fault_of(error, os.fsdecode(self._root)) from error

    def _directory(self, name: str) -> bytes:
        directory = directory_name(name)
        return self._root + b"/" + directory if directory else self._root

    def _existing(self, name: str) -> bytes:
        """The directory that a name would have; a name that cannot be is no mailbox."""
        try:
            return self._directory(name)
        except MailboxNameRefused as error:
            raise NoSuchMailbox(name) from error

    def _is_mailbox(self, directory: bytes) -> bool:
        try:
            self._files.stat(directory + b"/cur")
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def _existing_names(self) -> list[str]:
        """Mailboxes that have a directory, without INBOX."""
        try:
            entries = self._files.listdir(self._root)
        except FileNotFoundError:
            return []
        return [
            name
            for entry in entries
            if entry.startswith(b".")
            and (name := name_of_directory(entry)) is not None
            and self._is_mailbox(self._root + b"/" + entry)
        ]

    def _list(self) -> list[MailboxEntry]:
        existing = {INBOX, *self._existing_names()}
        implied = {parent for name in existing for parent in parents(name)} - existing
        subscribed = set(self._subscriptions.read())
        with_children = {name.rpartition(SEPARATOR)[0] for name in existing | implied}
        return [
            MailboxEntry(
                name=name,
                selectable=name in existing,
                has_children=name in with_children,
                subscribed=name in subscribed,
                special_use=self._special_use.get(name, b""),
                marked=name in existing and self._has_new(name),
            )
            for name in sorted(existing | implied)
        ]

    def _has_new(self, name: str) -> bool:
        try:
            return any(
                not entry.startswith(b".") for entry in self._files.listdir(self._directory(name) + b"/new")
            )
        except FileNotFoundError:
            return False

    def _create(self, name: str) -> None:
        directory = self._directory(name)
        if name == INBOX or self._is_mailbox(directory):
            raise MailboxExists(name)
        make_maildir(os.fsdecode(directory), files=self._files)

    def _delete(self, name: str) -> bytes:
        """Remove the directory; the mailbox's GUID, if it was known."""
        directory = self._existing(name)
        if not self._is_mailbox(directory):
            raise NoSuchMailbox(name)
        uidlist = UidList(directory, self._files)
        uidlist.refresh()
        trashed = b"%s/%s.%s" % (self._root, TRASHED, self._names.take())
        self._files.rename(directory, trashed)
        self._files.sync_directory(self._root)
        _remove_tree(trashed, self._files, MAX_DEPTH_OF_TREE)
        return uidlist.guid

    def _rename(self, old: str, new: str) -> list[tuple[str, str]]:
        """Rename directories; (old name, new name) of each."""
        target = self._directory(new)
        source = self._existing(old)
        names = [name for name in self._existing_names() if name == old or name.startswith(old + SEPARATOR)]
        if not names:
            raise NoSuchMailbox(old)
        if self._is_mailbox(target):
            raise MailboxExists(new)
        moved = [(name, new + name[len(old) :]) for name in sorted(names)]
        for _, after in moved:
            if self._is_mailbox(self._directory(after)):
                raise MailboxExists(after)
        for before, after in moved:
            self._files.rename(self._directory(before) if before != old else source, self._directory(after))
        self._files.sync_directory(self._root)
        return moved

    def _make_defaults(self) -> None:
        subscribed = self._subscriptions.read()
        for mailbox in self._definitions:
            name = mailbox.name
            if mailbox.auto != "no" and not self._is_mailbox(self._directory(name)):
                self._create(name)
                if mailbox.auto == "subscribe" and name not in subscribed:
                    self._subscriptions.add(name)


def _remove_tree(path: bytes, files: FileSystem, depth: int) -> None:
    """Remove a directory with what is in it; what others put there meanwhile stays."""
    for name in files.listdir(path):
        child = path + b"/" + name
        try:
            files.unlink(child)
        except (IsADirectoryError, PermissionError):  # POSIX allows unlink of a directory to say EPERM
            if depth:
                _remove_tree(child, files, depth - 1)
    try:
        files.rmdir(path)
    except OSError:
        return
