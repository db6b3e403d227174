"""Directories: whether a path leads to one, and all that is missing above it made.

FAULTS
    OSError
"""

import os
import stat

from pillarbox.files.file_system import FileSystem


def is_directory(path: bytes, files: FileSystem) -> bool:
    """Whether the path leads to a directory."""
    try:
        return stat.S_ISDIR(files.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def make_directories(path: bytes, files: FileSystem) -> None:
    """A directory with all that is missing above it, 0700."""
    if is_directory(path, files):
        return
    make_directories(os.path.dirname(path), files)
    try:
        files.mkdir(path, 0o700)
    except FileExistsError:
        return
    files.sync_directory(os.path.dirname(path))
