"""How a worker whose clients all rest writes its sessions down, so that it can go.

DESCRIPTION
    A worker takes megabytes, and what it knows of a client that says nothing are hundreds of octets.  So when
    no client of a worker has said anything for a while (imap_hibernate_timeout; longer for those that are not in
    IDLE, and may say something any moment), nothing has happened to their mailboxes and nothing is done in the
    background, the worker gives its sessions to the spawner and ends; another one goes on with them when there is
    something to do (daemons/parked_sessions.py).

    The order is such that nothing is missed.  First somebody else watches the mailboxes; then all that is known to
    have happened is told; then sessions end, each only if its client has said nothing since; then accounts are
    closed, so that the next worker finds what is known of them.  If one client does not rest after all, or somebody
    comes meanwhile, all of them are gone on with here.

FAULTS
    No inotify, as its descriptors are used up: the log is told, and nobody is parked for a while.
"""

import asyncio
import errno
import os
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Final, Protocol

import msgspec

from pillarbox.config.dovecot.logout_format import IMAP_FORMAT
from pillarbox.daemons.parked_sessions import MAX_SAVED, MAX_SESSIONS, has_gone, state_file
from pillarbox.files.inotify import Inotify
from pillarbox.net.handover import Parked, Resume, Session
from pillarbox.observability.events import EventSink, MailboxNotice
from pillarbox.sessions.ended import AUTOEXPUNGED
from pillarbox.sessions.imap.idle import STILL_HERE
from pillarbox.sessions.imap.parking import ParkedSession
from pillarbox.sessions.imap.session import AUTOLOGOUT, ImapSession
from pillarbox.sessions.pop3_session import Pop3Session

AGAIN_SECONDS: Final = 600.0
"""After which sessions that could not be written down are tried again."""


class Arrival(msgspec.Struct, frozen=True):
    """A client that a worker begins to serve."""

    session: Session
    parked: ParkedSession | None = None  # what the session was before
    unsent: bytes = b""  # what the client has still to be sent
    unread: bytes = b""  # what it has said already


class Leaving(msgspec.Struct, frozen=True):
    """A session that has ended without its client noticing."""

    session: Session
    parked: ParkedSession
    descriptor: int  # the connection
    unread: bytes  # what the client has said after all


class _State(msgspec.Struct, frozen=True, array_like=True):
    """What `Parked.state` holds."""

    session: Session
    parked: ParkedSession


_STATES: Final = msgspec.msgpack.Decoder(_State)
"""Made before workers are forked, as msgspec has much to find out about a type."""


