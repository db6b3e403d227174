"""The Maildir beside other programs: they deliver, rename, remove and tear; nothing is lost or told twice."""

import asyncio
import errno
import os
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, AnyStr, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fakes.crash_file_system import CrashFileSystem, Stopped, Survives
from pillarbox.files.inotify import open_inotify
from pillarbox.mailstore.deliver import Delivery, Stored, deliver_batch, make_maildir
from pillarbox.mailstore.mailbox import (
    Fields,
    FlagAction,
    FlagChange,
    MailboxNameRefused,
    MessageGone,
    NewMessage,
    NoSuchMailbox,
    OverQuota,
    StoreUnavailable,
)
from pillarbox.mailstore.maildir import MaildirMailbox
from pillarbox.mailstore.maildir_account import MaildirAccount
from pillarbox.mailstore.maildir_names import NameMaker, change_letters, parse_letters
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid

T = TypeVar("T")
ROOT = "/home/a/Maildir"


class Inline(Executor):
    """Runs what is submitted at once, so that the order of steps is always the same."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":  # noqa: ANN401 - Executor's
        """Run it."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except (Exception, Stopped) as error:  # handed to whoever waits, as an executor does
            future.set_exception(error)
        return future


def fresh_files() -> CrashFileSystem:
    """An empty account on a disk."""
    files = CrashFileSystem()
    files.make_directories("/home/a")
    make_maildir(ROOT, files=files)
    return files


def account_on(files: CrashFileSystem, clock: ManualClock | None = None) -> MaildirAccount:
    """The account, without cache: the model has no file for SQLite."""
    return MaildirAccount(ROOT, files=files, clock=clock or ManualClock(), executor=Inline(), host=b"ours")


def run(scene: Callable[[], Awaitable[T]]) -> T:
    """Play a scene on a fresh loop."""

    async def perform() -> T:
        return await scene()

    return asyncio.run(perform())


def new_message(number: int, flags: Flag = Flag.NONE) -> NewMessage:
    """A message with a number."""
    return NewMessage(b"%d\n" % number, flags)


def deliver(files: CrashFileSystem, number: int) -> str:
    """Another program delivers; the file's name."""
    name = f"{1_700_000_000 + number}.M{number}P1.other,S={len(str(number)) + 1}"
    files.make_file(f"{ROOT}/new/{name}", b"%d\n" % number)
    return name


def find(files: CrashFileSystem, number: int) -> str:
    """The path of the file with the message."""
    return next(
        path
        for path, content in files.files().items()
        if content == b"%d\n" % number and path.startswith((f"{ROOT}/new/", f"{ROOT}/cur/"))
    )


LINE = re.compile(rb"\d+ (?:[A-Z][^ \n]* )*:[^/\n]+")


def check_uidlist(files: CrashFileSystem) -> None:
    """What Dovecot takes without throwing it away: whole lines, UIDs growing."""
    content = files.files().get(f"{ROOT}/dovecot-uidlist")
    if content is None:
        return
    assert content.endswith(b"\n")
    header, *lines = content[:-1].split(b"\n")
    assert re.fullmatch(rb"3 V[1-9]\d* N[1-9]\d* G[0-9a-f]{32}", header)
    assert all(LINE.fullmatch(line) for line in lines)
    uids = [int(line.split(b" ")[0]) for line in lines]
    assert uids == sorted(set(uids))


