"""Database files, written: a new one beside the old one, then under its name.

DESCRIPTION
    `written()` gives a writer for a copy of the database, or for an empty one; when the block ends without a
    fault the copy is on disk, with the old file's owner and mode, and takes its place in one step.  Readers see
    the old table or the new one, and a crash leaves one of them.  Meanwhile the old file is locked, so that a
    second writer waits and then begins with what the first one made.

    Where no file may be made in the directory, or not one with the same owner, but the old file may be written,
    its content is replaced in place under the lock, as Postfix's postmap does it.

FAULTS
    OSError       the file cannot be made or replaced
    WriteFault    a library that is missing, or its refusal (a key that is too long)

STANDARDS
    postmap(1): readers lock Berkeley DB files by flock(2), LMDB files by fcntl(2)
"""

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from pillarbox.tables.berkeley_writing import BerkeleyWriter
from pillarbox.tables.indexed_table import INDEX_KINDS
from pillarbox.tables.page_reading import DamagedDatabase, OpenFile


class DatabaseWriter(Protocol):
    """An open database file."""

    def put(self, key: bytes, value: bytes, *, replace: bool) -> bool:
        """Store a value; False if there is one for this key and it is not to be replaced."""
        ...

    def delete(self, key: bytes) -> bool:
        """Take a key away; False if there was none."""
        ...

    def close(self) -> None:
        """Write out everything."""
        ...


@contextlib.contextmanager
def written(
    kind: str, name: str, *, keep: bool, create: bool, mode: int = 0o644, size_hint: int = 0
) -> Iterator[DatabaseWriter]:
    """A writer for the database of `kind:name`, put in place at the end of the block.

    `keep` begins with the present entries, `create` with none if there is no file yet; a new file has `mode`.
    """
    path = name + INDEX_KINDS[kind].suffix
    with contextlib.ExitStack() as cleanup:
        old = _locked(kind, path, create=create)
        if old is not None:
            cleanup.callback(os.close, old)
        copy = _copy_place(path, old, cleanup)
        if keep and old is not None:
            _check(kind, old)
            shutil.copyfile(path, copy)
        writer = _WRITERS[kind](copy, size_hint)
        try:
            yield writer
        finally:
            writer.close()
        _install(copy, path, old, mode)


def _locked(kind: str, path: str, *, create: bool) -> int | None:
    """The present file, locked; None if there is none and one may be made."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            if create:
                return None
            raise
        try:
            INDEX_KINDS[kind].lock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # another writer put a new file there while we waited


def _copy_place(path: str, old: int | None, cleanup: contextlib.ExitStack) -> str:
    """An empty file beside the database if that may be made, else in a directory of its own."""
    directory, base = os.path.split(path)
    try:
        descriptor, copy = tempfile.mkstemp(prefix=f".{base}.", dir=directory or ".")
    except OSError as error:
        if old is None or error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise OSError(error.errno, error.strerror, path) from error
        place = cleanup.enter_context(tempfile.TemporaryDirectory())
        descriptor, copy = tempfile.mkstemp(dir=place)
    cleanup.callback(_remove, copy)
    os.close(descriptor)
    return copy


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _check(kind: str, descriptor: int) -> None:
    """A library that is given a damaged file may do anything."""
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    try:
        for _key, _value in INDEX_KINDS[kind].reader(OpenFile(descriptor)).items():
            pass
    except DamagedDatabase as damage:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path) from damage


def _install(copy: str, path: str, old: int | None, mode: int) -> None:
    descriptor = os.open(copy, os.O_RDWR | os.O_CLOEXEC)
    try:
        if old is None:
            os.fchmod(descriptor, mode)
        elif not _beside(copy, path) or not _same_rights(descriptor, old):
            _overwrite(old, descriptor)
            return
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(copy, path)
    directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _beside(copy: str, path: str) -> bool:
    return os.path.dirname(copy) == (os.path.dirname(path) or ".") and not os.path.islink(path)


def _same_rights(descriptor: int, old: int) -> bool:
    """Give the copy the old file's owner and mode; False if that is not allowed."""
    status = os.fstat(old)
    try:
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, status.st_uid, status.st_gid)
        os.fchmod(descriptor, status.st_mode & 0o7777)
    except PermissionError:
        return False
    return True


def _overwrite(old: int, new: int) -> None:
    os.lseek(old, 0, os.SEEK_SET)
    os.ftruncate(old, 0)
    with open(new, "rb", closefd=False) as source, open(old, "wb", closefd=False) as target:
        source.seek(0)
        shutil.copyfileobj(source, target)
    os.fsync(old)


def _lmdb_writer(path: str, size_hint: int) -> DatabaseWriter:
    """The library is loaded only where lmdb: files are written."""
    from pillarbox.tables.lmdb_writing import LmdbWriter

    return LmdbWriter(path, size_hint=size_hint)


_WRITERS: Final[dict[str, Callable[[str, int], DatabaseWriter]]] = {
    "btree": lambda path, _size: BerkeleyWriter("btree", path),
    "hash": lambda path, _size: BerkeleyWriter("hash", path),
    "lmdb": _lmdb_writer,
}
WRITABLE: Final = frozenset(_WRITERS)
"""Types of which files can be made."""
