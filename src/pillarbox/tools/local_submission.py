"""How a command hands a message to the mail system: three doors, the first that is open.

DESCRIPTION
    socket     public/pillarbox-submit of a running Pillarbox; the kernel says who we are
    postdrop   a real Postfix's setgid postdrop(1), which puts a file into maildrop
    file       maildrop itself, while the system is down (docs/adr/0007)

    What the socket cannot take now, for a table does not answer or content is refused for the time being, goes into
    maildrop by one of the others, and waits there as with Postfix: whoever runs a command does not try again.

    All take the same records: what sendmail(1) makes of a message.

FAULTS
    Stop   with Postfix's words and exit status; nothing is left behind
"""

import _socket
import os
from collections.abc import Callable
from typing import Final, Protocol

from pillarbox.config.parameters.paths import Paths
from pillarbox.config.snapshot import Snapshot
from pillarbox.net.system_clock import SystemClock
from pillarbox.net.unix_client import bare_connection
from pillarbox.queue.flush_protocol import read_list
from pillarbox.queue.maildrop import DropFile, has_postdrop
from pillarbox.queue.submission_protocol import PROTOCOL, SOCKET, CleanupStatus
from pillarbox.tools.command_settings import (
    EX_NOPERM,
    EX_SOFTWARE,
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    Stop,
    tell,
)
from pillarbox.tools.triggers import WAKE_UP, trigger
from pillarbox.vocabulary.digits import decimal
from pillarbox.wire.attributes import AttributeFault, AttributeReader

_PATIENCE: Final = 600.0
_MOST_KEPT: Final = 64 << 20
"""Octets of a message that could go by another door; a larger one has one chance."""


class Door(Protocol):
    """One message on its way in."""

    queue_id: str  # known after commit()

    def identify(self) -> str:
        """The id of the file that takes the records.  Stop."""
        ...

    def write(self, records: bytes) -> None:
        """More of it.  Stop."""
        ...

    def commit(self) -> None:
        """It is complete: it will survive a crash.  Stop."""
        ...

    def abort(self) -> None:
        """Forget it."""
        ...


def open_door(snapshot: Snapshot, who: str, *, own_postdrop: bool = True) -> Door:
    """The first door that is open.  `who` stands before messages: `user(uid)`.

    Without `own_postdrop` none is started, as by postdrop itself.
    """
    paths = snapshot.group(Paths)

    def maildrop() -> Door:
        if own_postdrop and os.geteuid() != 0 and has_postdrop(paths):
            return _Postdrop(f"{paths.command_directory}/postdrop", who)
        return _File(paths.queue_directory, who)

    try:
        return _Socket(bare_connection(paths.queue_directory, SOCKET), who, maildrop)
    except OSError:
        return maildrop()  # it is down, or not ours to use


class _Socket:
    def __init__(self, server: _socket.socket, who: str, maildrop: Callable[[], Door]) -> None:
        self._maildrop = maildrop
        self._kept: list[bytes] = []
        self._octets = 0
        self._server = server
        self._server.settimeout(_PATIENCE)
        self._who = who
        self._reader = AttributeReader()
        self._greeting: dict[bytes, bytes] = {}
        self.queue_id = ""

    def identify(self) -> str:
        try:
            self._greet()
        except (OSError, AttributeFault) as error:
            raise self._no_answer(error) from error
        queue_id = self._greeting.get(b"queue_id", b"").decode("ascii", "replace")
        if not queue_id:
            self.commit()  # says why
        return queue_id

    def _greet(self) -> None:
        if not self._greeting:
            self._greeting = read_list(self._reader, lambda: self._server.recv(4096))
            if self._greeting.get(b"protocol") != PROTOCOL:
                raise AttributeFault("another protocol")

    def _no_answer(self, error: Exception) -> Stop:
        return Stop(f"{self._who}: mail system: no answer: {error}", EX_TEMPFAIL)

    def write(self, records: bytes) -> None:
        self._octets += len(records)
        if self._octets <= _MOST_KEPT:
            self._kept.append(records)
        else:
            self._kept.clear()
        try:
            self._server.sendall(records)
        except ConnectionError:
            pass  # it has said why
        except OSError as error:
            raise Stop(f"{self._who}: error writing queue file: {error.strerror}", EX_TEMPFAIL) from error

    def commit(self) -> None:
        try:
            self._server.shutdown(_socket.SHUT_WR)
        except OSError:
            pass
        try:
            self._greet()
            answer = read_list(self._reader, lambda: self._server.recv(4096))
        except (OSError, AttributeFault) as error:
            raise self._no_answer(error) from error
        finally:
            self._server.close()
        if self._kept and _is_for_later(answer):
            self._leave_in_maildrop()
            return
        _conclude(answer, self._who)
        self.queue_id = answer.get(b"queue_id", b"").decode("ascii", "replace")

    def _leave_in_maildrop(self) -> None:
        door = self._maildrop()
        try:
            door.write(b"".join(self._kept))
            door.commit()
        except BaseException:
            door.abort()
            raise
        self.queue_id = door.queue_id

    def abort(self) -> None:
        self._server.close()


