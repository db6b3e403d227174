"""Clients that rest, as the spawner keeps them: who is woken, who is told what, and what is left of them."""

import os
import selectors
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pillarbox.daemons.parked_sessions import (
    MAX_SAVED,
    Group,
    Key,
    ParkedSession,
    ParkedSessions,
    state_file,
)
from pillarbox.net.handover import OpenSession, Parked
from pillarbox.net.startup import User
from pillarbox.observability.events import Event, MailSessionEnded

KEY: Key = (1000, 1000, 0)
BYE = b"* BYE Server shutting down.\r\n"
STILL_HERE = b"* OK Still here\r\n"


class Lot:
    """`ParkedSessions` with a selector, and clients."""

    def __init__(self, *, interval: float = 120.0) -> None:
        self.selector = selectors.DefaultSelector()
        self.woken: list[Key] = []
        self.told: list[Event] = []
        self.forgotten: list[OpenSession] = []
        self.parked = ParkedSessions(
            self.selector,
            self._wake,
            interval=interval,
            tell=self.told.append,
            forget=self.forgotten.append,
        )
        self._open: list[socket.socket] = []

    def _wake(self, key: Key) -> None:
        self.woken.append(key)
        group = self.parked.take(key)
        if group is not None:
            group.close()

    def client(
        self,
        *,
        keep_alive: bytes = STILL_HERE,
        told_at: float | None = None,
        wake_at: float = 0.0,
        deflates: bool = False,
        last_command: str | None = "select",
        last_time: float = 0.0,
    ) -> ParkedSession:
        """A session, whose client is the last of `clients`."""
        client, ours = socket.socketpair()
        self._open.append(client)
        told_at = time.monotonic() if told_at is None else told_at
        figures = "in=7 out={out} deleted=0"
        frame = Parked("id", keep_alive, told_at, wake_at, 100, figures, deflates, last_command, last_time)
        known = OpenSession("user", "imap", 1, "::1", "id")
        return ParkedSession.of(ours.detach(), state_file(b"state"), frame, known)

    @property
    def clients(self) -> list[socket.socket]:
        return self._open

    def park(self, *sessions: ParkedSession, watch: int = -1) -> None:
        self.parked.add(Group(KEY, User(1000, 1000), list(sessions), watch))

    def turn(self) -> None:
        """What the spawner does when something has happened, or it is time."""
        for key, _ in self.selector.select(0):
            key.data()
        self.parked.on_time()

    def close(self) -> None:
        for client in self._open:
            client.close()
        for group in self.parked:
            group.close()
        self.selector.close()


@pytest.fixture
def lot() -> Iterator[Lot]:
    """With keep-alives every two minutes."""
    made = Lot()
    yield made
    made.close()


def heard(client: socket.socket) -> bytes:
    """What the client was sent."""
    client.setblocking(False)
    try:
        return client.recv(1000)
    except BlockingIOError:
        return b"nothing"


def test_nobody_is_woken_while_nothing_happens(lot: Lot) -> None:
    """Nor is anything sent."""
    lot.park(lot.client(), lot.client())
    lot.turn()
    assert lot.woken == []
    assert len(lot.parked) == 1
    assert heard(lot.clients[0]) == b"nothing"
    assert 0 < (lot.parked.seconds_left() or 0) <= 120


