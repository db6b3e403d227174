"""What has been delivered, noted as it happens: who is killed then does not have it delivered again.

DESCRIPTION
    A message that has its name in a mailbox can be read, but it survives a crash of the machine only when the disk
    has been waited for.  Its recipient may not be marked as done (file_source.py) before that: the mark might
    survive where the message does not.  Who is killed while it waits, or with a hundred others of a batch before
    anybody has heard of them, would have them delivered again.

    So each delivery is noted as it is made, at the end of the queue file, behind the end record, where Postfix does
    not read.  A note counts as long as the kernel runs in which it was made: until then the message is in the file
    system, if perhaps not on the disk.  Who finds one waits for the disk, and delivers nothing.

    A note is 20 octets: `\\0\\nD\\n`, 8 of what identifies the kernel's run, and 8 of what identifies the delivery:
    the offset of the recipient's record, the mailbox, and the header lines that are put in front.

FAULTS
    A note that cannot be made: none.  The delivery is made again if somebody is killed then, as without notes.
    One that has to be withdrawn, because the disk has not taken the message, is overwritten in its place.

STANDARDS
    Linux random(4), /proc/sys/kernel/random/boot_id; readv(2), RWF_APPEND
"""

from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from typing import Final

from pillarbox.files.file_system import DISK, FileSystem

_MAGIC: Final = b"\0\nD\n"
_PART: Final = 8
_NOTE: Final = len(_MAGIC) + 2 * _PART
_WINDOW: Final = 1000 * _NOTE
_NOBODY: Final = bytes(_PART)
_NONE: Final[frozenset[bytes]] = frozenset()


def _this_run() -> bytes:
    """Identifies the run of the kernel; empty if nothing does."""
    try:
        return _digest(DISK.read_file("/proc/sys/kernel/random/boot_id"))
    except OSError:
        return b""


def _digest(text: bytes) -> bytes:
    return blake2b(text, digest_size=_PART).digest()


THIS_RUN: Final = _this_run()
"""Of the kernel."""


def delivery_key(offset: int, mailbox: bytes, head: bytes) -> bytes:
    """Identifies a delivery among those of a message: recipient, mailbox or command, and what is put in front."""
    return _digest(b"%d\0%s\0%s" % (offset, mailbox, head))


class DeliveryNotes:
    """Those of one message.  Its queue file has to stay open."""

    __slots__ = ("_descriptor", "_earlier", "_files", "_head")

    def __init__(
        self, descriptor: int, *, has_some: bool, files: FileSystem = DISK, run: bytes = THIS_RUN
    ) -> None:
        """`has_some`: the file may have notes already.  `run` is the kernel's; empty: no notes are made."""
        self._descriptor = descriptor
        self._files = files
        self._head = _MAGIC + run if run else b""
        self._earlier = _NONE
        if has_some and run:
            with suppress(OSError):
                self._earlier = frozenset(key for _, key in self._all())

    def has(self, key: bytes) -> bool:
        """Whether the delivery had been made when the message was taken up."""
        return key in self._earlier

    def make(self, key: bytes) -> None:
        """The delivery has been made."""
        if self._head:
            with suppress(OSError):
                self._files.append(self._descriptor, self._head + key)

    def withdraw(self, key: bytes) -> None:
        """It has to be made again."""
        if not self._head:
            return
        with suppress(OSError):
            for offset, noted in [*self._all()]:
                if noted == key:
                    self._files.pwrite(self._descriptor, _NOBODY, offset + len(self._head))

    def _all(self) -> Iterator[tuple[int, bytes]]:
        """Offsets and keys, the last first."""
        end = self._files.fstat(self._descriptor).st_size
        while True:
            start = max(0, end - _WINDOW)
            start += (end - start) % _NOTE
            window = self._files.pread(self._descriptor, end - start, start)
            for at in range(len(window) - _NOTE, -1, -_NOTE):
                if window[at : at + len(self._head)] != self._head:
                    return
                yield start + at, window[at + len(self._head) : at + _NOTE]
            if len(window) < _WINDOW:
                return
            end = start
