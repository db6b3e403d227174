"""Mod-sequences that a client is told of while there are expunges that it may not be told of yet."""

import asyncio

import pytest

from fakes.imap_model import ModelClient
from fakes.imap_talk import Talk, new_account
from fakes.parked_sessions import ParkedClient
from pillarbox.mailstore.mailbox import FlagAction, FlagChange, NewMessage
from pillarbox.mailstore.memory.mailbox import MemoryMailbox
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid


def test_modseqs_above_those_of_expunges_that_wait_are_not_to_be_believed_in() -> None:
    """RFC 7162 §3.2: "the server MUST send the HIGHESTMODSEQ response code with a lower value than the EXPUNGE's"."""

    async def talk() -> None:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a"), NewMessage(b"b"), NewMessage(b"c")])
        async with asyncio.TaskGroup() as tasks:
            reader, other = Talk(account), Talk(account)
            await reader.begin(tasks, b"a ENABLE QRESYNC", b"a SELECT INBOX")
            await other.begin(tasks, b"a SELECT INBOX", b"a STORE 3 +FLAGS (\\Flagged)")
            assert b"* 3 FETCH (UID 3 MODSEQ (5) FLAGS (\\Flagged \\Recent))" in await reader.say(b"b NOOP")
            await inbox.expunge([Uid(2)])  # mod-sequence 6
            assert await reader.say(b"c STORE 1 +FLAGS.SILENT (\\Seen)") == [
                b"* 1 FETCH (UID 1 MODSEQ (7))",
                b"c OK [HIGHESTMODSEQ 5] Store completed",
            ]
            assert await reader.say(b"d STORE 3 (UNCHANGEDSINCE 4) +FLAGS (\\Seen)") == [
                b"d OK [MODIFIED 3] Conditional store failed"
            ]
            assert await reader.say(b"e STORE 1,3 (UNCHANGEDSINCE 5) +FLAGS (\\Draft)") == [
                b"* 3 FETCH (UID 3 MODSEQ (8) FLAGS (\\Flagged \\Draft \\Recent))",
                b"* OK [HIGHESTMODSEQ 5] Highest",
                b"e OK [MODIFIED 1] Conditional store failed",
            ]
            assert await reader.say(b"f FETCH 1 FLAGS") == [
                b"* 1 FETCH (FLAGS (\\Seen \\Recent))",
                b"f OK Fetch completed",
            ]
            assert await reader.say(b"g FETCH 1 MODSEQ") == [
                b"* 1 FETCH (MODSEQ (7))",
                b"g OK [HIGHESTMODSEQ 5] Fetch completed",
            ]
            assert (await reader.say(b"h FETCH 1 (BINARY[] FLAGS)"))[-1] == b"h OK Fetch completed"
            await other.say(b"b STORE 1 -FLAGS (\\Seen)")
            assert (await reader.say(b"i SEARCH ALL"))[1:] == [
                b"* 1 FETCH (UID 1 MODSEQ (9) FLAGS (\\Recent))",
                b"i OK [HIGHESTMODSEQ 5] Search completed",
            ]
            assert await reader.say(b"j NOOP") == [
                b"* VANISHED 2",
                b"* 2 RECENT",
                b"j OK [HIGHESTMODSEQ 9] NOOP completed",
            ]
            assert await reader.say(b"k STORE 1 +FLAGS.SILENT (\\Seen)") == [
                b"* 1 FETCH (UID 1 MODSEQ (10))",
                b"k OK Store completed",
            ]
            reader.client.end()
            other.client.end()

    asyncio.run(talk())


def test_a_batch_that_flags_and_expunges_is_not_believed_in_either() -> None:
    """With NOTIFY, flags are told while no command is in progress, and expunges wait for one (RFC 5465 §5.1)."""

    async def talk() -> None:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a"), NewMessage(b"b")])
        async with asyncio.TaskGroup() as tasks:
            reader, other = Talk(account), Talk(account)
            await reader.begin(
                tasks,
                b"a ENABLE QRESYNC",
                b"a SELECT INBOX",
                b"a NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))",
            )
            await other.begin(tasks, b"a SELECT INBOX")
            await inbox.expunge([Uid(2)])
            assert await reader.hear() == []
            await other.say(b"b STORE 1 +FLAGS (\\Seen)")
            assert await reader.hear() == [
                b"* 1 FETCH (UID 1 MODSEQ (5) FLAGS (\\Seen \\Recent))",
                b"* OK [HIGHESTMODSEQ 3] Highest",
            ]
            assert (await reader.say(b"b NOOP"))[0] == b"* VANISHED 2"
            reader.client.end()
            other.client.end()

    asyncio.run(talk())


