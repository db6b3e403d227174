"""What other sessions do to a mailbox while a command waits for the store: numbers, flags and the wait stay right."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.mailbox import FlagAction, FlagChange, NewMessage
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.mailstore.memory.mailbox import MemoryMailbox
from pillarbox.observability.events import Event
from pillarbox.sessions.imap import session as session_module
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid


def ignore(event: Event) -> None:
    """Nothing is expected to be told."""


@asynccontextmanager
async def selected(count: int) -> AsyncIterator[tuple[ScriptedTransport, MemoryMailbox]]:
    """A session that has selected an INBOX of so many messages."""
    transport, account = ScriptedTransport(ends=False), MemoryAccount()
    box = await account.open("INBOX")
    await box.append([NewMessage(b"Subject: %d\r\n\r\nword\r\n" % number) for number in range(count)])
    session = ImapSession(transport, account, clock=ManualClock(), sink=ignore, login_tag=b"L")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(session.run())
        await transport.ask(b"s SELECT INBOX\r\n")
        yield transport, box
        transport.end()


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, method: str, happens: Callable[[MemoryMailbox], Awaitable[object]]
) -> None:
    """Something happens to the mailbox, once, while its method is at work."""
    original = getattr(MemoryMailbox, method)
    done: list[bool] = []

    async def changed(mailbox: MemoryMailbox, *arguments: object) -> object:
        result = await original(mailbox, *arguments)
        if not done:
            done.append(True)
            await happens(mailbox)
        return result

    monkeypatch.setattr(MemoryMailbox, method, changed)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"SORT (SUBJECT) US-ASCII ALL", b"* SORT 1 2 3 4\r\n"),
        (b"SORT (REVERSE SUBJECT) US-ASCII ALL", b"* SORT 4 3 2 1\r\n"),
        (b"SORT RETURN (ALL) (SUBJECT) US-ASCII 2:4", b'* ESEARCH (TAG "a") ALL 2:4\r\n'),
        (b"THREAD ORDEREDSUBJECT US-ASCII ALL", b"* THREAD (1)(2)(3)(4)\r\n"),
        (b"THREAD REFERENCES US-ASCII 2:4", b"* THREAD (2)(3)(4)\r\n"),
    ],
)
def test_numbers_stay_when_a_message_goes_meanwhile(
    command: bytes, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 3501 §7.4.1: until EXPUNGE is told, the numbers are those that the client knows."""
    meanwhile(monkeypatch, "sort_columns", lambda mailbox: mailbox.expunge([Uid(2)]))

    async def talk() -> None:
        async with selected(4) as (transport, _):
            said = await transport.ask(b"a " + command + b"\r\n")
            assert said.startswith(answer), said
            assert b"* 2 EXPUNGE\r\n" in await transport.ask(b"b NOOP\r\n")
            assert (await transport.ask(b"c " + command + b"\r\n")).startswith(b"* ")

    asyncio.run(talk())


@pytest.mark.parametrize("items", [b"(FLAGS ENVELOPE)", b"(FLAGS BODY.PEEK[HEADER])", b"(BODY[HEADER])"])
def test_a_keyword_of_meanwhile_is_in_flags_first(items: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3501 §7.2.6: FLAGS names every flag that is used, before it is used."""

    async def flag(mailbox: MemoryMailbox) -> None:
        await mailbox.change_flags([Uid(1)], FlagChange(FlagAction.ADD, Flag.NONE, (b"$New",)))

    meanwhile(monkeypatch, "summaries", flag)

    async def talk() -> None:
        async with selected(2) as (transport, _):
            said = await transport.ask(b"a FETCH 1:2 " + items + b"\r\n")
            used = said.index(b"$New", said.index(b"FETCH"))
            assert re.search(rb"\* FLAGS \([^)]*\$New", said[:used]), said

    asyncio.run(talk())


@pytest.mark.parametrize("turns", range(12))
def test_a_search_that_ends_beside_another_command_ends_no_session(
    turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end wakes the session, even if that has seen it already: it is not the end of the server's patience."""
    monkeypatch.setattr(session_module, "PATIENCE", 0)
    go_on = asyncio.Event()
    matching = MemoryMailbox.matching

    async def slowly(
        mailbox: MemoryMailbox, uids: Sequence[Uid], matches: Callable[[bytes], bool]
    ) -> list[Uid]:
        await go_on.wait()
        return await matching(mailbox, uids, matches)

    monkeypatch.setattr(MemoryMailbox, "matching", slowly)

    async def talk() -> None:
        async with selected(3) as (transport, _):
            transport.feed(b"a SEARCH BODY word\r\n")
            await settle()
            go_on.set()
            for _ in range(turns):
                await asyncio.sleep(0)
            transport.feed(b"b NOOP\r\n")
            await settle()
            said = transport.take_sent()
            assert b"a OK" in said
            assert b"b OK" in said
            assert b"BYE" not in said
            assert b"c OK" in await transport.ask(b"c NOOP\r\n")

    asyncio.run(talk())


async def settle() -> None:
    """Everybody comes as far as he can."""
    for _ in range(50):
        await asyncio.sleep(0)
