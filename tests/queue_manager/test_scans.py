"""Scans of a queue: what is due is found, no faster than it is taken up."""

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pillarbox.files.file_system import DiskFileSystem
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue_manager.scans import QueueScan
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import QueueId

MESSAGES = 50_000


class LongQueue(QueueDirectories):
    """More messages than anybody would make files."""

    def scan(self, queue: str, *, lazily: bool = False) -> Iterator[QueueId]:
        """As many as there are."""
        return (QueueId(f"{number:011X}") for number in range(MESSAGES))


class Bench:
    """Scans a queue; what is found goes on in parts, as `room` lets it."""

    def __init__(self, directories: QueueDirectories, *, due_only: bool = False) -> None:
        self.clock = ManualClock()
        self.parts: list[tuple[list[QueueId], bool]] = []
        self.came = asyncio.Semaphore(0)
        self.room = asyncio.Semaphore(0)
        self.scan = QueueScan(
            directories,
            "deferred",
            found=self._found,
            threads=ThreadPoolExecutor(1),
            clock=self.clock,
            due_only=due_only,
        )

    async def _found(self, ids: list[QueueId], at_once: bool) -> None:
        self.parts.append((ids, at_once))
        self.came.release()
        await self.room.acquire()

    def take(self) -> list[QueueId]:
        """What was found since."""
        ids = sorted(queue_id for ids, _ in self.parts for queue_id in ids)
        self.parts.clear()
        return ids

    async def all_of(self, parts: int) -> list[QueueId]:
        """What is found in so many parts, after which nothing more is."""
        for _ in range(parts):
            await self.came.acquire()
            self.room.release()
        while not self.scan.is_idle:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return self.take()


@asynccontextmanager
async def scanning(directories: QueueDirectories, *, due_only: bool = False) -> AsyncIterator[Bench]:
    bench = Bench(directories, due_only=due_only)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(bench.scan.run())
        yield bench
        running.cancel()


def queue_with(root: Path, *ids: str, due: float = 0.0) -> QueueDirectories:
    directories = QueueDirectories(str(root))
    directories.create()
    for name in ids:
        path = Path(directories.path("deferred", QueueId(name)))
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (due, due))
    return directories


def test_what_is_due(tmp_path: Path) -> None:
    """What waits for its time is found when that has come, or by who asks for all at once."""

    async def play() -> None:
        now = ManualClock().now()
        queue_with(tmp_path, "1A", "2B", due=now - 5)
        async with scanning(queue_with(tmp_path, "3C", due=now + 60), due_only=True) as bench:
            bench.scan.request()
            assert not bench.scan.is_idle
            assert await bench.all_of(1) == ["1A", "2B"]
            bench.scan.request(at_once=True)
            assert await bench.all_of(1) == ["1A", "2B", "3C"]
            bench.scan.request()
            assert await bench.all_of(1) == ["1A", "2B"]
            bench.clock.advance(60)
            bench.scan.request()
            assert await bench.all_of(1) == ["1A", "2B", "3C"]

    asyncio.run(play())


def test_who_asks_meanwhile_is_given_another(tmp_path: Path) -> None:
    """One more, which begins anew, however many have asked; what was deferred meanwhile is seen by that one."""

    async def play() -> None:
        async with scanning(queue_with(tmp_path, "1A")) as bench:
            bench.scan.request()
            await bench.came.acquire()
            assert bench.parts == [(["1A"], False)]
            queue_with(tmp_path, "1B")
            for at_once in (False, True, False):
                bench.scan.request(at_once=at_once)
            bench.room.release()
            await bench.came.acquire()
            bench.room.release()
            assert bench.parts[1][1], "one of those who asked wanted all of it"
            assert await bench.all_of(0) == ["1A", "1A", "1B"]

    asyncio.run(play())


def test_no_faster_than_it_is_taken_up() -> None:
    """50,000 messages that all may be tried: while there is no room, a part of them is known."""

    async def play() -> int:
        count = 0
        async with scanning(LongQueue("/q")) as bench:
            bench.scan.request(at_once=True)
            while count < MESSAGES:
                await bench.came.acquire()
                count += len(bench.take())
                assert bench.came.locked(), "nothing is looked at before there is room"
                bench.room.release()
            assert await bench.all_of(0) == []
        return count

    tracemalloc.start()
    try:
        assert asyncio.run(play()) == MESSAGES
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("as_bytes", [False, True])
def test_names_of_a_directory(tmp_path: Path, as_bytes: bool) -> None:
    """As listdir has them, in the memory of their letters; whoever removes some meanwhile disturbs nobody."""
    for number in range(3000):
        (tmp_path / f"{number:011X}").touch()
    (tmp_path / "b\u00fccher\udcff").touch()
    files = DiskFileSystem()
    expected = sorted(os.listdir(tmp_path))
    tracemalloc.start()
    try:
        names: Iterator[str] = (
            map(os.fsdecode, files.names(os.fsencode(tmp_path))) if as_bytes else files.names(str(tmp_path))
        )
        first = next(names)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    for name in os.listdir(tmp_path):
        (tmp_path / name).unlink()
    assert sorted([first, *names]) == expected
    assert peak < 100_000


def test_an_empty_directory(tmp_path: Path) -> None:
    """Nothing; one that is not there is told."""
    assert list(DiskFileSystem().names(str(tmp_path))) == []
    with pytest.raises(FileNotFoundError):
        DiskFileSystem().names(str(tmp_path / "none"))
