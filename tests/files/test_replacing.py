"""A file replaced as a whole: old or new, whenever the machine stops or the disk fails."""

import errno

import pytest

from fakes.crash_file_system import CrashFileSystem, Stopped
from fakes.crash_survivors import Survives
from pillarbox.files.replacing import replace_file

PATH = "/store/acl"
TEMPORARY = "/store/acl.new"
OLD, NEW = b"old " * 20, b"new " * 30


def with_old(stop_at: int | None = None) -> CrashFileSystem:
    """A file that has been there for long; `stop_at` counts from here."""
    files = CrashFileSystem()
    files.make_directories("/store")
    files.make_file(PATH, OLD)
    files.make_file(TEMPORARY, b"what a writer that died has left, longer than all that comes" * 10)
    if stop_at is not None:
        files.stop_at = len(files.steps) + stop_at
    return files


def replace(files: CrashFileSystem) -> None:
    """As a store does it."""
    replace_file(files, PATH, [NEW[:50], NEW[50:]], temporary=TEMPORARY)


@pytest.mark.parametrize("survives", Survives)
def test_old_or_new_after_a_crash(survives: Survives) -> None:
    """At every step; and new for certain when it has returned."""
    finished = False
    contents = set()
    for step in range(40):
        files = with_old(step)
        try:
            replace(files)
            finished = True
        except Stopped:
            pass
        content = files.crash(survives).read_file(PATH)
        assert content in ({NEW} if finished else {OLD, NEW}), step
        contents.add(content)
        if finished:
            break
    assert finished
    assert contents == {OLD, NEW}


@pytest.mark.parametrize("operation", ["truncate", "write", "fsync", "rename"])
def test_a_failing_disk_leaves_the_old(operation: str) -> None:
    """The error comes to the caller."""
    files = with_old()
    failed: list[str] = []

    def fail(name: str, path: str) -> int | None:
        if name == operation:
            failed.append(path)
            return errno.ENOSPC
        return None

    files.fail = fail
    with pytest.raises(OSError, match="No space left"):
        replace(files)
    assert failed
    assert files.read_file(PATH) == OLD
