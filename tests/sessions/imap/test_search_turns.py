"""A SEARCH of many keys leaves the loop to others now and then, though it waits for nothing."""

import asyncio
from unittest import mock

from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.mailstore.view import MailboxView
from pillarbox.sessions.imap import search_filter
from pillarbox.sessions.imap.search_filter import MessageFilter
from pillarbox.vocabulary.clock import Clock, ManualClock
from pillarbox.vocabulary.number_set import NumberSet
from pillarbox.wire.imap.search_keys import HasKeyword, Not, Numbers, Or, SearchKey, Uids


class Searcher:
    """Who searches; `turns` is how often others had the loop."""

    def __init__(self, view: MailboxView) -> None:
        self.clock: Clock = ManualClock()
        self.saved_result: list[int] = []
        self.selected = view
        self.selected_name = b"INBOX"
        self.turns = 0

    async def flush_if_much(self) -> None:
        """Others work."""
        self.turns += 1


def test_others_have_their_turn_between_keys() -> None:
    """Keys of tables in memory are looked at for some messages together, then others go on; few keys are one step."""

    async def search() -> None:
        inbox = await MemoryAccount().open("INBOX")
        await inbox.append([NewMessage(b"a: b\r\n\r\n") for _ in range(10)])
        searcher = Searcher(MailboxView(inbox, read_only=True))
        key: SearchKey = HasKeyword(b"x", wanted=True)
        few = Or(key, key)
        for _ in range(50):
            key = Or(HasKeyword(b"y", wanted=True), key)
        with mock.patch.object(search_filter, "TURN", 100):
            assert await MessageFilter(searcher).of_all(few) == []
            assert searcher.turns == 0
            assert await MessageFilter(searcher).of_all(key) == []
            assert searcher.turns == 5

    asyncio.run(search())


def test_messages_that_are_named_one_by_one_are_looked_for_once() -> None:
    """OR UID 3 OR UID 5 …: with 10,000 messages, each of a thousand keys looked at all of them."""

    async def search() -> None:
        inbox = await MemoryAccount().open("INBOX")
        await inbox.append([NewMessage(b"a: b\r\n\r\n") for _ in range(20)])
        searcher = Searcher(MailboxView(inbox, read_only=True))
        searcher.saved_result = [17]
        key: SearchKey = Uids(NumberSet((), saved=True))
        for number in range(2, 16, 2):
            key = Or(Uids(NumberSet(((number, number),))), key)
            key = Or(key, Numbers(NumberSet(((number + 1, number + 1),))))
        with mock.patch.object(search_filter, "TURN", 100):
            assert await MessageFilter(searcher).of_all(Or(key, key)) == [*range(2, 16), 17]
            assert searcher.turns == 0
            assert await MessageFilter(searcher).of_all(Not(key)) == [1, 16, 18, 19, 20]

    asyncio.run(search())
