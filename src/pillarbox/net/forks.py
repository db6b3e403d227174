"""Children that do one piece of work, and end with it, or with their parent unless they are to finish it."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def fork(work: Callable[[], None], *, outlives: bool = False) -> int:
    """A child that does `work` and ends: with status 0, or 1 after an exception.  Its process id.

    One that `outlives` its parent sees for itself when to end.

    Only for processes without threads and without a running event loop of their own.
    """
    parent = os.getpid()
    if pid := os.fork():
        return pid
    status = 1
    try:
        if not outlives:
            die_with(parent)
        work()
        status = 0
    finally:
        os._exit(status)


def die_with(parent: int) -> None:
    """Be killed when process `parent` ends; SystemExit if it has ended."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
