"""flush(8): deferred mail that is due because somebody asks."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import postfix_queue_files as golden
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue_manager.flush import Flusher
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import QueueId

MESSAGE = QueueId("10F512301A4")


class CountedDirectories(QueueDirectories):
    """Counts how often the deferred queue is read."""

    scans = 0

    def scan(self, queue: str) -> Iterator[QueueId]:
        """As ever."""
        self.scans += 1
        return iter(list(super().scan(queue)))


@pytest.fixture
def directories(tmp_path: Path) -> CountedDirectories:
    """One deferred message, of which a recipient at dest.example is left."""
    found = CountedDirectories(str(tmp_path))
    found.create()
    path = Path(found.path("deferred", MESSAGE))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(golden.A_TWO_RECIPIENTS)
    path.chmod(0o700)
    return found


def ask(directories: CountedDirectories, *sites: bytes) -> list[list[QueueId]]:
    """What becomes due when these sites ask at once."""
    due: list[list[QueueId]] = []

    async def play() -> None:
        flusher = Flusher(directories, clock=ManualClock(), flushed=due.append)
        async with asyncio.TaskGroup() as tasks:
            for site in sites:
                tasks.create_task(flusher.site(site))
        flusher.close()

    asyncio.run(play())
    return due


def test_mail_for_a_site(directories: CountedDirectories) -> None:
    """Whatever its case; not that of others."""
    assert ask(directories, b"DEST.example") == [[MESSAGE]]
    assert ask(directories, b"other.example") == []


def test_who_asks_at_once_is_answered_together(directories: CountedDirectories) -> None:
    """The queue is read once for a site, however many ask; and again for who asks later."""
    assert ask(directories, *[b"dest.example"] * 50, b"@dest.example") == [[MESSAGE]]
    assert directories.scans == 1
    assert ask(directories, b"dest.example") == [[MESSAGE]]
    assert directories.scans == 2