def test_who_goes_on_with_a_session_knows_what_its_client_may_not_believe_in() -> None:
    """The expunge came before the session was parked, or while it was."""

    async def talk(*, is_parked_before: bool) -> bytes:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a"), NewMessage(b"b")])
        client = ParkedClient(account)
        await client.begin()
        await client.ask(b"a ENABLE QRESYNC\r\na SELECT INBOX\r\n")
        if is_parked_before:
            assert await client.park()
        await inbox.expunge([Uid(2)])  # mod-sequence 4
        if not is_parked_before:
            await client.ask(b"b FETCH 1 UID\r\n")
            assert await client.park()
        await client.go_on()
        said = await client.ask(b"c STORE 1 +FLAGS.SILENT (\\Seen)\r\n")
        await client.end()
        return said

    for is_parked_before in (True, False):
        said = asyncio.run(talk(is_parked_before=is_parked_before))
        assert b"* 1 FETCH (UID 1 MODSEQ (5))\r\nc OK [HIGHESTMODSEQ 3] " in said


def test_what_happens_while_a_client_catches_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7162 §3.2.5.1: EXISTS counts what is told, and nothing else: what goes meanwhile has VANISHED (EARLIER)."""

    async def talk() -> None:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"%d" % number) for number in range(4)])
        original = MemoryMailbox.vanished_since
        happens = [True]

        async def vanished_since(mailbox: MemoryMailbox, modseq: int) -> list[Uid] | None:
            if happens:
                happens.clear()
                await mailbox.expunge([Uid(2)])
                await mailbox.change_flags([Uid(3)], FlagChange(FlagAction.ADD, Flag.SEEN))
            return await original(mailbox, modseq)

        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            await client.begin(tasks, b"a ENABLE QRESYNC")
            selected = await client.say(b"b SELECT INBOX")
            assert any(b"[HIGHESTMODSEQ 5]" in line for line in selected), selected
            await client.say(b"c UNSELECT")
            await inbox.expunge([Uid(1)])  # mod-sequence 6
            monkeypatch.setattr(MemoryMailbox, "vanished_since", vanished_since)
            known = b"(QRESYNC (%d 5))" % inbox.uid_validity
            said = await client.say(b"d SELECT INBOX " + known)
            assert b"* 2 EXISTS" in said
            assert any(b"[HIGHESTMODSEQ 8]" in line for line in said), said
            assert said[-3:] == [
                b"* VANISHED (EARLIER) 1:2",
                b"* 1 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (8))",
                b"d OK [READ-WRITE] Select completed",
            ]
            assert await client.say(b"e NOOP") == [b"e OK NOOP completed"]
            client.client.end()
        inbox.close()
        await account.close()

    asyncio.run(talk())


def test_what_comes_and_goes_while_a_client_catches_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that EXISTS counts, and that is gone before it is told, is VANISHED with the next command."""

    async def talk() -> None:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"%d" % number) for number in range(2)])
        original = MemoryMailbox.vanished_since
        goes = [Uid(3)]

        async def vanished_since(mailbox: MemoryMailbox, modseq: int) -> list[Uid] | None:
            if goes:
                await mailbox.expunge([goes.pop()])
            return await original(mailbox, modseq)

        async with asyncio.TaskGroup() as tasks:
            talking = Talk(account)
            await talking.begin(tasks)
            client = ModelClient(talking.client.ask)
            await client.enable_qresync()
            await client.begin()
            assert client.uids == [1, 2]
            await inbox.append([NewMessage(b"new"), NewMessage(b"newer")])
            monkeypatch.setattr(MemoryMailbox, "vanished_since", vanished_since)
            await client.come_back()
            assert not goes
            assert client.uids == [1, 2, 4]
            await client.check()
            talking.client.end()
        inbox.close()
        await account.close()

    asyncio.run(talk())
