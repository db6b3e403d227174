"""By which it is told later, without a folder being loaded, that nothing has happened to it.

DESCRIPTION
    Inode and mtime of new/ and cur/, one stat call each: no message comes, goes or changes its flags without one of
    them.  Who takes a stamp has made sure that these tell it (`FolderFiles.stamp`).

    What happens to a uidlist beside that (another UIDVALIDITY, UIDs that are left out) is told by the file and the
    directory that it is in, which changes with its lock; now and then, whoever asks looks at them, too.

STANDARDS
    https://cr.yp.to/proto/maildir.html; Dovecot 2.3, Maildir format
"""

from collections.abc import Iterable
from typing import Self

import msgspec

from pillarbox.files.file_system import FileSystem


class FolderStamp(msgspec.Struct, frozen=True):
    """What was seen of some directories, and of a uidlist: path, inode and mtime in ns of each."""

    directories: tuple[tuple[bytes, int, int], ...]
    control: tuple[tuple[bytes, int, int], ...]

    @classmethod
    def of(cls, directories: Iterable[bytes], control: Iterable[bytes], files: FileSystem) -> Self:
        """As they are now: new/ and cur/, and the directory of the uidlist with the file.  OSError."""
        return cls(_look(directories, files), _look(control, files))

    def holds(self, files: FileSystem, *, deeply: bool = True) -> bool:
        """Whether the directories, and `deeply` what is around the uidlist, are as they were."""
        try:
            for path, inode, modified in self.control + self.directories if deeply else self.directories:
                status = files.stat(path)
                if status.st_mtime_ns != modified or status.st_ino != inode:
                    return False
        except OSError:
            return False
        return True


def _look(paths: Iterable[bytes], files: FileSystem) -> tuple[tuple[bytes, int, int], ...]:
    found = ((path, files.stat(path)) for path in paths)
    return tuple((path, status.st_ino, status.st_mtime_ns) for path, status in found)
