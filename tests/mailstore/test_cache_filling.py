"""Filling the cache in the background: everything once, in slices, and not while clients are at work."""

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from pillarbox.mailstore.cache import filling as cache_filling
from pillarbox.mailstore.cache.filling import CacheFilling
from pillarbox.mailstore.cache.message_cache import Cache
from pillarbox.mailstore.mailbox import Fields, NewMessage, StoreUnavailable
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.message.line_ends import to_crlf
from pillarbox.vocabulary.identifiers import Uid


def in_thread(fill: Callable[[list[int]], int]) -> CacheFilling:
    """A filling whose slices are done by a thread."""
    loop = asyncio.get_running_loop()
    return CacheFilling(
        lambda uids: loop.run_in_executor(None, fill, uids),
        slice_size=lambda _wanted, _found: cache_filling.SLICE,
        delay=0,
    )


def test_everything_wanted_is_filled_in_slices() -> None:
    """No message is left out, none is asked for twice."""

    async def talk() -> list[list[int]]:
        slices: list[list[int]] = []

        def fill(uids: list[int]) -> int:
            slices.append(uids)
            return 0

        filling = in_thread(fill)
        filling.want(range(1, 101))
        filling.want([101])
        assert not filling.finished.is_set()
        await filling.finished.wait()
        filling.want([102])
        await filling.finished.wait()
        return slices

    slices = asyncio.run(talk())
    assert list(range(1, 103)) == [uid for uids in slices for uid in uids]
    assert cache_filling.SLICE == max(map(len, slices))


def test_a_slice_that_fails_does_not_end_it() -> None:
    """What cannot be read is left out."""

    async def talk() -> int:
        count = 0

        def fill(uids: list[int]) -> int:
            nonlocal count
            count += 1
            raise StoreUnavailable("packed")

        filling = in_thread(fill)
        filling.want(range(1, 66))
        await filling.finished.wait()
        return count

    assert 2 == asyncio.run(talk())


def test_it_waits_while_clients_use_the_mailbox() -> None:
    """A slice begins only when the mailbox has been left alone for a while; `stop` ends the wait."""

    async def talk() -> bool:
        ran = False

        def fill(uids: list[int]) -> int:
            nonlocal ran
            ran = True
            return 1

        filling = in_thread(fill)
        filling.note_use(asyncio.get_running_loop().time() + 1000)
        filling.want([1])
        for _ in range(20):
            await asyncio.sleep(0)
        assert not filling.finished.is_set()
        filling.stop()
        await filling.finished.wait()
        return ran

    assert not asyncio.run(talk())


