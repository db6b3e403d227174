"""The message that a file holds, whatever its size and however it was packed.

FAULTS
    FileNotFoundError, OSError  the file cannot be read
    StoreUnavailable            encrypted, damaged, or too large when unpacked
"""

import os
from concurrent.futures import Executor
from typing import Final

import msgspec

from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.content.file_content import PlainTooLarge, is_packed, plain_content
from pillarbox.mailstore.content.large_content import LARGE, LargeContent, unnamed_file
from pillarbox.mailstore.content.unpacking import unpack

_MAGIC: Final = 16


SMALL: Final = 128 * 1024
"""Octets of a message that is read on the event loop."""


class Times(msgspec.Struct, frozen=True, array_like=True):
    """mtime and ctime of a file, in nanoseconds."""

    modified: int
    changed: int


def message_at(
    files: FileSystem, path: bytes, *, executor: Executor | None = None, known: bytes | None = None
) -> tuple[bytes | LargeContent, Times]:
    """The message: in memory with any line ends, or a huge one with CRLF.

    What is `known` of its content is not read.
    """
    if known is not None:
        status = files.stat(path)
        return known, Times(status.st_mtime_ns, status.st_ctime_ns)
    descriptor = files.open(path, os.O_RDONLY)
    try:
        status = files.fstat(descriptor)
        times = Times(status.st_mtime_ns, status.st_ctime_ns)
        if status.st_size < LARGE:
            stored = files.read(descriptor, status.st_size + 1)
            try:
                return plain_content(stored), times
            except PlainTooLarge:
                pass
        tmp = os.path.dirname(os.path.dirname(path)) + b"/tmp"
        first = files.pread(descriptor, _MAGIC, 0)
        if is_packed(first):
            temporary = _unpacked(files, tmp, descriptor, first)
            return LargeContent(temporary, tmp, files=files, executor=executor), times
        kept, descriptor = descriptor, -1
        return LargeContent(kept, tmp, files=files, executor=executor), times
    finally:
        if descriptor >= 0:
            files.close(descriptor)


def message_at_once(
    files: FileSystem, path: bytes, *, limit: int = SMALL, known: bytes | None = None
) -> bytes | None:
    """The same of a small message that is in memory; None if it is not, or is packed.  OSError."""
    if known is not None:
        files.stat(path)  # it is still there
        return known
    stored = files.read_at_once(path, min(limit, LARGE - 1))
    return None if stored is None or is_packed(stored) else stored


def _unpacked(files: FileSystem, tmp: bytes, descriptor: int, first: bytes) -> int:
    """The plain message in a file of tmp/ that goes with its descriptor."""
    place = 0

    def read(size: int) -> bytes:
        nonlocal place
        data = files.pread(descriptor, size, place)
        place += len(data)
        return data

    temporary = unnamed_file(tmp, b"unpacked." + os.urandom(8).hex().encode("ascii"), files)
    try:
        for block in unpack(first, read):
            files.write_all(temporary, [block])
    except BaseException:
        files.close(temporary)
        raise
    return temporary
