"""fsync(2) of many files together, for worker threads and processes without a loop: the caller waits.

DESCRIPTION
    Apart from fsync_batch.py because commands need it, and need not load an event loop for it.

FAULTS
    As results, never raised.
"""

import os
import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from pillarbox.files.kernel_aio import KernelAio

FEW: Final = 2
"""Files that are synced one after the other rather than wait for another thread, whose commit serves them, too."""

Results = list[OSError | None]


class WaitingFsyncs:
    """fsync of many files at once."""

    def __init__(self) -> None:
        self._aio: KernelAio | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def sync(self, descriptors: Sequence[int]) -> Results:
        """One result for each descriptor, when all are done."""
        if len(descriptors) < 2 or not self._lock.acquire(blocking=len(descriptors) > FEW):
            return [_fsync(descriptor) for descriptor in descriptors]
        try:
            aio = self._own_context()
            if aio is None:
                return [_fsync(descriptor) for descriptor in descriptors]
            return self._sync_together(aio, descriptors)
        finally:
            self._lock.release()

    def _sync_together(self, aio: KernelAio, descriptors: Sequence[int]) -> Results:
        results: Results = [None] * len(descriptors)
        waiting = deque((descriptor, index) for index, descriptor in enumerate(descriptors))
        while waiting or aio.under_way:
            if waiting:
                try:
                    for _ in range(aio.submit(waiting)):
                        waiting.popleft()
                except OSError:
                    descriptor, index = waiting.popleft()
                    results[index] = _fsync(descriptor)
                    continue
            for completion in aio.completed(wait=True):
                if completion.error:
                    results[completion.token] = OSError(completion.error, os.strerror(completion.error))
        return results

    def _own_context(self) -> KernelAio | None:
        """This process's context: what a parent made does not work in its child."""
        if self._owner != os.getpid():
            self._owner = os.getpid()
            try:
                self._aio = KernelAio()
            except OSError:
                self._aio = None
        return self._aio


WAITING_FSYNCS: Final = WaitingFsyncs()
"""This process's."""


def _fsync(descriptor: int) -> OSError | None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        return error
    return None
