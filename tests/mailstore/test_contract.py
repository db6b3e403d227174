"""What every mail store promises (mailstore/mailbox.py), kept by the Maildir and by its twin in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from pillarbox.mailstore.mailbox import (
    Account,
    Change,
    ChangeKind,
    Fields,
    FlagAction,
    FlagChange,
    Mailbox,
    MailboxExists,
    MailboxNameRefused,
    MessageGone,
    NewMessage,
    NoSuchMailbox,
)
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid

Scene = Callable[[Account], Awaitable[None]]
Play = Callable[[Scene], None]


@pytest.fixture(params=["maildir", "memory"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Run a scene with a fresh account."""

    def run(scene: Scene) -> None:
        async def perform() -> None:
            account: Account
            if request.param == "maildir":
                account = cast(Account, MaildirAccount(str(tmp_path / "Maildir")))
            else:
                account = cast(Account, MemoryAccount())
            await scene(account)
            await account.close()

        asyncio.run(perform())

    return run


def message(number: int, flags: Flag = Flag.NONE, *keywords: bytes) -> NewMessage:
    """A message that can be told from others."""
    return NewMessage(
        b"Subject: %d\r\n\r\nbody %d\r\n" % (number, number), flags, keywords, 1_700_000_000.0 + number
    )


def add(flags: Flag, *keywords: bytes) -> FlagChange:
    """+FLAGS"""
    return FlagChange(FlagAction.ADD, flags, keywords)


def flags_of(mailbox: Mailbox, uid: int) -> tuple[Flag, set[bytes]]:
    """Flags and keywords as the table has them."""
    row = mailbox.messages.row(uid)
    assert row is not None
    bits = mailbox.messages.keywords[row]
    return Flag(mailbox.messages.flags[row]), {
        name for bit, name in enumerate(mailbox.keywords) if bits >> bit & 1
    }


def test_an_empty_inbox_is_always_there(play: Play) -> None:
    """INBOX exists without being made, with UIDVALIDITY, GUID and UIDNEXT 1."""

    async def scene(account: Account) -> None:
        inbox = await account.open("INBOX")
        assert "INBOX" == inbox.name
        assert 0 == len(inbox.messages)
        assert 1 == inbox.uid_next
        assert inbox.uid_validity > 0
        assert 32 == len(inbox.guid)
        assert ["INBOX"] == [entry.name for entry in await account.list_mailboxes()]
        inbox.close()

    play(scene)


def test_append_gives_uids_and_keeps_content_date_and_flags(play: Play) -> None:
    """UIDs grow; content comes back with CRLF; date and size are those of the message."""

    async def scene(account: Account) -> None:
        inbox = await account.open("INBOX")
        assert [1, 2] == await inbox.append(
            [message(1), message(2, Flag.SEEN | Flag.FLAGGED, b"Work", b"$x")]
        )
        assert 3 == inbox.uid_next
        assert [1, 2] == list(inbox.messages.uids)
        assert (Flag.NONE, set()) == flags_of(inbox, 1)
        assert (Flag.SEEN | Flag.FLAGGED, {b"Work", b"$x"}) == flags_of(inbox, 2)
        assert b"Subject: 2\r\n\r\nbody 2\r\n" == await inbox.content(Uid(2))
        wanted = Fields.DATE | Fields.SIZE
        assert [(2, 1_700_000_002, 22), (1, 1_700_000_001, 22)] == [
            (summary.uid, summary.internal_date, summary.size)
            for summary in await inbox.summaries([Uid(2), Uid(1), Uid(7)], wanted)
        ]
        [summary] = await inbox.summaries([Uid(1)], ~Fields(0))
        assert b'(NIL "1" NIL NIL NIL NIL NIL NIL NIL NIL)' == summary.envelope
        assert b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 8 1)' == summary.body
        assert summary.body_structure.startswith(summary.body[:-1])
        assert b"Subject: 1\r\n\r\n" == summary.header
        assert [summary] == await inbox.summaries([Uid(1)], ~Fields(0))

    play(scene)


