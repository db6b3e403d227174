"""By which it is told later, without a folder being loaded, that nothing has happened to it.

DESCRIPTION
    Inode and mtime of new/, cur/ and of the directory of the uidlist, one stat call each.  Who takes a stamp has
    made sure that these tell everything (`FolderFiles.stamp`).

STANDARDS
    https://cr.yp.to/proto/maildir.html; Dovecot 2.3, Maildir format
"""

from typing import Self

import msgspec

from pillarbox.files.file_system import FileSystem


class FolderStamp(msgspec.Struct, frozen=True):
    """What was seen of some directories."""

    paths: tuple[bytes, ...]
    seen: tuple[tuple[int, int], ...]
    """inode and mtime in ns of each"""

    @classmethod
    def of(cls, paths: tuple[bytes, ...], files: FileSystem) -> Self:
        """As they are now.  OSError."""
        return cls(paths, _look(paths, files))

    def holds(self, files: FileSystem) -> bool:
        """Whether the directories are as they were."""
        try:
            return self.seen == _look(self.paths, files)
        except OSError:
            return False


def _look(paths: tuple[bytes, ...], files: FileSystem) -> tuple[tuple[int, int], ...]:
    found = map(files.stat, paths)
    return tuple([(status.st_ino, status.st_mtime_ns) for status in found])
