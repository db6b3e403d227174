"""One user's Maildir: `Account` over directories.

DESCRIPTION
    Where its mailboxes lie is told in mailstore/maildir/mailbox_tree.py.
    All sessions of an account in this process share one `MaildirAccount`, and those that select the same
    mailbox one `MaildirMailbox` (mailstore/maildir/loaded_mailboxes.py).

    DELETE and RENAME do not touch the subscriptions, as Dovecot does not.

    Special use (RFC 6154) goes by name, as the mailbox blocks of the configuration's namespace say
    (`MailboxDefinition`); `USUAL` is what there is without them, and `ensure_defaults` makes those that have
    `auto`.  What a mailbox was given itself, CREATE … USE, is one of its annotations and counts before its name.

FAULTS
    NoSuchMailbox, MailboxExists, MailboxNameRefused  with the texts that Dovecot gives to clients
    StoreUnavailable                                  the root cannot be read or written

STANDARDS
    RFC 3501 §6.3 (mailbox commands); RFC 6154 (SPECIAL-USE); Dovecot 2.3, Maildir format
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import Final, Literal, TypeVar

from pillarbox.config.mailbox_settings import MailboxDefinition, Storage
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.files.inotify import Inotify
from pillarbox.mailstore.cache.account_caches import AccountCaches
from pillarbox.mailstore.cache.indexers import Indexers
from pillarbox.mailstore.cache.text_searching import IndexPolicy
from pillarbox.mailstore.deliver import fault_of
from pillarbox.mailstore.dovecot_files.attribute_dict import (
    FILE_NAME,
    PRIVATE,
    AttributeDict,
    for_clients,
    for_file,
)
from pillarbox.mailstore.dovecot_files.dotlock import LockFile
from pillarbox.mailstore.dovecot_files.subscriptions import Subscriptions
from pillarbox.mailstore.dovecot_files.uidlist import UidList
from pillarbox.mailstore.mailbox import (
    Mailbox,
    MailboxNameRefused,
    MailboxStatus,
    NoSuchMailbox,
    QuotaState,
)
from pillarbox.mailstore.mailbox_list import MailboxList
from pillarbox.mailstore.mailbox_names import INBOX, SEPARATOR, normalise
from pillarbox.mailstore.maildir import folder_changes
from pillarbox.mailstore.maildir.default_mailboxes import DefaultMailboxes
from pillarbox.mailstore.maildir.file_names import NameMaker
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.folder_snapshots import path_in
from pillarbox.mailstore.maildir.group_commit import CommonCommits
from pillarbox.mailstore.maildir.known_statuses import KnownStatuses
from pillarbox.mailstore.maildir.loaded_mailboxes import LoadedMailboxes
from pillarbox.mailstore.maildir.mailbox import ExpungeKeeper, MaildirMailbox
from pillarbox.mailstore.maildir.mailbox_listing import MailboxListing
from pillarbox.mailstore.maildir.mailbox_tree import tree_at
from pillarbox.mailstore.maildir.prompt_work import promptly
from pillarbox.mailstore.maildir.written_statuses import WrittenStatus, written_status
from pillarbox.mailstore.name_watch import NameWatch
from pillarbox.mailstore.quota.quotas import AccountQuota, FolderQuota
from pillarbox.net.system_clock import SystemClock
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import Uid

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
_T = TypeVar("_T")


PathKind = Literal["mailbox", "control", "index"]
"""What of a mailbox: its messages, uidlist and keywords, or Dovecot's index."""


