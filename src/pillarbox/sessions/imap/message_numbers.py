"""Dates and sizes of the messages of a mailbox, kept for the next SEARCH that compares them.

DESCRIPTION
    When a message was received, saved or sent, and its size, are each a number that never changes.  The cache holds
    them beside envelopes and structures, so that a search of 10,000 messages reads all of its pages; here they
    stand side by side, twelve octets a message and kind, as long as the mailbox is loaded.

    A date that was sent is the time as the sender wrote it, without its zone; of a message without a date it is
    1970, as in Dovecot.

STANDARDS
    RFC 3501 §6.4.4 (BEFORE, ON, SINCE, SENTBEFORE, SENTON, SENTSINCE, LARGER, SMALLER); RFC 5032 (OLDER, YOUNGER);
    RFC 8514 (SAVEDBEFORE, SAVEDON, SAVEDSINCE)
"""

from array import array
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto
from operator import attrgetter
from typing import Final

from pillarbox.mailstore.mailbox import Fields, MessageSummary
from pillarbox.mailstore.view import MailboxView
from pillarbox.message.structured_fields import parse_date
from pillarbox.message.text_matching import field_values
from pillarbox.sessions.imap.field_texts import in_both
from pillarbox.sessions.imap.search_memory import is_worth_keeping
from pillarbox.vocabulary.identifiers import Uid

BATCH: Final = 1024
"""Headers asked of the store at once."""
NUMBERS_AT_ONCE: Final = 8192
"""The same where there is nothing else to be read: each time a thread begins anew."""


class Number(Enum):
    """What a message has a number for: seconds since 1970, or octets."""

    RECEIVED = auto()
    SAVED = auto()
    SENT = auto()
    SIZE = auto()


class MessageNumbers:
    """Those of one kind, of the messages up to the highest UID that was known."""

    def __init__(self, number_of: Callable[[MessageSummary], int]) -> None:
        self._number_of = number_of
        self._uids: array[int] = array("I")
        self._numbers: array[int] = array("q")

    def add(self, summaries: Sequence[MessageSummary]) -> None:
        """Messages with higher UIDs than those that are there; others are passed over."""
        last = self._uids[-1] if self._uids else 0
        new = [summary for summary in summaries if summary.uid > last]
        self._uids.extend([summary.uid for summary in new])
        self._numbers.extend(map(self._number_of, new))

    def missing(self, uids: Sequence[int]) -> Sequence[int]:
        """Those of `uids` (rising) that came later."""
        return uids[bisect_right(uids, self._uids[-1]) :] if self._uids else uids

    def between(self, start: float, end: float) -> list[int]:
        """UIDs of the messages whose number is `start` or more and less than `end`."""
        return [uid for uid, number in zip(self._uids, self._numbers, strict=True) if start <= number < end]


def sent_at(header: bytes) -> int:
    """Seconds since 1970 of the Date field, as if its zone were UTC; 0 if there is none that is a date."""
    values = field_values(header, b"date")
    moment = parse_date(values[0].strip()) if values else None
    return 0 if moment is None else moment.seconds + moment.zone * 60


NUMBERS: Final[dict[Number, tuple[Fields, Callable[[MessageSummary], int]]]] = {
    Number.RECEIVED: (Fields.DATE, attrgetter("internal_date")),
    Number.SAVED: (Fields.SAVED, attrgetter("saved")),
    Number.SENT: (Fields.HEADER, lambda summary: sent_at(summary.header)),
    Number.SIZE: (Fields.SIZE, attrgetter("size")),
}
"""What the store is asked for, and which number it is."""


async def search_numbers(
    view: MailboxView,
    uids: list[int],
    number: Number,
    start: float,
    end: float,
    pause: Callable[[], Awaitable[None]],
) -> list[int] | None:
    """Those of `uids` (rising) whose number is `start` or more and less than `end`; None if none are worth keeping.

    `pause` lets others work meanwhile.
    """
    mailbox = view.mailbox
    fields, number_of = NUMBERS[number]
    kept = mailbox.lasting_memo.get(number)
    known = view.known_uids().tolist()
    if not isinstance(kept, MessageNumbers):
        if not is_worth_keeping(mailbox, number, len(uids), len(known)):
            return None
        kept = mailbox.lasting_memo[number] = MessageNumbers(number_of)
    missing = kept.missing(known)
    size = BATCH if fields & Fields.HEADER else NUMBERS_AT_ONCE
    failed = mailbox.failed_reads.count
    for at in range(0, len(missing), size):
        batch = [Uid(uid) for uid in missing[at : at + size]]
        kept.add(await mailbox.summaries(batch, fields))
        if mailbox.failed_reads.count != failed:  # what could not be read is asked for the next time
            mailbox.lasting_memo.pop(number, None)
        await pause()
    return in_both(uids, kept.between(start, end))
