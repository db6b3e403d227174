"""When it is worth reading all messages of a mailbox for a search of some."""

import asyncio

import pytest

from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.sessions.imap.search_memory import MAX_COUNTED, ReadOneByOne, is_worth_keeping


@pytest.mark.parametrize(
    ("known", "asked", "searches"),
    [
        (1000, 1000, 1),
        (1000, 256, 1),
        (1000, 255, 4),
        (100_000, 12_500, 1),
        (100_000, 12_499, 9),
        (100_000, 256, 391),
        (10, 10, 26),
        (0, 0, None),
    ],
)
def test_as_many_as_there_are(known: int, asked: int, searches: int | None) -> None:
    """Many at once, or few until all of them could have been read."""

    async def scene() -> None:
        inbox = await MemoryAccount().open("INBOX")
        for number in range(1, 400):
            if is_worth_keeping(inbox, b"subject", asked, known):
                assert number == searches
                return
        assert searches is None

    asyncio.run(scene())


def test_what_is_counted_is_bounded() -> None:
    """A client that asks for ever new fields makes the oldest forgotten."""
    counts = ReadOneByOne()
    assert counts.note("first", 5) == 5
    for number in range(MAX_COUNTED - 1):
        assert counts.note(number, 1) == 1
    assert counts.note("first", 5) == 10
    for number in range(MAX_COUNTED):
        counts.note(number, 1)
    assert counts.note("first", 5) == 5
    counts.forget("first")
    assert counts.note("first", 1) == 1