def test_it_waits_for_the_end_of_a_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a client waits for messages for longer than a mailbox has to be left alone."""

    async def talk() -> None:
        loop = asyncio.get_running_loop()
        now = 100.0
        timers: list[Callable[[], None]] = []

        def call_later(_delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
            timers.append(callback)
            return loop.call_at(1e9, callback)

        def fill(uids: list[int]) -> asyncio.Future[int]:
            done: asyncio.Future[int] = loop.create_future()
            done.set_result(0)
            return done

        monkeypatch.setattr(loop, "time", lambda: now)
        monkeypatch.setattr(loop, "call_later", call_later)
        filling = CacheFilling(fill, slice_size=lambda _wanted, _found: 1)
        filling.note_use(now)
        filling.want([1])
        with filling.held():
            now += 1000.0
            timers.pop()()
            assert len(timers) == 1
            assert not filling.finished.is_set()
        timers.pop()()  # it has ended just now
        assert len(timers) == 1
        assert not filling.finished.is_set()
        now += cache_filling.DELAY
        timers.pop()()
        await filling.finished.wait()

    asyncio.run(talk())


def test_a_mailbox_that_was_opened_gets_its_cache(tmp_path: Path) -> None:
    """Messages that were there, and those that come later, are in the cache before anybody asks for them."""

    async def talk() -> tuple[list[int], bytes]:
        account = MaildirAccount(str(tmp_path))
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"Subject: one\n\nbody"), NewMessage(b"Subject: two\n\nbody")])
        await inbox.rows.filling.finished.wait()
        cache = Cache(str(tmp_path))
        number = cache.begin(inbox.guid, inbox.uid_validity, b".", first_unseen=1).number
        missing = cache.missing(number, [1, 2, 3])
        sortable: list[tuple[int]] = []
        cache.attempt(
            lambda connection: sortable.extend(connection.execute("SELECT count(*) FROM sorting")), None
        )
        assert [(2,)] == sortable
        found = cache.summaries(number, [2], Fields.HEADER)
        cache.close()
        await account.close()
        return missing, found[Uid(2)].header

    assert ([3], b"Subject: two\r\n\r\n") == asyncio.run(talk())


def test_sizes_alone_are_counted_and_the_rest_is_found_out_later(tmp_path: Path) -> None:
    """A POP3 client asks for no more: what it takes away at once need not be parsed for the cache."""
    for directory in ("cur", "new", "tmp"):
        (tmp_path / directory).mkdir()
    texts = (b"Subject: a\n\none\n", b"Subject: b\r\n\r\ntwo", b"Subject: c\n\nthree\n")
    for number, text in enumerate(texts, 1):
        (tmp_path / "cur" / f"{number}.M1P1.host:2,").write_bytes(text)  # no S= and W= in the name

    async def talk() -> tuple[list[int], list[int], list[int]]:
        account = MaildirAccount(str(tmp_path))
        inbox = await account.open("INBOX")
        inbox.rows.filling.stop()
        sizes = [one.size for one in await inbox.summaries([Uid(1), Uid(2), Uid(3)], Fields.SIZE)]
        cache = Cache(str(tmp_path))
        number = cache.begin(inbox.guid, inbox.uid_validity, b".", first_unseen=1).number
        before = cache.missing(number, [1, 2, 3])
        await inbox.expunge([Uid(1)])
        inbox.rows.filling.want([1, 2, 3])
        await inbox.rows.filling.finished.wait()
        after = cache.missing(number, [1, 2, 3])
        cache.close()
        await account.close()
        return sizes, before, after

    crlf = [len(text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")) for text in texts]
    assert (crlf, [1, 2, 3], [1]) == asyncio.run(talk())


def test_sizes_of_what_is_not_small_and_plain(tmp_path: Path) -> None:
    """Large or packed, under another name by now, or gone: each is counted as it is, or left out."""
    for directory in ("cur", "new", "tmp"):
        (tmp_path / directory).mkdir()
    plain = b"Subject: a\n\n" + b"one line\n" * 20_000
    files = (plain, gzip.compress(plain), plain[:32768], plain[:32767], plain, plain)
    for number, content in enumerate(files, 1):
        (tmp_path / "cur" / f"{number}.M1P1.host:2,").write_bytes(content)

    async def talk() -> list[tuple[int, int]]:
        account = MaildirAccount(str(tmp_path))
        inbox = await account.open("INBOX")
        (tmp_path / "cur" / "5.M1P1.host:2,").rename(tmp_path / "cur" / "5.M1P1.host:2,S")
        (tmp_path / "cur" / "6.M1P1.host:2,").unlink()
        found = await inbox.summaries([Uid(uid) for uid in range(1, 7)], Fields.SIZE)
        inbox.close()
        await account.close()
        return [(one.uid, one.size) for one in found]

    whole, exact, less = (len(to_crlf(text)) for text in (plain, plain[:32768], plain[:32767]))
    assert asyncio.run(talk()) == [(1, whole), (2, whole), (3, exact), (4, less), (5, whole)]


def test_a_timer_that_goes_off_early_is_not_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvloop's go off up to a millisecond early: one for the rest of it would go off at once, again and again."""

    async def talk() -> None:
        loop = asyncio.get_running_loop()
        timers: list[float] = []

        def call_later(delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
            timers.append(delay)
            return loop.call_at(0, callback)  # at once

        filled: list[list[int]] = []

        def fill(uids: list[int]) -> asyncio.Future[int]:
            filled.append(uids)
            done: asyncio.Future[int] = loop.create_future()
            done.set_result(0)
            return done

        monkeypatch.setattr(loop, "time", lambda: 100.0)
        monkeypatch.setattr(loop, "call_later", call_later)
        filling = CacheFilling(fill, slice_size=lambda _wanted, _found: 1)
        filling.note_use(100.0 - cache_filling.DELAY + cache_filling.TICK / 2)
        filling.want([1])
        await filling.finished.wait()
        assert [[1]] == filled
        assert [cache_filling.DELAY] == timers

    asyncio.run(talk())
