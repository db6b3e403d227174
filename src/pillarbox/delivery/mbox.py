"""Append messages to mbox files, under the locks that other programs keep.

DESCRIPTION
    `append()` opens or makes the file, locks it, writes one message, fsyncs, and lets go.  A small message is
    written in one call, a large one in blocks that are read meanwhile.  What cannot be written whole is cut off
    again, so that the file never ends in half a message.  A file that was made gets its directory fsynced, too.

    Locks are those of mailbox_delivery_lock: dotlock, a file PATH.lock made with O_EXCL, and fcntl or flock on
    the file itself.  They are tried deliver_lock_attempts times; a lock file older than stale_lock_time is
    removed.

    The message comes with its From line, `From ` at the beginning of a line quoted, and an empty line after it
    (`as_mbox()`).

FAULTS
    MboxFault  `dsn` and `text`, as Postfix has them; the file is as it was
    What reading the message raises; the file is as it was

STANDARDS
    RFC 4155 (mbox); Postfix's mbox_open, safe_open, mail_copy
"""

import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Final

import msgspec

from pillarbox.files.file_system import DISK, FileSystem

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FROM: Final = re.compile(rb"(?m)^From ")
_OPEN: Final = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK
_AT_ONCE: Final = 524288
"""Octets from which on a message is written in more than one call."""
_LATER: Final = (errno.EAGAIN, errno.ESTALE)
WRITE_DIAGNOSTIC: Final = "x-unix; input/output error"
"""What a report says, for programs, of a message that could not be written."""
_TOO_MUCH: Final = (errno.EDQUOT, errno.EFBIG)


class MboxFault(Exception):
    """The message could not be appended."""

    def __init__(self, dsn: str, text: str) -> None:
        super().__init__(text)
        self.dsn = dsn
        self.text = text
        self.diagnostic = ""  # for Diagnostic-Code: (RFC 3464 §2.3.6)


class MboxLocks(msgspec.Struct, frozen=True):
    """mailbox_delivery_lock and its relatives."""

    styles: frozenset[str] = frozenset(("fcntl", "dotlock"))
    attempts: int = 20
    delay: float = 1.0
    stale_after: float = 500.0


def dsn_of(error: OSError, default: str) -> str:
    """The status code for an error of the file system (Postfix's mbox_dsn)."""
    if error.errno in _LATER:
        return "4.2.0"
    if error.errno == errno.ENOSPC:
        return "4.3.0"
    return "5.2.2" if error.errno in _TOO_MUCH else default


