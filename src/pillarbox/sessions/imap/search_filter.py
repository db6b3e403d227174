"""Which messages match a search key: cheap keys first.

DESCRIPTION
    A key is a filter: it takes UIDs and gives those that match.  The keys of an AND run one after the other
    over what is left, flags and dates before headers, headers before bodies; so that a body is read only
    when everything else fits.  Flags come from the table, sizes, dates and headers from the store's cache,
    only BODY and TEXT open messages.  Messages that the store's index knows not to hold a text are passed over.

    Texts match as substrings without regard to case; header fields are decoded (RFC 2047), bodies by their
    transfer encoding and charset.

STANDARDS
    RFC 3501 §6.4.4; RFC 5032 (WITHIN); RFC 5182 (SEARCHRES); RFC 7162 §3.1.5 (MODSEQ); RFC 8474
    (OBJECTID); RFC 8514 (SAVEDATE)
"""

from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Sequence
from math import floor
from typing import Any, Final, Protocol

from pillarbox.mailstore.mailbox import Fields, MessageSummary, TextPlace
from pillarbox.mailstore.view import Chosen, MailboxView
from pillarbox.message.line_ends import to_crlf
from pillarbox.message.text_matching import (
    Wanted,
    address_has,
    body_has,
    fold,
    folded_addresses,
    folded_values,
    header_has,
    message_has,
    quick_look,
    to_find,
)
from pillarbox.net.local_time import day_begins
from pillarbox.sessions.imap.field_texts import ValuesOf, search_field
from pillarbox.sessions.imap.message_numbers import NUMBERS, Number, search_numbers
from pillarbox.sessions.imap.object_ids import email_id, thread_ids
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.flags import having_flag
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.vocabulary.number_set import NumberSet
from pillarbox.wire.imap.search_keys import (
    AddressHas,
    Age,
    All,
    And,
    Arrived,
    BelongsTo,
    BodyHas,
    DateTest,
    EmailIs,
    GuidIs,
    HasFlags,
    HasKeyword,
    HeaderHas,
    IsRecent,
    MailboxIs,
    ModSeqSince,
    Not,
    Numbers,
    Or,
    Saved,
    SearchKey,
    Sent,
    Size,
    TextHas,
    Uids,
)

BATCH: Final = 1024
"""Summaries asked of the store at once."""
CONTENTS: Final = 64
"""Messages read at once, by a thread."""
TURN: Final = 250_000
"""Messages that keys look at before others have their turn."""
_DAY: Final = 86400
_LEAST: Final = float("-inf")
_MOST: Final = float("inf")


class Searching(Protocol):
    """What a filter asks of whoever searches: a session's conversation, or a command."""

    clock: Clock
    saved_result: list[int]
    """UIDs: `$` (RFC 5182)."""

    @property
    def selected(self) -> MailboxView:
        """The mailbox."""
        ...

    @property
    def selected_name(self) -> bytes:
        """Its name as whoever searches reads it."""
        ...

    async def flush_if_much(self) -> None:
        """Let others work meanwhile."""
        ...


