"""SEARCH, SORT and THREAD.

DESCRIPTION
    The keys are `search_filter`'s; what was found is told as it is, sorted by the columns of the store's cache,
    or threaded (`threads`).  Sorting is by one criterion after the other, the last first, each time leaving in
    order what is equal.

    Results that are to be kept up to date are those of `search_contexts`.

STANDARDS
    RFC 3501 §6.4.4; RFC 4731 (ESEARCH); RFC 5182 (SEARCHRES); RFC 5256 (SORT, THREAD); RFC 5267 (ESORT, CONTEXT);
    RFC 5957 (SORT=DISPLAY); RFC 7162 §3.1.5, §3.1.10 (MODSEQ); RFC 9051 §6.4.4; RFC 9394 §3 (PARTIAL)
"""

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Sequence
from operator import itemgetter
from typing import Final

import msgspec

from pillarbox.mailstore.mailbox import SortColumn
from pillarbox.mailstore.view import MailboxView
from pillarbox.message.imap_strings import string
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.imap.failed_reads import complete
from pillarbox.sessions.imap.search_contexts import SearchContexts
from pillarbox.sessions.imap.search_filter import MessageFilter, waits_for_nothing
from pillarbox.sessions.imap.thread_forest import Threaded
from pillarbox.sessions.imap.threads import thread_words
from pillarbox.sessions.imap.uid_only import has_numbers
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.wire.imap import responses
from pillarbox.wire.imap.commands import CancelUpdate, Search, Sort, Thread, ThreadAlgorithm
from pillarbox.wire.imap.partial_range import in_range
from pillarbox.wire.imap.search_keys import (
    And,
    Criterion,
    ModSeqSince,
    Not,
    Or,
    ResultOptions,
    SearchKey,
    SearchResult,
    SortStep,
)

_COLUMNS: Final = {
    Criterion.ARRIVAL: SortColumn.ARRIVAL,
    Criterion.CC: SortColumn.COPIED,
    Criterion.DATE: SortColumn.SENT,
    Criterion.FROM: SortColumn.SENDER,
    Criterion.SIZE: SortColumn.SIZE,
    Criterion.SUBJECT: SortColumn.SUBJECT,
    Criterion.TO: SortColumn.RECIPIENT,
    Criterion.DISPLAYFROM: SortColumn.DISPLAY_SENDER,
    Criterion.DISPLAYTO: SortColumn.DISPLAY_RECIPIENT,
}
_THREAD_COLUMNS: Final = (
    SortColumn.SENT,
    SortColumn.SUBJECT,
    SortColumn.IS_REPLY,
    SortColumn.MESSAGE_ID,
    SortColumn.REFERENCES,
)
BATCH: Final = 2000
"""Messages whose columns are asked for at once."""
MANY: Final = 5000
"""Messages whose threads are put together beside the event loop."""
LONG: Final = 256
"""Messages from which on what SEARCH has told is kept: who asks for UNSEEN again mostly gets the same."""
MAX_MEMO: Final = 16
"""Orders of a mailbox that are remembered until it gets new messages: 40 KB each for 10,000 of them."""


def takes_long(conversation: Conversation, command: Search | Sort | Thread) -> bool:
    """Whether it is worth while to answer other commands meanwhile, and nothing but its answer comes of it."""
    if isinstance(command, Search) and waits_for_nothing(command.key):
        return False
    if conversation.updates is not None or conversation.notifications is not None:
        return False
    result = None if isinstance(command, Thread) else command.result
    if result is not None and result.what & (SearchResult.SAVE | SearchResult.UPDATE):
        return False
    return conversation.condstore or not _asks_modseq(command.key)


