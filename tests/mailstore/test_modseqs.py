"""Mod-sequences of a Maildir from one opening to the next (mailstore/maildir/modseqs.py)."""

import asyncio
import os
from pathlib import Path

from pillarbox.mailstore.cache.message_cache import FILE_NAME
from pillarbox.mailstore.mailbox import FlagAction, FlagChange, NewMessage
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid

SEEN = FlagChange(FlagAction.ADD, Flag.SEEN, (b"Work",))


async def look(root: Path) -> tuple[dict[int, int], int]:
    """UID → mod-sequence, and the highest, as a new process sees them."""
    account = MaildirAccount(str(root))
    inbox = await account.open("INBOX")
    await inbox.track_modseqs()
    found = dict(zip(inbox.messages.uids, inbox.messages.modseqs, strict=True)), inbox.highest_modseq
    await account.close()
    return found


async def fill(root: Path) -> None:
    """Three messages whose mod-sequences a client has asked for; then the second changes."""
    account = MaildirAccount(str(root))
    inbox = await account.open("INBOX")
    await inbox.append([NewMessage(b"Subject: %d\n\nbody" % number) for number in range(3)])
    await inbox.track_modseqs()
    await inbox.change_flags([Uid(2)], SEEN)
    await account.close()


def test_they_are_kept(tmp_path: Path) -> None:
    """A new process tells the same."""
    asyncio.run(fill(tmp_path))
    first = asyncio.run(look(tmp_path))
    assert first == asyncio.run(look(tmp_path))
    modseqs, highest = first
    assert modseqs[1] == modseqs[3] < modseqs[2] == highest


def test_what_others_changed_gets_new_ones(tmp_path: Path) -> None:
    """Another program renames a file: its message, and only that one, has a higher mod-sequence."""
    asyncio.run(fill(tmp_path))
    before, highest = asyncio.run(look(tmp_path))
    [path] = [path for path in (tmp_path / "cur").iterdir() if path.name.endswith("Sa")]
    path.rename(path.with_name(path.name.removesuffix("Sa") + "FSa"))
    after, higher = asyncio.run(look(tmp_path))
    assert after[2] == higher > highest
    assert (before[1], before[3]) == (after[1], after[3])


def test_what_others_removed_moves_the_highest(tmp_path: Path) -> None:
    """A client that knows the old HIGHESTMODSEQ must not believe that nothing has happened."""
    asyncio.run(fill(tmp_path))
    _, highest = asyncio.run(look(tmp_path))
    os.unlink(next(path for path in (tmp_path / "cur").iterdir() if path.name.endswith("Sa")))
    after, higher = asyncio.run(look(tmp_path))
    assert higher > highest
    assert [1, 3] == list(after)


def test_without_the_cache_they_are_higher(tmp_path: Path) -> None:
    """The history may be deleted at any time; then all messages have changed, as far as clients can know."""
    asyncio.run(fill(tmp_path))
    _, highest = asyncio.run(look(tmp_path))
    for path in tmp_path.glob(FILE_NAME + "*"):
        path.unlink()
    after, higher = asyncio.run(look(tmp_path))
    assert min(after.values()) > highest
    assert higher == max(after.values())
