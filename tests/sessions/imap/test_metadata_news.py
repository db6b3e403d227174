"""Two looks at annotations, of which one may fail."""

import asyncio

from pillarbox.mailstore.mailbox import StoreUnavailable
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.sessions.imap.metadata_news import MetadataChange, MetadataNews
from pillarbox.vocabulary.clock import ManualClock


class FailingAccount(MemoryAccount):
    """One whose annotations cannot be read now and then."""

    fails = False

    async def attributes(self, name: str) -> dict[str, bytes]:
        if self.fails:
            raise StoreUnavailable("the file is being mended")
        return await super().attributes(name)


def test_a_look_that_fails_loses_no_news() -> None:
    """What was changed meanwhile is told when it can be read again."""

    async def play() -> list[list[MetadataChange]]:
        account = FailingAccount(clock=ManualClock())
        news, found = MetadataNews(account), []
        await news.begin(["INBOX"])
        await account.change_attributes("INBOX", {"private/comment": b"x"})
        for account.fails in (True, False, False):
            found.append(await news.changes(["INBOX"]))
        return found

    assert asyncio.run(play()) == [[], [MetadataChange("INBOX", ("/private/comment",))], []]
