"""Directories that somebody copied, renamed or brought back from a backup: each message is told as what it is."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pillarbox.config.mailbox_settings import Storage
from pillarbox.mailstore.cache.arrivals import ArrivalNotes
from pillarbox.mailstore.cache.filling import CacheFilling
from pillarbox.mailstore.cache.message_cache import FILE_NAME
from pillarbox.mailstore.cache.text_searching import IndexPolicy
from pillarbox.mailstore.deliver import Delivery, deliver_batch
from pillarbox.mailstore.mailbox import (
    Fields,
    NewMessage,
    NoSuchMailbox,
    SortColumn,
    TextPlace,
)
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.mailstore.synchronizing.place import Place
from pillarbox.vocabulary.identifiers import Uid

NAMES = ("Work", "Copy", "Kept")
ALL = Fields.ENVELOPE | Fields.HEADER | Fields.PREVIEW
BEGUN_WITH = 16
"""Of fewer messages no index is asked."""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be known of messages is found out without the moment's rest, which comes a dozen times in a scene."""
    monkeypatch.setattr(CacheFilling.__init__, "__kwdefaults__", {"delay": 0.0})


class Host:
    """One account, and what an administrator does to its directories."""

    def __init__(self, base: Path, *, index: bool = False) -> None:
        self.root = base / "Maildir"
        self.backups = base / "backups"
        self.index = str(base / "index") if index else ""
        self.number = 0
        self.root.parent.mkdir(exist_ok=True)

    def account(self) -> MaildirAccount:
        """As a worker that begins has it."""
        return MaildirAccount(Storage(path=str(self.root), index=self.index), index_policy=IndexPolicy.ALL)

    def directory(self, name: str) -> Path:
        """A mailbox's."""
        return self.root / f".{name}"

    def message(self) -> bytes:
        """One that there is but once."""
        self.number += 1
        word = b"word%d" % self.number
        return b"Subject: %b\r\n\r\n%b%b\r\n" % (word, word, b" " * self.number)

    async def append(self, account: MaildirAccount, name: str, count: int = 1) -> None:
        """New messages, of which the cache and the index know."""
        box = await account.open(name)
        await box.append([NewMessage(self.message()) for _ in range(count)])
        await known(box)
        box.close()

    def copy(self, name: str, to: Path) -> None:
        """cp -a."""
        shutil.copytree(self.directory(name), to, copy_function=shutil.copy2)

    def back_up(self) -> None:
        """The tree, and the cache if it is there."""
        shutil.rmtree(self.backups, ignore_errors=True)
        shutil.copytree(self.root, self.backups, copy_function=shutil.copy2)

    def restore(self, name: str) -> None:
        """One mailbox as it was then."""
        shutil.rmtree(self.directory(name), ignore_errors=True)
        shutil.copytree(self.backups / f".{name}", self.directory(name), copy_function=shutil.copy2)

    def restore_all(self, *, but: str = "") -> None:
        """Everything, in another place on the disk; `but` that file, which stays as it is now."""
        kept = {file.name: file.read_bytes() for file in self.root.glob(f"{but}*") if but and file.is_file()}
        shutil.rmtree(self.root)
        shutil.copytree(self.backups, self.root, copy_function=shutil.copy2)
        for name, octets in kept.items():
            (self.root / name).write_bytes(octets)


async def known(box: MaildirMailbox) -> None:
    """Until all is known of its messages."""
    await box.rows.filling.finished.wait()
    await box.rows.texts.filling.finished.wait()


async def check(account: MaildirAccount, name: str) -> None:
    """Whatever is told of a message is what its file says."""
    box = await account.open(name)
    uids = [Uid(uid) for uid in box.messages.uids]
    assert sorted(set(uids)) == uids
    for one in await box.summaries(uids, ALL):
        content = await box.content(one.uid)
        assert isinstance(content, bytes)
        word = content.split(b"\r\n")[0].removeprefix(b"Subject: ")
        assert (b'"%b"' % word) in one.envelope
        assert one.size == len(content)
        assert one.header.startswith(b"Subject: %b\r\n" % word)
        assert one.preview.strip() == word
        assert one.uid in await box.rows.texts.may_hold([*map(int, uids)], word.decode(), [TextPlace.BODY])
        [(_, subject)] = await box.sort_columns([one.uid], [SortColumn.SUBJECT])
        assert subject == word.decode().upper()
    if box.has_modseqs:
        gone = await box.vanished_since(box._modseqs.kept - 1)
        assert not {*(gone or ())} & {*uids}
    await known(box)
    box.close()


