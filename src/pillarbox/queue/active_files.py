"""The queue manager's file work, a batch of messages per call, for a worker thread.

DESCRIPTION
    `open_batch()` takes ids out of incoming and deferred, opens and locks their files, reads their envelopes and
    moves them to active.  `finish_batch()` marks recipients done, removes what is finished, writes defer logs
    and moves the rest to deferred.  Each returns one result per message.

    A file is locked (flock) as long as its message is active, so that postsuper(1) and another queue manager
    keep their hands off it.

STATES
    incoming/deferred → active        open_batch
    active → gone                     finish_batch, nothing left to do; the file may serve again
    active → deferred                 finish_batch, mtime = next attempt
    any → corrupt                     not a queue file: kept, never delivered
    any → where it was                it cannot be opened or moved now: `NotNow.fault`, tried at the next scan
    active → incoming                 recover(), when the queue manager starts, and before each scan
"""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Container, Iterable, Sequence

import msgspec

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.queue.file_source import FileSource
from pillarbox.queue.queue_directories import CORRUPT, EXPIRE_BIT, QueueDirectories
from pillarbox.queue.queue_file import QueueMessage, QueueRecipient, read_message
from pillarbox.queue.recipient_log import LogEntry, append_to_logs, discard, log_entries
from pillarbox.queue.records import DONE, CorruptQueueFile
from pillarbox.queue.site_logs import SiteLogs
from pillarbox.vocabulary.identifiers import QueueId


class Opened(msgspec.Struct):
    """A message that is active now."""

    queue_id: QueueId
    descriptor: int
    message: QueueMessage
    is_expired: bool = False  # by postsuper -e
    reasons: list[LogEntry] = []  # of such a message: why it was deferred the last time


class NotNow(msgspec.Struct, frozen=True):
    """A message that stays where it is: not due yet, locked, or gone."""

    queue_id: QueueId
    queue: str
    due: float = 0.0  # when it may be tried; 0: at the next scan
    fault: str = ""  # what an admin should mend (no descriptors, rights, the disk)


class Damaged(msgspec.Struct, frozen=True):
    """A message that went to corrupt."""

    queue_id: QueueId
    queue: str
    reason: str


class Finished(msgspec.Struct, kw_only=True):
    """What is to be done with a message whose attempts are over."""

    queue_id: QueueId
    descriptor: int
    done: list[QueueRecipient] = []  # to be marked
    deferred: list[LogEntry] = []
    waits: bool = False  # others than those are deferred, and stand in the defer log already
    logged: Container[int] = frozenset()  # offsets of recipients whose reasons stand there
    sites: list[str] = []  # that may ask for the deferred message
    next_attempt: float = 0.0
    recycled: str = ""
    """Where the file goes instead of being removed, if nothing is deferred (spare_files.py); "" : nowhere."""

    @property
    def is_over(self) -> bool:
        """Whether nobody has to wait."""
        return not self.deferred and not self.waits


