"""The promise of 250: a commit that returned survives every crash; one that failed leaves nothing."""

import asyncio
import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from fakes.crash_file_system import CrashFileSystem, Stopped
from fakes.crash_survivors import Survives
from fakes.immediate_fsyncs import ImmediateFsyncs
from pillarbox.files.file_system import DiskFileSystem
from pillarbox.files.fsync_batch import Done
from pillarbox.files.write_order import Order
from pillarbox.queue.incoming import IncomingQueue, QueueFileFault, sweep
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_ids import is_queue_id
from pillarbox.vocabulary.clock import ManualClock

INCOMING = "/q/incoming"
HEAD = b"C" * 97


def new_queue(
    files: CrashFileSystem, *, waits: bool = False, clock: ManualClock | None = None
) -> IncomingQueue:
    files.make_directories(INCOMING)
    return IncomingQueue(
        QueueDirectories("/q", file_system=files),
        clock=clock or ManualClock(),
        file_system=files,
        fsyncs=lambda: ImmediateFsyncs(files),
        may_wait=lambda: waits,
    )


def content(number: int) -> list[bytes]:
    return [HEAD, b"message %d " % number * 50, b"E\0"]


async def commit_all(
    queue: IncomingQueue, rounds: int, together: int, *, refused: list[bool]
) -> dict[str, bytes]:
    """Commit messages, some at a time; content of those that were promised, by id.  `refused`: disk full or not."""
    promised: dict[str, bytes] = {}

    async def one(number: int) -> None:
        try:
            file = queue.take()
            await queue.commit(file, content(number))
        except QueueFileFault as fault:
            refused.append(fault.full)
            return
        promised[file.queue_id] = b"".join(content(number))

    for number in range(rounds):
        async with asyncio.TaskGroup() as tasks:
            for other in range(together):
                tasks.create_task(one(number * together + other))
    return promised


def until_stopped(files: CrashFileSystem, together: int, *, waits: bool = False) -> dict[str, bytes]:
    """Six commits, some at a time, until the file system stops the process; what was promised till then."""
    promised: dict[str, bytes] = {}

    async def one(queue: IncomingQueue, number: int) -> None:
        file = queue.take()
        await queue.commit(file, content(number))
        promised[file.queue_id] = b"".join(content(number))

    async def run() -> None:
        queue = new_queue(files, waits=waits)
        for number in range(0, 6, together):
            async with asyncio.TaskGroup() as tasks:
                for other in range(together):
                    tasks.create_task(one(queue, number + other))

    async def stopping() -> None:
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(run())
            asyncio.get_running_loop().set_exception_handler(lambda _, context: work.cancel())

    try:
        asyncio.run(stopping())
    except* Stopped:
        pass
    return promised


def steps_of_work(together: int = 3, *, waits: bool = False, order: Order = Order.NONE) -> int:
    files = CrashFileSystem(order=order)
    assert len(until_stopped(files, together, waits=waits)) == 6
    return len(files.steps)


def messages(files: CrashFileSystem) -> dict[str, bytes]:
    """What the queue manager would find."""
    names = {path.rpartition("/")[2]: data for path, data in files.files().items()}
    return {name: data for name, data in names.items() if is_queue_id(name)}


@pytest.mark.parametrize(("together", "waits"), [(1, False), (3, False), (3, True)])
@pytest.mark.parametrize("order", Order)
def test_what_was_promised_survives_a_crash_at_any_step(order: Order, together: int, waits: bool) -> None:
    """Stopped before step n, for every n: each promised message is there, whole; none is there in part."""
    whole = {b"".join(content(number)) for number in range(6)}
    for step in range(steps_of_work(together, waits=waits, order=order) + 1):
        files = CrashFileSystem(stop_at=step, order=order)
        promised = until_stopped(files, together, waits=waits)
        for survives in Survives:
            found = messages(files.crash(survives))
            assert {name: found.get(name) for name in promised} == promised, (step, survives)
            assert set(found.values()) <= whole, (step, survives)


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_an_error_at_any_step_is_told_and_leaves_nothing(number: int, order: Order, waits: bool) -> None:
    """Each step fails once: whoever is concerned gets QueueFileFault, and no message is there unpromised."""
    total = steps_of_work(waits=waits, order=order)
    for step in range(total):
        files = CrashFileSystem(order=order)
        files.fail = lambda operation, path, files=files, step=step: (
            number if len(files.steps) == step and operation != "unlink" else None
        )
        refused: list[bool] = []
        promised = asyncio.run(session(files, refused, waits=waits))
        assert set(refused) <= {number == errno.ENOSPC}
        assert messages(files) == promised, (step, files.steps[step - 1 : step + 1])


