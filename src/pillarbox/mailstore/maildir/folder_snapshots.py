"""A folder's state written down when it is given back, and taken up again by the next worker.

DESCRIPTION
    `pillarbox.snapshot` beside the messages, or where Dovecot's index is told to be, holds what `FolderFiles`
    and the mailbox's table know (mailstore/cache/snapshot_format.py).  Whoever goes on from it is in the
    position of a worker that has not looked for a while: directories that are not exactly as they were are
    listed and compared, lines that were appended to the uidlist are read, and what has happened meanwhile is
    found as ever (`FolderFiles.sync`).

    A directory is as it was if device, inode, mtime and ctime are, and its mtime told everything when that was
    written down (mailstore/maildir/directory_state.py).  A uidlist that was replaced, keywords of another
    meaning, or news in Dovecot's own index make it worthless: then all is read, as without it.

    `header_if_exact` tells what STATUS wants to know without the messages, where nothing at all has happened.

    The file is never the only copy of anything.  It is written beside and renamed, without fsync: after a crash
    it is whole, the one before, or refused by its checksum.

FAULTS
    None is raised for a file that cannot be read or written, or is damaged: there is none then.
"""

import os
import stat
from array import array
from contextlib import suppress
from typing import Final

import msgspec

from pillarbox.files.directories import make_directories
from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.cache.snapshot_format import (
    HEAD_SIZE,
    LOOKED_AT,
    MAX_COLUMNS,
    MAX_HEADER,
    DirectoryStamp,
    FileStamp,
    Head,
    Snapshot,
    SnapshotHeader,
    decode,
    decode_header,
    encode,
)
from pillarbox.mailstore.dovecot_files.takeover import index_stamp
from pillarbox.mailstore.keyword_bits import KeywordBits, mask_octets
from pillarbox.mailstore.mailbox import NoSuchMailbox
from pillarbox.mailstore.maildir.directory_state import DirectoryState
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.message_paths import MessagePaths
from pillarbox.vocabulary.flags import Flag, count_flag

FILE_NAME: Final = b"pillarbox.snapshot"
_SAFELY: Final = os.O_NOFOLLOW | os.O_NONBLOCK
"""Whoever puts something else in the file's place has nobody wait for it."""


class Known(msgspec.Struct, frozen=True):
    """What a mailbox adds to what its folder knows.  The columns are copies."""

    change_number: int
    """Of the folder, before these were copied."""
    uids: "array[int]"
    flags: bytearray
    keyword_bits: KeywordBits
    modseqs: "array[int] | None"
    """None: no mod-sequences are kept."""
    highest_modseq: int
    first_recent: int
    recent: int
    size: int | None
    deleted_size: int
    cache_number: int
    filled_to: int


def path_in(index_directory: bytes) -> bytes:
    """Where the file is."""
    return index_directory + b"/" + FILE_NAME


# --- reading ------------------------------------------------------------------------------------------


def read_snapshot(files: FileSystem, path: bytes) -> Snapshot | None:
    """The whole file."""
    try:
        return decode(_read(files, path, HEAD_SIZE + MAX_HEADER + MAX_COLUMNS))
    except (OSError, ValueError):
        return None


def read_header(files: FileSystem, path: bytes) -> SnapshotHeader | None:
    """Its header alone."""
    try:
        octets = _read(files, path, LOOKED_AT, all_of_it=False)
        head = Head.of(octets)
        if head.header_length > len(octets) - HEAD_SIZE:
            octets = _read(files, path, HEAD_SIZE + head.header_length, all_of_it=False)
        return decode_header(head, octets)
    except (OSError, ValueError):
        return None


def header_if_exact(
    files: FileSystem, *, directory: bytes, control: bytes, index: bytes
) -> SnapshotHeader | None:
    """The header, if nothing has happened to the folder since."""
    header = read_header(files, path_in(index))
    if header is None or not (header.new.is_settled and header.cur.is_settled):
        return None
    known = header.uidlist
    uidlist = FileStamp(known.device, known.inode, known.size, known.modified, known.changed)
    try:
        is_exact = (
            directory_stamp(files, directory + b"/new") == header.new.stamp
            and directory_stamp(files, directory + b"/cur") == header.cur.stamp
            and file_stamp(files, control + b"/dovecot-uidlist") == uidlist
            and keyword_stamps(files, control) == (header.keyword_file, header.surplus_file)
            and index_stamp(files, index) == header.dovecots_index
        )
    except OSError:
        return None
    return header if is_exact else None


def go_on_from(folder: FolderFiles, snapshot: Snapshot) -> bool:
    """Have a folder that knows nothing yet know this; False if it is worthless by now.  OSError."""
    header, files = snapshot.header, folder.files
    with folder.mutex:
        if header.dovecots_index != index_stamp(files, folder.index_directory):
            return False
        _, surplus_file = keyword_stamps(files, folder.control)
        folder.keywords.refresh()
        if surplus_file != header.surplus_file:
            return False
        if not folder.keywords.means_the_same(header.keywords, header.letter_bits):
            return False
        if not folder.uidlist.go_on_from(header.uidlist):
            return False
        if folder.uidlist.uid_validity != header.uid_validity or folder.uidlist.guid != header.guid:
            return False
        folder.uid_validity, folder.guid = header.uid_validity, header.guid
        folder.uids = array("I", snapshot.uids)
        folder.paths = MessagePaths.of(snapshot.paths, snapshot.path_lengths)
        folder.in_new, folder.highest_uid = header.in_new, header.highest_uid
        as_before = [
            stamp.is_settled and _directory_or_none(files, place) == stamp.stamp
            for stamp, place in zip((header.new, header.cur), folder.directories.places, strict=True)
        ]
        folder.directories.go_on_from(
            header.new.stamp.modified if as_before[0] else None,
            header.cur.stamp.modified if as_before[1] else None,
        )
        return True


