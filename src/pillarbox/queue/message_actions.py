"""What an admin does to messages in the queue: delete, hold, release, requeue, force expiry.

DESCRIPTION
    Each action is done to one message by its id, or to all in some queues.  A message is taken where it is found;
    one that moves meanwhile is looked for once more.  All of it is renames, unlinks and mode bits, so that it works
    while a queue manager runs: one that has the message open finds it gone.

    delete    any queue → gone, and its logs first
    hold      incoming, active, deferred → hold
    release   hold → deferred, due when it was due before
    requeue   incoming, active, deferred, hold → maildrop, as if it had just been submitted
    expire    a mode bit: the message is returned instead of being tried again

FAULTS
    OSError   the queue cannot be changed

STANDARDS
    Postfix postsuper(1)
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from pillarbox.queue.queue_directories import EXPIRE_BIT, READY, QueueDirectories
from pillarbox.queue.queue_ids import is_queue_id
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import QueueId

MESSAGE_QUEUES: Final = ("maildrop", "incoming", "active", "deferred", "hold")
LOG_QUEUES: Final = ("defer", "bounce", "trace")
ALL_QUEUES: Final = frozenset((*MESSAGE_QUEUES, *LOG_QUEUES, "flush"))
"""Queues that may be named."""


class Action(msgspec.Struct, frozen=True):
    """One kind of action."""

    done: str  # what a message's line says
    target: str = ""  # the queue that it is moved to
    queues: tuple[str, ...] = MESSAGE_QUEUES  # where messages are taken from
    deletes: bool = False
    expires: bool = False
    renews: bool = False  # its times are those of a new message


DELETE: Final = Action("removed", deletes=True)
HOLD: Final = Action("placed on hold", target="hold", queues=("incoming", "active", "deferred"))
RELEASE: Final = Action("released from hold", target="deferred", queues=("hold",))
REQUEUE: Final = Action(
    "requeued", target="maildrop", queues=("incoming", "active", "deferred", "hold"), renews=True
)
EXPIRE: Final = Action("expired", queues=("incoming", "active", "deferred", "hold"), expires=True)

Warn = Callable[[str], None]


class MessageActions:
    """Actions on one queue."""

    def __init__(self, directories: QueueDirectories, *, clock: Clock, warn: Warn) -> None:
        self._directories = directories
        self._clock = clock
        self._warn = warn

    def one(self, action: Action, queue_id: QueueId, queues: Sequence[str] = ()) -> bool:
        """Do it to one message; whether it was there."""
        for queue in self._queues(action, queues) * 2:
            path = self._directories.path(queue, queue_id)
            if _is_message(path) and self._do(action, queue, queue_id, path):
                return True
        return False

    def all(self, action: Action, queues: Sequence[str] = (), *, quiet: bool = False) -> int:
        """Do it to all messages; how many there were.  `quiet` says nothing of strange file names."""
        count = 0
        if action.deletes:
            for queue in queues or (*MESSAGE_QUEUES, "defer", "bounce", "flush"):
                count += self._delete_all(queue)
            return count
        for queue in queues or MESSAGE_QUEUES:
            for path, name in list(self._files(queue)):
                if not is_queue_id(name):
                    if not quiet:
                        self._warn(f"bogus file name: {os.path.relpath(path, self._directories.root)}")
                elif queue in action.queues and (not action.expires or _is_message(path)):
                    count += self._do(action, queue, QueueId(name), path)
        return count

    def _queues(self, action: Action, queues: Sequence[str]) -> tuple[str, ...]:
        """The queues that an action looks at, in the order of the command line."""
        if not queues:
            return action.queues
        return tuple(queue for queue in queues if queue in action.queues)

    def _do(self, action: Action, queue: str, queue_id: QueueId, path: str) -> bool:
        try:
            if action.deletes:
                for log in LOG_QUEUES:
                    _remove(self._directories.path(log, queue_id))
                os.unlink(path)
            elif action.expires:
                mode = stat.S_IMODE(os.lstat(path).st_mode)
                if mode & EXPIRE_BIT:
                    return False
                os.chmod(path, mode | EXPIRE_BIT, follow_symlinks=True)
            else:
                self._directories.move(queue_id, queue, action.target)
                if action.renews:
                    self._directories.defer_until(action.target, queue_id, self._clock.now())
        except FileNotFoundError:
            return False
        return True

    def _delete_all(self, queue: str) -> int:
        count = 0
        for path, _name in list(self._files(queue)):
            counts = queue in MESSAGE_QUEUES and _is_message(path)
            count += _remove(path) and counts
        return count

    def _files(self, queue: str) -> Iterator[tuple[str, str]]:
        yield from files_below(f"{self._directories.root}/{queue}")


def files_below(path: str) -> Iterator[tuple[str, str]]:
    """(path, name) of the regular files of a queue, hashed directories and all."""
    try:
        entries = os.scandir(path)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from files_below(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path, entry.name


def _is_message(path: str) -> bool:
    """Whether a file is a complete message."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and mode & READY == READY


def _remove(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
