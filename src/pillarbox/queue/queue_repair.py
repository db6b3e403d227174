"""Puts a queue in order: files where they belong, under names that match their inodes, and no old remains.

DESCRIPTION
    structure   A message or a log in the wrong hashed directory is moved, as after a change of hash_queue_depth.
                A long queue id becomes a short one if new messages have short ones.  A short queue id ends in the
                inode number of its file; after a queue has been copied or restored it does not, and two messages
                could come to have the same id.  Such files, and their logs, get new names.  That happens in two
                steps (NEWID#FIX, NEWID), so that a name that another file still has is free when it is needed.
    purge       Files that were begun and never finished are removed when they are a week old.

    A queue manager must not run meanwhile.

FAULTS
    OSError   the queue cannot be changed

STANDARDS
    Postfix postsuper(1) -s, -S, -p
"""

import os
import re
import stat
from collections.abc import Callable, Sequence
from typing import Final

from pillarbox.queue.message_actions import LOG_QUEUES, MESSAGE_QUEUES, files_below
from pillarbox.queue.queue_directories import READY, QueueDirectories
from pillarbox.queue.queue_ids import hash_text, is_queue_id
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.identifiers import QueueId

_FIX: Final = "#FIX"
_SHORT: Final = re.compile(r"([0-9A-F]{5})([0-9A-F]+)", re.ASCII)
_OLD: Final = 7 * 86400.0


class QueueRepair:
    """The repair of one queue."""

    def __init__(
        self,
        directories: QueueDirectories,
        *,
        long_ids: bool,
        clock: Clock,
        warn: Callable[[str], None],
    ) -> None:
        """`long_ids` is enable_long_queue_ids."""
        self._long_ids = long_ids
        self._directories = directories
        self._clock = clock
        self._warn = warn

    def run(self, queues: Sequence[str] = (), *, structure: bool, purge: bool) -> int:
        """Do it; how many messages were renamed to match their inodes."""
        if structure and not queues:  # a log that is not in its place would not be found with its message
            self._pass(LOG_QUEUES, structure=True, purge=False)
        renamed = self._pass(queues, structure=structure, purge=purge)
        if renamed:
            self._pass(queues, structure=structure, purge=False)
        return renamed

    def _pass(self, queues: Sequence[str], *, structure: bool, purge: bool) -> int:
        renamed = 0
        for queue in queues or (*MESSAGE_QUEUES, "flush"):
            for path, name in list(files_below(f"{self._directories.root}/{queue}")):
                if purge and queue in MESSAGE_QUEUES and self._is_stale(path):
                    os.unlink(path)
                    continue
                fixed = name.removesuffix(_FIX)
                if not is_queue_id(fixed):
                    self._warn(f"bogus file name: {os.path.relpath(path, self._directories.root)}")
                elif structure:
                    renamed += self._straighten(queue, path, name, fixed)
        return renamed

    def _is_stale(self, path: str) -> bool:
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return False
        return stat.S_IMODE(status.st_mode) & READY != READY and status.st_mtime < self._clock.now() - _OLD

    def _straighten(self, queue: str, path: str, name: str, fixed: str) -> bool:
        """Put one file in its place; whether its id is another now."""
        if name != fixed:
            if queue in LOG_QUEUES:
                return False  # it goes with its message
            self._move_with_logs(queue, path, QueueId(fixed), old=name)
            return False
        right = self._matching(fixed, path) if queue in MESSAGE_QUEUES else fixed
        if right != fixed:
            self._move_with_logs(queue, path, QueueId(right), old=fixed, suffix=_FIX)
            return True
        if path != self._directories.path(queue, QueueId(fixed)):
            self._place(path, queue, QueueId(fixed), "")
        return False

    def _matching(self, name: str, path: str) -> str:
        """The id that a file of this name ought to have."""
        begins = hash_text(name)
        if begins != name:  # a long id is never given twice
            return name if self._long_ids else f"{begins}{os.lstat(path).st_ino:X}"
        short = _SHORT.fullmatch(name)
        if short is None:
            return name
        inode = os.lstat(path).st_ino
        return name if int(short[2], 16) == inode else f"{short[1]}{inode:X}"

    def _move_with_logs(self, queue: str, path: str, new: QueueId, *, old: str, suffix: str = "") -> None:
        for log in LOG_QUEUES:
            directory = self._directories.directory(log, QueueId(old.removesuffix(_FIX)))
            log_path = f"{directory}/{old}"
            if os.path.lexists(log_path):
                self._place(log_path, log, new, suffix)
        self._place(path, queue, new, suffix)

    def _place(self, path: str, queue: str, queue_id: QueueId, suffix: str) -> None:
        target = self._directories.path(queue, queue_id) + suffix
        try:
            os.rename(path, target)
        except FileNotFoundError:
            self._directories.make_hashed(queue, queue_id)
            os.rename(path, target)