class MessageFilter:
    """The keys of one command over the messages of the selected mailbox."""

    def __init__(self, conversation: Searching) -> None:
        self._conversation = conversation
        self._view = conversation.selected
        self._now = conversation.clock.now()
        self._looked_at = 0  # messages, for each key again, since others have had their turn

    async def of_all(self, key: SearchKey) -> list[int]:
        """The messages that match, rising."""
        known = self._view.known_uids()
        if isinstance(key, And):  # of many messages a range is taken first, before all others are looked at
            for at, one in enumerate(key.keys):
                if isinstance(one, Uids) and not one.uids.saved and len(one.uids.ranges) == 1:
                    [(low, high)] = one.uids.spans(known[-1] if known else 0)
                    uids = known[bisect_left(known, low) : bisect_right(known, high)].tolist()
                    return await self.filter(And((*key.keys[:at], *key.keys[at + 1 :])), uids)
        return await self.filter(key, known.tolist())

    async def filter(self, key: SearchKey, uids: list[int]) -> list[int]:
        """Those of `uids` (rising) that match `key`."""
        if not uids:
            return uids
        self._looked_at += len(uids)
        if (
            self._looked_at >= TURN
        ):  # a command may have thousands of keys, and none of them wait for anything
            self._looked_at = 0
            await self._conversation.flush_if_much()
        return await _FILTERS[type(key)](self, key, uids)

    # Keys of keys.

    async def everything(self, key: All, uids: list[int]) -> list[int]:
        return uids

    async def conjunction(self, key: And, uids: list[int]) -> list[int]:
        for one in sorted(_with_flags_together(key.keys), key=_cost):
            uids = await self.filter(one, uids)
        return uids

    async def alternative(self, key: Or, uids: list[int]) -> list[int]:
        found: set[int] = set()
        others = uids
        for one in sorted(_alternatives(key), key=_cost):
            if matches := await self.filter(one, others):
                found.update(matches)
                others = [uid for uid in others if uid not in found]
        return [uid for uid in uids if uid in found]

    async def negation(self, key: Not, uids: list[int]) -> list[int]:
        matches = set(await self.filter(key.key, uids))
        return [uid for uid in uids if uid not in matches]

    # What the view and the table know.

    async def numbers(self, key: Numbers, uids: list[int]) -> list[int]:
        if key.numbers.saved:
            return _common(uids, self._view.of_uids(self._conversation.saved_result))
        return _common(uids, self._view.by_numbers(key.numbers, clamp=True))

    async def uids(self, key: Uids, uids: list[int]) -> list[int]:
        if key.uids.saved:
            return _common(uids, self._view.of_uids(self._conversation.saved_result))
        known = self._view.known_uids()
        spans = key.uids.spans(known[-1] if known else 0)
        if len(spans) == 1:
            [(low, high)] = spans
            return uids[bisect_left(uids, low) : bisect_right(uids, high)]
        return _common(uids, self._view.by_uids(key.uids))

    async def flags(self, key: HasFlags, uids: list[int]) -> list[int]:
        table = self._view.mailbox.messages
        rows = table.rows(uids)
        if isinstance(rows, range):  # side by side, as all of them are for the usual `SEARCH UNSEEN`
            return having_flag(uids, table.flags[rows.start : rows.stop], key.flag, wanted=key.wanted)
        bits, flags = int(key.flag), table.flags
        want = bits if key.wanted else 0
        return [uid for uid, row in zip(uids, rows, strict=True) if row >= 0 and flags[row] & bits == want]

    async def keyword(self, key: HasKeyword, uids: list[int]) -> list[int]:
        table = self._view.mailbox.messages
        wanted = key.keyword.lower()
        names = [name.lower() for name in self._view.mailbox.keywords]
        bit = 1 << names.index(wanted) if wanted in names else 0
        keywords = table.keywords
        return [uid for uid, row in self._rows(uids) if bool(keywords[row] & bit) is key.wanted]

    async def modseq(self, key: ModSeqSince, uids: list[int]) -> list[int]:
        modseqs = self._view.mailbox.messages.modseqs
        return [uid for uid, row in self._rows(uids) if modseqs[row] >= key.modseq]

    async def recent(self, key: IsRecent, uids: list[int]) -> list[int]:
        return [uid for uid in uids if self._view.is_recent(uid) is key.wanted]

    def _rows(self, uids: list[int]) -> list[tuple[int, int]]:
        """(UID, row of the table) of the messages that are still there."""
        rows = self._view.mailbox.messages.rows(uids)
        return [(uid, row) for uid, row in zip(uids, rows, strict=True) if row >= 0]

    async def email(self, key: EmailIs, uids: list[int]) -> list[int]:
        there = [uid for uid, _ in self._rows(uids)]
        ids = map(email_id, await self._view.mailbox.email_ids(there))
        return [uid for uid, known in zip(there, ids, strict=True) if known == key.object_id]

    async def guid(self, key: GuidIs, uids: list[int]) -> list[int]:
        known = await self._view.mailbox.identities(uids)
        return [uid for uid, (_, guid) in zip(uids, known, strict=True) if guid == key.guid]

    async def mailbox(self, key: MailboxIs, uids: list[int]) -> list[int]:
        name = self._conversation.selected_name
        same = key.name.upper() == name if name == b"INBOX" else key.name == name
        return uids if same else []

    # What the cache knows.

    async def thread(self, key: BelongsTo, uids: list[int]) -> list[int]:
        found: list[int] = []
        for start in range(0, len(uids), BATCH):
            ids = await thread_ids(self._view.mailbox, uids[start : start + BATCH])
            found += [uid for uid, known in ids.items() if known == key.object_id]
            await self._conversation.flush_if_much()
        return found

    async def arrived(self, key: Arrived, uids: list[int]) -> list[int]:
        return await self._by_number(uids, Number.RECEIVED, *_local_span(key))

    async def age(self, key: Age, uids: list[int]) -> list[int]:
        first_younger = floor(self._now - key.seconds) + 1
        if key.older:
            return await self._by_number(uids, Number.RECEIVED, _LEAST, first_younger)
        return await self._by_number(uids, Number.RECEIVED, first_younger, _MOST)

    async def saved(self, key: Saved, uids: list[int]) -> list[int]:
        return await self._by_number(uids, Number.SAVED, *_local_span(key))

    async def size(self, key: Size, uids: list[int]) -> list[int]:
        if key.larger:
            return await self._by_number(uids, Number.SIZE, key.octets + 1, _MOST)
        return await self._by_number(uids, Number.SIZE, _LEAST, key.octets)

    async def sent(self, key: Sent, uids: list[int]) -> list[int]:
        day = key.day * _DAY
        return await self._by_number(uids, Number.SENT, *_span(key.test, day, day + _DAY))

    async def _by_number(self, uids: list[int], number: Number, start: float, end: float) -> list[int]:
        """Those whose number is `start` or more and less than `end`."""
        pause = self._conversation.flush_if_much
        found = await search_numbers(self._view, uids, number, start, end, pause)
        if found is not None:
            return found
        fields, number_of = NUMBERS[number]
        return await self._by_summary(uids, fields, lambda found: start <= number_of(found) < end)

    async def address(self, key: AddressHas, uids: list[int]) -> list[int]:
        field, text = key.field.lower(), fold(key.text)
        return await self._by_field(
            uids, field, text, folded_addresses, lambda found: address_has(found.header, field, text)
        )

    async def header(self, key: HeaderHas, uids: list[int]) -> list[int]:
        field, text = key.field.lower(), fold(key.text)
        return await self._by_field(
            uids, field, text, folded_values, lambda found: header_has(found.header, field, text)
        )

    async def _by_field(
        self,
        uids: list[int],
        field: bytes,
        text: str,
        values_of: ValuesOf,
        matches: Callable[[MessageSummary], bool],
    ) -> list[int]:
        """By what the field is known to say, or, where an index leaves few messages, by theirs alone."""
        mailbox = self._view.mailbox
        if (field, values_of) in mailbox.lasting_memo:
            few = uids
        else:
            few = await mailbox.may_hold(uids, text, (TextPlace.HEADER,))
        if few is uids or len(few) * 4 > len(uids):
            pause = self._conversation.flush_if_much
            kept = await search_field(self._view, few, field, text, values_of, pause)
            if kept is not None:
                return kept
        return await self._by_summary(few, Fields.HEADER, matches)

    async def _by_summary(
        self, uids: list[int], fields: Fields, matches: Callable[[MessageSummary], bool]
    ) -> list[int]:
        found: list[int] = []
        for start in range(0, len(uids), BATCH):
            batch = [Uid(uid) for uid in uids[start : start + BATCH]]
            summaries = await self._view.mailbox.summaries(batch, fields)
            found += [summary.uid for summary in summaries if matches(summary)]
            await self._conversation.flush_if_much()
        return found

    # What only the message knows.

    async def body(self, key: BodyHas, uids: list[int]) -> list[int]:
        text = to_find(key.text)
        uids = await self._view.mailbox.may_hold(uids, text.folded, (TextPlace.BODY,))
        return await self._by_content(uids, text, body_has)

    async def text(self, key: TextHas, uids: list[int]) -> list[int]:
        text = to_find(key.text)
        uids = await self._view.mailbox.may_hold(uids, text.folded, tuple(TextPlace))
        return await self._by_content(uids, text, message_has)

    async def _by_content(
        self, uids: list[int], text: Wanted, has: Callable[[bytes, Wanted], bool]
    ) -> list[int]:
        look = quick_look(text)

        def matches(stored: bytes) -> bool:
            told = look(stored)
            return has(to_crlf(stored), text) if told is None else told

        found: list[int] = []
        for start in range(0, len(uids), CONTENTS):
            batch = [Uid(uid) for uid in uids[start : start + CONTENTS]]
            found += await self._view.mailbox.matching(batch, matches)
            await self._conversation.flush_if_much()
        return found


