"""The queue manager's moves: nothing is lost by a crash, nothing done is done again without need."""

import errno

import pytest

from fakes import postfix_queue_files as golden
from fakes.crash_file_system import CrashFileSystem, Stopped, Survives
from pillarbox.queue.active_files import ActiveFiles, Damaged, Finished, NotNow, Opened
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_file import read_message
from pillarbox.queue.recipient_log import LogEntry, read_entries
from pillarbox.queue.records import BytesSource
from pillarbox.vocabulary.identifiers import QueueId

ID = QueueId("10F512301A4")
NOW = 1_900_000_000.0
ENTRY = LogEntry(
    recipient=b"defer+ext@dest.example",
    original_recipient=b"defer+ext@dest.example",
    offset=760,
    status="4.2.0",
    action="delayed",
    reason="try again",
)


def new_files(
    queue: str = "incoming", content: bytes = golden.A_TWO_RECIPIENTS, mode: int = 0o700
) -> CrashFileSystem:
    files = CrashFileSystem()
    for name in ("incoming", "active", "deferred", "deferred/1", "defer", "defer/1", "corrupt"):
        files.make_directories(f"/q/{name}")
    files.make_file(QueueDirectories("/q").path(queue, ID), content, mode=mode)
    return files


def active(files: CrashFileSystem) -> ActiveFiles:
    return ActiveFiles(QueueDirectories("/q", file_system=files), file_system=files)


def opened(files: CrashFileSystem, queue: str = "incoming") -> Opened:
    (result,) = active(files).open_batch([(ID, queue)], now=NOW)
    assert isinstance(result, Opened)
    return result


def test_a_message_becomes_active() -> None:
    """Its envelope is read, its file moved; the defer log of the last attempt goes."""
    files = new_files("deferred")
    files.make_file("/q/defer/1/10F512301A4", b"old")
    message = opened(files, "deferred").message
    assert [recipient.address for recipient in message.to_do] == [b"defer+ext@dest.example"]
    assert list(files.files()) == ["/q/active/10F512301A4"]


LEFT = [
    ("not complete yet", {"mode": 0o600}, "incoming", NotNow(ID, "incoming")),
    ("gone", {"queue": "deferred"}, "incoming", NotNow(ID, "incoming")),
]


@pytest.mark.parametrize(
    ("setup", "queue", "result"), [row[1:] for row in LEFT], ids=[row[0] for row in LEFT]
)
def test_what_stays_where_it_is(setup: dict[str, int], queue: str, result: NotNow) -> None:
    """A file that is being written, or that somebody took."""
    files = new_files(**setup)  # type: ignore[arg-type]
    before = files.files()
    assert active(files).open_batch([(ID, queue)], now=NOW) == [result]
    assert files.files() == before


def test_a_message_waits_for_its_time() -> None:
    """The mtime is the earliest next attempt, unless the admin flushes the queue."""
    files = new_files("deferred")
    path = "/q/deferred/1/10F512301A4"
    files.utime(path, modified_ns=int((NOW + 300) * 1e9))
    (result,) = active(files).open_batch([(ID, "deferred")], now=NOW)
    assert result == NotNow(ID, "deferred", NOW + 300)
    (result,) = active(files).open_batch([(ID, "deferred")], now=NOW, ignore_times=True)
    assert isinstance(result, Opened)


DAMAGED = [
    ("cut off", golden.A_TWO_RECIPIENTS[:-2], 0o700, "no end record"),
    ("empty", b"", 0o700, "no message content"),
    ("marked by an agent", golden.A_TWO_RECIPIENTS, 0o400, "marked as corrupt by a delivery agent"),
]


@pytest.mark.parametrize(
    ("content", "mode", "reason"), [row[1:] for row in DAMAGED], ids=[row[0] for row in DAMAGED]
)
def test_damaged_files_are_kept_apart(content: bytes, mode: int, reason: str) -> None:
    """In corrupt, as they are."""
    files = new_files(content=content, mode=mode)
    (result,) = active(files).open_batch([(ID, "incoming")], now=NOW)
    assert isinstance(result, Damaged)
    assert reason in result.reason
    assert files.files() == {"/q/corrupt/10F512301A4": content}


def test_a_damaged_file_that_cannot_be_moved_stops_nobody() -> None:
    """The others of the batch are opened all the same."""
    files = new_files(content=b"")
    files.make_file("/q/incoming/10F512301A5", golden.A_TWO_RECIPIENTS, mode=0o700)
    files.fail = lambda operation, path: (
        errno.EACCES if operation == "rename" and path.endswith("A4") else None
    )
    results = active(files).open_batch([(ID, "incoming"), (QueueId("10F512301A5"), "incoming")], now=NOW)
    assert [type(result) for result in results] == [NotNow, Opened]


def test_what_is_finished_goes() -> None:
    """No recipient left: the file is removed."""
    files = new_files()
    one = opened(files)
    assert active(files).finish_batch([Finished(queue_id=ID, descriptor=one.descriptor)]) == [None]
    assert files.files() == {}


def finish(files: CrashFileSystem, one: Opened) -> OSError | None:
    finished = Finished(
        queue_id=ID, descriptor=one.descriptor, done=[], deferred=[ENTRY], next_attempt=NOW + 300
    )
    (error,) = active(files).finish_batch([finished])
    return error


def test_what_is_deferred_waits_with_its_reason() -> None:
    """In deferred, due at its time, with a defer log for mailq and the bounce."""
    files = new_files()
    assert finish(files, opened(files)) is None
    assert sorted(files.files()) == ["/q/defer/1/10F512301A4", "/q/deferred/1/10F512301A4"]
    assert files.stat("/q/deferred/1/10F512301A4").st_mtime == NOW + 300
    (entry,) = read_entries(files.files()["/q/defer/1/10F512301A4"])
    assert (entry[b"reason"], entry[b"offset"]) == (b"try again", b"760")


def test_recipients_that_are_done_are_marked() -> None:
    """The type octet of the record becomes D; no other octet changes."""
    files = new_files()
    one = opened(files)
    finished = Finished(
        queue_id=ID, descriptor=one.descriptor, done=one.message.to_do, deferred=[ENTRY], next_attempt=NOW
    )
    active(files).finish_batch([finished])
    content = files.files()["/q/deferred/1/10F512301A4"]
    assert read_message(BytesSource(content)).to_do == []
    expected = bytearray(golden.A_TWO_RECIPIENTS)
    expected[760] = ord("D")
    assert content == expected


@pytest.mark.parametrize("survives", Survives)
def test_a_crash_at_any_step_loses_nothing(survives: Survives) -> None:
    """Whatever was done, the message is in one queue, whole, with its recipient still to do or marked."""
    for step in range(30):
        files = new_files()
        files.stop_at = len(files.steps) + step
        try:
            finish(files, opened(files))
        except Stopped:
            pass
        found = {path: data for path, data in files.crash(survives).files().items() if "/defer/" not in path}
        assert len(found) >= 1, step
        assert all(
            read_message(BytesSource(data)).sender == b"alice@example.org" for data in found.values()
        ), step
    assert len(files.steps) < (files.stop_at or 0), "not all steps were tried"


def test_an_error_leaves_the_message_active() -> None:
    """It is reported, the descriptor closed; recover() will find the message."""
    files = new_files()
    one = opened(files)
    files.fail = lambda operation, path: errno.ENOSPC if operation == "write" else None
    error = finish(files, one)
    assert error is not None
    assert "/q/active/10F512301A4" in files.files()
