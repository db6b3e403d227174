"""Work on a folder that takes next to no time, for the event loop, which never waits for a folder's mutex.

DESCRIPTION
    Who has the mutex may be held up by the disk, or by another program's lock; all sessions of a worker would wait.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from pillarbox.mailstore.maildir.folder_files import FolderFiles

_T = TypeVar("_T")


class Run(Protocol):
    """Run a function in a worker thread."""

    async def __call__(self, function: Callable[..., _T], *arguments: object) -> _T: ...


async def promptly(folder: FolderFiles, run: Run, work: Callable[..., _T], *arguments: object) -> _T:
    """Do work that needs the folder's mutex: here, or in a thread if it would have to wait."""
    mutex = folder.mutex
    if not mutex.acquire(blocking=False):
        return await run(work, *arguments)
    try:
        return work(*arguments)
    finally:
        mutex.release()
