"""Dovecot's control files: uidlist, subscriptions, UIDVALIDITY, locks."""

import errno
import os
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.crash_file_system import CrashFileSystem, Stopped
from fakes.crash_survivors import Survives
from pillarbox.files.file_system import DISK
from pillarbox.mailstore.dovecot_files.dotlock import DotLock
from pillarbox.mailstore.dovecot_files.keywords import KeywordTable
from pillarbox.mailstore.dovecot_files.subscriptions import Subscriptions
from pillarbox.mailstore.dovecot_files.uid_validity import next_uid_validity
from pillarbox.mailstore.dovecot_files.uidlist import UidList
from pillarbox.vocabulary.clock import ManualClock

ROOT = "/m"
HOST = os.fsencode(socket.gethostname())


def fresh(**files_in_root: bytes) -> CrashFileSystem:
    """A directory with files; `_` in a name stands for `-`."""
    files = CrashFileSystem()
    files.make_directories(ROOT)
    for name, content in files_in_root.items():
        files.make_file(f"{ROOT}/{name.replace('_', '-')}", content)
    return files


def read_uidlist(files: CrashFileSystem) -> UidList:
    """The uidlist as another process reads it."""
    uidlist = UidList(b"/m", files)
    uidlist.refresh()
    return uidlist


def made_uidlist(files: CrashFileSystem) -> UidList:
    """A new uidlist with two messages."""
    uidlist = UidList(b"/m", files)
    uidlist.uid_validity, uidlist.guid, uidlist.damaged = 7, b"a" * 32, True
    uidlist.append([b"1.a", b"2.b"])
    return uidlist


def test_another_file_with_the_inode_of_the_old_one(tmp_path: Path) -> None:
    """A folder that was removed and made anew: the same inode number and size do not make it the same list.

    Read as the same, its messages were no longer found in it, and got UIDs once more.
    """
    directory = os.fsencode(tmp_path)
    path = tmp_path / "dovecot-uidlist"
    path.write_bytes(b"3 V7 N1 G" + b"a" * 32 + b"\n1 :1.a\n")
    ours = UidList(directory, DISK)
    ours.refresh()
    modified = path.stat().st_mtime_ns
    path.write_bytes(b"3 V8 N1 G" + b"b" * 32 + b"\n1 :2.b\n")  # in place: the inode stays
    os.utime(path, ns=(modified, modified + 1))
    assert ours.has_changed()
    assert ours.refresh()
    assert (8, b"b" * 32, {b"2.b": 1}) == (ours.uid_validity, ours.guid, ours.uids)
    ours.append([b"3.c"])
    assert not ours.has_changed()
    assert not ours.refresh()
    path.write_bytes(b"3 V9 N1 G" + b"c" * 32 + b"\n1 :2.b\n2 :3.c\n3 :4.d\n")  # larger than before
    assert ours.refresh()
    assert (9, {b"2.b": 1, b"3.c": 2, b"4.d": 3}) == (ours.uid_validity, ours.uids)


def test_appending_leaves_the_header_alone() -> None:
    """UIDs go on from the last line; readers of the same file read only the tail."""
    files = fresh()
    ours = made_uidlist(files)
    theirs = read_uidlist(files)
    ours.append([b"3.c"], {b"3.c": b"Gguid "})
    assert (
        b"3 V7 N3 G" + b"a" * 32 + b"\n1 :1.a\n2 :2.b\n3 Gguid :3.c\n" == files.files()["/m/dovecot-uidlist"]
    )
    assert theirs.has_changed()
    assert theirs.refresh()
    assert not theirs.refresh()
    assert not theirs.has_changed()
    assert (ours.uids, 4, {3: b"Gguid "}) == (theirs.uids, theirs.next_uid, theirs.fields)


def test_a_rewrite_keeps_uids_fields_and_header() -> None:
    """Lines of files that are gone go; the next UID does not fall."""
    files = fresh(dovecot_uidlist=b"3 V7 N1 G" + b"a" * 32 + b" Px\n1 :1.a\n2 G5 W7 :2.b\n9 :9.i\n")
    uidlist = read_uidlist(files)
    uidlist.rewrite([b"2.b"])
    assert b"3 V7 N10 G" + b"a" * 32 + b" Px\n2 G5 W7 :2.b\n" == files.files()["/m/dovecot-uidlist"]
    assert [10] == [entry.uid for entry in uidlist.append([b"10.j"])]
    assert uidlist.uids == read_uidlist(files).uids


def test_another_file_is_read_from_the_start() -> None:
    """A rename over the file by another program."""
    files = fresh()
    ours = made_uidlist(files)
    files.make_file("/m/dovecot-uidlist", b"3 V8 N5 G" + b"b" * 32 + b"\n4 :1.a\n")
    assert ours.refresh()
    assert (8, b"b" * 32, {b"1.a": 4}) == (ours.uid_validity, ours.guid, ours.uids)


