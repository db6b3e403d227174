"""Dovecot's index: what it knows is read, and becomes ours when a mailbox is opened."""

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import dovecot_index_files as made
from pillarbox.mailstore.dovecot_files.dovecot_index import NotAnIndex, read_state
from pillarbox.mailstore.mailbox import FlagAction, FlagChange
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.vocabulary.identifiers import Uid

NAMES = [b"word-%d" % number for number in range(40)]


def test_an_index_and_the_logs_that_go_on() -> None:
    """Records, then what two logs have changed since."""
    index = made.index(
        99,
        [(1, 8, 0b1, 3), (2, 0, 0b110, 5), (9, 2, 0, 0)],
        keywords=[b"a", b"b", b"c"],
        first_recent=3,
        log_position=(4, 40 + 16),
        highest_modseq=7,
    )
    older = made.log(4, made.appended((1, 0)), made.flagged(9, 9, 8, 2), modseq=6)
    newer = made.log(5, made.keyword(b"new", 1, 2), made.keyword(b"b", 2, 2, removed=True), modseq=8)
    newer += made.expunged(9, 9) + made.header(48, 12) + made.appended((10, 1))[:-1]  # torn
    state = read_state(index, newer, older)
    assert state.uid_validity == 99
    assert state.first_recent == 12
    assert state.flags == {1: 8, 2: 0}
    assert state.keywords == [b"a", b"b", b"c", b"new"]
    assert state.masks == {1: 0b1001, 2: 0b1100}
    assert state.modseqs == {1: 9, 2: 10}
    assert state.highest_modseq == 11


def test_a_log_alone() -> None:
    """A fresh mailbox has no index; mod-sequences begin with the extension."""
    log = made.log(1, made.header(24, 5), made.appended((1, 0)), made.introduced(b"modseq"))
    log += made.appended((2, 0)) + made.flagged(1, 2, 1, 0)
    state = read_state(None, log)
    assert (state.uid_validity, state.flags, state.modseqs) == (5, {1: 1, 2: 1}, {1: 3, 2: 3})


@pytest.mark.parametrize("content", [b"", b"\7", bytes(200), b"\6" + bytes(300)])
def test_no_index(content: bytes) -> None:
    """Nothing is made up."""
    with pytest.raises(NotAnIndex):
        read_state(content, None)
    with pytest.raises(NotAnIndex):
        read_state(None, content)


@given(st.binary(max_size=400))
def test_a_log_that_is_cut_anywhere_is_read_as_far_as_it_goes(tail: bytes) -> None:
    """Whatever stands behind it."""
    log = made.log(1, made.header(24, 5), made.appended((1, 0)))
    assert 1 in read_state(None, log + b"\0" + tail).flags


def test_a_mailbox_is_taken_over(tmp_path: Path) -> None:
    """Keywords without letters, mod-sequences and \\Recent; and what Dovecot changes in a second reign."""

    def dovecots(masks: dict[int, int], *, recent: int) -> None:
        index = made.index(
            77,
            [(uid, 0, masks[uid], 10 + uid) for uid in (1, 2, 3)],
            keywords=NAMES,
            first_recent=recent,
            highest_modseq=20,
        )
        (tmp_path / "dovecot.index").write_bytes(index)
        (tmp_path / "dovecot.index.log").write_bytes(made.log(1, modseq=20))

    async def keywords() -> dict[int, set[bytes]]:
        account = MaildirAccount(str(tmp_path))
        box = await account.open("INBOX")
        found = {
            uid: {name for bit, name in enumerate(box.keywords) if bits >> bit & 1}
            for uid, bits in zip(box.messages.uids, box.messages.keywords, strict=True)
        }
        await box.track_modseqs()
        modseqs = list(box.messages.modseqs)
        assert box.first_recent_uid == recent
        assert box.highest_modseq == 20 if not changed else box.highest_modseq > 20
        assert modseqs == [11, 12, 13] if not changed else modseqs[2] == 13
        assert await box.vanished_since(20) == []
        assert await box.vanished_since(19) is None
        if changes:
            await box.change_flags([Uid(1)], FlagChange(FlagAction.ADD, keywords=(NAMES[38],)))
        box.close()
        await account.close()
        return found

    for place in ("cur", "new", "tmp"):
        (tmp_path / place).mkdir()
    names = [f"170000000{number}.M1P1.host,S=5,W=6" for number in (1, 2, 3)]
    for name, letters in zip(names, ("", "a", "az"), strict=True):
        (tmp_path / "cur" / f"{name}:2,{letters}").write_bytes(b"A: b\n")
    lines = "".join(f"{uid} :{name}\n" for uid, name in enumerate(names, 1))
    (tmp_path / "dovecot-uidlist").write_text(f"3 V77 N4 G{'ab' * 16}\n{lines}")
    (tmp_path / "dovecot-keywords").write_text("".join(f"{i} word-{i}\n" for i in range(26)))
    recent, changed, changes = 3, False, True
    dovecots({1: 1 << 39, 2: 1 | 1 << 30, 3: 1 | 1 << 25}, recent=recent)
    found = asyncio.run(keywords())
    assert found == {1: {NAMES[39]}, 2: {NAMES[0], NAMES[30]}, 3: {NAMES[0], NAMES[25]}}
    changed, changes = True, False
    found = asyncio.run(keywords())  # the index has not changed: what we have added stays
    assert found[1] == {NAMES[38], NAMES[39]}
    recent = 4
    dovecots({1: 1 << 39 | 1 << 37, 2: 1, 3: 1 | 1 << 25}, recent=recent)
    os.utime(tmp_path / "dovecot.index.log", (1_900_000_000, 1_900_000_000))
    found = asyncio.run(keywords())
    assert found[2] == {NAMES[0]}
    assert {NAMES[37], NAMES[39]} <= found[1]
