"""Appends of several sessions are stored together, and each is answered as if it had been alone."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path

import pytest

from pillarbox.files.file_system import DiskFileSystem
from pillarbox.mailstore.mailbox import MAX_KEYWORDS, NewMessage, StoreUnavailable
from pillarbox.mailstore.maildir import folder_additions
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.folder_additions import Groups, Outcomes
from pillarbox.mailstore.maildir.group_commit import MAX_MESSAGES, Done, GroupCommit
from pillarbox.vocabulary.identifiers import Uid


def test_what_comes_meanwhile_is_one_batch() -> None:
    """The first goes alone, the rest together, up to a limit."""

    async def talk() -> list[int]:
        batches: list[int] = []

        def store(groups: Groups, done: Done) -> None:
            batches.append(len(groups))
            outcomes: Outcomes = [[Uid(len(batches))] for _ in groups]
            asyncio.get_running_loop().call_soon(done, outcomes)

        commit = GroupCommit(store, stored=lambda: None)
        message = [NewMessage(b"x")]
        async with asyncio.TaskGroup() as tasks:
            for _ in range(MAX_MESSAGES + 31):
                tasks.create_task(commit.append(message))
        return batches

    assert [1, MAX_MESSAGES, 30] == asyncio.run(talk())


async def _fault_or_result(appending: Coroutine[object, object, list[Uid]]) -> object:
    try:
        return await appending
    except StoreUnavailable as fault:
        return fault


def test_a_session_that_is_cut_takes_nobody_along() -> None:
    """Its message is stored; the others get their answers, the failing one its fault."""

    async def talk() -> tuple[int, list[object]]:
        calls: list[Callable[[], None]] = []

        def store(groups: Groups, done: Done) -> None:
            bad = StoreUnavailable("no")
            outcomes: Outcomes = [bad if group[0].content == b"bad" else [Uid(7)] for group in groups]
            calls.append(partial(done, outcomes))

        commit = GroupCommit(store, stored=lambda: None)
        async with asyncio.TaskGroup() as tasks:
            cut = tasks.create_task(commit.append([NewMessage(b"first")]))
            await asyncio.sleep(0)
            cut.cancel()
            running = [
                tasks.create_task(_fault_or_result(commit.append([NewMessage(content)])))
                for content in (b"good", b"bad", b"good")
            ]
            await asyncio.sleep(0)
            for end in calls:  # the second begins while the first ends
                end()
            others = [await task for task in running]
        return len(calls), [one if isinstance(one, list) else type(one) for one in others]

    assert (2, [[7], StoreUnavailable, [7]]) == asyncio.run(talk())


def test_messages_of_many_and_one_that_is_refused(tmp_path: Path) -> None:
    """Twenty at once into a Maildir: every message has its UID and its content; too many keywords harm nobody else."""

    async def talk() -> None:
        account = MaildirAccount(str(tmp_path))
        inbox = await account.open("INBOX")

        async def append(number: int) -> tuple[int, list[Uid]]:
            pair = [NewMessage(b"Subject: %d\n\n%d" % (number, part)) for part in (1, 2)]
            return number, await inbox.append(pair)

        keywords = tuple(b"k%d" % number for number in range(MAX_KEYWORDS + 1))
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(append(number)) for number in range(10)]
            with pytest.raises(OverflowError):
                await inbox.append([NewMessage(b"refused", keywords=keywords)])
            running += [tasks.create_task(append(number)) for number in range(10, 20)]
        assert 40 == len(inbox.messages)
        for number, uids in (task.result() for task in running):
            assert uids == [uids[0], uids[0] + 1]
            for part, uid in enumerate(uids, 1):
                assert b"Subject: %d\r\n\r\n%d" % (number, part) == await inbox.content(uid)
        inbox.close()
        await account.close()

    asyncio.run(talk())


class FailingDisk(DiskFileSystem):
    """One that cannot write what is bad."""

    def write_all(self, fd: int, chunks: Sequence[bytes]) -> int:
        """Write, or fail."""
        if chunks[0] == b"bad":  # not "in": a GUID in the uidlist may have these letters, too
            raise OSError(5, "Input/output error")
        return super().write_all(fd, chunks)


def test_one_group_that_cannot_be_stored_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that fails takes those of its own command along, and no others."""

    async def talk() -> list[int]:
        account = MaildirAccount(str(tmp_path), files=FailingDisk())
        inbox = await account.open("INBOX")
        good, bad = NewMessage(b"good"), NewMessage(b"bad")
        outcomes = folder_additions.append(inbox.folder, [[good], [good, bad, good], [good, good]])
        await inbox.refresh()
        assert isinstance(outcomes[1], StoreUnavailable)
        assert [[1], [2, 3]] == [outcomes[0], outcomes[2]]
        assert 3 == len(list((tmp_path / "cur").iterdir()))
        inbox.close()
        await account.close()
        return inbox.messages.uids.tolist()

    assert [1, 2, 3] == asyncio.run(talk())
