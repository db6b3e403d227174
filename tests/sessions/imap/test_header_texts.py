"""FETCH of header fields says the same whether or not the mailbox keeps what they say."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.mailbox import Fields, Mailbox, MessageSummary, NewMessage
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.observability.events import Event
from pillarbox.sessions.imap import header_texts, search_memory
from pillarbox.sessions.imap.header_texts import HeaderTexts
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import Uid

TEXTS = st.dictionaries(st.integers(1, 30), st.binary(max_size=3), max_size=20)


def summary(uid: int) -> MessageSummary:
    """Of a message whose size tells which it is."""
    return MessageSummary(Uid(uid), 0, uid * 10, b"", b"", b"", b"")


@given(TEXTS, TEXTS, st.sets(st.integers(1, 30), min_size=1))
def test_what_is_kept_is_found(first: dict[int, bytes], second: dict[int, bytes], asked: set[int]) -> None:
    """All that is asked for, or nothing; what comes with lower UIDs than are there is not kept."""
    texts = HeaderTexts()
    there: dict[int, bytes] = {}
    for added in (first, second):
        highest = max(there, default=0)
        texts.add([summary(uid) for uid in sorted(added)], [added[uid] for uid in sorted(added)])
        there |= {uid: text for uid, text in added.items() if uid > highest}
    found = texts.find(sorted(asked))
    if not asked <= set(there):
        assert found is None
    else:
        assert found is not None
        sizes, fields = found
        assert [uid * 10 for uid in sorted(asked)] == list(sizes)
        assert [there[uid] for uid in sorted(asked)] == fields


def test_what_has_no_room_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there stays."""
    monkeypatch.setattr(header_texts, "MAX_OCTETS", 5)
    texts = HeaderTexts()
    texts.add([summary(uid) for uid in (1, 2, 3)], [b"ab", b"cde", b"f"])
    found = texts.find([1, 2])
    assert found is not None
    assert found[1] == [b"ab", b"cde"]
    assert texts.find([3]) is None


def _ignore(event: Event) -> None:
    """No log here."""


async def answers(inbox: Mailbox, account: MemoryAccount) -> list[bytes]:
    """Of one client that asks again and again, while messages come and go."""
    transport = ScriptedTransport(ends=False)
    session = ImapSession(transport, account, clock=ManualClock(), sink=_ignore, login_tag=b"L")
    said: list[bytes] = []

    async def say(line: bytes) -> None:
        said.append(await transport.ask(b"t " + line + b"\r\n"))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(session.run())
        await transport.rest()
        await say(b"SELECT INBOX")
        for _ in range(2):
            await say(b"FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From Subject)])")
            await say(b"FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)] UID)")
            await say(b"FETCH 7:9,20 (BODY[HEADER.FIELDS (Subject from)])")
            await say(b"FETCH 5 (INTERNALDATE BODY.PEEK[HEADER.FIELDS (From Subject)])")
            await say(b"FETCH 3 (BODY.PEEK[HEADER.FIELDS (From Subject)]<2.5>)")
            await say(b"STORE 26 +FLAGS.SILENT (\\Deleted)")
            await say(b"EXPUNGE")
            await inbox.append([NewMessage(b"Subject: another\r\nFrom: \0b\r\n\r\nx")])
            await inbox.expunge([Uid(100)])
            await say(b"FETCH 1:* (BODY.PEEK[HEADER.FIELDS (From Subject)])")
            await say(b"NOOP")
        transport.end()
    return said


def test_fetched_again_and_after_new_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expunged and new messages, flags, other items, parts, letters in other case: answers are as without."""

    async def talk() -> tuple[list[bytes], Mailbox]:
        account = MemoryAccount()
        inbox = await account.open("INBOX")
        await inbox.append(
            [
                NewMessage(b"From: A%d <a@b>\r\nX: y\r\nSubject: Number\r\n %d\r\n\r\nx" % (number, number))
                for number in range(1, search_memory.MANY + 10)
            ]
        )
        return await answers(inbox, account), inbox

    with_memory, inbox = asyncio.run(talk())
    assert [name for name in inbox.lasting_memo if name == (HeaderTexts, frozenset({b"from", b"subject"}))]
    monkeypatch.setattr(header_texts, "kept", lambda *_, asked: None)
    without, inbox = asyncio.run(talk())
    assert not [value for value in inbox.lasting_memo.values() if isinstance(value, HeaderTexts)]
    assert with_memory == without


def test_sets_are_bounded() -> None:
    """The one that was kept first is forgotten."""

    async def scene() -> None:
        inbox = await MemoryAccount().open("INBOX")
        sets = [frozenset({b"from"}), frozenset({b"to"}), frozenset({b"cc"})]
        _, second, third = (header_texts.kept(inbox, names, asked=1000) for names in sets)
        assert header_texts.kept(inbox, sets[2], asked=1) is third
        assert header_texts.kept(inbox, sets[1], asked=1) is second
        assert header_texts.kept(inbox, sets[0], asked=1) is None

    asyncio.run(scene())


def test_sizes_are_kept_for_whoever_asks_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store need not find out the size for a client that does not want it."""

    async def talk() -> bytes:
        account = MemoryAccount()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"Subject: x\r\n\r\nbody") for _ in range(search_memory.MANY)])
        usual = inbox.summaries

        async def summaries(uids: Sequence[Uid], fields: Fields) -> Sequence[MessageSummary]:
            found = await usual(uids, fields)
            if fields & Fields.SIZE:
                return found
            return [msgspec.structs.replace(one, size=0) for one in found]

        monkeypatch.setattr(inbox, "summaries", summaries)
        transport = ScriptedTransport(ends=False)
        session = ImapSession(transport, account, clock=ManualClock(), sink=_ignore, login_tag=b"L")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(session.run())
            await transport.rest()
            for line in (b"SELECT INBOX", b"FETCH 1:* (BODY.PEEK[HEADER.FIELDS (Subject)])"):
                await transport.ask(b"t " + line + b"\r\n")
            said = await transport.ask(b"t FETCH 1:* (RFC822.SIZE BODY.PEEK[HEADER.FIELDS (Subject)])\r\n")
            transport.end()
        return said

    said = asyncio.run(talk())
    assert said.count(b" FETCH (RFC822.SIZE 18 BODY[") == search_memory.MANY