def test_flags_change_and_say_whether_they_did(play: Play) -> None:
    """STORE: +FLAGS, -FLAGS, FLAGS; unknown UIDs are passed over; keywords are case-insensitive."""

    async def scene(account: Account) -> None:
        inbox = await account.open("INBOX")
        await inbox.append([message(1), message(2, Flag.SEEN)])
        before = inbox.highest_modseq
        assert [1, 2] == await inbox.change_flags([Uid(1), Uid(2), Uid(9)], add(Flag.FLAGGED, b"Work"))
        assert inbox.highest_modseq > before
        assert [] == await inbox.change_flags([Uid(1)], add(Flag.FLAGGED, b"WORK"))
        assert (Flag.FLAGGED, {b"Work"}) == flags_of(inbox, 1)
        remove = FlagChange(FlagAction.REMOVE, Flag.SEEN | Flag.DELETED, (b"work", b"nobody-has-this"))
        assert [1, 2] == await inbox.change_flags([Uid(1), Uid(2)], remove)
        assert (Flag.FLAGGED, set()) == flags_of(inbox, 2)
        assert b"nobody-has-this" not in inbox.keywords
        assert [2] == await inbox.change_flags(
            [Uid(2)], FlagChange(FlagAction.REPLACE, Flag.DRAFT | Flag.RECENT)
        )
        assert (Flag.DRAFT, set()) == flags_of(inbox, 2)

    play(scene)


def test_many_keywords(play: Play) -> None:
    """More keywords than file names have letters for; at the limit, OverflowError and no change."""

    async def scene(account: Account) -> None:
        inbox = await account.open("INBOX")
        names = tuple(b"k%d" % number for number in range(60))
        await inbox.append([message(1), message(2)])
        await inbox.change_flags([Uid(1)], add(Flag.NONE, *names))
        assert (Flag.NONE, set(names)) == flags_of(inbox, 1)
        await inbox.change_flags([Uid(1)], FlagChange(FlagAction.REMOVE, Flag.NONE, (b"k0", b"k59")))
        assert (Flag.NONE, set(names[1:59])) == flags_of(inbox, 1)
        with pytest.raises(OverflowError):
            await inbox.change_flags([Uid(2)], add(Flag.NONE, *(b"more%d" % number for number in range(9))))
        assert (Flag.NONE, set()) == flags_of(inbox, 2)
        assert [(1, 3)] == await inbox.copy([Uid(1)], inbox)
        assert (Flag.NONE, set(names[1:59])) == flags_of(inbox, 3)

    play(scene)


def test_expunge_removes_for_good(play: Play) -> None:
    """UIDs that were there; content gone; the UID is not given again."""

    async def scene(account: Account) -> None:
        inbox = await account.open("INBOX")
        await inbox.append([message(1), message(2), message(3)])
        assert [1, 3] == await inbox.expunge([Uid(1), Uid(3), Uid(9)])
        assert [2] == list(inbox.messages.uids)
        with pytest.raises(MessageGone):
            await inbox.content(Uid(3))
        assert [] == await inbox.summaries([Uid(3)], Fields.SIZE)
        assert [4] == await inbox.append([message(4)])

    play(scene)


def test_copy_and_move_keep_flags_and_dates(play: Play) -> None:
    """Pairs of UIDs; keywords by name, not by bit; move empties the source."""

    async def scene(account: Account) -> None:
        await account.create("A/B")
        inbox, target = await account.open("INBOX"), await account.open("A/B")
        await target.append([message(9, Flag.NONE, b"other")])
        await inbox.append(
            [message(1, Flag.SEEN, b"x"), message(2), message(3, Flag.ANSWERED, b"y", b"other")]
        )
        assert [(1, 2), (3, 3)] == await inbox.copy([Uid(1), Uid(3)], target)
        assert (Flag.SEEN, {b"x"}) == flags_of(target, 2)
        assert (Flag.ANSWERED, {b"y", b"other"}) == flags_of(target, 3)
        assert [1, 2, 3] == list(inbox.messages.uids)
        assert [(2, 4)] == await inbox.move([Uid(2)], target)
        assert [1, 3] == list(inbox.messages.uids)
        assert [(1, 5)] == await inbox.copy([Uid(1)], target)
        assert b"Subject: 1\r\n\r\nbody 1\r\n" == await target.content(Uid(5))
        [summary] = await target.summaries([Uid(5)], Fields.DATE)
        assert 1_700_000_001 == summary.internal_date
        assert [(2, 4)] == await target.copy([Uid(2)], inbox)
        for refused in (inbox.copy, inbox.move):
            with pytest.raises(MessageGone):
                await refused([Uid(1), Uid(99)], target)
        assert [1, 2, 3, 4, 5] == list(target.messages.uids)

    play(scene)


