"""Files that aliases and .forward files list: which :include: files are read, and where `~/file` is.

DESCRIPTION
    These files belong to users, who may put something else in their place at any time: what was judged by its name
    is judged again when it is open, nobody waits for the writer of a FIFO, and no more is read than `MAX_FILE`.

FAULTS
    NotRead  the file is not read, and why; in Postfix's words

STANDARDS
    aliases(5), local(8)
"""

import os
import re
import stat
from collections.abc import Iterator
from typing import Final

from pillarbox.files.file_system import FileSystem

MAX_FILE: Final = 16 << 20
"""Octets of a list; a file may be of any size without taking room on the disk."""


_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+")


class NotRead(Exception):
    """A mistake of whoever wrote the list: mail for it is bounced."""


def include_status(path: bytes, files: FileSystem) -> os.stat_result:
    """The status of an :include: file that may be read.  NotRead; OSError if the system does not give it."""
    shown = os.fsdecode(path)
    if not path.startswith(b"/"):
        raise NotRead(f":include:{shown} uses a relative path")
    status = files.stat(path)
    judge(status, f":include: file {shown}")
    return status


def judge(status: os.stat_result, what: str, owners: tuple[int, ...] = ()) -> None:
    """NotRead if it is no file, is not one of the `owners`', or anybody may write there."""
    if not stat.S_ISREG(status.st_mode):
        raise NotRead(f"{what} is not a regular file")
    if owners and status.st_uid not in owners:
        raise NotRead(f"{what} has bad owner uid {status.st_uid}")
    if status.st_mode & 0o002:
        raise NotRead(f"{what} is world writable")


def read_list(
    path: bytes, files: FileSystem, *, what: str, owners: tuple[int, ...] = (), flags: int = 0
) -> bytes:
    """The content of a list, `what` it is called, if it can be judged so when it is open.  NotRead; OSError."""
    descriptor = files.open(path, os.O_RDONLY | os.O_NONBLOCK | flags)
    try:
        status = files.fstat(descriptor)
        judge(status, what, owners)
        if status.st_size > MAX_FILE:
            raise NotRead(f"{what} is larger than {MAX_FILE} octets")
        return files.pread(descriptor, status.st_size, 0)
    finally:
        files.close(descriptor)


def lines_of(text: bytes, limit: int) -> Iterator[bytes]:
    """The lines of a list, no comments; one of more than `limit` octets (line_length_limit) comes in pieces.

    The line's end belongs to its last piece, where it may stand in quotes that an earlier piece has not closed.
    """
    for line in _LINE.findall(text):
        for start in range(0, len(line), limit):
            piece = line[start : start + limit]
            if not piece.startswith(b"#"):
                yield piece


def not_opened(path: bytes, error: OSError) -> NotRead:
    """The fault for an :include: file that is there and may not be read."""
    return NotRead(f"cannot open include file {os.fsdecode(path)}: {error.strerror}")


def not_readable(path: bytes, error: OSError) -> NotRead:
    """The fault for an :include: file that the system does not give."""
    return NotRead(f"unable to lookup :include: file {os.fsdecode(path)}: {error.strerror}")


def below_home(text: bytes, home: bytes) -> bytes:
    """The path that `~/file` means.  NotRead."""
    if text[1:2] != b"/":
        raise NotRead(f"bad home directory syntax for: {os.fsdecode(text)}")
    if not home:
        raise NotRead(f"unknown home directory for: {os.fsdecode(text)}")
    return (b"" if home == b"/" else home) + text[1:]
