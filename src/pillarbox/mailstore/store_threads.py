"""Threads that work on mailboxes: few, and more of them while those are held up.

DESCRIPTION
    A few threads do what waits for the disk.  One that waits for another program's lock, for two minutes perhaps,
    does nothing else meanwhile.  When nothing has been begun for `held_up` seconds, each piece of work that waits
    gets a thread of its own: a user whose mailbox is locked keeps nobody else's from being opened.  Such a thread
    ends when it has had nothing to do for `idle` seconds.

FAULTS
    RuntimeError  work comes after the end
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Final, ParamSpec, TypeVar

HELD_UP: Final = 0.5
IDLE: Final = 10.0
MOST: Final = 256
"""Threads."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class StoreThreads(Executor):
    """Threads are made as they are needed; `shutdown` has to be called before the process can end."""

    def __init__(self, usual: int, *, held_up: float = HELD_UP, idle: float = IDLE) -> None:
        """`usual`: threads that are enough as long as they come along."""
        self._usual = usual
        self._held_up = held_up
        self._idle_seconds = idle
        self._changed = threading.Condition()  # guards all below
        self._work: deque[tuple[Future[Any], Callable[[], object]]] = deque()
        self._threads: set[threading.Thread] = set()
        self._waiting = 0  # threads without work
        self._begun = 0
        self._watch: threading.Timer | None = None
        self._is_closed = False

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        """Work for the next thread that is free."""
        future: Future[_T] = Future()
        with self._changed:
            if self._is_closed:
                raise RuntimeError("no work is taken any more")
            self._work.append((future, lambda: fn(*args, **kwargs)))
            if self._waiting >= len(self._work):
                self._changed.notify()
            elif len(self._threads) < self._usual:
                self._start_thread()
            elif self._watch is None:
                self._start_watch()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing more comes; what has come is done, unless it is to be cancelled."""
        with self._changed:
            self._is_closed = True
            if cancel_futures:
                while self._work:
                    self._work.popleft()[0].cancel()
            self._changed.notify_all()
            threads = list(self._threads)
        for thread in threads if wait else ():
            thread.join()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._serve, name="store")
        self._threads.add(thread)
        thread.start()

    def _start_watch(self) -> None:
        self._watch = threading.Timer(self._held_up, self._relieve, (self._begun,))
        self._watch.daemon = True
        self._watch.start()

    def _relieve(self, begun: int) -> None:
        """Unless something was begun since the watch was started, all threads are held up."""
        with self._changed:
            self._watch = None
            if begun == self._begun:
                for _ in range(min(len(self._work), MOST - len(self._threads))):
                    self._start_thread()
            if self._work:
                self._start_watch()

    def _serve(self) -> None:
        while (job := self._next()) is not None:
            _do(*job)
            del job  # what it holds is not kept until the next comes

    def _next(self) -> "tuple[Future[Any], Callable[[], object]] | None":
        """What is to be done; None when this thread has to end."""
        with self._changed:
            while not self._work:
                is_late = self._is_closed or not self._wait()
                if is_late and not self._work and (self._is_closed or self._has_extra_threads):
                    self._threads.discard(threading.current_thread())
                    return None
            self._begun += 1
            return self._work.popleft()

    def _wait(self) -> bool:
        """For work, or for the end; False after a while where there are more threads than usual."""
        self._waiting += 1
        try:
            return self._changed.wait(self._idle_seconds if self._has_extra_threads else None)
        finally:
            self._waiting -= 1

    @property
    def _has_extra_threads(self) -> bool:
        return len(self._threads) > self._usual


def _do(future: Future[Any], work: Callable[[], object]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # whoever waits for it is told
        future.set_exception(error)
    else:
        future.set_result(result)
