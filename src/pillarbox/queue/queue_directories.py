"""The queue's directories: where a message lies says what happens to it next.

    incoming   complete (mode 0700), not yet seen by the queue manager
    active     being delivered
    deferred   waiting; the file's mtime is the earliest next attempt
    hold       waiting for the admin
    corrupt    unreadable, never delivered
    maildrop   local submissions, not yet picked up

DESCRIPTION
    A message changes its state by rename(2); its name never changes.  incoming → active → (gone | deferred |
    hold | corrupt), deferred → active, active → incoming when the queue manager starts.  Queues named in
    hash_queue_names have one-character subdirectories, made on demand.

    `scan()` reads one directory after the other, and keeps of each what its names have letters: a queue of 200,000
    messages costs neither time nor memory at once.  What comes into a directory after it was read is not seen.

FAULTS
    OSError  as the kernel gives it.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Final

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.queue.queue_ids import hash_text, is_queue_id
from pillarbox.vocabulary.identifiers import QueueId

MESSAGE_QUEUES: Final = ("maildrop", "incoming", "active", "deferred", "hold", "corrupt")
LOG_QUEUES: Final = ("bounce", "defer", "trace", "flush", "saved")
READY: Final = 0o700
"""Mode of a file that is complete."""
CORRUPT: Final = 0o400
EXPIRE_BIT: Final = 0o010


class QueueDirectories:
    """Paths, moves and scans below queue_directory."""

    def __init__(
        self,
        root: str,
        *,
        file_system: FileSystem = DISK,
        hashed: Iterable[str] = ("deferred", "defer"),
        depth: int = 1,
    ) -> None:
        self.root = root
        self._files = file_system
        self._hashed = frozenset(hashed)
        self._depth = depth

    def create(self) -> None:
        """Make the directories that are missing: mode 0700, and 0730 for maildrop, 0710 for public."""
        for name in (*MESSAGE_QUEUES, *LOG_QUEUES, "private", "public", "pid"):
            mode = _MODES.get(name, 0o700)
            path = f"{self.root}/{name}"
            try:
                self._files.mkdir(path, mode)
            except FileExistsError:
                continue
            self._files.chmod(path, mode)  # mkdir's mode is cut by the umask

    def is_hashed(self, queue: str) -> bool:
        """Whether a queue has subdirectories."""
        return queue in self._hashed

    def path(self, queue: str, queue_id: QueueId) -> str:
        """Where the file of a message is in a queue."""
        return f"{self.directory(queue, queue_id)}/{queue_id}"

    def directory(self, queue: str, queue_id: QueueId) -> str:
        """The directory that holds it."""
        if queue not in self._hashed:
            return f"{self.root}/{queue}"
        digits = hash_text(queue_id).ljust(self._depth, "_")
        return "/".join((self.root, queue, *digits[: self._depth]))

    def move(self, queue_id: QueueId, old: str, new: str) -> None:
        """Rename a message into another queue, making the hashed directory if it is missing."""
        target = self.path(new, queue_id)
        try:
            self._files.rename(self.path(old, queue_id), target)
        except FileNotFoundError:
            directory = self.directory(new, queue_id)
            if new not in self._hashed or os.path.isdir(directory):
                raise
            self.make_hashed(new, queue_id)
            self._files.rename(self.path(old, queue_id), target)

    def make_hashed(self, queue: str, queue_id: QueueId) -> None:
        """Make the hashed directory that a message or log needs.

        One that a command of root's makes belongs to the queue's owner, or the queue manager could not read it.
        """
        path = f"{self.root}/{queue}"
        for digit in hash_text(queue_id).ljust(self._depth, "_")[: self._depth]:
            above, path = path, f"{path}/{digit}"
            try:
                self._files.mkdir(path, 0o700)
            except FileExistsError:
                continue
            if self._files is DISK and os.geteuid() == 0:
                owner = os.stat(above)
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def remove(self, queue: str, queue_id: QueueId) -> None:
        """Unlink a message; FileNotFoundError if it is not there."""
        self._files.unlink(self.path(queue, queue_id))

    def defer_until(self, queue: str, queue_id: QueueId, when: float) -> None:
        """Set the earliest next attempt, which is the file's mtime."""
        self._files.utime(self.path(queue, queue_id), modified_ns=int(when * 1_000_000_000))

    def scan(self, queue: str, *, lazily: bool = False) -> Iterator[QueueId]:
        """Ids in a queue, hashed directories and all, in no order.

        `lazily`: the first one comes at once, however many there are, and what comes into a directory later may be
        seen.
        """
        return self._scan(f"{self.root}/{queue}", lazily)

    def _scan(self, path: str, lazily: bool) -> Iterator[QueueId]:
        try:
            names = self._files.names_lazily(path) if lazily else self._files.names(path)
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            if len(name) == 1:
                # The depth may have been another when the directory was made: look into all of them.
                yield from self._scan(f"{path}/{name}", lazily)
            elif is_queue_id(name):
                yield QueueId(name)


_MODES: Final = {"maildrop": 0o730, "public": 0o710, "pid": 0o755}
