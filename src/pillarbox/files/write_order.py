"""Content that reaches the disk before the names that lead to it, without waiting for the disk twice.

DESCRIPTION
    A file that is written under one name and then gets another needs two fsyncs by the book: one of the file before
    the rename, so that no crash leaves the new name without the content, and one of the directory after it.  Each
    is a commit of the file system's journal and a flush of the disk's cache.

    `write_out()` has the content of files written to the disk, of all of them at the same time, and waits until the
    disk has taken it; it may still be in the disk's cache.  On ext4 and XFS that is enough for the first: the
    journal's commit that holds the rename begins with a flush of that cache.  One fsync after the rename makes
    content and name survive, and `Order` says of what:

        write → write_out → rename → fsync of the file                 Order.BY_FILE
        write → write_out → rename → fsync of the file or directory    Order.BY_DIRECTORY

    fsync(2) of the file commits the rename, too, because it has changed the file's inode; Postfix relies on the
    same for all its queue files.  With a journal fsync(2) of the directory does as well: a commit holds all changes
    that were made before, and those of the file's inode were.  One is enough for all files that went there.
    ext4 without a journal writes the inode that is synced, and the directories above it, and no other.

    Other file systems promise less, or nothing is known of them: there `write_out()` does nothing and says so.

    Who has something else to do meanwhile calls `begin_write_out()` when a file is written, and
    `finish_write_out()` later, which often has nothing to wait for then.

FAULTS
    As results, one for each file: its content could not be written.

STANDARDS
    Linux sync_file_range(2), syncfs(2), fstatfs(2), fsync(2); /sys/fs/ext4/DEVICE/journal_task
"""

import ctypes
import errno
import os
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import msgspec

_START: Final = 2
"""SYNC_FILE_RANGE_WRITE: without waiting, so that files are written at the same time"""
_WAIT_WRITE_WAIT: Final = 1 | 2 | 4
"""SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE, _WAIT_AFTER"""
_EXT4: Final = 0xEF53
_XFS: Final = 0x58465342
_STATFS_OCTETS: Final = 256
"""More than a struct statfs has; its first word is the type of the file system."""
_WORD: Final = ctypes.sizeof(ctypes.c_long)
_IDENTITY: Final = slice(7 * _WORD, 7 * _WORD + 8)
"""f_fsid: which file system it is."""


class Order(IntEnum):
    """What makes a name survive that a file gets after `write_out()`; what promises more is greater."""

    NONE = 0
    """Nothing was written out: file, rename, directory, by the book."""
    BY_FILE = 1
    """fsync of the file."""
    BY_DIRECTORY = 2
    """fsync of the file, or of the directory."""


class WrittenOut(msgspec.Struct, frozen=True):
    """What `write_out()` has done."""

    order: Order
    """That of all files, so the least."""
    errors: Sequence[OSError | None] = ()
    """One for each file, unless nothing was done."""


NOT_WRITTEN: Final = WrittenOut(Order.NONE)


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.fstatfs.argtypes = [ctypes.c_int, ctypes.c_char_p]
    library.syncfs.argtypes = [ctypes.c_int]
    library.sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    return library


_LIBC: Final = _library() if sys.platform == "linux" else None
_KNOWN: Final[dict[bytes, Order]] = {}
"""Of file systems, by type and identity."""


def begin_write_out(fd: int, known: Order | None = None) -> Order:
    """Have the disk begin to take a file's content; Order.NONE if it does not.

    `known` is what this has said of another file of the same directory.  Faults are told by `finish_write_out()`.
    """
    if _LIBC is None:
        return Order.NONE
    order = _order(_LIBC, fd) if known is None else known
    if order is Order.NONE or _is_unknown(_written(_LIBC, fd, _START)):
        return Order.NONE
    return order


def finish_write_out(fds: Sequence[int]) -> list[OSError | None]:
    """Wait until the disk has taken what was begun; a fault, or none, for each."""
    if _LIBC is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return [_written(_LIBC, fd, _WAIT_WRITE_WAIT) for fd in fds]


def write_out(fds: Sequence[int], known: Order | None = None) -> WrittenOut:
    """See the module's description; `known` is as for `begin_write_out()`."""
    if _LIBC is None:
        return NOT_WRITTEN
    order = known
    if order is None:
        one_of_each = {os.fstat(fd).st_dev: fd for fd in fds}  # file system
        order = min([_order(_LIBC, fd) for fd in one_of_each.values()], default=Order.NONE)
    if order is Order.NONE:
        return NOT_WRITTEN
    if len(fds) > 1:
        for fd in fds:
            _written(_LIBC, fd, _START)
    errors = finish_write_out(fds)
    return NOT_WRITTEN if any(map(_is_unknown, errors)) else WrittenOut(order, errors)


def _is_unknown(error: OSError | None) -> bool:
    return error is not None and error.errno == errno.ENOSYS


def sync_file_system(fd: int) -> None:
    """All of the file system of `fd` reaches the disk.  OSError."""
    if _LIBC is None:
        os.sync()
    elif _LIBC.syncfs(fd):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _written(library: ctypes.CDLL, fd: int, what: int) -> OSError | None:
    while library.sync_file_range(fd, 0, 0, what):
        number = ctypes.get_errno()
        if number != errno.EINTR:
            return OSError(number, os.strerror(number))
    return None


def _order(library: ctypes.CDLL, fd: int) -> Order:
    status = ctypes.create_string_buffer(_STATFS_OCTETS)
    if library.fstatfs(fd, status):
        return Order.NONE
    raw = status.raw
    kind, key = int.from_bytes(raw[:_WORD], sys.byteorder), raw[:_WORD] + raw[_IDENTITY]
    known = _KNOWN.get(key)
    if known is None:
        known = Order.NONE
        if kind == _XFS or (kind == _EXT4 and _has_journal(fd)):
            known = Order.BY_DIRECTORY
        elif kind == _EXT4:
            known = Order.BY_FILE
        _KNOWN[key] = known
    return known


def _has_journal(fd: int) -> bool:
    """Whether an ext4 file system is known to have one."""
    device = os.fstat(fd).st_dev
    try:
        block = os.readlink(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
        with open(f"/sys/fs/ext4/{os.path.basename(block)}/journal_task", "rb") as task:
            return task.read().strip().isdigit()
    except OSError:
        return False
