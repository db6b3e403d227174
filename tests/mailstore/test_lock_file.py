"""Locks that are links to one file: as exclusive as those with files of their own."""

import errno
import os
import socket
import threading
from pathlib import Path

import pytest

from fakes.crash_file_system import CrashFileSystem
from pillarbox.files.file_system import DISK
from pillarbox.mailstore.dovecot_files.dotlock import FEW, DotLock, LockFile, LockHeld
from pillarbox.mailstore.maildir.file_names import NameMaker
from pillarbox.vocabulary.clock import ManualClock

HOST = os.fsencode(socket.gethostname())
CLOCK = ManualClock()


def fresh() -> tuple[CrashFileSystem, LockFile]:
    """A mailbox, and the file of its locks, which is not there yet."""
    files = CrashFileSystem()
    files.make_directories("/m/tmp")
    return files, LockFile(b"/m/tmp", files=files, names=NameMaker(CLOCK, host=b"h"))


def take(files: CrashFileSystem, file: LockFile, times: int = 1) -> None:
    """Hold the lock so often."""
    for _ in range(times):
        with DotLock(b"/m/x", files=files, clock=CLOCK, file=file):
            assert b"%d:%s" % (os.getpid(), HOST) == files.files()["/m/x.lock"]


def kept(files: CrashFileSystem) -> list[str]:
    """What lies in tmp/."""
    return [path for path in files.files() if path.startswith("/m/tmp/")]


def test_who_locks_often_has_one_file_for_it() -> None:
    """The first few leave nothing; then the file stays, is the lock's each time, and goes at the end."""
    files, file = fresh()
    take(files, file, FEW)
    assert {} == files.files()
    take(files, file)
    [path] = kept(files)
    inode = files.stat(path).st_ino
    with (
        DotLock(b"/m/x", files=files, clock=CLOCK, file=file),
        DotLock(b"/m/y", files=files, clock=CLOCK, file=file),
    ):
        assert [inode, inode] == [files.stat("/m/x.lock").st_ino, files.stat("/m/y.lock").st_ino]
    assert [path] == list(files.files())
    file.remove()
    file.remove()
    assert {} == files.files()


def test_a_link_is_refused_where_somebody_has_the_lock() -> None:
    """Another process, or another thread of ours."""
    files, file = fresh()
    take(files, file, FEW + 1)
    files.make_file("/m/x.lock", b"1:" + os.fsencode(socket.gethostname()))
    with pytest.raises(LockHeld), DotLock(b"/m/x", files=files, clock=CLOCK, file=file, waits=False):
        raise AssertionError("the lock was taken")
    with DotLock(b"/m/y", files=files, clock=CLOCK, file=file):
        with pytest.raises(LockHeld), DotLock(b"/m/y", files=files, clock=CLOCK, file=file, waits=False):
            raise AssertionError("the lock was taken")
        assert "/m/y.lock" in files.files()


def test_the_file_may_be_removed_by_others() -> None:
    """Files in tmp/ are, after a while: the next lock has a file of its own, which stays."""
    files, file = fresh()
    take(files, file, FEW + 1)
    [before] = kept(files)
    files.unlink(before)
    take(files, file)
    [after] = kept(files)
    assert after != before


@pytest.mark.parametrize("operation", ["rename", "link"])
def test_where_there_can_be_no_link(operation: str) -> None:
    """Locks on another file system, or one without links: each has its own file, and none is left."""
    files, file = fresh()
    files.fail = lambda step, _path: errno.EXDEV if step == operation else None
    take(files, file, FEW + 3)
    assert {} == files.files()


def test_another_programs_lock_is_not_kept() -> None:
    """It thought us dead, and has made a lock of its own in ours' place."""
    files, file = fresh()
    take(files, file, FEW)
    with DotLock(b"/m/x", files=files, clock=CLOCK, file=file):
        files.unlink("/m/x.lock")
        files.make_file("/m/x.lock", b"1:elsewhere")
    assert [] == kept(files)
    take(files, file)


def test_threads_take_turns(tmp_path: Path) -> None:
    """Many locks of few threads, without one mutex over them: never two at once."""
    (tmp_path / "tmp").mkdir()
    lock = os.fsencode(tmp_path / "x")
    file = LockFile(os.fsencode(tmp_path / "tmp"), files=DISK, names=NameMaker(CLOCK, host=b"h"))
    holders: list[int] = []

    def work() -> None:
        for _ in range(100):
            with DotLock(lock, files=DISK, clock=CLOCK, file=file):
                holders.append(1)
                most.append(len(holders))
                holders.pop()

    most: list[int] = []
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 300 == len(most)
    assert 1 == max(most)
    file.remove()
    assert ["tmp"] == os.listdir(tmp_path)
    assert [] == os.listdir(tmp_path / "tmp")