async def search(conversation: Conversation, command: Search) -> None:
    """SEARCH and UID SEARCH."""
    if command.names_charset and conversation.utf8_accept:  # RFC 9755 §3: "SHOULD reject … with BAD"
        name = b"UID SEARCH" if command.by_uid else b"SEARCH"
        conversation.bad(command.tag, b"Error in IMAP command %b: CHARSET with UTF8=ACCEPT enabled" % name)
        return
    if _is_duplicate(conversation, command):
        return
    failed = conversation.selected.mailbox.failed_reads.count
    with_modseq, found = await _found(conversation, command.key)
    if command.result is None and conversation.rev2:  # RFC 9051 §6.4.4: there is no `* SEARCH`
        command = msgspec.structs.replace(command, result=ResultOptions(SearchResult.ALL))
    if command.result is None and not with_modseq and len(found) >= LONG:

        async def render() -> bytes:
            return responses.search(found if command.by_uid else conversation.selected.numbers_of(found))

        await _tell_text(conversation, command, None, found, render)
    else:
        async with conversation.speaking:
            await _answer(conversation, command, found, b"SEARCH", with_modseq=with_modseq)
    complete(conversation, command.tag, b"Search completed", failed)


async def sort(conversation: Conversation, command: Sort) -> None:
    """SORT and UID SORT."""
    if _is_duplicate(conversation, command):
        return
    failed = conversation.selected.mailbox.failed_reads.count
    with_modseq, found = await _found(conversation, command.key)
    if command.result is None and not with_modseq:

        async def render() -> bytes:
            order = await _sorted(conversation, found, command.steps)
            return responses.sort(order if command.by_uid else conversation.selected.numbers_of(order))

        await _tell_text(conversation, command, command.steps, found, render)
    else:
        order = await _sorted(conversation, found, command.steps)
        await _answer(conversation, command, order, b"SORT", with_modseq=with_modseq)
    complete(conversation, command.tag, b"Sort completed", failed)


async def thread(conversation: Conversation, command: Thread) -> None:
    """THREAD and UID THREAD."""
    failed = conversation.selected.mailbox.failed_reads.count
    _, found = await _found(conversation, command.key)

    async def render() -> bytes:
        words = await _threads(conversation, found, command.algorithm)
        numbers = None if command.by_uid else conversation.selected.known_uids()[:]
        if len(words) < MANY:
            return _written(words, numbers)
        return await asyncio.to_thread(_written, words, numbers)

    await _tell_text(conversation, command, command.algorithm, found, render)
    complete(conversation, command.tag, b"Thread completed", failed)


class _Told(msgspec.Struct, frozen=True):
    """A whole answer to SEARCH, SORT or THREAD: webmail asks for the same with each page of it."""

    order: object
    by_uid: bool
    uids: "array[int]"  # rising: what was found
    known: "array[int]"  # by which sequence numbers were told
    text: bytes


async def _tell_text(
    conversation: Conversation,
    command: Search | Sort | Thread,
    order: object,
    found: list[int],
    render: Callable[[], Awaitable[bytes]],
) -> None:
    """Tell the same as the last time, or what is rendered."""
    view, memo = conversation.selected, conversation.selected.mailbox.memo
    uids, by_uid = array("I", found), command.by_uid
    told = memo.get(type(command))
    if not (
        isinstance(told, _Told)
        and (told.order, told.by_uid) == (order, by_uid)
        and told.uids == uids
        and (by_uid or told.known == view.known_uids())
    ):
        failed = view.mailbox.failed_reads.count
        text = await render()
        told = _Told(order, by_uid, uids, array("I", () if by_uid else view.known_uids()), text)
        if view.mailbox.failed_reads.count == failed:
            memo[type(command)] = told
    async with conversation.speaking:
        conversation.engine.untagged(told.text)
        await conversation.tell_changes(expunges=not has_numbers(command), with_uid=by_uid)


def _written(words: list[int | bytes], known: Sequence[int] | None) -> bytes:
    """The threads as the answer has them: by UID, or by number with the UIDs that the client knows."""
    if known is not None:
        number_of = {uid: number for number, uid in enumerate(known, 1)}
        words = [number_of[word] if isinstance(word, int) else word for word in words]
    threads = b"".join([b"%d" % word if isinstance(word, int) else word for word in words])
    return (
        b"THREAD " + threads if threads else b"THREAD"
    )  # `thread-data = "THREAD" [SP 1*thread-list]`  RFC 5256 §5


