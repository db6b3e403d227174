"""An account as its clients name it: another separator, and a prefix before the names.

DESCRIPTION
    The store has `/` between the levels of a name and nothing before it.  `NamespacedAccount` stands before it
    and translates: with separator `.` and prefix `INBOX.`, as Courier has it, `Lists/a` is `INBOX.Lists.a`.
    INBOX is INBOX; another user's is the prefix without its last separator, `shared/alice`.  A prefix
    that is no mailbox is listed as one that cannot be selected.

FAULTS
    OutsideNamespace     a name without the prefix; with Dovecot's text
    MailboxNameRefused   the store's separator in a name of another

STANDARDS
    RFC 2342 (NAMESPACE); Dovecot 2.3, Namespaces
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from pillarbox.config.mailbox_settings import Namespace
from pillarbox.mailstore.mailbox import (
    Account,
    Mailbox,
    MailboxNameRefused,
    MailboxStatus,
    NoSuchMailbox,
    QuotaState,
)
from pillarbox.mailstore.mailbox_list import MailboxEntry, MailboxList
from pillarbox.mailstore.mailbox_names import (
    BELOW_PREFIX,
    INBOX,
    OWN_SEPARATOR,
    SEPARATOR,
    normalise,
)
from pillarbox.mailstore.maildir.account import MaildirAccount, PathKind


class OutsideNamespace(MailboxNameRefused):
    """A name that no namespace has; `str()` is for the client, without response code."""


class PublicNames:
    """Names as clients have them, and those of the store."""

    def __init__(self, namespace: Namespace) -> None:
        self.prefix = namespace.prefix
        self.separator = namespace.separator or OWN_SEPARATOR

    def to_client(self, name: str) -> str:
        """`INBOX.Lists.a` for `Lists/a`."""
        return INBOX if name == INBOX else self.prefix + self.below_prefix(name)

    def below_prefix(self, name: str) -> str:
        """`Lists.a` for `Lists/a`."""
        return name.removeprefix(BELOW_PREFIX).replace(SEPARATOR, self.separator)


class NamespacedAccount:
    """`Account` over another one, with the names of one namespace."""

    def __init__(
        self,
        account: Account,
        *,
        prefix: str,
        separator: str,
        is_shared: bool = False,
        spelled_inboxes: bool = False,
        second_inbox: bool = False,
    ) -> None:
        """`is_shared`: another user's tree, whose INBOX is the prefix itself.  Below the prefix a mailbox may be
        called INBOX in other letters (`spelled_inboxes`), or just so (`second_inbox`)."""
        self._account = account
        self._is_shared = is_shared
        self._spelled_inboxes = spelled_inboxes
        self._second_inbox = second_inbox
        self.prefix = prefix
        self.separator = separator
        self._root = prefix.removesuffix(separator) if prefix else ""

    @property
    def is_plain(self) -> bool:
        """Whether the names are the store's own."""
        return self.separator == SEPARATOR and not self.prefix

    def name_of(self, mailbox: Mailbox) -> str:
        """An opened mailbox's name."""
        return self._to_client(mailbox.name)

    async def list_mailboxes(self) -> MailboxList:
        """Every mailbox, and every parent without one, in name order."""
        stored = await self._account.list_mailboxes()
        key = ("namespace", self.prefix, self.separator, self._is_shared)
        named = stored.recall(key)
        if not isinstance(named, MailboxList):
            named = MailboxList(self._named(stored))
            named.usual_uses = {self._to_client(name): use for name, use in stored.usual_uses.items()}
            stored.keep(key, named)
        named.faults = stored.faults
        return named

    def _named(self, stored: MailboxList) -> list[MailboxEntry]:
        """What the namespace makes of the store's mailboxes."""
        entries = [msgspec.structs.replace(entry, name=self._to_client(entry.name)) for entry in stored]
        if self._spelled_inboxes:
            entries = _once_each(entries)
        if not self._root or self._is_shared:
            return entries
        others = any(entry.name != INBOX for entry in entries)
        if normalise(self._root) == INBOX:
            return [
                msgspec.structs.replace(entry, has_children=others) if entry.name == INBOX else entry
                for entry in entries
            ]
        root = MailboxEntry(self._root, selectable=False, has_children=others, subscribed=False)
        return sorted([*entries, root], key=lambda entry: entry.name)

    async def create(self, name: str) -> None:
        """CREATE."""
        await self._account.create(self._to_store(name))

    async def delete(self, name: str) -> None:
        """DELETE."""
        await self._account.delete(self._existing(name))

    async def rename(self, old: str, new: str) -> None:
        """RENAME with all children."""
        await self._account.rename(self._existing(old), self._to_store(new))

    async def identities(self) -> dict[str, bytes]:
        """Every mailbox that can be selected → its GUID."""
        return {self._to_client(name): guid for name, guid in (await self._account.identities()).items()}

    def watch_names(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` soon after mailboxes or subscriptions have changed."""
        return self._account.watch_names(notify)

    @property
    def name_directories(self) -> tuple[bytes, ...]:
        """Where something changes whenever `watch_names` would tell of another program."""
        return self._account.name_directories

    @property
    def annotation_files(self) -> tuple[bytes, ...]:
        """The files that annotations are in."""
        return self._account.annotation_files

    async def subscribe(self, name: str) -> None:
        """SUBSCRIBE."""
        await self._account.subscribe(self._existing(name))

    async def unsubscribe(self, name: str) -> None:
        """UNSUBSCRIBE."""
        await self._account.unsubscribe(self._to_store(self._not_the_prefix(name)))

    async def subscribe_elsewhere(self, name: str) -> None:
        """SUBSCRIBE to a mailbox of another namespace, by its full name."""
        await self._account.subscribe(name.replace(self.separator, SEPARATOR))

    async def unsubscribe_elsewhere(self, name: str) -> None:
        """UNSUBSCRIBE of the same."""
        await self._account.unsubscribe(name.replace(self.separator, SEPARATOR))

    async def subscriptions(self) -> list[str]:
        """Subscribed names, existing or not."""
        return list(map(self._to_client, await self._account.subscriptions()))

    async def attributes(self, name: str) -> dict[str, bytes]:
        """Annotations of a mailbox, of the account for ""."""
        return await self._account.attributes(self._existing(name) if name else "")

    async def change_attributes(self, name: str, changes: Mapping[str, bytes | None]) -> None:
        """Set annotations, or remove those whose value is None."""
        await self._account.change_attributes(self._existing(name) if name else "", changes)

    async def own_attributes(self, guid: bytes) -> dict[str, bytes]:
        """What the user has noted privately of any mailbox, be it another's."""
        return await self._account.own_attributes(guid) if isinstance(self._account, MaildirAccount) else {}

    async def change_own_attributes(self, guid: bytes, changes: Mapping[str, bytes | None]) -> None:
        """The same the other way."""
        if isinstance(self._account, MaildirAccount):
            await self._account.change_own_attributes(guid, changes)

    async def url_key(self, guid: bytes, new: bytes = b"") -> bytes:
        """The secret for URLs of a mailbox."""
        return await self._account.url_key(guid, new)

    async def forget_url_keys(self, guids: Sequence[bytes]) -> None:
        """Those of some mailboxes are no more."""
        await self._account.forget_url_keys(guids)

    async def open(self, name: str, *, read_only: bool = False) -> Mailbox:
        """The opened mailbox, refreshed."""
        return await self._account.open(self._existing(name), read_only=read_only)

    async def open_target(self, name: str) -> Mailbox:
        """The opened mailbox, to put something into it."""
        return await self._account.open_target(self._existing(name))

    async def status(self, name: str, *, with_modseq: bool = False, with_size: bool = True) -> MailboxStatus:
        """STATUS."""
        return await self._account.status(self._existing(name), with_modseq=with_modseq, with_size=with_size)

    async def quotas(self) -> list[QuotaState] | None:
        """What is used of each quota."""
        return await self._account.quotas()

    async def recalculate_quotas(self) -> None:
        """Count the mail anew."""
        await self._account.recalculate_quotas()

    async def close(self) -> None:
        """Give back all files."""
        await self._account.close()

    def path(self, name: str, kind: PathKind = "mailbox") -> str:
        """The directory of a mailbox, existing or not.  OutsideNamespace, MailboxNameRefused."""
        stored = self._to_store(name)
        return self._account.path(stored, kind) if isinstance(self._account, MaildirAccount) else ""

    def store_name(self, name: str) -> str:
        """What the store calls a mailbox that a client names.  OutsideNamespace, MailboxNameRefused."""
        return self._to_store(name)

    def _to_client(self, name: str) -> str:
        if name == INBOX:
            return self._root if self._is_shared else INBOX
        return self.prefix + name.removeprefix(BELOW_PREFIX).replace(SEPARATOR, self.separator)

    def _existing(self, name: str) -> str:
        """The store's name; one that cannot be is no mailbox."""
        try:
            return self._to_store(self._not_the_prefix(name))
        except OutsideNamespace:
            raise
        except MailboxNameRefused as error:
            raise NoSuchMailbox(name, reason=str(error)) from None

    def _not_the_prefix(self, name: str) -> str:
        """A name that is not `INBOX.`, which CREATE alone takes for INBOX.  MailboxNameRefused."""
        if self._root == INBOX and not self._is_shared and name == self.prefix:
            raise MailboxNameRefused(f"Invalid mailbox name '{name}': Ends with hierarchy separator")
        return name

    def _to_store(self, name: str) -> str:
        name = normalise(name, self.separator)
        if self._is_shared and name.removeprefix(self.prefix) in (self._root, self.prefix, INBOX):
            return INBOX
        if name == INBOX or (self._root and normalise(name.removesuffix(self.separator)) == self._root):
            return INBOX if name == INBOX or self._root == INBOX else ""
        if not self._has_prefix(name):
            hint = f" (Mailbox name should probably be prefixed with: {self.prefix})"
            raise OutsideNamespace("Client tried to access nonexistent namespace." + hint)
        name = name[len(self.prefix) :]
        if self.separator != SEPARATOR and SEPARATOR in name:
            raise MailboxNameRefused(_MUST_NOT)
        if self.prefix and normalise(name) == INBOX and (name != INBOX or self._second_inbox):
            if not self._spelled_inboxes:
                raise MailboxNameRefused("Invalid mailbox name: INBOX is not below the prefix")
            return BELOW_PREFIX + name
        return name.replace(self.separator, SEPARATOR)

    def has(self, name: str) -> bool:
        """Whether a name begins with the prefix, or is it without its separator; INBOX in any case of letters."""
        return self._has_prefix(name) or normalise(name) == self._root

    def _has_prefix(self, name: str) -> bool:
        start, prefix = name[: len(self.prefix)], self.prefix
        if prefix[:5].isascii() and prefix[:5].upper() == INBOX and start[:5].isascii():
            start, prefix = start[:5].upper() + start[5:], INBOX + prefix[5:]
        return start == prefix


def as_named(account: Account, namespace: Namespace) -> NamespacedAccount:
    """The account with the names of a configured namespace; Maildir++ has dots where nothing is configured."""
    return NamespacedAccount(
        account,
        prefix=namespace.prefix,
        separator=namespace.separator or OWN_SEPARATOR,
        is_shared=namespace.kind == "shared",
        spelled_inboxes=bool(namespace.prefix)
        and namespace.kind != "shared"
        and (namespace.location is not None or namespace.inbox),
        second_inbox=bool(namespace.prefix) and namespace.location is not None and not namespace.inbox,
    )


def _once_each(entries: list[MailboxEntry]) -> list[MailboxEntry]:
    """`Inbox` is a mailbox in the store, and the name above `Inbox/a`, which is not: one entry for clients."""
    found: dict[str, MailboxEntry] = {}
    for entry in entries:
        if (other := found.get(entry.name)) is not None:
            entry = msgspec.structs.replace(
                entry if entry.selectable else other, has_children=entry.has_children or other.has_children
            )
        found[entry.name] = entry
    return list(found.values())


_MUST_NOT: Final = "Invalid mailbox name: Name must not have '/' characters"
