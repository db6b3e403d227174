"""Sessions whose clients rest, kept by the spawner without a worker.

DESCRIPTION
    When all clients of a worker rest, it writes its sessions down and goes (daemons/session_parking.py).  What
    is left of it is a `Group`: each client's connection, what its next worker has to know, and an inotify
    descriptor that tells when one of the mailboxes changes.  Nothing that a client says is read here, and no
    file is opened: as soon as any of the descriptors can be read, all of the group is given back (`wake`).

    A client that goes takes nothing but its own session with it: the log is told, and the others rest on.  Only
    where there is more to do at the end of a session (autoexpunge) the group is given back.

    What is to be known lies in sealed memory files, which are not read here either: the spawner's memory is copied
    to the workers of all users.

    Clients in IDLE are told `* OK Still here` from time to time, as a worker would tell them.

    When the server ends, clients are told BYE, and the log tells of each session what a worker would have told.

LIMITS
    a group     `MAX_SESSIONS` sessions; each is in the register of the spawner before it is taken
    a session   `MAX_SAVED` octets that are sealed
    descriptors those that the process may have, but a few; workers whose sessions find no room stay

STANDARDS
    RFC 2177 (IDLE); RFC 3501 §7.1.5 (BYE)
"""

import fcntl
import heapq
import itertools
import os
import resource
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from pillarbox.net.handover import OpenSession, Parked
from pillarbox.net.startup import User
from pillarbox.observability.events import EventSink, MailSessionEnded
from pillarbox.sessions.imap.compression import stored
from pillarbox.sessions.imap.endings import connection_closed

MAX_SAVED: Final = 1 << 18
"""Octets of a session that is written down; a larger one stays where it is."""
MAX_SESSIONS: Final = 16
"""Sessions of a group: when one client says something, all of them are gone on with."""
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_NO_LINGER: Final = struct.pack("ii", 0, 0)
_SPARE_DESCRIPTORS: Final = 256
"""For workers and login processes."""
_BYE: Final = b"* BYE Server shutting down.\r\n"

Key = tuple[int, int, int]
"""uid, gid and slot of a worker."""


