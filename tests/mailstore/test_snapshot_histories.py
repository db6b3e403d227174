"""Histories by chance: whoever goes on from a snapshot tells what one tells that reads everything."""

import asyncio
import os
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from fakes.examples import examples
from fakes.strange_programs import do_strange_thing
from mailstore.test_across_restarts import table_of
from pillarbox.mailstore.cache.snapshot_format import Snapshot
from pillarbox.mailstore.deliver import make_maildir
from pillarbox.mailstore.mailbox import FlagAction, FlagChange, NewMessage
from pillarbox.mailstore.maildir import mailbox as maildir_mailbox
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.folder_snapshots import go_on_from
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid

ROUNDS = 8
LONG_AGO = 1_700_000_000_000_000_000
FLAGS = (Flag.SEEN, Flag.FLAGGED, Flag.DELETED, Flag.ANSWERED | Flag.SEEN)
KEYWORDS = ((b"Work",), (b"$Forwarded", b"b"), tuple(b"k%d" % number for number in range(28)))
MEANWHILE = (
    *(b"deliver", b"move", b"flag", b"remove", b"touch", b"settle", b"settle", b"settle"),
    *(b"rewrite uidlist", b"append to uidlist", b"tear uidlist", b"damage", b"cut", b"restore"),
)


class History:
    """One account over a while."""

    def __init__(self, base: Path, seed: int) -> None:
        self.root = base / "Maildir"
        self.untold = base / "untold"
        self.chance = random.Random(seed)
        self.settled = LONG_AGO
        self.saved = b""
        make_maildir(str(self.root))

    @property
    def snapshot(self) -> Path:
        """The file."""
        return self.root / "pillarbox.snapshot"

    async def play(self) -> None:
        """Workers come and go."""
        for _ in range(ROUNDS):
            account = MaildirAccount(str(self.root))
            await self.use(account)
            if self.chance.random() < 0.8:  # else it is killed
                if self.chance.random() < 0.7:
                    self.settle()
                    await account.status("INBOX", with_size=self.chance.random() < 0.5)
                await account.close()
            else:
                await account._caches.leisure.finish()
                for box in account._loaded:
                    await box._writes.finish()  # what the cache is told must not come while it is copied
            for _ in range(self.chance.randrange(3)):
                self.happens(self.chance.choice(MEANWHILE))
            await self.compare()

    async def use(self, account: MaildirAccount) -> None:
        """What a session does."""
        chance = self.chance
        box = await account.open("INBOX")
        if chance.random() < 0.5:
            await box.track_modseqs()
        box.claim_recent()
        for _ in range(chance.randrange(4)):
            uids = list(map(Uid, box.messages.uids))
            some = sorted(chance.sample(uids, min(len(uids), chance.randrange(4))))
            match chance.randrange(4):
                case 0:
                    flags, keywords = chance.choice(FLAGS), chance.choice(KEYWORDS)
                    await box.append([NewMessage(b"Subject: x\r\n\r\n%d\r\n" % len(uids), flags, keywords)])
                case 1:
                    change = FlagChange(chance.choice(list(FlagAction)), chance.choice(FLAGS))
                    await box.change_flags(some, change)
                case 2:
                    await box.change_flags(some, FlagChange(FlagAction.ADD, keywords=chance.choice(KEYWORDS)))
                case _:
                    await box.expunge(some[:2])
            await box.refresh()
        box.close()

    def happens(self, action: bytes) -> None:
        """What other programs do while no worker is there, and to the snapshot itself."""
        uidlist = self.root / "dovecot-uidlist"
        snapshot = self.snapshot.read_bytes() if self.snapshot.exists() else b""
        match action:
            case b"settle":
                self.settle()
            case b"touch":
                os.utime(self.root / "cur")
            case b"rewrite uidlist":
                (self.root / "new-uidlist").write_bytes(uidlist.read_bytes())
                (self.root / "new-uidlist").rename(uidlist)
            case b"append to uidlist":
                number = 1 + max(
                    [int(line.split()[0]) for line in uidlist.read_text().split("\n")[1:] if line] or [0]
                )
                with uidlist.open("a") as file:
                    file.write(f"{number + 3} :gone\n")
            case b"tear uidlist":
                with uidlist.open("a") as file:
                    file.write("9999")
            case b"damage" if snapshot:
                at = self.chance.randrange(len(snapshot))
                self.snapshot.write_bytes(snapshot[:at] + bytes([snapshot[at] ^ 64]) + snapshot[at + 1 :])
            case b"cut" if snapshot:
                self.snapshot.write_bytes(snapshot[: self.chance.randrange(len(snapshot))])
            case b"restore" if self.saved:  # one of a former time
                self.snapshot.write_bytes(self.saved)
            case _:
                do_strange_thing(self.root, action, self.chance.randrange(100))
        if self.chance.random() < 0.3:
            self.saved = snapshot

    def settle(self) -> None:
        """As if the last change had been long ago, whatever it was."""
        self.settled += 1
        for name in ("new", "cur"):
            os.utime(self.root / name, ns=(self.settled, self.settled))

    async def compare(self) -> None:
        """Two workers begin on what is there; one has no snapshot."""
        shutil.rmtree(self.untold, ignore_errors=True)
        shutil.copytree(self.root, self.untold, copy_function=shutil.copy2)
        (self.untold / "pillarbox.snapshot").unlink(missing_ok=True)
        first, second, third = (self.chance.random() < 0.5 for _ in range(3))
        told = []
        for root in (self.untold, self.root):
            account = MaildirAccount(str(root))
            lines: list[object] = []
            if first:
                lines.append(await status_of(account, with_modseq=second, with_size=third))
            lines += await all_of(account, with_modseq=second)
            told.append(lines)
            await account.close()
        assert told[0] == told[1]