def test_the_journal_tells_what_happened(play: Play) -> None:
    """In order, with origin; positions grow by one."""

    async def scene(account: Account) -> None:
        inbox = await account.open("INBOX")
        start = inbox.journal_position
        me = object()
        await inbox.append([message(1), message(2)])
        await inbox.change_flags([Uid(1)], add(Flag.SEEN), origin=me)
        await inbox.expunge([Uid(2)], origin=me)
        changes = inbox.changes_since(start)
        assert changes is not None
        assert start + 4 == inbox.journal_position
        assert [
            (ChangeKind.ADDED, 1, None),
            (ChangeKind.ADDED, 2, None),
            (ChangeKind.FLAGS, 1, me),
            (ChangeKind.EXPUNGED, 2, me),
        ] == [(change.kind, change.uid, change.origin) for change in changes]
        assert [] == inbox.changes_since(inbox.journal_position)
        modseqs = [change.modseq for change in changes]
        assert modseqs == sorted(modseqs)
        assert inbox.highest_modseq == modseqs[-1]
        assert isinstance(changes[0], Change)

    play(scene)


def test_recent_goes_to_one_session(play: Play) -> None:
    """RFC 3501 §2.3.2: the first session to see a message has it \\Recent, no other."""

    async def scene(account: Account) -> None:
        inbox = await account.open("INBOX")
        await inbox.append([message(1), message(2)])
        assert 1 == inbox.first_recent_uid
        assert 1 == inbox.claim_recent()
        assert 3 == inbox.first_recent_uid
        await inbox.append([message(3)])
        assert 3 == inbox.claim_recent()
        assert 4 == inbox.claim_recent()

    play(scene)


def test_watchers_are_told(play: Play) -> None:
    """Whoever watches hears of a change made by another session of the process, until it stops."""

    async def scene(account: Account) -> None:
        inbox = await account.open("INBOX")
        told = asyncio.Event()
        end = inbox.watch(told.set)
        await inbox.append([message(1)])
        async with asyncio.timeout(5):
            await told.wait()
        end()
        told.clear()
        await inbox.append([message(2)])
        await asyncio.sleep(0)
        assert not told.is_set()

    play(scene)


def test_status_without_selecting(play: Play) -> None:
    """Counts, UIDNEXT, size; the messages stay \\Recent."""

    async def scene(account: Account) -> None:
        inbox = await account.open("INBOX")
        await inbox.append([message(1), message(2, Flag.SEEN)])
        inbox.close()
        status = await account.status("INBOX")
        assert (2, 2, 1, 3, 44) == (
            status.messages,
            status.recent,
            status.unseen,
            status.uid_next,
            status.size,
        )
        assert (inbox.uid_validity, inbox.guid) == (status.uid_validity, status.guid)
        with pytest.raises(NoSuchMailbox):
            await account.status("nobody")

    play(scene)


REFUSED = ["", "/x", "x//y"]


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_are_refused(play: Play, name: str) -> None:
    """CREATE and RENAME refuse what the store cannot hold; opening it finds nothing."""

    async def scene(account: Account) -> None:
        with pytest.raises(MailboxNameRefused):
            await account.create(name)
        with pytest.raises(NoSuchMailbox):
            await account.open(name)

    play(scene)


