"""Content that reaches the disk before the names that lead to it, without waiting for the disk twice.

DESCRIPTION
    A file that is written under one name and then gets another needs two fsyncs by the book: one of the file before
    the rename, so that no crash leaves the new name without the content, and one of the directory after it.  Each
    is a commit of the file system's journal and a flush of the disk's cache.

    `write_out()` has the content written to the disk, and waits until the disk has taken it; it may still be in the
    disk's cache.  On ext4 and XFS that is enough for the first: the journal's commit that holds the rename
    begins with a flush of that cache.  And fsync(2) of the file after the rename commits the rename, too, because
    it has changed the file's inode; Postfix relies on the same for all its queue files.

        write → write_out → rename → fsync of the file

    Other file systems promise less, or nothing is known of it: there `write_out()` does nothing and says so.

FAULTS
    OSError  the content could not be written

STANDARDS
    Linux sync_file_range(2), fstatfs(2), fsync(2)
"""

import ctypes
import errno
import os
import sys
from typing import Final

_WAIT_WRITE_WAIT: Final = 1 | 2 | 4
"""SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE, _WAIT_AFTER"""
_EXT4: Final = 0xEF53
_XFS: Final = 0x58465342
_STATFS_OCTETS: Final = 256
"""More than a struct statfs has; its first word is the type of the file system."""
_WORD: Final = ctypes.sizeof(ctypes.c_long)


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.fstatfs.argtypes = [ctypes.c_int, ctypes.c_char_p]
    library.sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    return library


_LIBC: Final = _library() if sys.platform == "linux" else None


def write_out(fd: int) -> bool:
    """See the module's description; False if this file system does not promise that much."""
    if _LIBC is None or not _keeps_order(_LIBC, fd):
        return False
    while _LIBC.sync_file_range(fd, 0, 0, _WAIT_WRITE_WAIT):
        number = ctypes.get_errno()
        if number == errno.ENOSYS:
            return False
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
    return True


def _keeps_order(library: ctypes.CDLL, fd: int) -> bool:
    status = ctypes.create_string_buffer(_STATFS_OCTETS)
    if library.fstatfs(fd, status):
        return False
    return int.from_bytes(status.raw[:_WORD], sys.byteorder) in (_EXT4, _XFS)
