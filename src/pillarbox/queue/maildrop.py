"""maildrop: messages of local users that nobody has looked at yet.

DESCRIPTION
    A file is what sendmail(1) wrote as records: no size, addresses as they were given.  `DropFile` makes one:
    under a name that nobody guesses, not ready until it is complete and on disk.

    The directory has mode 0730 and belongs to the group of a setgid postdrop(1); where there is none it is 1733:
    everybody may put files in, nobody may list it or touch what is another's (docs/adr/0007).

STANDARDS
    Postfix postdrop(1), pickup(8)
"""

import os
import stat
from collections.abc import Iterable
from typing import Final

from pillarbox.config.parameters.paths import Paths
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.queue.queue_ids import long_queue_id, short_queue_id
from pillarbox.queue.records import TIME, encode_record
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import QueueId

_POSTFIX_DIRECTORY: Final = "/etc/postfix"
_SECRET_BITS: Final = 62
_SETGID: Final = stat.S_ISGID | stat.S_IXGRP
READY_MODE: Final = 0o744
"""The mail system's user must be able to read it; the name keeps others from it."""


_OVERHEAD: Final = 3
"""Octets of records for each octet of content, at most: empty lines take two or three."""
_ENVELOPE: Final = 4 << 20


def largest_file(size_limit: int) -> int:
    """Octets of the records of a user's message, at most, by message_size_limit.  0: no limit."""
    return size_limit * _OVERHEAD + _ENVELOPE if size_limit else 0


def is_put_back(status: os.stat_result, owner: int) -> bool:
    """Whether a file there is one of the queue that postsuper(1) has put back; `owner` is the mail system's uid."""
    return status.st_uid == owner and not status.st_mode & stat.S_IROTH


class DropFile:
    """A message that is being put into maildrop."""

    def __init__(self, directory: str, *, clock: Clock, file_system: FileSystem = DISK) -> None:
        """OSError if it cannot be made."""
        self._files = file_system
        self._directory = directory
        self._path = f"{directory}/{os.urandom(12).hex()}.{os.getpid()}"
        self._descriptor = file_system.open(
            self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600
        )
        self.queue_id = self._name(clock.now())
        seconds, microseconds = divmod(round(clock.now() * 1_000_000), 1_000_000)
        self.write([encode_record(TIME, b"%d %d" % (seconds, microseconds))])

    def _name(self, now: float) -> QueueId:
        """One that nobody guesses, where others could open the file by it; else one that matches the inode.

        Postfix's postsuper gives files other names whose ids do not.
        """
        if self._files.stat(self._directory).st_mode & stat.S_IXOTH:
            return long_queue_id(now, int.from_bytes(os.urandom(8), "big") >> (64 - _SECRET_BITS))
        return short_queue_id(now, self._files.fstat(self._descriptor).st_ino)

    def write(self, records: Iterable[bytes]) -> None:
        """More of it.  OSError."""
        self._files.write_all(self._descriptor, list(records))

    def commit(self) -> None:
        """It is complete, and is to survive a crash.  OSError."""
        self._files.chmod(self._path, READY_MODE)
        self._files.fsync(self._descriptor)
        self._files.close(self._descriptor)
        self._files.rename(self._path, f"{self._directory}/{self.queue_id}")
        try:
            self._files.sync_directory(self._directory)
        except PermissionError:
            pass  # a directory that may not be listed may not be opened either

    def abort(self) -> None:
        """Forget it."""
        try:
            self._files.close(self._descriptor)
            self._files.unlink(self._path)
        except OSError:
            pass  # pickup never looks at a name with a dot; postsuper -p removes it


def has_postdrop(paths: Paths, program: str = "postdrop") -> bool:
    """Whether a real Postfix's postdrop, or postqueue, is there for this queue: it gains its group's rights.

    It reads the configuration in /etc/postfix, whatever its caller says.
    """
    if os.path.realpath(paths.config_directory) != os.path.realpath(_POSTFIX_DIRECTORY):
        return False
    try:
        status = os.stat(f"{paths.command_directory}/{program}")
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_mode & _SETGID == _SETGID


def shared_modes(paths: Paths) -> dict[str, int]:
    """Modes of the directories that users have to do with.

    Where nothing gains rights for them, they may put files into maildrop, but not list it, and may connect to the
    sockets in public, which look at who they are.
    """
    if has_postdrop(paths):
        return {"maildrop": 0o730, "public": 0o710}
    return {"maildrop": 0o1733, "public": 0o711}
