"""The mod-sequences of a mailbox: always growing, and kept from one opening to the next.

DESCRIPTION
    A batch of changes gets the microseconds since 1970, or one more than the highest so far: that is more than
    anything told before, even by a process that died before it could write its last changes down, and more
    than Dovecot's counters, which begin at 1.

    The history (mailstore/maildir/modseq_history.py) holds with each mod-sequence the flags that it belongs to.
    `adopt` compares it with what is there now: a message that has other flags than those was changed by somebody
    else meanwhile, and gets a new one; so does the mailbox when messages are gone.  Until a client asks for
    mod-sequences nothing is kept, and those in the table mean nothing.

STANDARDS
    RFC 7162 §3.1.1 (strictly increasing), §3.1.2.1 (HIGHESTMODSEQ)
"""

from collections.abc import Iterable, Mapping

from pillarbox.mailstore.mailbox import MessageTable
from pillarbox.mailstore.maildir.modseq_history import ModSeqRow
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import ModSeq


class ModSeqs:
    """The counter of one mailbox."""

    __slots__ = ("_clock", "_first", "begins_now", "has_history", "highest", "is_tracking")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.highest = ModSeq(int(clock.now() * 1e6))
        self.has_history = False
        """Whether a client has used mod-sequences of the mailbox, now or long ago."""
        self.is_tracking = False
        """Whether those in the table are those of the history."""
        self.begins_now = False
        """Whether there was no history before."""
        self._first = 0  # of the messages that were there when the mailbox was opened

    def next(self) -> ModSeq:
        """For the next batch of changes."""
        self.highest = ModSeq(max(self.highest + 1, int(self._clock.now() * 1e6)))
        return self.highest

    def begin(self) -> ModSeq:
        """For the messages that are there when the mailbox is opened."""
        self._first = self._first or self.next()
        return ModSeq(self._first)

    def go_on_from(self, highest: int) -> None:
        """The mod-sequences in the table are those of the history, of which this is the highest."""
        self.is_tracking = self.has_history = True
        self.highest = ModSeq(highest)

    def adopt(
        self, table: MessageTable, history: Mapping[int, ModSeqRow], highest: int
    ) -> dict[int, ModSeqRow]:
        """Give the messages the mod-sequences of the history; the rows that have to be written to it.

        `highest` is the history's, 0 if there is none.
        """
        self.is_tracking = self.has_history = True
        changed: list[int] = []
        known = 0
        for row, uid in enumerate(table.uids):
            kept = history.get(uid)
            known += kept is not None
            if table.modseqs[row] != self._first:
                changed.append(row)  # since the mailbox was opened
            elif kept is not None and kept[1:] == (table.flags[row], table.keywords[row]):
                table.modseqs[row] = kept[0]
            else:
                changed.append(row)
        if highest and not changed and known == len(history):
            self.highest = ModSeq(highest)
        if not highest:
            self.begins_now = True
        return {table.uids[row]: self._row(table, row) for row in changed}

    def rows(self, table: MessageTable, uids: Iterable[int]) -> dict[int, ModSeqRow]:
        """The history's rows for some messages; those that are gone are left out."""
        found = ((uid, table.row(uid)) for uid in uids)
        return {uid: self._row(table, row) for uid, row in found if row is not None}

    def _row(self, table: MessageTable, row: int) -> ModSeqRow:
        return table.modseqs[row], table.flags[row], table.keywords[row]
