"""Dovecot's lock files: `dovecot-uidlist.lock` and its like.

DESCRIPTION
    A lock is a file made with O_EXCL that holds `pid:hostname`.  Whoever wants it waits and looks again; it
    is taken over when its process is dead on this host, or when, of another host or without a readable pid,
    it has not changed for two minutes.  Dovecot, and every program that follows it, does the same, so that
    both can work on a mailbox.  Two cases are ours: a lock with our own pid that no thread of ours holds was
    left by a former process with that pid (a restarted container), and an empty one that is some seconds old
    by a crash between making and writing it.

    `DotLock` is for worker threads: it waits by sleeping, at first a millisecond.  Within our process nobody
    waits for long, since a mailbox's changes are made one after another (mailstore/maildir.py).

FAULTS
    StoreBusy  the lock was not free for two minutes
    LockHeld   it is not free now, and the caller does not wait
    OSError    the lock file cannot be made

STANDARDS
    Dovecot 2.3, Maildir format (lock, stale rules)
"""

import os
import socket
import time
from types import TracebackType
from typing import Final

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.mailbox import StoreBusy
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.digits import decimal, is_decimal

STALE_SECONDS: Final = 120
"""A lock that nobody has touched for so long, and whose owner cannot be asked, is void."""
EMPTY_SECONDS: Final = 5
"""An empty lock is written to within microseconds; one that is older has no owner."""
WAIT_SECONDS: Final = 122
"""So long we wait."""

_FIRST_WAIT: Final = 0.001
_LONGEST_WAIT: Final = 0.1


class LockHeld(Exception):
    """Somebody else has the lock."""


class DotLock:
    """`with DotLock(path, files=files, clock=clock):` holds `path` + `.lock`."""

    def __init__(self, path: bytes, *, files: FileSystem, clock: Clock, waits: bool = True) -> None:
        """Unless it `waits`, LockHeld is raised where the lock is not free at once."""
        self._waits = waits
        self._lock = path + b".lock"
        self._files = files
        self._clock = clock

    def __enter__(self) -> "DotLock":
        until = time.monotonic() + WAIT_SECONDS
        wait = _FIRST_WAIT
        seen: tuple[int, int] | None = None  # inode and mtime of the lock that we wait for
        seen_at = 0.0
        while not self._take():
            if not self._waits:
                raise LockHeld(os.fsdecode(self._lock))
            now = time.monotonic()
            status = self._status()
            if status is None:
                continue
            if status != seen:
                seen, seen_at = status, now
            if self._is_void(unchanged_for=now - seen_at):
                self._remove_void(status)
                continue
            if now > until:
                raise StoreBusy(f"{os.fsdecode(self._lock)}: locked by another program")
            time.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._files.unlink(self._lock)
        except FileNotFoundError:
            return  # another program thought us dead
        finally:
            _HELD.discard(self._lock)

    def _take(self) -> bool:
        try:
            fd = self._files.open(self._lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        _HELD.add(self._lock)
        try:
            try:
                self._files.write_all(fd, [b"%d:%s" % (os.getpid(), _HOST)])
            finally:
                self._files.close(fd)
        except OSError:  # the disk is full: an empty lock would hold everybody up
            self._files.unlink(self._lock)
            _HELD.discard(self._lock)
            raise
        return True

    def _status(self) -> tuple[int, int] | None:
        try:
            status = self._files.stat(self._lock)
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _is_void(self, *, unchanged_for: float) -> bool:
        try:
            owner = self._files.read_file(self._lock)
        except FileNotFoundError:
            return False
        pid, colon, host = owner.partition(b":")
        if colon and host == _HOST and is_decimal(pid, max_digits=9):
            number = decimal(pid)
            return self._lock not in _HELD if number == os.getpid() else not _is_alive(number)
        if not owner:
            return self._age() > EMPTY_SECONDS
        return unchanged_for > STALE_SECONDS

    def _age(self) -> float:
        try:
            return self._clock.now() - self._files.stat(self._lock).st_mtime
        except FileNotFoundError:
            return 0.0

    def _remove_void(self, status: tuple[int, int]) -> None:
        """Remove the lock if it is still the one that was looked at."""
        if self._status() == status:
            try:
                self._files.unlink(self._lock)
            except FileNotFoundError:
                return


_HELD: Final[set[bytes]] = set()
"""The locks that threads of this process hold."""
_HOST: Final = os.fsencode(socket.gethostname())


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
