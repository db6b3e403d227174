"""showq(8): whoever connects to public/showq is sent the queue.

DESCRIPTION
    A process of its own, with a child for each client, as listing a long queue is work for seconds that the queue
    manager's loop must not share.  Messages are sent as they are found, so the listing begins at once and takes
    the same memory however long the queue is.  The first message is sent before there is a child: a fork, and what
    a child has to copy before it can send anything, take longer than to find it.  A second child reads half of a
    long queue, if there is a processor for it.  A client that takes nothing for a minute is left.

    When the queue manager ends, as at each reload, whoever has been taken is sent his listing to its end, within
    the last seconds of a process (net/last_seconds.py); others are the next queue manager's.

    authorized_mailq_users says who may ask; root and the owner of the queue always may.

FAULTS
    A child that fails leaves the listing without its end, which the client tells.
"""

import contextlib
import fcntl
import os
import select
import signal
import socket
import time
from collections.abc import Generator, Iterator
from functools import partial
from itertools import chain, islice, repeat
from typing import Final

from pillarbox.net import last_seconds
from pillarbox.net.accepting import Acceptor
from pillarbox.net.forks import fork
from pillarbox.net.peer_credentials import peer_uid
from pillarbox.observability import events
from pillarbox.observability.mistakes import mistakes
from pillarbox.queue.listed_message import ListedMessage
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_listing import LISTED_QUEUES, Half, list_messages
from pillarbox.queue.queue_listing_protocol import GREETING, encode_message
from pillarbox.tables.authorized_users import AuthorizedUsers
from pillarbox.tables.table import LookupFault
from pillarbox.wire.attributes import END

_SLICES: Final = (1, 4, 16, 64)
"""Messages that are sent at once, first."""
_SLICE: Final = 128
"""And afterwards."""
_LONG: Final = 256 * 1024
"""Octets of a queue's directories from which on two children read it: some ten thousand messages."""
_PATIENCE: Final = 60.0
_CLIENTS: Final = 50
_BUSY_SECONDS: Final = 0.1

Slices = Generator[bytes, None, None]
"""Messages as they are sent, some at a time."""


