"""What sessions do to the messages of a Maildir folder: change flags, expunge, copy.

DESCRIPTION
    Functions over `FolderFiles` (mailstore/maildir/folder_files.py); they block and run in worker threads.  Each
    does all of its work in one call: one lock, one uidlist write, one fsync per directory for however many
    messages.  What they did is told by the folder's events.  APPEND is in mailstore/maildir/folder_additions.py.

PROMISES
    copy     file, name and UID survive a crash; on a fault none of the messages stays
    expunge  the files are gone
    flags    renames without fsync: a crash may undo the last changes, never a message
    move     copy, then expunge: a crash may leave both, never none

FAULTS
    OverQuota, StoreUnavailable  nothing was stored
    OverflowError                no room for another keyword
    MessageGone                  COPY of a message that another program has removed

STANDARDS
    RFC 3501 §6.4.6 (STORE), §6.4.7 (COPY); RFC 6851 (MOVE)
"""

import errno
import os
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Final

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.content.large_content import BLOCK, LargeContent
from pillarbox.mailstore.content.message_files import message_at
from pillarbox.mailstore.deliver import Delivery, Stored, Written, deliver_batch
from pillarbox.mailstore.mailbox import (
    KEEP_ALL,
    ChangeKind,
    FlagAction,
    FlagChange,
    KeptFlags,
    MessageGone,
    OverQuota,
    StoreUnavailable,
)
from pillarbox.mailstore.maildir.file_names import base, change_letters, sizes, split
from pillarbox.mailstore.maildir.folder_additions import (
    add_messages,
    define,
    for_client,
    identity,
    settle,
    undo,
)
from pillarbox.mailstore.maildir.folder_files import Event, FolderFiles
from pillarbox.mailstore.maildir.message_directories import CUR
from pillarbox.mailstore.quota.maildirsize import Size
from pillarbox.message.line_ends import crlf_size
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid

COPY_ATTEMPTS: Final = 16
"""So often a COPY begins anew because another program has renamed one of the files meanwhile."""


def change_flags(
    folder: FolderFiles, uids: Iterable[int], change: FlagChange, *, origin: object | None = None
) -> list[Uid]:
    """Change flags of those that exist; the UIDs whose flags really changed."""
    with folder.mutex:
        settle(folder)
        # Removing a keyword that nobody has needs no bit for it.
        wanted = define(folder, change.keywords) if change.action is not FlagAction.REMOVE else 0
        for name in change.keywords:
            bit = folder.keywords.find(name)
            wanted |= 0 if bit is None else 1 << bit
        flags = int(change.flags & ~Flag.RECENT)  # which cannot be stored  RFC 3501 §6.4.6
        changed: list[Uid] = []
        surplus: dict[int, int] = {}
        in_new = folder.in_new
        events = folder.events
        row = -1
        try:
            with _OpenFolder(folder) as opened:
                letters = _LetterChange(folder, change, flags, wanted)
                for uid in uids:
                    row = folder.row_after(row, uid)
                    done = opened.rename(row, uid, letters) if row >= 0 else None
                    if done is None:
                        continue
                    if done.surplus is not None:
                        surplus[uid] = done.surplus
                    changed.append(Uid(uid))
                    events.append(Event(ChangeKind.FLAGS, uid, done.flags, done.keywords, origin))
        finally:
            folder.change_number += 1
        if surplus:
            folder.keywords.set_surplus(surplus)
        if changed:
            folder.note_own_change(new=folder.in_new != in_new)
        return changed


def expunge(folder: FolderFiles, uids: Iterable[int], *, origin: object | None = None) -> list[Uid]:
    """Remove messages; the UIDs that were there."""
    with folder.mutex:
        settle(folder)
        gone: list[Uid] = []
        quota_sizes: list[Size] = []
        row = -1
        with _OpenFolder(folder) as opened:
            for uid in uids:
                size = stored_size(folder, uid) if folder.quota is not None else None
                row = folder.row_after(row, uid)
                if row >= 0 and opened.unlink(row, uid):
                    gone.append(Uid(uid))
                    if size is not None:
                        quota_sizes.append(size)
        if gone:
            in_new = folder.in_new
            folder.remove(gone, origin=origin)
            folder.note_own_change(new=folder.in_new != in_new)
            if folder.quota is not None:
                folder.quota.went(quota_sizes)
        return gone


