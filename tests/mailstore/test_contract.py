"""What every mail store promises (mailstore/mailbox.py), kept by the Maildir and by its twin in memory."""

import asyncio

import pytest

from fakes.store_scenes import Play, add, flags_of, message
from pillarbox.mailstore.mailbox import (
    MAX_KEYWORDS,
    Account,
    Change,
    ChangeKind,
    Fields,
    FlagAction,
    FlagChange,
    KeptFlags,
    MailboxExists,
    MailboxNameRefused,
    MessageGone,
    NewMessage,
    NoSuchMailbox,
)
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid


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
        names = tuple(b"k%d" % number for number in range(300))
        await inbox.append([message(1), message(2)])
        await inbox.change_flags([Uid(1)], add(Flag.NONE, *names))
        assert (Flag.NONE, set(names)) == flags_of(inbox, 1)
        await inbox.change_flags([Uid(1)], FlagChange(FlagAction.REMOVE, Flag.NONE, (b"k0", b"k299")))
        assert (Flag.NONE, set(names[1:299])) == flags_of(inbox, 1)
        too_many = [b"more%d" % number for number in range(MAX_KEYWORDS - 299)]
        with pytest.raises(OverflowError):
            await inbox.change_flags([Uid(2)], add(Flag.NONE, *too_many))
        assert (Flag.NONE, set()) == flags_of(inbox, 2)
        assert [(1, 3)] == await inbox.copy([Uid(1)], inbox)
        assert (Flag.NONE, set(names[1:299])) == flags_of(inbox, 3)
        assert [1] == await inbox.expunge([Uid(1)])
        assert (Flag.NONE, set(names[1:299])) == flags_of(inbox, 3)
        assert [4] == await inbox.append([NewMessage(b"A: b\n\n", keywords=(b"k299",))])
        assert (Flag.NONE, {b"k299"}) == flags_of(inbox, 4)

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


def test_copies_keep_the_flags_that_they_may(play: Play) -> None:
    """RFC 4314 §4: what the user has no right to set is never there, nor is a keyword made for it."""

    async def scene(account: Account) -> None:
        await account.create("A/B")
        inbox, target = await account.open("INBOX"), await account.open("A/B")
        await inbox.append([message(1, Flag.SEEN | Flag.DELETED, b"x"), message(2, Flag.FLAGGED, b"x")])
        keeping = KeptFlags(Flag.SEEN, keywords=False)
        assert [(1, 1)] == await inbox.copy([Uid(1)], target, keeping=keeping)
        assert [(1, 2), (2, 3)] == await inbox.move([Uid(1), Uid(2)], target, keeping=keeping)
        for uid, flags in ((1, Flag.SEEN), (2, Flag.SEEN), (3, Flag.NONE)):
            assert (flags, set()) == flags_of(target, uid)
        assert not target.keywords

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
        async with asyncio.timeout(45):
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


def test_status_tells_what_expunge_would_free(play: Play) -> None:
    """Messages with \\Deleted, and their size, as that changes."""

    async def scene(account: Account) -> None:
        inbox = await account.open("INBOX")
        await inbox.append([message(1), message(2, Flag.DELETED), message(3, Flag.DELETED | Flag.SEEN)])
        status = await account.status("INBOX")
        assert (2, 44, 66) == (status.deleted, status.deleted_size, status.size)
        await inbox.expunge([Uid(2)])
        status = await account.status("INBOX")
        assert (1, 22, 44) == (status.deleted, status.deleted_size, status.size)
        inbox.close()

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
        for name in ("E/F/G", "E/F/H", "T", "T/F/H"):
            await account.create(name)
        with pytest.raises(MailboxExists):
            await account.rename("E", "T")
        await account.delete("T/F/H")
        await account.rename("E", "T")  # E is no mailbox: T stays what it was
        assert ["T", "T/F", "T/F/G", "T/F/H"] == [
            entry.name for entry in await account.list_mailboxes() if entry.name[0] in "ET"
        ]
        for name in ("T", "T/F/G", "T/F/H"):
            await account.delete(name)
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
