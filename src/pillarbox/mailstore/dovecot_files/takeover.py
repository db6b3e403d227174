"""What a mailbox had under Dovecot and its Maildir does not tell: taken over when it is opened.

DESCRIPTION
    Dovecot keeps in its index (mailstore/dovecot_files/dovecot_index.py) keywords beyond the 26 that have letters
    in file names, mod-sequences, and which messages are \\Recent.  `read_index` reads it if Dovecot has written to
    it since we did so last, and puts the keywords into the surplus file (mailstore/dovecot_files/keywords.py),
    which remembers the index by the times and sizes of its files.  Mod-sequences become the mailbox's history, if
    it has none.

    Where both have changed a keyword since, Dovecot's word counts: it cannot have heard of ours.  Keywords beyond
    `MAX_KEYWORDS` are left out, those that most messages have first taken.

STANDARDS
    RFC 7162 (a client that has synchronised with Dovecot goes on with us); Dovecot 2.3, Maildir format
"""

from collections import Counter

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.dovecot_files.dovecot_index import IndexState, NotAnIndex, read_state
from pillarbox.mailstore.mailbox import MAX_KEYWORDS
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.modseq_history import ModSeqHistory, ModSeqRow

FILES = (b"dovecot.index", b"dovecot.index.log", b"dovecot.index.log.2")


def read_index(folder: FolderFiles) -> IndexState | None:
    """Dovecot's knowledge of the mailbox, its keywords taken over; None if there is none that is new."""
    directory = folder.index_directory
    with folder.mutex:
        stamp = index_stamp(folder.files, directory)
        folder.keywords.refresh()
        if not stamp or stamp == folder.keywords.index_stamp:
            return None
        folder.uidlist.refresh()
        contents = [_content(folder, directory + b"/" + name) for name in FILES]
        try:
            state = read_state(*contents)
        except NotAnIndex:
            return None
        if state.uid_validity != folder.uidlist.uid_validity:
            return None  # of a mailbox that was here before
        with folder.lock():
            _take_keywords(folder, state)
            folder.keywords.note_index(stamp)
        return state


def seed_history(history: ModSeqHistory, number: int, folder: FolderFiles, state: IndexState) -> int:
    """Make Dovecot's mod-sequences those of a mailbox without a history; the highest, 0 if there are none."""
    if not state.highest_modseq:
        return 0
    rows: dict[int, ModSeqRow] = {}
    with folder.mutex:
        for uid, path in zip(folder.uids, folder.paths, strict=True):
            if uid in state.flags:  # others have come since
                rows[uid] = (state.modseqs.get(uid, 0) or 1, *folder.meaning(uid, path))
    history.set_modseqs(number, state.highest_modseq, rows)
    history.set_vanished_floor(number, state.highest_modseq)
    return state.highest_modseq


def index_stamp(files: FileSystem, directory: bytes) -> bytes:
    """Times and sizes of the index's files; empty if there are none."""
    words = []
    for name in FILES:
        try:
            status = files.stat(directory + b"/" + name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        words.append(b"%d:%d" % (status.st_mtime_ns, status.st_size))
    return b",".join(words)


def _content(folder: FolderFiles, path: bytes) -> bytes | None:
    try:
        return folder.files.read_file(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _take_keywords(folder: FolderFiles, state: IndexState) -> None:
    """Those that no letter stands for.  The uidlist's lock is held."""
    table = folder.keywords
    used = Counter[int]()
    for mask in state.masks.values():
        while mask:
            used[(mask & -mask).bit_length() - 1] += 1
            mask &= mask - 1
    missing = [bit for bit, _ in used.most_common() if table.find(state.keywords[bit]) is None]
    if missing:
        room = max(0, MAX_KEYWORDS - len(table.names))
        table.define([state.keywords[bit] for bit in sorted(missing[:room])])
    bits = {
        bit: 1 << place
        for bit, name in enumerate(state.keywords)
        if (place := table.find(name)) is not None and table.surplus_of(1 << place)
    }
    known = 0
    for place_bit in bits.values():
        known |= place_bit
    changes: dict[int, int] = {}
    translated: dict[int, int] = {}
    for uid in state.flags:
        mask = state.masks.get(uid, 0)
        if mask not in translated:
            translated[mask] = sum(place_bit for bit, place_bit in bits.items() if mask >> bit & 1)
        wanted = translated[mask]
        before = table.surplus.get(uid, 0)
        after = before & ~known | wanted
        if after != before:
            changes[uid] = after
    table.set_surplus(changes)
