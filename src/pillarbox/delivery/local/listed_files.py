"""Files that aliases and .forward files list: which :include: files are read, and where `~/file` is.

FAULTS
    NotRead  the file is not read, and why; in Postfix's words

STANDARDS
    aliases(5), local(8)
"""

import os
import stat

from pillarbox.files.file_system import FileSystem


class NotRead(Exception):
    """A mistake of whoever wrote the list: mail for it is bounced."""


def include_status(path: bytes, files: FileSystem) -> os.stat_result:
    """The status of an :include: file that may be read.  NotRead; OSError if the system does not give it."""
    shown = os.fsdecode(path)
    if not path.startswith(b"/"):
        raise NotRead(f":include:{shown} uses a relative path")
    status = files.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise NotRead(f":include: file {shown} is not a regular file")
    if status.st_mode & 0o002:
        raise NotRead(f":include: file {shown} is world writable")
    return status


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
