"""The calls by which mail is written to disk, as a parameter.

DESCRIPTION
    Whatever must survive a crash (queue files, Maildirs, uidlists) is written through a `FileSystem`.
    The real one is `DiskFileSystem`: each method is one system call (`write_all` and `read_file` a few).
    Tests pass `tests/fakes/crash_file_system.py`, a model that forgets what was not fsynced and can be
    stopped before its n-th step.

    Paths are `str` or `bytes`, never mixed within one call; `listdir` gives names of the type it got.
    All calls block: they belong in worker threads and child processes, never on the event loop.

    What few commands want and takes long to load (ctypes, threading) is imported by the calls; all roles have it.

FAULTS
    OSError  as the kernel gives it; callers turn ENOSPC, EDQUOT, EACCES into their own words.

STANDARDS
    POSIX.1-2017 open, rename, link, fsync; Linux fsync(2): a new name needs an fsync of its directory, unless
    `write_out()` has said otherwise.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, AnyStr, Final, Protocol

if TYPE_CHECKING:
    from pillarbox.files.write_order import Order, WrittenOut

MAX_VECTOR: Final = 1024
"""IOV_MAX: buffers that one writev(2) takes."""


class FileSystem(Protocol):
    """Blocking file operations, one system call each."""

    def open(self, path: AnyStr, flags: int, mode: int = 0o600) -> int:
        """open(2), close-on-exec; the descriptor."""
        ...

    def close(self, fd: int) -> None:
        """close(2)."""
        ...

    def read(self, fd: int, size: int) -> bytes:
        """read(2)."""
        ...

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """pread(2)."""
        ...

    def write_all(self, fd: int, chunks: Sequence[bytes]) -> int:
        """writev(2) until everything is written; the number of bytes."""
        ...

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        """pwrite(2)."""
        ...

    def append(self, fd: int, data: bytes) -> None:
        """pwritev2(2) with RWF_APPEND: where the file ends now, whoever else appends."""
        ...

    def truncate(self, fd: int, length: int) -> None:
        """ftruncate(2)."""
        ...

    def fsync(self, fd: int) -> None:
        """fsync(2): content and size of the file survive a crash from here on, its name does not yet."""
        ...

    def fsync_all(self, fds: Sequence[int]) -> list[OSError | None]:
        """fsync(2) of several, at the same time; a result for each."""
        ...

    def fdatasync(self, fd: int) -> None:
        """fdatasync(2): as fsync, without times."""
        ...

    def sync_directory(self, path: AnyStr) -> None:
        """fsync(2) of a directory: the names in it survive a crash from here on."""
        ...

    def sync_file_system(self, fd: int) -> None:
        """syncfs(2): whatever was done in the file system of `fd` survives a crash from here on."""
        ...

    def begin_write_out(self, fd: int, known: "Order | None" = None) -> "Order":
        """Begin `write_out()` of a file, and do not wait; what it will promise when it is finished.

        `known` is what this has said of another file of the same directory.
        """
        ...

    def finish_write_out(self, fds: Sequence[int]) -> list[OSError | None]:
        """Wait for what was begun; a result for each."""
        ...

    def write_out(self, fds: Sequence[int], known: "Order | None" = None) -> "WrittenOut":
        """Whether a rename from here on never survives without the file's content, and what makes it survive
        (write_order.py); `known` is as for `begin_write_out()`."""
        ...

    def flock(self, fd: int, operation: int) -> None:
        """flock(2) with fcntl.LOCK_* bits; BlockingIOError with LOCK_NB when another holds it."""
        ...

    def rename(self, old: AnyStr, new: AnyStr) -> None:
        """rename(2)."""
        ...

    def rename_in(self, directory: int, old: AnyStr, new: AnyStr) -> None:
        """renameat(2) of paths below an open directory."""
        ...

    def link(self, old: AnyStr, new: AnyStr) -> None:
        """link(2)."""
        ...

    def link_in(self, old_directory: int, old: AnyStr, new_directory: int, new: AnyStr) -> None:
        """linkat(2) of paths below open directories."""
        ...

    def unlink(self, path: AnyStr) -> None:
        """unlink(2)."""
        ...

    def unlink_in(self, directory: int, path: AnyStr) -> None:
        """unlinkat(2) of a path below an open directory."""
        ...

    def mkdir(self, path: AnyStr, mode: int = 0o700) -> None:
        """mkdir(2)."""
        ...

    def rmdir(self, path: AnyStr) -> None:
        """rmdir(2)."""
        ...

    def chmod(self, path: AnyStr, mode: int) -> None:
        """chmod(2)."""
        ...

    def utime(self, path: AnyStr, *, modified_ns: int) -> None:
        """utimensat(2): set access and modification time."""
        ...

    def listdir(self, path: AnyStr) -> list[AnyStr]:
        """Names in a directory, in no order, without `.` and `..`."""
        ...

    def names(self, path: AnyStr) -> Iterator[AnyStr]:
        """As listdir, without an object for each name; the directory has been read when this returns."""
        ...

    def names_lazily(self, path: AnyStr) -> Iterator[AnyStr]:
        """As listdir; the directory is open when this returns, and read while names are taken."""
        ...

    def stat(self, path: AnyStr) -> os.stat_result:
        """stat(2)."""
        ...

    def fstat(self, fd: int) -> os.stat_result:
        """fstat(2)."""
        ...

    def read_file(self, path: AnyStr) -> bytes:
        """The whole content of a file."""
        ...

    def read_at_once(self, path: AnyStr, limit: int) -> bytes | None:
        """The same if it has at most `limit` octets and all of them are in memory; None if not."""
        ...


class DiskFileSystem:
    """`FileSystem` by the operating system."""

    __slots__ = ()

    def open(self, path: AnyStr, flags: int, mode: int = 0o600) -> int:
        """open(2), close-on-exec; the descriptor."""
        return os.open(path, flags | os.O_CLOEXEC, mode)

    def close(self, fd: int) -> None:
        """close(2)."""
        os.close(fd)

    def read(self, fd: int, size: int) -> bytes:
        """read(2)."""
        return os.read(fd, size)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """pread(2)."""
        return os.pread(fd, size, offset)

    def write_all(self, fd: int, chunks: Sequence[bytes]) -> int:
        """writev(2) until everything is written; the number of bytes."""
        total = 0
        for start in range(0, len(chunks), MAX_VECTOR):
            part = chunks[start : start + MAX_VECTOR]
            wanted = sum(map(len, part))
            written = os.writev(fd, part)
            if written < wanted:  # a signal, or more than 2 GiB at once
                rest = memoryview(b"".join(part))
                while written < wanted:
                    written += os.write(fd, rest[written:])
            total += wanted
        return total

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        """pwrite(2)."""
        return os.pwrite(fd, data, offset)

    def append(self, fd: int, data: bytes) -> None:
        """pwritev2(2)."""
        os.pwritev(fd, (data,), 0, os.RWF_APPEND)

    def truncate(self, fd: int, length: int) -> None:
        """ftruncate(2)."""
        os.ftruncate(fd, length)

    def fsync(self, fd: int) -> None:
        """fsync(2)."""
        os.fsync(fd)

    def fsync_all(self, fds: Sequence[int]) -> list[OSError | None]:
        """fsync(2) of several."""
        from pillarbox.files.waiting_fsyncs import WAITING_FSYNCS

        return WAITING_FSYNCS.sync(fds)

    def fdatasync(self, fd: int) -> None:
        """fdatasync(2)."""
        os.fdatasync(fd)

    def sync_directory(self, path: AnyStr) -> None:
        """fsync(2) of a directory."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync_file_system(self, fd: int) -> None:
        """syncfs(2), or sync(2)."""
        _write_order().sync_file_system(fd)

    def begin_write_out(self, fd: int, known: "Order | None" = None) -> "Order":
        """sync_file_range(2) that does not wait, where that is of use."""
        order: Order = _write_order().begin_write_out(fd, known)
        return order

    def finish_write_out(self, fds: Sequence[int]) -> list[OSError | None]:
        """sync_file_range(2)."""
        results: list[OSError | None] = _write_order().finish_write_out(fds)
        return results

    def write_out(self, fds: Sequence[int], known: "Order | None" = None) -> "WrittenOut":
        """sync_file_range(2), where that is of use."""
        done: WrittenOut = _write_order().write_out(fds, known)
        return done

    def flock(self, fd: int, operation: int) -> None:
        """flock(2)."""
        fcntl.flock(fd, operation)

    def rename(self, old: AnyStr, new: AnyStr) -> None:
        """rename(2)."""
        os.rename(old, new)

    def rename_in(self, directory: int, old: AnyStr, new: AnyStr) -> None:
        """renameat(2)."""
        os.rename(old, new, src_dir_fd=directory, dst_dir_fd=directory)

    def link(self, old: AnyStr, new: AnyStr) -> None:
        """link(2)."""
        os.link(old, new)

    def link_in(self, old_directory: int, old: AnyStr, new_directory: int, new: AnyStr) -> None:
        """linkat(2)."""
        os.link(old, new, src_dir_fd=old_directory, dst_dir_fd=new_directory)

    def unlink(self, path: AnyStr) -> None:
        """unlink(2)."""
        os.unlink(path)

    def unlink_in(self, directory: int, path: AnyStr) -> None:
        """unlinkat(2)."""
        os.unlink(path, dir_fd=directory)

    def mkdir(self, path: AnyStr, mode: int = 0o700) -> None:
        """mkdir(2)."""
        os.mkdir(path, mode)

    def rmdir(self, path: AnyStr) -> None:
        """rmdir(2)."""
        os.rmdir(path)

    def chmod(self, path: AnyStr, mode: int) -> None:
        """chmod(2)."""
        os.chmod(path, mode)

    def utime(self, path: AnyStr, *, modified_ns: int) -> None:
        """utimensat(2): set access and modification time."""
        os.utime(path, ns=(modified_ns, modified_ns))

    def listdir(self, path: AnyStr) -> list[AnyStr]:
        """Names in a directory."""
        return os.listdir(path)

    def names(self, path: AnyStr) -> Iterator[AnyStr]:
        """Names in a directory, one after the other."""
        joined = bytearray()
        with os.scandir(os.fsencode(path)) as entries:
            for entry in entries:
                joined += entry.name
                joined += b"/"
        names = _split(joined)
        if isinstance(path, str):
            return map(os.fsdecode, names)
        return names

    def names_lazily(self, path: AnyStr) -> Iterator[AnyStr]:
        """Names in a directory, while it is open."""
        return _lazily(os.scandir(path))

    def stat(self, path: AnyStr) -> os.stat_result:
        """stat(2)."""
        return os.stat(path)

    def fstat(self, fd: int) -> os.stat_result:
        """fstat(2)."""
        return os.fstat(fd)

    def read_file(self, path: AnyStr) -> bytes:
        """The whole content of a file."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            content = os.read(fd, size + 1)
            if len(content) != size:  # it grew, or read(2) was cut short
                parts = [content]
                while part := os.read(fd, 1 << 20):
                    parts.append(part)
                content = b"".join(parts)
            return content
        finally:
            os.close(fd)

    def read_at_once(self, path: AnyStr, limit: int) -> bytes | None:
        """preadv(2) with RWF_NOWAIT; None where the file system has no such thing, too."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # lseek(2) gives one number, fstat(2) an object of twenty: 1.5 µs of 11.
            size = os.lseek(fd, 0, os.SEEK_END)
            if size > limit:
                return None
            content = bytearray(size + 1)
            read = os.preadv(fd, [content], 0, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
                return None
            raise
        finally:
            os.close(fd)
        return bytes(content[:size]) if read == size else None


@cache
def _write_order() -> ModuleType:
    """write_order.py, looked for once: an import within a call takes longer than the call."""
    from pillarbox.files import write_order

    return write_order


def _lazily(entries: "contextlib.AbstractContextManager[Iterator[os.DirEntry[AnyStr]]]") -> Iterator[AnyStr]:
    with entries as opened:
        for entry in opened:
            yield entry.name


def _split(joined: bytearray) -> Iterator[bytes]:
    """What stands before each slash."""
    at = 0
    while (end := joined.find(b"/", at)) >= 0:
        yield bytes(joined[at:end])
        at = end + 1


DISK: Final = DiskFileSystem()
"""The operating system's file system."""
