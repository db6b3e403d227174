"""Messages of a mailbox in memory: what sessions ask for most, in compact columns; mailbox.py has the names."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from pillarbox.mailstore.keyword_bits import KeywordBits

SPARSE: Final = 8
"""Of so many messages one is wanted where each is looked for on its own."""


class MessageTable:
    """The messages of a mailbox in UID order, one array per column, so that 100,000 of them stay small.

    The row of a UID is found by bisection; rows move when messages are expunged, UIDs never do.
    """

    __slots__ = ("flags", "keywords", "modseqs", "uids")

    def __init__(self) -> None:
        self.uids: array[int] = array("I")
        self.flags = bytearray()  # system flags, vocabulary.flags.Flag without RECENT
        self.keywords: KeywordBits = array("Q")  # bit i = Mailbox.keywords[i]
        self.modseqs: array[int] = array("Q")

    def __len__(self) -> int:
        return len(self.uids)

    def add_keywords(self, masks: Sequence[int]) -> None:
        """Keyword bits of the next rows."""
        count = len(self.keywords)
        try:
            self.keywords.extend(masks)
        except OverflowError:
            self.keywords = [*self.keywords[:count], *masks]

    def set_keywords(self, row: int, mask: int) -> None:
        """Keyword bits of a row that there is."""
        try:
            self.keywords[row] = mask
        except OverflowError:
            self.keywords = list(self.keywords)
            self.keywords[row] = mask

    def row(self, uid: int) -> int | None:
        """The row of a message, or None if there is none."""
        row = bisect_left(self.uids, uid)
        return row if row < len(self.uids) and self.uids[row] == uid else None

    def rows(self, uids: Sequence[int]) -> Sequence[int]:
        """The rows of messages (rising), -1 for those that are gone; a range if they are side by side."""
        if not uids:
            return range(0)
        known = self.uids
        start, end = bisect_left(known, uids[0]), bisect_right(known, uids[-1])
        if end - start > SPARSE * len(uids):
            return [-1 if (row := self.row(uid)) is None else row for uid in uids]
        between = known[start:end]
        if end - start == len(uids) and between == array("I", uids):
            return range(start, end)
        if end - start == uids[-1] - uids[0] + 1:  # there is a message for every UID between them
            before = uids[0] - start
            return [uid - before for uid in uids]
        row_of = dict(zip(between, range(start, end), strict=True))
        return [row_of.get(uid, -1) for uid in uids]
