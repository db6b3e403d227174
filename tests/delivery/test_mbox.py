"""mbox files: what is acknowledged survives, what fails leaves nothing behind, and locks are kept."""

import errno
import fcntl
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.crash_file_system import CrashFileSystem, Stopped
from fakes.crash_survivors import Survives
from pillarbox.delivery.mbox import MboxFault, MboxLocks, append, as_mbox
from pillarbox.files.file_system import DiskFileSystem
from pillarbox.mailstore.deliver import Unreadable

NO_LOCKS = MboxLocks(frozenset())
IMPATIENT = MboxLocks(attempts=1)
BEFORE = b"From a  Mon Jan  1 00:00:00 2026\n\nbefore\n\n"
MESSAGE = [b"From b  Mon Jan  1 00:00:00 2026\n", b"Subject: x\n\nbody\n\n"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"A: b\n\nx\n", b"A: b\n\nx\n\n"),
        (b"A: b\n\nFrom x\nFrom y\n", b"A: b\n\n>From x\n>From y\n\n"),
        (b"From the start\n", b">From the start\n\n"),
        (b"A: b\n\n>From x\n from\nfrom \nFrom\n", b"A: b\n\n>From x\n from\nfrom \nFrom\n\n"),
        (b"", b"\n"),
    ],
)
def test_quoting(content: bytes, expected: bytes) -> None:
    """`From ` at the beginning of a line is quoted, once; an empty line follows."""
    assert b"".join(as_mbox([content])) == expected


_LINES = st.lists(
    st.sampled_from((b"From x\n", b"from x\n", b"\n", b".\n", b"A: b\n", b">From x\n")), max_size=12
)


@given(st.lists(_LINES, max_size=5))
def test_blocks_of_lines_are_quoted_as_the_whole(blocks: list[list[bytes]]) -> None:
    """However the lines are divided."""
    whole = b"".join(line for block in blocks for line in block)
    assert b"".join(as_mbox(b"".join(block) for block in blocks)) == b"".join(as_mbox([whole]))


def _cut_off() -> Iterator[bytes]:
    yield b"From b\n\n"
    for _ in range(3):
        yield b"x" * 400_000
    raise Unreadable("damaged")


def test_what_cannot_be_read_to_its_end_leaves_nothing(tmp_path: Path) -> None:
    """A large message is written while it is read."""
    path = tmp_path / "box"
    path.write_bytes(BEFORE)
    with pytest.raises(Unreadable):
        append(os.fsencode(path), _cut_off(), locks=NO_LOCKS)
    assert path.read_bytes() == BEFORE


def test_a_large_message_that_is_too_large_leaves_nothing(tmp_path: Path) -> None:
    """Which shows in the middle of it."""
    path = tmp_path / "box"
    path.write_bytes(BEFORE)
    blocks = (b"x" * 300_000 for _ in range(10))
    with pytest.raises(MboxFault, match="File too large"):
        append(os.fsencode(path), blocks, locks=NO_LOCKS, size_limit=2_000_000)
    assert path.read_bytes() == BEFORE
    assert next(blocks, b""), "no more of it was read than was needed"


def test_a_small_message_is_written_in_one_call(tmp_path: Path) -> None:
    """Whoever reads the file without a lock sees all of it or nothing."""
    writes: list[int] = []

    class Counting(DiskFileSystem):
        def write_all(self, fd: int, chunks: Sequence[bytes]) -> int:
            writes.append(len(chunks))
            return super().write_all(fd, chunks)

    append(
        os.fsencode(tmp_path / "box"),
        iter((b"From b\n", b"A: b\n\n", b"\n")),
        locks=NO_LOCKS,
        files=Counting(),
    )
    assert writes == [3]


def _fresh(*, there: bool, stop_at: int | None = None) -> CrashFileSystem:
    files = CrashFileSystem()
    files.make_directories("/var/mail")
    if there:
        files.make_file("/var/mail/me", BEFORE)
    files.stop_at = stop_at
    return files


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("survives", Survives)
def test_what_is_acknowledged_survives_a_crash(survives: Survives, *, there: bool) -> None:
    """After the call the message is there, whatever the disk forgot."""
    files = _fresh(there=there)
    append(b"/var/mail/me", MESSAGE, locks=NO_LOCKS, files=files)
    before = BEFORE if there else b""
    assert files.crash(survives).files()["/var/mail/me"] == before + b"".join(MESSAGE)


@pytest.mark.parametrize("there", [True, False])
def test_a_crash_at_any_step_loses_nothing_of_before(*, there: bool) -> None:
    """What was in the file stays; behind it is a beginning of the message at most."""
    complete = _fresh(there=there)
    append(b"/var/mail/me", MESSAGE, locks=NO_LOCKS, files=complete)
    before = BEFORE if there else b""
    for step in range(len(complete.steps)):
        stopped = _fresh(there=there, stop_at=step)
        with pytest.raises(Stopped):
            append(b"/var/mail/me", MESSAGE, locks=NO_LOCKS, files=stopped)
        for survives in Survives:
            content = stopped.crash(survives).files().get("/var/mail/me", before)
            assert content.startswith(before), (step, survives)
            assert b"".join(MESSAGE).startswith(content.removeprefix(before)), (step, survives)


