"""Appends that come while others are being stored go together: one lock, one fsync of a directory for all.

DESCRIPTION
    Storing a message is mostly waiting for the disk.  While a batch is being stored, what other sessions append to
    the same mailbox gathers (`GroupCommit`), and is the next batch; each of them is answered as if it had been
    alone.

    `CommonCommits` takes the steps of all mailboxes' batches on the event loop, and the kernel waits for the disk
    meanwhile (files/fsync_batch.py): a thread gives the interpreter away at each of the twenty calls that a
    message takes, and has to get it back.  For contents the loop waits itself, which takes next to nothing where
    the disk has begun with them while other sessions had their turn (files/write_order.py); after a wait that was
    long, the kernel syncs them by the book for a moment.

    A thread stores what is large or to be packed, where a quota has to be asked, and everything for a moment after
    the disk has held up the loop; one thread for all such mailboxes, step by step, too.  A mailbox that has to be
    waited for or to be listed first gets a thread of its own.

    Who no longer waits (a session that was cut) has its message stored all the same.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from time import perf_counter
from typing import Final, TypeVar

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.files.fsync_batch import Fsyncs
from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.mailstore.maildir.folder_additions import (
    FolderBusy,
    Groups,
    Outcomes,
    append,
    append_steps,
    append_together,
)
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.vocabulary.identifiers import Uid

MAX_MESSAGES: Final = 200
"""Messages of one batch; the last group may go beyond."""
LARGE: Final = 256 * 1024
"""Octets of a batch that a thread writes."""
AT_ONCE: Final = 2
"""Threads that store batches.  The second begins only while the first has much to write: more threads than one take
the interpreter from each other (measured: 8 mailboxes, a quarter more processor time and no less time)."""
MUCH: Final = 1 << 20
"""Octets."""
MAX_FOLDERS: Final = 32
"""Folders that a thread stores together; their files are open at the same time."""
LONG: Final = 0.005
"""What a step may take that waits for contents; a disk that is not busy takes them in a tenth of a millisecond."""
REST: Final = 10
"""So many times as long as a step took that took longer, the loop does not wait for contents."""
HELD_UP: Final = 0.05
"""Seconds that a step may take; the disk is busy if it takes longer."""
BUSY: Final = 1.0
"""Seconds for which the disk is thought busy."""

_T = TypeVar("_T")

Done = Callable[[Outcomes | BaseException], None]
"""Told what became of a batch, or why there is nothing to tell."""

_Waiting = tuple[Sequence[NewMessage], "asyncio.Future[list[Uid]]"]
_Job = tuple[FolderFiles, Groups, Done]


class CommonCommits:
    """The batches of many mailboxes.  All methods are called on the event loop."""

    def __init__(
        self,
        *,
        executor: Executor | None,
        files: FileSystem = DISK,
        fsyncs: Callable[[], Fsyncs] | None = None,
    ) -> None:
        """`fsyncs` makes those of the loop when they are wanted first; without, threads do it all."""
        self._executor = executor
        self._files = files
        self._waiting: list[_Job] = []  # for a thread
        self._under_way = 0
        self._octets = 0  # that threads under way have to write
        self._make_fsyncs = fsyncs
        self._fsyncs: Fsyncs | None = None
        self._disk_is_busy_until = self._by_the_book_until = 0.0
        self._turns: deque[Callable[[Sequence[OSError | None]], None]] = deque()

    def store(self, folder: FolderFiles, groups: Groups, done: Done) -> None:
        """Append to a folder; of each there is one batch at a time.  `done` may be called before this returns."""
        fsyncs = self._fsyncs_for(folder, groups)
        if fsyncs is None:
            self._waiting.append((folder, groups, done))
            self._begin()
            return
        in_order = self._by_the_book_until <= asyncio.get_running_loop().time()
        steps = append_steps(folder, groups, in_order=in_order)

        def go_on(synced: Sequence[OSError | None] | None) -> None:
            began = perf_counter()
            try:
                wanted = next(steps) if synced is None else steps.send(synced)
            except StopIteration as end:
                self._note_time(began)
                done(end.value)
            except FolderBusy:
                self._store_alone(folder, groups, done)
            except Exception as fault:
                done(fault)
            else:
                self._note_time(began)
                if wanted:
                    fsyncs.start(wanted, go_on)
                else:
                    self._when_others_had_their_turn(go_on)

        go_on(None)

    def close(self) -> None:
        """Finish what was begun; what comes now is done by threads."""
        self._make_fsyncs = None
        if self._fsyncs is not None:
            while self._turns:
                self._take_turn()
            self._fsyncs.close()
            self._fsyncs = None

    def _fsyncs_for(self, folder: FolderFiles, groups: Groups) -> Fsyncs | None:
        """The loop's, if the batch takes so little that the loop can store it."""
        if self._make_fsyncs is None or folder.quota is not None or folder.packing is not None:
            return None
        if self._disk_is_busy_until > asyncio.get_running_loop().time() or _octets(groups) > LARGE:
            return None
        if self._fsyncs is None:
            self._fsyncs = self._make_fsyncs()
        return self._fsyncs

    def _when_others_had_their_turn(self, go_on: Callable[[Sequence[OSError | None]], None]) -> None:
        self._turns.append(go_on)
        asyncio.get_running_loop().call_soon(self._take_turn)

    def _take_turn(self) -> None:
        if self._turns:
            self._turns.popleft()(())

    def _note_time(self, began: float) -> None:
        took = perf_counter() - began
        if took > LONG:
            now = asyncio.get_running_loop().time()
            self._by_the_book_until = now + REST * took
            if took > HELD_UP:
                self._disk_is_busy_until = now + BUSY

    def _begin(self) -> None:
        if not self._waiting or self._under_way >= (AT_ONCE if self._octets > MUCH else 1):
            return
        batch, self._waiting = self._waiting[:MAX_FOLDERS], self._waiting[MAX_FOLDERS:]
        folders = [(folder, groups) for folder, groups, _ in batch]
        octets = sum(_octets(groups) for _, groups in folders)
        self._under_way += 1
        self._octets += octets
        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._executor, append_together, folders, self._files).add_done_callback(
            partial(self._stored, batch, octets)
        )

    def _stored(
        self, batch: Sequence[_Job], octets: int, future: "asyncio.Future[list[Outcomes | Exception]]"
    ) -> None:
        self._under_way -= 1
        self._octets -= octets
        fault = _fault(future)
        results: Sequence[Outcomes | BaseException]
        results = future.result() if fault is None else [fault] * len(batch)
        for (folder, groups, done), result in zip(batch, results, strict=True):
            if isinstance(result, FolderBusy):
                self._store_alone(folder, groups, done)
            else:
                done(result)
        self._begin()

    def _store_alone(self, folder: FolderFiles, groups: Groups, done: Done) -> None:
        loop = asyncio.get_running_loop()

        def stored(future: "asyncio.Future[Outcomes]") -> None:
            fault = _fault(future)
            done(future.result() if fault is None else fault)

        loop.run_in_executor(self._executor, append, folder, groups).add_done_callback(stored)