class _Threads(msgspec.Struct, frozen=True):
    """What was found the last time."""

    uids: "array[int]"
    words: list[int | bytes]


async def _threads(
    conversation: Conversation, uids: list[int], algorithm: ThreadAlgorithm
) -> list[int | bytes]:
    """The threads of the messages, by UID."""
    mailbox = conversation.selected.mailbox
    asked = array("I", uids)
    known = mailbox.memo.get(algorithm)
    if isinstance(known, _Threads) and known.uids == asked:
        return known.words
    failed = mailbox.failed_reads.count
    messages: list[Threaded] = []
    for start in range(0, len(uids), BATCH):
        batch = [Uid(uid) for uid in uids[start : start + BATCH]]
        rows = await mailbox.sort_columns(batch, _THREAD_COLUMNS)
        messages += [Threaded(*row) for row in rows]  # type: ignore[arg-type]  # as the columns are
        await conversation.flush_if_much()
    if len(messages) < MANY:
        words = thread_words(messages, algorithm)
    else:
        # A second for 50,000 messages: meanwhile other sessions get the interpreter every millisecond.
        words = await asyncio.to_thread(thread_words, messages, algorithm)
    if mailbox.failed_reads.count == failed:
        mailbox.memo[algorithm] = _Threads(asked, words)
    return words


async def cancel_update(conversation: Conversation, command: CancelUpdate) -> None:
    """CANCELUPDATE: those that are known are cancelled, even if others are not."""
    updates = conversation.updates
    found = [isinstance(updates, SearchContexts) and updates.cancel(tag) for tag in command.tags]
    if all(found):
        conversation.ok(command.tag, b"Updates cancelled")
    else:
        conversation.no(command.tag, b"Unknown tag")


def _is_duplicate(conversation: Conversation, command: Search | Sort) -> bool:
    """Whether BAD was said: a tag names one result only."""
    updates = conversation.updates
    if command.result is None or not command.result.what & SearchResult.UPDATE:
        return False
    conversation.selected.note_changes()  # those while the result is being found, too
    if not isinstance(updates, SearchContexts) or command.tag not in updates:
        return False
    name = type(command).__name__.upper().encode("ascii")
    name = b"UID " + name if command.by_uid else name
    conversation.bad(command.tag, b"Error in IMAP command %b: Duplicate search update tag" % name)
    return True


def _keep(
    conversation: Conversation, command: Search | Sort, found: list[int], result: ResultOptions
) -> None:
    """From now on, tell changes of this result (RFC 5267 §4.3)."""
    updates = conversation.updates
    if not isinstance(updates, SearchContexts):
        updates = conversation.updates = SearchContexts(conversation)
    if updates.is_full:
        conversation.engine.untagged(b"NO [NOUPDATE %b] Too many search updates" % string(command.tag))
    else:
        updates.add(command.tag, command.key, found, by_uid=command.by_uid, fetch=result.fetch)


async def _found(conversation: Conversation, key: SearchKey) -> tuple[bool, list[int]]:
    """Whether the key asks for mod-sequences; the UIDs that match, rising."""
    with_modseq = _asks_modseq(key)
    if with_modseq:
        await conversation.enable_condstore()
    conversation.take_in()
    found = await MessageFilter(conversation).of_all(key)
    # The view may have taken in more meanwhile, but what it has told has not changed.
    conversation.take_in()
    return with_modseq, found


