"""Mailboxes in memory: the twin of the store in files, for tests.

DESCRIPTION
    `MemoryMailbox` keeps every promise of `mailbox.Mailbox` but that of surviving a crash; the account is in
    account.py.  The contract test runs on both stores.  What another program would do to the files is done
    by calling the mailbox's methods without an `origin`.

    The journal keeps `journal_limit` changes, so that tests can let a view fall behind it.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from pillarbox.mailstore.cache.sort_key_cache import STORED_COLUMNS
from pillarbox.mailstore.content.large_content import LARGE, LargeContent
from pillarbox.mailstore.journal import Journal
from pillarbox.mailstore.mailbox import (
    KEEP_ALL,
    MAX_KEYWORDS,
    Change,
    ChangeKind,
    FailedReads,
    Fields,
    FlagAction,
    FlagChange,
    KeptFlags,
    Mailbox,
    MessageGone,
    MessageSummary,
    MessageTable,
    NewMessage,
    NoSuchMailbox,
    OverQuota,
    Pop3Fields,
    SortColumn,
    SortValue,
    TextPlace,
)
from pillarbox.mailstore.maildir.file_names import short_guid
from pillarbox.message.body_structure import render as render_structure
from pillarbox.message.envelope import render_envelope
from pillarbox.message.header_fields import split
from pillarbox.message.line_ends import to_crlf, to_lf
from pillarbox.message.mime_tree import parse
from pillarbox.message.preview import preview
from pillarbox.message.sort_keys import sort_keys
from pillarbox.vocabulary.clock import Clock, ManualClock
from pillarbox.vocabulary.flags import Flag, having_flag
from pillarbox.vocabulary.identifiers import ModSeq, Uid, UidValidity


class MemorySpool:
    """`Spool` for tests."""

    def __init__(self) -> None:
        self.size = 0
        self.data = b""

    async def add(self, data: bytes) -> None:
        """Take octets."""
        self.data += data
        self.size = len(to_lf(self.data))

    async def finish(self) -> None:
        """It is there."""

    async def content(self) -> bytes | LargeContent:
        """What has come."""
        return to_crlf(self.data)

    async def discard(self) -> None:
        """It is not needed any more."""


def _octets(message: NewMessage) -> bytes:
    content = message.content
    if isinstance(content, bytes):
        return content
    assert isinstance(content, MemorySpool)
    return content.data


class MemoryMailbox:
    """A mailbox that is gone with its process."""

    def __init__(
        self,
        name: str,
        *,
        uid_validity: int = 1_795_352_182,
        clock: Clock | None = None,
        journal_limit: int = 100_000,
    ) -> None:
        self.name = name
        self.uid_validity = UidValidity(uid_validity)
        self.guid = b"%032x" % uid_validity
        self.messages = MessageTable()
        self.keywords: list[bytes] = []
        self.memo: dict[object, object] = {}
        self.lasting_memo: dict[object, object] = {}
        self.failed_reads = FailedReads()
        self.others_fields: dict[int, Pop3Fields] = {}
        self.deleted = False
        self.attributes: dict[str, bytes] = {}
        self.size_limit: int | None = None
        self._clock = clock or ManualClock()
        self._contents: dict[int, bytes] = {}
        self._dates: dict[int, int] = {}
        self._saved: dict[int, int] = {}
        self._uid_next = 1
        self._modseq = 1
        self._has_modseqs = False
        self._vanished: list[tuple[int, Uid]] = []
        self._first_recent = 1
        self._journal = Journal()
        self._journal_limit = journal_limit
        self._watchers: dict[object, Callable[[], None]] = {}

    @property
    def watched_directories(self) -> tuple[bytes, ...]:
        """There are none."""
        return ()

    @property
    def uid_next(self) -> Uid:
        """UIDNEXT."""
        return Uid(self._uid_next)

    @property
    def highest_modseq(self) -> ModSeq:
        """HIGHESTMODSEQ."""
        return ModSeq(self._modseq)

    @property
    def has_modseqs(self) -> bool:
        """Whether a client has used them."""
        return self._has_modseqs

    async def track_modseqs(self) -> None:
        """They are always there."""
        self._has_modseqs = True

    def note_annotation(self) -> None:
        """An annotation has changed, and HIGHESTMODSEQ with it (RFC 7162 §3.2)."""
        self._next_modseq()

    async def vanished_since(self, modseq: int) -> list[Uid] | None:
        """All is known."""
        return sorted(uid for since, uid in self._vanished if since > modseq)

    @property
    def first_recent_uid(self) -> Uid:
        """Messages from this UID on have been seen by no session."""
        return Uid(self._first_recent)

    def claim_recent(self) -> Uid:
        """Give the \\Recent messages to the calling session."""
        first = self._first_recent
        self._first_recent = self._uid_next
        return Uid(first)

    @property
    def journal_position(self) -> int:
        """Position after the last change."""
        return self._journal.position

    def changes_since(self, position: int) -> list[Change] | None:
        """Changes from `position` on, or None."""
        return self._journal.since(position)

    async def refresh(self, *, read_only: bool = False) -> None:
        """Nothing changes behind our back, but the mailbox may have been deleted."""
        if self.deleted:
            raise NoSuchMailbox(self.name)

    async def spool(self, size: int) -> MemorySpool:
        """For a message that is written as it comes."""
        if self.size_limit is not None and self.size + size > self.size_limit:
            raise OverQuota(self.name)
        return MemorySpool()

    async def append(self, messages: Sequence[NewMessage]) -> list[Uid]:
        """Store messages.  Raises NoSuchMailbox."""
        if self.deleted:
            raise NoSuchMailbox(self.name)
        contents = [to_crlf(_octets(message)) for message in messages]
        if self.size_limit is not None and self.size + sum(map(len, contents)) > self.size_limit:
            raise OverQuota(self.name)
        bits = [self._keyword_bits(message.keywords) for message in messages]
        uids: list[Uid] = []
        for message, content, keywords in zip(messages, contents, bits, strict=True):
            date = message.internal_date if message.internal_date is not None else self._clock.now()
            uids.append(self._add(content, int(date), message.flags, keywords))
        self._notify()
        return uids

    async def change_flags(
        self, uids: Sequence[Uid], change: FlagChange, *, origin: object | None = None
    ) -> list[Uid]:
        """Change flags; the UIDs whose flags really changed."""
        adds = change.action is not FlagAction.REMOVE
        wanted_bits = self._keyword_bits(change.keywords, make=adds)
        wanted = int(change.flags & ~Flag.RECENT)
        changed: list[Uid] = []
        table = self.messages
        for uid in uids:
            row = self._row(uid)
            if row is None:
                continue
            flags, keywords = table.flags[row], table.keywords[row]
            if change.expected is not None and change.expected.get(uid) != (flags, keywords):
                continue
            new = change.applied((flags, keywords), wanted, wanted_bits)
            if new != (flags, keywords):
                table.flags[row] = new[0]
                table.set_keywords(row, new[1])
                table.modseqs[row] = self._next_modseq()
                self._write(ChangeKind.FLAGS, uid, origin)
                changed.append(uid)
        if changed:
            self._notify()
        return changed

    async def expunge(self, uids: Sequence[Uid], *, origin: object | None = None) -> list[Uid]:
        """Remove messages for good."""
        gone: list[Uid] = []
        for uid in uids:
            row = self._row(uid)
            if row is None:
                continue
            table = self.messages
            for column in (table.uids, table.flags, table.keywords, table.modseqs):
                del column[row]
            del self._contents[uid]
            del self._dates[uid]
            del self._saved[uid]
            self._vanished.append((self._next_modseq(), uid))
            self._write(ChangeKind.EXPUNGED, uid, origin)
            gone.append(uid)
        if gone:
            self._notify()
        return gone

    async def copy(
        self, uids: Sequence[Uid], target: Mailbox, *, keeping: KeptFlags = KEEP_ALL
    ) -> list[tuple[Uid, Uid]]:
        """Copy messages with flags and dates."""
        copies: list[NewMessage] = []
        table = self.messages
        for uid in uids:
            row = self._row(uid)
            if row is None:
                raise MessageGone
            copies.append(
                NewMessage(
                    self._contents[uid],
                    flags=Flag(table.flags[row]) & keeping.flags,
                    keywords=self._keyword_names(table.keywords[row]) if keeping.keywords else (),
                    internal_date=self._dates[uid],
                )
            )
        return list(zip(uids, await target.append(copies), strict=True))

    async def move(
        self,
        uids: Sequence[Uid],
        target: Mailbox,
        *,
        keeping: KeptFlags = KEEP_ALL,
        origin: object | None = None,
    ) -> list[tuple[Uid, Uid]]:
        """Copy, then expunge."""
        pairs = await self.copy(uids, target, keeping=keeping)
        await self.expunge([source for source, _ in pairs], origin=origin)
        return pairs

    async def content(self, uid: Uid) -> bytes:
        """The whole message."""
        if uid not in self._contents:
            raise MessageGone
        return self._contents[uid]

    def content_at_once(self, uid: Uid, *, limit: int) -> bytes | None:
        """The same if it is small."""
        content = self._contents.get(uid)
        return content if content is not None and len(content) <= limit else None

    def is_huge(self, uid: Uid) -> bool:
        """Whether it would be one that is read in pieces."""
        return len(self._contents.get(uid, b"")) >= LARGE

    async def may_hold(self, uids: list[int], text: str, places: Collection[TextPlace]) -> list[int]:
        """There is no index: any of them may."""
        return uids

    async def matching(self, uids: Sequence[Uid], matches: Callable[[bytes], bool]) -> list[Uid]:
        """Those whose content matches."""
        return [uid for uid in uids if uid in self._contents and matches(self._contents[uid])]

    async def summaries(self, uids: Sequence[Uid], fields: Fields) -> list[MessageSummary]:
        """All columns, whichever are wanted."""
        return [self._summary(uid) for uid in uids if uid in self._contents]

    async def sort_columns(
        self, uids: Sequence[Uid], columns: Sequence[SortColumn]
    ) -> list[tuple[SortValue, ...]]:
        """Made from the messages each time."""
        found: list[tuple[SortValue, ...]] = []
        for uid in uids:
            if uid in self._contents:
                date, content = self._dates[uid], self._contents[uid]
                keys = sort_keys(split(content)[0], date)
                values: dict[SortColumn, SortValue] = {
                    SortColumn.ARRIVAL: date,
                    SortColumn.SIZE: len(content),
                    **dict(zip(STORED_COLUMNS, msgspec.structs.astuple(keys), strict=True)),
                }
                found.append((uid, *(values[column] for column in columns)))
        return found

    async def email_ids(self, uids: Sequence[int]) -> list[bytes]:
        """From the contents."""
        return [short_guid(content) if name else b"" for name, content in await self.identities(uids)]

    async def identities(self, uids: Sequence[int]) -> list[tuple[bytes, bytes]]:
        """UIDs as names, and what `email_ids` is made of."""
        return [(b"%d" % uid, self._contents[uid]) if uid in self._contents else (b"", b"") for uid in uids]

    async def pop3_fields(self) -> dict[int, Pop3Fields]:
        """No other program writes here, but tests do."""
        return self.others_fields

    async def save_unique_ids(self, unique_ids: Mapping[int, bytes]) -> None:
        """Among them."""
        for uid, unique_id in unique_ids.items():
            order = self.others_fields[uid].order if uid in self.others_fields else 0
            self.others_fields[uid] = Pop3Fields(unique_id, order)

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` soon after each change."""
        key = object()
        self._watchers[key] = notify
        return lambda: self._watchers.pop(key, None) and None

    def close(self) -> None:
        """There are no files."""

    @property
    def size(self) -> int:
        """Sum of RFC822.SIZE."""
        return sum(map(len, self._contents.values()))

    @property
    def deleted_size(self) -> int:
        """The same of the messages with \\Deleted."""
        deleted = having_flag(self.messages.uids, self.messages.flags, Flag.DELETED, wanted=True)
        return sum(len(self._contents[uid]) for uid in deleted)

    def mark_deleted(self) -> None:
        """The account has deleted the mailbox."""
        self.deleted = True
        self._notify()

    def _add(self, content: bytes, date: int, flags: Flag, keywords: int) -> Uid:
        uid = self.uid_next
        self._uid_next += 1
        self._contents[uid] = content
        self._dates[uid] = date
        self._saved[uid] = int(self._clock.now())
        self.messages.uids.append(uid)
        self.messages.flags.append(int(flags & ~Flag.RECENT))
        self.messages.add_keywords([keywords])
        self.messages.modseqs.append(self._next_modseq())
        self._write(ChangeKind.ADDED, uid, None)
        self.memo.clear()
        return uid

    def _row(self, uid: int) -> int | None:
        uids = self.messages.uids
        row = bisect_left(uids, uid)
        return row if row < len(uids) and uids[row] == uid else None

    def _next_modseq(self) -> int:
        self._modseq += 1
        return self._modseq

    def _keyword_bits(self, names: Iterable[bytes], *, make: bool = True) -> int:
        """Bits of keywords; unknown ones are made, up to `MAX_KEYWORDS`."""
        bits = 0
        known = [keyword.lower() for keyword in self.keywords]
        for name in names:
            if name.lower() not in known:
                if not make:
                    continue
                if len(self.keywords) >= MAX_KEYWORDS:
                    raise OverflowError("too many keywords")
                self.keywords.append(name)
                known.append(name.lower())
            bits |= 1 << known.index(name.lower())
        return bits

    def _keyword_names(self, bits: int) -> tuple[bytes, ...]:
        return tuple(name for index, name in enumerate(self.keywords) if bits >> index & 1)

    def _summary(self, uid: Uid) -> MessageSummary:
        content = self._contents[uid]
        header, _ = split(content)
        body, structure = render_structure(content, parse(content))
        return MessageSummary(
            uid,
            self._dates[uid],
            len(content),
            render_envelope(header),
            body,
            structure,
            header,
            self._saved[uid],
            preview(content),
        )

    def _write(self, kind: ChangeKind, uid: Uid, origin: object | None) -> None:
        self._journal.extend([Change(kind, uid, ModSeq(self._modseq), origin)])
        self._journal.trim(self._journal_limit)

    def _notify(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # tests of views have no loop; nothing waits there
            return
        for notify in list(self._watchers.values()):
            loop.call_soon(notify)
