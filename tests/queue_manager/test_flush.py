"""flush(8): deferred mail that is due because somebody asks."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.site_logs import SiteLogs
from pillarbox.queue_manager.flush import Flusher
from pillarbox.routing.domain_lists import DomainList
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import QueueId

MESSAGE, OTHER, GONE = (QueueId(f"10F512301A{digit}") for digit in "456")
TO_COME = 1_900_000_000


class CountedDirectories(QueueDirectories):
    """Counts how often a queue is read."""

    scans = 0

    def scan(self, queue: str, *, lazily: bool = False) -> Iterator[QueueId]:
        """As ever."""
        self.scans += 1
        return super().scan(queue, lazily=lazily)


class Bench:
    """A queue with a message for dest.example and one for another site."""

    def __init__(self, root: Path) -> None:
        self.directories = CountedDirectories(str(root))
        self.directories.create()
        self.logs = SiteLogs(self.directories)
        self.clock = ManualClock()
        self.due: list[list[QueueId]] = []
        self.revived = 0
        for queue_id, site in ((MESSAGE, "dest.example"), (OTHER, "other.example")):
            self.defer(queue_id, site)
        self.logs.note("dest.example", GONE)

    def defer(self, queue_id: QueueId, site: str) -> None:
        path = self.path(queue_id)
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (TO_COME, TO_COME))
        self.logs.note(site, queue_id)

    def path(self, queue_id: QueueId) -> Path:
        return Path(self.directories.path("deferred", queue_id))

    def flusher(self) -> Flusher:
        return Flusher(
            self.directories,
            sites=DomainList(frozenset({"dest.example"}), match_subdomains=True),
            revive=self._revive,
            flushed=self._flushed,
            clock=self.clock,
        )

    def ask(self, *sites: bytes) -> list[list[QueueId]]:
        """What becomes due when these sites ask at once."""
        self.due.clear()

        async def play() -> None:
            flusher = self.flusher()
            async with asyncio.TaskGroup() as tasks:
                for site in sites:
                    tasks.create_task(flusher.site(site))
            flusher.close()

        asyncio.run(play())
        return self.due

    def _revive(self) -> None:
        self.revived += 1

    async def _flushed(self, ids: list[QueueId]) -> None:
        assert self.revived, "destinations that seemed dead are tried again"
        self.due.append(ids)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_mail_for_a_site(bench: Bench) -> None:
    """Whatever its case; not that of others, and not what has gone on since."""
    assert bench.ask(b"DEST.example") == [[MESSAGE]]
    assert bench.path(MESSAGE).stat().st_mtime == bench.clock.now()
    assert bench.path(OTHER).stat().st_mtime == TO_COME
    assert bench.ask(b"third.example") == []


def test_who_may_ask(bench: Bench) -> None:
    """fast_flush_domains, and what is below them."""
    flusher = bench.flusher()
    asked = (
        b"Dest.Example",
        b"@sub.dest.example",
        b"other.example",
        b"",
        b"@",
        b"[192.0.2.1]",
        b"\xff.dest.example",
    )
    assert [flusher.may_ask(site) for site in asked] == [True, True, False, False, False, False, False]
    flusher.close()


def test_who_asks_at_once_is_answered_together(bench: Bench) -> None:
    """And when the message was deferred again, once more."""
    assert bench.ask(*[b"dest.example"] * 50, b"@dest.example") == [[MESSAGE]]
    assert bench.ask(b"dest.example") == []
    bench.defer(MESSAGE, "dest.example")
    assert bench.ask(b"dest.example") == [[MESSAGE]]


def test_many_sites_ask(bench: Bench) -> None:
    """ETRN is for strangers: the deferred queue is not read for it."""
    assert bench.ask(*(b"host%d.dest.example" % number for number in range(500))) == []
    assert bench.directories.scans == 0


def test_a_site_with_much_mail(bench: Bench) -> None:
    """It is handed on in parts, each when there is room."""
    ids = [QueueId(f"20F51{number:X}") for number in range(2345)]
    for queue_id in ids:
        bench.defer(queue_id, "dest.example")
    parts = bench.ask(b"dest.example")
    assert [queue_id for part in parts for queue_id in part] == [MESSAGE, *ids]
    assert max(map(len, parts)) <= 500
    assert bench.revived == 1
