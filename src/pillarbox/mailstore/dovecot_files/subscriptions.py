"""The subscriptions file of an account.

DESCRIPTION
        V	2

        INBOX
        Lists	pillarbox

    Version 2 separates levels by TAB and escapes TAB, CR, LF, NUL and 0x01 in them; version 1 has names with
    the storage's separator, `.` or for LAYOUT=fs `/`, and no header.  A file keeps its version.  A change is
    written to `subscriptions.lock`, which is the lock as well, fsynced and renamed over the file.

FAULTS
    OSError  the file cannot be read or written

STANDARDS
    RFC 3501 §6.3.6 (a subscribed name need not exist); Dovecot 2.3, Maildir format
"""

import os
import time
from collections.abc import Callable
from typing import Final

from pillarbox.files.directories import make_directories
from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.mailbox import StoreBusy
from pillarbox.mailstore.mailbox_names import SEPARATOR, UNESCAPED, Escaping, decode_utf7, storage_name

FILE_NAME: Final = b"subscriptions"
HEADER: Final = b"V\t2\n\n"
STALE_SECONDS: Final = 30
"""A lock that is older was left by a program that died."""

_ESCAPES: Final = (
    (b"\x01", b"\x011"),
    (b"\0", b"\x010"),
    (b"\t", b"\x01t"),
    (b"\r", b"\x01r"),
    (b"\n", b"\x01n"),
)


class Subscriptions:
    """Names that the user wants to see, existing or not."""

    def __init__(
        self, root: bytes, files: FileSystem, *, separator: bytes = b".", escaping: Escaping = UNESCAPED
    ) -> None:
        """`separator` is the storage's, of a version 1 file."""
        self._escaping = escaping
        self._separator = separator
        self.path = root + b"/" + FILE_NAME
        self._files = files
        self._known: tuple[bytes, tuple[str, ...]] = (b"", ())  # what the file held, and the names in it

    def read(self) -> tuple[str, ...]:
        """The subscribed names, in the file's order; lines that are no names are left out."""
        content = self._content()
        known, read = self._known
        if content == known:
            return read
        separator = b"\t" if content.startswith(HEADER) or not content else self._separator
        names = []
        for line in _lines(content):
            try:
                levels = [
                    self._escaping.plain(decode_utf7(_unescape(level))) for level in line.split(separator)
                ]
            except ValueError:
                continue
            names.append(SEPARATOR.join(levels))
        self._known = (content, tuple(names))
        return self._known[1]

    def add(self, name: str) -> None:
        """Subscribe; no change if it is."""
        make_directories(os.path.dirname(self.path), self._files)
        self._change(name, lambda lines, line: lines if line in lines else [*lines, line])

    def remove(self, name: str) -> None:
        """Unsubscribe; no change if it is not."""
        if name in self.read():
            self._change(name, lambda lines, line: [other for other in lines if other != line])

    def _change(self, name: str, change: Callable[[list[bytes], bytes], list[bytes]]) -> None:
        fd = self._lock()
        try:
            try:
                content = self._content()
                lines = _lines(content)
                is_version_1 = bool(content) and not content.startswith(HEADER)
                if is_version_1:
                    line = self._separator.join(storage_name(name, self._escaping))
                else:
                    line = b"\t".join(map(_escape, storage_name(name, self._escaping)))
                changed = change(lines, line)
                if changed == lines and content:
                    self._files.unlink(self.path + b".lock")
                    return
                header = b"" if is_version_1 else HEADER
                self._files.write_all(fd, [header, b"".join([kept + b"\n" for kept in changed])])
                self._files.fsync(fd)
            finally:
                self._files.close(fd)
            self._files.rename(self.path + b".lock", self.path)
            self._files.sync_directory(os.path.dirname(self.path))
        except OSError:
            self._discard()
            raise

    def _lock(self) -> int:
        path = self.path + b".lock"
        for _ in range(STALE_SECONDS * 20):
            try:
                return self._files.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                try:
                    age = time.time() - self._files.stat(path).st_mtime  # noqa: TID251 - against the file's time
                except FileNotFoundError:
                    continue
            if age > STALE_SECONDS:
                self._discard()
                continue
            time.sleep(0.05)
        raise StoreBusy(f"{os.fsdecode(path)}: locked by another program")

    def _discard(self) -> None:
        try:
            self._files.unlink(self.path + b".lock")
        except FileNotFoundError:
            return

    def _content(self) -> bytes:
        try:
            return self._files.read_file(self.path)
        except FileNotFoundError:
            return b""


def _lines(content: bytes) -> list[bytes]:
    return [line for line in content.removeprefix(HEADER).split(b"\n") if line]


def _escape(level: bytes) -> bytes:
    for plain, escaped in _ESCAPES:
        level = level.replace(plain, escaped)
    return level


def _unescape(level: bytes) -> bytes:
    if b"\x01" in level:
        for plain, escaped in reversed(_ESCAPES):
            level = level.replace(escaped, plain)
    return level
