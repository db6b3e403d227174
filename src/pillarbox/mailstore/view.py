"""The selected mailbox as one session sees it: its sequence numbers, and what its client does not know yet.

DESCRIPTION
    IMAP numbers messages 1…n per session, and a number changes its meaning only when the server says
    EXPUNGE (RFC 3501 §7.4.1).  While other sessions add, flag and expunge messages in the shared
    `MessageTable`, a `MailboxView` keeps the model that its client has in mind: `take_in()` reads the
    journal of the mailbox, `sync()` gives what to tell and moves the client's model on.

    The view holds no copy of the mailbox.  UIDs only grow, so the client's messages are those of the table
    up to the last UID that was told, and those that were expunged since: as long as nothing pends, a view
    is a handful of numbers.

    Flag changes are told with the numbers from before the expunges, expunges highest number first (each
    leaves the numbers below it alone), new messages last: Dovecot's order.

FAULTS
    ViewLost        the journal no longer reaches back to what the client knows, and messages were expunged
                    meanwhile: the client must connect again.
    NoSuchNumber    a sequence number above EXISTS.

STANDARDS
    RFC 3501 §2.3.1.2 (sequence numbers), §2.3.2 (\\Recent), §5.2 (status updates), §7.4.1 (EXPUNGE)
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import compress
from typing import Final

import msgspec

from pillarbox.mailstore.keyword_bits import from_octets, mask_octets, to_octets
from pillarbox.mailstore.mailbox import SPARSE, Change, ChangeKind, Mailbox
from pillarbox.mailstore.sharing.acl_file import ALL, Rights
from pillarbox.mailstore.view_state import (
    ViewState,
    pack,
    pack_uids,
    translated_keywords,
    unpack,
    unpack_uids,
)
from pillarbox.vocabulary.identifiers import SequenceNumber, Uid
from pillarbox.vocabulary.number_set import NumberSet

FEW: Final = 64
"""UIDs whose numbers are looked for one by one, and spans of UIDs whose ends are."""


class ViewLost(Exception):
    """What happened since the client last heard from us can no longer be told."""


class NoSuchNumber(Exception):
    """A sequence number that the client's mailbox does not have."""


class Told(msgspec.Struct, frozen=True):
    """What a client has to hear, in the order in which it must hear it."""

    keywords: bool = False  # FLAGS and PERMANENTFLAGS changed
    flags: tuple[tuple[SequenceNumber, Uid], ...] = ()
    expunged: tuple[SequenceNumber, ...] = ()  # highest first
    vanished: tuple[Uid, ...] = ()  # the UIDs of the same, rising
    exists: int | None = None
    recent: int | None = None


class Chosen(msgspec.Struct, frozen=True):
    """Messages that a command names: their numbers and UIDs, both rising, row by row."""

    numbers: list[int]
    uids: list[int]


NOTHING = Told()