async def session(files: CrashFileSystem, refused: list[bool], *, waits: bool = False) -> dict[str, bytes]:
    queue = new_queue(files, waits=waits)
    promised: dict[str, bytes] = {}
    try:
        for _ in range(2):
            promised |= await commit_all(queue, 1, 3, refused=refused)
    finally:
        queue.close()
    return promised


def test_no_error_means_no_temporary_file_after_close() -> None:
    """The reserve is taken away; what stays are the messages."""
    files = CrashFileSystem()
    promised = asyncio.run(session(files, []))
    assert len(promised) == 6
    assert set(files.files()) == {f"{INCOMING}/{queue_id}" for queue_id in promised}


def test_messages_that_come_together_share_one_directory_fsync() -> None:
    """Twenty commits at once need far fewer fsyncs of the directory, and one of each file."""
    files = CrashFileSystem()

    async def run() -> None:
        queue = new_queue(files)
        await commit_all(queue, 1, 20, refused=[])
        queue.close()

    asyncio.run(run())
    operations = [operation for operation, _ in files.steps]
    assert operations.count("fsync") == 20
    assert operations.count("sync_directory") <= 3


def test_a_message_with_nobody_beside_it_is_committed_at_once() -> None:
    """Nobody else is to be served: the commit is done without a turn of the loop.  Not so a large one."""
    files = CrashFileSystem()

    async def run() -> list[bool]:
        queue = new_queue(files, waits=True)
        done = []
        for size in (100, 70_000):
            commit = queue.commit(queue.take(), [bytes(size)])
            try:
                commit.send(None)
            except StopIteration:
                done.append(True)
            else:
                done.append(False)
                commit.close()
        queue.close()
        return done

    assert asyncio.run(run()) == [True, False]


@pytest.mark.parametrize(
    ("order", "together", "waits"),
    [
        (Order.NONE, 1, ["fsync", "sync_directory"] * 6),
        (Order.BY_FILE, 1, ["fsync"] * 6),
        (Order.BY_DIRECTORY, 1, ["fsync"] * 6),
        (Order.NONE, 3, ["fsync", "fsync", "fsync", "sync_directory"] * 2),
        (Order.BY_FILE, 3, ["fsync", "fsync", "fsync"] * 2),
        (Order.BY_DIRECTORY, 3, ["sync_directory"] * 2),
    ],
)
def test_the_disk_is_waited_for_once(order: Order, together: int, waits: list[str]) -> None:
    """Where the file system keeps order; by the book it is the files, and then the directory."""
    files = CrashFileSystem(order=order)
    until_stopped(files, together)
    assert [step for step, _ in files.steps if step in ("fsync", "sync_directory")] == waits


