"""SEARCH finds the same with an index of texts in any state, and without one."""

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.examples import examples
from fakes.spawned_indexers import Spawner
from fakes.varied_messages import varied_messages
from pillarbox.mailstore.cache.indexers import Indexers
from pillarbox.mailstore.cache.text_index import FILE_NAME, VERSION, TextIndex
from pillarbox.mailstore.cache.text_searching import IndexPolicy
from pillarbox.mailstore.deliver import Delivery, deliver_batch
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.mailstore.view import MailboxView
from pillarbox.message.text_matching import header_texts, part_texts
from pillarbox.message.word_index import words_of_message
from pillarbox.sessions.imap.search_filter import MessageFilter
from pillarbox.vocabulary.clock import Clock, ManualClock
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.wire.imap.search_keys import AddressHas, And, BodyHas, HeaderHas, Not, Or, SearchKey, TextHas

MESSAGES = varied_messages(150)[: max(100, examples(150))]  # enough for an indexer
LATER = [
    b"Subject: later %d\r\nFrom: Late <late@example.test>\r\n\r\na wordofours\r\n" % number
    for number in range(20)
]


class Searcher:
    """Whoever searches."""

    def __init__(self, mailbox: MaildirMailbox) -> None:
        self.clock: Clock = ManualClock()
        self.saved_result: list[int] = []
        self.selected = MailboxView(mailbox, read_only=True)
        self.selected_name = mailbox.name.encode()

    async def flush_if_much(self) -> None:
        """Nothing waits."""


async def search(mailbox: MaildirMailbox, key: SearchKey) -> list[int]:
    """The UIDs that match; nothing that was kept by an earlier search helps."""
    mailbox.lasting_memo.clear()
    mailbox.memo.clear()
    searcher = Searcher(mailbox)
    return await MessageFilter(searcher).filter(key, searcher.selected.known_uids().tolist())


def deliver(root: Path, messages: list[bytes]) -> None:
    """Other programs do."""
    deliver_batch([Delivery(str(root), (message.replace(b"\r\n", b"\n"),)) for message in messages])


def wanted_texts() -> Iterator[str]:
    """Pieces of what the messages say, and what none says."""
    for number, message in enumerate(MESSAGES):
        texts = [
            text for text in [*header_texts(message.partition(b"\r\n\r\n")[0]), *part_texts(message)] if text
        ]
        for text in texts[number % 3 :: 7]:
            start = number * 7 % len(text)
            yield text[start : start + 3 + number % 9]
    yield from ("later", "a wordofours", "nobody says this", "a", "", "@example")


TEXTS = sorted(set(wanted_texts()))
_simple = st.one_of(
    st.builds(BodyHas, st.sampled_from(TEXTS)),
    st.builds(TextHas, st.sampled_from(TEXTS)),
    st.builds(HeaderHas, st.sampled_from([b"SUBJECT", b"RECEIVED", b"X-NONE"]), st.sampled_from(TEXTS)),
    st.builds(AddressHas, st.sampled_from([b"FROM", b"TO", b"CC", b"BCC"]), st.sampled_from(TEXTS)),
)
KEYS: st.SearchStrategy[SearchKey] = st.one_of(
    _simple,
    st.builds(Not, _simple),
    st.builds(Or, _simple, _simple),
    st.builds(lambda *keys: And(keys), _simple, _simple),
)

Prepare = Callable[[MaildirMailbox, Path], Awaitable[None]]


async def begin(mailbox: MaildirMailbox) -> None:
    """A body is searched, and the index made."""
    await search(mailbox, BodyHas("nobody says this"))
    await mailbox.rows.texts.filling.finished.wait()


async def nothing(mailbox: MaildirMailbox, root: Path) -> None:
    """There is no index yet."""


async def partly(mailbox: MaildirMailbox, root: Path) -> None:
    """A few messages are indexed."""
    index = TextIndex(str(root))
    await mailbox.rows.texts._run(mailbox.rows.texts._create)
    await mailbox.rows.texts._fill([int(uid) for uid in mailbox.messages.uids[20:70:2]])
    index.close()


async def complete(mailbox: MaildirMailbox, root: Path) -> None:
    """All messages are indexed."""
    await begin(mailbox)
    assert indexed(root) == set(mailbox.messages.uids)


