"""The mod-sequences of a loaded mailbox with their history, written behind the changes once a client uses them.

DESCRIPTION
    `counter` gives each batch of changes its number (mailstore/maildir/modseqs.py).  When a client asks for
    mod-sequences for the first time, `track` takes those of the history; from then on each batch is written to it
    in the background.  A crash loses none that the next `track` would not replace.

STANDARDS
    RFC 7162 §3.1.1 (MODSEQ), §3.2 (VANISHED)
"""

from collections.abc import Sequence
from functools import partial

from pillarbox.mailstore.cache.background_writes import BackgroundWrites
from pillarbox.mailstore.cache.message_cache import Cache
from pillarbox.mailstore.mailbox import ChangeKind, MessageTable
from pillarbox.mailstore.maildir.folder_files import Event
from pillarbox.mailstore.maildir.modseq_history import ModSeqHistory, ModSeqRow
from pillarbox.mailstore.maildir.modseqs import ModSeqs
from pillarbox.mailstore.maildir.prompt_work import Run
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import ModSeq, Uid


class ModSeqKeeping:
    """Of one mailbox; all but `load` is called on the event loop."""

    def __init__(self, cache: Cache, clock: Clock, writes: BackgroundWrites, *, run: Run) -> None:
        self.counter = ModSeqs(clock)
        self.kept = 0
        """The highest of the history, 0 if there is none."""
        self.history = ModSeqHistory(cache)
        self._cache = cache
        self._number = 0  # the mailbox's in the cache
        self._writes = writes
        self._run: Run = run

    def load(self, number: int, kept: int) -> None:
        """The mailbox has that number in the cache, and its history ends with `kept`."""
        self._number, self.kept = number, kept
        self.counter.has_history = kept != 0

    async def track(self, table: MessageTable) -> None:
        """From now on, mod-sequences are those of the history, and are kept."""
        if not self.counter.is_tracking:
            history = await self._run(self.history.modseqs, self._number)
        if not self.counter.is_tracking:  # else another session was faster
            rows = self.counter.adopt(table, history, self.kept)
            known = set(table.uids)
            if self.counter.begins_now:
                highest = self.counter.highest
                self._writes.begin(partial(self.history.set_vanished_floor, self._number, highest))
            self._write(rows, [uid for uid in history if uid not in known])

    async def note_annotation(self, table: MessageTable) -> None:
        """An annotation has changed: so has HIGHESTMODSEQ, if anybody has ever asked for it (RFC 7162 §3.2)."""
        if self.counter.has_history:
            await self.track(table)
            self.counter.next()
            self._write({}, [])

    def note_changes(self, table: MessageTable, events: Sequence[Event]) -> None:
        """A batch of changes is in the table."""
        if self.counter.is_tracking:
            gone = [event.uid for event in events if event.kind is ChangeKind.EXPUNGED]
            self._write(self.counter.rows(table, {event.uid for event in events}), gone)

    async def vanished_since(self, modseq: int, table: MessageTable) -> list[Uid] | None:
        """UIDs that were expunged after that mod-sequence; None if that is not known any more."""
        await self._writes.finish()  # what is not in the cache yet
        found = await self._run(self.history.vanished_since, self._number, modseq)
        # A mailbox that was restored from a backup may have given a UID again that was another message's.
        return None if found is None else [Uid(uid) for uid in found if table.row(uid) is None]

    def _write(self, rows: dict[int, ModSeqRow], gone: list[int]) -> None:
        def write() -> None:
            self.history.set_modseqs(self._number, highest, rows)
            if gone:
                self.history.add_vanished(self._number, highest, gone)
                self._cache.remove(self._number, gone)

        highest = ModSeq(self.counter.highest)
        self._writes.begin(write)
