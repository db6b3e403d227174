"""When work that nobody waits for is done."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pillarbox.mailstore.cache import leisure as leisure_module
from pillarbox.mailstore.cache.leisure import Leisure
from pillarbox.mailstore.mailbox import Fields, NewMessage
from pillarbox.mailstore.maildir.account import MaildirAccount


def run(scene: Callable[[Leisure, list[str]], Awaitable[None]]) -> list[str]:
    """What was done, in order."""
    done: list[str] = []

    async def main() -> None:
        leisure = Leisure(None)
        await scene(leisure, done)
        await leisure.finish()
        assert not leisure.is_busy

    asyncio.run(main())
    return done


def test_in_order_and_not_at_once() -> None:
    """Nothing is done while commands come; then all of it, in one go."""

    async def scene(leisure: Leisure, done: list[str]) -> None:
        leisure.note_use(asyncio.get_running_loop().time() + 60)
        leisure.add(lambda: done.append("first"))
        second = leisure.add(lambda: done.append("second"))
        await asyncio.sleep(leisure_module.REST * 2)
        assert [] == done
        assert leisure.is_busy
        leisure.note_use(0.0)
        await second

    assert ["first", "second"] == run(scene)


def test_it_waits_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that never rests does not put it off for ever."""
    monkeypatch.setattr(leisure_module, "LONGEST", 0.1)

    async def scene(leisure: Leisure, done: list[str]) -> None:
        leisure.note_use(asyncio.get_running_loop().time() + 60)
        await leisure.add(lambda: done.append("all the same"))

    assert ["all the same"] == run(scene)


def test_who_needs_it_has_it_begun() -> None:
    """And the end of the account does."""

    async def scene(leisure: Leisure, done: list[str]) -> None:
        leisure.note_use(asyncio.get_running_loop().time() + 60)
        first = leisure.add(lambda: done.append("hurried"))
        leisure.hurry()
        await first
        leisure.add(lambda: done.append("at the end"))

    assert ["hurried", "at the end"] == run(scene)


def test_a_mistake_does_not_stop_the_others() -> None:
    """It is told to the loop's handler."""
    told: list[object] = []

    def mistake() -> None:
        raise ZeroDivisionError

    async def scene(leisure: Leisure, done: list[str]) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
        leisure.add(mistake)
        await leisure.add(lambda: done.append("the other"))

    assert ["the other"] == run(scene)
    assert [ZeroDivisionError] == list(map(type, told))


def test_rows_of_copies_are_there_when_they_are_asked_for(tmp_path: Path) -> None:
    """A client that copies and then lists the copies: no file is read for it, however early it asks."""

    async def scene() -> None:
        account = MaildirAccount(str(tmp_path))
        inbox = await account.open("INBOX")
        uids = await inbox.append([NewMessage(b"Subject: %d\r\n\r\nx\r\n" % number) for number in range(5)])
        await inbox.summaries(uids, Fields.ENVELOPE)
        inbox.fill_cache()
        await inbox.rows.filling.finished.wait()
        await account.create("Copies")
        copies = await account.open("Copies")
        pairs = await inbox.copy(uids, copies)
        for path in (tmp_path / ".Copies" / "cur").iterdir():  # the originals' file is the same
            path.write_bytes(b"Subject: not read\n\nx\n")
        found = await copies.summaries([after for _, after in pairs], Fields.ENVELOPE)
        assert [b'"%d"' % number in one.envelope for number, one in enumerate(found)] == [True] * 5
        await account.close()

    asyncio.run(scene())


def test_a_timer_that_goes_off_early_is_not_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for less than the loop can measure would go off at once, again and again."""

    async def scene(leisure: Leisure, done: list[str]) -> None:
        loop = asyncio.get_running_loop()
        timers: list[float] = []

        def call_later(delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
            timers.append(delay)
            return loop.call_at(0, callback)  # at once

        with monkeypatch.context() as patched:
            patched.setattr(loop, "time", lambda: 100.0)
            patched.setattr(loop, "call_later", call_later)
            leisure.note_use(100.0 - leisure_module.REST + leisure_module.TICK / 2)
            await leisure.add(lambda: done.append("now"))
            assert [leisure_module.REST] == timers

    assert ["now"] == run(scene)
