"""`auto = create` and `auto = subscribe`: there from the beginning, and again when somebody deletes them."""

import asyncio
from pathlib import Path

import pytest

from pillarbox.config.mailbox_settings import MailboxDefinition
from pillarbox.mailstore.faults import MailboxExists
from pillarbox.mailstore.maildir.account import MaildirAccount

DEFINITIONS = (
    MailboxDefinition(name="Made", auto="create"),
    MailboxDefinition(name="a/b", auto="subscribe"),
    MailboxDefinition(name="Other"),
)


def test_what_is_deleted_is_made_again(tmp_path: Path) -> None:
    """Empty, with another UIDVALIDITY, and subscribed if it is to be; RENAME leaves a new one behind, too."""

    async def scene() -> None:
        account = MaildirAccount(str(tmp_path / "Maildir"), mailboxes=DEFINITIONS)
        assert await selectable(account) == ["INBOX"]
        await account.create("Other")
        await account.delete("Other")
        await account.ensure_defaults()
        assert await selectable(account) == ["INBOX", "Made", "a/b"]
        assert tuple(await account.subscriptions()) == ("a/b",)
        before = (await account.status("a/b", with_size=False)).uid_validity
        await account.unsubscribe("a/b")
        await account.delete("a/b")
        assert (await account.status("a/b", with_size=False)).uid_validity > before
        assert tuple(await account.subscriptions()) == ("a/b",)
        await account.rename("Made", "Renamed")
        await account.create("Other")
        await account.delete("Other")
        assert await selectable(account) == ["INBOX", "Made", "Renamed", "a/b"]
        await account.close()

    asyncio.run(scene())


def test_who_makes_what_is_there_already_is_not_refused(tmp_path: Path) -> None:
    """Until somebody has used it; and again when it has been deleted, as by clients that empty their Trash so."""

    async def scene() -> None:
        account = MaildirAccount(str(tmp_path / "Maildir"), mailboxes=DEFINITIONS)
        await account.ensure_defaults()
        await account.create("Made")
        await account.create("a/b/")
        await account.status("Made", with_size=False)
        with pytest.raises(MailboxExists):
            await account.create("Made")
        await account.delete("Made")
        await account.create("Made")
        (tmp_path / "Maildir" / ".Made" / "new" / "1.2.host").write_bytes(b"Subject: x\n\nbody\n")
        with pytest.raises(MailboxExists):
            await account.create("Made")
        await account.create("Other")
        with pytest.raises(MailboxExists):  # which is none by the configuration
            await account.create("Other")
        await account.close()

    asyncio.run(scene())


async def selectable(account: MaildirAccount) -> list[str]:
    """The mailboxes that are there."""
    return [entry.name for entry in await account.list_mailboxes() if entry.selectable]
