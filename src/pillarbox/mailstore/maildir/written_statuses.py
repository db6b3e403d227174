"""STATUS of a mailbox that is not loaded, from what the last worker has written down.

DESCRIPTION
    The header of the mailbox's snapshot (mailstore/maildir/folder_snapshots.py) holds all that STATUS tells but
    \\Recent, which is the cache's, and is true if nothing at all has happened since: a dozen stat calls, whatever
    the mailbox's size.

STANDARDS
    RFC 3501 §6.3.10 (STATUS); RFC 7162 §3.1.7 (HIGHESTMODSEQ)
"""

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.cache.cached_mailboxes import CachedPlaces
from pillarbox.mailstore.cache.message_cache import Cache
from pillarbox.mailstore.cache.snapshot_format import SnapshotHeader
from pillarbox.mailstore.mailbox import MailboxStatus
from pillarbox.mailstore.maildir.folder_snapshots import header_if_exact
from pillarbox.mailstore.maildir.folder_stamp import FolderStamp
from pillarbox.vocabulary.identifiers import ModSeq, Uid, UidValidity


class WrittenStatus(msgspec.Struct, frozen=True):
    """What STATUS would tell."""

    status: MailboxStatus
    has_size: bool
    has_modseq: bool
    stamp: FolderStamp | None
    """By which it is told later to be still true; None where more would have to be looked at."""

    def tells(self, *, with_size: bool, with_modseq: bool) -> bool:
        """Whether it has what is asked for."""
        return (self.has_size or not with_size) and (self.has_modseq or not with_modseq)


def written_status(
    files: FileSystem, cache: Cache, places: CachedPlaces, *, directory: bytes, control: bytes, index: bytes
) -> WrittenStatus | None:
    """None if it is not known, or not true any more."""
    try:
        watched = (directory + b"/new", directory + b"/cur")
        stamp = FolderStamp.of(watched, (control, control + b"/dovecot-uidlist"), files)
    except OSError:
        return None
    header = header_if_exact(files, directory=directory, control=control, index=index)
    if header is None:
        return None
    known = (header.cache_number, places.place_of(control))
    for cached in cache.mailboxes(header.guid, header.uid_validity):
        if (cached.number, cached.place) == known:
            break
    else:
        return None
    recent = _recent(header, cached.first_recent)
    if recent is None:
        return None
    has_modseq = 0 < cached.highest_modseq == header.highest_modseq
    status = MailboxStatus(
        messages=header.messages,
        recent=recent,
        unseen=header.unseen,
        uid_next=Uid(_next_uid(header)),
        uid_validity=UidValidity(header.uid_validity),
        highest_modseq=ModSeq(header.highest_modseq),
        size=header.size or 0,
        guid=header.guid,
        deleted=header.deleted,
        deleted_size=header.deleted_size,
    )
    is_simple = header.surplus_file is None
    return WrittenStatus(status, header.size is not None, has_modseq, stamp if is_simple else None)


def _next_uid(header: SnapshotHeader) -> int:
    return max(header.uidlist.next_uid, header.highest_uid + 1)


def _recent(header: SnapshotHeader, first_recent: int) -> int | None:
    """How many messages no session has seen; None if they have to be counted."""
    if first_recent == header.first_recent:
        return header.recent
    return 0 if first_recent >= _next_uid(header) else None
