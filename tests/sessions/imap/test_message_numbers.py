"""Dates and sizes that are kept for the next search; SENTSINCE and its kin: the day as the sender wrote it."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from errno import EACCES

import pytest

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.faults import MessageUnreadable
from pillarbox.mailstore.mailbox import Fields, MessageSummary, NewMessage
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.mailstore.view import MailboxView
from pillarbox.message.text_matching import folded_values
from pillarbox.observability.events import Event
from pillarbox.sessions.imap import search_memory
from pillarbox.sessions.imap.field_texts import search_field
from pillarbox.sessions.imap.message_numbers import (
    NUMBERS,
    MessageNumbers,
    Number,
    search_numbers,
    sent_at,
)
from pillarbox.sessions.imap.search_memory import ReadOneByOne
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import Uid

DAY = 86400
NOON = 20_000 * DAY + DAY // 2  # Thu, 04 Oct 2024 12:00:00


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"Date: Fri, 04 Oct 2024 12:00:00 +0000\r\n\r\n", NOON),
        (b"Date: Fri, 04 Oct 2024 12:00:00 -0800\r\n\r\n", NOON),
        (b"Subject: x\r\nDATE:\r\n 4 Oct 24 12:00 +1100 (Sydney)\r\n\r\n", NOON),
        (b"Date: soon\r\n\r\n", 0),
        (b"Subject: none\r\n\r\n", 0),
    ],
)
def test_time_and_zone_are_disregarded(header: bytes, expected: int) -> None:
    """RFC 3501 §6.4.4: "disregarding time and timezone"; no date is 1970, as with Dovecot."""
    assert expected == sent_at(header)


def test_what_came_later_is_added() -> None:
    """Only messages with higher UIDs than those that are known are missing."""
    dates = MessageNumbers(NUMBERS[Number.SENT][1])
    assert [3, 5] == dates.missing([3, 5])
    dates.add([_summary(3, b"4 Oct 2024 12:00 +0000"), _summary(5, b"5 Oct 2024 12:00 +0000")])
    assert [7] == dates.missing([3, 5, 7])
    dates.add([_summary(7, b"4 Oct 2024 23:00 -0800")])
    assert [3, 7] == dates.between(20_000 * DAY, 20_001 * DAY)
    assert [5] == dates.between(20_001 * DAY, float("inf"))


def _summary(uid: int, date: bytes) -> MessageSummary:
    return MessageSummary(Uid(uid), 0, 0, b"", b"", b"", b"Date: %b\r\n\r\n" % date)


def _ignore(event: Event) -> None:
    """No log here."""


@pytest.mark.parametrize("many", [1, 1000], ids=["kept", "never kept"])
def test_what_is_kept_finds_what_the_store_says(monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    """Each kind of number, its limits included, after expunges and new messages, too."""
    monkeypatch.setattr(search_memory, "MANY", many)

    async def scene() -> None:
        clock = ManualClock()
        account = MemoryAccount(clock=clock)
        inbox = await account.open("INBOX")
        now = int(clock.now())
        ages = (10 * DAY, 2 * DAY, 100, 99)
        await inbox.append(
            [NewMessage(b"x" * (10 + at), internal_date=float(now - age)) for at, age in enumerate(ages)]
        )
        transport = ScriptedTransport(ends=False)
        session = ImapSession(transport, account, clock=clock, sink=_ignore, login_tag=b"L")

        async def found(keys: str) -> bytes:
            answer = await transport.ask(b"a UID SEARCH " + keys.encode() + b"\r\n")
            return next(line for line in answer.split(b"\r\n") if line.startswith(b"* SEARCH"))

        day = datetime.fromtimestamp(now - 2 * DAY, UTC).strftime("%d-%b-%Y")
        today = datetime.fromtimestamp(now, UTC).strftime("%d-%b-%Y")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(session.run())
            await transport.rest()
            await transport.ask(b"s SELECT INBOX\r\n")
            for _ in range(2):
                assert await found(f"BEFORE {day}") == b"* SEARCH 1"
                assert await found(f"ON {day}") == b"* SEARCH 2"
                assert await found(f"SINCE {day} 1:3") == b"* SEARCH 2 3"
                assert await found("YOUNGER 100") == b"* SEARCH 4"
                assert await found("OLDER 100") == b"* SEARCH 1 2 3"
                assert await found("LARGER 11") == b"* SEARCH 3 4"
                assert await found("SMALLER 11") == b"* SEARCH 1"
                assert await found("NOT SMALLER 11 NOT LARGER 11") == b"* SEARCH 2"
                assert await found(f"SAVEDON {today}") == b"* SEARCH 1 2 3 4"
                assert await found(f"SAVEDBEFORE {today}") == b"* SEARCH"
            kept = {Number.RECEIVED, Number.SAVED, Number.SIZE} if many == 1 else set()
            assert kept == set(inbox.lasting_memo) - {ReadOneByOne}
            await inbox.expunge([Uid(3)])
            await inbox.append([NewMessage(b"x" * 20, internal_date=float(now - 3 * DAY))])
            await transport.ask(b"n NOOP\r\n")
            assert await found("LARGER 11") == b"* SEARCH 4 5"
            assert await found(f"SINCE {day}") == b"* SEARCH 2 4"
            assert await found(f"BEFORE {day}") == b"* SEARCH 1 5"
            await transport.ask(b"z LOGOUT\r\n")

    asyncio.run(scene())


def test_what_could_not_be_read_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept of a mailbox some of whose messages are unreadable now."""
    monkeypatch.setattr(search_memory, "MANY", 1)

    async def scene() -> None:
        account = MemoryAccount()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"Subject: x\n\n"), NewMessage(b"Subject: xx\n\n")])
        view = MailboxView(inbox, read_only=True)
        summaries = type(inbox).summaries
        told = 1

        async def some(mailbox: object, uids: Sequence[Uid], fields: Fields) -> list[MessageSummary]:
            if told < len(uids):
                inbox.failed_reads.note(
                    MessageUnreadable(b"cur/2", PermissionError(EACCES, "Permission denied"))
                )
            return (await summaries(inbox, uids, fields))[:told]

        async def pause() -> None:
            """Nobody else has work."""

        monkeypatch.setattr(type(inbox), "summaries", some)
        assert await search_numbers(view, [1, 2], Number.SIZE, 1, 100, pause) == [1]
        told = 2
        for _ in range(2):
            assert await search_numbers(view, [1, 2], Number.SIZE, 1, 100, pause) == [1, 2]
        told = 1
        wanted = (b"subject", "x", folded_values, pause)
        assert await search_field(view, [1, 2], *wanted) == [1]
        told = 2
        for _ in range(2):
            assert await search_field(view, [1, 2], *wanted) == [1, 2]

    asyncio.run(scene())
