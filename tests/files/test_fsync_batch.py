"""fsync of many files: every way to do it calls back once, with the right result for each."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.immediate_fsyncs import ImmediateFsyncs
from pillarbox.files.file_system import DISK
from pillarbox.files.fsync_batch import Fsyncs, KernelFsyncs, ThreadFsyncs
from pillarbox.files.kernel_aio import KernelAio
from pillarbox.files.waiting_fsyncs import Results, WaitingFsyncs


def small_kernel() -> Fsyncs:
    return KernelFsyncs(KernelAio(capacity=3))


WAYS: list[Callable[[], Fsyncs]] = [
    lambda: KernelFsyncs(KernelAio()),
    small_kernel,
    ThreadFsyncs,
    lambda: ImmediateFsyncs(DISK),
]
WAY_NAMES = ["kernel", "kernel with little room", "threads", "at once"]


def some_files(root: Path, count: int) -> list[int]:
    descriptors = [os.open(root / f"file{number}", os.O_RDWR | os.O_CREAT) for number in range(count)]
    for descriptor in descriptors:
        os.write(descriptor, b"content")
    return descriptors


async def synced(fsyncs: Fsyncs, descriptors: list[int]) -> Results:
    future: asyncio.Future[Results] = asyncio.get_running_loop().create_future()
    fsyncs.start(descriptors, future.set_result)
    assert not future.done()  # never before start() returns
    return await future


@pytest.mark.parametrize("way", WAYS, ids=WAY_NAMES)
def test_results_come_in_order(way: Callable[[], Fsyncs], tmp_path: Path) -> None:
    """Files and directories are synced; a descriptor that is no file has its own error."""
    descriptors = some_files(tmp_path, 20)
    directory = os.open(tmp_path, os.O_RDONLY)
    reading, writing = os.pipe()

    async def run() -> Results:
        fsyncs = way()
        results = await synced(fsyncs, [*descriptors[:10], reading, directory, *descriptors[10:], 9999])
        fsyncs.close()
        return results

    results = asyncio.run(run())
    for descriptor in (*descriptors, directory, reading, writing):
        os.close(descriptor)
    codes = [error.errno if error is not None else 0 for error in results]
    assert codes == [0] * 10 + [errno.EINVAL] + [0] * 11 + [errno.EBADF]


@pytest.mark.parametrize("way", WAYS, ids=WAY_NAMES)
def test_groups_that_overlap_do_not_mix(way: Callable[[], Fsyncs], tmp_path: Path) -> None:
    """Each group is called back once, with as many results as it has files."""
    descriptors = some_files(tmp_path, 30)

    async def run() -> list[Results]:
        fsyncs = way()
        async with asyncio.TaskGroup() as tasks:
            groups = [
                tasks.create_task(synced(fsyncs, descriptors[start : start + 3])) for start in range(0, 30, 3)
            ]
        fsyncs.close()
        return [group.result() for group in groups]

    assert asyncio.run(run()) == [[None] * 3] * 10
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.mark.parametrize("way", WAYS[:3], ids=WAY_NAMES[:3])
def test_close_waits_and_calls_back(way: Callable[[], Fsyncs], tmp_path: Path) -> None:
    """What was started before close() is told before it returns, and what the callback starts as well."""
    descriptors = some_files(tmp_path, 8)
    told: list[Results] = []

    async def run() -> None:
        fsyncs = way()

        def again(results: Results) -> None:
            told.append(results)
            fsyncs.start(descriptors[:2], told.append)

        fsyncs.start(descriptors, again)
        fsyncs.close()

    asyncio.run(run())
    assert told == [[None] * 8, [None] * 2]


def test_waiting_for_all(tmp_path: Path) -> None:
    """Without a loop: more files than the kernel takes at once, a bad one among them; a child has its own."""
    descriptors = some_files(tmp_path, 300)
    waiting = WaitingFsyncs()
    codes = [error.errno if error else 0 for error in waiting.sync([*descriptors, 9999])]
    assert codes == [0] * 300 + [errno.EBADF]
    assert waiting.sync([]) == []
    child = os.fork()
    if child == 0:
        os._exit(0 if waiting.sync(descriptors[:5]) == [None] * 5 else 1)
    assert os.waitpid(child, 0)[1] == 0
    for descriptor in descriptors:
        os.close(descriptor)


def test_few_files_do_not_wait_for_another_thread(tmp_path: Path) -> None:
    """While one is waiting for the disk, a pair is synced without it; more files wait for their turn."""
    waiting = WaitingFsyncs()
    pair = [*some_files(tmp_path, 1), 9999]
    with waiting._lock:  # another thread's fsyncs are under way
        codes = [error.errno if error else 0 for error in waiting.sync(pair)]
        late = threading.Thread(target=waiting.sync, args=([pair[0]] * 3,))
        late.start()
        late.join(0.01)
        assert late.is_alive()
    late.join()
    assert codes == [0, errno.EBADF]
    os.close(pair[0])


def test_a_kernel_without_it_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that has no asynchronous I/O gives OSError at construction, so that threads are taken."""
    monkeypatch.setattr("sys.platform", "plan9")
    with pytest.raises(OSError, match="not implemented"):
        KernelAio()


def test_who_waits_is_given_all_at_once(tmp_path: Path) -> None:
    # Once for each would wake the caller as many times.
    descriptors = some_files(tmp_path, 5)
    aio = KernelAio()
    assert aio.submit([(descriptor, token) for token, descriptor in enumerate(descriptors)]) == 5
    done = aio.completed(wait=True)
    assert sorted(completion.token for completion in done) == [0, 1, 2, 3, 4]
    assert not any(completion.error for completion in done)
    assert aio.completed(wait=True) == []
    aio.close()
    for descriptor in descriptors:
        os.close(descriptor)