async def renamed(host: Host) -> None:
    """mv."""
    host.directory("Work").rename(host.directory("Kept"))


async def copied(host: Host) -> None:
    """cp -a; both get messages."""
    host.copy("Work", host.directory("Copy"))
    account = host.account()
    for name in ("Copy", "Work"):
        await host.append(account, name)
    await account.close()


async def copied_while_open(host: Host) -> None:
    """The same while a session has the original."""
    account = host.account()
    work = await account.open("Work")
    host.copy("Work", host.directory("Copy"))
    await host.append(account, "Copy")
    await host.append(account, "Work")
    await check(account, "Copy")
    work.close()
    await account.close()


async def swapped(host: Host) -> None:
    """The copy takes the original's place."""
    await copied(host)
    host.directory("Work").rename(host.directory("Kept"))
    host.directory("Copy").rename(host.directory("Work"))


async def swapped_while_open(host: Host) -> None:
    """The same while a session has the original: it is told that it is gone."""
    await copied(host)
    account = host.account()
    work = await account.open("Work")
    host.directory("Work").rename(host.directory("Kept"))
    host.directory("Copy").rename(host.directory("Work"))
    with pytest.raises(NoSuchMailbox):
        await work.refresh()
    work.close()
    await check(account, "Work")
    await account.close()


async def renamed_by_a_client(host: Host) -> None:
    """RENAME, and cp -a to where it was."""
    account = host.account()
    await account.rename("Work", "Kept")
    host.copy("Kept", host.directory("Work"))
    for name in ("Work", "Kept"):
        await host.append(account, name)
    await account.close()


async def restored(host: Host) -> None:
    """An older one in its place: UIDs are given again."""
    account = host.account()
    await host.append(account, "Work", 2)
    await account.close()
    host.restore("Work")
    account = host.account()
    await host.append(account, "Work", 2)
    await account.close()


async def restored_unseen(host: Host) -> None:
    """The same, and a program that has no cache gives the UIDs again."""
    account = host.account()
    await host.append(account, "Work", 2)
    await account.close()
    host.restore("Work")
    deliver(host, "Work", 3)
    Place(Storage(path=str(host.root))).folder("Work")


async def restored_while_open(host: Host) -> None:
    """A session has it open."""
    account = host.account()
    work = await account.open("Work")
    await host.append(account, "Work", 2)
    host.restore("Work")
    deliver(host, "Work", 3)
    with suppress(NoSuchMailbox):
        await work.refresh()
    work.close()
    await check(account, "Work")
    await account.close()


async def restored_beside(host: Host) -> None:
    """To another name."""
    account = host.account()
    await host.append(account, "Work", 2)
    await account.close()
    shutil.copytree(host.backups / ".Work", host.directory("Copy"), copy_function=shutil.copy2)
    account = host.account()
    for name in ("Copy", "Work"):
        await host.append(account, name, 2)
    await account.close()


async def restored_all(host: Host) -> None:
    """The tree with the cache."""
    account = host.account()
    await host.append(account, "Work", 2)
    await account.close()
    host.restore_all()
    account = host.account()
    await host.append(account, "Work", 2)
    await account.close()


async def restored_but_the_cache(host: Host) -> None:
    """The cache knows what came later."""
    account = host.account()
    await host.append(account, "Work", 2)
    await account.close()
    host.restore_all(but=FILE_NAME)
    deliver(host, "Work", 3)
    Place(Storage(path=str(host.root))).folder("Work")


async def restored_but_the_index(host: Host) -> None:
    """The index of texts knows what came later."""
    account = host.account()
    await host.append(account, "Work", 2)
    await account.close()
    host.restore_all(but="pillarbox.search.sqlite")
    deliver(host, "Work", 3)