class BesideOthers(RuleBasedStateMachine):
    """Our session and another program work on one mailbox; a dict says what must be there."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.files = fresh_files()
        self.clock = ManualClock()
        self.model: dict[int, Flag] = {}  # message number → flags
        self.uids: dict[int, int] = {}  # message number → UID, once it was seen
        self.highest = 0
        self.numbers = 0
        self.account = account_on(self.files, self.clock)
        self.box = self.do(self.account.open("INBOX"))

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run to its end."""
        return self.runner.run(coroutine)

    def teardown(self) -> None:
        """A second server that opens the tree afterwards sees the same."""
        try:
            self.refresh()
            later = account_on(self.files)
            box = self.do(later.open("INBOX"))
            assert self.box.uid_validity == box.uid_validity
            assert self.box.guid == box.guid
            assert list(self.box.messages.uids) == list(box.messages.uids)
            assert self.box.messages.flags == box.messages.flags
            self.do(box.append([new_message(self.number())]))
            check_uidlist(self.files)
        finally:
            self.runner.close()

    def number(self) -> int:
        """A message that was not there before."""
        self.numbers += 1
        return self.numbers

    def pick(self, data: st.DataObject) -> int:
        """One of the messages that are there."""
        return data.draw(st.sampled_from(sorted(self.model)))

    def number_in(self, uid: int) -> int:
        """What the message holds."""
        content = self.do(self.box.content(Uid(uid)))
        assert isinstance(content, bytes)
        return int(content)

    def refresh(self) -> None:
        """After a refresh the mailbox is what the files are."""
        self.do(self.box.refresh())
        table = self.box.messages
        seen = {}
        for row, uid in enumerate(table.uids):
            number = self.number_in(uid)
            seen[number] = Flag(table.flags[row])
            if number in self.uids:
                assert self.uids[number] == uid, "a UID changed"
            else:
                assert uid > self.highest, "a UID was given again, or in between"
        self.highest = max([self.highest, *table.uids])
        self.uids = {self.number_in(uid): uid for uid in table.uids}
        assert self.model == seen
        assert list(table.uids) == sorted(set(table.uids))
        assert self.box.uid_next > self.highest

    @rule()
    def we_refresh(self) -> None:
        """NOOP."""
        self.refresh()

    @rule(count=st.integers(1, 3), flags=st.sampled_from([Flag.NONE, Flag.SEEN, Flag.FLAGGED]))
    def we_append(self, count: int, flags: Flag) -> None:
        """APPEND: the UIDs that it tells are the messages'."""
        numbers = [self.number() for _ in range(count)]
        uids = self.do(self.box.append([new_message(number, flags) for number in numbers]))
        assert uids == sorted(uids)
        for number, uid in zip(numbers, uids, strict=True):
            self.model[number] = flags
            assert b"%d\r\n" % number == self.do(self.box.content(uid))

    @precondition(lambda self: self.uids)
    @rule(data=st.data(), flags=st.sampled_from([Flag.SEEN, Flag.DELETED]), add=st.booleans())
    def we_store(self, data: st.DataObject, flags: Flag, add: bool) -> None:
        """STORE on a message that may have been renamed or removed meanwhile."""
        number = data.draw(st.sampled_from(sorted(self.uids)))
        action = FlagAction.ADD if add else FlagAction.REMOVE
        changed = self.do(self.box.change_flags([Uid(self.uids[number])], FlagChange(action, flags)))
        if number in self.model:
            before = self.model[number]
            self.model[number] = before | flags if add else before & ~flags
            assert bool(changed) == (before != self.model[number])
        else:
            assert not changed

    @precondition(lambda self: self.uids)
    @rule(data=st.data())
    def we_expunge(self, data: st.DataObject) -> None:
        """EXPUNGE."""
        number = data.draw(st.sampled_from(sorted(self.uids)))
        gone = self.do(self.box.expunge([Uid(self.uids[number])]))
        assert bool(gone) == (number in self.model)
        self.model.pop(number, None)

    @rule(seconds=st.floats(0, 3))
    def time_goes_by(self, seconds: float) -> None:
        """The one-second rule must not hide anything."""
        self.clock.advance(seconds)

    @rule()
    def other_delivers(self) -> None:
        """A delivery by another program."""
        number = self.number()
        deliver(self.files, number)
        self.model[number] = Flag.NONE

    @precondition(lambda self: self.model)
    @rule(data=st.data(), flags=st.sampled_from([Flag.NONE, Flag.SEEN, Flag.ANSWERED]))
    def other_renames(self, data: st.DataObject, flags: Flag) -> None:
        """Another program reads the message: new → cur, or other flags."""
        number = self.pick(data)
        path = find(self.files, number)
        base = path.rpartition("/")[2].partition(":")[0]
        letters = change_letters(b"", flags=flags, keywords=0).decode()
        target = f"{ROOT}/cur/{base}:2,{letters}"
        if target != path:
            self.files.rename(path, target)
        self.model[number] = flags

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def other_removes(self, data: st.DataObject) -> None:
        """Another program deletes."""
        number = self.pick(data)
        self.files.unlink(find(self.files, number))
        del self.model[number]

    @rule(torn=st.sampled_from([b"9", b"99 :", b"17 W3 :x", b"\0\0\0"]))
    def other_dies_writing_the_uidlist(self, torn: bytes) -> None:
        """The end of the uidlist is half a line."""
        path = f"{ROOT}/dovecot-uidlist"
        if path in self.files.files():
            fd = self.files.open(path, os.O_WRONLY | os.O_APPEND)
            self.files.write_all(fd, [torn])
            self.files.close(fd)

    @rule()
    def uidlist_is_lost(self) -> None:
        """Somebody removes the uidlist while we have the mailbox open."""
        path = f"{ROOT}/dovecot-uidlist"
        if path in self.files.files():
            self.files.unlink(path)

    @invariant()
    def no_lock_stays(self) -> None:
        """Every operation gives its lock back."""
        assert not [path for path in self.files.files() if path.endswith(".lock")]