@pytest.mark.parametrize(
    ("step", "number", "dsn"),
    [
        ("write", errno.ENOSPC, "4.3.0"),
        ("write", errno.EDQUOT, "5.2.2"),
        ("write", errno.EIO, "5.2.0"),
        ("fsync", errno.EIO, "5.2.0"),
    ],
)
def test_what_cannot_be_written_is_taken_back(step: str, number: int, dsn: str) -> None:
    """The file is as it was, and the code is that of Postfix."""
    files = _fresh(there=True)
    files.fail = lambda operation, path: number if operation == step else None
    with pytest.raises(MboxFault) as fault:
        append(b"/var/mail/me", MESSAGE, locks=NO_LOCKS, files=files)
    assert (fault.value.dsn, fault.value.text) == (dsn, f"error writing message: {os.strerror(number)}")
    assert files.files()["/var/mail/me"] == BEFORE


def test_size_limit(tmp_path: Path) -> None:
    """A file may become as large as the limit, and no larger."""
    path = tmp_path / "mbox"
    append(os.fsencode(path), [b"x" * 10], locks=IMPATIENT, size_limit=10)
    with pytest.raises(MboxFault, match="File too large") as fault:
        append(os.fsencode(path), [b"x"], locks=IMPATIENT, size_limit=10)
    assert fault.value.dsn == "5.2.2"
    assert path.read_bytes() == b"x" * 10


def _append_many(path: bytes, letter: bytes, count: int) -> None:
    for _ in range(count):
        append(path, [letter * 1000, b"\n"], locks=MboxLocks(attempts=1000, delay=0.001))


def test_two_programs_at_once(tmp_path: Path) -> None:
    """Messages of several processes are whole."""
    path = os.fsencode(tmp_path / "mbox")
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_append_many, args=(path, letter, 20)) for letter in (b"a", b"b")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    lines = (tmp_path / "mbox").read_bytes().split(b"\n")[:-1]
    assert sorted(lines) == [b"a" * 1000] * 20 + [b"b" * 1000] * 20
    assert [entry.name for entry in tmp_path.iterdir()] == ["mbox"]


def test_a_lock_file_of_another_is_waited_for(tmp_path: Path) -> None:
    """In vain: the mail waits, and the other's lock stays."""
    path = tmp_path / "mbox"
    lock = tmp_path / "mbox.lock"
    lock.touch()
    with pytest.raises(MboxFault, match=f"unable to create lock file {lock}: File exists") as fault:
        append(os.fsencode(path), MESSAGE, locks=IMPATIENT)
    assert fault.value.dsn == "4.2.0"
    assert lock.exists()
    assert not path.exists()


def test_a_stale_lock_file_is_removed(tmp_path: Path) -> None:
    """An old one was left behind by a crash."""
    path = tmp_path / "mbox"
    lock = tmp_path / "mbox.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    append(os.fsencode(path), MESSAGE, locks=MboxLocks(attempts=2, delay=0.001))
    assert path.read_bytes() == b"".join(MESSAGE)
    assert not lock.exists()


def test_a_stale_lock_file_that_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is somebody else's in a directory like /tmp."""
    lock = tmp_path / "mbox.lock"
    lock.touch()
    os.utime(lock, (1, 1))

    def refuse(path: bytes) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(MboxFault, match=r"unable to create lock file .*: Operation not permitted") as caught:
        append(os.fsencode(tmp_path / "mbox"), MESSAGE, locks=MboxLocks(attempts=2, delay=0.001))
    assert caught.value.dsn == "5.2.0"


def _hold(
    path: str, ready: "multiprocessing.synchronize.Event", done: "multiprocessing.synchronize.Event"
) -> None:
    with open(path, "ab") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        ready.set()
        done.wait(45)


def test_a_kernel_lock_of_another_is_waited_for(tmp_path: Path) -> None:
    """fcntl's locks are between processes."""
    path = tmp_path / "mbox"
    path.write_bytes(BEFORE)
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(str(path), ready, done))
    process.start()
    try:
        assert ready.wait(45)
        with pytest.raises(MboxFault, match="unable to lock for exclusive access") as fault:
            append(os.fsencode(path), MESSAGE, locks=IMPATIENT)
        assert fault.value.dsn == "4.2.0"
        assert path.read_bytes() == BEFORE
        assert not (tmp_path / "mbox.lock").exists()
    finally:
        done.set()
        process.join()


def test_where_no_lock_file_can_be_made(tmp_path: Path) -> None:
    """A device gets none, and a file whose directory is another's does without one, if the caller says so."""
    append(b"/dev/null", MESSAGE, locks=IMPATIENT)
    path = os.fsencode(tmp_path / ("x" * 252))  # no room in a name for .lock
    warnings: list[str] = []
    append(path, MESSAGE, locks=IMPATIENT, lock_file_may_fail=True, warn=warnings.append)
    assert len(warnings) == 1
    with pytest.raises(MboxFault, match=r"unable to create lock file"):
        append(path, MESSAGE, locks=IMPATIENT)


def test_links(tmp_path: Path) -> None:
    """Neither a symbolic link of a user's nor a second name leads to a mailbox."""
    goal = tmp_path / "goal"
    goal.write_bytes(b"")
    link = tmp_path / "link"
    link.symlink_to(goal)
    tmp_path.chmod(0o777)
    with pytest.raises(MboxFault, match="file is a symbolic link"):
        append(os.fsencode(link), MESSAGE, locks=IMPATIENT)
    (tmp_path / "second").hardlink_to(goal)
    with pytest.raises(MboxFault, match="file has 2 hard links"):
        append(os.fsencode(goal), MESSAGE, locks=IMPATIENT)
    assert goal.read_bytes() == b""
