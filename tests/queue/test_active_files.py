"""The queue manager's moves: nothing is lost by a crash, nothing done is done again without need."""

import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import AnyStr

import msgspec
import pytest

from fakes import postfix_queue_files as golden
from fakes.crash_file_system import CrashFileSystem, Stopped
from fakes.crash_survivors import Survives
from pillarbox.queue.active_files import ActiveFiles, Damaged, Finished, NotNow, Opened, faults
from pillarbox.queue.incoming import sweep
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_file import read_message
from pillarbox.queue.recipient_log import LogEntry, encode_entry, read_entries
from pillarbox.queue.records import BytesSource
from pillarbox.queue_manager.results import failed, not_tried
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


def test_an_expired_message_brings_its_reasons() -> None:
    """What postsuper -e has marked is not tried again: the last defer log says what its sender is told."""
    files = new_files("deferred", mode=0o710)
    files.make_file("/q/defer/1/10F512301A4", encode_entry(ENTRY))
    message = opened(files, "deferred")
    assert message.is_expired
    assert [(entry.offset, entry.reason) for entry in message.reasons] == [(760, "try again")]
    outcomes = not_tried(message.message.to_do, message.reasons, text="expired")
    assert [(transport, outcome.status) for transport, outcome in outcomes.values()] == [("none", "deferred")]
    failures = failed(message.message.to_do[0], outcomes[760][1], expired=True)
    assert [(failure.entry.action, failure.entry.reason) for failure in failures] == [("failed", "try again")]


def test_an_expired_message_that_was_never_tried() -> None:
    """Its sender hears of it all the same."""
    message = opened(new_files(mode=0o710))
    assert message.reasons == []
    ((_, outcome),) = not_tried(message.message.to_do, message.reasons, text="expired").values()
    assert (outcome.dsn, outcome.text) == ("4.7.0", "expired")


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


class _NoDescriptors(CrashFileSystem):
    """A process has as many files open as it may have."""

    def open(self, path: AnyStr, flags: int, mode: int = 0o777) -> int:
        raise OSError(errno.EMFILE, "", path)


def test_without_descriptors_messages_wait_and_the_admin_is_told() -> None:
    """One line for the batch, not one for each message; the next scan tries them again."""
    ids = [(QueueId("10F512301A4"), "deferred"), (QueueId("10F512301A5"), "deferred")]
    results = active(_NoDescriptors()).open_batch(ids, now=NOW)
    assert results == [NotNow(*one, fault="Too many open files") for one in ids]
    assert faults(results) == ["open deferred 10F512301A4: Too many open files (and 1 more)"]


def test_a_message_that_cannot_be_moved_waits_and_the_admin_is_told() -> None:
    """It stays where it is; one that somebody has taken is no fault."""
    files = new_files()
    files.fail = lambda operation, path: errno.EROFS if operation == "rename" else None
    before = files.files()
    results = active(files).open_batch([(ID, "incoming"), (QueueId("10F512301A5"), "incoming")], now=NOW)
    assert faults(results) == ["open incoming 10F512301A4: Read-only file system"]
    assert files.files() == before


def test_a_message_waits_for_its_time() -> None:
    """The mtime is the earliest next attempt, unless the admin flushes the queue."""
    files = new_files("deferred")
    path = "/q/deferred/1/10F512301A4"
    files.utime(path, modified_ns=int((NOW + 300) * 1e9))
    (result,) = active(files).open_batch([(ID, "deferred")], now=NOW)
    assert result == NotNow(ID, "deferred", NOW + 300)
    (result,) = active(files).open_batch([(ID, "deferred")], now=NOW, at_once={ID})
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


