"""What is known of messages since their delivery: a file of notes beside new/ and cur/, until a session takes it.

DESCRIPTION
    Whoever delivers has the message in memory; whoever reads it first has not.  So the deliverer parses it when it
    has nothing else to do, and appends what the cache wants to know to `pillarbox.arrivals` in the mailbox's
    directory, by the file's base, since the message has no UID yet.  The first session that meets the message
    answers from there, puts it into the cache in the background, and empties the file.

    The file is made by whoever serves the mailbox to clients.  Where there is none, nobody would read it, and
    nothing is written: a Maildir that another IMAP server has, or a user who never comes.

    Each note is one write(2) at the end of the file (O_APPEND), with its length and checksum, so that several
    deliverers need no lock.  It is neither fsynced nor waited for: a note that is lost, torn, too large, or
    written when the session has looked already, costs the reading of one message.  The file grows to `MAX_OCTETS`;
    then nothing is added until a session comes.

FAULTS
    Nothing is raised for files that cannot be read or written; a note that is not understood ends the reading.

STANDARDS
    https://cr.yp.to/proto/maildir.html (names are unique)
"""

import os
import stat
import struct
import threading
import zlib
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.mailstore.deliver import Delivery, Result, Stored
from pillarbox.message.line_ends import to_crlf
from pillarbox.message.message_summary import RENDERING, Summary, summarise
from pillarbox.message.preview import preview

FILE_NAME: Final = "pillarbox.arrivals"
MAX_OCTETS: Final = 4 * 1024 * 1024
"""Of the file: about 2,000 messages."""
MAX_CONTENT: Final = 512 * 1024
"""Octets of a message that is noted; parsing a larger one takes milliseconds, for which a delivery might wait."""
MAX_PENDING: Final = 8 * 1024 * 1024
"""Octets of messages that wait to be noted; what comes while deliveries do not stop is not noted."""
MAX_ADOPTED: Final = 64
"""Notes that are in the cache by now and still answered from."""
MAX_NOTE: Final = 64 * 1024
"""Octets of a note."""

MAGIC: Final = b"PbA%c" % RENDERING
"""What each note begins with.  Notes of a deliverer that rendered otherwise are none."""
_HEAD: Final = struct.Struct(">4sII")
_SAFELY: Final = os.O_NOFOLLOW | os.O_NONBLOCK
"""Whoever puts something else in the file's place has nobody wait for it."""


class Arrival(msgspec.Struct, frozen=True, array_like=True):
    """A note: all that is kept of the message whose file has this base."""

    base: bytes
    date: int  # seconds since 1970: the file's mtime
    saved: int  # when it came into the mailbox
    summary: Summary
    preview: bytes


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Arrival)


class ArrivalNotes:
    """A deliverer's: messages that it has stored, and still has to note."""

    def __init__(self, *, files: FileSystem = DISK) -> None:
        self._files = files
        self._pending: dict[str, list[tuple[Delivery, Stored]]] = {}  # by Maildir, none of them empty
        self._octets = 0

    @property
    def waiting(self) -> bool:
        """Whether there is something to note."""
        return bool(self._pending)

    def remember(self, deliveries: Sequence[Delivery], results: Sequence[Result]) -> None:
        """Messages were delivered; nothing is parsed or written yet."""
        for delivery, result in zip(deliveries, results, strict=True):
            if (
                isinstance(result, Stored)
                and result.size <= MAX_CONTENT
                and delivery.rest is None
                and delivery.written is None
            ):
                if self._octets + result.size > MAX_PENDING:
                    return
                self._octets += result.size
                self._pending.setdefault(delivery.maildir, []).append((delivery, result))

    def write_one(self) -> None:
        """Note one message: 0.1 ms.  Called when nobody waits for a delivery.

        Of a mailbox that nobody serves, or none of ours, all that wait are forgotten.
        """
        maildir, pending = next(iter(self._pending.items()))
        path = f"{maildir}/{FILE_NAME}"
        try:
            descriptor = self._files.open(path, os.O_WRONLY | os.O_APPEND | _SAFELY)
        except OSError:
            self._octets -= sum(stored.size for _, stored in pending)
            del self._pending[maildir]
            return
        delivery, stored = pending.pop(0)
        self._octets -= stored.size
        if not pending:
            del self._pending[maildir]
        try:
            status = self._files.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and status.st_size < MAX_OCTETS:
                self._files.write_all(descriptor, [note_of(delivery, stored)])
        except OSError:
            return
        finally:
            self._files.close(descriptor)

    def write_all(self) -> None:
        """Note all of them."""
        while self._pending:
            self.write_one()


