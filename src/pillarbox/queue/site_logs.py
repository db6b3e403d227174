"""flush/: which deferred messages a site has, for ETRN and `postqueue -s`.

DESCRIPTION
    A file for each site of fast_flush_domains: the ids of messages that were deferred for it, one in a line, in the
    order in which that happened.  It is a hint: a message may have gone on since, and stand there more than once.
    A site that asks gets what its file names, whatever else the queue holds.

    Whatever a message is deferred for again is noted again, so what was read is forgotten.

    The file has the site's name in lower case, with `_` for all that is no letter or digit, so that two sites may
    share one; then both get their mail.

    As the files are Postfix's, what it has noted is found by us and what we have noted by it.  They are not
    fsynced: mail that a crash has lost from them is tried in its time.

STANDARDS
    Postfix flush(8): fast_flush_domains, fast_flush_refresh_time, fast_flush_purge_time
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from typing import Final

from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_ids import is_queue_id
from pillarbox.vocabulary.identifiers import QueueId

_QUEUE: Final = "flush"
_MOST_AT_ONCE: Final = 64 * 1024
_MOST_REMEMBERED: Final = 10_000
"""Ids of one file that are known not to come again."""
_LONGEST_SITE: Final = 255
"""Octets: no domain is longer, nor is a file name."""
_APPEND: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


def site_of(address: bytes) -> str:
    """The site of a recipient, by which it may ask; "" if the address has none."""
    return site_name(address.rpartition(b"@")[2]) if b"@" in address else ""


def site_name(text: bytes) -> str:
    """A site as it stands in fast_flush_domains, in A-labels; "" for what is none."""
    name = text.decode("utf-8", "replace").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return name if len(name) <= _LONGEST_SITE else ""


class SiteLogs:
    """The files of all sites."""

    def __init__(self, directories: QueueDirectories) -> None:
        self._directories = directories

    def note(self, site: str, queue_id: QueueId) -> None:
        """The message was deferred for this site.  OSError."""
        self._note(_file_name(site), [queue_id])

    def _note(self, name: QueueId, ids: Iterable[QueueId]) -> None:
        path = self._directories.path(_QUEUE, name)
        try:
            descriptor = os.open(path, _APPEND, 0o600)
        except FileNotFoundError:
            self._directories.make_hashed(_QUEUE, name)
            descriptor = os.open(path, _APPEND, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, b"".join(b"%s\n" % queue_id.encode() for queue_id in ids))
        finally:
            os.close(descriptor)

    def take(self, site: str) -> Iterator[QueueId]:
        """The messages that are noted for a site, which are noted no more when all were looked at.

        A message may come twice if there are very many.  Nothing if there is no file, or it cannot be read.
        """
        return self._take(_file_name(site))

    def _take(self, name: QueueId) -> Iterator[QueueId]:
        path = self._directories.path(_QUEUE, name)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return
        try:
            seen: set[str] = set()
            end = os.fstat(descriptor).st_size  # what is noted from here on stays
            for line in _lines(descriptor, 0, end):
                queue_id = line.decode("ascii", "replace")
                if is_queue_id(queue_id) and queue_id not in seen:
                    if len(seen) < _MOST_REMEMBERED:
                        seen.add(queue_id)
                    yield QueueId(queue_id)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            rest = os.pread(descriptor, max(0, os.fstat(descriptor).st_size - end), end)
            os.pwrite(descriptor, rest, 0)
            os.ftruncate(descriptor, len(rest))
        except OSError:
            return
        finally:
            os.close(descriptor)

    def tidy(self, *, now: float, refresh: float, purge: float) -> None:
        """Once in a while: files cannot grow for ever, nor are there more and more of them.

        A file that nobody has read for `refresh` seconds keeps those messages that are still deferred, each once;
        one that has been empty for `purge` seconds goes.
        """
        for name in self._directories.scan(_QUEUE):
            path = self._directories.path(_QUEUE, name)
            try:
                status = os.stat(path, follow_symlinks=False)
                if not status.st_size:
                    if status.st_mtime + purge < now:
                        os.unlink(path)
                elif status.st_atime + refresh < now:
                    self._note(name, list(filter(self._is_deferred, self._take(name))))
            except OSError:
                continue  # the next time

    def _is_deferred(self, queue_id: QueueId) -> bool:
        return os.path.exists(self._directories.path("deferred", queue_id))


def _lines(descriptor: int, offset: int, end: int) -> Iterator[bytes]:
    """Whole lines, without their ends."""
    rest = b""
    while data := os.pread(descriptor, min(_MOST_AT_ONCE, end - offset), offset):
        offset += len(data)
        *lines, rest = (rest + data).split(b"\n")
        yield from lines


def _file_name(site: str) -> QueueId:
    return QueueId(
        "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in site.lower())
    )