@pytest.mark.parametrize("recycled", ["", "spare"])
def test_what_is_finished_is_not_locked_by_children(tmp_path: Path, recycled: str) -> None:
    """A program that is started at that moment has the descriptor, too, until its exec."""
    (tmp_path / "active").mkdir()
    path = tmp_path / "active" / "A1"
    path.touch()
    descriptor = os.open(path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    of_a_child = os.dup(descriptor)
    other = os.open(path, os.O_RDWR)
    files = ActiveFiles(QueueDirectories(str(tmp_path), hashed=frozenset(), depth=1))
    to = str(tmp_path / recycled) if recycled else ""
    try:
        assert files.finish_batch([Finished(queue_id=QueueId("A1"), descriptor=descriptor, recycled=to)]) == [
            None
        ]
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(of_a_child)
        os.close(other)


def test_what_is_finished_may_be_kept() -> None:
    """dont_remove: in saved, with its recipients marked."""
    files = new_files()
    files.make_directories("/q/saved")
    one = opened(files)
    done = Finished(queue_id=ID, descriptor=one.descriptor, done=one.message.to_do)
    kept = ActiveFiles(QueueDirectories("/q", file_system=files), file_system=files, keeps_finished=True)
    assert kept.finish_batch([done]) == [None]
    assert list(files.files()) == [f"/q/saved/{ID}"]
    assert read_message(BytesSource(files.files()[f"/q/saved/{ID}"])).to_do == []


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


FAULTS = [  # name, step that fails, where the message is then
    ("no space for the defer log", "write", "deferred/1"),
    ("no defer log can be made", "create", "deferred/1"),
    ("the defer log is not safe", "fsync", "deferred/1"),
    ("no next attempt", "utime", "active"),
    ("no move", "rename", "active"),
]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
@pytest.mark.parametrize(("name", "step", "place"), FAULTS, ids=[row[0] for row in FAULTS])
def test_a_fault_loses_nothing(name: str, step: str, place: str, number: int) -> None:
    """A message that is deferred while the disk is full or broken is told of, and there: it is tried again."""
    files = new_files()
    one = opened(files)
    files.fail = lambda operation, path: (
        number if operation == step and ("/defer/" in path or place == "active") else None
    )
    error = finish(files, one)
    assert error is not None
    assert error.errno == number
    files.fail = None
    assert f"/q/{place}/{ID}" in files.files()
    active(files).recover(now=NOW)
    queue = "incoming" if place == "active" else "deferred"
    (again,) = active(files).open_batch([(ID, queue)], now=NOW, at_once={ID})
    assert isinstance(again, Opened)
    assert again.message.to_do == one.message.to_do


@pytest.mark.parametrize("recycled", ["", "/q/incoming/1.2.3"])
def test_a_message_that_cannot_be_removed_is_not_delivered_again(recycled: str) -> None:
    """Its recipients are marked; recover() brings it back with nothing left to do."""
    files = new_files()
    one = opened(files)
    files.fail = lambda operation, path: errno.EIO if operation in ("unlink", "rename") else None
    finished = Finished(queue_id=ID, descriptor=one.descriptor, done=one.message.to_do, recycled=recycled)
    (error,) = active(files).finish_batch([finished])
    assert error is not None
    assert active(files).recover(now=NOW) == 0  # the disk is as broken as before
    files.fail = None
    assert active(files).recover(now=NOW, is_active=lambda queue_id: queue_id == ID) == 0
    assert active(files).recover(now=NOW) == 1
    assert opened(files).message.to_do == []


@pytest.mark.parametrize("survives", Survives)
def test_a_crash_while_recovering_loses_nothing(survives: Survives) -> None:
    """recover() and sweep(), stopped before any step, and done again after the crash: every message is there."""
    other = QueueId("20F512301A4")
    for step in range(20):
        files = new_files("active")
        files.make_file(f"/q/active/{other}", golden.A_TWO_RECIPIENTS, mode=0o700)
        files.make_file("/q/incoming/1.4194305.1", b"unfinished")
        files.make_file("/q/incoming/2.4194305.2", b"unfinished")
        files.stop_at = step
        stopped = True
        try:
            restart(files)
            stopped = False
        except Stopped:
            pass
        after = files.crash(survives)
        restart(after)
        assert sorted(after.files()) == [f"/q/incoming/{ID}", f"/q/incoming/{other}"], step
        assert set(after.files().values()) == {golden.A_TWO_RECIPIENTS}, step
        if not stopped:
            break
    else:
        raise AssertionError("not all steps were tried")
    assert step == 6


def restart(files: CrashFileSystem) -> None:
    """What a queue manager does first."""
    sweep(QueueDirectories("/q", file_system=files), file_system=files)
    active(files).recover(now=NOW)


class OneLogFails(CrashFileSystem):
    """A disk on which the log of the second message cannot be written; counts what is synced together."""

    def __init__(self) -> None:
        super().__init__()
        self.synced: list[int] = []

    def write_all(self, fd: int, chunks: Sequence[bytes]) -> int:
        """As ever, but for that log."""
        if any(b"second" in chunk for chunk in chunks):
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write_all(fd, chunks)

    def fsync_all(self, fds: Sequence[int]) -> list[OSError | None]:
        """As ever."""
        self.synced.append(len(fds))
        return super().fsync_all(fds)


def test_messages_are_deferred_together() -> None:
    """Their logs are synced in one call; what fails for one of them is no matter of the others."""
    files = OneLogFails()
    for name in ("incoming", "active", "deferred", "deferred/1", "defer", "defer/1", "corrupt"):
        files.make_directories(f"/q/{name}")
    ids = [QueueId(f"10F512301A{digit}") for digit in "456"]
    for queue_id in ids:
        files.make_file(f"/q/incoming/{queue_id}", golden.A_TWO_RECIPIENTS, mode=0o700)
    opened = active(files).open_batch([(queue_id, "incoming") for queue_id in ids], now=NOW)
    reasons = dict(zip(ids, ("first", "second", "third"), strict=True))
    finished = [
        Finished(
            queue_id=one.queue_id,
            descriptor=one.descriptor,
            deferred=[msgspec.structs.replace(ENTRY, reason=reasons[one.queue_id])],
            next_attempt=NOW + 300,
        )
        for one in opened
        if isinstance(one, Opened)
    ]
    first, second, third = active(files).finish_batch(finished)
    assert first is None
    assert third is None
    assert second is not None
    assert second.errno == errno.ENOSPC
    assert files.synced == [3]
    assert all(f"/q/deferred/1/{queue_id}" in files.files() for queue_id in ids)
    after = files.crash(Survives.NAMES).files()
    for queue_id in (ids[0], ids[2]):
        assert reasons[queue_id].encode() in after[f"/q/defer/1/{queue_id}"]
