"""Puts into the cache what deliverers have noted of new messages (mailstore/cache/arrivals.py).

DESCRIPTION
    Called in the background when messages are new to a session's process, by threads that nobody waits for;
    whoever asks for such a message earlier is answered from the notes (mailstore/cache/message_summaries.py).

    Done twice, or by two processes, it writes the same rows.
"""

from typing import Final

from pillarbox.mailstore.cache.message_cache import Cache
from pillarbox.mailstore.cache.message_summaries import row_of_arrival
from pillarbox.mailstore.cache.sort_key_cache import keep_sort_keys
from pillarbox.mailstore.maildir.folder_files import FolderFiles

PATIENCE: Final = 60
"""Seconds after which a note of a message that is not there is of one that has gone, or went elsewhere."""


def adopt_arrivals(folder: FolderFiles, cache: Cache, number: int) -> None:
    """Of the messages that have their UIDs by now; `number` is the mailbox's in the cache."""
    bases = folder.arrivals.bases()
    if not bases or not number:
        return
    with folder.mutex:
        listed = folder.uidlist.known(bases)
        uids = {base: uid for base in bases if (uid := listed.get(base, 0)) and folder.row(uid) >= 0}
    arrivals = folder.arrivals.find(bases)
    rows = [row_of_arrival(uid, arrivals[base]) for base, uid in uids.items() if base in arrivals]
    cache.add(number, rows, with_header=False)
    keep_sort_keys(cache, number, rows)
    cache.add_previews(
        number, {uid: arrivals[base].preview for base, uid in uids.items() if base in arrivals}
    )
    oldest = folder.clock.now() - PATIENCE
    strangers = [base for base, arrival in arrivals.items() if base not in uids and arrival.date < oldest]
    folder.arrivals.forget([*uids, *strangers])
