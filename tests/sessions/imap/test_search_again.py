"""A search that finds the same as before is told from what was kept; one that does not, is not."""

import asyncio

import pytest

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.mailbox import FlagAction, FlagChange, NewMessage
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.observability.events import Event
from pillarbox.sessions.imap import search
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid


def ignore(event: Event) -> None:
    """Nothing is expected to be told."""


@pytest.mark.parametrize("limit", [1, 1000], ids=["kept", "never kept"])
def test_what_is_told_again_is_what_is_there(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """By number and by UID, after flags, expunges and new messages of others."""
    monkeypatch.setattr(search, "LONG", limit)

    async def scene() -> None:
        transport = ScriptedTransport(ends=False)
        account = MemoryAccount(clock=ManualClock())
        box = await account.open("INBOX")
        await box.append([NewMessage(b"x\r\n") for _ in range(6)])
        session = ImapSession(transport, account, clock=ManualClock(), sink=ignore, login_tag=b"L")

        async def found(command: bytes) -> bytes:
            answer = await transport.ask(b"a " + command + b"\r\n")
            return next(line for line in answer.split(b"\r\n") if line.startswith(b"* SEARCH"))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(session.run())
            await transport.ask(b"s SELECT INBOX\r\n")
            for _ in range(2):
                assert b"* SEARCH 1 2 3 4 5 6" == await found(b"SEARCH UNSEEN")
            await box.change_flags([Uid(2)], FlagChange(FlagAction.ADD, Flag.SEEN))
            assert b"* SEARCH 1 3 4 5 6" == await found(b"SEARCH UNSEEN")
            assert b"* SEARCH 2" == await found(b"SEARCH SEEN")
            await box.expunge([Uid(1)])
            # RFC 3501 §7.4.1: no EXPUNGE during SEARCH, so numbers stay; UID SEARCH tells of it.
            assert b"* SEARCH 3 4 5 6" == await found(b"SEARCH UNSEEN")
            assert b"* SEARCH 3 4 5 6" == await found(b"UID SEARCH UNSEEN")
            for _ in range(2):
                assert b"* SEARCH 2 3 4 5" == await found(b"SEARCH UNSEEN")
                assert b"* SEARCH 3 4 5 6" == await found(b"UID SEARCH UNSEEN")
            await box.append([NewMessage(b"x\r\n")])
            await transport.ask(b"n NOOP\r\n")
            assert b"* SEARCH 2 3 4 5 6" == await found(b"SEARCH UNSEEN")
            assert b"* SEARCH 3 4 5 6 7" == await found(b"UID SEARCH UNSEEN")
            await transport.ask(b"z LOGOUT\r\n")

    asyncio.run(scene())
