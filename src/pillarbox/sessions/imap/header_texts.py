"""What a mailbox keeps of FETCH's answers for the next client that asks for the same fields of the header.

DESCRIPTION
    Mail programs show lists of messages, and each asks for the same dozen fields of all of them: from the desktop,
    from the telephone, and webmail again and again.  To find them in a header takes as long as the rest of the
    answer.  What was found, and the size of the message, stand side by side in compact columns as long as the
    mailbox is loaded; messages that have come since are added.

    A mailbox keeps `MAX_SETS` of sets of fields, of `MAX_OCTETS` each; what has no room is looked for each time.

STANDARDS
    RFC 3501 §6.4.5 (BODY[HEADER.FIELDS (…)])
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from pillarbox.mailstore.mailbox import Mailbox, MessageSummary
from pillarbox.sessions.imap.search_memory import is_worth_keeping, make_room

MAX_SETS: Final = 2
MAX_OCTETS: Final = 8 * 1024 * 1024


class HeaderTexts:
    """The fields of one set, of messages with rising UIDs."""

    def __init__(self) -> None:
        self._uids: array[int] = array("I")
        self._sizes: array[int] = array("Q")
        self._ends: array[int] = array("I")
        self._texts = bytearray()

    def add(self, summaries: Sequence[MessageSummary], texts: Sequence[bytes]) -> None:
        """Messages in the order of their UIDs, and their fields; those below what is there already are left out."""
        highest = self._uids[-1] if self._uids else 0
        for summary, text in zip(summaries, texts, strict=True):
            if summary.uid <= highest:
                continue
            if len(self._texts) + len(text) > MAX_OCTETS:
                return
            self._texts += text
            self._uids.append(summary.uid)
            self._sizes.append(summary.size)
            self._ends.append(len(self._texts))

    def find(self, uids: Sequence[int]) -> tuple[Sequence[int], list[bytes]] | None:
        """Sizes and fields of messages (rising), unless one of them is missing."""
        known, ends = self._uids, self._ends
        start = bisect_left(known, uids[0])
        end = bisect_right(known, uids[-1], start)
        if end - start < len(uids):
            return None
        texts = bytes(self._texts[ends[start - 1] if start else 0 : ends[end - 1]])
        first = ends[start - 1] if start else 0
        spans = ends[start:end]
        cut = [
            texts[low - first : high - first] for low, high in zip([first, *spans[:-1]], spans, strict=True)
        ]
        if end - start == len(uids):
            return (self._sizes[start:end], cut) if known[start:end] == array("I", uids) else None
        of_uid = dict(zip(known[start:end], zip(self._sizes[start:end], cut, strict=True), strict=True))
        found = [of_uid[uid] for uid in uids if uid in of_uid]
        if len(found) < len(uids):
            return None
        return [size for size, _ in found], [text for _, text in found]


def kept(mailbox: Mailbox, names: frozenset[bytes], *, asked: int) -> HeaderTexts | None:
    """What is kept of these fields (lower case), or what it is to be kept in; None if that is not worth while.

    `asked`: of how many messages they are wanted now.
    """
    memo = mailbox.lasting_memo
    key = (HeaderTexts, names)
    texts = memo.get(key)
    if isinstance(texts, HeaderTexts):
        return texts
    if not is_worth_keeping(mailbox, key, asked, len(mailbox.messages)):
        return None
    make_room(mailbox, HeaderTexts, MAX_SETS)
    texts = memo[key] = HeaderTexts()
    return texts
