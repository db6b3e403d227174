"""Results of SEARCH that are kept up to date: RETURN (UPDATE).

DESCRIPTION
    Who asked for it is told by `* ESEARCH … ADDTO` and `… REMOVEFROM` as messages come to match or no longer do,
    each time together with the news of the mailbox.  Only messages that are new, or whose flags have changed,
    are looked at again; the rest of a message never changes.

    Of messages that are new among those that match, what else the client wants of them comes before that
    (`UPDATE (UID FLAGS)`).

    Positions are 0: results have no order for us (RFC 5267 §4.3.2 leaves it to servers without CONTEXT=SORT).
    Sequence numbers and `$` in a key mean the messages that they meant at first.

STANDARDS
    RFC 5267 §4.3 (UPDATE, ADDTO, REMOVEFROM, NOUPDATE, CANCELUPDATE); RFC 5465 §7 (UPDATE with fetch-att)
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from pillarbox.mailstore.view import MailboxView, Told
from pillarbox.message.imap_strings import string
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.imap.fetch import fetch_items
from pillarbox.sessions.imap.fetch_state import WrittenItems, read, written
from pillarbox.sessions.imap.search_filter import MessageFilter
from pillarbox.vocabulary.number_set import NumberSet, compact
from pillarbox.wire.imap.fetch_items import FetchItems
from pillarbox.wire.imap.search_keys import And, Not, Numbers, Or, SearchKey, Uids

MAX_CONTEXTS: Final = 16
"""Results of one session that are kept up to date."""


class SearchContext(msgspec.Struct):
    """One result."""

    tag: bytes
    key: SearchKey
    by_uid: bool
    uids: set[int]
    fetch: WrittenItems | None = None


class SearchContexts:
    """Those of the selected mailbox: `news.ResultUpdates`."""

    def __init__(self, conversation: Conversation, contexts: Iterable[SearchContext] = ()) -> None:
        """`contexts` are those of the session that this one goes on with (sessions/imap/parking.py)."""
        self._conversation = conversation
        self._view: MailboxView = conversation.selected
        self._contexts: dict[bytes, SearchContext] = {context.tag: context for context in contexts}
        self._view.note_changes()

    def __contains__(self, tag: bytes) -> bool:
        return tag in self._contexts

    @property
    def contexts(self) -> list[SearchContext]:
        """All of them, the oldest first."""
        return list(self._contexts.values())

    @property
    def is_full(self) -> bool:
        """Whether there can be no more."""
        return len(self._contexts) >= MAX_CONTEXTS

    def add(
        self,
        tag: bytes,
        key: SearchKey,
        found: Iterable[int],
        *,
        by_uid: bool,
        fetch: FetchItems | None = None,
    ) -> None:
        """Keep a result up to date from now on; `fetch`: what is wanted of messages that are new in it."""
        self._contexts[tag] = SearchContext(tag, self._fixed(key), by_uid, set(found), written(fetch))

    def cancel(self, tag: bytes) -> bool:
        """CANCELUPDATE; False if there is no such result."""
        return self._contexts.pop(tag, None) is not None

    async def of_flags(self) -> list[bytes]:
        """What to tell of messages whose flags have changed.  Before `MailboxView.sync`."""
        self._conversation.take_in()
        table = self._view.mailbox.messages
        touched = [uid for uid in sorted(self._view.take_noted()) if table.row(uid) is not None]
        if not touched or not self._contexts:
            return []
        # The client's numbers do not change before it is told of expunges, whatever happens meanwhile.
        numbers = {uid: number for uid in touched if (number := self._view.number_of(uid)) is not None}
        return await self._changes(touched, numbers)

    def of_expunged(self, told: Told) -> list[bytes]:
        """What to tell before the EXPUNGEs."""
        numbers: dict[int, int] = dict(zip(told.vanished, reversed(told.expunged), strict=True))
        lines: list[bytes] = []
        for context in self._contexts.values():
            gone = [uid for uid in told.vanished if uid in context.uids]
            context.uids.difference_update(gone)
            if gone:
                lines.append(_line(context, gone, [], numbers))
        return lines

    async def tell_new(self, after: int) -> None:
        """Tell of messages with a UID above `after`, behind EXISTS."""
        uids = self._view.uids_above(after)
        numbers = dict(zip(uids, self._view.numbers_of(uids), strict=True))
        for context in list(self._contexts.values()) if uids else ():
            line = await self._change(context, uids, numbers)
            if line is None:
                continue
            fetch = read(context.fetch)
            if fetch is not None:  # RFC 5465 §7: EXISTS, FETCH, ESEARCH
                await fetch_items(self._conversation, fetch, [uid for uid in uids if uid in context.uids])
            self._conversation.engine.untagged(line)

    async def _changes(self, uids: list[int], numbers: Mapping[int, int]) -> list[bytes]:
        changes = [await self._change(context, uids, numbers) for context in list(self._contexts.values())]
        return [line for line in changes if line is not None]

    async def _change(
        self, context: SearchContext, uids: list[int], numbers: Mapping[int, int]
    ) -> bytes | None:
        """What has changed of one result, by messages that are new or have other flags; None for nothing."""
        matching = set(await MessageFilter(self._conversation).filter(context.key, uids))
        removed = [uid for uid in uids if uid in context.uids and uid not in matching and uid in numbers]
        added = [uid for uid in uids if uid in matching and uid not in context.uids and uid in numbers]
        context.uids.difference_update(removed)
        context.uids.update(added)
        return _line(context, removed, added, numbers) if removed or added else None

    def _fixed(self, key: SearchKey) -> SearchKey:
        """The key with UIDs in the place of what means something else later."""
        match key:
            case And(keys):
                return And(tuple(map(self._fixed, keys)))
            case Or(left, right):
                return Or(self._fixed(left), self._fixed(right))
            case Not(negated):
                return Not(self._fixed(negated))
            case Numbers(numbers) if numbers.saved:
                return self._of(self._conversation.saved_result)
            case Numbers(numbers):
                return self._of(self._view.by_numbers(numbers, clamp=True).uids)
            case Uids(uids) if uids.saved:
                return self._of(self._conversation.saved_result)
            case _:
                return key

    def _of(self, uids: Iterable[int]) -> Uids:
        return Uids(NumberSet(tuple((uid, uid) for uid in uids)))


def _line(
    context: SearchContext, removed: Sequence[int], added: Sequence[int], numbers: Mapping[int, int]
) -> bytes:
    """`ESEARCH (TAG "a") UID REMOVEFROM (0 1) ADDTO (0 2:3)`"""
    words = [b"ESEARCH (TAG %b)" % string(context.tag), *([b"UID"] if context.by_uid else [])]
    for name, uids in ((b"REMOVEFROM", removed), (b"ADDTO", added)):
        if uids:
            members = uids if context.by_uid else [numbers[uid] for uid in uids]
            words.append(b"%b (0 %b)" % (name, compact(members)))
    return b" ".join(words)
