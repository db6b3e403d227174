"""The event loop never waits for a folder's mutex: other sessions go on while a thread has it."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox

ASKED: list[Callable[[MaildirAccount, MaildirMailbox], Awaitable[object]]] = [
    lambda account, box: box.identities([1]),
    lambda account, box: box.email_ids([1]),
    lambda account, box: box.pop3_fields(),
    lambda account, box: account.rename("Box", "Other"),
]


async def _awaited(answer: Awaitable[object]) -> object:
    return await answer


@pytest.mark.parametrize("ask", ASKED, ids=["identities", "EMAILID", "POP3 fields", "RENAME"])
def test_the_loop_goes_on_while_a_thread_has_the_mutex(
    tmp_path: Path, ask: Callable[[MaildirAccount, MaildirMailbox], Awaitable[object]]
) -> None:
    """What was asked for comes when the thread is done, and is what it is without one."""

    async def scene() -> None:
        account = MaildirAccount(str(tmp_path / "Maildir"))
        await account.create("Box")
        box = await account.open("Box")
        assert isinstance(box, MaildirMailbox)
        await box.append([NewMessage(b"x\r\n")])
        expected = None if ask is ASKED[-1] else await ask(account, box)
        mutex = box.folder.mutex
        with ThreadPoolExecutor(1) as other:
            async with asyncio.TaskGroup() as tasks:
                other.submit(mutex.acquire).result()
                asked = tasks.create_task(_awaited(ask(account, box)))
                for _ in range(20):  # the loop turns, which it would not if it waited
                    await asyncio.sleep(0)
                is_done = asked.done()
                other.submit(mutex.release).result()
        assert not is_done
        assert expected == asked.result()
        if ask is ASKED[-1]:
            assert [(b"", b"")] != await box.identities([1])
            assert await box.append([NewMessage(b"y\r\n")]) == [2]
            assert len(list((tmp_path / "Maildir" / ".Other" / "cur").iterdir())) == 2
        box.close()
        await account.close()

    asyncio.run(scene())
