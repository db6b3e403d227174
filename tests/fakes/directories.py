"""Directories of tests that the users of a mail system can get into, and what becomes of those of killed tests."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

PREFIXES: Final = ("pillarbox-pytest-", "pillarbox-mail-")
"""Of the directory of a process that runs tests, and of a mail system's."""
DISK: Final = "/var/tmp"
"""What is here survives a restart, so it is not in memory."""
KEPT: Final = 8
"""Directories of processes that have ended, for who wants to see why; of each prefix."""


def let_others_in(directory: Path, *, parents: int = 2) -> None:
    """Everybody may read the directory, and so many of those above it, which pytest keeps to itself.

    Rights are only added: with `--basetemp` one of them may be /tmp.
    """
    for path in (directory, *directory.parents[:parents]):
        path.chmod(path.stat().st_mode | 0o055)


def directory_of_this_process(prefix: str) -> Path:
    """A new one that everybody may enter, and that no other process takes for abandoned."""
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    is_abandoned(str(directory))
    directory.chmod(0o755)
    return directory


def is_abandoned(directory: str) -> bool:
    """Whether the process that made it is gone; if so, it is ours from now on, as a new one is."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    return True  # the descriptor stays open as long as this process lives


def forget_earlier_runs(prefixes: Sequence[str], *, kept: int = KEPT) -> None:
    """Of runs that failed or were killed the last directories are kept."""
    for prefix in prefixes:
        with os.scandir(tempfile.gettempdir()) as entries:
            found = []
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # other processes tidy up, too
                    status = entry.stat(follow_symlinks=False)
                    if entry.name.startswith(prefix) and status.st_uid == os.getuid():
                        found.append((status.st_mtime, entry.path))
        for _, path in sorted(found, reverse=True)[kept:]:
            with contextlib.suppress(FileNotFoundError):
                if is_abandoned(path):
                    shutil.rmtree(path, ignore_errors=True)
