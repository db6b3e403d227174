"""Commands: a thin module for each.

Most are done within some hundredths of a second, which go into loading code: a sixth of it went into looking for
garbage among what was being loaded, and as much into looking for it once more before the end.  Taking the
interpreter to pieces takes two milliseconds more, in which nothing happens: `end` does without.
"""

import atexit
import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_OBJECTS_BETWEEN_COLLECTIONS = 50_000

gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
atexit.register(gc.freeze)


def end(status: int) -> "NoReturn":
    """End the process, and at once if nothing is left to be done: what was printed is written out before.

    With threads, or when it cannot be written, as any program ends.
    """
    from _thread import _count as threads

    if not threads():
        atexit._run_exitfuncs()
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (AttributeError, OSError, ValueError):  # closed, gone, or never there
            sys.exit(status)
        import os

        os._exit(status & 0xFF)
    sys.exit(status)
