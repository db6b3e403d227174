"""When a Maildir is looked at again: all that others do is noticed, and what is as it was costs nothing."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from fakes.maildir_on_model import (
    HOME,
    ROOT,
    Inline,
    T,
    account_on,
    deliver,
    find,
    fresh_files,
    new_message,
    run,
)
from pillarbox.files.inotify import open_inotify
from pillarbox.mailstore.deliver import Delivery, Stored, deliver_batch, make_maildir
from pillarbox.mailstore.mailbox import (
    FlagAction,
    FlagChange,
    NewMessage,
)
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid


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


def test_a_long_store_lists_no_directory() -> None:
    """Its batches come one after the other for seconds; what they may have hidden is looked for afterwards."""

    async def scene() -> None:
        files = fresh_files()
        for number in range(3):
            deliver(files, number)
        clock = ManualClock()
        box = await account_on(files, clock).open("INBOX")
        clock.advance(2)
        await box.refresh()
        files.calls.clear()
        for flag in (Flag.SEEN, Flag.FLAGGED, Flag.ANSWERED):
            assert 3 == len(
                await box.change_flags([Uid(1), Uid(2), Uid(3)], FlagChange(FlagAction.ADD, flag))
            )
            clock.advance(2)
        assert "listdir" not in {call for call, _ in files.calls}
        await box.refresh()
        assert "listdir" in {call for call, _ in files.calls}

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
        async with asyncio.timeout(45):
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
        async with asyncio.timeout(45):
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


@pytest.mark.parametrize("opened", [MaildirAccount.open, MaildirAccount.open_target])
def test_a_mailbox_that_was_replaced_while_nobody_had_it_is_opened_anew(
    opened: Callable[[MaildirAccount, str], Awaitable[MaildirMailbox]],
) -> None:
    """What is kept in memory of a mailbox does not outlive it: another one in its place gets its own UIDs."""
    files = fresh_files()
    deliver(files, 1)

    async def scene() -> None:
        account = account_on(files)
        inbox = await account.open("INBOX")
        inbox.close()
        files.rename(ROOT, f"{HOME}/Old")
        make_maildir(ROOT, files=files)
        files.make_file(f"{ROOT}/dovecot-uidlist", b"3 V77 N9 G%032d\n" % 7)
        again = await opened(account, "INBOX")
        assert (77, 9, 0) == (again.uid_validity, again.uid_next, len(again.messages))

    run(scene)
