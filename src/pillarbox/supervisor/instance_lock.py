"""Locks that tell whether a half runs: never two systems on one queue.

DESCRIPTION
    A supervisor holds flock(2) on its pid file for life; the MTA's holds one on master.lock in data_directory
    too, as Postfix's master(8) does, so that each of the two refuses to start where the other runs.  The files
    stay when it ends: only the lock tells.  Content is the process id in 32 columns and a newline.

FAULTS
    StartFault  another process holds a lock, or a file cannot be written
"""

import fcntl
import os

import msgspec

from pillarbox.net.startup import User
from pillarbox.supervisor.listeners import StartFault
from pillarbox.vocabulary.digits import decimal


class LockFile(msgspec.Struct, frozen=True):
    """A file to lock; `owner` is whose it is, None for the supervisor's own."""

    path: str
    owner: User | None = None


class HeldLocks:
    """Locks that this process holds until it ends."""

    def __init__(self, files: tuple[LockFile, ...]) -> None:
        """Take all of them.  StartFault if one is held by another."""
        self._descriptors: list[int] = []
        try:
            for file in files:
                self._descriptors.append(_locked(file))
        except StartFault:
            self.release()
            raise
        for descriptor in self._descriptors:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%32d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Let go; the files stay."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()


def holder(path: str) -> int | None:
    """The process that holds the lock; None if nobody does.  0 if it did not say who it is."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid(descriptor)
    finally:
        os.close(descriptor)
    return None


def _locked(file: LockFile) -> int:
    try:
        descriptor = os.open(file.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StartFault(f"open lock file {file.path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = _pid(descriptor)
        os.close(descriptor)
        raise StartFault(f"already running: pid {pid} holds {file.path}") from None
    if file.owner is not None and os.getuid() == 0:
        os.fchown(descriptor, file.owner.uid, file.owner.gid)
    return descriptor


def _pid(descriptor: int) -> int:
    try:
        return decimal(os.pread(descriptor, 64, 0).strip()) or 0
    except ValueError:
        return 0