async def stale(mailbox: MaildirMailbox, root: Path) -> None:
    """Messages have come and gone since."""
    await begin(mailbox)
    deliver(root, LATER)
    mailbox.rows.texts.filling.stop()
    await mailbox.refresh()
    mailbox.rows.texts.filling.stop()
    await mailbox.expunge([Uid(uid) for uid in mailbox.messages.uids[5:60:3]])


async def damaged(mailbox: MaildirMailbox, root: Path) -> None:
    """The file was overwritten."""
    await begin(mailbox)
    mailbox.rows.texts._index._drop()
    content = bytearray((root / FILE_NAME).read_bytes())
    for at in range(4096, len(content), 997):
        content[at] ^= 0x55
    (root / FILE_NAME).write_bytes(bytes(content))


async def of_another_version(mailbox: MaildirMailbox, root: Path) -> None:
    """An older program's."""
    await begin(mailbox)
    mailbox.rows.texts._index._drop()
    connection = apsw.Connection(str(root / FILE_NAME))
    connection.pragma("user_version", VERSION + 1)
    connection.close()


async def deleted(mailbox: MaildirMailbox, root: Path) -> None:
    """Somebody has removed it."""
    await begin(mailbox)
    mailbox.rows.texts._index._drop()
    mailbox.rows.texts._index._delete()


def indexed(root: Path) -> set[int]:
    """The UIDs that are in the index, of any mailbox."""
    index = TextIndex(str(root))
    found: set[int] = set()
    rows: list[tuple[bytes]] = index.attempt(
        lambda connection: list(connection.execute("SELECT uids FROM segment")), []
    )
    for (uids,) in rows:
        found.update(array("I", uids))
    index.close()
    return found


@pytest.fixture(
    scope="module", params=[nothing, partly, complete, stale, damaged, of_another_version, deleted]
)
def searched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[asyncio.Runner, MaildirMailbox, MaildirMailbox]]:
    """A mailbox with an index in some state, and the same without."""
    prepare: Prepare = request.param
    root = tmp_path_factory.mktemp("mail")
    deliver(root, MESSAGES)
    account = MaildirAccount(str(root), index_policy=IndexPolicy.SEARCHED)
    plain = MaildirAccount(str(root))

    async def opened() -> tuple[MaildirMailbox, MaildirMailbox]:
        mailbox = await account.open("INBOX")
        await prepare(mailbox, root)
        return mailbox, await plain.open("INBOX")

    async def close() -> None:
        await account.close()
        await plain.close()

    with asyncio.Runner() as runner:
        yield runner, *runner.run(opened())
        runner.run(close())


