"""A file replaced as a whole: whoever opens its name finds the old content or the new, also after a crash.

STANDARDS
    POSIX.1-2017 rename; Linux fsync(2): the new name needs an fsync of its directory
"""

import os
from collections.abc import Sequence
from typing import AnyStr

from pillarbox.files.file_system import FileSystem


def replace_file(files: FileSystem, path: AnyStr, chunks: Sequence[bytes], *, temporary: AnyStr) -> None:
    """Write `chunks` to `temporary`, in the directory of `path`, and give it that name; mode 0600.

    The caller holds whatever lock keeps others from the same `temporary`; what a writer that died has left
    there is overwritten.  OSError: `path` is as it was, unless it was the last fsync that failed.
    """
    fd = files.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        files.write_all(fd, chunks)
        files.fsync(fd)
    finally:
        files.close(fd)
    files.rename(temporary, path)
    files.sync_directory(os.path.dirname(path))
