"""What threads found or did to messages, put into a mailbox's table: many rows at a time.

DESCRIPTION
    Each function takes events of one kind, in the order in which they happened, and gives what the journal tells of
    them.  Only the event loop calls them, so that sessions never see a table half changed.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import compress

from pillarbox.mailstore.keyword_bits import staying_bits
from pillarbox.mailstore.mailbox import Change, ChangeKind, MessageTable
from pillarbox.mailstore.maildir.folder_files import Event
from pillarbox.vocabulary.identifiers import ModSeq, Uid


def add_rows(table: MessageTable, events: Sequence[Event], modseq: ModSeq) -> None:
    """Messages with the next UIDs; `additions` is what the journal tells of them, if anybody has looked before."""
    table.uids.extend([event.uid for event in events])
    table.flags.extend([event.flags for event in events])
    table.add_keywords([event.keywords for event in events])
    table.modseqs.extend([modseq] * len(events))


def additions(events: Iterable[Event], modseq: ModSeq) -> list[Change]:
    """What the journal tells of messages with the next UIDs."""
    return [Change(ChangeKind.ADDED, Uid(event.uid), modseq, event.origin) for event in events]


def change_rows(table: MessageTable, events: Iterable[Event], modseq: ModSeq) -> list[Change]:
    """Flags and keywords of messages that are there."""
    uids, flags, set_keywords, modseqs = table.uids, table.flags, table.set_keywords, table.modseqs
    count = len(uids)
    changes: list[Change] = []
    row = -1
    for event in events:
        uid = event.uid
        row += 1
        if row >= count or uids[row] != uid:  # not the one behind the last
            row = bisect_left(uids, uid)
            if row >= count or uids[row] != uid:
                continue
        flags[row] = event.flags
        set_keywords(row, event.keywords)
        modseqs[row] = modseq
        changes.append(Change(ChangeKind.FLAGS, Uid(uid), modseq, event.origin))
    return changes


def expunge_rows(table: MessageTable, events: Sequence[Event], modseq: ModSeq) -> list[Change]:
    """Messages are gone."""
    gone = {event.uid for event in events}
    stays = [uid not in gone for uid in table.uids]
    table.uids = array("I", compress(table.uids, stays))
    table.flags = bytearray(compress(table.flags, stays))
    table.keywords = staying_bits(table.keywords, stays)
    table.modseqs = array("Q", compress(table.modseqs, stays))
    return [Change(ChangeKind.EXPUNGED, Uid(event.uid), modseq, event.origin) for event in events]