TestBesideOthers = BesideOthers.TestCase
TestBesideOthers.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_a_hundred_noops_list_no_directory() -> None:
    """A refresh with nothing new is a few stat calls."""

    async def scene() -> None:
        files = fresh_files()
        for number in range(10):
            deliver(files, number)
        clock = ManualClock()
        box = await account_on(files, clock).open("INBOX")
        clock.advance(2)
        await box.refresh()
        files.calls.clear()
        steps = len(files.steps)
        for _ in range(100):
            clock.advance(0.5)
            await box.refresh()
        assert {"stat"} == {call for call, _ in files.calls}
        assert 5 * 100 >= len(files.calls)
        assert steps == len(files.steps)

    run(scene)


def test_delivered_messages_get_uids_in_order_of_their_names() -> None:
    """Numeric order of seconds, whatever order the directory has; new/ is empty afterwards, not after STATUS."""

    async def scene() -> None:
        files = fresh_files()
        for number in (11, 9, 10):
            deliver(files, number)
        account = account_on(files)
        status = await account.status("INBOX")
        assert (3, 3) == (status.messages, status.unseen)
        assert 3 == sum("/new/" in path for path in files.files())
        box = await account.open("INBOX")
        assert [b"9\r\n", b"10\r\n", b"11\r\n"] == [await box.content(Uid(uid)) for uid in (1, 2, 3)]
        assert not [path for path in files.files() if "/new/" in path]
        check_uidlist(files)

    run(scene)


UIDLISTS = [
    ("version 3", b"3 V77 N9 G" + b"a" * 32 + b"\n4 :1.a\n6 W20 :2.b\n", [4, 6], 77, 9),
    ("version 1", b"1 77 9\n4 1.a\n6 2.b\n", [4, 6], 77, 9),
    ("header behind the lines", b"3 V77 N1 G" + b"a" * 32 + b"\n4 :1.a\n6 :2.b\n", [4, 6], 77, 7),
    ("one line broken", b"3 V77 N9 G" + b"a" * 32 + b"\nx y\n6 :2.b\n", [6, 9], 77, 10),
    ("torn line", b"3 V77 N5 G" + b"a" * 32 + b"\n4 :1.a\n6 :2", [4, 5], 77, 6),
    ("UIDs fall", b"3 V77 N9 G" + b"a" * 32 + b"\n6 :1.a\n4 :2.b\n", [6, 9], 77, 10),
    ("unknown header field kept", b"3 V77 N9 G" + b"a" * 32 + b" P%v.%u\n4 :1.a\n6 :2.b\n", [4, 6], 77, 9),
]


@pytest.mark.parametrize(
    ("name", "content", "uids", "validity", "next_uid"), UIDLISTS, ids=[row[0] for row in UIDLISTS]
)
def test_uidlists_of_others(name: str, content: bytes, uids: list[int], validity: int, next_uid: int) -> None:
    """UIDs and UIDVALIDITY stay; what is broken is mended without losing the rest."""

    async def scene() -> None:
        files = fresh_files()
        files.make_file(f"{ROOT}/cur/1.a:2,S", b"1\n")
        files.make_file(f"{ROOT}/cur/2.b:2,", b"2\n")
        files.make_file(f"{ROOT}/dovecot-uidlist", content)
        box = await account_on(files).open("INBOX")
        assert uids == sorted(box.messages.uids)
        assert (validity, next_uid) == (box.uid_validity, box.uid_next)
        [uid] = await box.append([new_message(3)])
        assert next_uid == uid
        written = files.files()[f"{ROOT}/dovecot-uidlist"]
        assert (b" P%v.%u\n" in written) == (b" P%v.%u\n" in content)
        assert written.count(b"\n") == 4

    run(scene)


