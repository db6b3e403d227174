"""Names as clients have them: another separator, and Courier's prefix."""

import asyncio

import pytest

from pillarbox.config.mailbox_settings import Namespace, Storage
from pillarbox.mailstore.mailbox import MailboxExists, MailboxNameRefused, NoSuchMailbox
from pillarbox.mailstore.mailbox_names import BELOW_PREFIX
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.mailstore.namespaces.namespaced_account import NamespacedAccount, OutsideNamespace, as_named


def names(account: NamespacedAccount) -> list[str]:
    """What LIST has."""
    return [entry.name for entry in asyncio.run(account.list_mailboxes())]


def test_names_go_both_ways() -> None:
    """Made, opened, renamed, subscribed and deleted by the client's names; the store has its own."""

    async def scene() -> None:
        store = MemoryAccount()
        account = NamespacedAccount(store, prefix="INBOX.", separator=".")
        await account.create("INBOX.Lists.a b")
        assert ["INBOX", "Lists", "Lists/a b"] == [entry.name for entry in await store.list_mailboxes()]
        assert ["INBOX", "INBOX.Lists", "INBOX.Lists.a b"] == [
            entry.name for entry in await account.list_mailboxes()
        ]
        opened = await account.open("INBOX.Lists.a b")
        assert "INBOX.Lists.a b" == account.name_of(opened)
        await account.subscribe("INBOX.Lists.a b")
        assert ["Lists/a b"] == await store.subscriptions()
        assert ["INBOX.Lists.a b"] == await account.subscriptions()
        await account.unsubscribe("INBOX.Lists.a b")
        assert [] == await account.subscriptions()
        await account.rename("INBOX.Lists.a b", "INBOX.Other")
        assert 0 == (await account.status("INBOX.Other")).messages
        await account.delete("inbox.Other")
        assert ["INBOX"] == [entry.name for entry in await account.list_mailboxes()]
        assert "INBOX" == account.name_of(await account.open("inbox"))

    asyncio.run(scene())


@pytest.mark.parametrize("prefix", ["", "INBOX."])
def test_what_lies_below_inbox_in_any_case(prefix: str) -> None:
    """The first level is INBOX, however the client writes it; another name that begins so is not."""

    async def scene() -> None:
        account = NamespacedAccount(MemoryAccount(), prefix=prefix, separator=".")
        await account.create("inBox.Lists")
        assert "INBOX.Lists" == account.name_of(await account.open("Inbox.Lists"))
        assert account.has("inbox.Lists")
        assert account.has("inbox")
        if not prefix:
            await account.create("inboxes.a")
            assert "inboxes.a" == account.name_of(await account.open("inboxes.a"))

    asyncio.run(scene())


@pytest.mark.parametrize("name", ["Lists", "INBO", "INBOXx.y", "x.INBOX."])
def test_names_outside(name: str) -> None:
    """Dovecot's words, whatever is asked."""
    account = NamespacedAccount(MemoryAccount(), prefix="INBOX.", separator=".")
    for ask in (account.open, account.create, account.delete, account.status, account.subscribe):
        with pytest.raises(OutsideNamespace, match=r"should probably be prefixed with: INBOX\.\)"):
            asyncio.run(ask(name))


def test_the_other_separator_is_refused() -> None:
    """It would be a level in the store."""
    account = NamespacedAccount(MemoryAccount(), prefix="", separator=".")
    with pytest.raises(MailboxNameRefused, match="must not have '/'"):
        asyncio.run(account.create("a/b"))
    with pytest.raises(NoSuchMailbox):
        asyncio.run(account.open("a/b"))


def test_a_prefix_that_is_no_mailbox() -> None:
    """It is listed and cannot be selected; INBOX is below it, too, but in no other spelling."""
    account = NamespacedAccount(MemoryAccount(special_use={"Sent": b"\\Sent"}), prefix="Mail/", separator="/")
    assert ["INBOX", "Mail", "Mail/Sent"] == names(account)
    with pytest.raises(MailboxExists):
        asyncio.run(account.create("Mail/INBOX"))
    with pytest.raises(MailboxNameRefused):
        asyncio.run(account.create("Mail/inbox"))


@pytest.mark.parametrize(
    ("namespace", "stored"),
    [
        (Namespace(prefix="INBOX.", separator=".", inbox=True), f"{BELOW_PREFIX}Inbox"),
        (Namespace(prefix="Old.", separator=".", location=Storage()), f"{BELOW_PREFIX}Inbox"),
        (Namespace(prefix="Again.", separator="."), None),
        (Namespace(kind="shared", prefix="shared.", separator=".", location=Storage()), None),
    ],
)
def test_a_mailbox_called_inbox_below_a_prefix(namespace: Namespace, stored: str | None) -> None:
    """It is one where its tree lists it: not by another name of the user's tree, nor in somebody else's."""
    account = as_named(MemoryAccount(), namespace)
    if stored is not None:
        assert account.store_name(namespace.prefix + "Inbox") == stored
    else:
        with pytest.raises(MailboxNameRefused, match="INBOX is not below the prefix"):
            account.store_name(namespace.prefix + "Inbox")