def test_acknowledged_uids_survive_a_crash_at_any_step() -> None:
    """What append has returned is there after a crash, whether it appended or rewrote."""

    def write(files: CrashFileSystem, acknowledged: dict[bytes, int]) -> None:
        uidlist = read_uidlist(files)
        if not uidlist.exists:
            uidlist.uid_validity, uidlist.guid, uidlist.damaged = 7, b"a" * 32, True
        for names in ([b"1.a", b"2.b"], [b"3.c"]):
            acknowledged |= {entry.base: entry.uid for entry in uidlist.append(names)}
        uidlist.rewrite([b"1.a", b"3.c"])
        acknowledged.pop(b"2.b", None)
        acknowledged |= {entry.base: entry.uid for entry in uidlist.append([b"4.d" * 20])}

    complete = fresh()
    write(complete, {})
    for step in range(len(complete.steps)):
        files = fresh()
        files.stop_at = step
        acknowledged: dict[bytes, int] = {}
        with pytest.raises(Stopped):
            write(files, acknowledged)
        for survives in Survives:
            found = read_uidlist(files.crash(survives)).uids
            assert acknowledged.items() <= {**found, b"2.b": 2}.items() or b"2.b" not in found


@given(
    st.lists(
        st.sampled_from(
            [b"3 V7 N1 G", b"a" * 32, b"\n", b"1 ", b"2 ", b":x", b":y", b" ", b"G5 ", b"/", b"\0"]
        )
    )
)
def test_any_uidlist_can_be_mended(pieces: list[bytes]) -> None:
    """Whatever the file holds, after an append it is one that Dovecot takes."""
    files = fresh(dovecot_uidlist=b"".join(pieces))
    uidlist = read_uidlist(files)
    if not uidlist.exists:
        uidlist.uid_validity, uidlist.damaged = 9, True
    if not uidlist.guid:
        uidlist.guid = b"c" * 32
    [entry] = uidlist.append([b"new"])
    again = read_uidlist(files)
    assert entry.uid == again.uids[b"new"] == max(again.uids.values())
    assert not again.damaged
    assert files.files()["/m/dovecot-uidlist"].endswith(b":new\n")


NO_HEADERS = [
    ("UIDVALIDITY of 33 bits", b"3 V5795354878 N5 G" + b"a" * 32 + b"\n1 :x\n"),
    ("UIDVALIDITY 0", b"3 V0 N5 G" + b"a" * 32 + b"\n1 :x\n"),
    ("no UIDVALIDITY", b"3 N5\n1 :x\n"),
    ("version 9", b"9 V7 N5\n1 :x\n"),
    ("no line end", b"3 V7 N5"),
    ("empty", b""),
]


@pytest.mark.parametrize(("name", "content"), NO_HEADERS, ids=[row[0] for row in NO_HEADERS])
def test_without_a_good_header_there_is_no_uidlist(name: str, content: bytes) -> None:
    """Nothing of it can be believed; the next append makes a new one."""
    uidlist = read_uidlist(fresh(dovecot_uidlist=content))
    assert not uidlist.exists
    assert {} == uidlist.uids


def test_a_keyword_bit_that_cannot_be() -> None:
    """Bits below the letters and beyond the table are passed over; letters without a name get one."""
    files = fresh(
        dovecot_keywords=b"0 Work\n", pillarbox_keywords=b"K 69 far\nK 3 near\nK 27 Own\nM 1 8000000\n"
    )
    keywords = KeywordTable(b"/m", files)
    keywords.refresh()
    assert 28 == len(keywords.names)
    assert (b"Work", b"unknown-1", b"Own") == (keywords.names[0], keywords.names[1], keywords.names[27])
    assert {1: 1 << 27} == keywords.surplus
    assert 0b11 == keywords.to_bits(0b11)
    assert 0b11 == keywords.to_letters(0b11 | 1 << 27)
    assert 1 << 27 == keywords.surplus_of(0b11 | 1 << 27)


SUBSCRIPTIONS = [
    ("none", None, [], b"V\t2\n\nA\tB\n"),
    ("version 2", b"V\t2\n\nINBOX\nSub\tChild\nEntw&APw-rfe\n", ["INBOX", "Sub/Child", "Entwürfe"], None),
    ("version 1", b"INBOX\nSub.Child\n", ["INBOX", "Sub/Child"], b"INBOX\nSub.Child\nA.B\n"),
    ("a control character", b"V\t2\n\na\x01tb\n", [], b"V\t2\n\na\x01tb\nA\tB\n"),
    ("not UTF-7", b"V\t2\n\na&b\nok\n", ["ok"], b"V\t2\n\na&b\nok\nA\tB\n"),
]


