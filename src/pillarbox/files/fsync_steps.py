"""Work that waits for the disk in between, which a caller may use for other work.

DESCRIPTION
    A function of `Steps` does its work up to where something has to be on the disk, yields the descriptors, and
    goes on with a result for each.  It yields none where it could go on, but others should have their turn before.
    `finish` does one such work and waits.  `finish_together` does several, step by step: the files that all of
    them wait for are synced by one call, and the file system commits them together.
    An event loop goes on when the fsyncs that it has begun are done (mailstore/maildir/group_commit.py).

    Why not a thread for each: every call of a thread gives the interpreter away and has to get it back.  Eight
    threads that stored a message each spent more time with that than with the messages.

FAULTS
    Of `finish`: what the work raises.  `finish_together` gives it as the result.
"""

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from typing import TypeVar

from pillarbox.files.file_system import FileSystem

T = TypeVar("T")
Steps = Generator[Sequence[int], Sequence[OSError | None], T]


def finish(steps: Steps[T], files: FileSystem) -> T:
    """Do the work; what it returns."""
    [result] = finish_together([steps], files)
    if isinstance(result, Exception):
        raise result
    return result


def finish_together(works: Sequence[Steps[T]], files: FileSystem) -> list[T | Exception]:
    """Do all of them; what each returns or raises.  All steps are taken in the calling thread."""
    results: dict[int, T | Exception] = {}
    waiting: list[tuple[int, Sequence[int]]] = []

    def step(at: int, synced: Sequence[OSError | None] | None) -> None:
        try:
            wanted = next(works[at]) if synced is None else works[at].send(synced)
        except StopIteration as end:
            results[at] = end.value
        except Exception as fault:
            results[at] = fault
        else:
            waiting.append((at, wanted))

    with ExitStack() as closing:
        for work in works:
            closing.callback(work.close)  # none is left half done, with its locks, if we are
        for at in range(len(works)):
            step(at, None)
        while waiting:
            turn, waiting = waiting, []
            synced = files.fsync_all([descriptor for _, wanted in turn for descriptor in wanted])
            start = 0
            for at, wanted in turn:
                step(at, synced[start : start + len(wanted)])
                start += len(wanted)
    return [results[at] for at in range(len(works))]