class ShowQueue:
    """The listing service."""

    def __init__(
        self,
        directories: QueueDirectories,
        *,
        empty_address: bytes,
        authorized: AuthorizedUsers,
    ) -> None:
        self._directories = directories
        self._empty_address = empty_address
        self._authorized = authorized
        self._tell: events.EventSink = lambda event: None
        self._children: set[int] = set()

    def serve(self, listener: socket.socket, *, tell: events.EventSink, parent: int) -> None:
        """Until process `parent` has ended, and all who were taken have their listings."""
        self._tell = tell
        signal.signal(signal.SIGCHLD, lambda *_: self._reap())
        acceptor = Acceptor(listener, tell=lambda text: tell(events.Warned(f"showq: {text}")))
        try:
            end = os.pidfd_open(parent)
        except ProcessLookupError:
            return
        watched = select.poll()
        for descriptor in (listener.fileno(), end):
            watched.register(descriptor, select.POLLIN)
        while end not in dict(watched.poll()):
            while len(self._children) >= _CLIENTS:
                time.sleep(_BUSY_SECONDS)
            client = acceptor.accept()
            if client is None:
                continue
            with client:
                if self._is_authorized(client):
                    self._begin(client)
        listener.close()
        os.close(end)
        last_seconds.begin()
        self._finish()

    def _finish(self) -> None:
        """Wait for the children."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        while self._children:
            try:
                self._children.discard(os.wait()[0])
            except ChildProcessError:  # they had ended before
                return

    def _begin(self, client: socket.socket) -> None:
        listing = self._listing()
        try:
            listing.send_first(client)
        except OSError:
            return  # gone already
        except Exception:
            # A mistake of ours must not end the service: a child meets it again, and ends alone.
            listing = self._listing()
        # A child that ends before it is known would be counted for ever.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGCHLD,))
        try:
            self._children.add(fork(partial(self._show, client, listing)))
        except OSError as error:
            self._tell(events.Warned(f"showq: fork: {error}"))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGCHLD,))
            listing.close()

    def _reap(self) -> None:
        while self._children:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._children.discard(pid)

    def _is_authorized(self, client: socket.socket) -> bool:
        try:
            uid = peer_uid(client)
            if self._authorized.may(uid):
                return True
            self._tell(events.Warned(f"showq: user {uid} is not allowed to view the mail queue"))
        except OSError:
            pass  # gone already
        except LookupFault as fault:
            self._tell(events.Warned(f"showq: {fault.reason}"))
        return False

    # -- in a child ------------------------------------------------------------------------------------

    def _show(self, client: socket.socket, listing: "_Listing") -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGCHLD,))
        client.settimeout(_PATIENCE)
        try:
            listing.send_rest(client)
        except OSError:
            return  # the reader has gone, or has stopped reading
        except Exception as error:
            for mistake in mistakes(error):
                self._tell(events.Broke(f"showq: {mistake}"))

    # -- what is sent ----------------------------------------------------------------------------------

    def _listing(self) -> "_Listing":
        return _Listing(self._parts())

    def _parts(self) -> "Iterator[_Part]":
        for queue in LISTED_QUEUES:
            if self._is_long(queue) and len(os.sched_getaffinity(0)) > 1:
                yield _Part(self._slices(queue, Half.EVEN), self._slices(queue, Half.ODD))
            else:
                yield _Part(self._slices(queue))

    def _is_long(self, queue: str) -> bool:
        top = f"{self._directories.root}/{queue}"
        try:
            with os.scandir(top) as entries:
                hashed = [entry.path for entry in entries if len(entry.name) == 1]
            return sum(os.stat(path).st_size for path in (top, *hashed)) > _LONG
        except OSError:
            return False

    def _slices(self, queue: str, half: Half = Half.BOTH) -> Slices:
        messages: Iterator[ListedMessage] = list_messages(
            self._directories, queue, empty_address=self._empty_address, half=half
        )
        for count in chain(_SLICES, repeat(_SLICE)):
            data = b"".join([encode_message(message) for message in islice(messages, count)])
            if not data:
                return
            yield data


class _Part:
    """A queue, or two halves of one."""

    def __init__(self, slices: Slices, other_half: Slices | None = None) -> None:
        self._slices = slices
        self._other_half = other_half

    def first(self) -> bytes:
        """The first slice; nothing if there is none, or in the other half only."""
        return next(self._slices, b"")

    def send(self, client: socket.socket) -> None:
        """All that is left."""
        if self._other_half is not None:
            self._send_halves(client, self._other_half)
        for data in self._slices:
            client.sendall(data)

    def _send_halves(self, client: socket.socket, other_half: Slices) -> None:
        """Slices of the two do not mix: who sends has a lock, which ends with its process."""
        right = os.memfd_create("showq")

        def send(slices: Slices) -> None:
            for data in slices:
                fcntl.lockf(right, fcntl.LOCK_EX)
                client.sendall(data)
                fcntl.lockf(right, fcntl.LOCK_UN)

        client.sendall(self.first())  # before there is another
        other = fork(partial(send, other_half))
        send(self._slices)
        _, status = os.waitpid(other, 0)
        os.close(right)
        if status:
            raise OSError("half of the queue was not sent")

    def close(self) -> None:
        """Give back what is open."""
        self._slices.close()


class _Listing:
    """What one client is sent, begun by one process and ended by its child."""

    def __init__(self, parts: Iterator[_Part]) -> None:
        self._parts = parts
        self._begun: list[_Part] = []
        self._unsent = GREETING

    def send_first(self, client: socket.socket) -> None:
        """What there is of it at once, as far as it can be sent without waiting.  OSError."""
        for part in self._parts:
            self._begun = [part]
            data = part.first()
            if data:
                self._unsent += data
                break
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self._unsent = self._unsent[client.send(self._unsent) :]

    def send_rest(self, client: socket.socket) -> None:
        """All else.  OSError."""
        client.sendall(self._unsent)
        for part in chain(self._begun, self._parts):
            part.send(client)
        client.sendall(END)

    def close(self) -> None:
        """Give back what is open: another process goes on."""
        for part in self._begun:
            part.close()
