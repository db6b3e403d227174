"""Locks that tell whether a half runs: never two systems on one queue.

DESCRIPTION
    A supervisor holds flock(2) on its pid file for life; the MTA's holds one on master.lock in data_directory
    too, as Postfix's master(8) does, so that each of the two refuses to start where the other runs.  The files
    of the MTA stay when it ends: only the lock tells.  Content is the process id and a newline.

FAULTS
    StartFault  another process holds a lock, or a file cannot be written
"""

import fcntl
import os
import stat

import msgspec

from pillarbox.net.startup import User
from pillarbox.supervisor.listeners import StartFault
from pillarbox.vocabulary.digits import decimal


class LockFile(msgspec.Struct, frozen=True):
    """A file to lock; `owner` is whose it is, None for the supervisor's own."""

    path: str
    owner: User | None = None
    form: bytes = b"%32d\n"
    """How the process id is written: Postfix's form, or Dovecot's without blanks."""
    stays: bool = True
    """Whether the file stays when the lock is let go."""


class HeldLocks:
    """Locks that this process holds until it ends."""

    def __init__(self, files: tuple[LockFile, ...]) -> None:
        """Take all of them.  StartFault if one is held by another."""
        self._held: list[tuple[LockFile, int]] = []
        try:
            for file in files:
                self._held.append((file, _locked(file)))
        except StartFault:
            self._close()
            raise
        for file, descriptor in self._held:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, file.form % os.getpid(), 0)

    def release(self) -> None:
        """Let go; files that do not stay are removed first, so that nobody finds one without its lock."""
        for file, _ in self._held:
            if not file.stays:
                _unlink(file.path)
        self._close()

    def _close(self) -> None:
        for _, descriptor in self._held:
            os.close(descriptor)
        self._held.clear()


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
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:  # it is written to, and given away
        os.close(descriptor)
        raise StartFault(f"open lock file {file.path}: not a regular file with one name")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = _pid(descriptor)
        os.close(descriptor)
        raise StartFault(f"already running: pid {pid} holds {file.path}") from None
    if file.owner is not None and os.getuid() == 0:
        os.fchown(descriptor, file.owner.uid, file.owner.gid)
    return descriptor


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def _pid(descriptor: int) -> int:
    try:
        return decimal(os.pread(descriptor, 64, 0).strip()) or 0
    except ValueError:
        return 0
