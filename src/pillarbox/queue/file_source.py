"""A queue file that is open, as a source of records."""

from pillarbox.files.file_system import DISK, FileSystem


class FileSource:
    """A `records.Source`: a file's octets by pread(2).  OSError."""

    __slots__ = ("_descriptor", "_files")

    def __init__(self, descriptor: int, *, files: FileSystem = DISK) -> None:
        self._descriptor = descriptor
        self._files = files

    def read_at(self, offset: int, length: int) -> bytes:
        """At most `length` octets from `offset`."""
        return self._files.pread(self._descriptor, length, offset)
