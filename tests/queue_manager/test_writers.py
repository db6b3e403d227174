"""Writers hear when mail comes faster than it is taken up (in_flow_delay)."""

import asyncio
import socket
from pathlib import Path

from pillarbox.daemons.queue_hints import QueueHints
from pillarbox.queue.incoming import IncomingQueue
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue_manager.writers import Writer, Writers
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import QueueId


def test_writers_hear_of_the_flow(tmp_path: Path) -> None:
    """Those that are there, those that come later, and nobody of what has not changed."""

    async def play() -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "door"))
        listener.listen()
        came = asyncio.Queue[list[QueueId]]()

        def queued(ids: list[QueueId], _writer: Writer) -> None:
            came.put_nowait(ids)

        writers = Writers(queued, tell=lambda event: None)
        (tmp_path / "incoming").mkdir()
        queue = IncomingQueue(QueueDirectories(str(tmp_path)), clock=ManualClock())
        first, second = (QueueHints(str(tmp_path / "door"), queue) for _ in range(2))
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(writers.serve(listener, tasks))]
            running += [tasks.create_task(hints.take_files()) for hints in (first, second)]
            first(QueueId("A1"))
            assert await came.get() == ["A1"]
            assert not first.is_behind
            writers.tell_flow(True)
            await _until(first, True)
            second(QueueId("B1"))
            assert await came.get() == ["B1"]
            await _until(second, True)
            await first.take_time(0.001)  # that is as long as it takes
            await _until(first, True)
            waiting = tasks.create_task(first.take_time(3600))
            await asyncio.sleep(0)
            assert not waiting.done()
            writers.tell_flow(False)
            await waiting
            await _until(first, False)
            await _until(second, False)
            writers.tell_flow(True)
            await _until(first, True)
            writers.close()
            await _until(first, False)  # nobody is there who could be behind
            for task in running:
                task.cancel()
        await first.close()
        await second.close()
        queue.close()
        listener.close()

    asyncio.run(play())


async def _until(hints: QueueHints, is_behind: bool) -> None:
    async with asyncio.timeout(45):
        while hints.is_behind is not is_behind:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0)