def test_the_tree(play: Play) -> None:
    """CREATE, LIST with parents, RENAME with children, DELETE."""

    async def scene(account: Account) -> None:
        await account.create("A/B/C")
        await account.create("A/B")
        await account.create("Ünï & Söhne")
        with pytest.raises(MailboxExists):
            await account.create("A/B")
        with pytest.raises(MailboxExists):
            await account.create("INBOX")
        assert [
            ("A", False, True),
            ("A/B", True, True),
            ("A/B/C", True, False),
            ("INBOX", True, False),
            ("Ünï & Söhne", True, False),
        ] == [(entry.name, entry.selectable, entry.has_children) for entry in await account.list_mailboxes()]
        opened = await account.open("A/B/C")
        await opened.append([message(1)])
        await account.rename("A/B", "D")
        assert ["D", "D/C", "INBOX", "Ünï & Söhne"] == [
            entry.name for entry in await account.list_mailboxes()
        ]
        assert [1] == list((await account.open("D/C")).messages.uids)
        with pytest.raises(NoSuchMailbox):
            await account.open("A/B")
        with pytest.raises(NoSuchMailbox):
            await account.rename("A/B", "E")
        with pytest.raises(MailboxExists):
            await account.rename("D", "Ünï & Söhne")
        with pytest.raises(MailboxExists):
            await account.rename("D", "INBOX")
        with pytest.raises(MailboxNameRefused):
            await account.rename("INBOX", "X")
        await account.delete("D")
        assert [("D", False), ("D/C", True)] == [
            (entry.name, entry.selectable) for entry in (await account.list_mailboxes())[:2]
        ]
        with pytest.raises(NoSuchMailbox):
            await account.delete("D")
        with pytest.raises(MailboxNameRefused):
            await account.delete("INBOX")

    play(scene)


def test_a_deleted_mailbox_is_gone_for_its_sessions(play: Play) -> None:
    """A session that has it selected learns it at the next refresh; a new one has another UIDVALIDITY."""

    async def scene(account: Account) -> None:
        await account.create("X")
        old = await account.open("X")
        await account.delete("X")
        with pytest.raises(NoSuchMailbox):
            await old.append([NewMessage(b"x")])
        with pytest.raises(NoSuchMailbox):
            await old.refresh()
        await account.create("X")
        new = await account.open("X")
        assert new.uid_validity > old.uid_validity

    play(scene)


def test_subscriptions(play: Play) -> None:
    """Names, existing or not; LIST shows them."""

    async def scene(account: Account) -> None:
        await account.unsubscribe("never")
        await account.create("A b")
        for name in ("A b", "not/there", "A b"):
            await account.subscribe(name)
        assert {"A b", "not/there"} == set(await account.subscriptions())
        assert [("A b", True), ("INBOX", False)] == [
            (entry.name, entry.subscribed) for entry in await account.list_mailboxes()
        ]
        await account.unsubscribe("A b")
        await account.unsubscribe("never")
        assert ["not/there"] == await account.subscriptions()

    play(scene)


def test_mod_sequences_grow_and_belong_to_what_changed(play: Play) -> None:
    """RFC 7162 §3.1.1: each change gives its messages, and the mailbox, a higher one; others keep theirs."""

    async def scene(account: Account) -> None:
        inbox = await account.open("INBOX")
        await inbox.append([message(1), message(2), message(3)])
        had_modseqs = inbox.has_modseqs
        await inbox.track_modseqs()
        assert (False, True) == (had_modseqs, inbox.has_modseqs)
        before, highest = list(inbox.messages.modseqs), inbox.highest_modseq
        assert highest == max(before)
        await inbox.change_flags([Uid(2)], add(Flag.SEEN))
        assert [before[0], before[2]] == [inbox.messages.modseqs[0], inbox.messages.modseqs[2]]
        assert inbox.highest_modseq == inbox.messages.modseqs[1] > highest
        highest = inbox.highest_modseq
        await inbox.change_flags([Uid(2)], add(Flag.SEEN))
        assert highest == inbox.highest_modseq
        await inbox.expunge([Uid(1)])
        assert inbox.highest_modseq > highest
        assert (await account.status("INBOX", with_modseq=True)).highest_modseq == inbox.highest_modseq

    play(scene)


