"""A file system in memory that forgets, at a crash, what was not fsynced.

DESCRIPTION
    `CrashFileSystem` is a `FileSystem` (files/file_system.py) for tests.  Each file has the content that
    programs see and the content that has reached the disk; each directory has the names that programs see
    and those on the disk.  `fsync` brings a file's content, `sync_directory` a directory's names to the disk.

    Every call that changes something is a *step*.  `stop_at=n` raises `Stopped` instead of the n-th step
    (from 0) and of all after it: the process is dead.  Then `crash(...)` gives the file system as it is
    found after the restart:

        Survives.SYNCED   only what was fsynced: the disk lost everything else
        Survives.NAMES    all names, but only fsynced content: journals write names early, data late
        Survives.CONTENT  all content, but only fsynced names: a file written over in place
        Survives.ALL      everything: only the process died

    A promise ("after 250, the message is there") must hold in all four, for every n.  `fail` injects
    errors: it is asked with (operation, path) before each step and may return an errno.

    With an `order`, `write_out` brings content to where no name that is made after it survives without it, and
    `fsync` of that file brings its names to the disk as well; `sync_directory` brings the content, too, if the order
    is by directory (files/write_order.py).

    Times are a counter, so that tests do not depend on the clock: each change gets a later mtime.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import AnyStr

from fakes.crash_survivors import Directory, File, Node, Survives, survivor_directory
from pillarbox.files.write_order import NOT_WRITTEN, Order, WrittenOut

SMALLEST_TORN = 32
"""Bytes of a write that may be cut in two; a process id in a lock file is written at once."""

Fail = Callable[[str, str], int | None]


class Stopped(BaseException):
    """The process was killed here.  No `except OSError` and no `except Exception` catches it."""


class _Descriptor:
    def __init__(self, node: Node, *, append: bool) -> None:
        self.node = node
        self.offset = 0
        self.append = append


class CrashFileSystem:
    """`FileSystem` in memory; see the module's description."""

    def __init__(
        self,
        *,
        stop_at: int | None = None,
        fail: Fail | None = None,
        time_ns: int = 10**18,
        order: Order = Order.NONE,
    ) -> None:
        self.steps: list[tuple[str, str]] = []
        """What was done, (operation, path), in order."""
        self.calls: list[tuple[str, str]] = []
        """Reading calls as well: what the "100 NOOPs list no directory" test counts."""
        self.stop_at = stop_at
        self.fail = fail
        self.order = order
        self._time_ns = time_ns
        self._numbers = 1
        self._descriptors: dict[int, _Descriptor] = {}
        self._root = Directory(1, 0o755)

    def crash(self, survives: Survives) -> "CrashFileSystem":
        """The file system that is found after the restart."""
        after = CrashFileSystem(time_ns=self._time_ns + 10**9, order=self.order)
        after._numbers = self._numbers
        seen: dict[int, Node] = {}
        after._root = survivor_directory(self._root, survives, seen)
        return after

    def make_directories(self, path: str) -> None:
        """A durable directory with its parents, for setting up a test; no step."""
        node: Node = self._root
        for name in _names(path):
            assert isinstance(node, Directory)
            if name not in node.names:
                node.names[name] = self._new_directory(0o700)
            node.on_disk[name] = node.names[name]
            node = node.names[name]

    def make_file(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        """A durable file, for setting up a test; no step."""
        parent, name = self._parent(path)
        file = self._new_file(mode)
        file.content[:] = content
        file.on_disk = content
        parent.names[name] = parent.on_disk[name] = file
        self._touch(parent)

    def files(self) -> dict[str, bytes]:
        """Every file that programs see: path → content."""
        return {path: bytes(node.content) for path, node in self._walk() if isinstance(node, File)}

    def directories(self) -> list[str]:
        """Every directory, in path order."""
        return sorted(path for path, node in self._walk() if isinstance(node, Directory))

    # --- FileSystem ---------------------------------------------------------------------------------

    def open(self, path: AnyStr, flags: int, mode: int = 0o600) -> int:
        """open(2): creating or truncating is a step."""
        where = _text(path)
        parent, name = self._parent(where)
        node: Node | None = parent.names.get(name) if name else self._root
        if node is None:
            if not flags & os.O_CREAT:
                raise _error(errno.ENOENT, where)
            self._step("create", where)
            node = self._new_file(mode)
            parent.names[name] = node
            self._touch(parent)
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            raise _error(errno.EEXIST, where)
        elif isinstance(node, Directory) and flags & (os.O_WRONLY | os.O_RDWR):
            raise _error(errno.EISDIR, where)
        elif isinstance(node, File) and flags & os.O_TRUNC:
            self._step("truncate", where)
            del node.content[:]
            node.change()
            self._touch(node)
        else:
            self.calls.append(("open", where))
        if flags & os.O_DIRECTORY and not isinstance(node, Directory):
            raise _error(errno.ENOTDIR, where)
        fd = 1000 + len(self._descriptors)
        while fd in self._descriptors:
            fd += 1
        self._descriptors[fd] = _Descriptor(node, append=bool(flags & os.O_APPEND))
        return fd

    def close(self, fd: int) -> None:
        """close(2)."""
        self._alive()
        del self._descriptors[fd]

    def read(self, fd: int, size: int) -> bytes:
        """read(2)."""
        descriptor = self._descriptors[fd]
        data = self.pread(fd, size, descriptor.offset)
        descriptor.offset += len(data)
        return data

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """pread(2)."""
        self._alive()
        return bytes(self._file(fd).content[offset : offset + size])

    def write_all(self, fd: int, chunks: Sequence[bytes]) -> int:
        """writev(2).  If the process is stopped here, the first half may have been written."""
        descriptor = self._descriptors[fd]
        file = self._file(fd)
        data = b"".join(chunks)
        offset = len(file.content) if descriptor.append else descriptor.offset
        self._write(file, data, offset)
        descriptor.offset = offset + len(data)
        return len(data)

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        """pwrite(2)."""
        self._write(self._file(fd), data, offset)
        return len(data)

    def append(self, fd: int, data: bytes) -> None:
        """pwritev2(2)."""
        file = self._file(fd)
        self._write(file, data, len(file.content))

    def truncate(self, fd: int, length: int) -> None:
        """ftruncate(2)."""
        file = self._file(fd)
        self._step("truncate", self._path_of(file))
        if length <= len(file.content):
            del file.content[length:]
        else:
            file.content.extend(bytes(length - len(file.content)))
        file.change()
        self._touch(file)

    def fsync(self, fd: int) -> None:
        """fsync(2): content reaches the disk."""
        node = self._descriptors[fd].node
        if isinstance(node, File):
            self._step("fsync", self._path_of(node))
            node.on_disk = bytes(node.content)
            if node.written_out is not None:
                self._sync_names(node)
        else:
            self._step("sync_directory", self._path_of(node))
            self._names_to_disk(node)

    def fsync_all(self, fds: Sequence[int]) -> list[OSError | None]:
        """fsync(2) of several, one after the other; each is a step."""
        results: list[OSError | None] = []
        for fd in fds:
            try:
                self.fsync(fd)
                results.append(None)
            except OSError as error:
                results.append(error)
        return results

    def fdatasync(self, fd: int) -> None:
        """fdatasync(2)."""
        self.fsync(fd)

    def sync_directory(self, path: AnyStr) -> None:
        """fsync(2) of a directory: its names reach the disk."""
        where = _text(path)
        directory = self._directory(where)
        self._step("sync_directory", where)
        self._names_to_disk(directory)

    def sync_file_system(self, fd: int) -> None:
        """syncfs(2): one step."""
        self._step("sync_file_system", self._path_of(self._descriptors[fd].node))
        self._root.on_disk = dict(self._root.names)
        for _, node in self._walk():
            if isinstance(node, Directory):
                node.on_disk = dict(node.names)
            else:
                node.on_disk = bytes(node.content)

    def write_out(self, fds: Sequence[int], known: Order | None = None) -> WrittenOut:
        """sync_file_range(2) of several, one after the other; each is a step."""
        if self.order is Order.NONE:
            return NOT_WRITTEN
        return WrittenOut(self.order, self.finish_write_out(fds))

    def begin_write_out(self, fd: int, known: Order | None = None) -> Order:
        """Promises nothing: of what is not waited for the disk may have nothing."""
        self._alive()
        assert fd in self._descriptors
        return self.order

    def finish_write_out(self, fds: Sequence[int]) -> list[OSError | None]:
        """See `write_out`."""
        errors: list[OSError | None] = []
        for file in map(self._file, fds):
            try:
                self._step("write_out", self._path_of(file))
                file.written_out = bytes(file.content)
                errors.append(None)
            except OSError as error:
                errors.append(error)
        return errors

    def flock(self, fd: int, operation: int) -> None:
        """flock(2): there is only one process in the model."""
        self._alive()
        assert fd in self._descriptors

    def rename(self, old: AnyStr, new: AnyStr) -> None:
        """rename(2)."""
        source, target = _text(old), _text(new)
        old_parent, old_name = self._parent(source)
        new_parent, new_name = self._parent(target)
        node = self._node(source)
        there = new_parent.names.get(new_name)
        if isinstance(there, Directory):
            if not isinstance(node, Directory):
                raise _error(errno.EISDIR, target)
            if there.names:
                raise _error(errno.ENOTEMPTY, target)
        self._step("rename", target)
        if there is not node:
            new_parent.names[new_name] = node
            del old_parent.names[old_name]
            if isinstance(node, File):
                node.named = node.written_out
        self._touch(old_parent)
        self._touch(new_parent)

    def rename_in(self, directory: int, old: AnyStr, new: AnyStr) -> None:
        """renameat(2)."""
        where = self._path_of(self._descriptors[directory].node)
        self.rename(f"{where}/{_text(old)}", f"{where}/{_text(new)}")

    def unlink_in(self, directory: int, path: AnyStr) -> None:
        """unlinkat(2)."""
        where = self._path_of(self._descriptors[directory].node)
        self.unlink(f"{where}/{_text(path)}")

    def link(self, old: AnyStr, new: AnyStr) -> None:
        """link(2)."""
        node = self._node(_text(old))
        parent, name = self._parent(_text(new))
        if name in parent.names:
            raise _error(errno.EEXIST, _text(new))
        self._step("link", _text(new))
        parent.names[name] = node
        self._touch(parent)

    def link_in(self, old_directory: int, old: AnyStr, new_directory: int, new: AnyStr) -> None:
        """linkat(2)."""
        before, after = (
            self._path_of(self._descriptors[directory].node) for directory in (old_directory, new_directory)
        )
        self.link(f"{before}/{_text(old)}", f"{after}/{_text(new)}")

    def unlink(self, path: AnyStr) -> None:
        """unlink(2)."""
        where = _text(path)
        if isinstance(self._node(where), Directory):
            raise _error(errno.EISDIR, where)
        self._step("unlink", where)
        parent, name = self._parent(where)
        del parent.names[name]
        self._touch(parent)

    def mkdir(self, path: AnyStr, mode: int = 0o700) -> None:
        """mkdir(2)."""
        where = _text(path)
        parent, name = self._parent(where)
        if name in parent.names:
            raise _error(errno.EEXIST, where)
        self._step("mkdir", where)
        parent.names[name] = self._new_directory(mode)
        self._touch(parent)

    def rmdir(self, path: AnyStr) -> None:
        """rmdir(2)."""
        where = _text(path)
        if self._directory(where).names:
            raise _error(errno.ENOTEMPTY, where)
        self._step("rmdir", where)
        parent, name = self._parent(where)
        del parent.names[name]
        self._touch(parent)

    def chmod(self, path: AnyStr, mode: int) -> None:
        """chmod(2)."""
        node = self._node(_text(path))
        self._step("chmod", _text(path))
        node.mode = stat.S_IFMT(node.mode) | mode

    def utime(self, path: AnyStr, *, modified_ns: int) -> None:
        """utimensat(2)."""
        node = self._node(_text(path))
        self._step("utime", _text(path))
        node.modified_ns = modified_ns

    def listdir(self, path: AnyStr) -> list[AnyStr]:
        """Names in a directory."""
        where = _text(path)
        self.calls.append(("listdir", where))
        names = list(self._directory(where).names)
        if isinstance(path, bytes):
            return [os.fsencode(name) for name in names]
        return names

    def names(self, path: AnyStr) -> Iterator[AnyStr]:
        """Names in a directory, one after the other."""
        return iter(self.listdir(path))

    def names_lazily(self, path: AnyStr) -> Iterator[AnyStr]:
        """Names in a directory, while it is open."""
        return iter(self.listdir(path))

    def stat(self, path: AnyStr) -> os.stat_result:
        """stat(2)."""
        where = _text(path)
        self.calls.append(("stat", where))
        return self._status(self._node(where))

    def fstat(self, fd: int) -> os.stat_result:
        """fstat(2)."""
        self._alive()
        return self._status(self._descriptors[fd].node)

    def read_file(self, path: AnyStr) -> bytes:
        """The whole content of a file."""
        where = _text(path)
        self.calls.append(("read_file", where))
        node = self._node(where)
        if isinstance(node, Directory):
            raise _error(errno.EISDIR, where)
        return bytes(node.content)

    def read_at_once(self, path: AnyStr, limit: int) -> bytes | None:
        """The same, as if it were in memory."""
        content = self.read_file(path)
        return content if len(content) <= limit else None

    # --- inside -------------------------------------------------------------------------------------

    def _alive(self) -> None:
        if self.stop_at is not None and len(self.steps) >= self.stop_at:
            raise Stopped

    def _step(self, operation: str, path: str) -> None:
        self._alive()
        if self.fail is not None and (number := self.fail(operation, path)):
            raise _error(number, path)
        self.steps.append((operation, path))

    def _write(self, file: File, data: bytes, offset: int) -> None:
        try:
            self._step("write", self._path_of(file))
        except Stopped:
            # Killed in the middle of this very call: a torn write, unless it is too small to be torn.
            if self.stop_at == len(self.steps) and len(data) >= SMALLEST_TORN:
                self.stop_at = -1
                self._put(file, data[: len(data) // 2], offset)
            raise
        self._put(file, data, offset)

    def _put(self, file: File, data: bytes, offset: int) -> None:
        if offset > len(file.content):
            file.content.extend(bytes(offset - len(file.content)))
        file.content[offset : offset + len(data)] = data
        file.change()
        self._touch(file)

    def _names_to_disk(self, directory: Directory) -> None:
        directory.on_disk = dict(directory.names)
        for node in directory.names.values():
            if self.order is Order.BY_DIRECTORY and isinstance(node, File) and node.named is not None:
                node.on_disk = node.named

    def _sync_names(self, file: File) -> None:
        """The names of one file reach the disk, and those that it had do not stay there."""
        for directory in (self._root, *(node for _, node in self._walk() if isinstance(node, Directory))):
            for name in {*directory.names, *directory.on_disk}:
                if directory.names.get(name) is file:
                    directory.on_disk[name] = file
                elif directory.on_disk.get(name) is file:
                    del directory.on_disk[name]

    def _file(self, fd: int) -> File:
        node = self._descriptors[fd].node
        if isinstance(node, Directory):
            raise _error(errno.EISDIR, str(fd))
        return node

    def _new_file(self, mode: int) -> File:
        self._numbers += 1
        file = File(self._numbers, mode)
        self._touch(file)
        return file

    def _new_directory(self, mode: int) -> Directory:
        self._numbers += 1
        directory = Directory(self._numbers, mode)
        self._touch(directory)
        return directory

    def _touch(self, node: Node) -> None:
        self._time_ns += 1_000_000
        node.modified_ns = self._time_ns

    def _node(self, path: str) -> Node:
        self._alive()
        node: Node = self._root
        for name in _names(path):
            if not isinstance(node, Directory):
                raise _error(errno.ENOTDIR, path)
            child = node.names.get(name)
            if child is None:
                raise _error(errno.ENOENT, path)
            node = child
        return node

    def _directory(self, path: str) -> Directory:
        node = self._node(path)
        if isinstance(node, File):
            raise _error(errno.ENOTDIR, path)
        return node

    def _parent(self, path: str) -> tuple[Directory, str]:
        names = _names(path)
        if not names:
            return self._root, ""
        return self._directory("/".join(names[:-1])), names[-1]

    def _walk(self) -> Iterator[tuple[str, Node]]:
        waiting: list[tuple[str, Directory]] = [("", self._root)]
        while waiting:
            path, directory = waiting.pop()
            for name, node in directory.names.items():
                where = f"{path}/{name}"
                yield where, node
                if isinstance(node, Directory):
                    waiting.append((where, node))

    def _path_of(self, wanted: Node) -> str:
        return next((path for path, node in self._walk() if node is wanted), "(unlinked)")

    def _status(self, node: Node) -> os.stat_result:
        size = len(node.content) if isinstance(node, File) else 4096
        seconds = node.modified_ns / 1e9
        whole = node.modified_ns // 10**9
        fields = (node.mode, node.number, 1, node.links, os.getuid(), os.getgid(), size, whole, whole, whole)
        times = {"st_atime": seconds, "st_mtime": seconds, "st_ctime": seconds}
        return os.stat_result(
            fields,
            {
                **times,
                "st_atime_ns": node.modified_ns,
                "st_mtime_ns": node.modified_ns,
                "st_ctime_ns": node.modified_ns,
            },
        )


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in {"", "."}]


def _text(path: str | bytes) -> str:
    return os.fsdecode(path)


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