# --- writing ------------------------------------------------------------------------------------------


def write_snapshot(folder: FolderFiles, known: Known, *, before: SnapshotHeader | None = None) -> None:
    """Write down what is known of a folder, unless `before` says the same already."""
    with suppress(OSError, ValueError, NoSuchMailbox):
        with folder.mutex:
            if folder.directories.only_wait(folder.now_ns()):
                folder.sync(move_new=False)
            header = _header(folder, known)
            if header is None or header == before:
                return
            octets, lengths = folder.paths.packed()
        parts = encode(
            header,
            uids=known.uids,
            flags=known.flags,
            keyword_bits=known.keyword_bits,
            modseqs=known.modseqs,
            path_lengths=lengths,
            paths=octets,
        )
        _write(folder, parts)


def _header(folder: FolderFiles, known: Known) -> SnapshotHeader | None:
    """None if that cannot be told to be true of one moment."""
    files = folder.files
    if folder.events or folder.change_number != known.change_number or folder.uids != known.uids:
        return None
    if not folder.uid_validity or folder.uidlist.uid_validity != folder.uid_validity:
        return None
    keyword_stamp, surplus_stamp = keyword_stamps(files, folder.control)
    uidlist = folder.uidlist.state()
    if uidlist is None or folder.keywords.has_changed() or not folder.keywords.is_as_in_files():
        return None
    new, cur = [_as_listed(files, place, state) for state, place in folder.directories.states]
    return SnapshotHeader(
        new=new,
        cur=cur,
        uidlist=uidlist,
        keyword_file=keyword_stamp,
        surplus_file=surplus_stamp,
        dovecots_index=index_stamp(files, folder.index_directory),
        uid_validity=folder.uid_validity,
        guid=folder.guid,
        keywords=tuple(folder.keywords.names),
        letter_bits=folder.keywords.letter_bits,
        messages=len(known.uids),
        unseen=len(known.uids) - count_flag(known.flags, Flag.SEEN),
        deleted=count_flag(known.flags, Flag.DELETED),
        in_new=folder.in_new,
        highest_uid=folder.highest_uid,
        first_unseen=folder.first_unseen(),
        first_recent=known.first_recent,
        recent=known.recent,
        size=known.size,
        deleted_size=known.deleted_size,
        cache_number=known.cache_number,
        filled_to=known.filled_to,
        highest_modseq=known.highest_modseq if known.modseqs is not None else 0,
        has_keyword_bits=any(known.keyword_bits),
        keyword_octets=mask_octets(known.keyword_bits),
    )


def _as_listed(files: FileSystem, place: bytes, state: DirectoryState) -> DirectoryStamp:
    stamp = directory_stamp(files, place)
    return DirectoryStamp(stamp, state.is_settled and stamp.modified == state.mtime)


def _write(folder: FolderFiles, parts: list[bytes]) -> None:
    files, path = folder.files, path_in(folder.index_directory)
    temporary = path + b".tmp"
    if folder.index_directory == folder.directory:
        temporary = folder.directory + b"/tmp/" + folder.new_names.take()
    else:
        make_directories(folder.index_directory, files)
    fd = files.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            files.write_all(fd, parts)
        finally:
            files.close(fd)
        files.rename(temporary, path)
    except OSError:
        with suppress(OSError):
            files.unlink(temporary)


# --- stamps -------------------------------------------------------------------------------------------


def file_stamp(files: FileSystem, path: bytes) -> FileStamp | None:
    """A file's; None if there is none.  OSError."""
    try:
        status = files.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _stamp(status, size=status.st_size)


def directory_stamp(files: FileSystem, path: bytes) -> FileStamp:
    """A directory's.  OSError."""
    return _stamp(files.stat(path), size=0)


def keyword_stamps(files: FileSystem, control: bytes) -> tuple[FileStamp | None, FileStamp | None]:
    """Of dovecot-keywords and pillarbox-keywords.  OSError."""
    return file_stamp(files, control + b"/dovecot-keywords"), file_stamp(
        files, control + b"/pillarbox-keywords"
    )


def _directory_or_none(files: FileSystem, path: bytes) -> FileStamp | None:
    try:
        return directory_stamp(files, path)
    except OSError:
        return None


def _stamp(status: os.stat_result, *, size: int) -> FileStamp:
    return FileStamp(status.st_dev, status.st_ino, size, status.st_mtime_ns, status.st_ctime_ns)


def _read(files: FileSystem, path: bytes, limit: int, *, all_of_it: bool = True) -> bytes:
    """A regular file's octets, at most `limit`.  OSError, ValueError."""
    fd = files.open(path, os.O_RDONLY | _SAFELY)
    try:
        if not all_of_it:
            return files.pread(fd, limit, 0)
        status = files.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            raise ValueError("no such file")
        octets = files.pread(fd, status.st_size, 0)
        if len(octets) != status.st_size:
            raise ValueError("read in part")
        return octets
    finally:
        files.close(fd)
