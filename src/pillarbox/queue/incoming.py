"""New queue files, and the promise behind "250 2.0.0 Ok: queued as …".

DESCRIPTION
    A message gets its file, and so its queue id, when its first recipient is accepted, because log lines and
    the Received: header carry the id.  `take()` gives a file from a small reserve of empty ones, so that
    the event loop never waits for the file system to make one.

    `commit()` returns when the message will survive a crash: everything written, the mode set to 0700, the
    file fsynced, renamed to its id, and the directory fsynced.  Messages that are committed at the same time
    share one hop to a worker thread and one fsync of the directory; the reserve is filled when half is gone.

    Order in the file system: open(incoming/TIME.PID.N) → write → chmod 0700 → fsync → rename(incoming/ID) →
    fsync(incoming).  Names with a dot are no messages to anyone; `sweep()` removes those that a crash left.

FAULTS
    QueueFileFault  the file cannot be written; `full` tells "no space" from the rest.  Nothing is left.
"""

import asyncio
import errno
import itertools
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.queue.queue_directories import READY, QueueDirectories
from pillarbox.queue.queue_ids import long_queue_id, short_queue_id
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import QueueId

_RESERVE: Final = 32
_CONCURRENT_BATCHES: Final = 2
"""Batches on their way to the disk at once: while one waits for an fsync, the next is written."""
_TEMPORARY: Final = re.compile(r"[0-9]+\.([0-9]+)\.[0-9]+", re.ASCII)
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class QueueFileFault(Exception):
    """A queue file could not be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"queue file write error: {error.strerror}")
        self.full = error.errno in _FULL


class NewFile:
    """A file of the reserve, and the id it got."""

    __slots__ = ("descriptor", "inode", "path", "queue_id", "spilled")

    def __init__(self, descriptor: int, path: str, inode: int) -> None:
        self.descriptor = descriptor
        self.path = path
        self.inode = inode
        self.queue_id = QueueId("")
        self.spilled = 0  # octets written before the commit


class _Job:
    __slots__ = ("done", "file", "head", "parts")

    def __init__(self, file: NewFile, parts: list[bytes], head: bytes, done: "asyncio.Future[None]") -> None:
        self.file = file
        self.parts = parts
        self.head = head
        self.done = done


class IncomingQueue:
    """The incoming directory, as a writer sees it.  Belongs to one event loop."""

    def __init__(
        self,
        directories: QueueDirectories,
        *,
        clock: Clock,
        long_ids: bool = False,
        file_system: FileSystem = DISK,
    ) -> None:
        self.directory = f"{directories.root}/incoming"
        self._directories = directories
        self._clock = clock
        self._long_ids = long_ids
        self._files = file_system
        self._reserve: list[NewFile] = []
        self._serials = itertools.count(1)
        self._waiting: list[_Job] = []
        self._batches = 0
        self._refilling = self._closed = False
        self._threads = ThreadPoolExecutor(_CONCURRENT_BATCHES + 1, thread_name_prefix="queue")

    # -- the loop's side -------------------------------------------------------------------------------

    def take(self) -> NewFile:
        """An empty file with its queue id.  QueueFileFault if there is none and none can be made."""
        try:
            file = self._reserve.pop() if self._reserve else self._make()
        except OSError as error:
            raise QueueFileFault(error) from error
        now = self._clock.now()
        file.queue_id = (long_queue_id if self._long_ids else short_queue_id)(now, file.inode)
        return file

    def give_back(self, file: NewFile) -> None:
        """A file that was not committed."""
        if file.spilled or len(self._reserve) >= _RESERVE:
            self._discard(file)
        else:
            self._reserve.append(file)

    async def spill(self, file: NewFile, parts: list[bytes]) -> None:
        """Write content of a large message before it is complete."""
        file.spilled += sum(map(len, parts))
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._threads, self._files.write_all, file.descriptor, parts)
        except OSError as error:
            raise QueueFileFault(error) from error

    async def commit(self, file: NewFile, parts: list[bytes], *, head: bytes = b"") -> None:
        """Write `parts`, overwrite the beginning with `head` if given, and make the message survive.

        Cancellation does not undo it: the file may be committed all the same, and is then delivered.
        """
        loop = asyncio.get_running_loop()
        job = _Job(file, parts, head, loop.create_future())
        self._waiting.append(job)
        if self._batches < _CONCURRENT_BATCHES:
            self._start_batch(loop)
        await job.done

    def close(self) -> None:
        """Remove the reserve; wait for the threads."""
        self._closed = True
        self._threads.shutdown()
        while self._reserve:
            self._discard(self._reserve.pop())

    def _start_batch(self, loop: asyncio.AbstractEventLoop) -> None:
        jobs, self._waiting = self._waiting, []
        self._batches += 1
        future = loop.run_in_executor(self._threads, self._commit_batch, jobs)
        future.add_done_callback(self._finish_batch(jobs))

    def _finish_batch(self, jobs: list[_Job]) -> Callable[["asyncio.Future[_Outcomes]"], None]:
        def finish(future: "asyncio.Future[_Outcomes]") -> None:
            for job, outcome in zip(jobs, future.result(), strict=True):
                if job.done.cancelled():
                    continue
                if outcome is None:
                    job.done.set_result(None)
                else:
                    job.done.set_exception(QueueFileFault(outcome))
            self._batches -= 1
            loop = asyncio.get_running_loop()
            if self._waiting:
                self._start_batch(loop)
            self._refill(loop)

        return finish

    def _refill(self, loop: asyncio.AbstractEventLoop) -> None:
        """Fill the reserve when half of it is used up; nobody waits for it."""
        room = _RESERVE - len(self._reserve)
        if self._refilling or self._closed or room < _RESERVE // 2:
            return
        self._refilling = True
        loop.run_in_executor(self._threads, self._make_some, room).add_done_callback(self._refilled)

    def _refilled(self, future: "asyncio.Future[None]") -> None:
        self._refilling = False

    # -- the threads' side -----------------------------------------------------------------------------

    def _commit_batch(self, jobs: list[_Job]) -> "_Outcomes":
        outcomes: list[OSError | None] = [self._write(job) for job in jobs]
        try:
            self._files.sync_directory(self.directory)
        except OSError as error:
            # Nobody knows what survives a crash now, so nobody is told 250; their clients will come again.
            for job, outcome in zip(jobs, outcomes, strict=True):
                if outcome is None:
                    self._unlink(self._directories.path("incoming", job.file.queue_id))
            outcomes = [outcome or error for outcome in outcomes]
        return outcomes

    def _write(self, job: _Job) -> OSError | None:
        files, file = self._files, job.file
        try:
            files.write_all(file.descriptor, job.parts)
            if job.head:
                files.pwrite(file.descriptor, job.head, 0)
            files.chmod(file.path, READY)
            files.fsync(file.descriptor)
            files.rename(file.path, self._directories.path("incoming", file.queue_id))
        except OSError as error:
            self._discard(file)
            return error
        self._close(file)
        return None

    def _make(self) -> NewFile:
        now = int(self._clock.now() * 1_000_000)
        # The loop and a thread may both be here: next() of a count is atomic.
        path = f"{self.directory}/{now % 1_000_000}.{os.getpid()}.{next(self._serials)}"
        descriptor = self._files.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        return NewFile(descriptor, path, self._files.fstat(descriptor).st_ino)

    def _make_some(self, room: int) -> None:
        try:
            for _ in range(room):
                self._reserve.append(self._make())  # at once: close() must find all of them
        except OSError:
            pass  # take() will meet the same trouble, and can tell a client of it

    def _discard(self, file: NewFile) -> None:
        self._close(file)
        self._unlink(file.path)

    def _close(self, file: NewFile) -> None:
        try:
            self._files.close(file.descriptor)
        except OSError:
            pass  # what matters was fsynced, or is thrown away

    def _unlink(self, path: str) -> None:
        try:
            self._files.unlink(path)
        except OSError:
            pass  # sweep() will find it


_Outcomes = list[OSError | None]


def sweep(directories: QueueDirectories) -> int:
    """Remove unfinished files whose process is gone; the number removed."""
    removed = 0
    directory = f"{directories.root}/incoming"
    for name in os.listdir(directory):
        match = _TEMPORARY.fullmatch(name)
        if match is None or os.path.exists(f"/proc/{match[1]}"):
            continue
        try:
            os.unlink(f"{directory}/{name}")
        except FileNotFoundError:
            continue
        removed += 1
    return removed
