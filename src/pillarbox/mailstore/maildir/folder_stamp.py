"""By which it is told later, without a folder being loaded, that nothing has happened to it.

DESCRIPTION
    Inode and mtime of new/, cur/ and of the directory of the uidlist, one stat call each.  Who takes a stamp has
    made sure that these tell everything (`FolderFiles.stamp`), but for a program that writes the uidlist in place
    and heeds no lock: for that, whoever asks later looks at the file, too.

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
    uidlist: bytes
    listed: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, paths: tuple[bytes, ...], uidlist: bytes, files: FileSystem) -> Self:
        """As they are now.  OSError."""
        return cls(paths, _look(paths, files), uidlist, _look((uidlist,), files))

    def holds(self, files: FileSystem, *, deeply: bool = True) -> bool:
        """Whether the directories, and `deeply` the uidlist, are as they were."""
        try:
            if deeply and self.listed != _look((self.uidlist,), files):
                return False
            return self.seen == _look(self.paths, files)
        except OSError:
            return False


def _look(paths: tuple[bytes, ...], files: FileSystem) -> tuple[tuple[int, int], ...]:
    found = map(files.stat, paths)
    return tuple([(status.st_ino, status.st_mtime_ns) for status in found])