class MaildirAccount:
    """`Account` over one Maildir."""

    separator = SEPARATOR
    prefix = ""

    def __init__(
        self,
        place: Storage | str,
        *,
        files: FileSystem = DISK,
        clock: Clock | None = None,
        executor: Executor | None = None,
        inotify: Inotify | None = None,
        indexers: Indexers | None = None,
        host: bytes | None = None,
        mailboxes: Sequence[MailboxDefinition] = USUAL,
        attributes: str = "",
        quota: AccountQuota | None = None,
        packing: tuple[str, int] | None = None,
        index_policy: IndexPolicy = IndexPolicy.NONE,
        commits: CommonCommits | None = None,
    ) -> None:
        """`place`: a mail_location with absolute paths, or a directory that has everything.

        `attributes`: the file of the annotations, if it is not there; `commits`: shared with other accounts on the
        same file system.
        """
        if isinstance(place, str):
            place = Storage(path=place)
        self._files = files
        self._clock = clock or SystemClock()
        self._executor = executor
        self._inotify = inotify
        self._names = NameMaker(self._clock, host=host)
        self._root = place.path
        self._tree = tree_at(place, files=files, names=self._names)
        self._lock_file = LockFile(self._tree.directory(INBOX) + b"/tmp", files=files, names=self._names)
        self._quota = quota
        self._packing = packing
        self._caches = AccountCaches(
            place.index or place.path,
            self._tree.control,
            files,
            is_apart=bool(place.index),
            executor=executor,
            indexers=indexers,
            index_policy=index_policy,
        )
        self._commits = commits or CommonCommits(executor=executor, files=files)
        self._subscriptions = Subscriptions(
            self._tree.control, files, separator=b"/" if place.nested else b".", escaping=self._tree.escaping
        )
        self._defaults = DefaultMailboxes(self._tree, self._subscriptions, mailboxes)
        self._keeps_defaults = False
        self._attributes = AttributeDict(
            os.fsencode(attributes or f"{place.path}/{FILE_NAME}"), files, self._clock
        )
        self._listing = MailboxListing(
            self._tree,
            self._subscriptions,
            self._attributes,
            files=files,
            usual_uses={one.name: " ".join(one.special_use).encode() for one in mailboxes},
        )
        self._name_watch = NameWatch(
            tuple({self._tree.root, self._tree.control}), inotify, file=self._attributes.path
        )
        self._changing_names = asyncio.Lock()  # each of CREATE, DELETE and RENAME is several calls
        self._statuses = KnownStatuses(files, self._clock)
        self._loaded = LoadedMailboxes(self._load, self._statuses, self._caches.leisure)
        self.lazy_expunge: ExpungeKeeper | None = None
        """Where messages go before they are expunged; to be set before a mailbox is opened."""

    def name_of(self, mailbox: Mailbox) -> str:
        """The name of an opened mailbox."""
        return mailbox.name

    @property
    def is_busy(self) -> bool:
        """Whether something is done in the background."""
        return self._caches.leisure.is_busy or any(mailbox.is_busy for mailbox in self._loaded)

    @property
    def messages_loaded(self) -> int:
        """Of how many messages something is kept in memory."""
        return sum(len(mailbox.messages) for mailbox in self._loaded)

    # --- the tree -----------------------------------------------------------------------------------

    async def list_mailboxes(self) -> MailboxList:
        """Every mailbox, and every parent without one, in name order; INBOX is always there."""
        return await self._run(self._listing.read)

    async def create(self, name: str) -> None:
        """CREATE."""
        async with self._changing_names:
            await self._run(self._create, normalise(name.removesuffix(SEPARATOR)))
        self._name_watch.tell()
        self._tell_quota()

    async def delete(self, name: str) -> None:
        """DELETE; children stay."""
        name = normalise(name)
        if name == INBOX:
            raise MailboxNameRefused("INBOX can't be deleted.")
        if self.lazy_expunge is not None:
            await self._keep_all(name, self.lazy_expunge)
        async with self._changing_names:
            guid = await self._run(self._delete, name)
            if (deleted := self._loaded.take(name)) is not None:
                await deleted.finish()  # what it still writes to the cache is forgotten with the rest
            self._statuses.forget(name)
            if self._keeps_defaults:
                await self._run(self._defaults.make_one, name)
        self._name_watch.tell()
        if guid:
            await self._run(self._forget, name, guid)

    async def rename(self, old: str, new: str) -> None:
        """RENAME with all children."""
        old, new = normalise(old), normalise(new)
        if old == INBOX:
            raise MailboxNameRefused("Renaming INBOX isn't supported.")
        if new == old or new.startswith(old + SEPARATOR):
            raise MailboxNameRefused(
                "Can't rename mailbox under its own child."
                if new != old
                else "Can't rename mailbox to itself."
            )
        async with self._changing_names:
            for before, after in await self._run(self._rename, old, new):
                await self._take_new_name(before, after)
                if self._keeps_defaults:
                    await self._run(self._defaults.make_one, before)
        self._name_watch.tell()
        self._tell_quota()

    async def ensure_defaults(self) -> None:
        """Make and subscribe the mailboxes that mail programs expect, where they are missing, from now on."""
        self._keeps_defaults = True
        await self._run(self._defaults.make)

    def path(self, name: str, kind: PathKind = "mailbox") -> str:
        """The directory of a mailbox, whether or not it is there.  MailboxNameRefused."""
        tree = self._tree
        places = {"mailbox": tree.directory, "control": tree.control_directory, "index": tree.index_directory}
        return os.fsdecode(places[kind](normalise(name)))

    async def identities(self) -> dict[str, bytes]:
        """Every mailbox that can be selected → its GUID, b"" if it has none yet."""
        found = await self._run(self._listing.guids)
        self._name_watch.follow(self._tree.unfinished)
        return found

    def watch_names(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` soon after mailboxes, subscriptions or annotations have changed; the result ends it."""
        return self._name_watch.watch(notify)

    @property
    def name_directories(self) -> tuple[bytes, ...]:
        """Where something changes whenever `watch_names` would tell of another program."""
        return self._name_watch.directories

    @property
    def annotation_files(self) -> tuple[bytes, ...]:
        """The files that annotations are in."""
        return (self._attributes.path,)

    # --- subscriptions ------------------------------------------------------------------------------

    async def subscribe(self, name: str) -> None:
        """SUBSCRIBE (the name need not exist, RFC 3501 §6.3.6)."""
        self._tree.directory(name)
        await self._run(self._subscriptions.add, normalise(name))
        self._name_watch.tell()

    async def unsubscribe(self, name: str) -> None:
        """UNSUBSCRIBE.  MailboxNameRefused, unless such a name was subscribed to under other settings."""
        name = normalise(name)
        if name not in await self._run(self._subscriptions.read):
            self._tree.directory(name)
        await self._run(self._subscriptions.remove, name)
        self._name_watch.tell()

    async def subscriptions(self) -> list[str]:
        """Subscribed names, existing or not."""
        return list(await self._run(self._subscriptions.read))

    # --- annotations --------------------------------------------------------------------------------

    async def attributes(self, name: str) -> dict[str, bytes]:
        """Annotations of a mailbox, of the account for ""."""
        guid = (await self._loaded.get(name or INBOX)).guid
        found = await self._run(self._attributes.of_mailbox, guid)
        return for_clients(found, server=not name)

    async def change_attributes(self, name: str, changes: Mapping[str, bytes | None]) -> None:
        """Set annotations, or remove those whose value is None."""
        mailbox = await self._loaded.get(name or INBOX)
        await self._run(self._attributes.change, mailbox.guid, for_file(changes, server=not name))
        if name:
            await mailbox.note_annotation()
        self._name_watch.tell()

    async def own_attributes(self, guid: bytes) -> dict[str, bytes]:
        """What the user has noted privately of any mailbox, be it another's."""
        found = for_clients(await self._run(self._attributes.of_mailbox, guid), server=False)
        return {entry: value for entry, value in found.items() if entry.startswith(PRIVATE)}

    async def change_own_attributes(self, guid: bytes, changes: Mapping[str, bytes | None]) -> None:
        """The same the other way."""
        await self._loaded.get(INBOX)  # makes the directory that the file is in
        await self._run(self._attributes.change, guid, changes)
        self._name_watch.tell()

    async def url_key(self, guid: bytes, new: bytes = b"") -> bytes:
        """The secret for URLs of a mailbox."""
        if new:
            await self._loaded.get(INBOX)
        return await self._run(self._attributes.url_key, guid, new)

    async def forget_url_keys(self, guids: Sequence[bytes]) -> None:
        """Those of some mailboxes are no more."""
        await self._run(self._attributes.forget_url_keys, guids)

    # --- mailboxes ----------------------------------------------------------------------------------

    async def open(self, name: str, *, read_only: bool = False) -> MaildirMailbox:
        """The opened mailbox, refreshed."""
        return await self._loaded.open(name, read_only=read_only)

    async def open_target(self, name: str) -> MaildirMailbox:
        """The opened mailbox; who puts something into it looks for himself what other programs did."""
        return await self._loaded.open_target(name)

    async def status(self, name: str, *, with_modseq: bool = False, with_size: bool = True) -> MailboxStatus:
        """STATUS."""
        is_loaded = name in self._loaded
        if not is_loaded and not with_modseq:
            known = self._statuses.find(name, with_size=with_size)
            if known is not None:
                return known
        if not is_loaded:
            written = await self._run(self._written_status, name)
            if written is not None and written.tells(with_size=with_size, with_modseq=with_modseq):
                if written.stamp is not None:
                    self._statuses.note(name, written.stamp, written.status, written.has_size)
                return written.status
        mailbox = await self._loaded.get(name)
        if with_modseq:
            await mailbox.track_modseqs()
        status = await mailbox.status(with_size=with_size)
        if not is_loaded:
            self._loaded.keep_few_looked_at()
        return status

    async def quotas(self) -> list[QuotaState] | None:
        """What is used of each quota; None if the account has none."""
        if self._quota is None:
            return None
        return await self._run(self._quota.states)

    async def recalculate_quotas(self) -> None:
        """Count the mail anew."""
        if self._quota is not None:
            await self._run(self._quota.recalculate)

    async def close(self, *, releases: bool = False) -> None:
        """Give back all files; with `releases`, also the memory of messages, which nobody will ask for any more."""
        for mailbox in self._loaded:
            await mailbox.finish()
            await self._run(mailbox.writing_down())
            if releases:
                mailbox.release()
        self._loaded.clear()
        if self.lazy_expunge is not None:
            await self.lazy_expunge.close()
        await self._caches.leisure.finish()
        await self._run(self._caches.close)
        await self._run(self._lock_file.remove)

    # --- inside -------------------------------------------------------------------------------------

    async def _keep_all(self, name: str, lazy_expunge: ExpungeKeeper) -> None:
        """The messages of a mailbox that is about to be deleted.  NoSuchMailbox."""
        mailbox = await self.open(name, read_only=True)
        try:
            await lazy_expunge.keep(mailbox, [Uid(uid) for uid in mailbox.messages.uids])
        finally:
            mailbox.close()

    async def _take_new_name(self, before: str, after: str) -> None:
        self._statuses.forget(before)
        mailbox = self._loaded.take(before)
        if mailbox is not None:
            mailbox.name = after
            self._loaded.put(mailbox)
            if self._quota is not None:
                mailbox.folder.quota = FolderQuota(self._quota, after)
            directory, control = self._tree.directory(after), self._tree.control_directory(after)
            await promptly(mailbox.folder, self._run, mailbox.folder.relocate, directory, control)

    async def _load(self, name: str) -> MaildirMailbox:
        if not await self._run(self._tree.is_mailbox, name):
            if name != INBOX:
                raise NoSuchMailbox(name)
            await self._run(self._tree.make, name)
        elif self._tree.control != self._tree.root:
            await self._run(self._tree.make_control, name)
        folder = self._folder(name)
        folder.packing = self._packing
        if self._quota is not None:
            folder.quota = FolderQuota(self._quota, name)
        mailbox = MaildirMailbox(
            name,
            folder,
            caches=self._caches,
            executor=self._executor,
            inotify=self._inotify,
            commits=self._commits,
            on_close=self._loaded.keep_few_idle,
        )
        mailbox.lazy_expunge = self.lazy_expunge
        await mailbox.load()
        return mailbox

    async def _run(self, function: Callable[..., _T], *arguments: object) -> _T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, partial(function, *arguments))
        except OSError as error:
            raise fault_of(error, self._root) from error

    def _written_status(self, name: str) -> WrittenStatus | None:
        """What the last worker has written down, if it is still true."""
        tree, name = self._tree, normalise(name)
        return written_status(
            self._files,
            self._caches.rows,
            self._caches.places,
            directory=tree.existing(name),
            control=tree.control_directory(name),
            index=tree.index_directory(name),
        )

    def _create(self, name: str) -> None:
        if not self._is_unused_default(name):
            self._tree.create(name)

    def _delete(self, name: str) -> bytes:
        """Remove the mailbox; its GUID, if it was known."""
        self._tree.existing(name)
        uidlist = UidList(self._tree.control_directory(name), self._files)
        uidlist.refresh()
        freed = []
        if self._quota is not None and self._tree.is_mailbox(name):
            freed = folder_changes.all_sizes(self._folder(name))
        self._tree.delete(name)
        with suppress(OSError):
            self._files.unlink(path_in(self._tree.index_directory(name)))
        if self._quota is not None:
            self._quota.changed(name, freed, came=False)
            self._quota.mailboxes_changed()
        return uidlist.guid

    def _forget(self, name: str, guid: bytes) -> None:
        """A mailbox was deleted: so is what was known of it, but what another that was copied from it has, too."""
        self._caches.forget(guid, self._tree.control_directory(name))
        if self._attributes.has(guid) and guid not in self._listing.guids().values():
            self._attributes.forget(guid)

    def _rename(self, old: str, new: str) -> list[tuple[str, str]]:
        renamed = self._tree.rename(old, new, may_replace=self._is_unused_default)
        for before, after in renamed:
            self._caches.rename(self._tree.control_directory(before), self._tree.control_directory(after))
        return renamed

    def _is_unused_default(self, name: str) -> bool:
        """Whether a mailbox is there for the configuration only: to Dovecot it would not be there yet."""
        return self._keeps_defaults and self._defaults.take(name)

    def _tell_quota(self) -> None:
        if self._quota is not None:
            self._quota.mailboxes_changed()

    def _folder(self, name: str) -> FolderFiles:
        return FolderFiles(
            self._tree.directory(name),
            self._tree.control,
            control=self._tree.control_directory(name),
            index=self._tree.index_directory(name),
            files=self._files,
            clock=self._clock,
            names=self._names,
            lock_file=self._lock_file,
        )
