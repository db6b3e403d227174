"""Several trees as one account: the user's own, public ones and other users', each under its prefix.

DESCRIPTION
    A `Part` is a tree with the names of its namespace (mailstore/namespaces/namespaced_account.py), and perhaps
    access lists. The part whose prefix is the longest that a name begins with has the mailbox; the first part has
    all others. Trees of other users (`SharedTrees`) are opened when somebody names them.

    Rights are those of the access lists; where there are none, all may do everything.  Who may not look a
    mailbox up is told that it does not exist.

    Subscriptions of a part whose namespace has subscriptions=no stand in the first part's file, by full name.

FAULTS
    PermissionDenied   the access list says no
    NoSuchMailbox      a mailbox that may not be looked up; another user who does not exist
    MailboxNameRefused a mailbox cannot be moved to another namespace

STANDARDS
    RFC 2342 (NAMESPACE); RFC 4314 (ACL); Dovecot 2.3, Namespaces, SharedMailboxes
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final, Protocol, TypeVar

import msgspec

from pillarbox.config.mailbox_settings import Namespace
from pillarbox.mailstore.deliver import fault_of
from pillarbox.mailstore.dovecot_files.attribute_dict import PRIVATE
from pillarbox.mailstore.mailbox import (
    Mailbox,
    MailboxNameRefused,
    MailboxStatus,
    NoSuchMailbox,
    PermissionDenied,
    QuotaState,
    StoreUnavailable,
)
from pillarbox.mailstore.mailbox_list import MailboxEntry, MailboxList
from pillarbox.mailstore.mailbox_names import INBOX
from pillarbox.mailstore.maildir.account import PathKind
from pillarbox.mailstore.namespaces.namespaced_account import NamespacedAccount
from pillarbox.mailstore.sharing.acl import AccessLists
from pillarbox.mailstore.sharing.acl_file import ALL, Entry, Identifier, Rights

_T = TypeVar("_T")
MAX_OTHERS: Final = 100
"""Trees of other users that are open at once."""
_ANNOTATED: Final = Rights.READ | Rights.WRITE_SEEN | Rights.WRITE | Rights.INSERT | Rights.POST
"""One of these, besides LOOKUP, is needed for annotations (RFC 5464 §3.3)."""


class NotPublished(StoreUnavailable):
    """Those with whom a mailbox is shared do not hear of it: the shared dict cannot be read or written."""


class Part:
    """One tree."""

    def __init__(
        self,
        namespace: Namespace,
        account: NamespacedAccount,
        *,
        lists: AccessLists | None = None,
        sharing: Callable[[], None] | None = None,
        is_for_expunged: bool = False,
    ) -> None:
        """`sharing` is called, in a thread, after access lists have changed; `is_for_expunged`: the namespace of
        lazy_expunge."""
        self.namespace = namespace
        self.account = account
        self.lists = lists
        self.sharing = sharing
        self.is_for_expunged = is_for_expunged
        self.prefix = account.prefix

    def has(self, name: str) -> bool:
        """Whether a name lies here."""
        return self.account.has(name)


class SharedTrees(Protocol):
    """Other users' trees."""

    head: str
    """What names begin with, before the user's."""

    async def owners(self) -> list[str]:
        """Users that share something with ours.  StoreUnavailable."""
        ...

    async def open(self, owner: str) -> Part | None:
        """A user's tree; None if there is no such user."""
        ...


