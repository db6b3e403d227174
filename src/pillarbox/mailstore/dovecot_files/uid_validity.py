"""dovecot-uidvalidity: the last UIDVALIDITY that was given out in an account.

DESCRIPTION
    The file holds eight hexadecimal digits; beside it an empty file, `dovecot-uidvalidity.<the same>`, marks
    the value.  The next value is taken by renaming the marker to value + 1, which only one of several
    programs can do, and then overwriting the digits.  Without a marker, time counts: UIDVALIDITY must grow
    when a mailbox is made anew under an old name (RFC 3501 §2.3.1.1).

STANDARDS
    RFC 3501 §2.3.1.1; Dovecot 2.3, Maildir format
"""

import os
import re
from typing import Final

from pillarbox.files.file_system import FileSystem
from pillarbox.vocabulary.identifiers import UidValidity

FILE_NAME: Final = b"dovecot-uidvalidity"
_MARKER: Final = re.compile(rb"dovecot-uidvalidity\.([0-9a-f]{8})")
_DIGITS: Final = re.compile(rb"[0-9a-f]{8}")


def next_uid_validity(root: bytes, *, now: float, files: FileSystem) -> UidValidity:
    """A value that no mailbox of this account has had."""
    while True:
        last = max(_in_file(root, files), _in_markers(root, files))
        if last == 0:
            value = int(now)
            fd = files.open(_marker(root, value), os.O_WRONLY | os.O_CREAT, 0o444)
            files.close(fd)
        else:
            value = last + 1
            try:
                files.rename(_marker(root, last), _marker(root, value))
            except FileNotFoundError:
                if _in_markers(root, files) > last:
                    continue  # another program took the value; take the next one
                fd = files.open(_marker(root, value), os.O_WRONLY | os.O_CREAT, 0o444)
                files.close(fd)
        _write(root, value, files)
        return UidValidity(value)


def raise_uid_validity(root: bytes, value: int, *, files: FileSystem) -> None:
    """A mailbox came with its own UIDVALIDITY: those that are given out from now on are higher."""
    while (last := max(_in_file(root, files), _in_markers(root, files))) < value:
        try:
            if last:
                files.rename(_marker(root, last), _marker(root, value))
            else:
                files.close(files.open(_marker(root, value), os.O_WRONLY | os.O_CREAT, 0o444))
        except FileNotFoundError:
            if _in_markers(root, files) > last:
                continue  # another program has taken the next one
            files.close(files.open(_marker(root, value), os.O_WRONLY | os.O_CREAT, 0o444))
        _write(root, value, files)


def _in_file(root: bytes, files: FileSystem) -> int:
    try:
        digits = files.read_file(root + b"/" + FILE_NAME)
    except FileNotFoundError:
        return 0
    return int(digits, 16) if _DIGITS.fullmatch(digits) else 0


def _in_markers(root: bytes, files: FileSystem) -> int:
    values = [int(match[1], 16) for name in files.listdir(root) if (match := _MARKER.fullmatch(name))]
    for old in sorted(values)[:-1]:
        try:
            files.unlink(_marker(root, old))
        except FileNotFoundError:
            continue
    return max(values, default=0)


def _marker(root: bytes, value: int) -> bytes:
    return b"%s/%s.%08x" % (root, FILE_NAME, value)


def _write(root: bytes, value: int, files: FileSystem) -> None:
    fd = files.open(root + b"/" + FILE_NAME, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        files.pwrite(fd, b"%08x" % value, 0)
        files.truncate(fd, 8)
        files.fdatasync(fd)
    finally:
        files.close(fd)
    files.sync_directory(root)
