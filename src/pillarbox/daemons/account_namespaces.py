"""The namespaces of a session: the user's own mail, public trees, and those of other users.

DESCRIPTION
    Without other namespaces and access lists a session has the user's own account alone.  Otherwise the trees are
    united (mailstore/namespaces/united_account.py), each with the access lists that concern the user.

    Where another user's mail is, the userdb says: by the socket auth-userdb, which tells a process of users with
    its own uid only.  Others are as if they did not exist: their files could not be read.

STANDARDS
    Dovecot 2.3, Namespaces, SharedMailboxes, ACL
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import msgspec

from pillarbox.auth.lookup_client import LookupClient
from pillarbox.config.dovecot import variables
from pillarbox.config.dovecot.attribute_file import attribute_file_of
from pillarbox.config.dovecot.mail_location import place_of
from pillarbox.config.lazy_expunge_settings import LazyExpungeSettings, exclusion, lazy_expunge_settings
from pillarbox.config.mailbox_settings import MailboxSettings, Namespace, Storage
from pillarbox.files.file_system import DISK
from pillarbox.files.inotify import Inotify
from pillarbox.mailstore.cache.text_searching import IndexPolicy
from pillarbox.mailstore.mailbox import Account, StoreUnavailable
from pillarbox.mailstore.mailbox_names import INBOX
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.group_commit import CommonCommits
from pillarbox.mailstore.maildir.lazy_expunge import LazyExpunge
from pillarbox.mailstore.maildir.mailbox_tree import tree_at
from pillarbox.mailstore.namespaces.namespaced_account import PublicNames, as_named
from pillarbox.mailstore.namespaces.united_account import Part, UnitedAccount
from pillarbox.mailstore.sharing.acl import AccessLists, AclUser
from pillarbox.mailstore.sharing.acl_file import ALL, Rights
from pillarbox.mailstore.sharing.shared_dict import SharedDict
from pillarbox.net.system_clock import SystemClock
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.auth_protocol import parameters

_OWNER: Final = re.compile("%[und]")


class SessionUser(msgspec.Struct, frozen=True):
    """Who has logged in."""

    name: str
    home: str
    place: Storage
    groups: tuple[str, ...] = ()
    acl_name: str = ""
    """Another name by which access lists know who it is: a master user has his own rights."""


def acl_name(settings: MailboxSettings, user: str, home: str, fields: Mapping[str, str]) -> str:
    """By which name access lists know a session, if not by the user's: acl_user, or who logged in as a master user.

    Either is of the userdb, or a setting of `plugin {}` with variables.
    """
    values = {**variables.user_values(user), "home": home, **variables.field_values("userdb", fields)}
    for name in ("acl_user", "master_user"):
        if found := fields.get(name) or variables.expand(settings.plugin.get(name, ""), values):
            return found
    return ""


class AccountNamespaces:
    """One worker's."""

    def __init__(
        self,
        settings: MailboxSettings,
        *,
        executor: Executor | None,
        inotify: Inotify | None,
        tasks: asyncio.TaskGroup,
        commits: CommonCommits | None = None,
        has_lists: bool | None = None,
        asked: Rights = ALL,
    ) -> None:
        """`has_lists`: whether there are access lists, if not as for IMAP; `asked`: as in UnitedAccount."""
        self._asked = asked
        self.settings = settings
        self.executor = executor
        self._commits = commits
        self._inotify = inotify
        self.clock = SystemClock()
        self.users = LookupClient(f"{settings.base_dir}/auth-userdb", tasks=tasks)
        self.has_lists = settings.has_plugin("acl") if has_lists is None else has_lists
        self.shared_dict = (
            SharedDict(settings.acl_shared_dict, DISK, self.clock) if settings.acl_shared_dict else None
        )

    def account(
        self, user: str, home: str, place: Storage, fields: Mapping[str, str], own: MaildirAccount
    ) -> Account:
        """What a session of IMAP sees.  ConfigurationFault."""
        settings = self.settings
        main = as_named(own, settings.namespaces[0])
        groups = tuple(fields.get("acl_groups", "").replace(",", " ").split())
        who = SessionUser(user, home, place, groups, acl_name(self.settings, user, home, fields))
        lazy = self.lazy_expunge_of(who, fields)
        if len(settings.namespaces) == 1 and not self.has_lists:
            return own if main.is_plain else main
        publish = partial(self._publish, who) if self.has_lists and self.shared_dict is not None else None
        lists = self.lists(settings.namespaces[0], place, who, is_owner=True)
        parts = [Part(settings.namespaces[0], main, lists=lists, sharing=publish)]
        shared = []
        for namespace in settings.namespaces[1:]:
            if namespace.kind == "shared":
                shared.append(OtherUsers(self, namespace, who))
                continue
            if namespace.location is None:  # the same mail by another name
                alias = as_named(own, namespace)
                parts.append(Part(namespace, alias, lists=self.lists(namespace, place, who, is_owner=True)))
                continue
            there = self.place_below(namespace.location, user, home)
            is_owner = namespace.kind == "private"
            lists = self.lists(namespace, there, who, is_owner=is_owner)
            account = self.open(there, namespace)
            is_for_expunged = lazy is not None and namespace.prefix == lazy.destination
            if lazy is not None and is_owner and not is_for_expunged:
                account.lazy_expunge = self._lazy_expunge(lazy, namespace, who, own=own)
            named = as_named(account, namespace)
            parts.append(Part(namespace, named, lists=lists, is_for_expunged=is_for_expunged))
        return UnitedAccount(parts, shared=shared, executor=self.executor, asked=self._asked)

    def lazy_expunge_of(self, user: SessionUser, fields: Mapping[str, str]) -> LazyExpungeSettings | None:
        """What lazy_expunge is to do for a user; None without it."""
        if not self.settings.has_plugin("lazy_expunge"):
            return None
        values = {
            **variables.user_values(user.name),
            "home": user.home,
            **variables.field_values("userdb", fields),
        }
        plugin = {name: variables.expand(text, values) for name, text in self.settings.plugin.items()}
        return lazy_expunge_settings(plugin | dict(fields))

    def keep_expunged(self, own: MaildirAccount, user: SessionUser, fields: Mapping[str, str]) -> None:
        """Let what is expunged in a user's own tree go where lazy_expunge says.  ConfigurationFault."""
        lazy = self.lazy_expunge_of(user, fields)
        if lazy is not None:
            own.lazy_expunge = self._lazy_expunge(lazy, self.settings.namespaces[0], user, own=own)

    def _lazy_expunge(
        self, lazy: LazyExpungeSettings, source: Namespace, user: SessionUser, *, own: MaildirAccount
    ) -> LazyExpunge:
        """Of one private tree; `own` is the user's first."""
        namespaces = self.settings.namespaces
        by_prefix = next((one for one in namespaces if one.prefix and one.prefix == lazy.destination), None)
        fitting = [one for one in namespaces[1:] if one.prefix and lazy.destination.startswith(one.prefix)]
        home = by_prefix or max(fitting, key=lambda one: len(one.prefix), default=namespaces[0])
        target = own
        if home.location is not None and home is not namespaces[0]:
            target = self.open(self.place_below(home.location, user.name, user.home), home)
        named = as_named(target, home)
        is_excluded = exclusion(lazy.excluded, source.mailboxes, PublicNames(source).to_client)

        def target_of(name: str) -> str | None:
            if is_excluded(name):
                return None
            if by_prefix is not None:
                return named.store_name(by_prefix.prefix + PublicNames(by_prefix).below_prefix(name))
            stored = named.store_name(lazy.destination)
            return None if home is source and stored == name else stored

        return LazyExpunge(
            target,
            target_of,
            only_last_instance=lazy.only_last_instance,
            owns_target=target is not own,
        )

    def place_below(self, location: Storage, user: str, home: str) -> Storage:
        """Where a tree below a prefix is.  ConfigurationFault."""
        return msgspec.structs.replace(
            place_of(location, "", user=user, home=home), prefixed=True, second_inbox=True
        )

    @asynccontextmanager
    async def of_user(self, user: str) -> AsyncIterator[Account | None]:
        """Another user's own mailboxes, as they see them; None if there is no such user with our uid."""
        found = await self.find(user)
        if found is None:
            yield None
            return
        home, fields = found
        try:
            place = place_of(
                self.settings.storage, fields.get("mail", ""), user=user, home=home, fields=fields
            )
            attributes = attribute_file_of(self.settings.mail_attribute_dict, user=user, home=home)
        except ConfigurationFault:
            yield None
            return
        own = self.open(place, self.settings.namespaces[0], attributes=attributes)
        self.keep_expunged(own, SessionUser(user, home, place), fields)
        seen = self.account(user, home, place, fields, own)
        try:
            yield seen
        finally:
            if isinstance(seen, UnitedAccount):
                await seen.close()
            await own.close()

    async def find(self, user: str) -> tuple[str, dict[str, str]] | None:
        """Home and fields of a user with our uid."""
        if "/" in user or user in ("", ".", ".."):
            return None
        answer = await self.users.lookup(user, service="imap")
        if answer is None or answer[0] != b"USER" or len(answer) < 3:
            return None
        fields = {os.fsdecode(name): os.fsdecode(value) for name, value in parameters(answer[3:]).items()}
        if fields.get("uid") != str(os.getuid()):
            return None
        return fields.get("home", ""), fields

    def open(self, place: Storage, namespace: Namespace, *, attributes: str = "") -> MaildirAccount:
        """Another tree."""
        return MaildirAccount(
            place,
            clock=self.clock,
            executor=self.executor,
            inotify=self._inotify,
            mailboxes=namespace.mailboxes,
            attributes=attributes,
            packing=self.settings.packing,
            index_policy=IndexPolicy(self.settings.search_index),
            commits=self._commits,
        )

    def lists(
        self, namespace: Namespace, place: Storage, user: SessionUser, *, is_owner: bool
    ) -> AccessLists | None:
        """Access lists of a tree, as they concern a user."""
        if not self.has_lists:
            return None
        return AccessLists(
            tree_at(place),
            AclUser(
                name=user.acl_name or user.name,
                groups=user.groups,
                is_owner=is_owner and user.acl_name in ("", user.name),
            ),
            files=DISK,
            clock=self.clock,
            global_file=self.settings.acl_file,
            public_name=PublicNames(namespace).to_client,
            default=self.settings.acl_default_of(namespace),
        )

    def _publish(self, user: SessionUser) -> None:
        """Tell with whom a user shares; in a thread."""
        if self.shared_dict is None:
            return
        tree = tree_at(user.place)
        lists = self.lists(self.settings.namespaces[0], user.place, user, is_owner=True)
        if lists is not None:
            names = [INBOX, *(name for name, holds in tree.entries().items() if holds)]
            self.shared_dict.publish(user.name, [lists.shared_entries(name) for name in names])

    def close(self) -> None:
        """Let the auth server go."""
        self.users.close()