def last_instances(folder: FolderFiles, uids: Iterable[int]) -> list[Uid]:
    """Those whose files would have no other link left if all of them went."""
    with folder.mutex:
        settle(folder)
        going: Counter[tuple[int, int]] = Counter()
        found: list[Uid] = []
        for uid in uids:
            path = folder.path_of(uid)
            try:
                status = None if path is None else folder.files.stat(path)
            except FileNotFoundError:
                status = None
            if status is None:  # renamed or gone: the copy will see
                found.append(Uid(uid))
                continue
            file = (status.st_dev, status.st_ino)
            going[file] += 1
            if going[file] >= status.st_nlink:
                found.append(Uid(uid))
        return found


def copy(
    source: FolderFiles,
    uids: Sequence[int],
    target: FolderFiles,
    *,
    keeping: KeptFlags = KEEP_ALL,
    is_move: bool = False,
) -> list[tuple[Uid, Uid]]:
    """Copy messages, all or none: by hard link where the file system allows.

    The quota is told, with `is_move`, that the source will lose them.  Raises MessageGone if one is not there.
    """
    with both_mutexes(source, target):
        for _ in range(COPY_ATTEMPTS):
            try:
                return _copy_all(source, uids, target, keeping, is_move=is_move)
            except _Moved:
                # Not while the target's lock is held: the source may be the target.
                source.rescan()
        raise MessageGone(f"{os.fsdecode(source.directory)}: messages are renamed all the time")


@contextmanager
def both_mutexes(one: FolderFiles, other: FolderFiles) -> Iterator[None]:
    """Hold both, without waiting for one while the other is held.

    Two copies would block each other, and so would an append on the event loop: it has its folder's mutex while the
    kernel writes, and goes on when the loop does, which may be waiting for the other folder's.
    """
    first, second = one.mutex, other.mutex
    while True:
        first.acquire()
        if second.acquire(blocking=False):
            break
        first.release()
        first, second = second, first
    try:
        yield
    finally:
        second.release()
        first.release()


class _Moved(Exception):
    """A file is not where it was."""


def _copy_all(
    source: FolderFiles, uids: Sequence[int], target: FolderFiles, keeping: KeptFlags, *, is_move: bool
) -> list[tuple[Uid, Uid]]:
    """Raises _Moved, and MessageGone if one is not known any more; then nothing has been copied."""
    originals = _originals(source, uids, keeping)
    settle(target)
    quota_sizes: list[Size] = []
    if target.quota is not None:
        found = [stored_size(source, uid) for uid in uids]
        quota_sizes = [size for size in found if size is not None]
        target.quota.check(quota_sizes, moved_from=source.quota if is_move else None)
    bits_of = {names: define(target, names) for names in dict.fromkeys(one.keywords for one in originals)}
    masks = [bits_of[original.keywords] for original in originals]
    paths: list[bytes] = []
    fields: dict[bytes, bytes] = {}
    before = target.uidlist.next_uid
    with target.lock():
        target.refresh_uidlist()
        target.ensure_header()
        foreign = target.uidlist.next_uid != before
        taken = target.uidlist.known([identity(original.path) for original in originals])
        try:
            with _OpenFolder(source) as opened, _OpenFolder(target) as opened_target:
                for original, bits in zip(originals, masks, strict=True):
                    letters = change_letters(b"", original.flags, target.keywords.to_letters(bits))
                    path = opened.copy(original, opened_target, letters, taken)
                    paths.append(path)
                    if (name := identity(path)) != original.guid:
                        fields[name] = b"G%s " % original.guid
            entries = target.uidlist.append(
                map(identity, paths), fields, directory=target.directory + b"/cur"
            )
        except (OSError, MessageGone, OverQuota, StoreUnavailable, _Moved):
            undo(target, paths)
            raise
    new_uids = [Uid(entry.uid) for entry in entries]
    surplus = {uid: target.keywords.surplus_of(bits) for uid, bits in zip(new_uids, masks, strict=True)}
    add_messages(target, new_uids, paths, surplus, foreign=foreign)
    if target.quota is not None:
        target.quota.came(quota_sizes)
    return [(Uid(before), after) for before, after in zip(uids, new_uids, strict=True)]


