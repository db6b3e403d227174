"""Appends to several mailboxes are stored beside each other by one thread, and none holds up another."""

import asyncio
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import AnyStr

import pytest

from fakes.crash_file_system import CrashFileSystem, Stopped, Survives
from pillarbox.mailstore.deliver import make_maildir
from pillarbox.mailstore.mailbox import NewMessage, StoreUnavailable
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.file_names import NameMaker
from pillarbox.mailstore.maildir.folder_additions import FolderBusy, append, append_together
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import Uid

NAMES = ("A", "B", "C")


class Waiting(CrashFileSystem):
    """A disk that notes how many files were waited for together."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[int] = []
        for name in NAMES:
            self.make_directories(f"/{name}")
            make_maildir(f"/{name}/M", files=self)

    def fsync_all(self, fds: Sequence[int]) -> list[OSError | None]:
        """As its parent."""
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


def test_several_mailboxes_wait_for_the_disk_twice() -> None:
    """Not twice each."""
    files = Waiting()
    folders = [folder_in(files, name) for name in NAMES]
    files.waits.clear()
    assert [[[1]], [[1]], [[1]]] == append_together([(one, message(b"x\n")) for one in folders], files)
    assert [3, 6] == files.waits
    assert [["x"]] * 3 == [
        [files.files()[path].decode().strip()] for path in sorted(files.files()) if "/cur/" in path
    ]
    assert not [path for path in files.files() if path.endswith(".lock") or "/tmp/" in path]


def test_a_crash_at_any_step_leaves_whole_mailboxes() -> None:
    """Whatever was stored when: each mailbox can be opened, its messages are whole, and no UID is given twice."""

    def store(files: CrashFileSystem) -> None:
        jobs = [(folder_in(files, name), message(name.encode() + b"\n")) for name in NAMES]
        acknowledged.extend(append_together(jobs, files))

    acknowledged: list[object] = []
    complete = Waiting()
    before = len(complete.steps)
    store(complete)
    assert [[[1]]] * 3 == acknowledged
    for survives in Survives:  # what was acknowledged is there
        after = complete.crash(survives)
        for name in NAMES:
            folder = folder_in(after, name, 1_700_000_100.0)
            assert [1] == folder.uids.tolist()
            assert name.encode() + b"\n" == folder.read(1)[0]
    for step in range(before, len(complete.steps)):
        files = Waiting()
        files.stop_at = step
        with pytest.raises(Stopped):
            store(files)
        for survives in Survives:
            after = files.crash(survives)
            for name in NAMES:
                folder = folder_in(after, name, 1_700_000_100.0)
                assert {folder.read(uid)[0] for uid in folder.uids} <= {name.encode() + b"\n"}
                [uids] = append(folder, message(b"next\n"))
                assert isinstance(uids, list)
                [uid] = uids
                assert uid not in folder.uids.tolist()[:-1]
                assert b"next\n" == folder.read(uid)[0]


def test_a_fault_hits_its_own_mailbox() -> None:
    """The others are stored; of the failing one nothing stays."""
    files = Waiting()
    folders = [folder_in(files, name) for name in NAMES]
    files.fail = lambda step, path: 5 if step == "fsync" and path == "/B/M/dovecot-uidlist" else None
    outcomes = append_together([(one, message(b"x\n")) for one in folders], files)
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
