"""APPEND and COPY into a Maildir: all or none, with their UIDs, whatever fails or stops."""

import errno
from collections.abc import Sequence
from typing import AnyStr

import pytest

from fakes.crash_file_system import CrashFileSystem, Stopped
from fakes.crash_survivors import Survives
from fakes.examples import each_third
from fakes.maildir_on_model import (
    HOME,
    ROOT,
    account_on,
    check_uidlist,
    find,
    fresh_files,
    new_message,
    run,
)
from pillarbox.files.write_order import Order
from pillarbox.mailstore.deliver import make_maildir
from pillarbox.mailstore.mailbox import (
    OverQuota,
    StoreUnavailable,
)
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid


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


@pytest.mark.parametrize("order", Order)
def test_appended_messages_survive_a_crash_with_their_uids(order: Order) -> None:
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

    complete = fresh_files(order)
    before = len(complete.steps)
    run(lambda: append(complete, {}))
    for step in each_third(range(before, len(complete.steps)), order):
        files = fresh_files(order)
        files.stop_at = step
        acknowledged: dict[int, int] = {}
        with pytest.raises(Stopped):
            run(lambda: append(files, acknowledged))  # noqa: B023 - called at once
        for survives in Survives:
            run(lambda: check(files.crash(survives), acknowledged))  # noqa: B023 - called at once


FAULTS = [
    ("disk full", "write", 28, StoreUnavailable),
    ("quota", "write", 122, OverQuota),
    ("permission", "create", 13, StoreUnavailable),
]


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize(("name", "operation", "number", "fault"), FAULTS, ids=[row[0] for row in FAULTS])
def test_append_stores_all_or_none(
    name: str, operation: str, number: int, fault: type[Exception], order: Order
) -> None:
    """One message that fails takes the others with it."""

    async def scene() -> None:
        files = fresh_files(order)
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


NOT_ON_THE_DISK = [
    (Order.NONE, "/cur"),
    (Order.NONE, "/dovecot-uidlist"),
    (Order.BY_DIRECTORY, "/cur"),
    (Order.BY_FILE, "/cur/"),
    (Order.BY_FILE, "/dovecot-uidlist"),
]


@pytest.mark.parametrize(("order", "place"), NOT_ON_THE_DISK)
def test_an_append_whose_name_or_uid_is_not_on_the_disk_is_undone(order: Order, place: str) -> None:
    """The client hears NO and will send the message again: it must not find it twice, nor get the same UID."""

    async def scene() -> None:
        files = fresh_files(order)
        box = await account_on(files).open("INBOX")
        await box.append([new_message(1)])

        def fail(step: str, path: str) -> int | None:
            hit = place in path if place.endswith("/") else path.endswith(place)
            return 5 if step in ("fsync", "sync_directory") and hit else None

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


@pytest.mark.parametrize("order", Order)
def test_an_append_waits_for_the_disk_twice_at_most(order: Order) -> None:
    """First for its content, then for its name and its UID together; where order is kept, for all at once."""
    waits: list[int] = []

    class Waiting(CrashFileSystem):
        def fsync_all(self, fds: Sequence[int]) -> list[OSError | None]:
            waits.extend([len(fds)] if fds else [])
            return super().fsync_all(fds)

        def fdatasync(self, fd: int) -> None:
            waits.append(1)
            super().fdatasync(fd)

        def sync_directory(self, path: AnyStr) -> None:
            waits.append(1)
            super().sync_directory(path)

    async def scene() -> None:
        files = Waiting(order=order)
        files.make_directories(HOME)
        make_maildir(ROOT, files=files)
        box = await account_on(files).open("INBOX")
        await box.append([new_message(1)])
        waits.clear()
        await box.append([new_message(2)])
        assert ([1, 2] if order is Order.NONE else [2]) == waits

    run(scene)
