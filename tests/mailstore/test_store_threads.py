"""Work on mailboxes while other work is held up."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import CancelledError

import pytest

from fakes.mail_system import PATIENCE, until
from pillarbox.mailstore.store_threads import StoreThreads


@pytest.fixture
def threads() -> Iterator[StoreThreads]:
    """Two usually; more after a hundredth of a second, for as long."""
    threads = StoreThreads(2, held_up=0.01, idle=0.01)
    yield threads
    threads.shutdown()


def test_work_is_done_while_all_threads_are_held_up(threads: StoreThreads) -> None:
    """A lock of another program holds up those that want it, however many, and nobody else."""
    lock = threading.Event()
    locked = [threads.submit(lock.wait, PATIENCE) for _ in range(20)]
    assert threads.submit(lambda: "served").result(PATIENCE) == "served"
    assert not any(one.done() for one in locked)
    lock.set()
    assert all(one.result(PATIENCE) for one in locked)


def test_few_threads_are_left_when_nothing_is_held_up(threads: StoreThreads) -> None:
    """Those that were needed end; the usual ones stay."""
    lock = threading.Event()
    locked = [threads.submit(lock.wait, PATIENCE) for _ in range(9)]
    until(lambda: len(_alive()) >= 9, what="each has a thread")
    lock.set()
    assert all(one.result(PATIENCE) for one in locked)
    until(lambda: len(_alive()) == 2, what="the others have ended")
    assert threads.submit(lambda: 1).result(PATIENCE) == 1


def test_threads_that_come_along_get_no_others() -> None:
    """However much waits."""
    threads = StoreThreads(2, held_up=PATIENCE)
    seen = set()
    for one in [threads.submit(threading.get_ident) for _ in range(1000)]:
        seen.add(one.result(PATIENCE))
    threads.shutdown()
    assert len(seen) <= 2


def test_faults_are_told_and_nothing_is_kept(threads: StoreThreads) -> None:
    """What a thread did last does not stay in memory until it does something else."""

    class Result:
        pass

    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(PATIENCE)
    kept = weakref.ref(threads.submit(Result).result(PATIENCE))

    def is_gone() -> bool:
        gc.collect()
        return kept() is None

    until(is_gone, what="the result is gone")


def test_the_end() -> None:
    """What has come is done, or cancelled; nothing more is taken."""
    threads = StoreThreads(1)
    lock = threading.Event()
    first, second = threads.submit(lock.wait, PATIENCE), threads.submit(time.monotonic)
    threads.shutdown(wait=False)
    with pytest.raises(RuntimeError):
        threads.submit(time.monotonic)
    lock.set()
    assert first.result(PATIENCE)
    assert second.result(PATIENCE)
    threads = StoreThreads(1)
    lock.clear()
    first, second = threads.submit(lock.wait, PATIENCE), threads.submit(time.monotonic)
    until(first.running, what="the first is begun")
    threads.shutdown(wait=False, cancel_futures=True)
    lock.set()
    with pytest.raises(CancelledError):
        second.result(PATIENCE)


def _alive() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "store"]
