"""The end of a process, in bounded time: once it was told to end, or once its parent is gone.

DESCRIPTION
    `begin()` gives the process its last seconds, to finish what it is committing.  Then SIGALRM ends it: that is
    the kernel's doing, whatever the process and its threads are waiting for.  What it was committing is as safe as
    after any other kill.

    `begin_with_parents_end()` has them begin when the parent dies.  The end of a channel says that, too, but only
    to whoever reads it; a signal reaches a process that waits for something else.

STANDARDS
    Linux PR_SET_PDEATHSIG(2const); setitimer(2)
"""

import ctypes
import os
import signal
from typing import Final

SECONDS: Final = 8.0
_PR_SET_PDEATHSIG: Final = 1
_prctl = ctypes.CDLL(None, use_errno=True).prctl


def begin() -> None:
    """From now on there are `SECONDS`, or what is left of them."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    left, _ = signal.setitimer(signal.ITIMER_REAL, SECONDS)
    if left:
        signal.setitimer(signal.ITIMER_REAL, left)


def begin_with_parents_end(parent: int) -> None:
    """Have them begin when process `parent` dies, or now if it has.

    For the main thread, after rights were dropped: the kernel forgets the wish when they change.
    """
    signal.signal(signal.SIGALRM, lambda *_: begin())
    _prctl(_PR_SET_PDEATHSIG, signal.SIGALRM, 0, 0, 0)
    if os.getppid() != parent:
        begin()
