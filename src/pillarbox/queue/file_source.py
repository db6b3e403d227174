"""A queue file that is open, as a source of records."""

import os
from typing import Final

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.queue.records import DONE

_DONE: Final = bytes((DONE,))


class FileSource:
    """A `records.Source`: a file's octets by pread(2).  OSError."""

    __slots__ = ("_descriptor", "_files")

    def __init__(self, descriptor: int, *, files: FileSystem = DISK) -> None:
        self._descriptor = descriptor
        self._files = files

    def read_at(self, offset: int, length: int) -> bytes:
        """At most `length` octets from `offset`."""
        return self._files.pread(self._descriptor, length, offset)


def mark_done(descriptor: int, offset: int) -> None:
    """A recipient, whose record begins there, gets nothing of the message any more.  OSError."""
    os.pwrite(descriptor, _DONE, offset)


def is_done(descriptor: int, offset: int) -> bool:
    """Whether that is so.  OSError."""
    return os.pread(descriptor, 1, offset) == _DONE
