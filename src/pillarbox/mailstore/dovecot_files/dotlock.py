"""Dovecot's lock files: `dovecot-uidlist.lock` and its like.

DESCRIPTION
    A lock is a file made with O_EXCL that holds `pid:hostname`.  Whoever wants it waits and looks again; it
    is taken over when its process is dead on this host, or when, of another host or without a readable pid,
    it has not changed for two minutes.  Dovecot, and every program that follows it, does the same, so that
    both can work on a mailbox.  Two cases are ours: a lock with our own pid that no thread of ours holds was
    left by a former process with that pid (a restarted container), and an empty one that is some seconds old
    by a crash between making and writing it.

    `LockFile` keeps the file of a lock that was given up, and the next lock is a link to it.  A lock with a file
    of its own frees an inode, and ext4 looks at each one that was freed in the last minutes whenever a file is
    made: with a lock for each message that was half of what storing cost.

    `DotLock` is for worker threads: it waits by sleeping, at first a millisecond.  Within our process nobody
    waits for long, since a mailbox's changes are made one after another (mailstore/maildir/mailbox.py).

FAULTS
    StoreBusy  the lock was not free for two minutes
    LockHeld   it is not free now, and the caller does not wait
    OSError    the lock file cannot be made

STANDARDS
    Dovecot 2.3, Maildir format (lock, stale rules)
"""

import os
import socket
import threading
import time
from types import TracebackType
from typing import Final

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.mailbox import StoreBusy
from pillarbox.mailstore.maildir.file_names import NameMaker
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.digits import decimal, is_decimal

STALE_SECONDS: Final = 120
"""A lock that nobody has touched for so long, and whose owner cannot be asked, is void."""
EMPTY_SECONDS: Final = 5
"""An empty lock is written to within microseconds; one that is older has no owner."""
WAIT_SECONDS: Final = 122
"""So long we wait."""
FEW: Final = 8
"""Locks of an account before their file is kept."""

_FIRST_WAIT: Final = 0.001
_LONGEST_WAIT: Final = 0.1


class LockHeld(Exception):
    """Somebody else has the lock."""


class LockFile:
    """The file that the locks of an account are links to.

    It lies in tmp/, from where it is removed in time if this process dies.  The first few locks have files of their
    own, so that who does little leaves nothing there; so has each lock where there can be no link (another file
    system).
    """

    def __init__(self, directory: bytes, *, files: FileSystem, names: NameMaker) -> None:
        """`directory`: tmp/ of a Maildir."""
        self._directory = directory
        self._files = files
        self._names = names
        self._path = b""
        self._owner = 0
        self._is_usable = True
        self._given_up = 0
        self._mutex = threading.Lock()

    def link(self, lock: bytes) -> bool:
        """Make a lock; False if there is no file yet.  FileExistsError if somebody has the lock."""
        with self._mutex:
            if not self._path or self._owner != os.getpid():
                return False
            try:
                self._files.link(self._path, lock)
            except FileExistsError:
                raise
            except OSError as error:
                self._is_usable = isinstance(error, FileNotFoundError)
                self._remove()
                return False
            return True

    def keep(self, lock: bytes) -> None:
        """Give up a lock that has a file of its own, which may be the one from now on.

        FileNotFoundError if it is gone.
        """
        with self._mutex:
            self._given_up += 1
            has_file = self._path and self._owner == os.getpid()
            if has_file or self._given_up <= FEW or not self._is_usable:
                self._files.unlink(lock)
                return
            path = self._directory + b"/" + self._names.take()
            try:
                self._files.rename(lock, path)
            except OSError as error:
                self._is_usable = isinstance(error, FileNotFoundError)  # there may be a tmp/ later
                self._files.unlink(lock)
                return
            self._path, self._owner = path, os.getpid()
            if self._files.read_file(path) != _owner():
                self._remove()  # another program thought us dead, and the lock was its own

    def remove(self) -> None:
        """No more locks are wanted."""
        with self._mutex:
            if self._path and self._owner == os.getpid():
                self._remove()

    def _remove(self) -> None:
        path, self._path = self._path, b""
        try:
            self._files.unlink(path)
        except OSError:
            return  # gone already, or with the mailbox


class DotLock:
    """`with DotLock(path, files=files, clock=clock):` holds `path` + `.lock`."""

    def __init__(
        self,
        path: bytes,
        *,
        files: FileSystem,
        clock: Clock,
        waits: bool = True,
        file: LockFile | None = None,
        stale_seconds: float = STALE_SECONDS,
    ) -> None:
        """Unless it `waits`, LockHeld is raised where the lock is not free at once; it is a link to `file`."""
        self._waits = waits
        self._stale_seconds = stale_seconds
        self._seen: tuple[int, int] | None = None  # inode and ctime of the lock that we wait for
        self._seen_at = 0.0
        self._file = file
        self._has_own_file = False
        self._lock = path + b".lock"
        self._files = files
        self._clock = clock

    @property
    def path(self) -> bytes:
        """The lock file."""
        return self._lock

    def attempt(self) -> bool:
        """Take the lock if it is free or void; whether we have it.  Whoever waits calls this again and again."""
        while not self._take():
            now = time.monotonic()
            status = self._status()
            if status is None:
                continue
            if status != self._seen:
                self._seen, self._seen_at = status, now
            with _TAKING:
                if not self._is_void(unchanged_for=now - self._seen_at):
                    return False
                self._remove_void(status)
        return True

    def touch(self) -> None:
        """Whoever waits on another host sees that we are there."""
        try:
            self._files.utime(self._lock, modified_ns=int(self._clock.now() * 1e9))
        except FileNotFoundError:
            return  # another program thought us dead

    def __enter__(self) -> "DotLock":
        if not self._waits:
            if not self._take():
                raise LockHeld(os.fsdecode(self._lock))
            return self
        until = time.monotonic() + WAIT_SECONDS
        wait = _FIRST_WAIT
        while not self.attempt():
            if time.monotonic() > until:
                raise StoreBusy(f"{os.fsdecode(self._lock)}: locked by another program")
            time.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the lock up."""
        try:
            if self._file is not None and self._has_own_file:
                self._file.keep(self._lock)
            else:
                self._files.unlink(self._lock)
        except FileNotFoundError:
            return  # another program thought us dead
        finally:
            _HELD.discard(self._lock)

    def _take(self) -> bool:
        if self._file is not None:
            with _TAKING:
                try:
                    is_taken = self._file.link(self._lock)
                except FileExistsError:
                    return False
                if is_taken:
                    self._has_own_file = False
                    _HELD.add(self._lock)
                    return True
        self._has_own_file = True
        return self._make()

    def _make(self) -> bool:
        try:
            fd = self._files.open(self._lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        _HELD.add(self._lock)
        try:
            try:
                self._files.write_all(fd, [_owner()])
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
        return status.st_ino, status.st_ctime_ns  # which a link changes, too

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
        return unchanged_for > self._stale_seconds

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
_TAKING: Final = threading.Lock()
"""Held while a lock is linked and noted in `_HELD`, and while one that nobody holds is removed."""
_HOST: Final = os.fsencode(socket.gethostname())


def _owner() -> bytes:
    return b"%d:%s" % (os.getpid(), _HOST)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
