"""The model of a disk that loses what was not fsynced keeps its own promises."""

import errno
import os
from pathlib import Path

import pytest

from fakes.crash_file_system import CrashFileSystem, Stopped
from fakes.crash_survivors import Survives
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.files.write_order import Order, WrittenOut


def _store(files: FileSystem, *, sync_file: bool = True, sync_directory: bool = True) -> None:
    fd = files.open("/box/tmp/m", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    files.write_all(fd, [b"he", b"llo"])
    if sync_file:
        files.fsync(fd)
    files.close(fd)
    files.rename("/box/tmp/m", "/box/new/m")
    if sync_directory:
        files.sync_directory("/box/new")


def _fresh(stop_at: int | None = None) -> CrashFileSystem:
    files = CrashFileSystem(stop_at=stop_at)
    files.make_directories("/box/tmp")
    files.make_directories("/box/new")
    return files


@pytest.mark.parametrize("survives", Survives)
def test_what_was_synced_survives(survives: Survives) -> None:
    """Content fsynced and directory fsynced: there after any crash."""
    files = _fresh()
    _store(files)
    assert b"hello" == files.crash(survives).files()["/box/new/m"]


CARELESS = [
    ("no fsync of the directory", Survives.SYNCED, True, False, {}),
    ("no fsync of the file", Survives.SYNCED, False, True, {"/box/new/m": b""}),
    ("names before data", Survives.NAMES, False, False, {"/box/new/m": b""}),
    ("only the process died", Survives.ALL, False, False, {"/box/new/m": b"hello"}),
]


@pytest.mark.parametrize(
    ("name", "survives", "sync_file", "sync_directory", "expected"),
    CARELESS,
    ids=[row[0] for row in CARELESS],
)
def test_what_was_not_synced_is_lost(
    name: str, survives: Survives, sync_file: bool, sync_directory: bool, expected: dict[str, bytes]
) -> None:
    """A missing fsync shows."""
    files = _fresh()
    _store(files, sync_file=sync_file, sync_directory=sync_directory)
    assert expected == files.crash(survives).files()


ORDERED = [
    ("named in order", Survives.NAMES, Order.BY_FILE, True, "", {"/box/new/m": b"hello"}),
    ("nothing synced", Survives.SYNCED, Order.BY_FILE, True, "", {}),
    ("fsynced after", Survives.SYNCED, Order.BY_FILE, True, "file", {"/box/new/m": b"hello"}),
    ("the directory", Survives.SYNCED, Order.BY_FILE, True, "directory", {"/box/new/m": b""}),
    ("by directory", Survives.SYNCED, Order.BY_DIRECTORY, True, "directory", {"/box/new/m": b"hello"}),
    ("by file as well", Survives.SYNCED, Order.BY_DIRECTORY, True, "file", {"/box/new/m": b"hello"}),
    ("not written out before", Survives.SYNCED, Order.BY_FILE, False, "file", {}),
    ("nor the directory's", Survives.SYNCED, Order.BY_DIRECTORY, False, "directory", {"/box/new/m": b""}),
    ("not written out", Survives.NAMES, Order.BY_FILE, False, "", {"/box/new/m": b""}),
]


@pytest.mark.parametrize(
    ("name", "survives", "order", "write_out", "sync", "expected"), ORDERED, ids=[row[0] for row in ORDERED]
)
def test_a_file_system_that_keeps_order(
    name: str, survives: Survives, order: Order, write_out: bool, sync: str, expected: dict[str, bytes]
) -> None:
    """What was written out before it was named comes with the name, and one fsync brings both."""
    files = _fresh()
    files.order = order
    fd = files.open("/box/tmp/m", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    files.write_all(fd, [b"hello"])
    assert not write_out or files.write_out([fd]) == WrittenOut(order, [None])
    files.rename("/box/tmp/m", "/box/new/m")
    if sync == "file":
        files.fsync(fd)
    elif sync == "directory":
        files.sync_directory("/box/new")
    assert expected == files.crash(survives).files()


def test_stop_before_each_step() -> None:
    """A killed process does nothing more, and the model can be stopped before each of its steps."""
    files = _fresh()
    _store(files)
    assert ["create", "write", "fsync", "rename", "sync_directory"] == [step for step, _ in files.steps]
    for step in range(len(files.steps)):
        stopped = _fresh(stop_at=step)
        with pytest.raises(Stopped):
            _store(stopped)
        assert step == len(stopped.steps)
        with pytest.raises(Stopped):
            stopped.mkdir("/later")


def test_a_write_may_be_torn() -> None:
    """A process killed in write(2) may have written a part."""
    stopped = _fresh(stop_at=1)
    fd = stopped.open("/box/tmp/m", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(Stopped):
        stopped.write_all(fd, [b"half" * 10, b"gone" * 10])
    assert {"/box/tmp/m": b"half" * 10} == stopped.crash(Survives.ALL).files()


def test_errors_are_injected() -> None:
    """`fail` makes a step raise the errno that it returns."""
    files = _fresh()
    files.fail = lambda operation, path: errno.ENOSPC if operation == "write" else None
    with pytest.raises(OSError, match="No space left"):
        _store(files)


@pytest.mark.parametrize("kind", ["disk", "model"])
def test_both_file_systems_behave_alike(kind: str, tmp_path: Path) -> None:
    """The model's calls do what the kernel's do."""
    files: FileSystem
    if kind == "disk":
        files, root = DISK, str(tmp_path)
    else:
        model = CrashFileSystem()
        model.make_directories("/root")
        files, root = model, "/root"
    files.mkdir(f"{root}/d")
    fd = files.open(f"{root}/d/a", os.O_RDWR | os.O_CREAT)
    assert 6 == files.write_all(fd, [b"abc", b"", b"def"])
    assert 2 == files.pwrite(fd, b"XY", 1)
    files.truncate(fd, 5)
    assert b"aXYde" == files.pread(fd, 100, 0)
    assert 5 == files.fstat(fd).st_size
    files.close(fd)
    files.link(f"{root}/d/a", f"{root}/d/b")
    assert 2 == files.stat(f"{root}/d/a").st_nlink
    files.utime(f"{root}/d/a", modified_ns=1_700_000_000_000_000_000)
    assert 1_700_000_000_000_000_000 == files.stat(f"{root}/d/b").st_mtime_ns
    files.chmod(f"{root}/d/b", 0o640)
    assert 0o100640 == files.stat(f"{root}/d/a").st_mode
    assert ["a", "b"] == sorted(files.listdir(f"{root}/d"))
    assert [b"a", b"b"] == sorted(files.listdir(f"{root}/d".encode()))
    with pytest.raises(OSError, match="not empty"):
        files.rmdir(f"{root}/d")
    with pytest.raises(FileExistsError):
        files.link(f"{root}/d/a", f"{root}/d/b")
    files.rename(f"{root}/d/a", f"{root}/d/c")
    files.unlink(f"{root}/d/b")
    assert b"aXYde" == files.read_file(f"{root}/d/c")
    with pytest.raises(FileNotFoundError):
        files.stat(f"{root}/d/a")
    files.unlink(f"{root}/d/c")
    files.rmdir(f"{root}/d")
    assert [] == files.listdir(root)
