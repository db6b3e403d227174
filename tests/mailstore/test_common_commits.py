"""Appends to several mailboxes are stored beside each other on the event loop, and none holds up another."""

import asyncio
import gc
import os
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import AnyStr

import pytest

from fakes.crash_file_system import CrashFileSystem, Stopped
from fakes.crash_survivors import Survives
from fakes.examples import each_third
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.files.fsync_batch import Done as Synced
from pillarbox.files.fsync_batch import background_fsyncs
from pillarbox.files.write_order import Order
from pillarbox.mailstore.deliver import make_maildir
from pillarbox.mailstore.mailbox import NewMessage, StoreUnavailable
from pillarbox.mailstore.maildir import group_commit
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.file_names import NameMaker
from pillarbox.mailstore.maildir.folder_additions import FolderBusy, Groups, Outcomes, append, append_together
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.group_commit import HELD_UP, LARGE, LONG, CommonCommits
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import Uid

NAMES = ("A", "B", "C")


class Waiting(CrashFileSystem):
    """A disk that notes how many files were waited for together."""

    def __init__(self, order: Order = Order.NONE) -> None:
        super().__init__(order=order)
        self.waits: list[int] = []
        self.unfinished: list[object] = []
        for name in NAMES:
            self.make_directories(f"/{name}")
            make_maildir(f"/{name}/M", files=self)

    def fsync_all(self, fds: Sequence[int]) -> list[OSError | None]:
        """As its parent."""
        if fds:
            self.waits.append(len(fds))
        return super().fsync_all(fds)

    def fdatasync(self, fd: int) -> None:
        """As its parent."""
        self.waits.append(1)
        super().fdatasync(fd)

    def sync_directory(self, path: AnyStr) -> None:
        """As its parent."""
        self.waits.append(1)
        super().sync_directory(path)


class HeldFsyncs:
    """fsyncs that are done when the test says so, those that were begun together one after the other."""

    def __init__(self, files: FileSystem) -> None:
        self._files = files
        self.waiting: list[tuple[Sequence[int], Synced]] = []

    def start(self, descriptors: Sequence[int], done: Synced) -> None:
        """Note them."""
        self.waiting.append((descriptors, done))

    def go(self) -> None:
        """Do those that were noted."""
        for _ in range(len(self.waiting)):
            descriptors, done = self.waiting[0]
            synced = self._files.fsync_all(descriptors)
            del self.waiting[0]
            done(synced)

    def close(self) -> None:
        """Do all."""
        while self.waiting:
            self.go()


Jobs = Sequence[tuple[FolderFiles, Groups]]


def store_together(jobs: Jobs, files: Waiting) -> list[Outcomes | BaseException]:
    """Store in all folders at once; what became of each."""

    async def store() -> list[Outcomes | BaseException]:
        fsyncs = HeldFsyncs(files)
        commits = CommonCommits(executor=None, fsyncs=lambda: fsyncs)
        files.unfinished += [fsyncs, commits]  # who is killed does not go on with what it has begun
        found: dict[int, Outcomes | BaseException] = {}
        for at, (folder, groups) in enumerate(jobs):
            commits.store(folder, groups, partial(found.__setitem__, at))
        commits.close()
        return [found[at] for at in range(len(jobs))]

    return asyncio.run(store())