# Each filter takes keys of its own type only, which a dict cannot say.
_Filter = Callable[[MessageFilter, Any, list[int]], Awaitable[list[int]]]
_FILTERS: Final[dict[type[SearchKey], _Filter]] = {
    All: MessageFilter.everything,
    And: MessageFilter.conjunction,
    Or: MessageFilter.alternative,
    Not: MessageFilter.negation,
    Numbers: MessageFilter.numbers,
    Uids: MessageFilter.uids,
    HasFlags: MessageFilter.flags,
    HasKeyword: MessageFilter.keyword,
    IsRecent: MessageFilter.recent,
    ModSeqSince: MessageFilter.modseq,
    Arrived: MessageFilter.arrived,
    EmailIs: MessageFilter.email,
    BelongsTo: MessageFilter.thread,
    GuidIs: MessageFilter.guid,
    MailboxIs: MessageFilter.mailbox,
    Saved: MessageFilter.saved,
    Age: MessageFilter.age,
    Size: MessageFilter.size,
    Sent: MessageFilter.sent,
    AddressHas: MessageFilter.address,
    HeaderHas: MessageFilter.header,
    BodyHas: MessageFilter.body,
    TextHas: MessageFilter.text,
}
_COSTS: Final[dict[type[SearchKey], int]] = {
    Numbers: 0,
    Uids: 0,
    Arrived: 2,
    Saved: 2,
    Age: 2,
    Size: 2,
    BelongsTo: 2,
    Sent: 3,
    AddressHas: 3,
    HeaderHas: 3,
    BodyHas: 4,
    TextHas: 4,
}


