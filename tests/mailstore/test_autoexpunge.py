"""autoexpunge: what is old, what is too many, and which mailboxes a mask means."""

import asyncio

from pillarbox.config.mailbox_settings import MailboxDefinition
from pillarbox.mailstore.autoexpunge import autoexpunge
from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.vocabulary.clock import ManualClock

DAY = 86400


def test_what_is_due_goes() -> None:
    """By age, by number, by both; a mailbox that does not exist is none."""

    async def scene() -> None:
        clock = ManualClock()
        account = MemoryAccount(clock=clock)
        for name in ("Trash", "Lists/a", "Lists/b", "Kept"):
            await account.create(name)
            box = await account.open(name)
            for _ in range(5):
                await box.append([NewMessage(b"a: b\n\n")])
                clock.advance(DAY)
            box.close()
        definitions = (
            MailboxDefinition(name="Trash", autoexpunge=17 * DAY),
            MailboxDefinition(name="Lists/*", autoexpunge=99 * DAY, autoexpunge_max_mails=2),
            MailboxDefinition(name="None", autoexpunge=1),
            MailboxDefinition(name="Kept", autoexpunge_max_mails=1),  # alone, it does nothing
        )
        # 20 days have passed: Trash's messages came 20, 19, 18, 17 and 16 days ago.
        assert await autoexpunge(account, definitions, now=clock.now()) == {
            "Trash": 4,
            "Lists/a": 3,
            "Lists/b": 3,
        }
        assert await autoexpunge(account, definitions, now=clock.now()) == {}
        both = (MailboxDefinition(name="Kept", autoexpunge=2 * DAY, autoexpunge_max_mails=1),)
        assert await autoexpunge(account, both, now=clock.now()) == {"Kept": 4}
        box = await account.open("Trash")
        assert list(box.messages.uids) == [5]
        box.close()

    asyncio.run(scene())
