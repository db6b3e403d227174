"""STATUS of mailboxes that were given back: told from a few numbers, as long as they are true."""

import asyncio
import os
from pathlib import Path
from typing import AnyStr

import pytest

from pillarbox.files.file_system import DiskFileSystem
from pillarbox.mailstore.deliver import Delivery, deliver_batch, make_maildir
from pillarbox.mailstore.mailbox import FlagAction, FlagChange, NewMessage, NoSuchMailbox
from pillarbox.mailstore.maildir import known_statuses, loaded_mailboxes
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid

BOXES = 6
LONG_AGO = 1_700_000_000_000_000_000


class Counting(DiskFileSystem):
    """Counts what is done to a mailbox that is looked at."""

    __slots__ = ("listings", "stats")

    def __init__(self) -> None:
        self.listings = self.stats = 0

    def listdir(self, path: AnyStr) -> list[AnyStr]:
        """Names in a directory."""
        self.listings += os.fsencode(path).endswith((b"/new", b"/cur"))
        return super().listdir(path)

    def stat(self, path: AnyStr) -> os.stat_result:
        """stat(2)."""
        self.stats += 1
        return super().stat(path)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An account with some mailboxes of two messages each, long unchanged; two of them stay loaded."""
    monkeypatch.setattr(loaded_mailboxes, "MAX_LOOKED_AT", 2)
    path = tmp_path / "Maildir"
    for name in ("", *(f".Box{number}" for number in range(BOXES))):
        make_maildir(str(path / name))
    for number in range(BOXES):
        deliver(path, number)
        deliver(path, number)
    return path


def deliver(root: Path, number: int) -> None:
    """A message comes."""
    deliver_batch([Delivery(str(root / f".Box{number}"), [b"Subject: x\n\nx\n"])])


def settle(root: Path) -> None:
    """As if the last change had been long ago."""
    for number in range(BOXES):
        for name in ("", "new", "cur"):
            os.utime(root / f".Box{number}" / name, ns=(LONG_AGO, LONG_AGO))


async def counts(account: MaildirAccount, *, with_size: bool = False) -> list[int]:
    """Messages of all mailboxes."""
    return [(await account.status(f"Box{number}", with_size=with_size)).messages for number in range(BOXES)]


def test_mailboxes_are_given_back_and_their_numbers_kept(root: Path) -> None:
    """The second time nothing is listed, and a mailbox that is not loaded costs two stat calls."""

    async def scene() -> None:
        files = Counting()
        account = MaildirAccount(str(root), files=files, clock=ManualClock())
        assert [2] * BOXES == await counts(account)
        settle(root)
        assert [2] * BOXES == await counts(account)
        assert 2 == len(account._loaded)
        await account._caches.leisure.finish()  # what was given back is written down
        assert [2] * BOXES == await counts(account)
        files.listings = files.stats = 0
        assert [2] * BOXES == await counts(account)
        loaded = 2
        assert (0, 2 * (BOXES - loaded) + 3 * loaded) == (files.listings, files.stats)
        await account.close()

    asyncio.run(scene())


def test_what_happens_meanwhile_is_told(root: Path) -> None:
    """Deliveries, other programs' flags, our own sessions' changes, DELETE and RENAME."""

    async def scene() -> None:
        account = MaildirAccount(str(root))
        await counts(account)
        settle(root)
        await counts(account)
        deliver(root, 0)
        assert [3, 2, 2, 2, 2, 2] == await counts(account)
        first = min((root / ".Box1" / "new").iterdir())
        first.rename(root / ".Box1" / "cur" / f"{first.name}:2,S")
        assert 1 == (await account.status("Box1", with_size=False)).unseen
        settle(root)
        await counts(account)
        box = await account.open("Box2")
        await box.append([NewMessage(b"x\r\n")])
        await box.change_flags([Uid(1)], FlagChange(FlagAction.ADD, Flag.SEEN))
        box.close()
        status = await account.status("Box2", with_size=False)
        assert (3, 2, 4) == (status.messages, status.unseen, status.uid_next)
        await account.delete("Box3")
        with pytest.raises(NoSuchMailbox):
            await account.status("Box3", with_size=False)
        await account.rename("Box0", "Box3")
        assert 3 == (await account.status("Box3", with_size=False)).messages
        await account.close()

    asyncio.run(scene())


def test_a_size_that_was_not_asked_for_is_not_made_up(root: Path) -> None:
    """STATUS=SIZE counts; a mailbox that another has been put in the place of is another."""

    async def scene() -> None:
        account = MaildirAccount(str(root))
        await counts(account)
        settle(root)
        await counts(account)
        assert 2 * len(b"Subject: x\r\n\r\nx\r\n") == (await account.status("Box0")).size
        (root / ".Box1").rename(root / ".Old")
        make_maildir(str(root / ".Box1"))
        settle(root)
        assert 0 == (await account.status("Box1", with_size=False)).messages
        await account.close()

    asyncio.run(scene())


def test_what_is_kept_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of few mailboxes, and loaded mailboxes with few messages."""
    monkeypatch.setattr(known_statuses, "MAX_KNOWN", 3)
    monkeypatch.setattr(loaded_mailboxes, "MAX_LOOKED_AT_MESSAGES", 3)

    async def scene() -> None:
        account = MaildirAccount(str(root))
        settle(root)
        for _ in range(2):
            assert [2] * BOXES == await counts(account)
            assert 1 == len(account._loaded)
            assert 3 >= len(account._statuses._known)
        await account.close()

    asyncio.run(scene())


@pytest.mark.parametrize("is_loaded", [True, False])
def test_a_uidlist_that_is_written_in_place_without_its_lock(root: Path, *, is_loaded: bool) -> None:
    """A backup that was copied over it, or an administrator's `>>`: no directory tells; a second later it is seen."""

    async def scene() -> None:
        clock = ManualClock()
        account = MaildirAccount(str(root), clock=clock)
        await counts(account)
        settle(root)
        await counts(account)
        name = "Box5" if is_loaded else "Box0"
        assert is_loaded == (name in account._loaded)
        assert 3 == (await account.status(name, with_size=False)).uid_next
        clock.advance(5)
        await account._caches.leisure.finish()  # what was given back is written down
        before = (root / f".{name}").stat().st_mtime_ns
        uidlist = root / f".{name}" / "dovecot-uidlist"
        with uidlist.open("a") as file:
            file.write("77 :1700000000.gone\n")
        assert before == (root / f".{name}").stat().st_mtime_ns
        assert 78 == (await account.status(name, with_size=False)).uid_next
        await account.close()

    asyncio.run(scene())


def test_a_uidlist_that_another_program_replaces(root: Path) -> None:
    """As `doveadm mailbox update --min-next-uid` does, under the lock: seen a second later at the latest."""

    async def scene() -> None:
        clock = ManualClock()
        account = MaildirAccount(str(root), clock=clock)
        await counts(account)
        settle(root)
        await counts(account)
        assert 3 == (await account.status("Box0", with_size=False)).uid_next
        uidlist = root / ".Box0" / "dovecot-uidlist"
        other = uidlist.with_suffix(".tmp")
        other.write_text(uidlist.read_text().replace(" N1 ", " N40 ", 1))
        other.rename(uidlist)
        clock.advance(1)
        assert 40 == (await account.status("Box0", with_size=False)).uid_next
        await account.close()

    asyncio.run(scene())
