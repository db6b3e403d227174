"""maildirsize, the file in which Maildir++ quotas keep what a user's mailboxes hold.

DESCRIPTION
        104857600S,1000C        limits, octets and messages; 0S: none
        5210 14                 what was counted when the file was made
        244 1                   and what came or went since, one line for each change
        -60 -1

    A change is appended by one write, so that several programs may; nobody locks.  A file that has grown to
    5120 octets, that tells of other limits, of something negative, or that nobody should trust (over quota, and
    more than one line or older than 15 minutes), is made anew by whoever counts the mail.

FAULTS
    OSError  the file cannot be read or written

STANDARDS
    Maildir++; Dovecot 2.3, quota back-end maildir
"""

import os
import re
from typing import Final

import msgspec

from pillarbox.files.file_system import FileSystem

FILE_NAME: Final = b"maildirsize"
MAX_SIZE: Final = 5120
STALE_SECONDS: Final = 15 * 60
_MAX_LIMIT: Final = (1 << 63) - 1
_LIMIT: Final = re.compile(rb"(\d{1,20})([SC])")
_DELTA: Final = re.compile(rb"[ \t]*([-+]?\d{1,18})[ \t]+([-+]?\d{1,10})")


class Usage(msgspec.Struct, frozen=True, array_like=True):
    """What mailboxes hold, or may hold (0: unlimited)."""

    octets: int = 0
    messages: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.octets + other.octets, self.messages + other.messages)

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(self.octets - other.octets, self.messages - other.messages)

    def exceeds(self, limits: "Usage") -> bool:
        """Whether it is more than one of the limits."""
        return (0 < limits.octets < self.octets) or (0 < limits.messages < self.messages)


class Size(msgspec.Struct, frozen=True, array_like=True):
    """Octets of a message, as stored and with CRLF."""

    stored: int
    with_crlf: int


class Contents(msgspec.Struct, frozen=True):
    """What a file tells."""

    limits: Usage
    usage: Usage | None
    """None: the mail has to be counted."""
    lines: int


def parse(content: bytes) -> Contents:
    """The file's meaning; a last line without its end is left out."""
    is_full = len(content) >= MAX_SIZE
    content = content[:MAX_SIZE]
    content = content[: content.rfind(b"\n") + 1].removesuffix(b"\n")
    header, *lines = content.split(b"\n")
    limits = _limits(header)
    if is_full or b"\0" in content or not header:
        return Contents(limits, None, len(lines))
    octets = messages = 0
    for line in lines:
        match = _DELTA.match(line)
        if match is None:
            return Contents(limits, None, len(lines))
        octets += int(match[1])
        messages += int(match[2])
    if octets < 0 or messages < 0:
        return Contents(limits, None, len(lines))
    return Contents(limits, Usage(octets, messages), len(lines))


def _limits(line: bytes) -> Usage:
    found = {b"S": 0, b"C": 0}
    for part in line.split(b","):
        match = _LIMIT.fullmatch(part)
        if match is not None and int(match[1]):
            found[match[2]] = min(int(match[1]), _MAX_LIMIT)
    return Usage(found[b"S"], found[b"C"])


def render(limits: Usage, usage: Usage) -> bytes:
    """A file made anew."""
    words = [b"%dS" % limits.octets] if limits.octets or not limits.messages else []
    words += [b"%dC" % limits.messages] if limits.messages else []
    return b"%b\n%d %d\n" % (b",".join(words), usage.octets, usage.messages)


class MaildirSize:
    """The file of one account."""

    def __init__(self, directory: bytes, files: FileSystem) -> None:
        self._path = directory + b"/" + FILE_NAME
        self._files = files

    def read(self, now: float, limits: Usage | None) -> Contents | None:
        """What the file tells, None if there is none; with `limits`, one that has others must be counted anew."""
        try:
            content = self._files.read_file(self._path)
            age = now - self._files.stat(self._path).st_mtime
        except FileNotFoundError:
            return None
        found = parse(content)
        if found.usage is None:
            return found
        if limits is not None and limits != found.limits:
            return Contents(limits, None, found.lines)
        if found.usage.exceeds(found.limits) and (found.lines > 1 or age > STALE_SECONDS):
            return Contents(found.limits, None, found.lines)
        return found

    def write(self, limits: Usage, usage: Usage, *, temporary: bytes) -> None:
        """Make it anew; `temporary` is a name that nobody else has."""
        path = b"%b.%b" % (self._path, temporary)
        fd = self._files.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            self._files.write_all(fd, [render(limits, usage)])
        finally:
            self._files.close(fd)
        self._files.rename(path, self._path)

    def append(self, delta: Usage) -> None:
        """Something came or went."""
        if delta == Usage():
            return
        fd = self._files.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            self._files.write_all(fd, [b"%d %d\n" % (delta.octets, delta.messages)])
        finally:
            self._files.close(fd)

    def remove(self) -> None:
        """Let the next program count."""
        try:
            self._files.unlink(self._path)
        except FileNotFoundError:
            return
