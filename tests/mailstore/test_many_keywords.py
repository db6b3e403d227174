"""Mailboxes with more keywords than a machine word has bits: in memory, written down, and read again."""

import asyncio
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstore.test_snapshots import counted, settle
from mailstore.test_view import mailbox_of
from mailstore.test_view_state import elsewhere, written_down
from pillarbox.mailstore.keyword_bits import NARROW, from_octets, keyword_bits, mask_octets, to_octets
from pillarbox.mailstore.mailbox import FlagAction, FlagChange, Mailbox, NewMessage
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.view import NOTHING, MailboxView
from pillarbox.vocabulary.identifiers import Uid

NAMES = tuple(b"tag-%d" % number for number in range(150))


@given(st.lists(st.integers(0, (1 << 64) - 1) | st.integers(0, (1 << 200) - 1)))
def test_a_column_is_the_same_as_octets(masks: list[int]) -> None:
    """Eight octets each where that is enough, and an array in memory."""
    column = keyword_bits(masks)
    is_narrow = max(masks, default=0) < 1 << 64
    assert isinstance(column, array) is is_narrow
    width = mask_octets(column)
    assert (width == NARROW) is is_narrow
    octets = to_octets(column)
    assert len(octets) == width * len(masks)
    assert from_octets(octets, width) == column
    assert list(column) == masks


@pytest.mark.parametrize(("octets", "width"), [(b"1234567", 8), (b"12345678", 9), (b"12345678", 1), (b"", 0)])
def test_octets_that_are_no_column(octets: bytes, width: int) -> None:
    """ValueError."""
    with pytest.raises(ValueError, match="no column"):
        from_octets(octets, width)


def meanings(box: Mailbox) -> dict[int, set[bytes]]:
    """Keywords of messages."""
    rows = zip(box.messages.uids, box.messages.keywords, strict=True)
    return {uid: {name for bit, name in enumerate(box.keywords) if mask >> bit & 1} for uid, mask in rows}


def test_they_are_there_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the snapshot, and from the files alone; mod-sequences stay, as nothing has changed."""
    expected = {1: set(NAMES), 2: {NAMES[3], NAMES[149]}, 3: set(), 4: {NAMES[70]}}
    went_on = counted(monkeypatch)

    async def fill() -> tuple[list[int], int]:
        account = MaildirAccount(str(tmp_path))
        box = await account.open("INBOX")
        await box.track_modseqs()
        await box.append([NewMessage(b"A: b\n\n")] * 3)
        await box.change_flags([Uid(1)], FlagChange(FlagAction.ADD, keywords=NAMES))
        await box.change_flags([Uid(2)], FlagChange(FlagAction.ADD, keywords=(NAMES[3], NAMES[149])))
        await box.append([NewMessage(b"A: b\n\n", keywords=(NAMES[70],))])
        assert meanings(box) == expected
        told = list(box.messages.modseqs), box.highest_modseq
        box.close()
        settle(tmp_path)
        await account.status("INBOX")
        await account.close()
        return told

    async def look() -> tuple[list[int], int]:
        account = MaildirAccount(str(tmp_path))
        box = await account.open("INBOX")
        assert meanings(box) == expected
        await box.track_modseqs()
        told = list(box.messages.modseqs), box.highest_modseq
        box.close()
        await account.close()
        return told

    told = asyncio.run(fill())
    assert told == asyncio.run(look())
    assert went_on == [True]
    (tmp_path / "pillarbox.snapshot").unlink()
    assert told == asyncio.run(look())


def test_a_client_goes_on_elsewhere() -> None:
    """Its view is written down; nothing has happened, or one keyword has gone."""
    mailbox = mailbox_of(2)
    asyncio.run(mailbox.change_flags([Uid(2)], FlagChange(FlagAction.ADD, keywords=NAMES)))
    view = MailboxView(mailbox, read_only=False)
    assert elsewhere(written_down(view), mailbox).sync(tell_expunges=True) == NOTHING
    state = written_down(view)
    asyncio.run(mailbox.change_flags([Uid(2)], FlagChange(FlagAction.REMOVE, keywords=NAMES[149:])))
    assert [number for number, _ in elsewhere(state, mailbox).sync(tell_expunges=True).flags] == [2]


def test_letters_are_not_written_anew_for_keywords_without_one(tmp_path: Path) -> None:
    """The time of dovecot-keywords would run ahead of the clock, a second for each."""

    async def scene() -> None:
        account = MaildirAccount(str(tmp_path))
        box = await account.open("INBOX")
        await box.append([NewMessage(b"A: b\n\n", keywords=NAMES[:26])])
        before = (tmp_path / "dovecot-keywords").stat()
        for name in NAMES[26:40]:
            await box.change_flags([Uid(1)], FlagChange(FlagAction.ADD, keywords=(name,)))
        after = (tmp_path / "dovecot-keywords").stat()
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
        box.close()
        await account.close()

    asyncio.run(scene())