def test_flags_that_are_not_as_expected_stay(play: Play) -> None:
    """STORE UNCHANGEDSINCE: who expects other flags than there are changes nothing (RFC 7162 §3.1.3)."""

    async def scene(account: Account) -> None:
        inbox = await account.open("INBOX")
        await inbox.append([message(1, Flag.SEEN), message(2), message(3)])
        expected = {1: (int(Flag.SEEN), 0), 2: (int(Flag.DRAFT), 0)}
        change = FlagChange(FlagAction.ADD, Flag.FLAGGED, expected=expected)
        assert [1] == await inbox.change_flags([Uid(1), Uid(2), Uid(3)], change)
        assert (Flag.SEEN | Flag.FLAGGED, set()) == flags_of(inbox, 1)
        assert (Flag.NONE, set()) == flags_of(inbox, 2)
        assert (Flag.NONE, set()) == flags_of(inbox, 3)

    play(scene)


def test_secrets_for_urls(play: Play) -> None:
    """Made once, and kept apart from annotations; gone when they are to be, or with their mailbox."""

    async def scene(account: Account) -> None:
        await account.create("a")
        for name in ("a", "INBOX"):
            (await account.open(name)).close()
        guids = await account.identities()
        assert await account.url_key(guids["a"]) == b""
        assert await account.url_key(guids["a"], b"\x00first") == b"\x00first"
        assert await account.url_key(guids["a"], b"second") == b"\x00first"
        assert await account.url_key(guids["INBOX"], b"other") == b"other"
        assert await account.attributes("a") == {}
        await account.rename("a", "b")
        assert await account.url_key(guids["a"]) == b"\x00first"
        await account.forget_url_keys([guids["a"], b"0" * 32])
        assert await account.url_key(guids["a"]) == b""
        assert await account.url_key(guids["a"], b"third") == b"third"
        await account.forget_url_keys(list(guids.values()))
        assert await account.url_key(guids["INBOX"]) == b""

    play(scene)


def test_annotations_belong_to_a_mailbox(play: Play) -> None:
    """Of each its own, and of the account; with the mailbox by rename, gone with it."""

    async def scene(account: Account) -> None:
        await account.create("a")
        await account.change_attributes("a", {"private/comment": b"x\ty\r\nz\x01", "shared/comment": b""})
        await account.change_attributes("", {"private/vendor/x": b"server"})
        await account.change_attributes("INBOX", {"private/comment": b"inbox"})
        await account.rename("a", "b/c")
        assert await account.attributes("b/c") == {"private/comment": b"x\ty\r\nz\x01", "shared/comment": b""}
        assert await account.attributes("") == {"private/vendor/x": b"server"}
        assert await account.attributes("INBOX") == {"private/comment": b"inbox"}
        await account.change_attributes("b/c", {"private/comment": None, "private/none": None})
        assert await account.attributes("b/c") == {"shared/comment": b""}
        await account.delete("b/c")
        await account.create("b/c")
        assert await account.attributes("b/c") == {}
        with pytest.raises(NoSuchMailbox):
            await account.attributes("a")
        with pytest.raises(NoSuchMailbox):
            await account.change_attributes("a", {"private/x": b"y"})

    play(scene)


def test_special_uses_that_were_given(play: Play) -> None:
    """RFC 6154 §3: LIST tells them, under the name that the mailbox has now."""

    async def uses(account: Account) -> dict[str, bytes]:
        return {
            entry.name: entry.special_use for entry in await account.list_mailboxes() if entry.special_use
        }

    async def scene(account: Account) -> None:
        for name, use in (("a", b"\\Junk"), ("b", b"\\Sent")):
            await account.create(name)
            await account.change_attributes(name, {"private/specialuse": use})
        assert await uses(account) == {"a": b"\\Junk", "b": b"\\Sent"}
        await account.rename("a", "c")
        await account.rename("b", "a")
        assert await uses(account) == {"c": b"\\Junk", "a": b"\\Sent"}
        await account.delete("c")
        assert await uses(account) == {"a": b"\\Sent"}
        await account.create("c")
        assert await uses(account) == {"a": b"\\Sent"}

    play(scene)