class ActiveFiles:
    """File operations of one queue manager."""

    def __init__(
        self, directories: QueueDirectories, *, file_system: FileSystem = DISK, keeps_finished: bool = False
    ) -> None:
        """`keeps_finished`: files of finished messages go to saved (dont_remove)."""
        self._keeps = keeps_finished
        self._directories = directories
        self._files = file_system
        self._site_logs = SiteLogs(directories)

    def open_batch(
        self,
        ids: Sequence[tuple[QueueId, str]],
        *,
        now: float,
        at_once: Container[QueueId] = (),
        limit: Callable[[int], int] = lambda _: 0,
    ) -> list[Opened | NotNow | Damaged]:
        """One result for each (id, queue); those in `at_once` whatever their time.

        `limit` is asked how many recipients are read of the next, after so many of those before; 0: all.
        """
        recipients = 0
        results: list[Opened | NotNow | Damaged] = []
        for queue_id, queue in ids:
            result = self._open(
                queue_id, queue, now=now, at_once=queue_id in at_once, limit=limit(recipients)
            )
            if isinstance(result, Opened):
                recipients += len(result.message.recipients)
            results.append(result)
        return results

    def _open(
        self, queue_id: QueueId, queue: str, *, now: float, at_once: bool, limit: int
    ) -> Opened | NotNow | Damaged:
        files, path = self._files, self._directories.path(queue, queue_id)
        try:
            descriptor = files.open(path, os.O_RDWR)
        except FileNotFoundError:
            return NotNow(queue_id, queue)  # taken by postsuper, or a hint of a message that is gone already
        except OSError as error:
            return NotNow(queue_id, queue, fault=_fault(error))
        try:
            status = files.fstat(descriptor)
            if not at_once and status.st_mtime > now + 1:
                return self._leave(NotNow(queue_id, queue, status.st_mtime), descriptor)
            files.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if stat.S_IMODE(status.st_mode) & 0o700 != 0o700:
                if stat.S_IMODE(status.st_mode) != CORRUPT:
                    return self._leave(NotNow(queue_id, queue), descriptor)  # being written
                raise CorruptQueueFile("marked as corrupt by a delivery agent")
            source = FileSource(descriptor, files=files)
            message = read_message(source, limit=limit)
            if message.unread and (
                message.redirect or message.is_trace_only or status.st_mode & EXPIRE_BIT
            ):  # all are told the same, and nothing of them is logged
                message = read_message(source)
            message.is_noted = status.st_size > message.end
            self._directories.move(queue_id, queue, "active")
        except CorruptQueueFile as fault:
            try:
                self._directories.move(queue_id, queue, "corrupt")
            except OSError as error:
                return self._leave(NotNow(queue_id, queue, fault=_fault(error)), descriptor)
            files.close(descriptor)
            return Damaged(queue_id, queue, str(fault))
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
                return self._leave(NotNow(queue_id, queue, now + 60), descriptor)  # locked
            return self._leave(NotNow(queue_id, queue, fault=_fault(error)), descriptor)
        opened = Opened(queue_id, descriptor, message, bool(status.st_mode & EXPIRE_BIT))
        if queue == "deferred":
            try:
                if opened.is_expired:
                    opened.reasons = log_entries(self._directories, "defer", queue_id, files=files)
                discard(self._directories, "defer", queue_id, files=files)
            except OSError:
                pass  # mailq tells an old reason
        return opened

    def _leave(self, result: NotNow, descriptor: int) -> NotNow:
        self._files.close(descriptor)
        return result

    def finish_batch(self, finished: Sequence[Finished]) -> list[OSError | None]:
        """Carry out what was decided; an error leaves the message in active, to be recovered.

        Defer logs of the whole batch are brought to the disk together.
        """
        results: dict[QueueId, OSError | None] = {}
        logged: list[Finished] = []
        for one in finished:
            try:
                if not one.is_over:
                    self._mark_done(one)  # before the message may be tried again
                    logged.append(one)
                else:
                    self._remove(one)
            except OSError as error:
                results[one.queue_id] = error
        for one, reasons_lost in zip(logged, self._log_reasons(logged), strict=True):
            try:
                results[one.queue_id] = self._defer(one, reasons_lost)
            except OSError as error:
                results[one.queue_id] = error
        for one in finished:
            self._let_go(one.descriptor)
        return [results.get(one.queue_id) for one in finished]

    def _let_go(self, descriptor: int) -> None:
        """Unlock the file and close it: a program that is being started has its descriptor, too, until its exec,
        and by that alone it would stay locked, whoever has the file by then."""
        try:
            self._files.flock(descriptor, fcntl.LOCK_UN)
        except OSError:
            pass  # closing it does as well, in nearly all cases
        self._files.close(descriptor)

    def _defer(self, one: Finished, reasons_lost: OSError | None) -> OSError | None:
        sites_lost = self._note_sites(one)
        self._directories.defer_until("active", one.queue_id, one.next_attempt)
        self._directories.move(one.queue_id, "active", "deferred")
        return reasons_lost or sites_lost

    def _remove(self, one: Finished) -> None:
        try:
            if self._keeps:
                self._mark_done(one)
                self._directories.move(one.queue_id, "active", "saved")
            elif one.recycled:
                self._files.rename(self._directories.path("active", one.queue_id), one.recycled)
            else:
                self._directories.remove("active", one.queue_id)
        except OSError:
            self._mark_done(one)  # it stays, and must not be delivered again
            raise

    def _mark_done(self, one: Finished) -> None:
        for recipient in one.done:
            self._files.pwrite(one.descriptor, bytes((DONE,)), recipient.offset)

    def _log_reasons(self, deferred: Sequence[Finished]) -> list[OSError | None]:
        """Write defer logs.  Without its own a message waits all the same; only its reason is not told."""
        logs = [
            (one.queue_id, [entry for entry in one.deferred if entry.offset not in one.logged])
            for one in deferred
        ]
        return append_to_logs(self._directories, "defer", logs, files=self._files)

    def _note_sites(self, one: Finished) -> OSError | None:
        """Write the sites' logs.  Without that the message waits all the same; only its site cannot ask for it."""
        try:
            for site in one.sites:
                self._site_logs.note(site, one.queue_id)
        except OSError as error:
            return error
        return None

    def recover(self, *, now: float, is_active: Callable[[QueueId], bool] | None = None) -> int:
        """What is in active and nobody works on is tried again; how many there were.

        At the start that is all that the last queue manager had; later, what `finish_batch` could not move.
        """
        ids: Iterable[QueueId] = list(self._directories.scan("active"))
        count = 0
        for queue_id in ids:
            if is_active is not None and is_active(queue_id):
                continue
            try:
                discard(self._directories, "defer", queue_id, files=self._files)  # the attempt is made again
                self._directories.defer_until("active", queue_id, now)
                self._directories.move(queue_id, "active", "incoming")
            except OSError:
                continue  # gone meanwhile, or the disk is as broken as before: the next time
            count += 1
        return count


def faults(results: Iterable[Opened | NotNow | Damaged]) -> list[str]:
    """What an admin is told of a batch: where descriptors or the disk are short, one line for all of it."""
    left = [one for one in results if isinstance(one, NotNow) and one.fault]
    lines: list[str] = []
    for fault in dict.fromkeys(one.fault for one in left):
        first, *others = (one for one in left if one.fault == fault)
        more = f" (and {len(others)} more)" if others else ""
        lines.append(f"open {first.queue} {first.queue_id}: {fault}{more}")
    return lines


def _fault(error: OSError) -> str:
    """Nothing for a file that is gone: postsuper(1) has taken it meanwhile."""
    return "" if error.errno == errno.ENOENT else os.strerror(error.errno or 0)
