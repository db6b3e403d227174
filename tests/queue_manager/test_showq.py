"""The listing service: who is sent the queue, and that all of it comes however many processes read it."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes import postfix_queue_files as golden
from pillarbox.config.value_types import MatchList, Pattern
from pillarbox.net.forks import fork
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_listing import Half
from pillarbox.queue.queue_listing_protocol import read_messages
from pillarbox.queue_manager import showq
from pillarbox.queue_manager.showq import ShowQueue, Slices
from pillarbox.tables.authorized_users import AuthorizedUsers
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import QueueId
from pillarbox.wire.attributes import AttributeFault

_MESSAGES = 700


@pytest.fixture
def directories(tmp_path: Path) -> QueueDirectories:
    """A queue of some hundred messages, one of them in hold."""
    found = QueueDirectories(str(tmp_path))
    found.create()
    for number in range(_MESSAGES):
        queue = "deferred" if number else "hold"
        path = Path(found.path(queue, QueueId(f"{number:05X}A{number:X}")))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(golden.A_TWO_RECIPIENTS)
        path.chmod(0o700)
    return found


@contextmanager
def serving(directories: QueueDirectories, *, users: str = "static:anyone") -> Iterator[Callable[[], bytes]]:
    """The service in a process of its own; what receives from it."""
    path = f"{directories.root}/public/showq"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        pattern = Pattern(users, is_table=":" in users)
        allowed = AuthorizedUsers(MatchList((pattern,)), where="", clock=ManualClock())
        service = ShowQueue(directories, empty_address=b"MAILER-DAEMON", authorized=allowed)
        child = fork(lambda: service.serve(listener, tell=lambda event: None, parent=os.getppid()))
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(45)
            client.connect(path)
            yield lambda: client.recv(65536)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.mark.parametrize("processors", [1, 2])
def test_all_of_a_long_queue(
    directories: QueueDirectories, processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each message once and whole, read by one process or by two; hold comes last."""
    monkeypatch.setattr(showq, "_LONG", 1)
    monkeypatch.setattr(showq, "_SLICE", 7)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))
    with serving(directories) as receive:
        found = [(message.queue, message.queue_id) for message in read_messages(receive)]
    assert len(found) == len(set(found)) == _MESSAGES
    assert [queue for queue, _ in found] == ["deferred"] * (_MESSAGES - 1) + ["hold"]


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


def test_a_listing_outlives_the_queue_manager(
    directories: QueueDirectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at a reload in the midst of it: it comes to its end, and so does the service."""
    whole = ShowQueue._slices
    gate, opener = os.pipe()

    def slices(self: ShowQueue, queue: str, half: Half = Half.BOTH) -> Slices:
        for number, data in enumerate(whole(self, queue, half)):
            if queue == "deferred" and number:
                os.read(gate, 1)
            yield data

    monkeypatch.setattr(ShowQueue, "_slices", slices)
    path = f"{directories.root}/public/showq"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        allowed = AuthorizedUsers(
            MatchList((Pattern("static:anyone", is_table=True),)), where="", clock=ManualClock()
        )
        service = ShowQueue(directories, empty_address=b"MAILER-DAEMON", authorized=allowed)

        def manage() -> None:
            own = os.getpid()
            fork(lambda: service.serve(listener, tell=lambda event: None, parent=own), outlives=True)
            signal.pause()

        manager = fork(manage)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(45)
        client.connect(path)
        messages = read_messages(lambda: client.recv(65536))
        count = 1
        assert next(messages).queue == "deferred"
        os.kill(manager, signal.SIGKILL)
        os.waitpid(manager, 0)
        os.write(opener, b"x" * _MESSAGES)
        count += sum(1 for _ in messages)
    assert count == _MESSAGES
    while _listens(path):
        os.sched_yield()
    os.close(gate)
    os.close(opener)


def test_who_may_not_look(directories: QueueDirectories, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent, which the client tells from an empty queue."""
    monkeypatch.setattr(showq, "peer_uid", lambda _: 65533)
    with serving(directories, users="nobody-else") as receive, pytest.raises(AttributeFault):
        list(read_messages(receive))


def test_half_a_listing_is_no_listing(directories: QueueDirectories, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that reads one half is killed: the listing has no end."""
    whole = ShowQueue._slices

    def slices(self: ShowQueue, queue: str, half: Half = Half.BOTH) -> Slices:
        if half is Half.ODD:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from whole(self, queue, half)

    monkeypatch.setattr(showq, "_LONG", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(ShowQueue, "_slices", slices)
    with serving(directories) as receive, pytest.raises(AttributeFault):
        list(read_messages(receive))


@pytest.mark.parametrize("shortest", [1, showq._LONG])
def test_first_message_waits_for_no_process(
    directories: QueueDirectories, monkeypatch: pytest.MonkeyPatch, shortest: int
) -> None:
    """There is no room for a child: the first message of a queue, or of half of it, has been sent all the same."""

    def no_room(work: Callable[[], None]) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(showq, "_LONG", shortest)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(showq, "fork", no_room)
    with serving(directories) as receive:
        messages = read_messages(receive)
        assert next(messages).queue == "deferred"
        with pytest.raises(AttributeFault):
            next(messages)


def test_mistake_in_the_first_message_ends_no_service(
    directories: QueueDirectories, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It ends the one listing; the next client is served by the same process."""
    whole = ShowQueue._slices
    mended = tmp_path / "mended"

    def slices(self: ShowQueue, queue: str, half: Half = Half.BOTH) -> Slices:
        if not mended.exists():
            raise ZeroDivisionError
        yield from whole(self, queue, half)

    monkeypatch.setattr(ShowQueue, "_slices", slices)
    with serving(directories) as receive:
        with pytest.raises(AttributeFault):
            list(read_messages(receive))
        mended.touch()
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(45)
            client.connect(f"{directories.root}/public/showq")
            assert len(list(read_messages(lambda: client.recv(65536)))) == _MESSAGES
