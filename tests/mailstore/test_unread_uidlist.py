"""A uidlist of which a worker knows the end but not the lines."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.crash_file_system import CrashFileSystem
from pillarbox.files.file_system import DiskFileSystem
from pillarbox.mailstore.dovecot_files.uidlist import FEW, MANY, UidList
from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.vocabulary.identifiers import Uid

HEADER = b"3 V7 N1 G%s Px\n" % (b"a" * 32)
LINES = b"1 :1.a\n4 W20 G1.x :2.b\n5 :weird :3.c\n9 :weird\n"


def known(files: CrashFileSystem) -> UidList:
    """One that goes on from what another has read."""
    first = UidList(b"/m", files)
    first.refresh()
    state = first.state()
    assert state is not None
    uidlist = UidList(b"/m", files)
    assert uidlist.go_on_from(state)
    return uidlist


@pytest.fixture
def files() -> CrashFileSystem:
    """A mailbox's."""
    files = CrashFileSystem()
    files.make_directories("/m")
    files.make_file("/m/dovecot-uidlist", HEADER + LINES)
    return files


def whole(uidlist: UidList) -> tuple[object, ...]:
    """All that it says."""
    return (
        uidlist.uid_validity,
        uidlist.next_uid,
        uidlist.guid,
        uidlist.other_fields,
        uidlist.count,
        uidlist.uids,
        uidlist.fields,
        uidlist.damaged,
    )


def fresh(files: CrashFileSystem) -> UidList:
    """One that has read all."""
    uidlist = UidList(b"/m", files)
    uidlist.refresh()
    return uidlist


def append_to(files: CrashFileSystem, lines: bytes) -> None:
    """Another program writes."""
    content = files.files()["/m/dovecot-uidlist"]
    fd = files.open("/m/dovecot-uidlist", os.O_RDWR)
    files.pwrite(fd, lines, len(content))
    files.close(fd)


def test_lines_are_read_when_they_are_asked_for(files: CrashFileSystem) -> None:
    """It says the same as one that has read them, again after they were forgotten."""
    uidlist = known(files)
    assert not uidlist.has_changed()
    assert not uidlist.refresh()
    assert whole(fresh(files)) == whole(uidlist)
    uidlist.forget_lines()
    assert whole(fresh(files)) == whole(uidlist)


@pytest.mark.parametrize(
    ("base", "uid"),
    [(b"1.a", 1), (b"2.b", 4), (b"3.c", None), (b"weird", 9), (b"weird :3.c", 5), (b"a", None)],
)
def test_a_line_is_found_without_parsing_all(files: CrashFileSystem, base: bytes, uid: int | None) -> None:
    """By the whole of its base."""
    uidlist = known(files)
    assert uid == uidlist.known([base]).get(base)
    assert uidlist._uids is None
    assert uid == fresh(files).uids.get(base)


def test_many_are_looked_up_in_a_table(files: CrashFileSystem) -> None:
    """At once, or one after the other."""
    uidlist = known(files)
    uidlist.known([b"%d" % number for number in range(FEW + 1)])
    assert uidlist._uids is not None
    uidlist = known(files)
    for _ in range(MANY + 1):
        assert 1 == uidlist.known([b"1.a"])[b"1.a"]
    assert uidlist._uids is not None


@pytest.mark.parametrize("looks_first", [False, True])
def test_lines_that_are_appended(files: CrashFileSystem, looks_first: bool) -> None:
    """By another program, then by us; a torn line is repaired."""
    uidlist = known(files)
    if looks_first:
        uidlist.known([b"1.a"])
    append_to(files, b"12 P1 :4.d\n13")
    assert uidlist.refresh()
    assert {b"4.d": 12} == uidlist.known([b"4.d"])
    [entry] = uidlist.append([b"5.e"], {b"5.e": b"G9 "})
    assert 13 == entry.uid
    assert {b"5.e": 13} == uidlist.known([b"5.e"])
    assert uidlist._uids is None
    assert whole(fresh(files)) == whole(uidlist)