def note_of(delivery: Delivery, stored: Stored) -> bytes:
    """The note of a message that was stored; nothing for one that would be too large."""
    content = b"".join(delivery.content)
    date = stored.modified_ns // 10**9
    base, _, _ = stored.name.partition(b":")
    payload = _ENCODER.encode(Arrival(base, date, date, summarise(content), preview(to_crlf(content))))
    return _HEAD.pack(MAGIC, len(payload), zlib.crc32(payload)) + payload if len(payload) <= MAX_NOTE else b""


def parse_notes(data: bytes) -> tuple[list[Arrival], int]:
    """The notes at the beginning of `data`, and where the first begins that is not whole (len(data): none).

    What is no note ends them, and counts as read.
    """
    found: list[Arrival] = []
    at = 0
    while len(data) - at >= _HEAD.size:
        magic, length, checksum = _HEAD.unpack_from(data, at)
        if magic != MAGIC or length > MAX_NOTE:
            return found, len(data)
        payload = data[at + _HEAD.size : at + _HEAD.size + length]
        if len(payload) < length:
            break
        try:
            if zlib.crc32(payload) != checksum:
                return found, len(data)
            found.append(_DECODER.decode(payload))
        except msgspec.MsgspecError:
            return found, len(data)
        at += _HEAD.size + length
    return found, at


class Arrivals:
    """A session's: the notes of one mailbox that are not in the cache yet.  Blocks; any thread may call."""

    def __init__(self, directory: bytes, files: FileSystem) -> None:
        self._path = directory + b"/" + os.fsencode(FILE_NAME)
        self._files = files
        self._lock = threading.Lock()
        self._known: dict[bytes, Arrival] = {}
        self._adopted: dict[
            bytes, Arrival
        ] = {}  # the last: who has looked into the cache just before finds them here
        self._position = 0

    def prepare(self) -> None:
        """From now on deliverers write notes: this mailbox has clients of ours."""
        try:
            self._files.stat(self._path)
        except FileNotFoundError:
            flags = os.O_WRONLY | os.O_CREAT | _SAFELY
            try:
                self._files.close(self._files.open(self._path, flags, 0o600))
            except OSError:
                return
        except OSError:
            return

    def find(self, bases: Iterable[bytes]) -> dict[bytes, Arrival]:
        """What is known of messages whose files have these bases, which are not looked at if nothing is."""
        with self._lock:
            self._take_in()
            known = self._known | self._adopted if self._adopted else self._known
            return {base: known[base] for base in bases if base in known} if known else {}

    def is_empty(self) -> bool:
        """Whether nothing is known that is not in the cache, and nothing has been added: one stat call."""
        if self._known:
            return False
        try:
            return self._files.stat(self._path).st_size == self._position
        except OSError:
            return True

    def bases(self) -> list[bytes]:
        """Of all messages of which something is known."""
        with self._lock:
            self._take_in()
            return list(self._known)

    def forget(self, bases: Iterable[bytes]) -> None:
        """These are in the cache now, or their messages are gone; the file of which all is known goes empty."""
        with self._lock:
            gone = {base: self._known.pop(base, None) for base in bases}
            adopted = {base: arrival for base, arrival in gone.items() if arrival is not None}
            self._adopted = adopted if len(adopted) <= MAX_ADOPTED else {}
            if self._position and (not self._known or self._position >= MAX_OCTETS // 2):
                self._empty()

    def _take_in(self) -> None:
        """Read what deliverers have added."""
        try:
            size = self._files.stat(self._path).st_size
            if size == self._position:
                return
            if size < self._position:  # another process has emptied it
                self._position = 0
            descriptor = self._files.open(self._path, os.O_RDONLY | _SAFELY)
            try:
                data = self._files.pread(
                    descriptor, min(size - self._position, 2 * MAX_OCTETS), self._position
                )
            finally:
                self._files.close(descriptor)
        except OSError:
            return
        found, read = parse_notes(data)
        self._position += read
        self._known.update((arrival.base, arrival) for arrival in found)

    def _empty(self) -> None:
        """Unless something came since: a note that is lost in between costs the reading of its message."""
        try:
            descriptor = self._files.open(self._path, os.O_WRONLY | _SAFELY)
            try:
                if self._files.fstat(descriptor).st_size == self._position:
                    self._files.truncate(descriptor, 0)
                    self._position = 0
            finally:
                self._files.close(descriptor)
        except OSError:
            return