def test_keywords_have_their_letters() -> None:
    """dovecot-keywords says which letter; unknown letters get a name; the file's mtime grows."""

    async def scene() -> None:
        files = fresh_files()
        files.make_file(f"{ROOT}/dovecot-keywords", b"0 Work\n2 Home\n")
        files.make_file(f"{ROOT}/cur/1.a:2,Sac", b"1\n")
        files.make_file(f"{ROOT}/cur/2.b:2,bQ", b"2\n")
        before = files.stat(f"{ROOT}/dovecot-keywords").st_mtime
        box = await account_on(files).open("INBOX")
        assert [{b"Work", b"Home"}, {b"unknown-1"}] == [keywords(box, uid) for uid in (1, 2)]
        await box.change_flags([Uid(2)], FlagChange(FlagAction.ADD, Flag.SEEN, (b"home", b"New")))
        assert f"{ROOT}/cur/2.b:2,QSbcd" in files.files()
        assert b"0 Work\n1 unknown-1\n2 Home\n3 New\n" == files.files()[f"{ROOT}/dovecot-keywords"]
        assert int(files.stat(f"{ROOT}/dovecot-keywords").st_mtime) > int(before)
        await box.change_flags([Uid(1)], FlagChange(FlagAction.ADD, Flag.NONE, (b"Newer",)))
        assert b"e" in parse_name(files, b"1\n")

    run(scene)


def keywords(box: MaildirMailbox, uid: int) -> set[bytes]:
    """Keywords of a message."""
    row = box.messages.row(uid)
    assert row is not None
    bits = box.messages.keywords[row]
    return {name for bit, name in enumerate(box.keywords) if bits >> bit & 1}


def parse_name(files: CrashFileSystem, content: bytes) -> bytes:
    """The letters of the file with this content."""
    return (
        next(path for path, found in files.files().items() if found == content).rpartition(":2,")[2].encode()
    )


def test_keywords_beyond_the_letters_survive() -> None:
    """They live in a file of ours, by UID; renames by others do not lose them."""

    async def scene() -> None:
        files = fresh_files()
        names = tuple(b"k%d" % number for number in range(30))
        account = account_on(files)
        box = await account.open("INBOX")
        await box.append([NewMessage(b"1\n", Flag.NONE, names), new_message(2)])
        await box.change_flags([Uid(2)], FlagChange(FlagAction.ADD, Flag.NONE, (b"k28",)))
        files.rename(find(files, 2), f"{ROOT}/cur/{find(files, 2).rpartition('/')[2].partition(':')[0]}:2,S")
        again = await account_on(files.crash(Survives.SYNCED)).open("INBOX")
        assert [set(names), {b"k28"}] == [keywords(again, uid) for uid in (1, 2)]
        await again.change_flags([Uid(1)], FlagChange(FlagAction.REPLACE, Flag.NONE, (b"k29",)))
        assert {b"k29"} == keywords(again, 1)

    run(scene)


def test_a_copy_is_a_hard_link_with_the_same_identity() -> None:
    """Same base where it is free; a second copy has a new one and the GUID of the first."""

    async def scene() -> None:
        files = fresh_files()
        account = account_on(files)
        await account.create("X")
        box, target = await account.open("INBOX"), await account.open("X")
        await box.append([new_message(1, Flag.SEEN)])
        name = find(files, 1).rpartition("/")[2]
        await box.copy([Uid(1)], target)
        assert 2 == files.stat(f"{ROOT}/.X/cur/{name}").st_nlink
        await box.copy([Uid(1)], target)
        assert 3 == files.stat(f"{ROOT}/.X/cur/{name}").st_nlink
        guid = name.partition(":")[0].encode()
        assert b"2 G%s :" % guid in files.files()[f"{ROOT}/.X/dovecot-uidlist"]

    run(scene)


@pytest.mark.parametrize("other_device", [False, True], ids=["link", "other device"])
@pytest.mark.parametrize("name", ["INBOX", "X"])
def test_a_copy_of_files_that_another_program_renames(name: str, other_device: bool) -> None:
    """It looks again, without the lock of the target, which may be the source: or it waited for itself."""

    class Renaming(CrashFileSystem):
        """The second file gets another name at the moment of the first link."""

        begun = False

        def link(self, source: AnyStr, target: AnyStr) -> None:
            if not self.begun:
                self.begun = True
                path = find(self, 2)
                self.rename(path, path + "F")
            if other_device:
                raise OSError(errno.EXDEV, "other device")
            super().link(source, target)

    async def scene() -> None:
        files = Renaming()
        make_maildir(ROOT, files=files)
        account = account_on(files)
        await account.create("X")
        box, target = await account.open("INBOX"), await account.open(name)
        uids = await box.append([new_message(number) for number in (1, 2, 3)])
        pairs = await box.copy(uids, target)
        assert uids == [uid for uid, _ in pairs]
        await target.refresh()
        assert [new for _, new in pairs] == list(target.messages.uids)[-3:]
        for (_, new), number in zip(pairs, (1, 2, 3), strict=True):
            assert b"%d\r\n" % number == await target.content(new)
        assert 6 == len([path for path in files.files() if "/cur/" in path])
        check_uidlist(files)

    run(scene)


