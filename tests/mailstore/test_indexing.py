"""Indexers read what a worker would have read itself, and nothing depends on them."""

import asyncio
import os
import socket
from contextlib import closing
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from fakes.spawned_indexers import Spawner
from fakes.varied_messages import varied_messages
from pillarbox.daemons.indexer import serve_indexing
from pillarbox.files.file_system import DISK
from pillarbox.mailstore.cache.indexers import Indexers
from pillarbox.mailstore.cache.indexing import Indexed, Indexing, IndexMessages
from pillarbox.mailstore.cache.message_cache import Cache, Row
from pillarbox.mailstore.mailbox import Fields, MessageSummary
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.net.channel import FrameReader, FrameWriter
from pillarbox.vocabulary.identifiers import Uid

ALL = Fields.DATE | Fields.SIZE | Fields.ENVELOPE | Fields.BODY | Fields.BODYSTRUCTURE | Fields.HEADER


@pytest.fixture(scope="module")
def maildir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Maildir of 400 varied messages."""
    root = tmp_path_factory.mktemp("indexing")
    for name in ("cur", "new", "tmp"):
        (root / name).mkdir()
    messages = varied_messages(400)
    for number in range(400):
        content = messages[number % len(messages)]
        stored = content if number % 5 == 0 else content.replace(b"\r\n", b"\n")
        (root / "cur" / f"{1700000000 + number}.M{number}.host:2,").write_bytes(stored)
    return root


async def summaries(maildir: Path, spawner: Spawner | None, *, batch: int = 100) -> list[MessageSummary]:
    """All summaries, asked for in batches, as FETCH does."""
    found: list[MessageSummary] = []
    async with asyncio.TaskGroup() as tasks:
        indexers = None
        if spawner is not None:
            indexers = spawner.indexers = Indexers(spawner.give, most=spawner.most, tasks=tasks)
        account = MaildirAccount(str(maildir), indexers=indexers)
        inbox = await account.open("INBOX")
        uids = [Uid(uid) for uid in inbox.messages.uids]
        for start in range(0, len(uids), batch):
            found += await inbox.summaries(uids[start : start + batch], ALL)
        inbox.close()
        await account.close()
        if indexers is not None:
            indexers.close()
    for thread in spawner.threads if spawner is not None else ():
        await asyncio.to_thread(thread.join)
    for end in spawner.ends if spawner is not None else ():
        end.close()
    return found


def test_two_that_read_beside_each_other(maildir: Path) -> None:
    """Each gets the columns that it has asked for, whatever is read ahead for the other."""
    without_cache(maildir)
    alone = asyncio.run(summaries(maildir, None))
    without_cache(maildir)
    spawner = Spawner()

    async def beside() -> tuple[list[MessageSummary], list[MessageSummary]]:
        async with asyncio.TaskGroup() as tasks:
            indexers = spawner.indexers = Indexers(spawner.give, most=spawner.most, tasks=tasks)
            account = MaildirAccount(str(maildir), indexers=indexers)
            inbox = await account.open("INBOX")
            uids = [Uid(uid) for uid in inbox.messages.uids]

            async def read(fields: Fields) -> list[MessageSummary]:
                batches = [
                    await inbox.summaries(uids[at : at + 80], fields) for at in range(0, len(uids), 80)
                ]
                return [summary for batch in batches for summary in batch]

            found = await asyncio.gather(read(Fields.ENVELOPE), read(Fields.BODYSTRUCTURE | Fields.ENVELOPE))
            inbox.close()
            await account.close()
            indexers.close()
        for thread in spawner.threads:
            await asyncio.to_thread(thread.join)
        for end in spawner.ends:
            end.close()
        return found

    envelopes, structures = asyncio.run(beside())
    assert [one.envelope for one in alone] == [one.envelope for one in envelopes]
    wanted = [(one.envelope, one.body_structure) for one in alone]
    assert wanted == [(one.envelope, one.body_structure) for one in structures]


def without_cache(maildir: Path) -> None:
    for path in maildir.glob("pillarbox.cache*"):
        path.unlink()


def test_the_same_comes_from_indexers_and_from_the_cache_they_fill(maildir: Path) -> None:
    """One by one, by two processes, and from the rows that those have left."""
    without_cache(maildir)
    alone = asyncio.run(summaries(maildir, None, batch=50))
    without_cache(maildir)
    spawner = Spawner()
    assert alone == asyncio.run(summaries(maildir, spawner))
    assert 2 == spawner.given
    for _ in range(5):
        if not missing(maildir):
            break
        asyncio.run(
            summaries(maildir, Spawner())
        )  # rows are not kept while another process writes for a second
    assert [] == missing(maildir)
    again = Spawner()
    assert alone == asyncio.run(summaries(maildir, again))
    assert 0 == again.given, "what is in the cache needs no indexers"


def missing(maildir: Path) -> list[int]:
    """UIDs that the cache has no rows of."""
    cache = Cache(str(maildir))
    guid = (maildir / "dovecot-uidlist").read_bytes().split(b" G")[1][:32]
    uid_validity = int((maildir / "dovecot-uidlist").read_bytes().split(b" V")[1].split(b" ")[0])
    number = cache.begin(guid, uid_validity, b".", first_unseen=1).number
    uids = cache.missing(number, range(1, 401))
    cache.close()
    return list(uids)


def test_indexers_that_die_are_done_without(maildir: Path) -> None:
    """Their questions are answered by the worker itself."""
    without_cache(maildir)
    alone = asyncio.run(summaries(maildir, None))
    without_cache(maildir)
    spawner = Spawner(alive=False)
    assert alone == asyncio.run(summaries(maildir, spawner))
    assert spawner.given >= 2


def test_a_number_of_a_cache_that_was_lost_is_worth_nothing(tmp_path: Path) -> None:
    """Rows for a mailbox that the cache does not know are not kept: another one may come to be there."""
    maildir = tmp_path
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir()
    old = Cache(str(maildir))
    number = old.begin(b"a" * 32, 1, b".", first_unseen=1).number
    old.close()
    without_cache(maildir)
    fresh = Cache(str(maildir))
    other = fresh.begin(b"b" * 32, 1, b".", first_unseen=1).number
    assert other != number
    fresh.add(number, [Row(1, b"", 0, 0, 0, b"", b"", b"", b"")], with_header=False)
    assert [1] == fresh.missing(number, [1])
    fresh.close()


def test_headers_are_told_before_anything_is_parsed(maildir: Path) -> None:
    """What is told is what a parsed message tells; the cache is filled afterwards, a question at a time."""
    names = sorted((maildir / "cur").iterdir())[:60]
    with closing(Cache(str(maildir))) as cache:
        number = cache.begin(b"headers", 1, b".", first_unseen=1).number
    indexing = Indexing(DISK)
    uids, paths = list(range(1, 61)), [b"cur/" + os.fsencode(path.name) for path in names]
    directory = os.fsencode(maildir)
    headers = Fields.HEADER | Fields.SIZE | Fields.DATE
    told = indexing.answer(IndexMessages(1, directory, number, directory, uids, paths, headers.value))
    again = indexing.answer(IndexMessages(2, directory, number, directory, uids, paths, headers.value))
    assert told.summaries == again.summaries
    with closing(Cache(str(maildir))) as cache:
        assert len(cache.missing(number, uids)) == 60
    indexing.keep_some()
    with closing(Cache(str(maildir))) as cache:
        assert cache.missing(number, uids) == []
    assert indexing.waiting
    indexing.close()
    parsed = Indexing(DISK).answer(IndexMessages(3, directory, 0, directory, uids, paths, ALL.value))
    fields = ("uid", "internal_date", "size", "header", "saved")
    assert [[getattr(one, name) for name in fields] for one in told.summaries] == [
        [getattr(one, name) for name in fields] for one in parsed.summaries
    ]
    assert all(one.envelope == b"" for one in told.summaries)


def test_what_waits_for_the_cache_is_bounded(maildir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no room is not kept: the worker asks for it again."""
    monkeypatch.setattr("pillarbox.mailstore.cache.indexing.MAX_WAITING", 1)
    path = next((maildir / "cur").iterdir())
    indexing = Indexing(DISK)
    directory = os.fsencode(maildir)
    question = IndexMessages(
        1, directory, 0, directory, [1], [b"cur/" + os.fsencode(path.name)], Fields.HEADER.value
    )
    assert indexing.answer(question).count == 1
    assert not indexing.waiting


