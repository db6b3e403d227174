"""Files that serve again: no crash mixes two messages, brings one back, or loses one."""

import asyncio
import errno
import os
from functools import partial

import pytest

from fakes import postfix_queue_files as golden
from fakes.crash_file_system import CrashFileSystem, Stopped
from fakes.crash_survivors import Survives
from fakes.immediate_fsyncs import ImmediateFsyncs
from pillarbox.files.write_order import Order
from pillarbox.queue import spare_files
from pillarbox.queue.active_files import ActiveFiles, Finished, Opened
from pillarbox.queue.delivery_notes import DeliveryNotes
from pillarbox.queue.incoming import IncomingQueue
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_ids import is_queue_id
from pillarbox.queue.spare_files import SpareFiles
from pillarbox.vocabulary.clock import ManualClock

FIRST = golden.A_TWO_RECIPIENTS
SECOND = golden.D_MILTER
assert len(SECOND) != len(FIRST)


class History:
    """What was promised and what was done with it."""

    def __init__(self) -> None:
        self.promised: dict[str, bytes] = {}
        self.delivered: set[str] = set()
        self.inodes: list[int] = []


async def live(files: CrashFileSystem, contents: list[bytes], history: History) -> None:
    """One message after the other is written, delivered, and its file used again."""
    for name in ("incoming", "active", "corrupt"):
        files.make_directories(f"/q/{name}")
    directories = QueueDirectories("/q", file_system=files)
    clock = ManualClock()
    queue = IncomingQueue(directories, clock=clock, file_system=files, fsyncs=lambda: ImmediateFsyncs(files))
    spares = SpareFiles(directories, fsyncs=ImmediateFsyncs(files), clock=clock, file_system=files)
    active = ActiveFiles(directories, file_system=files)
    for content in contents:
        clock.advance(0.001)  # or the same file would get the same id
        file = queue.take()
        history.inodes.append(file.inode)
        await queue.commit(file, [content])
        history.promised[file.queue_id] = content
        (opened,) = active.open_batch([(file.queue_id, "incoming")], now=clock.now() + 2e8)
        assert isinstance(opened, Opened)
        history.delivered.add(file.queue_id)
        DeliveryNotes(opened.descriptor, has_some=False, files=files).make(note(file.queue_id)[-8:])
        path = spares.path(4711)
        finished = Finished(queue_id=file.queue_id, descriptor=opened.descriptor, recycled=path)
        (error,) = active.finish_batch([finished])
        if error is None:
            handed_over = asyncio.Event()
            spares.add(path, partial(taken, queue, handed_over))
            asyncio.get_running_loop().call_later(0.05, handed_over.set)  # or it was removed
            await handed_over.wait()
    queue.close()
    spares.close()


def note(queue_id: str) -> bytes:
    """Of a delivery of that message, behind the end of its file."""
    files = CrashFileSystem()
    files.make_file("/note", b"")
    descriptor = files.open("/note", os.O_RDWR)
    DeliveryNotes(descriptor, has_some=False, files=files).make(queue_id.encode().zfill(8)[-8:])
    return files.files()["/note"]


def taken(queue: IncomingQueue, handed_over: asyncio.Event, path: str) -> None:
    queue.adopt(path)
    handed_over.set()


def run(files: CrashFileSystem, contents: list[bytes]) -> History:
    """Until the end, or until the file system stops the process."""
    history = History()

    async def stopping() -> None:
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(live(files, contents, history))
            asyncio.get_running_loop().set_exception_handler(lambda _, context: work.cancel())

    try:
        asyncio.run(stopping())
    except* Stopped:
        pass
    return history


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare_files, "_GATHER_SECONDS", 0.0)


def messages(files: CrashFileSystem) -> dict[str, bytes]:
    found = {path.rpartition("/")[2]: data for path, data in files.files().items()}
    return {name: data for name, data in found.items() if is_queue_id(name)}


def test_a_file_serves_again() -> None:
    """The same inode for every message, nothing left at the end."""
    files = CrashFileSystem()
    history = run(files, [FIRST, SECOND, FIRST])
    assert len(history.delivered) == 3
    assert len(set(history.inodes)) == 1
    assert files.files() == {}


@pytest.mark.parametrize("contents", [[FIRST, SECOND], [SECOND, FIRST]], ids=["other", "longer"])
@pytest.mark.parametrize("order", Order)
def test_a_crash_at_any_step_mixes_nothing(order: Order, contents: list[bytes]) -> None:
    """Every name stands for its own message, whole; what was promised is there or was delivered."""
    complete = CrashFileSystem(order=order)
    everything = run(complete, contents).promised
    for step in range(len(complete.steps)):
        files = CrashFileSystem(stop_at=step, order=order)
        history = run(files, contents)
        for survives in Survives:
            found = messages(files.crash(survives))
            for name, data in found.items():
                assert data.removesuffix(note(name)) == everything[name], (step, survives, name)
            assert set(history.promised) - history.delivered <= set(found), (step, survives)


def test_a_directory_that_cannot_be_synced_gives_no_spares() -> None:
    """The file is removed instead, and the next message gets a new one."""
    files = CrashFileSystem()
    files.fail = lambda operation, path: (
        errno.EIO if operation == "sync_directory" and path.endswith("active") else None
    )
    history = run(files, [FIRST, SECOND])
    assert len(set(history.inodes)) == 2
    assert files.files() == {}