def test_appended_messages_survive_a_crash_with_their_uids() -> None:
    """Stopped at any step: what was acknowledged is there, under its UID, and no UID is given twice."""

    async def append(files: CrashFileSystem, acknowledged: dict[int, int]) -> None:
        box = await account_on(files).open("INBOX")
        for number in (1, 2):
            [uid] = await box.append([new_message(number)])
            acknowledged[uid] = number
        [(_, copied)] = await box.copy([Uid(1)], box)
        acknowledged[copied] = 1

    async def check(files: CrashFileSystem, acknowledged: dict[int, int]) -> None:
        box = await account_on(files, ManualClock(1_800_000_100.0)).open("INBOX")
        for uid, number in acknowledged.items():
            assert b"%d\r\n" % number == await box.content(Uid(uid))
        [uid] = await box.append([new_message(9)])
        assert uid > max(acknowledged, default=0)

    complete = fresh_files()
    before = len(complete.steps)
    run(lambda: append(complete, {}))
    for step in range(before, len(complete.steps)):
        files = fresh_files()
        files.stop_at = step
        acknowledged: dict[int, int] = {}
        with pytest.raises(Stopped):
            run(lambda: append(files, acknowledged))  # noqa: B023 - called at once
        for survives in Survives:
            run(lambda: check(files.crash(survives), acknowledged))  # noqa: B023 - called at once


FAULTS = [
    ("disk full", "write", 28, OverQuota),
    ("quota", "write", 122, OverQuota),
    ("permission", "create", 13, StoreUnavailable),
]


@pytest.mark.parametrize(("name", "operation", "number", "fault"), FAULTS, ids=[row[0] for row in FAULTS])
def test_append_stores_all_or_none(name: str, operation: str, number: int, fault: type[Exception]) -> None:
    """One message that fails takes the others with it."""

    async def scene() -> None:
        files = fresh_files()
        box = await account_on(files).open("INBOX")
        count = 0

        def fail(step: str, path: str) -> int | None:
            nonlocal count
            count += step == operation and "/tmp/" in path
            return number if count == 2 and step == operation else None

        files.fail = fail
        with pytest.raises(fault):
            await box.append([new_message(1), new_message(2), new_message(3)])
        files.fail = None
        await box.refresh()
        assert 0 == len(box.messages)
        assert not [path for path in files.files() if "/tmp/" in path or "/cur/" in path]

    run(scene)


@pytest.mark.parametrize("place", ["/cur", "/dovecot-uidlist"])
def test_an_append_whose_name_or_uid_is_not_on_the_disk_is_undone(place: str) -> None:
    """The client hears NO and will send the message again: it must not find it twice, nor get the same UID."""

    async def scene() -> None:
        files = fresh_files()
        box = await account_on(files).open("INBOX")
        await box.append([new_message(1)])

        def fail(step: str, path: str) -> int | None:
            return 5 if step in ("fsync", "sync_directory") and path.endswith(place) else None

        files.fail = fail
        with pytest.raises(StoreUnavailable):
            await box.append([new_message(2)])
        files.fail = None
        await box.refresh()
        assert [1] == list(box.messages.uids)
        assert 1 == len([path for path in files.files() if "/cur/" in path])
        [uid] = await box.append([new_message(3)])
        assert uid > 1
        assert b"3\r\n" == await box.content(uid)

    run(scene)


def test_an_append_waits_for_the_disk_twice() -> None:
    """First for its content, then for its name and its UID together."""
    waits: list[int] = []

    class Waiting(CrashFileSystem):
        def fsync_all(self, fds: Sequence[int]) -> list[OSError | None]:
            waits.append(len(fds))
            return super().fsync_all(fds)

        def fdatasync(self, fd: int) -> None:
            waits.append(1)
            super().fdatasync(fd)

        def sync_directory(self, path: AnyStr) -> None:
            waits.append(1)
            super().sync_directory(path)

    async def scene() -> None:
        files = Waiting()
        files.make_directories("/home/a")
        make_maildir(ROOT, files=files)
        box = await account_on(files).open("INBOX")
        await box.append([new_message(1)])
        waits.clear()
        await box.append([new_message(2)])
        assert [1, 2] == waits

    run(scene)