def stored_size(folder: FolderFiles, uid: int) -> Size | None:
    """Octets of a message, by its name or, where that does not tell, by its file; None if it has gone."""
    path = folder.path_of(uid)
    try:
        return None if path is None else _file_size(path, lambda: folder.read(uid)[0])
    except MessageGone:
        return None


def _file_size(path: bytes, read: Callable[[], bytes | LargeContent]) -> Size:
    stored, with_crlf = sizes(base(os.path.basename(path)))
    if stored is None or with_crlf is None:
        content = read()
        if not isinstance(content, bytes):
            plain = len(content) - content.count(b"\n") if stored is None else stored
            return Size(plain, len(content) if with_crlf is None else with_crlf)
        stored = len(content) if stored is None else stored
        with_crlf = crlf_size(content) if with_crlf is None else with_crlf
    return Size(stored, with_crlf)


def all_sizes(folder: FolderFiles) -> list[Size]:
    """Those of all messages of a folder that is about to be deleted."""
    folder.sync(move_new=False)
    found = [stored_size(folder, uid) for uid in folder.uids]
    return [size for size in found if size is not None]


class _Original(msgspec.Struct, frozen=True, array_like=True):
    """A message to be copied."""

    path: bytes
    flags: int
    keywords: tuple[bytes, ...]
    guid: bytes


def _originals(source: FolderFiles, uids: Sequence[int], keeping: KeptFlags) -> list[_Original]:
    """Raises MessageGone if one is not known any more."""
    found: list[_Original] = []
    names_of: dict[int, tuple[bytes, ...]] = {0: ()}
    row = -1
    for uid in uids:
        row = source.row_after(row, uid)
        if row < 0:
            raise MessageGone(str(uid))
        path = source.paths[row]
        flags, bits = source.meaning(uid, path)
        if not keeping.keywords:
            bits = 0
        if bits not in names_of:
            names = enumerate(source.keywords.names)
            names_of[bits] = tuple(name for bit, name in names if bits >> bit & 1)
        found.append(_Original(path, flags & keeping.flags, names_of[bits], source.guid_of(uid, path)))
    return found


# --- inside -----------------------------------------------------------------------------------------


class _OpenFolder:
    """A folder many of whose files get other names, are copied or go: its directory is looked up once for all."""

    def __init__(self, folder: FolderFiles) -> None:
        self._folder = folder
        self._directory = -1

    def __enter__(self) -> "_OpenFolder":
        files = self._folder.files
        self._directory = files.open(self._folder.directory, os.O_PATH | os.O_DIRECTORY)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._folder.files.close(self._directory)

    def rename(self, row: int, uid: int, change: "_LetterChange") -> "_Changed | None":
        """Give the file of that row of the table the name that tells its changed flags.

        None if they are as they are to be, if others were expected, or if the message is gone.
        """
        folder = self._folder
        for _ in range(2):
            old = folder.paths[row]
            identity, text = split(old)
            changed = change.of(uid, text)
            if changed is None:
                return None
            new = b"%b:2,%b" % (identity, changed.text)
            if not old.startswith(CUR):
                new = CUR + new[len(CUR) :]
            if new == old:
                return changed  # only keywords beyond the letters changed
            try:
                folder.files.rename_in(self._directory, old, new)
            except FileNotFoundError:
                folder.rescan()  # what another program has made of the flags is changed, not undone
                row = folder.row(uid)
                if row < 0:
                    return None
                continue
            folder.place(row, new)
            return changed
        return None

    def unlink(self, row: int, uid: int) -> bool:
        """Remove the file of that row of the table; False if the message is gone."""
        folder = self._folder
        for _ in range(2):
            try:
                folder.files.unlink_in(self._directory, folder.paths[row])
            except FileNotFoundError:
                folder.rescan()
                row = folder.row(uid)
                if row < 0:
                    return False
                continue
            return True
        return False

    def copy(
        self, original: _Original, opened_target: "_OpenFolder", letters: bytes, taken: Container[bytes]
    ) -> bytes:
        """Link or copy one file into the target's cur/; its path there."""
        target = opened_target._folder
        name = identity(original.path)
        if name in taken:  # the name is taken there: a new one, with the old as GUID
            _, comma, sizes = name.partition(b",")
            name = target.new_names.take() + comma + sizes
        new = b"%s%s:2,%s" % (CUR, name, letters)
        try:
            target.files.link_in(self._directory, original.path, opened_target._directory, new)
        except FileNotFoundError as error:
            raise _Moved from error
        except OSError as error:
            if error.errno not in {errno.EXDEV, errno.EMLINK, errno.EPERM}:
                raise
            path = self._folder.directory + b"/" + original.path
            return _copy_content(self._folder, path, target, letters)
        return new