def test_who_says_something_wakes_all_of_the_group_once(lot: Lot) -> None:
    """And what was said is still there to be read."""
    sessions = [lot.client(), lot.client()]
    taken = [os.dup(session.connection.fileno()) for session in sessions]
    lot.park(*sessions)
    for client in lot.clients:
        client.send(b"DONE\r\n")
    lot.turn()
    assert lot.woken[0] == KEY
    assert lot.parked.take(KEY) is None
    assert KEY not in lot.parked
    assert lot.parked.seconds_left() is None
    for descriptor in taken:
        with socket.socket(fileno=descriptor) as connection:
            assert connection.recv(100) == b"DONE\r\n"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("", "Connection closed (No commands sent)"),
        ("idle", "Connection closed (idle finished 0.000 secs ago)"),
    ],
)
def test_who_has_gone_is_told_to_the_log_and_nobody_is_woken(lot: Lot, command: str, told: str) -> None:
    """The others rest on; with the last one, the group is gone."""
    sessions = [lot.client(last_command=command), lot.client(last_command=command, told_at=0.0)]
    lot.park(*sessions)
    lot.turn()
    for number, client in enumerate(lot.clients, 1):
        client.close()
        lot.turn()
        assert len(lot.forgotten) == number
        assert len(lot.parked) == 2 - number
    assert lot.woken == []
    assert [event.reason for event in lot.told if isinstance(event, MailSessionEnded)] == [told] * 2
    assert isinstance(lot.told[1], MailSessionEnded)
    assert lot.told[1].figures == f"in=7 out={100 + len(STILL_HERE)} deleted=0"
    assert lot.parked.seconds_left() is None
    assert not lot.selector.get_map()


def test_how_long_ago_the_last_command_of_who_has_gone_was(lot: Lot) -> None:
    """By the clock that all processes share."""
    lot.park(lot.client(keep_alive=b"", last_time=time.monotonic() - 100))
    lot.clients[0].close()
    lot.turn()
    [event] = lot.told
    assert isinstance(event, MailSessionEnded)
    assert event.reason.startswith("Connection closed (select finished 10")


def test_the_last_who_idles_takes_the_watch_with_him(lot: Lot) -> None:
    """A change is nobody's business then."""
    watch, change = os.pipe()
    lot.park(lot.client(), lot.client(keep_alive=b""), watch=watch)
    lot.clients[0].close()
    lot.turn()
    with pytest.raises(BrokenPipeError):
        os.write(change, b"event")
    os.close(change)
    assert lot.woken == []
    lot.clients[1].send(b"x NOOP\r\n")
    lot.turn()
    assert lot.woken == [KEY]


def test_what_was_said_before_the_end_is_answered(lot: Lot) -> None:
    """LOGOUT, and gone: that is a worker's."""
    lot.park(lot.client())
    lot.clients[0].send(b"x LOGOUT\r\n")
    lot.clients[0].close()
    lot.turn()
    assert lot.woken == [KEY]
    assert lot.told == []


def test_who_has_gone_wakes_the_group_where_there_is_more_to_do(lot: Lot) -> None:
    """autoexpunge"""
    lot.park(lot.client(last_command=None))
    assert [group.needs_worker for group in lot.parked] == [True]
    lot.clients[0].close()
    lot.turn()
    assert lot.woken == [KEY]
    assert lot.told == []


