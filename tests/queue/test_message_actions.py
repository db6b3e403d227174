"""What an admin does to messages, and how a queue is put in order.  What the commands print: the system tests."""

import os
from pathlib import Path

import pytest

from fakes import postfix_queue_files as golden
from pillarbox.queue.message_actions import DELETE, EXPIRE, HOLD, RELEASE, REQUEUE, Action, MessageActions
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_repair import QueueRepair
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import QueueId

ID = QueueId("10F512301A4")


class Queue:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.told: list[str] = []
        self.clock = ManualClock()
        self.directories = QueueDirectories(str(root))
        self.directories.create()
        self.actions = MessageActions(self.directories, clock=self.clock, warn=self.told.append)
        self.repair = QueueRepair(self.directories, long_ids=True, clock=self.clock, warn=self.told.append)

    def put(self, name: str, mode: int = 0o700, *, age: float = 60) -> Path:
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(golden.A_TWO_RECIPIENTS)
        path.chmod(mode)
        os.utime(path, (self.clock.now() - age,) * 2)
        return path

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path)


MOVES = [
    (HOLD, "deferred/1", ["hold/10F512301A4"]),
    (HOLD, "active", ["hold/10F512301A4"]),
    (HOLD, "maildrop", ["maildrop/10F512301A4"]),
    (RELEASE, "hold", ["deferred/1/10F512301A4"]),
    (RELEASE, "incoming", ["incoming/10F512301A4"]),
    (REQUEUE, "deferred/1", ["maildrop/10F512301A4"]),
    (REQUEUE, "hold", ["maildrop/10F512301A4"]),
    (DELETE, "maildrop", []),
    (DELETE, "active", []),
    (DELETE, "corrupt", ["corrupt/10F512301A4"]),
]


@pytest.mark.parametrize(("action", "place", "after"), MOVES)
def test_where_a_message_goes(action: Action, place: str, after: list[str], queue: Queue) -> None:
    """By its id and by ALL alike."""
    for everything in (False, True):
        for path in queue.files():
            (queue.root / path).unlink()
        queue.put(f"{place}/{ID}")
        done = queue.actions.all(action) if everything else queue.actions.one(action, ID)
        assert (bool(done), queue.files()) == (after != [f"{place}/{ID}"], after)


def test_times(queue: Queue) -> None:
    """Released mail is due when it was due before; requeued mail is new."""
    queue.put(f"hold/{ID}", age=-500)
    queue.actions.one(RELEASE, ID)
    assert (queue.root / f"deferred/1/{ID}").stat().st_mtime == queue.clock.now() + 500
    queue.actions.one(REQUEUE, ID)
    assert (queue.root / f"maildrop/{ID}").stat().st_mtime == queue.clock.now()


def test_logs_go_with_a_deleted_message(queue: Queue) -> None:
    """They come first: a log without its message would be another message's, later."""
    queue.put(f"deferred/1/{ID}")
    for log in ("defer/1", "bounce", "trace"):
        queue.put(f"{log}/{ID}", 0o600)
    assert queue.actions.one(DELETE, ID)
    assert queue.files() == []


def test_expiry_is_a_mode_bit(queue: Queue) -> None:
    """It is set once."""
    path = queue.put(f"deferred/1/{ID}")
    assert (queue.actions.one(EXPIRE, ID), queue.actions.one(EXPIRE, ID)) == (True, False)
    assert path.stat().st_mode & 0o777 == 0o710


def test_only_complete_messages_have_an_id(queue: Queue) -> None:
    """One that is being written is not there yet; ALL takes it, and warns of other files."""
    queue.put(f"incoming/{ID}", 0o600)
    queue.put("incoming/12.34")
    assert not queue.actions.one(HOLD, ID)
    assert queue.actions.all(HOLD) == 1
    assert queue.told == ["bogus file name: incoming/12.34"]


def test_names_that_match_their_inodes(queue: Queue) -> None:
    """With their logs; a name that another file has still is waited for; long ids stay."""
    path = queue.put(f"deferred/1/{ID}")
    queue.put(f"defer/1/{ID}", 0o600)
    queue.put("hold/4jXVXr3rhNzKGxF")
    right = f"10F51{path.stat().st_ino:X}"
    other = f"10F51{queue.put(f'incoming/{right}').stat().st_ino:X}"
    assert queue.repair.run(structure=True, purge=False) == 2
    assert queue.files() == sorted(
        [f"defer/1/{right}", f"deferred/1/{right}", "hold/4jXVXr3rhNzKGxF", f"incoming/{other}"]
    )
    assert queue.repair.run(structure=True, purge=False) == 0


def test_a_message_in_the_wrong_directory(queue: Queue) -> None:
    """hash_queue_depth has been changed, or a queue was restored without its directories."""
    queue.put("deferred/4jXVXr3rhNzKGxF")
    assert queue.repair.run(structure=True, purge=False) == 0
    assert queue.files() == ["deferred/8/4jXVXr3rhNzKGxF"]


def test_a_long_id_where_new_ones_are_short(queue: Queue) -> None:
    """enable_long_queue_ids has been turned off: as postsuper -s does it, the time's part stays."""
    path = queue.put("hold/4jXVXr3rhNzKGxF")
    queue.put("defer/8/4jXVXr3rhNzKGxF")
    new = f"847E4{path.stat().st_ino:X}"
    repair = QueueRepair(queue.directories, long_ids=False, clock=queue.clock, warn=queue.told.append)
    assert repair.run(structure=True, purge=False) == 1
    assert queue.files() == [f"defer/8/{new}", f"hold/{new}"]


def test_logs_in_directories_of_another_depth(queue: Queue) -> None:
    """A log goes with its message, whose name is another now."""
    path = queue.put("deferred/10F51AAAAAA")
    queue.put("defer/10F51AAAAAA", 0o600)
    new = f"10F51{path.stat().st_ino:X}"
    assert queue.repair.run(structure=True, purge=False) == 1
    assert queue.files() == [f"defer/1/{new}", f"deferred/1/{new}"]


def test_what_is_a_week_old_and_was_never_finished(queue: Queue) -> None:
    """Complete messages stay, however old."""
    week = 7 * 86400 + 60
    for name, mode in (("12.34", 0o600), ("A0000000001", 0o600), ("A0000000002", 0o700)):
        queue.put(f"incoming/{name}", mode, age=week)
    queue.put("incoming/A0000000003", 0o600)
    queue.repair.run(structure=False, purge=True)
    assert queue.files() == ["incoming/A0000000002", "incoming/A0000000003"]
