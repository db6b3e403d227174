"""Files in tmp/ of a Maildir that programs have left there when they died.

FAULTS
    OSError  tmp/ cannot be read

STANDARDS
    https://cr.yp.to/proto/maildir.html: 36 hours
"""

from typing import Final

from pillarbox.files.file_system import FileSystem

TMP_AGE: Final = 36 * 3600
"""Seconds after which a file in tmp/ was left by a program that died."""


def remove_old_temporaries(folder: bytes, files: FileSystem, *, now: float) -> None:
    """Remove those of a folder; `now` in seconds since 1970."""
    directory = folder + b"/tmp/"
    oldest = now - TMP_AGE
    for name in files.listdir(directory):
        try:
            if files.stat(directory + name).st_ctime < oldest:
                files.unlink(directory + name)
        except OSError:
            continue  # another program was faster, or it is not ours to remove
