"""Work that waits for the disk in between, which a caller may use for other work.

DESCRIPTION
    A function of `Steps` does its work up to where something has to be on the disk, yields the descriptors, and
    goes on with a result for each.  `finish` does it and waits; an event loop goes on when the fsyncs that it has
    begun are done (mailstore/maildir/group_commit.py).

FAULTS
    What the work raises.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TypeVar

from pillarbox.files.file_system import FileSystem

T = TypeVar("T")
Steps = Generator[Sequence[int], Sequence[OSError | None], T]


def finish(steps: Steps[T], files: FileSystem) -> T:
    """Do the work; what it returns."""
    with closing(steps):  # it is not left half done, with its locks, if we are
        try:
            wanted = next(steps)
            while True:
                wanted = steps.send(files.fsync_all(wanted))
        except StopIteration as end:
            result: T = end.value
            return result