def state_file(octets: bytes) -> int:
    """A memory file that holds the octets for good; the caller's.  OSError."""
    descriptor = os.memfd_create("session", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.write(descriptor, octets)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def has_gone(connection: socket.socket) -> bool:
    """Whether the client has closed, and has said nothing before."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


class ParkedSession:
    """One client's connection, and what is to be known of it."""

    __slots__ = ("connection", "frame", "is_over", "known", "sent", "state", "unsent")

    def __init__(self, connection: socket.socket, state: int, frame: Parked, known: OpenSession) -> None:
        """`connection` and `state` are ours; `known` is the session's line of doveadm who."""
        self.connection = connection
        self.state = state
        self.frame = frame
        self.known = known
        self.sent = 0  # octets of keep-alives
        self.unsent = b""  # the rest of one that the client did not take
        self.is_over = False  # it is parked no more

    @classmethod
    def of(cls, descriptor: int, state: int, frame: Parked, known: OpenSession) -> "ParkedSession":
        """With descriptors that came from a worker.  OSError, ValueError if they are not what they should be; they
        stay the caller's then."""
        if fcntl.fcntl(state, fcntl.F_GET_SEALS) & _SEALS != _SEALS or os.fstat(state).st_size > MAX_SAVED:
            raise ValueError("no state, or too large")
        connection = socket.socket(fileno=descriptor)
        try:
            # Whoever held it before must not make our close() wait.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        except OSError:
            connection.detach()
            raise
        return cls(connection, state, frame, known)

    @property
    def idles(self) -> bool:
        """Whether it has to hear of changes at once."""
        return bool(self.frame.keep_alive)

    @property
    def end(self) -> str:
        """Why the session is over, if the client has gone now."""
        seconds = time.monotonic() - self.frame.last_time if self.frame.last_time else 0.0
        return connection_closed(self.frame.last_command or "", seconds)

    @property
    def needs_worker(self) -> bool:
        """Whether there is more to do at its end than to tell the log."""
        return self.frame.last_command is None

    def close(self) -> None:
        """Close what is ours."""
        self.connection.close()
        if self.state >= 0:
            os.close(self.state)
            self.state = -1

    def send(self, text: bytes) -> bool:
        """Send a line if the client takes it; False if a part of it has to follow, or the client takes nothing."""
        octets = stored(text) if self.frame.deflates else text
        try:
            count = self.connection.send(octets, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:  # full, or gone: its next worker sees which
            count = 0
        self.sent += min(count, len(text))
        self.unsent = octets[count:] if count else b""
        return count == len(octets)


class Group:
    """All sessions that one worker had."""

    __slots__ = ("key", "owner", "sessions", "watch")

    def __init__(self, key: Key, owner: User, sessions: list[ParkedSession], watch: int) -> None:
        """`watch` is an inotify descriptor, ours, or -1 if nobody idles."""
        self.key = key
        self.owner = owner
        self.sessions = sessions
        self.watch = watch

    @property
    def descriptors(self) -> Iterator[int]:
        """All that belong to it."""
        yield from self.watched
        for session in self.sessions:
            yield session.state

    @property
    def needs_worker(self) -> bool:
        """Whether there is something to do when the sessions end."""
        return any(session.needs_worker for session in self.sessions)

    @property
    def watched(self) -> Iterator[int]:
        """Those that say when something happens."""
        for session in self.sessions:
            yield session.connection.fileno()
        if self.watch >= 0:
            yield self.watch

    def close(self) -> None:
        """Close what is still ours."""
        for session in self.sessions:
            session.close()
        self.end_watch()

    def end_watch(self) -> None:
        """Nobody waits for changes."""
        if self.watch >= 0:
            os.close(self.watch)
            self.watch = -1


class ParkedSessions:
    """All groups of a spawner."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        wake: Callable[[Key], None],
        *,
        interval: float,
        tell: EventSink,
        forget: Callable[[OpenSession], None],
    ) -> None:
        """`wake` is called when a group has to be gone on with: it calls `take` for it; `forget` when a session is
        over because its client has gone.

        `interval` is imap_idle_notify_interval, seconds; 0 for no keep-alives.
        """
        self._interval = interval
        self._selector = selector
        self._wake = wake
        self._tell = tell
        self._forget = forget
        self._groups: dict[Key, Group] = {}
        self._timers: list[tuple[float, int, Key, ParkedSession]] = []
        self._serial = itertools.count()

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def has_room(self) -> bool:
        """Whether there are descriptors for another group."""
        taken = sum(2 * len(group.sessions) + 1 for group in self._groups.values())
        return taken + 2 * MAX_SESSIONS < resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE_DESCRIPTORS

    def __contains__(self, key: Key) -> bool:
        return key in self._groups

    def __iter__(self) -> Iterator[Group]:
        return iter(list(self._groups.values()))

    def add(self, group: Group) -> None:
        """Keep a group until something happens."""
        self._groups[group.key] = group
        key = group.key
        try:
            for session in group.sessions:
                self._selector.register(
                    session.connection.fileno(), selectors.EVENT_READ, partial(self._hear, key, session)
                )
            if group.watch >= 0:
                self._selector.register(group.watch, selectors.EVENT_READ, lambda: self._wake(key))
        except (OSError, ValueError):  # something that cannot be waited for: its worker was no friend
            self._selector_forgets(group)
            self._wake(key)
            return
        for session in group.sessions:
            frame = session.frame
            if frame.keep_alive and self._interval > 0:
                self._remind(frame.told_at + self._interval, key, session)
            if frame.wake_at:
                self._remind(frame.wake_at, key, session)

    def take(self, key: Key) -> Group | None:
        """Keep a group no longer: the caller has it now, and closes it."""
        group = self._groups.pop(key, None)
        if group is not None:
            self._selector_forgets(group)
            for session in group.sessions:
                session.is_over = True
            self._tidy_timers()
        return group

    def seconds_left(self) -> float | None:
        """Until `tell_still_here` has something to do; None if it never has."""
        while self._timers and self._timers[0][3].is_over:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def on_time(self) -> None:
        """Say `* OK Still here` to whom it is due, and give back the groups whose time is up."""
        while self.seconds_left() == 0:
            due, _, key, session = heapq.heappop(self._timers)
            frame = session.frame
            if frame.wake_at and due >= frame.wake_at:
                self._wake(key)
            elif session.send(frame.keep_alive):
                self._remind(time.monotonic() + self._interval, key, session)
            else:
                self._wake(key)

    def end(self) -> None:
        """The server ends: say BYE to all, and tell the log."""
        for group in self:
            for session in group.sessions:
                session.send(_BYE)
                self._tell_end(session, "Server shutting down.")
            self.take(group.key)
            group.close()

    def _hear(self, key: Key, session: ParkedSession) -> None:
        """A client has said something, or has gone."""
        if session.is_over:
            return  # something else has happened first
        if session.needs_worker or not has_gone(session.connection):
            self._wake(key)
            return
        self._tell_end(session, session.end)
        group = self._groups[key]
        self._selector.unregister(session.connection)
        session.is_over = True
        session.close()
        group.sessions.remove(session)
        if group.watch >= 0 and not any(other.idles for other in group.sessions):
            self._selector.unregister(group.watch)
            group.end_watch()
        if not group.sessions:
            del self._groups[key]
        self._tidy_timers()
        self._forget(session.known)

    def _tell_end(self, session: ParkedSession, reason: str) -> None:
        known, frame = session.known, session.frame
        figures = frame.figures.replace("{out}", str(frame.bytes_out + session.sent))
        self._tell(
            MailSessionEnded(
                known.service, known.user, known.session, reason, figures, known.remote, known.local
            )
        )

    def _remind(self, due: float, key: Key, session: ParkedSession) -> None:
        heapq.heappush(self._timers, (due, next(self._serial), key, session))

    def _tidy_timers(self) -> None:
        """Forget those of sessions that are parked no more, once they are most of them."""
        if len(self._timers) > 64 + 4 * sum(len(group.sessions) for group in self._groups.values()):
            self._timers = [timer for timer in self._timers if not timer[3].is_over]
            heapq.heapify(self._timers)

    def _selector_forgets(self, group: Group) -> None:
        for descriptor in group.watched:
            try:
                self._selector.unregister(descriptor)
            except (KeyError, ValueError):
                continue
