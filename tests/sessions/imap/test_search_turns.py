"""A SEARCH of many keys leaves the loop to others now and then, though it waits for nothing."""

import asyncio
from unittest import mock

from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.mailstore.view import MailboxView
from pillarbox.sessions.imap import search_filter
from pillarbox.sessions.imap.search_filter import MessageFilter
from pillarbox.vocabulary.clock import Clock, ManualClock
from pillarbox.wire.imap.search_keys import HasKeyword, Or, SearchKey


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
            assert searcher.turns == 10

    asyncio.run(search())