def test_a_file_that_is_not_where_it_was() -> None:
    """Renamed behind our back: found again.  Removed: MessageGone, and the next refresh tells."""

    async def scene() -> None:
        files = fresh_files()
        box = await account_on(files).open("INBOX")
        await box.append([new_message(1), new_message(2)])
        files.rename(find(files, 1), find(files, 1) + "S")
        assert b"1\r\n" == await box.content(Uid(1))
        assert Flag.SEEN == box.messages.flags[0]
        files.unlink(find(files, 2))
        with pytest.raises(MessageGone):
            await box.content(Uid(2))
        assert [1] == list(box.messages.uids)

    run(scene)


def test_two_files_of_one_name() -> None:
    """A restored backup beside the original: both are kept, the second with a UID of its own."""

    async def scene() -> None:
        files = fresh_files()
        files.make_file(f"{ROOT}/cur/1.a:2,", b"1\n")
        files.make_file(f"{ROOT}/cur/1.a:2,S", b"2\n")
        box = await account_on(files).open("INBOX")
        await box.refresh()
        assert {b"1\r\n", b"2\r\n"} == {await box.content(Uid(uid)) for uid in box.messages.uids}
        assert 2 == len(box.messages)

    run(scene)


def test_names_that_only_a_maildir_refuses() -> None:
    """`.` separates levels on disk; `~` and overlong names never come back."""

    async def scene() -> None:
        account = account_on(fresh_files())
        for name in ("a.b", "a/../b", "~x", "x" * 300, "a\x07b"):
            with pytest.raises(MailboxNameRefused):
                await account.create(name)
            with pytest.raises(NoSuchMailbox):
                await account.open(name)
        assert "INBOX" == (await account.open("iNbOx")).name

    run(scene)


def test_directories_that_are_no_mailboxes() -> None:
    """Mailboxes in deletion, files, names that are not modified UTF-7 are not listed."""

    async def scene() -> None:
        files = fresh_files()
        for directory in ("..DOVECOT-TRASHED", ".bad&name", ".no-maildir", ".Good&APw-"):
            files.make_directories(f"{ROOT}/{directory}")
            if directory != ".no-maildir":
                files.make_directories(f"{ROOT}/{directory}/cur")
        files.make_file(f"{ROOT}/.dovecot.sieve", b"")
        names = [entry.name for entry in await account_on(files).list_mailboxes()]
        assert ["Goodü", "INBOX"] == names

    run(scene)


def test_special_use_goes_by_name() -> None:
    """RFC 6154: the usual names are advertised; `ensure_defaults` makes and subscribes them."""

    async def scene() -> None:
        account = account_on(fresh_files())
        await account.ensure_defaults()
        await account.ensure_defaults()
        uses = {entry.name: (entry.special_use, entry.subscribed) for entry in await account.list_mailboxes()}
        assert (b"\\Sent", True) == uses["Sent"]
        assert {b"\\Drafts", b"\\Sent", b"\\Junk", b"\\Trash", b"\\Archive", b""} == {
            use for use, _ in uses.values()
        }

    run(scene)


def test_inotify_tells_of_deliveries(tmp_path: Path) -> None:
    """A watcher hears of a file that another program puts into new/, without any polling."""

    async def scene() -> None:
        inotify = open_inotify(asyncio.get_running_loop())
        if inotify is None:
            pytest.skip("no inotify here")
        account = MaildirAccount(str(tmp_path / "M"), inotify=inotify)
        box = await account.open("INBOX")
        told = asyncio.Event()
        end = box.watch(told.set)
        [result] = deliver_batch([Delivery(str(tmp_path / "M"), [b"x\n"])])
        assert isinstance(result, Stored)
        async with asyncio.timeout(5):
            await told.wait()
        await box.refresh()
        assert [1] == list(box.messages.uids)
        end()
        await account.close()
        inotify.close()

    run(scene)


