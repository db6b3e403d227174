"""Accounts in memory: the twin of those in files, for tests.

DESCRIPTION
    `MemoryAccount` keeps every promise of `mailbox.Account` but that of surviving a crash.  The contract test runs
    on both.
"""

from collections.abc import Callable, Mapping, Sequence

from pillarbox.mailstore.mailbox import (
    Mailbox,
    MailboxExists,
    MailboxNameRefused,
    MailboxStatus,
    NoSuchMailbox,
    QuotaState,
)
from pillarbox.mailstore.mailbox_list import MailboxEntry, MailboxList
from pillarbox.mailstore.mailbox_names import check_new
from pillarbox.mailstore.memory.mailbox import MemoryMailbox
from pillarbox.mailstore.name_watch import NameWatch
from pillarbox.vocabulary.clock import Clock, ManualClock
from pillarbox.vocabulary.flags import Flag


class MemoryAccount:
    """An account that is gone with its process."""

    separator = "/"
    prefix = ""

    def __init__(self, *, clock: Clock | None = None, special_use: dict[str, bytes] | None = None) -> None:
        self._clock = clock or ManualClock()
        self._special_use = special_use or {}
        self._next_validity = 1_795_352_182
        self._mailboxes: dict[str, MemoryMailbox] = {}
        self._subscribed: list[str] = []
        self._attributes: dict[str, bytes] = {}
        self._url_keys: dict[bytes, bytes] = {}
        self._name_watch = NameWatch((), None)
        for name in ("INBOX", *self._special_use):
            self._make(name)
        self._subscribed.extend(self._special_use)

    def name_of(self, mailbox: Mailbox) -> str:
        """The name of an opened mailbox."""
        return mailbox.name

    async def list_mailboxes(self) -> MailboxList:
        """Every mailbox and every parent, in name order."""
        names = set(self._mailboxes)
        for name in self._mailboxes:
            parts = name.split("/")
            names.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
        return MailboxList(
            MailboxEntry(
                name,
                selectable=name in self._mailboxes,
                has_children=any(other.startswith(name + "/") for other in names),
                subscribed=name in self._subscribed,
                special_use=self._use_of(name),
            )
            for name in sorted(names)
        )

    async def create(self, name: str) -> None:
        """CREATE."""
        name = name.removesuffix("/")
        self._check_name(name)
        if name in self._mailboxes:
            raise MailboxExists(name)
        self._make(name)
        self._name_watch.tell()

    async def delete(self, name: str) -> None:
        """DELETE."""
        if name == "INBOX":
            raise MailboxNameRefused("INBOX can't be deleted.")
        if name not in self._mailboxes:
            raise NoSuchMailbox(name)
        self._mailboxes.pop(name).mark_deleted()
        self._name_watch.tell()

    async def rename(self, old: str, new: str) -> None:
        """RENAME with children."""
        if old == "INBOX":
            raise MailboxNameRefused("Renaming INBOX isn't supported.")
        self._check_name(new)
        family = [name for name in self._mailboxes if name == old or name.startswith(old + "/")]
        if not family:
            raise NoSuchMailbox(old)
        for name in family:
            if new + name[len(old) :] in self._mailboxes:
                raise MailboxExists(new + name[len(old) :])
        for name in family:
            mailbox = self._mailboxes.pop(name)
            mailbox.name = new + name[len(old) :]
            self._mailboxes[mailbox.name] = mailbox
        self._name_watch.tell()

    async def identities(self) -> dict[str, bytes]:
        """Every mailbox that can be selected → its GUID."""
        return {name: mailbox.guid for name, mailbox in self._mailboxes.items()}

    def watch_names(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` soon after mailboxes, subscriptions or annotations have changed."""
        return self._name_watch.watch(notify)

    @property
    def name_directories(self) -> tuple[bytes, ...]:
        """Where something changes whenever `watch_names` would tell of another program."""
        return self._name_watch.directories

    @property
    def annotation_files(self) -> tuple[bytes, ...]:
        """There are none."""
        return ()

    async def subscribe(self, name: str) -> None:
        """SUBSCRIBE."""
        if name not in self._subscribed:
            self._subscribed.append(name)
        self._name_watch.tell()

    async def unsubscribe(self, name: str) -> None:
        """UNSUBSCRIBE."""
        if name in self._subscribed:
            self._subscribed.remove(name)
        self._name_watch.tell()

    async def subscriptions(self) -> list[str]:
        """Subscribed names."""
        return sorted(self._subscribed)

    async def attributes(self, name: str) -> dict[str, bytes]:
        """Annotations of a mailbox, of the account for ""."""
        return dict(self._attributes_of(name))

    async def change_attributes(self, name: str, changes: Mapping[str, bytes | None]) -> None:
        """Set annotations, or remove those whose value is None."""
        known = self._attributes_of(name)
        for entry, value in changes.items():
            if value is None:
                known.pop(entry, None)
            else:
                known[entry] = value
        if name:
            self._mailboxes[name].note_annotation()
        self._name_watch.tell()

    async def url_key(self, guid: bytes, new: bytes = b"") -> bytes:
        """The secret for URLs of a mailbox."""
        return self._url_keys.setdefault(guid, new) if new else self._url_keys.get(guid, b"")

    async def forget_url_keys(self, guids: Sequence[bytes]) -> None:
        """Those of some mailboxes are no more."""
        for guid in guids:
            self._url_keys.pop(guid, None)

    async def open(self, name: str, *, read_only: bool = False) -> MemoryMailbox:
        """The one object of the mailbox."""
        if name not in self._mailboxes:
            raise NoSuchMailbox(name)
        return self._mailboxes[name]

    async def open_target(self, name: str) -> MemoryMailbox:
        """The same."""
        return await self.open(name)

    async def status(self, name: str, *, with_modseq: bool = False, with_size: bool = True) -> MailboxStatus:
        """STATUS."""
        mailbox = await self.open(name)
        table = mailbox.messages
        return MailboxStatus(
            messages=len(table),
            recent=sum(uid >= mailbox.first_recent_uid for uid in table.uids),
            unseen=sum(not flags & Flag.SEEN for flags in table.flags),
            uid_next=mailbox.uid_next,
            uid_validity=mailbox.uid_validity,
            highest_modseq=mailbox.highest_modseq,
            size=mailbox.size,
            guid=mailbox.guid,
            deleted=sum(bool(flags & Flag.DELETED) for flags in table.flags),
            deleted_size=mailbox.deleted_size,
        )

    async def quotas(self) -> list[QuotaState] | None:
        """None are kept."""
        return None

    async def recalculate_quotas(self) -> None:
        """Count the mail anew."""
        return

    async def close(self) -> None:
        """There are no files."""

    def _make(self, name: str) -> None:
        self._mailboxes[name] = MemoryMailbox(name, uid_validity=self._next_validity, clock=self._clock)
        self._next_validity += 1

    def _attributes_of(self, name: str) -> dict[str, bytes]:
        if not name:
            return self._attributes
        if name not in self._mailboxes:
            raise NoSuchMailbox(name)
        return self._mailboxes[name].attributes

    def _use_of(self, name: str) -> bytes:
        given = (
            self._mailboxes[name].attributes.get("private/specialuse") if name in self._mailboxes else None
        )
        return given if given is not None else self._special_use.get(name, b"")

    def _check_name(self, name: str) -> None:
        for bad, reason in (
            (not name, "Name is empty"),
            (name.startswith("/"), "Begins with hierarchy separator"),
            (name.endswith("/"), "Ends with hierarchy separator"),
            ("//" in name, "Has adjacent hierarchy separators"),
        ):
            if bad:
                raise MailboxNameRefused(f"Invalid mailbox name: {reason}")
        check_new(name)
