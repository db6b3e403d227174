"""Replace a configuration file by an edited copy, so that readers see the old file or the new one.

DESCRIPTION
    The copy is written to `FILE.tmp` in the same directory, synced, given mode and owner of the original and
    renamed over it; then the directory is synced.  `FILE.tmp` is locked meanwhile: a second editor waits, and
    then works on what the first one left.  A symbolic link is kept, and its target replaced.

FAULTS
    OSError     the file cannot be read or the copy not be written; the file is as it was.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pillarbox.config.logical_lines import read_text


def edit_file(path: str, edit: Callable[[str], str]) -> None:
    """Give the content of `path` to `edit`, and put what it returns in its place."""
    path = os.path.realpath(path)
    temporary = f"{path}.tmp"
    with _locked(temporary) as descriptor:
        try:
            status = os.stat(path)
            content = edit(read_text(path)).encode("utf-8", errors="surrogateescape")
            os.ftruncate(descriptor, 0)
            _write_all(descriptor, content)
            os.fchmod(descriptor, status.st_mode & 0o7777)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fsync(descriptor)
            os.rename(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_directory(os.path.dirname(path))


@contextmanager
def _locked(path: str) -> Iterator[int]:
    """An exclusive lock on the file at `path`, made if need be."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Whoever held the lock has renamed the file away: this descriptor is then the live file.
            if _is_at(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_directory(path: str) -> None:
    descriptor = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
