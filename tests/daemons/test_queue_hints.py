"""Hints to the queue manager: at once when nothing was told lately, together when messages follow each other."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pillarbox.daemons import queue_hints
from pillarbox.daemons.queue_hints import QueueHints
from pillarbox.net.channel import Channel
from pillarbox.queue.incoming import IncomingQueue
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_frames import MessagesQueued
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import QueueId

FIRST, SECOND, THIRD = (QueueId(f"10F512301A{digit}") for digit in "123")


class Manager:
    """The other end."""

    def __init__(self, path: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.listener.setblocking(False)
        self._channel: Channel[MessagesQueued] | None = None

    async def frame(self) -> list[str] | None:
        """The ids of the next frame; None if the writer has gone."""
        if self._channel is None:
            client, _ = await asyncio.get_running_loop().sock_accept(self.listener)
            self._channel = Channel(client, MessagesQueued)
        received = await self._channel.receive()
        return None if received is None else received[0].ids

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self.listener.close()


@asynccontextmanager
async def hints_of(root: Path) -> AsyncIterator[tuple[QueueHints, Manager]]:
    directories = QueueDirectories(str(root))
    directories.create()
    manager = Manager(root / "private/hints")
    queue = IncomingQueue(directories, clock=ManualClock())
    try:
        yield QueueHints(f"{root}/private/hints", queue), manager
    finally:
        queue.close()
        manager.close()


async def some_turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_the_first_goes_out_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those of the same turn with it; later ones wait, and none is lost when the writer ends."""
    monkeypatch.setattr(queue_hints, "_SHORTEST_PAUSE", 3600.0)
    monkeypatch.setattr(queue_hints, "_LONGEST_PAUSE", 3600.0)

    async def play() -> None:
        async with hints_of(tmp_path) as (hints, manager):
            hints(FIRST)
            hints(SECOND)
            assert await manager.frame() == [FIRST, SECOND]
            hints(THIRD)
            await some_turns()
            hints(FIRST)
            await some_turns()
            await hints.close()
            assert await manager.frame() == [THIRD, FIRST]
            assert await manager.frame() is None

    asyncio.run(play())


def test_what_waits_goes_out_by_itself(tmp_path: Path) -> None:
    """After the pause, also if nothing more comes; and once it is over, the next one at once again."""

    async def play() -> None:
        async with hints_of(tmp_path) as (hints, manager):
            for queue_id in (FIRST, SECOND, THIRD):
                hints(queue_id)
                assert await manager.frame() == [queue_id]
            await hints.close()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("messages_a_second", "told_together"), [(1000, 25), (400, 10), (100, 4), (20, 1), (1, 0)]
)
def test_how_many_go_out_together(messages_a_second: int, told_together: int) -> None:
    """Of many sessions as many as come in 25 milliseconds, of few four; no hint waits longer than 50."""
    pause = queue_hints.pause_after(1 / messages_a_second)
    assert pause <= 0.05
    assert int(pause * messages_a_second + 1e-9) == told_together


def test_a_writer_that_has_told_nothing(tmp_path: Path) -> None:
    """Closes nothing."""

    async def play() -> None:
        async with hints_of(tmp_path) as (hints, _):
            await hints.close()

    asyncio.run(play())


def test_a_hint_knows_its_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question for the running loop is a system call (getpid), for each message."""

    async def play() -> None:
        async with hints_of(tmp_path) as (hints, manager):
            hints(FIRST)
            assert await manager.frame() == [FIRST]
            monkeypatch.setattr(asyncio, "get_running_loop", None)
            hints(SECOND)
            monkeypatch.undo()
            assert await manager.frame() == [SECOND]
            await hints.close()

    asyncio.run(play())