async def status_of(account: MaildirAccount, *, with_modseq: bool, with_size: bool) -> list[object]:
    """STATUS without what depends on the moment."""
    status = await account.status("INBOX", with_modseq=with_modseq, with_size=with_size)
    told = [status.messages, status.recent, status.unseen, status.uid_next, status.uid_validity, status.guid]
    return [*told, *([status.size, status.deleted, status.deleted_size] if with_size else [])]


async def all_of(account: MaildirAccount, *, with_modseq: bool) -> list[object]:
    """Everything else."""
    box = await account.open("INBOX")
    uids = box.messages.uids
    told: list[object] = [box.uid_next, box.uid_validity, box.guid, box.first_recent_uid, box.has_modseqs]
    told += [table_of(box), await box.identities(uids), await box.pop3_fields()]
    told += [await box.content(Uid(uid)) for uid in uids]
    if with_modseq and box.has_modseqs:
        kept = box._modseqs.kept
        await box.track_modseqs()
        told += [modseq if modseq <= kept else "new" for modseq in box.messages.modseqs]
        told += [box.highest_modseq if box.highest_modseq <= kept else "new", await box.vanished_since(kept)]
    change = FlagChange(FlagAction.ADD, Flag.DRAFT, (b"last",))
    await box.change_flags([Uid(uid) for uid in uids[:2]], change)
    await box.expunge([Uid(uid) for uid in uids[2:3]])
    told += await box.append([NewMessage(b"last\r\n")])
    told.append(table_of(box))
    box.close()
    return told


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> "Counter[str]":
    """How often a snapshot was gone on from."""
    found: Counter[str] = Counter()

    def counting(folder: FolderFiles, snapshot: Snapshot) -> bool:
        goes_on = go_on_from(folder, snapshot)
        found[str(goes_on)] += 1
        return goes_on

    monkeypatch.setattr(maildir_mailbox, "go_on_from", counting)
    return found


@pytest.mark.parametrize("part", range(4))
def test_histories(tmp_path: Path, counted: "Counter[str]", part: int) -> None:
    """Sessions, kills, other programs and damage, in any order."""
    for seed in range(part, examples(24), 4):
        history = History(tmp_path / str(seed), seed)
        asyncio.run(history.play())
    assert counted["True"] > 10
    assert counted["False"] > 0