def test_rows_that_wait_are_packed(maildir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a mailbox of 100,000 messages has waits in a fraction of its size, and is the same in the cache."""
    names = sorted((maildir / "cur").iterdir())[:60]
    uids, paths = list(range(1, 61)), [b"cur/" + os.fsencode(path.name) for path in names]
    directory = os.fsencode(maildir)
    indexing = Indexing(DISK)
    with closing(Cache(str(maildir))) as cache:
        told = {}
        for guid, room in ((b"loose", 1 << 30), (b"packed", 0)):
            number = cache.begin(guid, 1, b".", first_unseen=1).number
            monkeypatch.setattr("pillarbox.mailstore.cache.indexing.MAX_LOOSE", room)
            indexing.answer(IndexMessages(1, directory, number, directory, uids, paths, ALL.value))
            told[guid] = (indexing.octets, number)
            indexing.keep()
        loose, packed = (cache.summaries(number, uids, ALL) for _, number in told.values())
        assert len(loose) == 60
        assert loose == packed
    assert told[b"packed"][0] < told[b"loose"][0] / 2
    indexing.close()


def test_questions_that_a_client_waits_for_come_first(maildir: Path) -> None:
    """Then what they have found goes into the cache, and only then is it filled."""
    path = b"cur/" + os.fsencode(sorted((maildir / "cur").iterdir())[0].name)
    directory = os.fsencode(maildir)
    with closing(Cache(str(maildir))) as cache:
        mailbox = cache.begin(b"first", 1, b".", first_unseen=1).number
    ours, theirs = socket.socketpair()
    writer: FrameWriter = FrameWriter()
    for number, fields in ((1, Fields(0)), (2, ALL)):
        writer.put(IndexMessages(number, directory, mailbox, directory, [1], [path], fields.value))
    writer.write_to(ours)
    thread = Thread(target=serve_indexing, args=(theirs,))
    thread.start()
    reader = FrameReader(msgspec.msgpack.Decoder(Indexed))
    answers: list[Indexed] = []
    while len(answers) < 2:
        answers += [frame for frame, _ in reader.feed(ours.recv(65536))]
    ours.close()
    thread.join()
    assert [(2, 1), (1, 0)] == [(answer.number, answer.count) for answer in answers]
