"""Files of finished messages, on their way back to those who write new ones.

DESCRIPTION
    Making and removing files is most of what a message costs the file system: blocks and an inode are allocated,
    and freed a moment later, and ext4 looks for an inode that was not freed lately among thousands that were.
    So the queue manager does not unlink the file of a message that is finished: it renames it to
    incoming/TIME.PID.N, a name that is no message's, and a writer (process PID) writes the next message over it
    (docs/adr/0009).

    Order: rename(active/ID → incoming/TIME.PID.N) → fsync(active), fsync(incoming) → the writer may use it.
    Without the fsyncs a crash could bring back an old name with the new content.

    Only a file that nobody else can have open is passed on: its message was new, was delivered in one attempt,
    and every agent that read it has answered.

FAULTS
    A file that cannot be made safe is unlinked.  Those that a dead process left are removed by `sweep()`
    (incoming.py), as they have the form of its unfinished files.
"""

import asyncio
import itertools
import os
from collections.abc import Callable
from functools import partial
from typing import Final

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.files.fsync_batch import Fsyncs
from pillarbox.files.waiting_fsyncs import Results
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.vocabulary.clock import Clock

LARGEST: Final = 65536
"""Octets of a file that is passed on; a larger one would keep its blocks for nothing."""
_GATHER_SECONDS: Final = 0.1
"""How long files are gathered for one fsync of the directories.

Each fsync makes the journal write, which those wait for who commit messages meanwhile.
"""
_GATHERED_FILES: Final = 64
"""So many are not kept waiting for others."""
_FIRST_SERIAL: Final = 1_000_000_000
"""Apart from the writers' own serial numbers."""

Take = Callable[[str], None]
"""Gets the path of a file that may be used."""


class SpareFiles:
    """The queue manager's end.  Belongs to one event loop."""

    def __init__(
        self, directories: QueueDirectories, *, fsyncs: Fsyncs, clock: Clock, file_system: FileSystem = DISK
    ) -> None:
        self._directories = directories
        self._fsyncs = fsyncs
        self._clock = clock
        self._files = file_system
        self._serials = itertools.count(_FIRST_SERIAL)
        self._gathered: list[tuple[str, Take]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._descriptors: list[int] = []  # of incoming and active

    def path(self, pid: int) -> str:
        """A new name for a file that goes to process `pid`."""
        micros = int(self._clock.now() * 1_000_000) % 1_000_000
        return f"{self._directories.root}/incoming/{micros}.{pid}.{next(self._serials)}"

    def add(self, path: str, take: Take) -> None:
        """The file was renamed to `path`; `take` is called when it is safe to write over it."""
        self._gathered.append((path, take))
        if len(self._gathered) == 1:
            self._timer = asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._make_safe)
        elif len(self._gathered) == _GATHERED_FILES and self._timer is not None:
            self._timer.cancel()
            self._make_safe()

    def close(self) -> None:
        """Remove what nobody has got yet.  The means to fsync are the caller's to close, before."""
        self._remove([path for path, _ in self._gathered])
        self._gathered.clear()
        while self._descriptors:
            self._files.close(self._descriptors.pop())

    def _make_safe(self) -> None:
        gathered, self._gathered = self._gathered, []
        if not gathered:
            return
        try:
            self._open_directories()
        except OSError:
            self._remove([path for path, _ in gathered])
            return
        self._fsyncs.start(self._descriptors, partial(self._hand_over, gathered))

    def _hand_over(self, gathered: list[tuple[str, Take]], results: Results) -> None:
        if any(results):
            self._remove([path for path, _ in gathered])
            return
        for path, take in gathered:
            take(path)

    def _open_directories(self) -> None:
        for queue in ("incoming", "active")[len(self._descriptors) :]:
            path = f"{self._directories.root}/{queue}"
            self._descriptors.append(self._files.open(path, os.O_RDONLY | os.O_DIRECTORY))

    def _remove(self, paths: list[str]) -> None:
        for path in paths:
            try:
                self._files.unlink(path)
            except OSError:
                continue  # sweep() will find it