async def _answer(
    conversation: Conversation, command: Search | Sort, found: list[int], name: bytes, *, with_modseq: bool
) -> None:
    """Tell what was found: `* SEARCH`, `* SORT` or `* ESEARCH`."""
    view, engine, result = conversation.selected, conversation.engine, command.result
    numbers = found
    if not command.by_uid:
        numbers = view.numbers_of(found)
    modseq = _highest_modseq(view, found, result) if with_modseq else 0
    if result is None:
        engine.untagged(
            responses.search(numbers, modseq) if name == b"SEARCH" else responses.sort(numbers, modseq)
        )
    else:
        if result.what & SearchResult.SAVE:
            conversation.saved_result = _saved(found, result)
        if result.what & SearchResult.UPDATE:
            _keep(conversation, command, found, result)
        if result.what != SearchResult.SAVE:
            engine.untagged(
                responses.extended_search(command.tag, numbers, result, by_uid=command.by_uid, modseq=modseq)
            )
    # RFC 7162 §3.2.10.2: none are told in answer to a UID SEARCH that names message numbers, either.
    await conversation.tell_changes(expunges=not has_numbers(command), with_uid=command.by_uid)


async def _sorted(conversation: Conversation, uids: list[int], steps: tuple[SortStep, ...]) -> list[int]:
    mailbox = conversation.selected.mailbox
    known = mailbox.memo.get(steps)
    if isinstance(known, array) and len(known) >= len(uids):
        wanted = set(uids)
        found = [uid for uid in known if uid in wanted]
        if len(found) == len(uids):
            return found
    failed = mailbox.failed_reads.count
    steps = tuple(step for step in steps if step.by is not Criterion.RELEVANCY)  # in which all are equal
    if not steps:
        return uids
    columns = tuple(dict.fromkeys(_COLUMNS[step.by] for step in steps))
    rows: list[tuple[int | str | bytes, ...]] = []
    for start in range(0, len(uids), BATCH):
        batch = [Uid(uid) for uid in uids[start : start + BATCH]]
        rows += await mailbox.sort_columns(batch, columns)
        await conversation.flush_if_much()
    for step in reversed(steps):
        rows.sort(key=itemgetter(1 + columns.index(_COLUMNS[step.by])), reverse=step.reverse)
    order: list[int] = [row[0] for row in rows]  # type: ignore[misc]  # the first is the UID
    room = len(mailbox.memo) < MAX_MEMO or steps in mailbox.memo
    if room and mailbox.failed_reads.count == failed:
        mailbox.memo[steps] = array("I", order)
    return order


def _saved(uids: list[int], result: ResultOptions) -> list[int]:
    """What `$` stands for: all that were found, or what was asked for of them (RFC 5182 §2.4, RFC 9394 §3.2)."""
    parts = result.what & (SearchResult.MIN | SearchResult.MAX | SearchResult.PARTIAL)
    if not parts or result.what & (SearchResult.ALL | SearchResult.COUNT):
        return sorted(uids)
    kept: set[int] = set()
    if parts & SearchResult.MIN:
        kept.update(uids[:1])
    if parts & SearchResult.MAX:
        kept.update(uids[-1:])
    if parts & SearchResult.PARTIAL:
        kept.update(uids[in_range(result.partial, len(uids))])
    return sorted(kept)


def _asks_modseq(key: SearchKey) -> bool:
    match key:
        case And(keys):
            return any(map(_asks_modseq, keys))
        case Or(left, right):
            return _asks_modseq(left) or _asks_modseq(right)
        case Not(negated):
            return _asks_modseq(negated)
        case _:
            return isinstance(key, ModSeqSince)


def _highest_modseq(view: MailboxView, uids: list[int], result: ResultOptions | None) -> int:
    """Of the messages that are told of: with MIN, MAX or PARTIAL alone only those (RFC 4731 §3.2)."""
    if result is not None and not result.what & (SearchResult.ALL | SearchResult.COUNT):
        told = uids[in_range(result.partial, len(uids))] if result.what & SearchResult.PARTIAL else []
        told = told + (uids[:1] if result.what & SearchResult.MIN else [])
        uids = told + (uids[-1:] if result.what & SearchResult.MAX else [])
    table = view.mailbox.messages
    return max((table.modseqs[row] for uid in uids if (row := table.row(Uid(uid))) is not None), default=0)
