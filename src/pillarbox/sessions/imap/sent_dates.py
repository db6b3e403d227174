"""When the messages of a mailbox were sent, kept for the next SEARCH of SENTSINCE and its kin.

DESCRIPTION
    "disregarding time and timezone": what is kept is the time as the sender wrote it, without its zone; of a
    message without a date it is 1970, as in Dovecot.  Twelve octets a message, as long as the mailbox is loaded.

STANDARDS
    RFC 3501 §6.4.4 (SENTBEFORE, SENTON, SENTSINCE)
"""

from array import array
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from pillarbox.mailstore.mailbox import Fields, MessageSummary
from pillarbox.mailstore.view import MailboxView
from pillarbox.message.structured_fields import parse_date
from pillarbox.message.text_matching import field_values
from pillarbox.vocabulary.identifiers import Uid

MANY: Final = 256
"""Messages from which on it is worth keeping them."""
BATCH: Final = 1024

_KEY: Final = b"sent dates"


class SentDates:
    """Those of the messages up to the highest UID that was known."""

    def __init__(self) -> None:
        self._uids: array[int] = array("I")
        self._seconds: array[int] = array("q")

    def add(self, summaries: Sequence[MessageSummary]) -> None:
        """Messages with higher UIDs than those that are there."""
        self._uids.extend(summary.uid for summary in summaries)
        self._seconds.extend(sent_at(summary.header) for summary in summaries)

    def missing(self, uids: Sequence[int]) -> Sequence[int]:
        """Those of `uids` (rising) that came later."""
        return uids[bisect_right(uids, self._uids[-1]) :] if self._uids else uids

    def between(self, start: float, end: float) -> list[int]:
        """UIDs of the messages that were sent from `start` on and before `end`."""
        return [uid for uid, at in zip(self._uids, self._seconds, strict=True) if start <= at < end]


def sent_at(header: bytes) -> int:
    """Seconds since 1970 of the Date field, as if its zone were UTC; 0 if there is none that is a date."""
    values = field_values(header, b"date")
    moment = parse_date(values[0].strip()) if values else None
    return 0 if moment is None else moment.seconds + moment.zone * 60


async def search_sent(
    view: MailboxView, uids: list[int], start: float, end: float, pause: Callable[[], Awaitable[None]]
) -> list[int] | None:
    """Those of `uids` (rising) that were sent then; None if it is not worth keeping anything.

    `pause` lets others work meanwhile.
    """
    memo = view.mailbox.lasting_memo
    dates = memo.get(_KEY)
    if not isinstance(dates, SentDates):
        if len(uids) < MANY:
            return None
        dates = memo[_KEY] = SentDates()
    missing = dates.missing(view.known_uids().tolist())
    for at in range(0, len(missing), BATCH):
        batch = [Uid(uid) for uid in missing[at : at + BATCH]]
        summaries = await view.mailbox.summaries(batch, Fields.HEADER)
        # Another session may have done the same meanwhile.
        new = set(dates.missing([summary.uid for summary in summaries]))
        dates.add([summary for summary in summaries if summary.uid in new])
        await pause()
    found = dates.between(start, end)
    if uids == found:
        return found
    wanted = set(found)
    return [uid for uid in uids if uid in wanted]
