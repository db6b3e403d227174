"""New queue files, and the promise behind "250 2.0.0 Ok: queued as …".

DESCRIPTION
    A message gets its file, and so its queue id, when its first recipient is accepted, because log lines and
    the Received: header carry the id.  `take()` makes an empty one, or takes one from the reserve: files that
    sessions gave back, and those of finished messages (`adopt()`, spare_files.py), which are overwritten.

    `commit()` returns when the message will survive a crash: everything written, the file fsynced, renamed
    to its id, and the directory fsynced.  Messages that are committed at the same time share one call to the
    kernel for their fsyncs, and one fsync of the directory.

    Order in the file system: open(incoming/TIME.PID.N, mode 0700) → write → fsync → rename(incoming/ID) →
    fsync(incoming).  Names with a dot are no messages to anyone; `sweep()` removes those that a crash left.

    Where the file system keeps order (files/write_order.py) the disk is waited for once:
    write → write_out → rename → fsync of the file, or of incoming for a batch if that is enough (docs/adr/0023).
    `write_out` begins with the commit and is finished when the batch starts, a turn of the loop later; the loop
    waits for what is left.  When that took long, the disk is waited for by the book for a while, beside the loop.

    Only fsync waits for the disk, and it waits in the kernel; open, write and rename work on memory and are
    done on the event loop (docs/adr/0008).  If the process has nobody else to serve meanwhile (`may_wait`) the
    loop does that, too.  By the book, a message that is alone is synced, named and made safe by a thread, which
    takes one hop instead of two.  Large messages are written as they arrive, on the loop, too; where that took long
    (the kernel makes writers wait when memory holds more than the disk can take) by a thread for a while.

FAULTS
    QueueFileFault  the file cannot be written; `full` tells "no space" from the rest.  Nothing is left.
"""

import asyncio
import errno
import itertools
import math
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.files.fsync_batch import Fsyncs, background_fsyncs
from pillarbox.files.waiting_fsyncs import Results
from pillarbox.files.write_order import Order
from pillarbox.queue.queue_directories import READY, QueueDirectories
from pillarbox.queue.queue_ids import long_queue_id, short_queue_id
from pillarbox.queue.recipient_log import LogEntry, append_entries, discard
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import QueueId

