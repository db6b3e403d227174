"""Two mailboxes at once: who waits for one of them does not hold the other."""

import threading
from types import TracebackType

import pytest

from fakes.crash_file_system import CrashFileSystem
from pillarbox.mailstore.maildir.file_names import NameMaker
from pillarbox.mailstore.maildir.folder_changes import both_mutexes
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.vocabulary.clock import ManualClock

PATIENCE = 60


class ToldMutex:
    """A mutex that tells when somebody is about to wait for it."""

    def __init__(self) -> None:
        self.is_awaited = threading.Event()
        self._lock = threading.RLock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._lock.acquire(blocking=False):
            return True
        if blocking:
            self.is_awaited.set()
        return blocking and self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@pytest.fixture
def folders() -> tuple[FolderFiles, FolderFiles]:
    files, clock = CrashFileSystem(), ManualClock()
    both = []
    for path in (b"/One", b"/Two"):
        folder = FolderFiles(path, path, files=files, clock=clock, names=NameMaker(clock, host=b"ours"))
        folder.mutex = ToldMutex()  # type: ignore[assignment]
        both.append(folder)
    return both[0], both[1]


@pytest.mark.parametrize("first", [0, 1])
def test_who_waits_for_one_does_not_hold_the_other(
    folders: tuple[FolderFiles, FolderFiles], first: int
) -> None:
    """An append has its mailbox while the event loop waits for the other: a copy between them would never end."""
    busy, other = folders[first], folders[1 - first]
    copied = threading.Event()

    def copy() -> None:
        with both_mutexes(*folders):
            copied.set()

    copying = threading.Thread(target=copy)
    with busy.mutex:
        copying.start()
        assert busy.mutex.is_awaited.wait(PATIENCE)  # type: ignore[attr-defined]
        assert other.mutex.acquire(timeout=PATIENCE)
        assert not copied.is_set()
        other.mutex.release()
    copying.join(PATIENCE)
    assert copied.is_set()
    assert all(folder.mutex.acquire(blocking=False) for folder in folders)  # and they were given back


def test_a_mailbox_and_itself(folders: tuple[FolderFiles, FolderFiles]) -> None:
    """A copy within one."""
    with both_mutexes(folders[0], folders[0]):
        pass
    assert folders[0].mutex.acquire(blocking=False)