class SlowDisk(CrashFileSystem):
    """A disk that takes a tenth of a second for what is written out, the first time."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(order=Order.BY_FILE)
        self._clock = clock
        self._seconds = 0.1

    def finish_write_out(self, fds: Sequence[int]) -> list[OSError | None]:
        """See the class."""
        self._clock.advance(self._seconds)
        self._seconds = 0.0
        return super().finish_write_out(fds)


def test_the_loop_does_not_wait_for_a_slow_disk_again() -> None:
    """Not soon: the next batch is synced by the book, one that comes later in order again; a large one never is."""
    clock = ManualClock()
    files = SlowDisk(clock)

    async def batch(queue: IncomingQueue, octets: int) -> int:
        before = len(files.steps)
        await asyncio.gather(*(queue.commit(queue.take(), [HEAD, bytes(octets)]) for _ in range(3)))
        return [step for step, _ in files.steps[before:]].count("write_out")

    async def run() -> list[int]:
        queue = new_queue(files, clock=clock)
        counts = [await batch(queue, 10), await batch(queue, 10)]
        clock.advance(1.1)
        return [*counts, await batch(queue, 10), await batch(queue, 70_000)]

    assert asyncio.run(run()) == [3, 0, 3, 0]


class NotingDisk(CrashFileSystem):
    """A disk that keeps order, tells when contents are begun and waited for, and does not take the second."""

    def __init__(self) -> None:
        super().__init__(order=Order.BY_FILE)
        self.said: list[str] = []

    def begin_write_out(self, fd: int, known: Order | None = None) -> Order:
        """See the class."""
        self.said.append("begun")
        return super().begin_write_out(fd, known)

    def finish_write_out(self, fds: Sequence[int]) -> list[OSError | None]:
        """See the class."""
        self.said.append("waited for")
        first, _, *others = super().finish_write_out(fds)
        return [first, OSError(errno.EIO, "injected"), *others]


def test_the_disk_begins_while_others_are_served() -> None:
    """Contents are waited for when the loop has done what else there was; one that failed fails alone."""
    files = NotingDisk()

    async def serve() -> None:
        files.said.append("served")

    async def run() -> list[BaseException | None]:
        queue = new_queue(files)
        commits = [queue.commit(queue.take(), [HEAD, b"text"]) for _ in range(3)]
        results = await asyncio.gather(*commits, serve(), return_exceptions=True)
        queue.close()
        return results

    first, second, third, _ = asyncio.run(run())
    assert files.said == ["begun", "begun", "begun", "served", "waited for"]
    assert (first, str(second), third) == (None, "queue file write error: injected", None)
    assert len(messages(files)) == 2


def test_every_file_gets_its_own_id() -> None:
    """Ids are made of the clock and the inode: even when the clock stands still no two are equal."""
    files = CrashFileSystem()

    async def run() -> set[str]:
        queue = new_queue(files)
        ids = {queue.take().queue_id for _ in range(50)}
        queue.close()
        return {str(one) for one in ids}

    assert len(asyncio.run(run())) == 50


def test_a_spilled_message_is_written_in_order() -> None:
    """Content written ahead, then the rest, then the size record over its place."""
    files = CrashFileSystem()

    async def run() -> str:
        queue = new_queue(files)
        file = queue.take()
        await queue.spill(file, [bytes(97), b"first "])
        await queue.spill(file, [b"second "])
        await queue.commit(file, [b"last"], head=HEAD)
        queue.close()
        return file.queue_id

    queue_id = asyncio.run(run())
    assert files.crash(Survives.SYNCED).files() == {f"{INCOMING}/{queue_id}": HEAD + b"first second last"}


def test_what_is_given_back_is_used_again_unless_written_to() -> None:
    """An empty file goes back into the reserve; one with content is removed."""
    files = CrashFileSystem()

    async def run() -> tuple[bool, bool]:
        queue = new_queue(files)
        empty = queue.take()
        queue.give_back(empty)
        again = queue.take() is empty
        await queue.spill(empty, [b"x"])
        queue.give_back(empty)
        other = queue.take() is empty
        queue.close()
        return again, other

    assert asyncio.run(run()) == (True, False)


class SlowWriter(CrashFileSystem):
    """A disk that makes the first writer wait for 0.1 s, and tells who has written."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.by_loop: list[bool] = []
        self._clock = clock

    def write_all(self, fd: int, chunks: Sequence[bytes]) -> int:
        """See the class."""
        if not self.by_loop:
            self._clock.advance(0.1)
        self.by_loop.append(threading.current_thread() is threading.main_thread())
        return super().write_all(fd, chunks)


def test_what_is_spilled_is_written_by_the_loop_unless_that_took_long() -> None:
    """Then a thread does it, for ten times as long as it took."""
    clock = ManualClock()
    files = SlowWriter(clock)

    async def run() -> None:
        queue = new_queue(files, clock=clock)
        file = queue.take()
        await queue.spill(file, [b"first "])
        await queue.spill(file, [b"second "])
        clock.advance(1.1)
        await queue.spill(file, [b"third"])
        queue.give_back(file)
        queue.close()

    asyncio.run(run())
    assert files.by_loop == [True, False, True]


class HeldDisk(DiskFileSystem):
    """The first write takes long; those that come then begin, and go on when they may."""

    def __init__(self, clock: ManualClock) -> None:
        self.begun = threading.Event()
        self.may_go_on = threading.Event()
        self._clock: ManualClock | None = clock

    def write_all(self, fd: int, chunks: Sequence[bytes]) -> int:
        if self._clock is not None:
            self._clock.advance(0.1)
            self._clock = None
            return super().write_all(fd, chunks)
        self.begun.set()
        self.may_go_on.wait()
        return super().write_all(fd, chunks)