def _octets(groups: Groups) -> int:
    """Those that have to be written; what was written as it came is on the disk already."""
    contents = (message.content for messages in groups for message in messages)
    return sum(len(content) for content in contents if isinstance(content, bytes))


def _fault(future: "asyncio.Future[_T]") -> BaseException | None:
    return asyncio.CancelledError() if future.cancelled() else future.exception()


class GroupCommit:
    """The appends of one mailbox.  All methods are called on the event loop."""

    def __init__(self, store: Callable[[Groups, Done], None], *, stored: Callable[[], None]) -> None:
        """`store` begins to store a batch; `stored` is called after each, before anybody is told of it."""
        self._store = store
        self._stored = stored
        self._waiting: list[_Waiting] = []
        self._is_busy = False

    async def append(self, messages: Sequence[NewMessage]) -> list[Uid]:
        """Store messages, all or none."""
        mine: asyncio.Future[list[Uid]] = asyncio.get_running_loop().create_future()
        self._waiting.append((messages, mine))
        if not self._is_busy:
            self._begin()
        return await mine

    def _begin(self) -> None:
        count = 0
        taken = 0
        while taken < len(self._waiting) and count < MAX_MESSAGES:
            count += len(self._waiting[taken][0])
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._is_busy = True
        self._store([messages for messages, _ in batch], partial(self._done, batch))

    def _done(self, batch: list[_Waiting], result: Outcomes | BaseException) -> None:
        self._is_busy = False
        outcomes: Sequence[list[Uid] | BaseException]
        outcomes = [result] * len(batch) if isinstance(result, BaseException) else result
        self._stored()
        for (_, waiter), outcome in zip(batch, outcomes, strict=True):
            if waiter.done():
                continue
            if isinstance(outcome, asyncio.CancelledError):
                waiter.cancel()
            elif isinstance(outcome, BaseException):
                waiter.set_exception(outcome)
            else:
                waiter.set_result(outcome)
        if self._waiting:
            self._begin()