class Host(Protocol):
    """What the worker does for it."""

    is_ending: bool

    @property
    def sessions(self) -> list[ImapSession | Pop3Session]:
        """Those that have begun."""
        ...

    @property
    def seen(self) -> int:
        """How many sessions and letters have come since the start."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether there are sessions of several users."""
        ...

    @property
    def has_work(self) -> bool:
        """Whether there is more to do than to wait for clients."""
        ...

    async def close_accounts(self) -> None:
        """No session is there: what is known of the mailboxes is written down."""
        ...

    def give_away(self, parked: Sequence[tuple[Parked, int, int]], watch: int) -> None:
        """Sessions with their connections and states, and what watches their mailboxes, go to the spawner."""
        ...

    def begin(self, arrival: Arrival, descriptor: int) -> None:
        """Serve a client."""
        ...

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Do something in the background."""
        ...


class SessionParking:
    """Of one worker."""

    def __init__(
        self,
        host: Host,
        *,
        after: tuple[float, float],
        inotify: Inotify | None,
        tell: EventSink,
        ends_need_us: bool = False,
        logout_format: str = IMAP_FORMAT,
    ) -> None:
        """`after` are seconds of silence, in IDLE and otherwise; 0 for never.

        `ends_need_us`: when a client goes, there is more to do than to tell the log.
        """
        self._host = host
        self._after_idle, self._after = after
        self._ends_need_us = ends_need_us
        self._logout_format = logout_format
        self._inotify = inotify
        self._ends: list[Callable[[], None]] = []  # of watches in the clients' place
        self._has_changed = False  # what they watch
        self._tell = tell
        self._timer: asyncio.TimerHandle | None = None
        self._is_parking = False
        self._leaving: list[Leaving] = []

    def look_soon(self) -> None:
        """There is a session: see, after a while, whether all clients rest."""
        if not self._is_parking:
            self._watch_no_more()
        if self._inotify is not None:
            self._inotify.resume()
        self._look_in(self._after_idle)

    def note_leaving(self, leaving: Leaving) -> None:
        """A session has done what it was asked."""
        self._leaving.append(leaving)

    def _look_in(self, seconds: float) -> None:
        if self._timer is None and not self._is_parking and self._after > 0:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        host = self._host
        sessions = host.sessions
        if host.is_ending or not (sessions or host.has_work):
            return  # the next session begins anew
        seconds = self._seconds_to_rest(sessions)
        if seconds > 0:
            self._look_in(seconds)
        elif host.has_work:  # a session that has not begun yet, for one
            self._look_in(self._after_idle)
        else:
            self._is_parking = True
            resting = [session for session in sessions if isinstance(session, ImapSession)]
            host.start(self._park(resting, host.seen))

    def _seconds_to_rest(self, sessions: Sequence[ImapSession | Pop3Session]) -> float:
        """When to look whether all clients have rested for long enough; 0 if they have.

        Who is not in IDLE may begin it, so that there is less to wait for than it seems.  A worker of several users
        is one of few, and sooner needed.
        """
        if len(sessions) > MAX_SESSIONS:
            return self._after
        after_idle = self._after if self._host.is_shared else self._after_idle
        now, seconds = time.monotonic(), 0.0
        for session in sessions:
            since = session.rests_since if isinstance(session, ImapSession) else None
            if not isinstance(session, ImapSession) or since is None:
                return self._after_idle
            seconds = max(seconds, since - now + (after_idle if session.idles else self._after))
        return min(seconds, self._after_idle)

    async def _park(self, sessions: Sequence[ImapSession], seen: int) -> None:
        """All clients rest: give them to the spawner, or go on with all of them.

        `seen` is what the host had seen when they all did: whoever comes later is not waited for.
        """
        again = self._after_idle
        try:
            self._watch_for(sessions)
        except OSError as error:
            again = AGAIN_SECONDS
            self._tell(MailboxNotice("imap", "Warning", f"sessions are not parked: {error}"))
        else:
            if not await self._leave(sessions, seen):
                again = AGAIN_SECONDS
        self._is_parking = False
        self._look_in(again)

    async def _leave(self, sessions: Sequence[ImapSession], seen: int) -> bool:
        """The same, with their mailboxes watched; False if what they know is too much to be written down."""
        host = self._host
        await asyncio.gather(*(session.park() for session in sessions))
        if not host.sessions and host.seen == seen:
            await host.close_accounts()
        leaving, self._leaving = self._leaving, []
        states = [msgspec.msgpack.encode(_State(one.session, one.parked)) for one in leaving]
        fits = all(len(state) <= MAX_SAVED for state in states)
        if self._inotify is not None:
            self._inotify.read()
        rest = not (self._has_changed or any(one.unread for one in leaving))
        alone = not (host.sessions or host.is_ending or host.seen != seen)
        files = _state_files(states) if leaving and fits and rest and alone else []
        if files:
            watch = -1
            if self._inotify is not None and self._ends:
                watch = self._inotify.descriptor
                self._inotify.pause()  # what comes from now on is the spawner's to see
            host.give_away(
                [
                    (
                        _frame(one, ends_need_us=self._ends_need_us, logout_format=self._logout_format),
                        one.descriptor,
                        file,
                    )
                    for one, file in zip(leaving, files, strict=True)
                ],
                watch,
            )
            for descriptor in (*(one.descriptor for one in leaving), *files):
                os.close(descriptor)
        else:
            self._watch_no_more()
            for one in leaving:
                host.begin(Arrival(one.session, one.parked, unread=one.unread), one.descriptor)
        return fits

    def _watch_for(self, sessions: Sequence[ImapSession]) -> None:
        """Note from now on what clients that idle have to be told.  OSError."""
        self._has_changed = False
        directories = {directory for session in sessions for directory in session.watched_directories}
        roots = {directory for session in sessions for directory in session.name_directories}
        files = {file for session in sessions for file in session.annotation_files}
        if not directories and not roots and not files:
            return
        if self._inotify is None:
            raise OSError(errno.ENOSYS, "no inotify")
        try:
            for directory in sorted(directories):
                self._ends.append(self._inotify.watch(directory, self._note_change))
            for file in sorted(files):
                self._ends.append(self._inotify.watch_file(file, self._note_change))
            for root in sorted(roots):  # where we write files ourselves, too
                try:
                    end = self._inotify.watch(root, self._note_change, heeds=_is_of_names)
                except (
                    FileNotFoundError
                ):  # nobody has mail there yet; or it was to become a mailbox, and went
                    end = self._inotify.watch_file(root, self._note_change)
                self._ends.append(end)
        except OSError:
            self._watch_no_more()
            raise
        self._inotify.read()  # what has happened before is told to the sessions

    def _watch_no_more(self) -> None:
        while self._ends:
            self._ends.pop()()

    def _note_change(self) -> None:
        self._has_changed = True


def _is_of_names(name: bytes, is_directory: bool) -> bool:
    """Whether what has changed may be a mailbox, or is what is subscribed."""
    return is_directory or name == b"subscriptions"


def _state_files(states: Sequence[bytes]) -> list[int]:
    """A memory file for each; none if they cannot be had."""
    files: list[int] = []
    try:
        files.extend(map(state_file, states))
    except OSError:
        while files:
            os.close(files.pop())
    return files


def arrival_of(resume: Resume, descriptor: int, state_descriptor: int) -> Arrival:
    """A session that is to be gone on with, its connection and its state.  msgspec.DecodeError."""
    octets = os.pread(state_descriptor, MAX_SAVED, 0)
    state = _STATES.decode(octets)
    parked = msgspec.structs.replace(state.parked, bytes_out=state.parked.bytes_out + resume.sent)
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        if has_gone(connection):  # no mailbox need be opened for that
            parked = msgspec.structs.replace(parked, mailbox=None)
    return Arrival(state.session, parked, unsent=resume.unsent)


def _frame(leaving: Leaving, *, ends_need_us: bool, logout_format: str) -> Parked:
    parked = leaving.parked
    figures = parked.figures.text(logout_format, parked.bytes_in, "{out}", user=leaving.session.log_values)
    idles = bool(parked.idle_tag)
    last_command = "idle" if idles else parked.last_command
    return Parked(
        session=leaving.session.peer.session,
        keep_alive=b"* %b\r\n" % STILL_HERE if idles else b"",
        told_at=parked.waits_since,
        wake_at=0.0 if idles else parked.silent_since + AUTOLOGOUT,
        bytes_out=parked.bytes_out,
        figures=figures.replace(AUTOEXPUNGED, "0"),
        deflates=parked.compressed is not None,
        last_command=None if ends_need_us else last_command,
        last_time=0.0 if idles else parked.last_time,
    )
