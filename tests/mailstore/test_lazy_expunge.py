"""lazy_expunge without Dovecot: what stays of expunged messages, and what goes nevertheless."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pillarbox.config.lazy_expunge_settings import LazyExpungeSettings, exclusion, lazy_expunge_settings
from pillarbox.config.mailbox_settings import MailboxDefinition
from pillarbox.mailstore.mailbox import NewMessage, StoreUnavailable
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.lazy_expunge import LazyExpunge
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid

Work = Callable[[MaildirAccount], Awaitable[None]]


@pytest.mark.parametrize(
    ("plugin", "settings"),
    [
        ({}, None),
        ({"lazy_expunge_only_last_instance": "yes"}, None),
        ({"lazy_expunge": "E"}, LazyExpungeSettings("E")),
        (
            {"lazy_expunge": "E", "lazy_expunge_only_last_instance": "No", "lazy_expunge_exclude2": "x"},
            LazyExpungeSettings("E"),
        ),
        (
            {
                "lazy_expunge": "E",
                "lazy_expunge_only_last_instance": "yes",
                "lazy_expunge_exclude": "a*",
                "lazy_expunge_exclude2": "\\Junk",
                "lazy_expunge_exclude4": "y",
            },
            LazyExpungeSettings("E", True, ("a*", "\\Junk")),
        ),
    ],
)
def test_settings(plugin: dict[str, str], settings: LazyExpungeSettings | None) -> None:
    """Exclusions are numbered without gaps."""
    assert lazy_expunge_settings(plugin) == settings


def test_exclusions() -> None:
    """By names as clients have them, and by special use."""
    mailboxes = (MailboxDefinition(name="Spam", special_use=("\\Junk",)),)
    excluded = exclusion(("Tr*", "\\junk", "INBOX.a?", "x[1]"), mailboxes, lambda name: f"INBOX.{name}")
    assert excluded("Spam")
    assert excluded("ab")
    assert not excluded("Trash")  # INBOX.Trash
    assert not excluded("abc")
    plain = exclusion(("x[1]",), mailboxes, lambda name: name)
    assert plain("x[1]")
    assert not plain("x1")


def with_account(root: Path, work: Work, *, target: str = "Expunged", only_last: bool = False) -> None:
    """An account whose expunged messages go to a mailbox."""

    async def run() -> None:
        account = MaildirAccount(str(root))
        account.lazy_expunge = LazyExpunge(
            account,
            lambda name: None if name == target else target,
            only_last_instance=only_last,
            owns_target=False,
        )
        try:
            await work(account)
        finally:
            await account.close()

    asyncio.run(run())


def test_a_mailbox_is_made_and_flags_stay(tmp_path: Path) -> None:
    """But \\Deleted; from the mailbox itself messages go for good."""

    async def work(account: MaildirAccount) -> None:
        inbox = await account.open("INBOX")
        uids = await inbox.append([NewMessage(b"a", Flag.SEEN | Flag.DELETED, (b"x",)), NewMessage(b"b")])
        assert await inbox.expunge([*uids, Uid(99)]) == uids
        kept = await account.open("Expunged")
        assert list(kept.messages.flags) == [Flag.SEEN, 0]
        assert list(kept.keywords) == [b"x"]
        assert await kept.content(Uid(1)) == b"a"
        await kept.expunge([Uid(1)])
        assert list(kept.messages.uids) == [2]
        await account.create("Other")
        other = await account.open("Other")
        await inbox.append([NewMessage(b"c")])
        await inbox.move([Uid(3)], other)
        await other.move([Uid(1)], kept)  # no second copy
        assert len(kept.messages.uids) == 3
        await other.append([NewMessage(b"d")])
        other.close()
        await account.delete("Other")
        assert len(kept.messages.uids) == 4

    with_account(tmp_path / "Maildir", work)


def test_the_last_of_several_copies_stays(tmp_path: Path) -> None:
    """Two of three copies that go together are one message more than is wanted."""

    async def work(account: MaildirAccount) -> None:
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a")])
        await inbox.copy([Uid(1)], inbox)
        await inbox.copy([Uid(1)], inbox)
        assert await inbox.last_instances([Uid(1), Uid(2)]) == []
        assert await inbox.last_instances([Uid(1), Uid(2), Uid(3)]) == [Uid(3)]
        await inbox.expunge([Uid(1)])
        assert [entry.name for entry in await account.list_mailboxes()] == ["INBOX"]
        await inbox.expunge([Uid(2), Uid(3)])
        kept = await account.open("Expunged")
        assert list(kept.messages.uids) == [1]

    with_account(tmp_path / "Maildir", work, only_last=True)


def test_what_cannot_be_kept_is_not_expunged(tmp_path: Path) -> None:
    """The reason is for the log."""

    async def work(account: MaildirAccount) -> None:
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a")])
        await account.create("Other")
        other = await account.open("Other")
        with pytest.raises(StoreUnavailable, match="lazy_expunge: Couldn't open expunge mailbox: Invalid"):
            await inbox.expunge([Uid(1)])
        with pytest.raises(StoreUnavailable):
            await inbox.move([Uid(1)], other)
        assert list(inbox.messages.uids) == [1]

    with_account(tmp_path / "Maildir", work, target="a//b")