def as_mbox(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The message below its From line, in blocks of whole lines: `From ` quoted, an empty line at the end."""
    yield from map(quote_from, blocks)
    yield b"\n"


def quote_from(block: bytes) -> bytes:
    """Whole lines: `>` before those that begin with `From `."""
    if b"\nFrom " in block or block.startswith(b"From "):
        return _FROM.sub(b">From ", block)
    return block


def mbox_from_line(sender: bytes, *, now: float) -> bytes:
    """`From sender  Mon Jan  1 00:00:00 2026`; the sender is in external form."""
    local = time.localtime(now)
    stamp = (
        f"{_DAYS[local.tm_wday]} {_MONTHS[local.tm_mon - 1]} {local.tm_mday:2d} "
        f"{local.tm_hour:02d}:{local.tm_min:02d}:{local.tm_sec:02d} {local.tm_year:4d}"
    )
    return b"From %s  %s\n" % (sender or b"MAILER-DAEMON", stamp.encode())


def append(
    path: bytes,
    chunks: Iterable[bytes],
    *,
    locks: MboxLocks,
    size_limit: int = 0,
    check: Callable[[os.stat_result], None] = lambda status: None,
    default_dsn: str = "5.2.0",
    lock_file_may_fail: bool = False,
    warn: Callable[[str], None] = lambda text: None,
    written: Callable[[], None] = lambda: None,
    undone: Callable[[], None] = lambda: None,
    files: FileSystem = DISK,
) -> int:
    """Append one message; where it begins in the file, in octets.

    `check` looks at the opened file and may raise MboxFault; `default_dsn` is the code of a fault that has no code
    of its own.  `written` is called when the whole message is in the file, before the disk is waited for; `undone`
    if it is taken out again.
    """
    work = _Append(path, chunks, locks, size_limit, check, default_dsn, files, written, undone)
    if "dotlock" not in locks.styles or work.is_no_file():
        return work.do()
    with _LockFile(path + b".lock", locks, default_dsn, may_fail=lock_file_may_fail, warn=warn):
        return work.do()


@contextmanager
def locked_file(path: bytes, locks: MboxLocks, *, files: FileSystem = DISK) -> Iterator[int]:
    """A mailbox file under its locks, made if it is not there, for a `with` block.  MboxFault."""
    work = _Append(path, (), locks, 0, lambda _status: None, "5.2.0", files)
    dotlock = _LockFile(path + b".lock", locks, "5.2.0", may_fail=False, warn=lambda _text: None)
    with dotlock if "dotlock" in locks.styles else nullcontext():
        descriptor, _made = work._open()
        try:
            _lock(descriptor, locks)
            yield descriptor
        finally:
            files.close(descriptor)


class _Append(msgspec.Struct, frozen=True):
    """One message on its way into a file."""

    path: bytes
    chunks: Iterable[bytes]
    locks: MboxLocks
    size_limit: int
    check: Callable[[os.stat_result], None]
    default_dsn: str
    files: FileSystem
    written: Callable[[], None] = lambda: None
    undone: Callable[[], None] = lambda: None

    def is_no_file(self) -> bool:
        """Whether there is something that is no file: a device gets no lock file beside it."""
        try:
            return not stat.S_ISREG(self.files.stat(self.path).st_mode)
        except OSError:
            return False

    def do(self) -> int:
        """Open, lock, write, sync; where the message begins."""
        files = self.files
        descriptor, made = self._open()
        try:
            status = files.fstat(descriptor)
            self.check(status)
            if not stat.S_ISREG(status.st_mode):
                for some in _gathered(self.chunks):
                    files.write_all(descriptor, some)
                return 0
            _lock(descriptor, self.locks)
            before = self._write(descriptor)
            if made:
                self._sync_directory()
            return before
        except OSError as error:
            fault = self._fault(error, "error writing message")
            fault.diagnostic = WRITE_DIAGNOSTIC
            raise fault from error
        finally:
            files.close(descriptor)  # which lets fcntl's and flock's locks go

    def _open(self) -> tuple[int, bool]:
        """The descriptor, and whether the file is new."""
        files = self.files
        try:
            descriptor = self._open_there()
        except FileNotFoundError:
            try:
                return files.open(self.path, _OPEN | os.O_CREAT | os.O_EXCL, 0o600), True
            except OSError as error:
                raise self._fault(error, "cannot create file exclusively") from error
        except OSError as error:
            raise self._fault(error, "cannot open file") from error
        status = files.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_nlink != 1:
            files.close(descriptor)
            raise MboxFault(self.default_dsn, f"file has {status.st_nlink} hard links")
        return descriptor, False

    def _open_there(self) -> int:
        """A file that is there; by a symbolic link only if nobody but root can have made it.  MboxFault."""
        try:
            return self.files.open(self.path, _OPEN | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
        try:
            self.files.stat(self.path)
        except FileNotFoundError as error:  # nothing is made where a link leads to
            raise self._fault(error, "cannot open file") from error
        link, directory = os.lstat(self.path), os.stat(os.path.dirname(self.path) or b"/")
        if link.st_uid != 0 or directory.st_uid != 0 or directory.st_mode & 0o022:
            raise MboxFault(self.default_dsn, "file is a symbolic link")
        return self.files.open(self.path, _OPEN)

    def _write(self, descriptor: int) -> int:
        before = self.files.fstat(descriptor).st_size
        size = before
        try:
            for some in _gathered(self.chunks):
                size += sum(map(len, some))
                if self.size_limit and size > self.size_limit:
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
                self.files.write_all(descriptor, some)
            self.written()
            self.files.fsync(descriptor)
        except Exception:  # also what reading the message raises
            self.undone()
            self.files.truncate(descriptor, before)
            raise
        return before

    def _sync_directory(self) -> None:
        try:
            self.files.sync_directory(os.path.dirname(self.path) or b"/")
        except PermissionError:
            return  # a spool directory that its users may not list

    def _fault(self, error: OSError, what: str) -> MboxFault:
        return MboxFault(dsn_of(error, self.default_dsn), f"{what}: {error.strerror}")


def _gathered(chunks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Chunks that are written in one call."""
    some: list[bytes] = []
    octets = 0
    for chunk in chunks:
        some.append(chunk)
        octets += len(chunk)
        if octets >= _AT_ONCE:
            yield some
            some, octets = [], 0
    if some:
        yield some


def _lock(descriptor: int, locks: MboxLocks) -> None:
    """The kernel's locks, as often as they are tried."""
    wanted = {"fcntl": fcntl.lockf, "flock": fcntl.flock}
    for take in [call for style, call in wanted.items() if style in locks.styles]:
        for attempt in range(locks.attempts):
            if attempt:
                time.sleep(locks.delay)
            try:
                take(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
        else:
            reason = os.strerror(errno.EAGAIN)
            raise MboxFault("4.2.0", f"unable to lock for exclusive access: {reason}")


class _LockFile:
    """PATH.lock, there for a `with` block."""

    def __init__(
        self, path: bytes, locks: MboxLocks, default_dsn: str, *, may_fail: bool, warn: Callable[[str], None]
    ) -> None:
        self._path = path
        self._locks = locks
        self._default_dsn = default_dsn
        self._may_fail = may_fail
        self._warn = warn
        self._made = False

    def __enter__(self) -> None:
        fault: OSError | None = None
        for attempt in range(self._locks.attempts):
            if attempt:
                time.sleep(self._locks.delay)
            try:
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
                self._made = True
                return
            except OSError as error:
                fault = error
                if not isinstance(error, FileExistsError):
                    break
            try:
                self._remove_if_stale()
            except OSError as error:  # it is somebody else's
                fault = error
                break
        assert fault is not None
        text = f"unable to create lock file {os.fsdecode(self._path)}: {fault.strerror}"
        if isinstance(fault, FileExistsError):
            raise MboxFault("4.2.0", text)
        if not self._may_fail:
            raise MboxFault(dsn_of(fault, self._default_dsn), text)
        self._warn(text)

    def __exit__(self, *_: object) -> None:
        if self._made:
            with suppress(FileNotFoundError):
                os.unlink(self._path)

    def _remove_if_stale(self) -> None:
        with suppress(FileNotFoundError):
            # The clock of the file system's host made the time stamp; it is compared with its own.
            age = time.clock_gettime(time.CLOCK_REALTIME) - os.stat(self._path).st_mtime
            if age > self._locks.stale_after:
                os.unlink(self._path)