def _cost(key: SearchKey) -> int:
    """What a key makes us look at: 0 no message, 1 memory, 2 a number in the cache, 3 headers, 4 whole messages."""
    match key:
        case And(keys):
            return max(map(_cost, keys))
        case Or(left, right):
            return max(_cost(left), _cost(right))
        case Not(negated):
            return _cost(negated)
        case _:
            return _COSTS.get(type(key), 1)


def waits_for_nothing(key: SearchKey) -> bool:
    """Whether the tables in memory say all, so that the answer comes in one step."""
    return _cost(key) <= 1


def _with_flags_together(keys: Sequence[SearchKey]) -> list[SearchKey]:
    """The same with one key for all flags that a message must have, and one for those that it must not."""
    flags: dict[bool, HasFlags] = {}
    for key in keys:
        if isinstance(key, HasFlags):
            other = flags.get(key.wanted, key)
            flags[key.wanted] = HasFlags(key.flag | other.flag, key.wanted)
    return [*flags.values(), *(key for key in keys if not isinstance(key, HasFlags))]


def _alternatives(key: Or) -> list[SearchKey]:
    """The keys of which a message has to match one, in the order given; of sets of UIDs and of numbers one each.

    Some clients name each message by a key of its own.
    """
    found: list[SearchKey] = []
    uids: list[tuple[int, int]] = []
    numbers: list[tuple[int, int]] = []
    waiting: list[SearchKey] = [key]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Or):
            waiting += (one.right, one.left)
        elif isinstance(one, Uids) and not one.uids.saved:
            uids += one.uids.ranges
        elif isinstance(one, Numbers) and not one.numbers.saved:
            numbers += one.numbers.ranges
        else:
            found.append(one)
    if uids:
        found.append(Uids(NumberSet(tuple(uids))))
    if numbers:
        found.append(Numbers(NumberSet(tuple(numbers))))
    return found


def _local_span(key: Arrived | Saved) -> tuple[float, float]:
    """Days are those of the host's time zone, as they are in INTERNALDATE; moments of doveadm are what they are."""
    if key.utc:
        return _span(key.test, key.day * _DAY, (key.day + 1) * _DAY)
    return _span(key.test, day_begins(int(key.day)), day_begins(int(key.day) + 1))


def _span(test: DateTest, begin: float, end: float) -> tuple[float, float]:
    """Seconds since 1970, the end not included, of what comes before, in or after the beginning of this time."""
    match test:
        case DateTest.BEFORE:
            return _LEAST, begin
        case DateTest.ON:
            return begin, end
        case DateTest.SINCE:
            return begin, _MOST


def _common(uids: list[int], chosen: Chosen) -> list[int]:
    """UIDs that are in both."""
    if not chosen.uids:
        return []
    if len(chosen.uids) == chosen.numbers[-1] - chosen.numbers[0] + 1:  # no holes: a slice
        return uids[bisect_left(uids, chosen.uids[0]) : bisect_right(uids, chosen.uids[-1])]
    wanted = set(chosen.uids)
    return [uid for uid in uids if uid in wanted]