def test_what_our_own_change_has_hidden_is_noticed_all_the_same(tmp_path: Path) -> None:
    """A file that another program renames while we rename others: its watchers are told twice."""

    async def scene() -> None:
        inotify = open_inotify(asyncio.get_running_loop())
        if inotify is None:
            pytest.skip("no inotify here")
        account = MaildirAccount(str(tmp_path / "M"), inotify=inotify)
        box = await account.open("INBOX")
        first, second = await box.append([NewMessage(b"x"), NewMessage(b"y")])
        told = asyncio.Event()
        end = box.watch(told.set)
        folder = box.folder
        path = folder.path_of(first)
        assert path is not None
        note = folder.note_own_change

        def hide(*, new: bool) -> None:
            """At the last moment before we look at what we have done."""
            os.rename(path, path + b"F")
            note(new=new)

        folder.note_own_change = hide  # type: ignore[method-assign]
        await box.change_flags([second], FlagChange(FlagAction.ADD, Flag.SEEN))
        folder.note_own_change = note  # type: ignore[method-assign]
        async with asyncio.timeout(10):
            while box.messages.flags[0] != Flag.FLAGGED:
                await told.wait()
                told.clear()
                await box.refresh()
        end()
        await account.close()
        inotify.close()

    run(scene)


def test_a_delivery_is_not_hidden_by_what_we_do_in_cur() -> None:
    """A message that comes while flags are changed is there at the next look, not a second later."""

    async def scene() -> None:
        files = fresh_files()
        clock = ManualClock()
        box = await account_on(files, clock).open("INBOX")
        [uid] = await box.append([NewMessage(b"x")])
        clock.advance(2)
        await box.refresh()
        folder = box.folder
        note = folder.note_own_change

        def hide(*, new: bool) -> None:
            deliver(files, 7)
            note(new=new)

        folder.note_own_change = hide  # type: ignore[method-assign]
        await box.change_flags([uid], FlagChange(FlagAction.ADD, Flag.SEEN))
        folder.note_own_change = note  # type: ignore[method-assign]
        await box.refresh()
        assert 2 == len(box.messages)

    run(scene)


@pytest.mark.parametrize("damage", ["delete", "garbage", "truncate", "other version"])
def test_the_cache_may_be_lost_at_any_moment(tmp_path: Path, damage: str) -> None:
    """Summaries are the same without it; \\Recent is all that goes."""
    root = tmp_path / "M"
    cache = root / "pillarbox.cache.sqlite"

    async def look() -> list[object]:
        account = MaildirAccount(str(root))
        box = await account.open("INBOX")
        found = await box.summaries([Uid(uid) for uid in box.messages.uids], ~Fields(0))
        await account.close()
        return list(found)

    deliver_batch([Delivery(str(root), [b"Subject: %d\n\nx\n" % number]) for number in range(20)])
    first = run(look)
    assert 20 == len(first)
    assert cache.stat().st_mode & 0o777 == 0o600
    for suffix in ("-wal", "-shm"):
        cache.with_name(cache.name + suffix).unlink(missing_ok=True)
    if damage == "delete":
        cache.unlink()
    elif damage == "garbage":
        cache.write_bytes(b"garbage " * 1000)
    elif damage == "truncate":
        cache.write_bytes(cache.read_bytes()[:5000])
    else:
        content = bytearray(cache.read_bytes())
        content[60:64] = b"\x00\x00\x03\xe7"  # user_version
        cache.write_bytes(content)
    assert first == run(look)
    assert first == run(look)


def test_letters_are_read_once_per_combination() -> None:
    """The table of known combinations is bounded: names come from other programs."""
    for number in range(6000):
        parse_letters(b"S,%d" % number)
    assert parse_letters(b"S,5999").tail == b",5999"


def test_names_of_two_accounts_differ() -> None:
    """Every account has its own name maker; host and process id keep them apart from others'."""
    names = NameMaker(ManualClock(), host=b"x")
    assert names.take() != names.take()


class Counting(Inline):
    """Counts the hops."""

    def __init__(self) -> None:
        self.count = 0

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":  # noqa: ANN401 - Executor's
        """Count, and run it."""
        self.count += 1
        return super().submit(fn, *args, **kwargs)


def test_a_mailbox_that_is_only_looked_at_stays_as_it_is() -> None:
    """EXAMINE and what is asked there leave new/ alone; SELECT moves it to cur/ (Dovecot does so)."""
    files = fresh_files()
    name = deliver(files, 1)

    async def scene() -> None:
        account = account_on(files)
        inbox = await account.open("INBOX", read_only=True)
        assert [1] == list(inbox.messages.uids)
        assert b"1\r\n" == await inbox.content(Uid(1))
        second = deliver(files, 2)
        await inbox.refresh(read_only=True)
        assert [1, 2] == list(inbox.messages.uids)
        await inbox.append([new_message(3)])
        assert f"{ROOT}/new/{name}" == find(files, 1)
        assert f"{ROOT}/new/{second}" == find(files, 2)
        await inbox.change_flags([Uid(2)], FlagChange(FlagAction.ADD, Flag.SEEN))
        assert f"{ROOT}/cur/{second}:2,S" == find(files, 2)
        await account.open("INBOX")
        assert f"{ROOT}/cur/{name}:2," == find(files, 1)

    run(scene)