_RESERVE: Final = 256
_RESERVE_SECONDS: Final = 1.0
"""How long a reserve that nobody uses is kept: what it holds are messages of the past."""
_FEW: Final = 4
"""So many messages at once do not wait for each other: the next one's files are synced while a batch waits for its
directory.  More of them wait until the batch before is done, and share calls and commits of the journal."""
_SHORT: Final = 65536
"""Octets that may be synced on the event loop."""
_LONG_SECONDS: Final = 0.005
"""What a batch, or a piece of a large message, may hold up the loop; a disk that is not busy takes writes in a
tenth of a millisecond."""
_REST: Final = 10
"""So many times as long as a disk took that took longer, the loop does not wait for it."""
_TEMPORARY: Final = re.compile(r"[0-9]+\.([0-9]+)\.[0-9]+", re.ASCII)
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class QueueFileFault(Exception):
    """A queue file could not be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"queue file write error: {error.strerror}")
        self.full = error.errno in _FULL


class NewFile:
    """A file of the reserve, and the id it got."""

    __slots__ = ("descriptor", "inode", "old_size", "path", "queue", "queue_id", "spilled", "writing")

    def __init__(self, descriptor: int, path: str, inode: int, *, old_size: int = 0) -> None:
        self.descriptor = descriptor
        self.path = path
        self.inode = inode
        self.old_size = old_size  # octets of a message of the past
        self.queue_id = QueueId("")
        self.queue = "incoming"  # or hold: where it gets its name
        self.spilled = 0  # octets written before the commit
        self.writing: Future[int] | None = None  # what a thread has to do with it, or has done


class _Job:
    __slots__ = ("done", "file", "order")

    def __init__(self, file: NewFile, done: "asyncio.Future[None]", order: Order) -> None:
        self.file = file
        self.done = done
        self.order = order  # what the write-out that was begun will promise

    def finish(self, fault: OSError | None) -> None:
        """Tell who waits, if anybody still does."""
        if self.done.cancelled():
            return
        if fault is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(QueueFileFault(fault))


class IncomingQueue:
    """The incoming directory, as a writer sees it.  Belongs to one event loop."""

    def __init__(
        self,
        directories: QueueDirectories,
        *,
        clock: Clock,
        long_ids: bool = False,
        file_system: FileSystem = DISK,
        fsyncs: Callable[[], Fsyncs] = background_fsyncs,
        may_wait: Callable[[], bool] = lambda: False,
    ) -> None:
        """`fsyncs` makes the means to sync files in the background, on the running loop.

        `may_wait` tells whether the loop may wait for the disk now, because it has nothing else to do.
        """
        self.directory = f"{directories.root}/incoming"
        self._directories = directories
        self._clock = clock
        self._long_ids = long_ids
        self._files = file_system
        self._loop = asyncio.get_running_loop()
        self._fsyncs = fsyncs()
        self._may_wait = may_wait
        self._reserve: list[NewFile] = []
        self._taken = self._taken_before = 0
        self._trimming: asyncio.TimerHandle | None = None
        self._serials = itertools.count(1)
        self._waiting: list[_Job] = []
        self._batches = self._under_way = 0  # the second counts messages
        self._waits_from = 0.0  # monotonic time from which the loop may wait for the disk to take a batch
        self._writes_from = 0.0  # and from which it writes what is spilled
        self._order: Order | None = None  # what the file system of all new files promises, once it is known
        self._start_scheduled = False
        self._directory_descriptors: dict[str, int] = {}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="queue")

    def take(self) -> NewFile:
        """An empty file with its queue id.  QueueFileFault if none can be made."""
        self._taken += 1
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

    @property
    def room(self) -> int:
        """Files that the reserve has room for."""
        return _RESERVE - len(self._reserve)

    def adopt(self, path: str) -> None:
        """A file of a finished message, to be written over."""
        if not self.room:
            self._unlink(path)
            return
        try:
            descriptor = self._files.open(path, os.O_RDWR | os.O_NOFOLLOW)
            status = self._files.fstat(descriptor)
        except OSError:
            return
        self._reserve.append(NewFile(descriptor, path, status.st_ino, old_size=status.st_size))
        if self._trimming is None:
            self._trim_later()

    async def spill(self, file: NewFile, parts: list[bytes]) -> None:
        """Write content of a large message before it is complete."""
        file.spilled += sum(map(len, parts))
        begun = self._clock.monotonic()
        try:
            if begun < self._writes_from:
                file.writing = self._threads.submit(self._files.write_all, file.descriptor, parts)
                await asyncio.wrap_future(file.writing)
                return
            self._files.write_all(file.descriptor, parts)
        except OSError as error:
            raise QueueFileFault(error) from error
        ended = self._clock.monotonic()
        if ended - begun > _LONG_SECONDS:
            self._writes_from = ended + _REST * (ended - begun)

    async def commit(self, file: NewFile, parts: Sequence[bytes], *, head: bytes = b"") -> None:
        """Write `parts`, overwrite the beginning with `head` if given, and make the message survive.

        Cancellation does not undo it: the file may be committed all the same, and is then delivered.
        """
        try:
            self._files.write_all(file.descriptor, parts)
            if head:
                self._files.pwrite(file.descriptor, head, 0)
            size = file.spilled + sum(map(len, parts))
            if file.old_size > size:
                self._files.truncate(file.descriptor, size)
        except OSError as error:
            self._discard(file)
            raise QueueFileFault(error) from error
        is_short = size <= _SHORT
        if is_short and not self._batches and not self._waiting and self._may_wait():
            fault = self._commit_alone(file)
            if fault is not None:
                raise QueueFileFault(fault)
            return
        job = _Job(file, self._loop.create_future(), self._begun(file) if is_short else Order.NONE)
        self._waiting.append(job)
        self._schedule()
        await job.done

    async def write_trace_log(self, queue_id: QueueId, entries: Sequence[LogEntry]) -> None:
        """What the sender is to hear of a message that is about to be committed.  QueueFileFault."""
        try:
            await self._loop.run_in_executor(
                self._threads,
                lambda: append_entries(self._directories, "trace", queue_id, entries, files=self._files),
            )
        except OSError as error:
            raise QueueFileFault(error) from error

    def discard_trace_log(self, queue_id: QueueId) -> None:
        """The message was not committed after all."""
        with suppress(OSError):  # its name will not come again soon
            discard(self._directories, "trace", queue_id, files=self._files)

    def close(self) -> None:
        """Wait for what is being committed; remove the reserve."""
        while self._waiting:
            self._start_batch()
        self._fsyncs.close()
        self._threads.shutdown()
        if self._trimming is not None:
            self._trimming.cancel()
        while self._reserve:
            self._discard(self._reserve.pop())
        while self._directory_descriptors:
            self._close(self._directory_descriptors.popitem()[1])

    def _trim_later(self) -> None:
        self._taken_before = self._taken
        self._trimming = self._loop.call_later(_RESERVE_SECONDS, self._trim)

    def _trim(self) -> None:
        """Nobody took a file for a while: remove them."""
        self._trimming = None
        if self._taken == self._taken_before:
            while self._reserve:
                self._discard(self._reserve.pop())
        elif self._reserve:
            self._trim_later()

    # -- batches ---------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        """A batch of all commits of this turn of the loop, unless enough are under way."""
        if self._waiting and not self._start_scheduled and self._batches < 2:
            self._start_scheduled = True
            self._loop.call_soon(self._start_gathered)

    def _start_gathered(self) -> None:
        self._start_scheduled = False
        if not self._batches or self._under_way + len(self._waiting) <= _FEW:
            self._start_batch()

    def _start_batch(self) -> None:
        jobs, self._waiting = self._waiting, []
        if not jobs:
            return
        self._batches += 1
        self._under_way += len(jobs)
        if self._start_in_order(jobs):
            return
        if len(jobs) == 1 and self._batches == 1:
            future = self._loop.run_in_executor(self._threads, self._commit_alone, jobs[0].file)
            future.add_done_callback(partial(self._committed_alone, jobs[0]))
        else:
            self._fsyncs.start([job.file.descriptor for job in jobs], partial(self._synced, jobs))

    def _commit_alone(self, file: NewFile) -> OSError | None:
        """All steps for one message, perhaps in a thread."""
        try:
            out = self._files.write_out([file.descriptor], known=self._order)
            self._order = out.order
            in_order = out.order is not Order.NONE
            if any(out.errors):
                raise next(filter(None, out.errors))
            if not in_order:
                self._files.fsync(file.descriptor)
            directory = self._name(file)
        except OSError as error:
            self._discard(file)
            return error
        try:
            if in_order:
                self._files.fsync(file.descriptor)
            else:
                self._files.sync_directory(directory)
        except OSError as error:
            self._unlink(f"{directory}/{file.queue_id}")
            return error
        finally:
            self._close(file.descriptor)
        return None

    def _committed_alone(self, job: _Job, future: "asyncio.Future[OSError | None]") -> None:
        job.finish(future.result())
        self._batch_done(1)

    def _begun(self, file: NewFile) -> Order:
        """Begin to write a file out, if the loop may wait for the end of it."""
        if self._clock.monotonic() < self._waits_from:
            return Order.NONE
        self._order = order = self._files.begin_write_out(file.descriptor, known=self._order)
        if order is Order.NONE:
            self._waits_from = math.inf
        return order

    def _start_in_order(self, jobs: list[_Job]) -> bool:
        """Give files their names and wait for the disk once; False if it takes two waits, and nothing was done."""
        begun = self._clock.monotonic()
        order = min([job.order for job in jobs])
        if order is Order.NONE or begun < self._waits_from:
            return False
        errors = self._files.finish_write_out([job.file.descriptor for job in jobs])
        ended = self._clock.monotonic()
        if ended - begun > _LONG_SECONDS:
            self._waits_from = ended + _REST * (ended - begun)
        named = self._named(jobs, errors)
        if order is Order.BY_DIRECTORY and len(jobs) > 1:
            self._sync_directories(named, len(jobs))
            return True
        members = [member for group in named.values() for member in group]
        if members:
            descriptors = [member.file.descriptor for member in members]
            self._fsyncs.start(descriptors, partial(self._safe, [[one] for one in members], len(jobs)))
        else:
            self._batch_done(len(jobs))
        return True

    def _synced(self, jobs: list[_Job], results: Results) -> None:
        """The contents are safe: give the files their names."""
        self._sync_directories(self._named(jobs, results), len(jobs))

    def _named(self, jobs: list[_Job], results: Sequence[OSError | None]) -> dict[str, list[_Job]]:
        """Files that have their names, by directory; the others have faults, as their contents had."""
        named: dict[str, list[_Job]] = {}
        for job, error in zip(jobs, results, strict=True):
            try:
                if error is not None:
                    raise error
                directory = self._name(job.file)
            except OSError as fault:
                self._discard(job.file)
                job.finish(fault)
                continue
            named.setdefault(directory, []).append(job)
        return named

    def _sync_directories(self, named: dict[str, list[_Job]], messages: int) -> None:
        """Make the names safe; `messages` were in the batch."""
        groups: list[list[_Job]] = []
        descriptors: list[int] = []
        for directory, members in named.items():
            try:
                descriptors.append(self._descriptor_of(directory))
                groups.append(members)
            except OSError as error:
                self._unnamed(members, error)
        if descriptors:
            self._fsyncs.start(descriptors, partial(self._safe, groups, messages))
        else:
            self._batch_done(messages)

    def _safe(self, groups: list[list[_Job]], messages: int, results: Results) -> None:
        """The names are safe too, a result for each group; `messages` were in the batch."""
        for members, error in zip(groups, results, strict=True):
            if error is not None:
                self._unnamed(members, error)
                continue
            for job in members:
                self._close(job.file.descriptor)
                job.finish(None)
        self._batch_done(messages)

    def _batch_done(self, messages: int) -> None:
        self._batches -= 1
        self._under_way -= messages
        self._schedule()

    def _unnamed(self, jobs: list[_Job], error: OSError) -> None:
        """Nobody knows what survives a crash now, so nobody is told 250; their clients will come again."""
        for job in jobs:
            self._close(job.file.descriptor)
            self._unlink(self._directories.path(job.file.queue, job.file.queue_id))
            job.finish(error)

    # -- files -----------------------------------------------------------------------------------------

    def _name(self, file: NewFile) -> str:
        """Rename a file to its id; the directory that it is in now."""
        directory = self._directories.directory(file.queue, file.queue_id)
        target = f"{directory}/{file.queue_id}"
        try:
            self._files.rename(file.path, target)
        except FileNotFoundError:
            top = f"{self._directories.root}/{file.queue}"
            if directory == top:
                raise
            self._directories.make_hashed(file.queue, file.queue_id)
            parent = os.path.dirname(directory)
            while len(parent) >= len(top):  # new directories have to survive as well
                self._files.sync_directory(parent)
                parent = os.path.dirname(parent)
            self._files.rename(file.path, target)
        return directory

    def _descriptor_of(self, directory: str) -> int:
        descriptor = self._directory_descriptors.get(directory)
        if descriptor is None:
            descriptor = self._files.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            self._directory_descriptors[directory] = descriptor
        return descriptor

    def _make(self) -> NewFile:
        now = int(self._clock.now() * 1_000_000)
        path = f"{self.directory}/{now % 1_000_000}.{os.getpid()}.{next(self._serials)}"
        descriptor = self._files.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, READY)
        return NewFile(descriptor, path, self._files.fstat(descriptor).st_ino)

    def _discard(self, file: NewFile) -> None:
        if file.writing is not None and not file.writing.done():
            # Whoever waited for the thread was cancelled: its descriptor must not become another file's meanwhile.
            file.writing.add_done_callback(lambda _: self._discard(file))
            return
        self._close(file.descriptor)
        self._unlink(file.path)

    def _close(self, descriptor: int) -> None:
        try:
            self._files.close(descriptor)
        except OSError:
            pass  # what matters was fsynced, or is thrown away

    def _unlink(self, path: str) -> None:
        try:
            self._files.unlink(path)
        except OSError:
            pass  # sweep() will find it


def sweep(directories: QueueDirectories, *, file_system: FileSystem = DISK) -> int:
    """Remove unfinished files whose process is gone; the number removed."""
    removed = 0
    directory = f"{directories.root}/incoming"
    for name in file_system.listdir(directory):
        match = _TEMPORARY.fullmatch(name)
        if match is None or os.path.exists(f"/proc/{match[1]}"):
            continue
        try:
            file_system.unlink(f"{directory}/{name}")
        except FileNotFoundError:
            continue
        removed += 1
    return removed