class _Changed(msgspec.Struct, frozen=True, array_like=True):
    """What becomes of a message by a change of flags."""

    flags: int
    keywords: int
    text: bytes
    """The flags as its file's name holds them."""
    surplus: int | None
    """Keyword bits that no file name holds, if they have changed."""


class _LetterChange:
    """What a change makes of the flags of file names: thought out once for all messages that have the same.

    `flags`, `keywords`: the change's, as bits.
    """

    def __init__(self, folder: FolderFiles, change: FlagChange, flags: int, keywords: int) -> None:
        self._folder = folder
        self._change = change
        self._flags, self._keywords = flags, keywords
        self._known: dict[tuple[bytes, int], _Changed | None] = {}

    def of(self, uid: int, text: bytes) -> _Changed | None:
        """Of a message whose file's name has these flags; None if nothing is to be changed."""
        surplus, expected = self._folder.keywords.surplus, self._change.expected
        bits = surplus.get(uid, 0) if surplus else 0
        if expected is not None and expected.get(uid) != self._folder.meaning_of(text, bits):
            return None
        key = text, bits
        if key not in self._known:
            self._known[key] = self._changed(text, bits)
        return self._known[key]

    def _changed(self, text: bytes, bits: int) -> _Changed | None:
        keywords = self._folder.keywords
        before = self._folder.meaning_of(text, bits)
        after = self._change.applied(before, self._flags, self._keywords)
        if after == before:
            return None
        is_surplus_other = keywords.surplus_of(before[1] ^ after[1]) != 0
        return _Changed(
            after[0],
            after[1],
            change_letters(text, after[0], keywords.to_letters(after[1])),
            keywords.surplus_of(after[1]) if is_surplus_other else None,
        )


def copy_blocks(path: bytes, copy_path: bytes, source: FileSystem, target: FileSystem) -> int:
    """Copy a file as it is, fsynced; its mtime in nanoseconds."""
    descriptor = source.open(path, os.O_RDONLY)
    try:
        copied = target.open(copy_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            while block := source.read(descriptor, BLOCK):
                target.write_all(copied, [block])
            target.fsync(copied)
        finally:
            target.close(copied)
        return source.fstat(descriptor).st_mtime_ns
    finally:
        source.close(descriptor)


def _copy_content(source: FolderFiles, path: bytes, target: FolderFiles, letters: bytes) -> bytes:
    """Another file system, or too many links."""
    temporary = b"%b/tmp/%b" % (target.directory, target.new_names.take())
    try:
        size = _file_size(path, lambda: message_at(source.files, path)[0])
        modified = copy_blocks(path, temporary, source.files, target.files)
    except FileNotFoundError as error:
        raise _Moved from error
    written = Written(temporary, size.stored, size.with_crlf)
    delivery = Delivery(os.fsdecode(target.directory), (), letters, modified / 1e9, written=written)
    [result] = deliver_batch([delivery], files=target.files, names=target.new_names)
    if not isinstance(result, Stored):
        raise for_client(result)
    return CUR + result.name
