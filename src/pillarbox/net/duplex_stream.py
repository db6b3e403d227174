"""Two descriptors to a process that talks back while it is talked to; blocking, for a thread of its own.

DESCRIPTION
    `send` waits until all has been written.  If the other side does not read because it writes itself, what it
    writes is taken in meanwhile: some octets in memory, the rest in a file without a name.  So two sides that both
    send first and read then never wait for each other.

FAULTS
    StreamEnded  the other side is gone, or has been silent for too long
"""

import os
import select
import tempfile
from typing import BinaryIO, Final

SMALL: Final = 1 << 20
"""Octets that are kept in memory."""
AT_ONCE: Final = 1 << 16


class StreamEnded(Exception):
    """Nothing more comes or goes."""


class DuplexStream:
    """`reading` and `writing` may be one descriptor, a socket's."""

    def __init__(self, reading: int, writing: int, *, seconds: float, directory: str) -> None:
        """`seconds`: how long the other side may be silent while it is waited for; `directory`: of the file."""
        self._reading, self._writing = reading, writing
        self._seconds = seconds
        self._directory = directory
        self._early = bytearray()
        self._file: BinaryIO | None = None
        self._file_start = 0
        self._file_end = 0
        self._has_ended = False
        self._unsent = bytearray()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)

    def send(self, octets: bytes) -> None:
        """Some octets; they may stay here until there are more, or `receive` or `flush`.  StreamEnded."""
        self._unsent += octets
        if len(self._unsent) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Everything is written.  StreamEnded."""
        view = memoryview(bytes(self._unsent))
        self._unsent.clear()
        while view:
            try:
                view = view[os.write(self._writing, view) :]
            except BlockingIOError:
                self._wait()
            except OSError as error:
                raise StreamEnded(f"write() failed: {error.strerror}") from error

    def receive(self) -> bytes:
        """The next octets; waits for them.  StreamEnded."""
        self.flush()
        if self._early:
            octets = bytes(self._early)
            self._early.clear()
            return octets
        if self._file is not None and self._file_start < self._file_end:
            self._file.seek(self._file_start)
            octets = self._file.read(min(AT_ONCE, self._file_end - self._file_start))
            self._file_start += len(octets)
            if self._file_start == self._file_end:
                self._file.truncate(0)
                self._file_start = self._file_end = 0
            return octets
        while True:
            if self._has_ended:
                raise StreamEnded("read() failed: EOF")
            self._poll([self._reading], [])
            octets = self._read()
            if octets:
                return octets

    def close(self) -> None:
        """Give back the file; the descriptors are the caller's."""
        if self._file is not None:
            self._file.close()

    def _wait(self) -> None:
        """Until more can be written; what comes meanwhile is kept."""
        readable = self._poll([] if self._has_ended else [self._reading], [self._writing])
        if readable:
            self._keep(self._read())

    def _poll(self, reading: list[int], writing: list[int]) -> list[int]:
        readable, writable, _ = select.select(reading, writing, [], self._seconds)
        if not readable and not writable:
            raise StreamEnded(f"I/O has stalled, no activity for {self._seconds:.0f} seconds")
        return readable

    def _read(self) -> bytes:
        try:
            octets = os.read(self._reading, AT_ONCE)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise StreamEnded(f"read() failed: {error.strerror}") from error
        self._has_ended = not octets
        return octets

    def _keep(self, octets: bytes) -> None:
        if self._file_end == 0 and len(self._early) + len(octets) <= SMALL:
            self._early += octets
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._directory)
        self._file.seek(self._file_end)
        self._file.write(octets)
        self._file.flush()
        self._file_end += len(octets)