async def copied_account(host: Host) -> None:
    """A tree for another user, with all that is in it; INDEX= leads to one place for both, by mistake."""
    other = Host(host.root.parent / "other", index=bool(host.index))
    other.index, other.number = host.index, 1000
    shutil.copytree(host.root, other.root, copy_function=shutil.copy2)
    for one in (host, other):
        account = one.account()
        await one.append(account, "Work")
        await account.close()
    account = other.account()
    await check(account, "Work")
    await account.close()


async def deleted(host: Host) -> None:
    """A copy goes; the original has its annotations still."""
    host.copy("Work", host.directory("Copy"))
    account = host.account()
    await account.change_attributes("Work", {"private/comment": b"mine"})
    await host.append(account, "Copy")
    await account.delete("Copy")
    assert {"private/comment": b"mine"} == await account.attributes("Work")
    await account.delete("Work")
    await account.create("Work")
    assert not await account.attributes("Work")
    await host.append(account, "Work")
    await account.close()


def deliver(host: Host, name: str, count: int = 1) -> None:
    """With notes for the cache, as LMTP and virtual(8) leave them."""
    messages = [host.message().replace(b"\r\n", b"\n") for _ in range(count)]
    deliveries = [Delivery(str(host.directory(name)), (message,)) for message in messages]
    notes = ArrivalNotes()
    notes.remember(deliveries, deliver_batch(deliveries))
    notes.write_all()


Scene = Callable[[Host], Awaitable[None]]
SCENES: tuple[Scene, ...] = (
    *(
        renamed,
        copied,
        copied_account,
        copied_while_open,
        swapped,
        swapped_while_open,
        renamed_by_a_client,
        deleted,
    ),
    *(restored, restored_unseen, restored_while_open, restored_beside),
    *(restored_all, restored_but_the_cache, restored_but_the_index),
)


@pytest.mark.parametrize("index", [False, True], ids=["beside", "INDEX="])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_scene(tmp_path: Path, scene: Scene, *, index: bool) -> None:
    """What is told afterwards is true."""
    host = Host(tmp_path, index=index)

    async def play() -> None:
        account = host.account()
        await account.create("Work")
        await host.append(account, "Work", BEGUN_WITH)
        await account.close()
        host.back_up()
        await scene(host)
        for _ in range(2):
            account = host.account()
            for name in [name for name in NAMES if host.directory(name).exists()]:
                await account.status(name)
                await check(account, name)
            await account.close()

    asyncio.run(play())


def moved_tree(host: Host) -> None:
    """mv of the home directory, and back."""
    host.root = host.root.rename(host.root.with_name("Elsewhere"))


def restored_tree(host: Host) -> None:
    """All directories are other ones."""
    host.back_up()
    host.restore_all()


def renamed_mailbox(host: Host) -> None:
    """mv of one directory."""
    host.directory("Work").rename(host.directory("Kept"))


@pytest.mark.parametrize("index", [False, True], ids=["beside", "INDEX="])
@pytest.mark.parametrize("change", [moved_tree, restored_tree, renamed_mailbox], ids=lambda one: one.__name__)
def test_what_is_known_goes_with_the_mailbox(
    tmp_path: Path, change: Callable[[Host], None], *, index: bool
) -> None:
    """Rows, \\Recent, mod-sequences and the index: nothing is read again."""
    host = Host(tmp_path, index=index)

    async def known_now(name: str) -> tuple[object, ...]:
        account = host.account()
        box = await account.open(name)
        found = (
            box.rows.number,
            box._caches.rows.missing(box.rows.number, box.messages.uids),
            box.rows.texts._number,
        )
        await box.track_modseqs()
        told = (*found, int(box.first_recent_uid), box.highest_modseq, list(box.messages.modseqs))
        await known(box)
        box.close()
        await account.close()
        return told

    async def play() -> None:
        account = host.account()
        await account.create("Work")
        await host.append(account, "Work", BEGUN_WITH)
        box = await account.open("Work")
        await box.track_modseqs()
        box.claim_recent()
        await host.append(account, "Work", 3)
        box.close()
        await account.close()
        before = await known_now("Work")
        assert before[0] == before[2] != 0
        assert before[1:4:2] == ([], BEGUN_WITH + 1)
        change(host)
        assert before == await known_now("Kept" if change is renamed_mailbox else "Work")

    asyncio.run(play())