class UnitedAccount:
    """`Account` over several."""

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        shared: Sequence[SharedTrees] = (),
        executor: Executor | None = None,
        asked: Rights = ALL,
    ) -> None:
        """`asked`: rights that the user needs; an administrator's commands do without the others."""
        self._asked = asked
        self._main = parts[0]
        self._parts = list(parts)
        self._shared = shared
        self._others: dict[str, Part | None] = {}  # by prefix and owner
        self._executor = executor
        self._homes: dict[Mailbox, Part] = {}
        self._listed = MailboxList()
        self.separator = self._main.account.separator
        self.prefix = self._main.prefix

    # --- where a mailbox is ---------------------------------------------------------------------------

    def namespaces(self) -> dict[str, list[str]]:
        """private, shared, public → prefixes, in the order of the configuration."""
        found: dict[str, list[str]] = {"private": [], "shared": [], "public": []}
        for part in self._parts:
            if not part.namespace.hidden:
                found[part.namespace.kind].append(part.prefix)
        found["shared"] += [trees.head for trees in self._shared]
        return found

    async def _part(self, name: str) -> Part:
        for trees in self._shared:
            if name.startswith(trees.head):
                owner = name[len(trees.head) :].partition(self.separator)[0]
                part = await self._other(trees, owner)
                if part is None:
                    raise NoSuchMailbox(name)
                return part
        fitting = [part for part in self._parts if part.prefix and part.has(name)]
        return max(fitting, key=lambda part: len(part.prefix), default=self._main)

    async def _other(self, trees: SharedTrees, owner: str) -> Part | None:
        key = trees.head + owner
        if key not in self._others:
            part = await trees.open(owner) if owner else None
            if len(self._others) >= MAX_OTHERS:
                oldest = next(iter(self._others))
                gone = self._others.pop(oldest)
                if gone is not None and gone not in self._homes.values():
                    await gone.account.close()
            self._others[key] = part
        return self._others[key]

    def name_of(self, mailbox: Mailbox) -> str:
        """The name of an opened mailbox."""
        return self._homes.get(mailbox, self._main).account.name_of(mailbox)

    async def path(self, name: str, kind: PathKind = "mailbox") -> str:
        """The directory of a mailbox, existing or not.  NoSuchMailbox, MailboxNameRefused."""
        return (await self._part(name)).account.path(name, kind)

    # --- rights -------------------------------------------------------------------------------------

    async def rights(self, name: str) -> Rights:
        """What the user may do to a mailbox."""
        part = await self._part(name)
        return ALL if part.lists is None else await self._run(part.lists.rights, _stored(part, name))

    async def _need(self, name: str, needed: Rights) -> Part:
        """The mailbox's part.  PermissionDenied, NoSuchMailbox."""
        needed &= self._asked
        rights = await self.rights(name) if needed else ALL
        if needed not in rights:
            if Rights.LOOKUP not in rights:
                raise NoSuchMailbox(name)
            raise PermissionDenied(name)
        return await self._part(name)

    async def _need_above(self, name: str) -> Part:
        part = await self._part(name)
        if part.lists is not None:
            rights = await self._run(part.lists.rights_above, _stored(part, name))
            if Rights.CREATE not in rights:
                raise PermissionDenied(name)
        return part

    async def access_list(self, name: str) -> list[Entry]:
        """GETACL.  NoSuchMailbox, PermissionDenied."""
        part = await self._administered(name)
        return [] if part.lists is None else await self._run(part.lists.entries, _stored(part, name))

    async def access_lists(self, name: str) -> tuple[list[Entry], list[Entry]]:
        """The mailbox's own list, and what that for all says of it, whoever asks; those that count for the user
        can be told by `counts`.  NoSuchMailbox, MailboxNameRefused."""
        part = await self._part(name)
        await part.account.status(name, with_size=False)
        if part.lists is None:
            return [], []
        stored = _stored(part, name)
        return (
            await self._run(part.lists.entries, stored),
            await self._run(part.lists.entries_for_all, stored),
        )

    async def counts(self, name: str, who: Identifier) -> bool:
        """Whether an entry of a mailbox's lists counts for the user."""
        part = await self._part(name)
        return part.lists is not None and part.lists.concerns(who)

    async def publish_lists(self) -> None:
        """Tell anew with whom the user's mailboxes are shared, for others to find them."""
        for part in self._parts:
            if part.sharing is not None:
                await self._run(part.sharing)

    @property
    def has_lists(self) -> bool:
        """Whether access lists are in use."""
        return self._main.lists is not None

    async def prefix_of(self, name: str) -> str:
        """The prefix of the namespace that a mailbox lies in."""
        return (await self._part(name)).prefix

    async def store_name(self, name: str) -> str:
        """What its namespace calls a mailbox.  NoSuchMailbox, OutsideNamespace, MailboxNameRefused."""
        return _stored(await self._part(name), name)

    def is_of_another(self, name: str) -> bool:
        """Whether the mailbox lies in another user's tree."""
        return any(name.startswith(trees.head) for trees in self._shared)

    def is_owner(self, name: str) -> bool:
        """Whether the mailbox lies in a tree of the user's own."""
        fitting = [part for part in self._parts if part.prefix and part.has(name)]
        if self.is_of_another(name):
            return False
        part = max(fitting, key=lambda one: len(one.prefix), default=self._main)
        return part.lists is not None and part.lists.user.is_owner

    async def change_access(self, name: str, change: Callable[[Sequence[Entry]], Sequence[Entry]]) -> None:
        """SETACL and DELETEACL: `change` makes another list of a mailbox's.  NoSuchMailbox, PermissionDenied;
        NotPublished when the list is changed, and nobody is told of it."""
        part = await self._administered(name)
        if part.lists is not None:
            await self._run(part.lists.change, _stored(part, name), change)
            if part.sharing is not None:
                try:
                    await self._run(part.sharing)
                except StoreUnavailable as fault:
                    raise NotPublished(str(fault)) from fault

    async def _administered(self, name: str) -> Part:
        part = await self._part(name)
        await part.account.status(name, with_size=False)
        return await self._need(name, Rights.ADMIN)

    # --- the trees ----------------------------------------------------------------------------------

    async def list_mailboxes(self) -> MailboxList:
        """Every mailbox that may be looked up, and every parent of one."""
        entries: dict[str, MailboxEntry] = {}
        faults: list[StoreUnavailable] = []
        for part in self._parts:
            if part.namespace.hidden or part.namespace.list == "no":
                continue
            found = await self._visible(part, faults)
            root = part.prefix.removesuffix(self.separator)
            if root and part.namespace.list == "yes" and all(entry.name != root for entry in found):
                found.append(MailboxEntry(root, selectable=False, has_children=False, subscribed=False))
            entries.update((entry.name, entry) for entry in found if entry.name not in entries)
        for trees in self._shared:
            others = []
            for owner in await self._owners(trees, faults):
                other = await self._other(trees, owner)
                found = [] if other is None else await self._visible(other, faults)
                if any(entry.selectable for entry in found):
                    others += found
            if others:
                root = trees.head.removesuffix(self.separator)
                others.append(MailboxEntry(root, selectable=False, has_children=True, subscribed=False))
                entries.update((entry.name, entry) for entry in others)
        subscribed = await self._subscribed(faults)
        listed = sorted(
            (msgspec.structs.replace(one, subscribed=one.name in subscribed) for one in entries.values()),
            key=lambda entry: entry.name,
        )
        if listed != list(self._listed):  # the same again, with what was made of it
            self._listed = MailboxList(listed)
        self._listed.usual_uses = (await self._main.account.list_mailboxes()).usual_uses
        self._listed.faults = list({str(fault): fault for fault in faults}.values())
        return self._listed

    async def _subscribed(self, faults: list[StoreUnavailable]) -> set[str]:
        try:
            return set(await self.subscriptions())
        except StoreUnavailable as fault:
            faults.append(fault)
            return set()

    async def _owners(self, trees: SharedTrees, faults: list[StoreUnavailable]) -> list[str]:
        try:
            return await trees.owners()
        except StoreUnavailable as fault:
            faults.append(fault)
            return []

    def unlisted_prefixes(self) -> list[str]:
        """Of namespaces with list=no, whose mailboxes are told to who asks for names below the prefix."""
        return [part.prefix for part in self._parts[1:] if part.prefix and part.namespace.list == "no"]

    async def with_unlisted(self, listed: MailboxList, prefixes: Sequence[str]) -> MailboxList:
        """What `list_mailboxes` gave, and the mailboxes of some of these."""
        found, faults = list(listed), list(listed.faults)
        for part in self._parts[1:]:
            if part.prefix in prefixes and part.namespace.list == "no":
                root = part.prefix.removesuffix(self.separator)
                found += [entry for entry in await self._visible(part, faults) if entry.name != root]
        every = MailboxList(sorted(found, key=lambda entry: entry.name))
        every.usual_uses, every.faults = listed.usual_uses, faults
        return every

    async def _visible(self, part: Part, faults: list[StoreUnavailable]) -> list[MailboxEntry]:
        stored = await part.account.list_mailboxes()
        faults += stored.faults
        entries = list(stored)
        lists = part.lists
        if part is not self._main:  # INBOX is the main part's alone
            entries = [entry for entry in entries if entry.name != INBOX]
        if lists is None:
            return entries

        def seen() -> set[str]:
            names = set()
            for name in (entry.name for entry in entries if entry.selectable):
                if name == INBOX:  # which is there for everybody, as in Dovecot
                    names.add(name)
                    continue
                try:
                    if Rights.LOOKUP in lists.rights(_stored(part, name)):
                        names.add(name)
                except StoreUnavailable as fault:  # one list that makes no sense hides one mailbox
                    faults.append(fault)
            return names

        names = await self._run(seen)
        level = self.separator
        kept = []
        for entry in entries:
            below = any(name.startswith(entry.name + level) for name in names)
            if entry.name in names:
                kept.append(msgspec.structs.replace(entry, has_children=below))
            elif below:
                kept.append(msgspec.structs.replace(entry, selectable=False, has_children=True))
        return kept

    async def create(self, name: str) -> None:
        """CREATE; the new mailbox gets the access list of the one above."""
        part = await self._need_above(name)
        await part.account.create(name)
        if part.lists is not None:
            await self._run(part.lists.inherit, _stored(part, name.removesuffix(self.separator)))

    async def delete(self, name: str) -> None:
        """DELETE."""
        await (await self._need(name, Rights.DELETE)).account.delete(name)

    async def rename(self, old: str, new: str) -> None:
        """RENAME with all children, within a namespace."""
        ends = (await self._part(old), await self._part(new))
        if any(part.is_for_expunged for part in ends):
            raise MailboxNameRefused("Can't rename mailboxes to/from expunge namespace")
        if ends[0] is not ends[1]:
            raise MailboxNameRefused("Renaming not supported across non-private namespaces.")
        part = await self._need(old, Rights.DELETE)
        await self._need_above(new)
        await part.account.rename(old, new)

    async def identities(self) -> dict[str, bytes]:
        """Every mailbox that can be selected → its GUID."""
        found = await self._main.account.identities()
        visible = {entry.name for entry in await self.list_mailboxes() if entry.selectable}
        for part in self._parts[1:]:
            if not part.namespace.hidden:
                found |= await part.account.identities()
        return {name: guid for name, guid in found.items() if name in visible}

    def watch_names(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` soon after mailboxes or subscriptions have changed."""
        ends = [part.account.watch_names(notify) for part in self._parts]

        def end() -> None:
            for one in ends:
                one()

        return end

    @property
    def name_directories(self) -> tuple[bytes, ...]:
        """Where something changes whenever `watch_names` would tell of another program."""
        return tuple(place for part in self._parts for place in part.account.name_directories)

    @property
    def annotation_files(self) -> tuple[bytes, ...]:
        """The files that annotations are in."""
        return tuple(file for part in self._parts for file in part.account.annotation_files)

    async def subscribe(self, name: str) -> None:
        """SUBSCRIBE."""
        part = await self._part(name)
        if part is self._main or part.namespace.subscriptions:
            await part.account.subscribe(name)
        else:
            await self._main.account.subscribe_elsewhere(name)

    async def unsubscribe(self, name: str) -> None:
        """UNSUBSCRIBE."""
        part = await self._part(name)
        if part is self._main or part.namespace.subscriptions:
            await part.account.unsubscribe(name)
        else:
            await self._main.account.unsubscribe_elsewhere(name)

    async def subscriptions(self) -> list[str]:
        """Subscribed names, existing or not."""
        names = await self._main.account.subscriptions()
        for part in self._parts[1:]:
            if part.namespace.subscriptions and not part.namespace.hidden:
                names += [name for name in await part.account.subscriptions() if name not in names]
        return names

    async def attributes(self, name: str) -> dict[str, bytes]:
        """Annotations; private ones of others' mailboxes are the user's own (RFC 5464 §3.2.1)."""
        part = await self._annotated(name) if name else self._main
        found = await part.account.attributes(name)
        if part.namespace.kind == "private":
            return found
        guid = (await part.account.status(name, with_size=False)).guid
        common = {entry: value for entry, value in found.items() if not entry.startswith(PRIVATE)}
        return common | await self._main.account.own_attributes(guid)

    async def change_attributes(self, name: str, changes: Mapping[str, bytes | None]) -> None:
        """Set annotations: who may read them may (RFC 5464 §3.3)."""
        own = {entry: value for entry, value in changes.items() if entry.startswith(PRIVATE)}
        common = {entry: value for entry, value in changes.items() if entry not in own}
        part = await self._annotated(name) if name else self._main
        if part.namespace.kind == "private":
            await part.account.change_attributes(name, changes)
            return
        guid = (await part.account.status(name, with_size=False)).guid
        if common:
            await part.account.change_attributes(name, common)
        if own:
            await self._main.account.change_own_attributes(guid, own)

    async def _annotated(self, name: str) -> Part:
        """The part of a mailbox whose annotations the user may know.  NoSuchMailbox, PermissionDenied."""
        part = await self._need(name, Rights.LOOKUP)
        if self._asked & _ANNOTATED and not await self.rights(name) & _ANNOTATED:
            raise PermissionDenied(name)
        return part

    async def url_key(self, guid: bytes, new: bytes = b"") -> bytes:
        """The user's own secret for URLs of a mailbox, whoever owns that."""
        return await self._main.account.url_key(guid, new)

    async def forget_url_keys(self, guids: Sequence[bytes]) -> None:
        """Those of some mailboxes are no more."""
        await self._main.account.forget_url_keys(guids)

    async def open(self, name: str, *, read_only: bool = False) -> Mailbox:
        """The opened mailbox, if it may be read; whether it may be looked up says nothing of that (RFC 4314 §4)."""
        part = await self._need(name, Rights.READ)
        return self._opened(part, await part.account.open(name, read_only=read_only))

    async def open_target(self, name: str) -> Mailbox:
        """The opened mailbox, if something may be put into it."""
        part = await self._need(name, Rights.INSERT)
        return self._opened(part, await part.account.open_target(name))

    def _opened(self, part: Part, mailbox: Mailbox) -> Mailbox:
        self._homes[mailbox] = part
        return mailbox

    async def exists(self, name: str) -> bool:
        """Whether there is such a mailbox, whoever asks."""
        part = await self._part(name)
        try:
            await part.account.status(name, with_size=False)
        except (NoSuchMailbox, MailboxNameRefused):
            return False
        return True

    async def status(self, name: str, *, with_modseq: bool = False, with_size: bool = True) -> MailboxStatus:
        """STATUS."""
        part = await self._need(name, Rights.READ)
        return await part.account.status(name, with_modseq=with_modseq, with_size=with_size)

    async def quotas(self) -> list[QuotaState] | None:
        """Of the user's own tree."""
        return await self._main.account.quotas()

    async def recalculate_quotas(self) -> None:
        """Count the mail anew."""
        await self._main.account.recalculate_quotas()

    async def close(self) -> None:
        """Give back all files but those of the main part, which others share."""
        for part in [*self._parts[1:], *filter(None, self._others.values())]:
            if part.namespace.location is not None:  # or it is the main part's by another name
                await part.account.close()

    async def _run(self, function: Callable[..., _T], *arguments: object) -> _T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, partial(function, *arguments))
        except OSError as error:
            raise fault_of(error, self._main.account.path(INBOX)) from error


def _stored(part: Part, name: str) -> str:
    """The name in the part's tree; empty for its root.  OutsideNamespace, MailboxNameRefused."""
    return part.account.store_name(name)
