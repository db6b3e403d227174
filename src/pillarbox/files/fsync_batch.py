"""fsync(2) of many files together, and a call when they are done.

DESCRIPTION
    `Fsyncs.start()` takes descriptors and a callback, and returns at once.  The callback gets one result per
    descriptor, None or the OSError, on the event loop.  Two ways to do it:

        KernelFsyncs    Linux's asynchronous I/O, no threads (kernel_aio.py)
        ThreadFsyncs    a few threads, where the kernel has none or forbids it

    waiting_fsyncs.py has the same for those without a loop: its callers wait.

FAULTS
    As results, never raised.
"""

import asyncio
import itertools
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Final, Protocol

from pillarbox.files.kernel_aio import KernelAio
from pillarbox.files.waiting_fsyncs import Results

_THREADS: Final = 4

Done = Callable[[Results], None]


class Fsyncs(Protocol):
    """fsyncs in the background of an event loop."""

    def start(self, descriptors: Sequence[int], done: Done) -> None:
        """Sync the files; `done` is called with a result for each, never before this returns."""
        ...

    def close(self) -> None:
        """Wait for what was started, calling back; then no more may be started."""
        ...


class _Group:
    """Descriptors that were given together."""

    __slots__ = ("done", "left", "results")

    def __init__(self, size: int, done: Done) -> None:
        self.results: Results = [None] * size
        self.left = size
        self.done = done

    def finish(self, index: int, error: OSError | None) -> None:
        self.results[index] = error
        self.left -= 1
        if not self.left:
            self.done(self.results)


class KernelFsyncs:
    """`Fsyncs` by the kernel."""

    def __init__(self, aio: KernelAio) -> None:
        """On the running event loop."""
        self._aio = aio
        self._loop = asyncio.get_running_loop()
        self._eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._tokens = itertools.count(1)
        self._running: dict[int, tuple[_Group, int]] = {}
        self._waiting: deque[tuple[int, int]] = deque()
        self._is_collecting = self._submits_soon = False
        self._loop.add_reader(self._eventfd, self._notified)

    def start(self, descriptors: Sequence[int], done: Done) -> None:
        """See `Fsyncs`."""
        group = _Group(len(descriptors), done)
        is_alone = not self._running
        for index, descriptor in enumerate(descriptors):
            token = next(self._tokens) & 0xFFFFFFFF
            self._running[token] = (group, index)
            self._waiting.append((descriptor, token))
        if is_alone and not self._is_collecting:
            self._submit()
        elif not self._submits_soon and not self._is_collecting:
            # One call for all that begin in this turn of the loop: each wakes the kernel's thread on our processor.
            self._submits_soon = True
            self._loop.call_soon(self._submit)

    def close(self) -> None:
        """See `Fsyncs`."""
        while self._running:
            self._collect(wait=True)
        self._loop.remove_reader(self._eventfd)
        os.close(self._eventfd)
        self._aio.close()

    def _notified(self) -> None:
        try:
            os.eventfd_read(self._eventfd)
        except BlockingIOError:
            return
        self._collect(wait=False)

    def _collect(self, *, wait: bool) -> None:
        self._is_collecting = True
        try:
            for completion in self._aio.completed(wait=wait):
                group, index = self._running.pop(completion.token)
                error = OSError(completion.error, os.strerror(completion.error)) if completion.error else None
                group.finish(index, error)
        finally:
            self._is_collecting = False
        self._submit()

    def _submit(self) -> None:
        self._submits_soon = False
        while self._waiting:
            try:
                taken = self._aio.submit(self._waiting, notify=self._eventfd)
            except OSError as error:
                # The first of them is at fault (no fsync for this kind of file), or the kernel is out of memory.
                _, token = self._waiting.popleft()
                group, index = self._running.pop(token)
                self._loop.call_soon(group.finish, index, error)
                continue
            if not taken:
                return
            for _ in range(taken):
                self._waiting.popleft()


class ThreadFsyncs:
    """`Fsyncs` by threads.  `fsync` is the call that they make."""

    def __init__(self, fsync: Callable[[int], None] = os.fsync) -> None:
        """On the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._fsync = fsync
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="fsync")
        self._finished: SimpleQueue[tuple[_Group, int, OSError | None]] = SimpleQueue()
        self._running = 0

    def start(self, descriptors: Sequence[int], done: Done) -> None:
        """See `Fsyncs`."""
        group = _Group(len(descriptors), done)
        self._running += len(descriptors)
        for index, descriptor in enumerate(descriptors):
            self._threads.submit(self._work, group, index, descriptor)

    def close(self) -> None:
        """See `Fsyncs`."""
        while self._running:
            self._take(*self._finished.get())
        self._threads.shutdown()

    def _work(self, group: _Group, index: int, descriptor: int) -> None:
        error = None
        try:
            self._fsync(descriptor)
        except OSError as fault:
            error = fault
        self._finished.put((group, index, error))
        self._loop.call_soon_threadsafe(self._collect)

    def _collect(self) -> None:
        while not self._finished.empty():
            self._take(*self._finished.get())

    def _take(self, group: _Group, index: int, error: OSError | None) -> None:
        self._running -= 1
        group.finish(index, error)


def background_fsyncs() -> Fsyncs:
    """The better of the two that this machine has."""
    try:
        return KernelFsyncs(KernelAio())
    except OSError:
        return ThreadFsyncs()