def test_a_client_of_compress_hears_deflate(lot: Lot) -> None:
    """Keep-alives and BYE continue the stream that the worker has written, and are counted as others are."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    before = deflate.compress(b"+ idling\r\n") + deflate.flush(zlib.Z_SYNC_FLUSH)
    lot.park(lot.client(deflates=True, told_at=0.0))
    lot.turn()
    lot.parked.end()
    inflate = zlib.decompressobj(-15)
    assert inflate.decompress(before + heard(lot.clients[0])) == b"+ idling\r\n" + STILL_HERE + BYE
    [event] = lot.told
    assert isinstance(event, MailSessionEnded)
    assert f"out={100 + len(STILL_HERE + BYE)} " in event.figures


def test_a_mailbox_that_changes_wakes_the_group(lot: Lot) -> None:
    """By the descriptor that was left with the sessions."""
    watch, change = os.pipe()
    lot.park(lot.client(), watch=watch)
    lot.turn()
    assert lot.woken == []
    os.write(change, b"event")
    lot.turn()
    os.close(change)
    assert lot.woken == [KEY]


def test_a_descriptor_that_cannot_be_waited_for_gives_the_group_back(lot: Lot, tmp_path: Path) -> None:
    """A worker may pass whatever it likes."""
    (tmp_path / "file").write_text("")
    lot.park(lot.client(), watch=os.open(tmp_path / "file", os.O_RDONLY))
    assert lot.woken == [KEY]
    assert KEY not in lot.parked


def test_keep_alives_come_when_they_are_due_and_are_counted() -> None:
    """From the last thing that the client was told on, without anybody being woken."""
    lot = Lot()
    now = time.monotonic()
    early, late, silent = lot.client(told_at=now - 121), lot.client(told_at=now), lot.client(keep_alive=b"")
    lot.park(early, late, silent)
    lot.turn()
    lot.turn()
    assert [heard(client) for client in lot.clients] == [STILL_HERE, b"nothing", b"nothing"]
    assert (early.sent, late.sent, silent.sent) == (len(STILL_HERE), 0, 0)
    assert lot.woken == []
    assert len(lot.parked) == 1
    lot.close()


def test_no_interval_no_keep_alives() -> None:
    """imap_idle_notify_interval = 0"""
    lot = Lot(interval=0)
    lot.park(lot.client(told_at=0.0))
    assert lot.parked.seconds_left() is None
    lot.close()


def test_a_client_that_takes_nothing_wakes_the_group(lot: Lot) -> None:
    """What it has not taken is its next worker's to send."""
    session = lot.client(told_at=0.0)
    session.connection.setblocking(False)
    while True:
        try:
            session.connection.send(bytes(65536))
        except BlockingIOError:
            break
    lot.park(session)
    lot.turn()
    assert lot.woken == [KEY]
    assert session.sent == 0
    assert session.unsent == b""


def test_the_time_of_who_does_not_idle_runs_out(lot: Lot) -> None:
    """Autologout is the worker's business."""
    lot.park(lot.client(keep_alive=b"", wake_at=time.monotonic() - 1))
    lot.turn()
    assert lot.woken == [KEY]
    assert heard(lot.clients[0]) == b""


def test_the_end_of_the_server(lot: Lot) -> None:
    """BYE, the end of the connection, and a line for the log with all octets in it."""
    lot.park(lot.client(told_at=0.0))
    lot.turn()
    lot.parked.end()
    assert heard(lot.clients[0]) == STILL_HERE + BYE
    assert heard(lot.clients[0]) == b""
    [event] = lot.told
    assert isinstance(event, MailSessionEnded)
    assert event.figures == f"in=7 out={100 + len(STILL_HERE + BYE)} deleted=0"
    assert event.reason == "Server shutting down."
    assert len(lot.parked) == 0


def test_what_is_no_connection_or_no_state_is_refused(tmp_path: Path) -> None:
    """The descriptors stay the caller's."""
    known = OpenSession("user", "imap", 1, "::1", "id")
    frame = Parked("id", b"", 0.0, 0.0, 0, "")
    (tmp_path / "file").write_text("")
    state, large = state_file(b"state"), state_file(bytes(MAX_SAVED + 1))
    unsealed = os.memfd_create("session")
    client, ours = socket.socketpair()
    with client, ours, open(tmp_path / "file", "rb") as file:
        for connection, is_state, fault in (
            (file.fileno(), state, OSError),
            (ours.fileno(), large, ValueError),
            (ours.fileno(), unsealed, ValueError),
            (ours.fileno(), file.fileno(), (OSError, ValueError)),  # in memory it can be sealed
        ):
            with pytest.raises(fault):
                ParkedSession.of(connection, is_state, frame, known)
        ours.send(b"still ours")
    for descriptor in (state, large, unsealed):
        os.close(descriptor)


def test_a_state_cannot_be_changed_any_more() -> None:
    """Whoever wrote it may hold it still."""
    state = state_file(b"state")
    with pytest.raises(PermissionError):
        os.pwrite(state, b"other", 0)
    assert os.pread(state, 100, 0) == b"state"
    os.close(state)


def test_there_is_room_as_long_as_there_are_descriptors(lot: Lot) -> None:
    """A worker whose sessions find no room keeps them."""
    assert lot.parked.has_room