@settings(
    max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(KEYS)
def test_every_search_finds_the_same(
    searched: tuple[asyncio.Runner, MaildirMailbox, MaildirMailbox], key: SearchKey
) -> None:
    """Whether the index is missing, partly built, complete, stale, damaged, another version's or gone."""
    runner, mailbox, plain = searched

    async def both() -> tuple[list[int], list[int]]:
        await plain.refresh()
        return await search(mailbox, key), await search(plain, key)

    ours, expected = runner.run(both())
    assert ours == expected


class Reading:
    """Which messages a search has read."""

    def __init__(self, mailbox: MaildirMailbox) -> None:
        self.read: list[int] = []
        self._mailbox = mailbox
        self._matching = mailbox.matching
        mailbox.matching = self.matching  # type: ignore[method-assign]

    async def matching(self, uids: Sequence[Uid], matches: Callable[[bytes], bool]) -> list[Uid]:
        """As the mailbox does it."""
        self.read += uids
        return await self._matching(uids, matches)


def test_what_is_indexed_is_not_read(tmp_path: Path) -> None:
    """Only messages that may hold the text; by another session, too, and by indexers; new mail is added."""
    deliver(tmp_path, MESSAGES + LATER[:1])

    async def scene() -> tuple[list[list[int]], int]:
        spawner = Spawner()
        reads = []
        async with asyncio.TaskGroup() as tasks:
            indexers = spawner.indexers = Indexers(spawner.give, most=1, tasks=tasks)
            account = MaildirAccount(str(tmp_path), index_policy=IndexPolicy.SEARCHED, indexers=indexers)
            mailbox = await account.open("INBOX")
            await mailbox.rows.filling.finished.wait()
            reading = Reading(mailbox)
            assert await search(mailbox, BodyHas("a wordofours")) == [len(MESSAGES) + 1]
            reads.append(reading.read)
            await mailbox.rows.texts.filling.finished.wait()
            reading.read = []
            assert await search(mailbox, TextHas("late@example")) == [len(MESSAGES) + 1]
            reads.append(reading.read)
            deliver(tmp_path, LATER[1:3])
            await mailbox.refresh()
            await mailbox.rows.texts.filling.finished.wait()
            reading.read = []
            assert len(await search(mailbox, BodyHas("a wordofours"))) == 3
            reads.append(reading.read)
            await account.close()
            account = MaildirAccount(str(tmp_path), index_policy=IndexPolicy.SEARCHED)
            mailbox = await account.open("INBOX")
            reading = Reading(mailbox)
            assert len(await search(mailbox, BodyHas("a wordofours"))) == 3
            reads.append(reading.read)
            await account.close()
            indexers.close()
        for thread in spawner.threads:
            await asyncio.to_thread(thread.join)
        return reads, spawner.given

    reads, given_indexers = asyncio.run(scene())
    assert len(reads[0]) == len(MESSAGES) + 1
    long = [uid for uid, message in enumerate(MESSAGES, 1) if words_of_message(message).is_partial]
    new = [len(MESSAGES) + number for number in (1, 2, 3)]
    assert {*long, new[0]} <= set(reads[1])
    assert len(reads[1]) < 10  # some have both words
    assert reads[2:] == [[*long, *new]] * 2
    assert given_indexers == 1


def test_what_was_expunged_leaves_the_index(tmp_path: Path) -> None:
    """When nobody uses the mailbox any more; and with the mailbox all of it."""
    deliver(tmp_path, MESSAGES)

    async def scene() -> tuple[set[int], set[int], set[int], set[int]]:
        account = MaildirAccount(str(tmp_path), index_policy=IndexPolicy.ALL)
        mailbox = await account.open("INBOX")
        await mailbox.rows.texts.filling.finished.wait()
        uids = [Uid(uid) for uid in mailbox.messages.uids]
        before = indexed(tmp_path)
        await mailbox.expunge(uids[10:])
        found = await search(mailbox, BodyHas("nobody says this"))
        assert found == []
        mailbox.close()
        await mailbox.finish()
        after = indexed(tmp_path)
        await account.create("Old")
        old = await account.open("Old")
        mailbox = await account.open("INBOX")
        for _ in range(4):
            await mailbox.copy(uids[:10], old)
        await old.rows.texts.filling.finished.wait()
        with_old = indexed(tmp_path)
        await account.delete("Old")
        await account.close()
        return before, after, with_old, indexed(tmp_path)

    before, after, with_old, at_last = asyncio.run(scene())
    assert before == set(range(1, len(MESSAGES) + 1))
    assert after == set(range(1, 11))
    assert with_old == set(range(1, 41))
    assert at_last == set(range(1, 11))


def test_nothing_is_indexed_unless_it_is_wanted(tmp_path: Path) -> None:
    """NONE leaves no file; SEARCHED none before a body is searched."""
    deliver(tmp_path, MESSAGES[:70])

    async def scene(policy: IndexPolicy) -> None:
        account = MaildirAccount(str(tmp_path), index_policy=policy)
        mailbox = await account.open("INBOX")
        await search(mailbox, HeaderHas(b"SUBJECT", "word"))
        if policy is IndexPolicy.NONE:
            await search(mailbox, TextHas("word"))
        await account.close()

    for policy in (IndexPolicy.NONE, IndexPolicy.SEARCHED):
        asyncio.run(scene(policy))
        assert not list(tmp_path.glob(FILE_NAME + "*"))


def test_the_index_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no room is read; nobody tries to index it again and again."""
    monkeypatch.setattr("pillarbox.mailstore.cache.text_index.MAX_OCTETS", 1)
    deliver(tmp_path, MESSAGES[:70])

    async def scene() -> tuple[list[int], list[int]]:
        account = MaildirAccount(str(tmp_path), index_policy=IndexPolicy.ALL)
        mailbox = await account.open("INBOX")
        await mailbox.rows.texts.filling.finished.wait()
        missing = mailbox.rows.texts._index.missing(mailbox.rows.texts._number, [1, 2, 3])
        reading = Reading(mailbox)
        await search(mailbox, BodyHas("nobody says this"))
        await account.close()
        return missing, reading.read

    missing, read = asyncio.run(scene())
    assert missing == []
    assert read == list(range(1, 71))