class MailboxView:
    """One session's model of a selected mailbox."""

    __slots__ = (
        "_count",
        "_expunged",
        "_flags",
        "_keywords_told",
        "_last_uid",
        "_merged",
        "_noted",
        "_position",
        "_recent",
        "_recent_told",
        "_sure_modseq",
        "mailbox",
        "read_only",
        "rights",
    )

    def __init__(
        self, mailbox: Mailbox, *, read_only: bool, rights: Rights = ALL, known: ViewState | None = None
    ) -> None:
        """`rights`: what the user may do here; `known`: what the client knows of the mailbox already.

        With `known`: ViewLost, ValueError.
        """
        self.mailbox = mailbox
        self.read_only = read_only
        self.rights = rights
        self._position = mailbox.journal_position
        uids = mailbox.messages.uids
        self._count = len(uids)
        self._last_uid = uids[-1] if uids else 0
        self._expunged: array[int] | None = None  # gone from the table, still counted by the client
        self._flags: set[int] | None = None  # flags changed, client not told
        self._noted: set[int] | None = None  # flags changed by anybody, ourselves included; if asked for
        self._merged: array[int] | None = None  # table and _expunged in one, while something pends
        self._recent: list[tuple[int, int]] = []  # low ≤ uid < high: \Recent in this session
        self._recent_told = 0
        self._keywords_told = len(mailbox.keywords)
        self._sure_modseq: int = mailbox.highest_modseq  # below those of what is in _expunged
        if known is not None:
            self._go_on_from(known)
        else:
            self._claim_recent(0)
            self._recent_told = self.recent

    # What the client knows.

    @property
    def count(self) -> int:
        """How many messages the client counts (the last EXISTS less the EXPUNGEs since)."""
        return self._count

    @property
    def recent(self) -> int:
        """How many of them have \\Recent in this session."""
        return _in_ranges(self.known_uids(), self._recent) if self._recent else 0

    @property
    def recent_left(self) -> int:
        """The same without those that are gone and that the client counts yet."""
        return _in_ranges(self.mailbox.messages.uids, self._recent)

    @property
    def recent_ranges(self) -> list[tuple[int, int]]:
        """(low, high) UID ranges, `high` not included, of the messages that are \\Recent here."""
        return self._recent

    def is_recent(self, uid: int) -> bool:
        """Whether the message has \\Recent in this session."""
        return any(low <= uid < high for low, high in self._recent)

    @property
    def expunges_pend(self) -> bool:
        """Whether messages are gone that the client still counts."""
        return self._expunged is not None

    @property
    def sure_modseq(self) -> int:
        """The HIGHESTMODSEQ that the client may believe in: below that of an expunge that waits (RFC 7162 §3.2)."""
        return self.mailbox.highest_modseq if self._expunged is None else self._sure_modseq

    @property
    def last_uid(self) -> int:
        """The highest UID that the client knows of, what `*` means in a UID set; 0 if there is none."""
        known = self.known_uids()
        return known[-1] if known else 0

    def known_uids(self) -> "array[int]":
        """UIDs of the client's messages: that of number n is at n - 1.  Not to be changed or kept.

        Raises ViewLost.
        """
        self.take_in()  # the table may have changed at any await since
        if self._merged is None:
            uids = self.mailbox.messages.uids
            if self._expunged is None and self._count == len(uids):
                return uids
            known = uids[: bisect_right(uids, self._last_uid)]
            if self._expunged is not None:
                known = array("I", sorted([*known, *self._expunged]))
            self._merged = known
        return self._merged

    def number_of(self, uid: int) -> SequenceNumber | None:
        """The sequence number of a UID, or None if the client does not know it."""
        known = self.known_uids()
        row = bisect_left(known, uid)
        return SequenceNumber(row + 1) if row < len(known) and known[row] == uid else None

    def uids_above(self, uid: int) -> list[int]:
        """UIDs of the client's messages that are higher."""
        known = self.known_uids()
        return known[bisect_right(known, uid) :].tolist()

    def numbers_of(self, uids: Sequence[int]) -> list[int]:
        """The sequence numbers of those of `uids` that the client knows, in their order."""
        known = self.known_uids()
        if len(uids) < FEW or not known:
            return [number for uid in uids if (number := self.number_of(uid)) is not None]
        if known[-1] - known[0] + 1 == len(known):  # none was ever expunged between them
            before, last = known[0] - 1, known[-1]
            return [uid - before for uid in uids if before < uid <= last]
        number_of = dict(zip(known, range(1, len(known) + 1), strict=True))
        return [number_of[uid] for uid in uids if uid in number_of]

    def by_numbers(self, numbers: NumberSet, *, clamp: bool = False) -> Chosen:
        """The messages that sequence numbers name.  Raises NoSuchNumber unless `clamp`."""
        known = self.known_uids()
        count = len(known)
        spans = numbers.spans(count)
        if not clamp and spans and (spans[0][0] < 1 or spans[-1][1] > count):
            raise NoSuchNumber
        return _rows(known, [(max(low, 1) - 1, min(high, count)) for low, high in spans])

    def by_uids(self, uids: NumberSet) -> Chosen:
        """The messages that UIDs name; those that do not exist are left out (RFC 3501 §6.4.8)."""
        known = self.known_uids()
        spans = uids.spans(known[-1] if known else 0)
        if len(spans) >= FEW and (chosen := _marked(known, spans)) is not None:
            return chosen
        return _rows(known, [(bisect_left(known, low), bisect_right(known, high)) for low, high in spans])

    def of_uids(self, uids: Sequence[int]) -> Chosen:
        """Those of `uids` (rising) that the client knows."""
        known = self.known_uids()
        rows = [row for uid in uids if (row := bisect_left(known, uid)) < len(known) and known[row] == uid]
        return Chosen([row + 1 for row in rows], [known[row] for row in rows])

    # What happens, and telling it.

    def take_in(self) -> None:
        """Learn what happened to the mailbox; whatever gives numbers does so first.  Raises ViewLost."""
        position = self.mailbox.journal_position
        if position == self._position:
            return
        changes = self.mailbox.changes_since(self._position)
        self._merged = None
        if changes is None:
            self._take_in_without_journal(position)
            return
        gone: list[int] = []
        changed: set[int] = set()
        for change in changes:
            if change.uid > self._last_uid:
                continue  # not known yet: told as a whole when it is
            if change.kind is ChangeKind.EXPUNGED:
                gone.append(change.uid)
            elif change.kind is ChangeKind.FLAGS:
                if self._noted is not None:
                    self._noted.add(change.uid)
                if change.origin is not self:
                    changed.add(change.uid)
        if changed:
            self._flags = changed if self._flags is None else self._flags | changed
        if self._expunged is None:
            self._sure_modseq = _sure_modseq(changes, self._last_uid, self._sure_modseq)
        if gone:
            self._expunged = array("I", sorted([*(self._expunged or ()), *gone]))
        self._position = position

    def note_changes(self) -> None:
        """From now on, gather for `take_noted`."""
        if self._noted is None:
            self.take_in()
            self._noted = set()

    def take_noted(self) -> set[int]:
        """UIDs of messages whose flags anybody has changed since this was asked last."""
        noted, self._noted = self._noted or set(), set()
        return noted

    def take_keywords(self) -> bool:
        """Whether there are keywords that the client has not been told of; afterwards it has."""
        known, self._keywords_told = self._keywords_told, len(self.mailbox.keywords)
        return self._keywords_told != known

    def sync(self, *, tell_expunges: bool, tell_new: bool = True, tell_flags: bool = True) -> Told:
        """What to tell the client now; afterwards it knows.

        `tell_expunges` is False while a command with sequence numbers is answered: "An EXPUNGE response
        MUST NOT be sent when no command is in progress, nor while responding to a FETCH, STORE, or SEARCH
        command" (RFC 3501 §7.4.1; the first half is meant for clients that do not IDLE).
        """
        self.take_in()
        keywords = self.take_keywords()
        if not tell_flags:  # the client does not want to know, not later either
            self._flags = None
        flags = self._tell_flags() if self._flags is not None else ()
        vanished = tuple(self._expunged or ()) if tell_expunges else ()
        expunged = self._tell_expunged() if tell_expunges and self._expunged is not None else ()
        exists = self._tell_new() if tell_new else None
        recent: int | None = None
        if expunged or exists is not None:
            recent = self.recent
            if recent == self._recent_told:
                recent = None
            else:
                self._recent_told = recent
        if not keywords and not flags and not expunged and exists is None:
            return NOTHING
        return Told(
            keywords=keywords,
            flags=flags,
            expunged=expunged,
            vanished=tuple(map(Uid, vanished)),
            exists=exists,
            recent=recent,
        )

    def _tell_flags(self) -> tuple[tuple[SequenceNumber, Uid], ...]:
        assert self._flags is not None
        gone = set(self._expunged or ())
        flags: list[tuple[SequenceNumber, Uid]] = []
        for uid in sorted(self._flags):
            number = self.number_of(uid)
            if number is not None and uid not in gone:
                flags.append((number, Uid(uid)))
        self._flags = None
        return tuple(flags)

    def _tell_expunged(self) -> tuple[SequenceNumber, ...]:
        assert self._expunged is not None
        uids = self.mailbox.messages.uids
        numbers = [
            SequenceNumber(bisect_left(uids, uid) + before + 1) for before, uid in enumerate(self._expunged)
        ]
        self._expunged = None
        self._merged = None
        self._count -= len(numbers)
        return tuple(reversed(numbers))

    def _tell_new(self) -> int | None:
        uids = self.mailbox.messages.uids
        if not uids or uids[-1] <= self._last_uid:
            return None
        before = self._last_uid
        self._last_uid = uids[-1]
        self._count = len(uids) + len(self._expunged or ())
        self._merged = None
        self._claim_recent(before + 1)
        return self._count

    def _claim_recent(self, at_least: int) -> None:
        """Take the \\Recent messages: a session that cannot write only looks at them (RFC 3501 §6.3.2)."""
        first = self.mailbox.first_recent_uid if self.read_only else self.mailbox.claim_recent()
        if first > self._last_uid:
            return
        low, high = max(first, at_least), self._last_uid + 1
        if not self.read_only:
            low = first
        if low >= high:
            return
        if self._recent and self._recent[-1][1] >= low:
            low = min(low, self._recent[-1][0])
            self._recent.pop()
        self._recent.append((low, high))

    def _take_in_without_journal(self, position: int) -> None:
        """The journal is too short: if the count proves that nothing was expunged, all flags may differ."""
        uids = self.mailbox.messages.uids
        known = bisect_right(uids, self._last_uid)
        if known + len(self._expunged or ()) != self._count:
            raise ViewLost
        self._flags = set(uids[:known])
        if self._noted is not None:
            self._noted.update(self._flags)
        self._position = position

    # From one process to another.

    def state(self) -> ViewState:
        """All of this, to go on with elsewhere.  ViewLost."""
        self.take_in()
        table = self.mailbox.messages
        count = bisect_right(table.uids, self._last_uid)
        bits = table.keywords[:count]
        return ViewState(
            uids=pack_uids(table.uids[:count]),
            flags=pack(bytes(table.flags[:count])),
            keyword_bits=pack(to_octets(bits)),
            keywords=tuple(self.mailbox.keywords),
            keywords_told=self._keywords_told,
            last_uid=self._last_uid,
            expunged=pack_uids(self._expunged or ()),
            changed=pack_uids(sorted(self._flags or ())),
            noted=None if self._noted is None else pack_uids(sorted(self._noted)),
            recent=tuple(self._recent),
            recent_told=self._recent_told,
            sure_modseq=self.sure_modseq,
            keyword_octets=mask_octets(bits),
        )

    def _go_on_from(self, known: ViewState) -> None:
        """The client knows something: what is otherwise now has happened meanwhile."""
        table = self.mailbox.messages
        before, pending = unpack_uids(known.uids), unpack_uids(known.expunged)
        flags, bits = unpack(known.flags), from_octets(unpack(known.keyword_bits), known.keyword_octets)
        if not len(before) == len(flags) == len(bits):
            raise ValueError("columns of different lengths")
        bits = translated_keywords(bits, known.keywords, self.mailbox.keywords)
        told = min(known.keywords_told, len(known.keywords))
        same = tuple(self.mailbox.keywords[:told]) == known.keywords[:told]
        self._keywords_told = known.keywords_told if same else -1
        self._last_uid = known.last_uid
        count = bisect_right(table.uids, known.last_uid)
        now = table.uids[:count]
        changed = set(unpack_uids(known.changed))
        differing: set[int] = set()
        if now != before:
            here = set(now)
            returned = here.difference(before)
            if not returned <= set(pending):
                raise ViewLost
            differing |= returned
            gone = [uid for uid in (*before, *pending) if uid not in here]
        else:
            gone = list(pending)
        if now != before or flags != table.flags[:count] or bits != table.keywords[:count]:
            old = {uid: (flags[row], bits[row]) for row, uid in enumerate(before)}
            for row, uid in enumerate(now):
                if uid in old and old[uid] != (table.flags[row], table.keywords[row]):
                    differing.add(uid)
        self._count = len(before) + len(pending)
        self._expunged = array("I", sorted(gone)) if gone else None
        self._sure_modseq = known.sure_modseq
        self._flags = (changed | differing) or None
        if known.noted is not None:
            self._noted = {*unpack_uids(known.noted), *differing}
        self._recent = list(known.recent)
        self._recent_told = known.recent_told