def test_nothing_new_costs_no_thread() -> None:
    """A refresh that finds nothing is done on the loop; whatever other programs did is found, as before."""
    files = fresh_files()
    clock = ManualClock()
    threads = Counting()
    account = MaildirAccount(ROOT, files=files, clock=clock, executor=threads, host=b"ours")

    async def scene() -> None:
        inbox = await account.open("INBOX")
        clock.advance(60)
        await inbox.refresh()
        before = threads.count
        for _ in range(3):
            await inbox.refresh()
            await account.open("INBOX")
        assert before == threads.count
        deliver(files, 1)
        await inbox.refresh()
        assert before < threads.count
        assert [1] == list(inbox.messages.uids)

    run(scene)


@pytest.mark.parametrize("change", ["uidlist", "keywords", "surplus"])
def test_what_is_written_beside_the_messages_is_noticed(change: str) -> None:
    """By the mtime of their directory, in which whoever writes makes a lock; the surplus is written without one."""
    files = fresh_files()
    deliver(files, 1)
    clock = ManualClock(1_900_000_000.0)  # long after the model's times

    async def scene() -> None:
        inbox = await account_on(files, clock).open("INBOX")
        clock.advance(60)
        names = [b"k%d" % number for number in range(27)]
        for name in names:
            await inbox.change_flags([Uid(1)], FlagChange(FlagAction.ADD, keywords=(name,)))
        clock.advance(60)
        await inbox.refresh()
        folder = inbox.folder
        assert folder.is_current(move_new=True)
        assert folder.is_current(move_new=True)
        if change == "surplus":
            lines = files.files()[f"{ROOT}/pillarbox-keywords"]
            descriptor = files.open(f"{ROOT}/pillarbox-keywords", os.O_WRONLY)
            files.pwrite(descriptor, b"M 1 0\n", len(lines))
            files.close(descriptor)
        else:
            lock = f"{ROOT}/dovecot-{change}.lock"
            files.close(files.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            if change == "uidlist":
                lines = files.files()[f"{ROOT}/dovecot-uidlist"]
                descriptor = files.open(f"{ROOT}/dovecot-uidlist", os.O_WRONLY)
                files.pwrite(descriptor, b"7 :1800000000.M1P1.x\n", len(lines))
                files.close(descriptor)
                files.unlink(lock)
            else:
                descriptor = files.open(lock, os.O_WRONLY)
                files.pwrite(descriptor, b"0 other\n", 0)
                files.close(descriptor)
                files.rename(lock, f"{ROOT}/dovecot-keywords")
        assert not folder.is_current(move_new=True)
        await inbox.refresh()
        assert folder.is_current(move_new=True)

    run(scene)


def test_a_mailbox_that_was_replaced_while_nobody_had_it_is_opened_anew() -> None:
    """What is kept in memory of a mailbox does not outlive it: another one in its place gets its own UIDs."""
    files = fresh_files()
    deliver(files, 1)

    async def scene() -> None:
        account = account_on(files)
        inbox = await account.open("INBOX")
        inbox.close()
        files.rename(ROOT, "/home/a/Old")
        make_maildir(ROOT, files=files)
        files.make_file(f"{ROOT}/dovecot-uidlist", b"3 V77 N9 G%032d\n" % 7)
        again = await account.open("INBOX")
        assert (77, 9, 0) == (again.uid_validity, again.uid_next, len(again.messages))

    run(scene)


def test_a_large_change_does_not_outrun_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has looked before a change learns all of it, however many messages it is about; older ones do not stay."""
    monkeypatch.setattr("pillarbox.mailstore.maildir.MAX_JOURNAL", 3)

    async def scene() -> None:
        box = await account_on(fresh_files()).open("INBOX")
        before = box.journal_position
        uids = await box.append([new_message(number) for number in range(10)])
        added = box.changes_since(before)
        assert added is not None
        assert uids == [change.uid for change in added]
        middle = box.journal_position
        await box.expunge(uids[:6])
        gone = box.changes_since(middle)
        assert gone is not None
        assert uids[:6] == [change.uid for change in gone]
        assert box.changes_since(middle - 3) is not None
        assert box.changes_since(before) is None
        await box.expunge(uids[6:7])
        assert box.changes_since(middle) is None

    run(scene)