def write_at(files: CrashFileSystem, octets: bytes, at: int) -> None:
    """In place, without the lock."""
    fd = files.open("/m/dovecot-uidlist", os.O_RDWR)
    files.pwrite(fd, octets, at)
    files.close(fd)


def another(files: CrashFileSystem) -> None:
    """Another file has its name."""
    files.make_file("/m/x", HEADER)
    files.rename("/m/x", "/m/dovecot-uidlist")


def shorter(files: CrashFileSystem) -> None:
    """Its lines are gone."""
    fd = files.open("/m/dovecot-uidlist", os.O_RDWR)
    files.truncate(fd, len(HEADER))
    files.close(fd)


def another_header(files: CrashFileSystem) -> None:
    """It has grown, and its beginning is another."""
    write_at(files, b"3 V8", 0)
    append_to(files, b"99 :z\n")


def another_end(files: CrashFileSystem) -> None:
    """It has grown, and what was its end is another."""
    write_at(files, b"x", len(HEADER + LINES) - 3)
    append_to(files, b"99 :z\n")


CHANGES: list[tuple[str, Callable[[CrashFileSystem], None]]] = [
    ("gone", lambda files: files.unlink("/m/dovecot-uidlist")),
    ("another", another),
    ("touched", lambda files: files.utime("/m/dovecot-uidlist", modified_ns=10**18)),
    ("shorter", shorter),
    ("another header", another_header),
    ("another end", another_end),
]


@pytest.mark.parametrize("change", [row[1] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_another_file_is_not_gone_on_with(
    files: CrashFileSystem, change: Callable[[CrashFileSystem], None]
) -> None:
    """Nor one that has not only grown."""
    state = fresh(files).state()
    assert state is not None
    change(files)
    assert not UidList(b"/m", files).go_on_from(state)


@pytest.mark.parametrize("change", [row[1] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_it_becomes_another_before_its_lines_are_read(
    files: CrashFileSystem, change: Callable[[CrashFileSystem], None]
) -> None:
    """Then the next look finds out."""
    uidlist = known(files)
    change(files)
    uidlist.known([b"1.a"])
    assert uidlist.uids is not None
    uidlist.refresh()
    assert whole(fresh(files))[:-1] == whole(uidlist)[:-1]


def test_what_is_damaged_or_torn_is_not_written_down(files: CrashFileSystem) -> None:
    """It has to be mended first."""
    append_to(files, b"99")
    assert fresh(files).state() is None
    append_to(files, b"\nbroken\n")
    uidlist = fresh(files)
    assert uidlist.damaged
    assert uidlist.state() is None
    assert UidList(b"/nowhere", files).state() is None


class CountingDisk(DiskFileSystem):
    """Counts octets that are read at a place."""

    __slots__ = ("octets",)

    def __init__(self) -> None:
        self.octets = 0

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """pread(2)."""
        data = super().pread(fd, size, offset)
        self.octets += len(data)
        return data


def test_appending_reads_no_lines_that_nobody_has_written_since(tmp_path: Path) -> None:
    """However many there are; what another program has written is read."""
    files = CountingDisk()
    uidlist = tmp_path / "dovecot-uidlist"

    async def append(account: MaildirAccount) -> list[Uid]:
        inbox = await account.open_target("INBOX")
        try:
            return await inbox.append([NewMessage(b"Subject: one\n\nbody\n")])
        finally:
            inbox.close()

    async def talk() -> None:
        account = MaildirAccount(str(tmp_path), files=files)
        inbox = await account.open("INBOX")
        first = await inbox.append([NewMessage(b"Subject: one\n\nbody\n")] * 200)
        inbox.close()
        before = files.octets
        assert [first[-1] + 1] == await append(account)
        assert files.octets - before < uidlist.stat().st_size // 4
        with uidlist.open("ab") as file:
            file.write(b"300 :1.M1P1.elsewhere\n")
        assert [301] == await append(account)
        await account.close()

    asyncio.run(talk())