class _Postdrop:
    def __init__(self, path: str, who: str) -> None:
        import subprocess  # the usual door needs none

        self._who = who
        self.queue_id = ""
        try:
            self._process = subprocess.Popen([path, "-r"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise Stop(f"{who}: unable to execute {path}: {error.strerror}", EX_TEMPFAIL) from error
        self._reader = AttributeReader()

    def identify(self) -> str:
        try:
            self._greet()
        except AttributeFault as fault:
            raise self._failed() from fault
        return self.queue_id

    def _greet(self) -> None:
        if not self.queue_id:
            greeting = self._answer()
            self.queue_id = greeting.get(b"queue_id", b"").decode("ascii", "replace")

    def _answer(self) -> dict[bytes, bytes]:
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        return read_list(self._reader, lambda: os.read(output, 4096))

    def _failed(self) -> Stop:
        status = self._process.wait()
        return Stop(f"{self._who}: error writing queue file: postdrop failed", status or EX_TEMPFAIL)

    def write(self, records: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(records)
        except BrokenPipeError:
            pass  # it has said why

    def commit(self) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self._greet()
            answer = self._answer()
        except AttributeFault:
            answer = {}
        if not answer:
            raise self._failed()
        self._process.wait()
        _conclude(answer, self._who, no_permission=EX_TEMPFAIL)

    def abort(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


class _File:
    def __init__(self, queue_directory: str, who: str) -> None:
        self._queue_directory = queue_directory
        self._who = who
        self.queue_id = ""
        try:
            self._file = DropFile(f"{queue_directory}/maildrop", clock=SystemClock())
        except OSError as error:
            raise self._fault(error) from error

    def identify(self) -> str:
        return str(self._file.queue_id)

    def write(self, records: bytes) -> None:
        try:
            self._file.write([records])
        except OSError as error:
            self._file.abort()
            raise self._fault(error) from error

    def commit(self) -> None:
        try:
            self._file.commit()
        except OSError as error:
            self._file.abort()
            raise self._fault(error) from error
        self.queue_id = self._file.queue_id
        try:
            trigger(self._queue_directory, "public/pickup", WAKE_UP)
        except ConnectionError:
            pass  # a socket that nobody serves: the mail system is down, and finds the file when it starts
        except OSError as error:
            if os.geteuid() == 0:
                tell("postdrop", f"warning: unable to look up public/pickup: {error.strerror}")

    def abort(self) -> None:
        self._file.abort()

    def _fault(self, error: OSError) -> Stop:
        return Stop(f"{self._who}: error writing queue file: {error.strerror}", EX_TEMPFAIL)


def _status(answer: dict[bytes, bytes]) -> CleanupStatus:
    """ValueError for none."""
    return CleanupStatus(decimal(answer.get(b"status", b""), max_digits=6))


def _is_for_later(answer: dict[bytes, bytes]) -> bool:
    """Whether the message is all right, and only cannot be taken now.  An objection has a reason of its own."""
    try:
        status = _status(answer)
    except ValueError:
        return False
    waits = status in (CleanupStatus.WRITE, CleanupStatus.DEFER)
    return waits and answer.get(b"reason") == status.text.encode()


def _conclude(answer: dict[bytes, bytes], who: str, *, no_permission: int = EX_NOPERM) -> None:
    """Raise what the mail system says, unless it is that all is well.  `no_permission`: status for that."""
    try:
        status = _status(answer)
    except ValueError as error:
        raise Stop(f"{who}: malformed answer of the mail system", EX_SOFTWARE) from error
    if not status:
        return
    if status & CleanupStatus.BAD:
        code = EX_SOFTWARE
    elif status & (CleanupStatus.WRITE | CleanupStatus.DEFER):
        code = EX_TEMPFAIL
    elif status & CleanupStatus.NO_PERMISSION:
        code = no_permission
    else:
        code = EX_UNAVAILABLE
    reason = answer.get(b"reason", b"").decode("utf-8", "replace") or status.text
    raise Stop(f"{who}: {reason}", code)