class OtherUsers:
    """`united_account.SharedTrees`: a namespace whose prefix has a user's name in it."""

    def __init__(self, namespaces: AccountNamespaces, namespace: Namespace, user: SessionUser) -> None:
        self._namespaces = namespaces
        self._namespace = namespace
        self._user = user
        self._template = namespace.prefix.replace("%%", "%")
        self.head = _OWNER.split(self._template)[0]

    async def owners(self) -> list[str]:
        """Those that the shared dict names.  StoreUnavailable."""
        shared = self._namespaces.shared_dict
        if shared is None:
            return []
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._namespaces.executor, shared.owners, self._user.name, self._user.groups
            )
        except OSError as error:
            raise StoreUnavailable(f"{shared.path}: {error.strerror}") from error

    async def open(self, owner: str) -> Part | None:
        """The tree of a user with our uid."""
        if self._namespace.location is None:
            return None
        found = await self._namespaces.find(owner)
        if found is None:
            return None
        home, _ = found
        try:
            place = place_of(self._namespace.location, "", user=owner, home=home)
        except ConfigurationFault:
            return None
        prefix = _OWNER.sub(owner, self._template, count=1)
        namespace = msgspec.structs.replace(self._namespace, prefix=prefix)
        lists = self._namespaces.lists(namespace, place, self._user, is_owner=owner == self._user.name)
        account = self._namespaces.open(place, namespace)
        return Part(namespace, as_named(account, namespace), lists=lists)
