"""What a client has appended or copied is in the cache without anybody opening its file."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailstore.test_arrivals import ALL, COLUMNS, CountingFiles
from mailstore.test_arrivals import MESSAGES as SMALL
from pillarbox.files.file_system import DiskFileSystem
from pillarbox.mailstore.cache.fresh_messages import MAX_CONTENT, MAX_OCTETS, FreshMessages
from pillarbox.mailstore.content.large_content import LARGE
from pillarbox.mailstore.mailbox import MessageSummary, NewMessage, SortValue
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.vocabulary.identifiers import Uid

MESSAGES = [message for message in SMALL[:50] if message]
Seen = tuple[list[MessageSummary], list[tuple[SortValue, ...]]]


async def seen(box: MaildirMailbox) -> Seen:
    """All that FETCH and SORT say of its messages."""
    uids = [Uid(uid) for uid in box.messages.uids]
    return await box.summaries(uids, ALL), await box.sort_columns(uids, COLUMNS)


def without_times(found: Seen) -> list[tuple[object, ...]]:
    """Without the second in which each came into the mailbox."""
    names = [name for name in MessageSummary.__struct_fields__ if name != "saved"]
    return [tuple(getattr(summary, name) for name in names) for summary in found[0]]


def looked_at_again(root: Path, name: str, files: DiskFileSystem) -> Seen:
    """What another process says."""

    async def look() -> Seen:
        account = MaildirAccount(str(root), files=files)
        box = await account.open(name)
        found = await seen(box)
        box.close()
        await account.close()
        return found

    return asyncio.run(look())


async def append(account: MaildirAccount, name: str, messages: list[bytes] = MESSAGES) -> None:
    """To a mailbox that nobody has selected."""
    box = await account.open(name, read_only=True)
    await box.append(
        [NewMessage(message, internal_date=1_600_000_000.0 + n) for n, message in enumerate(messages)]
    )
    box.close()


async def appended(account: MaildirAccount) -> None:
    """APPEND to a mailbox that nobody has open otherwise."""
    await append(account, "Sent")


async def copied(account: MaildirAccount) -> None:
    """APPEND, and COPY to another mailbox."""
    await append(account, "INBOX")
    inbox, target = await account.open("INBOX"), await account.open("Sent", read_only=True)
    await inbox.rows.filling.finished.wait()
    await inbox.copy([Uid(uid) for uid in inbox.messages.uids], target)
    inbox.close()
    target.close()


async def moved(account: MaildirAccount) -> None:
    """The same with MOVE."""
    await append(account, "INBOX")
    inbox, target = await account.open("INBOX"), await account.open("Sent", read_only=True)
    await inbox.rows.filling.finished.wait()
    await inbox.move([Uid(uid) for uid in inbox.messages.uids], target)
    inbox.close()
    target.close()


@pytest.mark.parametrize("bring", [appended, copied, moved], ids=lambda function: function.__name__)
def test_no_file_is_opened(tmp_path: Path, bring: Callable[[MaildirAccount], Awaitable[None]]) -> None:
    """Neither by the process that stored the messages nor by the next one; and all is as if it were read."""
    assert len(MESSAGES) > 20
    files = CountingFiles()

    async def store() -> None:
        account = MaildirAccount(str(tmp_path), files=files)
        await account.ensure_defaults()
        await bring(account)
        await account.close()

    asyncio.run(store())
    found = looked_at_again(tmp_path, "Sent", files)
    assert files.opened == 0
    assert len(found[0]) == len(MESSAGES)
    for path in tmp_path.glob("pillarbox.cache*"):
        path.unlink()
    read = looked_at_again(tmp_path, "Sent", files)
    assert files.opened >= len(MESSAGES)
    assert without_times(found) == without_times(read)
    assert found[1] == read[1]
    assert all(abs(one.saved - other.saved) <= 5 for one, other in zip(found[0], read[0], strict=True))


def test_the_next_command_opens_none_either(disk_path: Path) -> None:
    """FETCH at once, of a mailbox that is selected, and of the whole message."""
    files = CountingFiles()

    async def scene() -> None:
        account = MaildirAccount(str(disk_path), files=files)
        inbox = await account.open("INBOX")
        uids = await inbox.append([NewMessage(message) for message in MESSAGES[:8]])
        found = await inbox.summaries(uids, ALL)
        contents = [await inbox.content(uid) for uid in uids]
        assert files.opened == 0
        await inbox.rows.filling.finished.wait()
        assert inbox.folder.fresh.uids == []
        assert await inbox.summaries(uids, ALL) == found
        assert files.opened == 0
        assert [await inbox.content(uid) for uid in uids] == contents
        assert files.opened == 8
        await account.close()

    asyncio.run(scene())


def test_what_goes_at_once_is_forgotten(tmp_path: Path) -> None:
    """Expunged by us, or its file removed by another program; deleted with its mailbox."""

    async def scene() -> None:
        account = MaildirAccount(str(tmp_path))
        await account.create("a")
        box = await account.open("a")
        first, second = await box.append([NewMessage(b"a: b\r\n\r\n"), NewMessage(b"c: d\r\n\r\n")])
        box.rows.filling.stop()  # on a busy machine they would be in the cache before they are gone
        await box.expunge([first])
        for path in (tmp_path / ".a" / "cur").iterdir():
            path.unlink()
        assert await box.summaries([first, second], ALL) == []
        box.rows.filling.want([first, second])
        await box.rows.filling.finished.wait()
        assert box.folder.fresh.uids == []
        await box.append([NewMessage(b"e: f\r\n\r\n")])
        await account.delete("a")
        box.close()
        await box.finish()  # the account no longer knows of it
        await account.close()
        assert box.folder.fresh.uids == []

    asyncio.run(scene())


def test_only_a_few_are_kept() -> None:
    """Bounded each and together."""
    fresh = FreshMessages()
    fresh.add(1, b"x" * (MAX_CONTENT + 1))
    fresh.add(2, b"")
    assert fresh.uids == []
    for uid in range(3, 10):
        fresh.add(uid, b"x" * MAX_CONTENT)
    assert len(fresh.uids) == MAX_OCTETS // MAX_CONTENT
    fresh.forget([3, 99])
    fresh.add(11, b"y")
    assert (3 in fresh, fresh.get(11), fresh.get(3)) == (False, b"y", None)


def test_the_loop_waits_for_nobody_who_stores_something(tmp_path: Path) -> None:
    """Whether a message is huge is a guess: who may not look at once takes it for a usual one."""

    async def scene() -> None:
        account = MaildirAccount(str(tmp_path))
        inbox = await account.open("INBOX")
        small, huge = await inbox.append(
            [NewMessage(b"a: b\r\n\r\n"), NewMessage(b"a: b\r\n\r\n" + b"x" * LARGE)]
        )
        assert [inbox.is_huge(uid) for uid in (small, huge, Uid(99))] == [False, True, False]
        with ThreadPoolExecutor(1) as threads:
            threads.submit(inbox.folder.mutex.acquire).result()
            assert not inbox.is_huge(huge)
            threads.submit(inbox.folder.mutex.release).result()
        assert inbox.is_huge(huge)
        await account.close()

    asyncio.run(scene())