def _sure_modseq(changes: Sequence[Change], last_uid: int, before: int) -> int:
    """The mod-sequence of what was told before the first expunge of a message that the client knows."""
    for change in changes:
        if change.kind is ChangeKind.EXPUNGED and change.uid <= last_uid:
            return min(before, change.modseq - 1)
        before = change.modseq
    return before


def _marked(known: "array[int]", spans: list[tuple[int, int]]) -> Chosen | None:
    """What many spans name, with an octet for each UID from the first to the last; None if few of them count."""
    first, last = spans[0][0], spans[-1][1]
    start, end = bisect_left(known, first), bisect_right(known, last)
    between = known[start:end]
    if last - first >= SPARSE * min(len(between), sum([high + 1 - low for low, high in spans])):
        return None
    marks = bytearray(last + 1 - first)
    for low, high in spans:
        marks[low - first : high + 1 - first] = b"\1" * (high + 1 - low)
    if len(between) != len(marks):  # not every UID has a message
        marks = bytearray(map(marks.__getitem__, [uid - first for uid in between]))
    return Chosen(list(compress(range(start + 1, end + 1), marks)), list(compress(between, marks)))


def _rows(known: "array[int]", spans: list[tuple[int, int]]) -> Chosen:
    if len(spans) == 1:
        low, high = spans[0]
        return Chosen(list(range(low + 1, high + 1)), known[low:high].tolist())
    numbers: list[int] = []
    uids: list[int] = []
    for low, high in spans:
        numbers.extend(range(low + 1, high + 1))
        uids.extend(known[low:high])
    return Chosen(numbers, uids)


def _in_ranges(uids: Sequence[int], ranges: Sequence[tuple[int, int]]) -> int:
    """How many of `uids` (rising) are in (low, high) ranges, `high` not included."""
    return sum(bisect_left(uids, high) - bisect_left(uids, low) for low, high in ranges)
