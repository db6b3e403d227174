"""Delivery: what is acknowledged survives, what fails leaves nothing behind."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.crash_file_system import CrashFileSystem, Stopped
from fakes.crash_survivors import Survives
from pillarbox.files.write_order import Order
from pillarbox.mailstore.deliver import Delivery, Stored, TooLarge, Unreadable, deliver_batch, make_maildir
from pillarbox.mailstore.mailbox import OverQuota, StoreUnavailable
from pillarbox.mailstore.maildir.file_names import NameMaker, sizes
from pillarbox.message.line_ends import to_crlf
from pillarbox.vocabulary.clock import ManualClock

BATCH = [
    Delivery("/home/a/Maildir", [b"Return-Path: <x@y>\n", b"Subject: 1\n\nbody\n"]),
    Delivery("/home/b/Maildir", [b"Subject: 2\n\n"]),
    Delivery("/home/a/Maildir", [b"Subject: 3\n\n"], b"FS", 1_700_000_000.0),
    Delivery("/home/a/Maildir/.Lists.x", [b"Subject: 4\n\n"]),
]


def _names() -> NameMaker:
    return NameMaker(ManualClock(), host=b"h")


def _fresh(stop_at: int | None = None, *, order: Order = Order.NONE) -> CrashFileSystem:
    files = CrashFileSystem(stop_at=stop_at, order=order)
    files.make_directories("/home/a")
    files.make_directories("/home/b")
    return files


def test_a_batch_on_disk(tmp_path: Path) -> None:
    """Files lie in new/ (cur/ with flags) with sizes in their names and the given date."""
    root = tmp_path / "Maildir"
    content = [b"A: b\n\n", b"line\r\n", b"x\n"]
    results = deliver_batch([Delivery(str(root), content) for _ in range(12)])
    names = sorted(path.name for path in (root / "new").iterdir())
    assert names == sorted(result.name.decode() for result in results if isinstance(result, Stored))
    assert 12 == len(names)
    assert (14, 17) == sizes(names[0].encode())
    assert b"".join(content) == (root / "new" / names[0]).read_bytes()
    assert 0o600 == (root / "new" / names[0]).stat().st_mode & 0o777
    assert 0o700 == root.stat().st_mode & 0o777
    assert [] == list((root / "tmp").iterdir())
    [dated] = deliver_batch([Delivery(str(root), [b"x"], b"S", 1_700_000_000.0)])
    assert isinstance(dated, Stored)
    assert 1_700_000_000 == (root / "cur" / dated.name.decode()).stat().st_mtime


def test_a_maildir_with_tmp_alone(tmp_path: Path) -> None:
    """What is missing is made, as it is where nothing is there."""
    root = tmp_path / "Maildir"
    (root / "tmp").mkdir(parents=True)
    [result] = deliver_batch([Delivery(str(root), [b"x"])])
    assert isinstance(result, Stored)
    assert (root / "new" / result.name.decode()).read_bytes() == b"x"


@pytest.mark.parametrize("survives", Survives)
def test_what_is_acknowledged_survives_a_crash(survives: Survives) -> None:
    """After the call, every message is there, whatever the disk forgot."""
    files = _fresh()
    results = deliver_batch(BATCH, files=files, names=_names())
    found = files.crash(survives).files()
    for delivery, result in zip(BATCH, results, strict=True):
        assert isinstance(result, Stored)
        place = "new" if delivery.flags is None else "cur"
        assert b"".join(delivery.content) == found[f"{delivery.maildir}/{place}/{result.name.decode()}"]
    assert "/home/a/Maildir/.Lists.x/maildirfolder" in files.files()


def test_a_crash_at_any_step_leaves_no_broken_message() -> None:
    """Stopped before its n-th step, a delivery leaves whole messages in new/ or none."""
    complete = _fresh()
    deliver_batch(BATCH, files=complete, names=_names())
    whole = {b"".join(delivery.content) for delivery in BATCH}
    for step in range(len(complete.steps)):
        stopped = _fresh(stop_at=step)
        with pytest.raises(Stopped):
            deliver_batch(BATCH, files=stopped, names=_names())
        for survives in Survives:
            for path, content in stopped.crash(survives).files().items():
                assert "/tmp/" in path or path.endswith("maildirfolder") or content in whole, (step, path)


@pytest.mark.parametrize("batch", [*([delivery] for delivery in BATCH), BATCH])
@pytest.mark.parametrize("order", [Order.BY_FILE, Order.BY_DIRECTORY])
def test_the_disk_is_waited_for_once(order: Order, batch: list[Delivery]) -> None:
    """Where the file system keeps order: stored, it survives; before, each crash leaves it whole or not at all."""
    complete = _fresh(order=order)
    whole: dict[str, bytes] = {}
    for delivery, stored in zip(batch, deliver_batch(batch, files=complete, names=_names()), strict=True):
        assert isinstance(stored, Stored)
        place = "new" if delivery.flags is None else "cur"
        whole[f"{delivery.maildir}/{place}/{stored.name.decode()}"] = b"".join(delivery.content)
    for survives in Survives:
        assert whole.items() <= complete.crash(survives).files().items()
    for step in range(len(complete.steps)):
        stopped = _fresh(step, order=order)
        with pytest.raises(Stopped):
            deliver_batch(batch, files=stopped, names=_names())
        for survives in Survives:
            found = stopped.crash(survives).files()
            messages = {
                path: content for path, content in found.items() if "/new/" in path or "/cur/" in path
            }
            assert messages.items() <= whole.items(), step


def test_what_is_synced_of_a_batch() -> None:
    """By directory it is those, if they are fewer than the files; else, and by file, it is the files."""

    def synced(order: Order, batch: list[Delivery]) -> list[str]:
        files = _fresh(order=order)
        for delivery in batch:
            make_maildir(delivery.maildir, files=files)
        before = len(files.steps)
        deliver_batch(batch, files=files, names=_names())
        steps = files.steps[before:]
        last = max(at for at, (step, _) in enumerate(steps) if step == "rename")
        assert not {"fsync", "sync_directory"} & {step for step, _ in steps[:last]}
        return [path.rpartition("/")[0] if step == "fsync" else path for step, path in steps[last + 1 :]]

    same, other = Delivery("/home/a", [b"1"]), Delivery("/home/b", [b"2"])
    assert synced(Order.BY_DIRECTORY, [same, same, other]) == ["/home/a/new", "/home/b/new"]
    assert synced(Order.BY_DIRECTORY, [same, other]) == ["/home/a/new", "/home/b/new"]
    assert synced(Order.BY_FILE, [same, same, other]) == ["/home/a/new", "/home/a/new", "/home/b/new"]


@pytest.mark.parametrize("order", [Order.BY_FILE, Order.BY_DIRECTORY])
@pytest.mark.parametrize("operation", ["write_out", "rename", "fsync", "sync_directory"])
@pytest.mark.parametrize("together", [1, 2])
def test_a_fault_where_order_is_kept(order: Order, operation: str, together: int) -> None:
    """It is told, and nothing stays in tmp/; what has a name already may have been read."""
    files = _fresh(order=order)
    batch = [Delivery("/home/a/Maildir", [b"%d" % number]) for number in range(together)]
    make_maildir("/home/a/Maildir", files=files)
    files.fail = lambda step, path: errno.EIO if step == operation else None
    results = deliver_batch(batch, files=files, names=_names())
    concerned = "sync_directory" if order is Order.BY_DIRECTORY and together > 1 else "fsync"
    if operation in ("write_out", "rename", concerned):
        assert [type(result) for result in results] == [StoreUnavailable] * together
    else:
        assert [type(result) for result in results] == [Stored] * together
    named = operation in ("fsync", "sync_directory")
    assert [path.split("/")[-2] for path in files.files()] == ["new"] * (together if named else 0)


ERRORS = [
    ("disk full", errno.ENOSPC, "write", StoreUnavailable),
    ("quota", errno.EDQUOT, "write", OverQuota),
    ("file too large", errno.EFBIG, "write", OverQuota),
    ("no permission", errno.EACCES, "create", StoreUnavailable),
    ("disk broken", errno.EIO, "fsync", StoreUnavailable),
    ("rename", errno.EIO, "rename", StoreUnavailable),
    ("directory", errno.EIO, "sync_directory", StoreUnavailable),
]


@pytest.mark.parametrize(("name", "number", "operation", "fault"), ERRORS, ids=[row[0] for row in ERRORS])
def test_a_fault_hits_its_own_message(name: str, number: int, operation: str, fault: type[Exception]) -> None:
    """The others of the batch are stored; nothing stays in tmp/."""
    files = _fresh()
    make_maildir("/home/a/Maildir", files=files)
    make_maildir("/home/b/Maildir", files=files)
    files.fail = lambda step, path: number if step == operation and path.startswith("/home/b/") else None
    results = deliver_batch(BATCH[:3], files=files, names=_names())
    assert [Stored, fault, Stored] == [type(result) for result in results]
    assert [] == [path for path in files.files() if "/tmp/" in path]


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"ab"]), max_size=8))
def test_sizes_in_names_are_true(chunks: list[bytes]) -> None:
    """`S` and `W` are right wherever CR and LF are cut."""
    files = _fresh()
    [result] = deliver_batch([Delivery("/home/a/M", chunks)], files=files, names=_names())
    content = b"".join(chunks)
    assert isinstance(result, Stored)
    assert (len(content), len(to_crlf(content))) == sizes(result.name)


def test_a_large_message_is_written_as_it_is_read(tmp_path: Path) -> None:
    """Its sizes stand in its name all the same; nobody sees it before it is whole."""
    root = tmp_path / "Maildir"

    def rest() -> Iterator[bytes]:
        for number in range(3):
            assert not list((root / "new").iterdir())
            yield b"block %d\nline\r\n" % number

    [stored] = deliver_batch([Delivery(str(root), (b"Subject: x\n\n",), rest=rest)])
    assert isinstance(stored, Stored)
    whole = b"Subject: x\n\n" + b"".join(b"block %d\nline\r\n" % number for number in range(3))
    assert whole == (root / "new" / stored.name.decode()).read_bytes()
    assert (len(whole), len(to_crlf(whole))) == sizes(stored.name) == (stored.size, stored.crlf_size)


@pytest.mark.parametrize("fault", [Unreadable("no such record"), TooLarge()])
def test_a_message_that_cannot_be_read_to_its_end_is_not_stored(tmp_path: Path, fault: Exception) -> None:
    """The fault is its result, the others of the batch are stored."""
    root = tmp_path / "Maildir"

    def rest() -> Iterator[bytes]:
        yield b"block\n"
        raise fault

    broken, stored = deliver_batch([Delivery(str(root), (b"",), rest=rest), Delivery(str(root), (b"x\n",))])
    assert broken is fault
    assert isinstance(stored, Stored)
    assert [stored.name.decode()] == [path.name for path in (root / "new").iterdir()]
    assert not list((root / "tmp").iterdir())
