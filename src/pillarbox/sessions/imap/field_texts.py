"""What a header field of all messages of a mailbox says, kept for the next SEARCH of it.

DESCRIPTION
    Mail programs search as their users type: SUBJECT and FROM of the same mailbox, again and again.  The folded
    values of a field stand one line after the other in one string, in which 10,000 messages are searched in half
    a millisecond; messages that have come since are added.

    A mailbox keeps `MAX_FIELDS` of them, of `MAX_CHARACTERS` each, as long as it is loaded: webmail opens it
    anew for every search.

STANDARDS
    RFC 3501 §6.4.4 (substrings, without regard to case)
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from pillarbox.mailstore.mailbox import Fields, Mailbox
from pillarbox.mailstore.view import MailboxView
from pillarbox.sessions.imap.search_memory import is_worth_keeping, make_room
from pillarbox.vocabulary.identifiers import Uid

MAX_FIELDS: Final = 6
MAX_CHARACTERS: Final = 16 * 1024 * 1024
BATCH: Final = 1024

_BETWEEN_MESSAGES: Final = "\n"  # folded text has none
_BETWEEN_VALUES: Final = "\0"  # no search key has one

ValuesOf = Callable[[bytes, bytes], Iterable[str]]
"""(header, lower-case name of the field) → folded values."""


class FieldTexts:
    """One field's values, of the messages up to the highest UID that was known."""

    def __init__(self) -> None:
        self._uids: array[int] = array("I")
        self._starts: array[int] = array("Q")
        self._text = ""

    @property
    def size(self) -> int:
        """Characters."""
        return len(self._text)

    def add(self, uids: Sequence[int], values: Sequence[str]) -> None:
        """Messages with higher UIDs than those that are there, and what the field says in each."""
        at = len(self._text)
        for value in values:
            self._starts.append(at)
            at += len(value) + 1
        self._uids.extend(uids)
        self._text += "".join([value + _BETWEEN_MESSAGES for value in values])

    def missing(self, uids: Sequence[int]) -> Sequence[int]:
        """Those of `uids` (rising) that came later."""
        return uids[bisect_right(uids, self._uids[-1]) :] if self._uids else uids

    def having(self, wanted: str, first: int, last: int) -> list[int]:
        """UIDs, `first` to `last`, of the messages in which the field holds the folded text, which is not empty."""
        found: list[int] = []
        text, starts, end_row = self._text, self._starts, bisect_right(self._uids, last)
        end = starts[end_row] if end_row < len(starts) else len(text)
        row = bisect_left(self._uids, first)
        while row < end_row and (at := text.find(wanted, starts[row], end)) >= 0:
            row = bisect_right(starts, at) - 1
            found.append(self._uids[row])
            row += 1
        return found


async def search_field(
    view: MailboxView,
    uids: list[int],
    field: bytes,
    wanted: str,
    values_of: ValuesOf,
    pause: Callable[[], Awaitable[None]],
) -> list[int] | None:
    """Those of `uids` (rising) whose field holds the text; None if that is not worth keeping anything.

    `pause` lets others work meanwhile.
    """
    mailbox = view.mailbox
    if not uids or not wanted:
        return None
    known = view.known_uids().tolist()
    texts = _kept(mailbox, (field, values_of), asked=len(uids), known=len(known))
    if texts is None:
        return None
    missing = texts.missing(known)
    failed = mailbox.failed_reads.count
    for start in range(0, len(missing), BATCH):
        batch = [Uid(uid) for uid in missing[start : start + BATCH]]
        summaries = await mailbox.summaries(batch, Fields.HEADER)
        # Another session may have done the same meanwhile.
        new = set(texts.missing([summary.uid for summary in summaries]))
        fresh = [summary for summary in summaries if summary.uid in new]
        texts.add(
            [summary.uid for summary in fresh],
            [_BETWEEN_VALUES.join(values_of(summary.header, field)) for summary in fresh],
        )
        await pause()
    found = texts.having(wanted, uids[0], uids[-1])
    # What could not be read is asked for the next time.
    if texts.size > MAX_CHARACTERS or mailbox.failed_reads.count != failed:
        mailbox.lasting_memo.pop((field, values_of), None)
    return in_both(uids, found)


def in_both(uids: list[int], found: list[int]) -> list[int]:
    """What is in both, which are rising."""
    if uids == found:
        return found
    if len(found) * 8 < len(uids):
        return [uid for uid in found if (at := bisect_left(uids, uid)) < len(uids) and uids[at] == uid]
    wanted = set(found)
    return [uid for uid in uids if uid in wanted]


def _kept(mailbox: Mailbox, key: tuple[bytes, ValuesOf], *, asked: int, known: int) -> FieldTexts | None:
    memo = mailbox.lasting_memo
    texts = memo.get(key)
    if isinstance(texts, FieldTexts):
        return texts
    if not is_worth_keeping(mailbox, key, asked, known):
        return None
    make_room(mailbox, FieldTexts, MAX_FIELDS)
    texts = memo[key] = FieldTexts()
    return texts