def test_a_session_that_ends_while_a_thread_writes(tmp_path: Path) -> None:
    """What it began to write cannot get into the file of the next message."""
    directories = QueueDirectories(str(tmp_path))
    directories.create()
    clock = ManualClock()
    disk = HeldDisk(clock)

    async def run() -> bytes:
        queue = IncomingQueue(directories, clock=clock, file_system=disk)
        file = queue.take()
        await queue.spill(file, [b"the beginning "])
        async with asyncio.TaskGroup() as tasks:
            session = tasks.create_task(queue.spill(file, [b"of the first"]))
            await asyncio.to_thread(disk.begun.wait)
            session.cancel()
        queue.give_back(file)
        other = queue.take()
        disk.may_go_on.set()
        queue.close()  # the thread has ended
        return os.pread(other.descriptor, 100, 0)

    assert asyncio.run(run()) == b""
    assert len(os.listdir(tmp_path / "incoming")) == 1  # the other's


def test_a_commit_that_nobody_waits_for_is_a_commit(tmp_path: Path) -> None:
    """A cancelled session does not stop the batch that others are in."""
    directories = QueueDirectories(str(tmp_path))
    directories.create()

    async def run() -> str:
        queue = IncomingQueue(directories, clock=ManualClock())
        file, other = queue.take(), queue.take()
        waiting = asyncio.gather(queue.commit(other, content(1)))
        async with asyncio.TaskGroup() as tasks:
            lost = tasks.create_task(queue.commit(file, content(0)))
            await asyncio.sleep(0)
            lost.cancel()
        await waiting
        queue.close()
        return other.queue_id

    assert asyncio.run(run()) in os.listdir(tmp_path / "incoming")


def test_sweep_removes_what_a_dead_process_left(tmp_path: Path) -> None:
    """Unfinished files of processes that are gone; not ours, and no messages."""
    directories = QueueDirectories(str(tmp_path))
    directories.create()
    keep = [f"123.{os.getpid()}.1", "10F512301A4", "note.txt"]
    for name in [*keep, "123.4194305.1", "9.4194305.22"]:
        (tmp_path / "incoming" / name).touch()
    assert sweep(directories) == 2
    assert sorted(os.listdir(tmp_path / "incoming")) == sorted(keep)


class HeldFsyncs:
    """Fsyncs that are done when the test says so.  `groups` are those that have not been."""

    def __init__(self) -> None:
        self.groups: list[tuple[int, Done]] = []

    def start(self, descriptors: Sequence[int], done: Done) -> None:
        """Take note."""
        self.groups.append((len(descriptors), done))

    def finish(self) -> None:
        """The oldest of them."""
        size, done = self.groups.pop(0)
        done([None] * size)

    def close(self) -> None:
        """Nothing is waited for."""


@pytest.mark.parametrize(
    ("first", "second", "begun"),
    [(2, 2, [2, 2]), (2, 3, [2]), (6, 1, [6])],
    ids=["few go beside each other", "more wait", "many are waited for"],
)
def test_many_messages_share_a_batch(tmp_path: Path, first: int, second: int, begun: list[int]) -> None:
    """While a batch is under way, the messages that come are gathered for the next, unless they are few together."""
    directories = QueueDirectories(str(tmp_path))
    directories.create()

    async def run() -> None:
        held = HeldFsyncs()
        queue = IncomingQueue(directories, clock=ManualClock(), fsyncs=lambda: held)
        async with asyncio.TaskGroup() as tasks:
            for number in (first, second):
                for at in range(number):
                    tasks.create_task(queue.commit(queue.take(), content(at)))
                for _ in range(4):
                    await asyncio.sleep(0)
            assert [size for size, _ in held.groups] == begun
            while held.groups:  # files, then their directory, batch by batch
                held.finish()
                for _ in range(4):
                    await asyncio.sleep(0)
        queue.close()
        assert len(os.listdir(tmp_path / "incoming")) == first + second

    asyncio.run(run())


def test_a_commit_knows_its_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question for the running loop is a system call (getpid), for each message."""
    directories = QueueDirectories(str(tmp_path))
    directories.create()

    async def run() -> None:
        held = HeldFsyncs()
        queue = IncomingQueue(directories, clock=ManualClock(), fsyncs=lambda: held)
        monkeypatch.setattr(asyncio, "get_running_loop", None)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(queue.commit(queue.take(), content(1)))
            tasks.create_task(queue.commit(queue.take(), content(2)))
            for _ in range(4):
                await asyncio.sleep(0)
            while held.groups:
                held.finish()
        monkeypatch.undo()
        queue.close()

    asyncio.run(run())
    assert len(os.listdir(tmp_path / "incoming")) == 2