@pytest.mark.parametrize(
    ("name", "content", "names", "after"), SUBSCRIPTIONS, ids=[row[0] for row in SUBSCRIPTIONS]
)
def test_subscriptions(name: str, content: bytes | None, names: list[str], after: bytes | None) -> None:
    """Read in both versions, written in the file's own."""
    files = fresh() if content is None else fresh(subscriptions=content)
    subscriptions = Subscriptions(b"/m", files)
    assert names == list(subscriptions.read())
    subscriptions.add("A/B")
    assert [*names, "A/B"] == list(subscriptions.read())
    if after is not None:
        assert after == files.files()["/m/subscriptions"]
    steps = len(files.steps)
    subscriptions.add("A/B")
    assert {"create", "unlink"} == {step for step, _ in files.steps[steps:]}
    subscriptions.remove("A/B")
    assert names == list(subscriptions.read())
    assert names == list(Subscriptions(b"/m", files.crash(Survives.SYNCED)).read())


VALIDITIES = [
    ("nothing there", {}, 1_800_000_000),
    ("usual", {"dovecot_uidvalidity": b"6b02e676", "dovecot_uidvalidity.6b02e676": b""}, 0x6B02E677),
    ("marker lost", {"dovecot_uidvalidity": b"6b02e676"}, 0x6B02E677),
    ("file lost", {"dovecot_uidvalidity.6b02e676": b""}, 0x6B02E677),
    ("file broken", {"dovecot_uidvalidity": b"x", "dovecot_uidvalidity.6b02e676": b""}, 0x6B02E677),
    ("two markers", {"dovecot_uidvalidity.00000001": b"", "dovecot_uidvalidity.6b02e676": b""}, 0x6B02E677),
]


@pytest.mark.parametrize(("name", "there", "expected"), VALIDITIES, ids=[row[0] for row in VALIDITIES])
def test_uid_validity_grows(name: str, there: dict[str, bytes], expected: int) -> None:
    """A value that no mailbox of the account has had; file and marker agree afterwards."""
    files = fresh(**there)
    assert expected == next_uid_validity(b"/m", now=1_800_000_000.0, files=files)
    assert expected + 1 == next_uid_validity(b"/m", now=1_800_000_000.0, files=files)
    found = files.files()
    assert b"%08x" % (expected + 1) == found["/m/dovecot-uidvalidity"]
    assert [f"/m/dovecot-uidvalidity.{expected + 1:08x}"] == [name for name in found if "validity." in name]


LEFT_BEHIND = [
    ("dead process", b"999999999:" + HOST),
    ("our pid, of a former process", b"OURS:" + HOST),
    ("never written", b""),
]


@pytest.mark.parametrize(("name", "content"), LEFT_BEHIND, ids=[row[0] for row in LEFT_BEHIND])
def test_locks_that_nobody_holds_are_taken_over(name: str, content: bytes) -> None:
    """At once, and given back afterwards."""
    files = fresh()
    files.make_file("/m/x.lock", content.replace(b"OURS", b"%d" % os.getpid()))
    with DotLock(b"/m/x", files=files, clock=ManualClock()):
        assert b"%d:%s" % (os.getpid(), HOST) == files.files()["/m/x.lock"]
    assert {} == files.files()


def test_a_lock_is_waited_for() -> None:
    """Two threads take turns."""
    files = fresh()
    order: list[str] = []
    inside = threading.Event()

    def second() -> None:
        inside.wait()
        with DotLock(b"/m/x", files=files, clock=ManualClock()):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with DotLock(b"/m/x", files=files, clock=ManualClock()):
        inside.set()
        order.append("first")
    thread.join()
    assert ["first", "second"] == order


def test_a_lost_lock_does_no_harm() -> None:
    """Another program thought us dead and removed it."""
    files = fresh()
    with DotLock(b"/m/x", files=files, clock=ManualClock()):
        files.unlink("/m/x.lock")
    assert {} == files.files()


def test_a_lock_that_cannot_be_written_is_not_left_behind() -> None:
    """A full disk: an empty lock file would make everybody wait."""
    files = fresh()
    files.fail = lambda operation, path: errno.ENOSPC if operation.startswith("write") else None
    with pytest.raises(OSError, match="No space left"), DotLock(b"/m/x", files=files, clock=ManualClock()):
        raise AssertionError("the lock was taken")
    assert {} == files.files()
    files.fail = None
    with DotLock(b"/m/x", files=files, clock=ManualClock()):
        assert ["/m/x.lock"] == list(files.files())