@pytest.fixture
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step holds up the loop, however busy the machine is: else threads would store what comes after it."""
    monkeypatch.setattr(group_commit, "perf_counter", lambda: 0.0)


def folder_in(files: CrashFileSystem, name: str, start: float = 1_700_000_000.0) -> FolderFiles:
    """A folder with a header, listed."""
    clock = ManualClock(start)
    path = f"/{name}/M".encode()
    folder = FolderFiles(path, path, files=files, clock=clock, names=NameMaker(clock, host=name.encode()))
    folder.sync(move_new=False)
    return folder


def message(text: bytes) -> list[list[NewMessage]]:
    """One command with one message."""
    return [[NewMessage(text)]]


@pytest.mark.usefixtures("quick_disk")
@pytest.mark.parametrize(
    ("order", "waits"),
    [(Order.NONE, [1, 1, 1, 2, 2, 2]), (Order.BY_FILE, [2, 2, 2]), (Order.BY_DIRECTORY, [2, 2, 2])],
)
def test_several_mailboxes_wait_for_the_disk_at_once(order: Order, waits: list[int]) -> None:
    """The contents of all, then the names and UIDs of all: none waits until another is stored.

    Where the file system keeps order, no content is waited for by itself.
    """
    files = Waiting(order)
    folders = [folder_in(files, name) for name in NAMES]
    files.waits.clear()
    assert [[[1]], [[1]], [[1]]] == store_together([(one, message(b"x\n")) for one in folders], files)
    assert waits == files.waits
    assert [["x"]] * 3 == [
        [files.files()[path].decode().strip()] for path in sorted(files.files()) if "/cur/" in path
    ]
    assert not [path for path in files.files() if path.endswith(".lock") or "/tmp/" in path]


@pytest.mark.parametrize(
    ("order", "waits"), [(Order.NONE, [3, 6]), (Order.BY_FILE, [6]), (Order.BY_DIRECTORY, [6])]
)
def test_a_thread_waits_for_the_disk_twice_at_most(order: Order, waits: list[int]) -> None:
    """For the contents of all mailboxes, then for the names and UIDs of all: not twice each."""
    files = Waiting(order)
    folders = [folder_in(files, name) for name in NAMES]
    files.waits.clear()
    assert [[[1]], [[1]], [[1]]] == append_together([(one, message(b"x\n")) for one in folders], files)
    assert waits == files.waits


@pytest.mark.usefixtures("quick_disk")
@pytest.mark.parametrize("order", Order)
def test_a_crash_at_any_step_leaves_whole_mailboxes(order: Order) -> None:
    """Whatever was stored when: each mailbox can be opened, its messages are whole, and no UID is given twice."""

    def store(files: Waiting) -> None:
        jobs = [(folder_in(files, name), message(name.encode() + b"\n")) for name in NAMES]
        acknowledged.extend(store_together(jobs, files))

    acknowledged: list[object] = []
    complete = Waiting(order)
    before = len(complete.steps)
    store(complete)
    assert [[[1]]] * 3 == acknowledged
    for survives in Survives:  # what was acknowledged is there
        after = complete.crash(survives)
        for name in NAMES:
            folder = folder_in(after, name, 1_700_000_100.0)
            assert [1] == folder.uids.tolist()
            assert name.encode() + b"\n" == folder.read(1)[0]
    gc.freeze()  # only what comes from here on is looked through again and again
    for step in each_third(range(before, len(complete.steps)), order):
        files = Waiting(order)
        files.stop_at = step
        with pytest.raises(Stopped):
            store(files)
        found = [files.crash(survives) for survives in Survives]
        files.stop_at = None
        files.unfinished.clear()
        gc.collect()  # what was begun ends in the thread that has its locks
        for after in found:
            for name in NAMES:
                folder = folder_in(after, name, 1_700_000_100.0)
                assert {folder.read(uid)[0] for uid in folder.uids} <= {name.encode() + b"\n"}
                [uids] = append(folder, message(b"next\n"))
                assert isinstance(uids, list)
                [uid] = uids
                assert uid not in folder.uids.tolist()[:-1]
                assert b"next\n" == folder.read(uid)[0]
    gc.unfreeze()


@pytest.mark.usefixtures("quick_disk")
@pytest.mark.parametrize("order", Order)
def test_a_fault_hits_its_own_mailbox(order: Order) -> None:
    """The others are stored; of the failing one nothing stays."""
    files = Waiting(order)
    folders = [folder_in(files, name) for name in NAMES]
    files.fail = lambda step, path: 5 if step == "fsync" and path == "/B/M/dovecot-uidlist" else None
    outcomes = store_together([(one, message(b"x\n")) for one in folders], files)
    assert [[1]] == outcomes[0] == outcomes[2]
    assert isinstance(outcomes[1], list)
    assert isinstance(outcomes[1][0], StoreUnavailable)
    assert ["/A/M/cur", "/C/M/cur"] == sorted(
        os.path.dirname(path) for path in files.files() if "/cur/" in path
    )


def test_a_mailbox_in_use_is_left_for_later() -> None:
    """Locked by another program, worked on by a thread, or not looked at: each wants a call of its own."""
    files = Waiting()
    locked, worked_on, fresh = (folder_in(files, name) for name in NAMES)
    files.close(files.open("/A/M/dovecot-uidlist.lock", os.O_WRONLY | os.O_CREAT))
    make_maildir("/C/M", files=files)
    files.close(files.open("/C/M/new/1.delivered", os.O_WRONLY | os.O_CREAT))
    held, done = threading.Event(), threading.Event()

    def work() -> None:
        with worked_on.mutex:
            held.set()
            done.wait()

    thread = threading.Thread(target=work)
    thread.start()
    held.wait()
    try:
        jobs = [(one, message(b"x\n")) for one in (locked, worked_on, fresh)]
        assert [FolderBusy] * 3 == [type(one) for one in append_together(jobs, files)]
    finally:
        done.set()
        thread.join()
    assert not [path for path in files.files() if "/cur/" in path or "/tmp/" in path]
    files.unlink("/A/M/dovecot-uidlist.lock")
    assert [[[1]], [[1]], [[2]]] == [append(one, groups) for one, groups in jobs]


def test_sessions_of_many_mailboxes_get_their_uids(tmp_path: Path) -> None:
    """Eight at once, each into its own, while another program holds the lock of one for a while."""

    async def talk() -> None:
        account = MaildirAccount(str(tmp_path))
        names = [f"Box{number}" for number in range(8)]
        for name in names:
            await account.create(name)
        boxes = [await account.open(name) for name in names]
        lock = tmp_path / ".Box3" / "dovecot-uidlist.lock"
        lock.write_text(f"{os.getppid()}:{os.uname().nodename}")

        async def fill(number: int) -> list[int]:
            return [
                uid
                for part in range(20)
                for uid in await boxes[number].append([NewMessage(b"%d.%d" % (number, part))])
            ]

        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(fill(number)) for number in range(8)]
            await asyncio.wait([task for number, task in enumerate(running) if number != 3])
            assert not running[3].done()  # it waits for the lock, and nobody waits for it
            lock.unlink()
        for number, task in enumerate(running):
            assert list(range(1, 21)) == task.result()
            for part in range(20):
                assert b"%d.%d" % (number, part) == await boxes[number].content(Uid(task.result()[part]))
            boxes[number].close()
        await account.close()

    asyncio.run(talk())


async def settled_inbox(account: MaildirAccount, root: Path) -> MaildirMailbox:
    """INBOX with a message, whose directories have not changed within the tick in which they were listed."""
    box = await account.open("INBOX")
    await box.append([NewMessage(b"first")])
    for name in ("new", "cur"):
        os.utime(root / name, (1_700_000_000.5, 1_700_000_000.5))
    await box.refresh()
    await box.finish()  # no thread is at work in it
    return box


def test_the_loop_is_not_held_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long is stored by a thread, and so is all for a while after a step that the disk has held up.

    After one that took a little long no step waits for contents for a while.
    """
    moments: list[float] = []
    monkeypatch.setattr(group_commit, "perf_counter", lambda: moments.pop(0) if moments else 0.0)
    monkeypatch.setattr(group_commit, "BUSY", 3600.0)
    monkeypatch.setattr(group_commit, "REST", 360_000)

    async def talk() -> None:
        nonlocal moments
        loop = asyncio.get_running_loop()
        account = MaildirAccount(str(tmp_path))
        box = await settled_inbox(account, tmp_path)
        started: list[int] = []

        class Counted(HeldFsyncs):
            """Those of the loop."""

            def __init__(self) -> None:
                self._fsyncs = background_fsyncs()

            def start(self, descriptors: Sequence[int], done: Synced) -> None:
                """Note them, and begin."""
                started.append(len(descriptors))
                self._fsyncs.start(descriptors, done)

            def close(self) -> None:
                """Wait for them."""
                self._fsyncs.close()

        commits = CommonCommits(executor=None, fsyncs=Counted)

        async def store(content: bytes) -> object:
            stored: asyncio.Future[object] = loop.create_future()
            commits.store(box.folder, [[NewMessage(content)]], stored.set_result)
            return await stored

        assert [[2]] == await store(b"small")
        in_order, by_the_book = list(started), [1, 2]
        started.clear()
        assert [[3]] == await store(b"x" * (LARGE + 1))
        assert not started
        moments = [0.0, LONG * 2]
        assert [[4]] == await store(b"small")
        started.clear()
        assert [[5]] == await store(b"small")
        assert by_the_book == started
        started.clear()
        moments = [0.0, HELD_UP * 2]
        assert [[6]] == await store(b"small")
        assert by_the_book == started
        started.clear()
        assert [[7]] == await store(b"small")
        assert not started
        assert in_order in ([2], by_the_book)  # as the file system that the test runs on has it
        box.folder.packing = ("gz", 6)
        commits.close()
        assert [[8]] == await store(b"small")
        box.close()
        await account.close()

    asyncio.run(talk())


@pytest.mark.parametrize("later", [False, True], ids=["at once", "a turn later"])
def test_who_ends_finishes_what_was_begun(tmp_path: Path, later: bool) -> None:
    """A message that nobody waits for any more has its UID, and no lock is left."""

    async def talk() -> None:
        fsyncs = HeldFsyncs(DISK)
        account = MaildirAccount(str(tmp_path), commits=CommonCommits(executor=None))
        box = await settled_inbox(account, tmp_path)
        commits = CommonCommits(executor=None, fsyncs=lambda: fsyncs)
        stored: list[Outcomes | BaseException] = []
        commits.store(box.folder, message(b"second\n"), stored.append)
        if later:
            await asyncio.sleep(0)
        assert (tmp_path / "dovecot-uidlist.lock").exists()
        commits.close()
        assert [[[2]]] == stored
        assert [1, 2] == box.folder.uids.tolist()
        assert not (tmp_path / "dovecot-uidlist.lock").exists()
        box.close()
        await account.close()

    asyncio.run(talk())
