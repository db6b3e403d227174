"""NOTIFY (RFC 5465): what a client hears without asking."""

import asyncio
import os
from pathlib import Path

import pytest

from fakes.scripted_transport import ScriptedTransport
from pillarbox.files.inotify import open_inotify
from pillarbox.mailstore.mailbox import Account, FlagAction, FlagChange, NewMessage
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.observability.events import Event
from pillarbox.sessions.imap import notify
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid


def ignore(event: Event) -> None:
    """No event is expected here."""


class Talk:
    """A running session, and its client."""

    def __init__(self, account: Account) -> None:
        self.client = ScriptedTransport(ends=False)
        self._session = ImapSession(self.client, account, clock=ManualClock(), sink=ignore, login_tag=b"L")

    async def begin(self, tasks: asyncio.TaskGroup, *first: bytes) -> None:
        """Log in, and say things whose answers do not matter."""
        tasks.create_task(self._session.run())
        await self.client.rest()
        for line in first:
            assert b" OK " in (await self.say(line))[-1]

    async def say(self, line: bytes) -> list[bytes]:
        """Say a line; the lines of the answer, without times."""
        return lines_of(await self.client.ask(line + b"\r\n"))

    async def hear(self) -> list[bytes]:
        """What the server says unasked."""
        for _ in range(50):  # until there is nothing that it has to look at any more
            await asyncio.sleep(0)
        return lines_of(await self.client.rest())


def lines_of(sent: bytes) -> list[bytes]:
    return sent.replace(b" (0.001 + 0.000 secs).", b"").split(b"\r\n")[:-1]


def new_account() -> MemoryAccount:
    return MemoryAccount(clock=ManualClock(), special_use={"Sent": b"\\Sent"})


def test_the_selected_mailbox() -> None:
    """§3.1, §6.1: EXISTS with what is wanted of the message, FETCH and EXPUNGE, while the client is silent."""

    async def talk() -> None:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a"), NewMessage(b"b")])
        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            await client.begin(tasks, b"a SELECT INBOX")
            wanted = b"(selected (MessageNew (FLAGS BODY[]) MessageExpunge FlagChange))"
            assert await client.say(b"b NOTIFY SET " + wanted) == [b"b OK NOTIFY completed"]
            await inbox.append([NewMessage(b"c")])
            assert await client.hear() == [
                b"* 3 EXISTS",
                b"* 3 RECENT",
                b"* 3 FETCH (UID 3 FLAGS (\\Recent) BODY[] {1}",
                b"c)",
            ]
            assert not inbox.messages.flags[2] & Flag.SEEN
            await inbox.change_flags([Uid(2)], FlagChange(FlagAction.ADD, Flag.SEEN))
            assert await client.hear() == [b"* 2 FETCH (FLAGS (\\Seen \\Recent))"]
            await inbox.expunge([Uid(1)])
            assert await client.hear() == [b"* 1 EXPUNGE", b"* 2 RECENT"]
            # Half a command has come: the client cannot be told before the rest of it.
            client.client.feed(b"c FETCH 1 ")
            await client.hear()
            await inbox.expunge([Uid(2)])
            assert await client.hear() == []
            assert await client.say(b"UID") == [
                b"* 1 FETCH (UID 2)",
                b"c OK Fetch completed",
                b"* 1 EXPUNGE",
                b"* 1 RECENT",
            ]
            client.client.end()

    asyncio.run(talk())


def test_selected_delayed() -> None:
    """§6.2: expunges wait for a command that may tell them; the rest is told at once."""

    async def talk() -> None:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a"), NewMessage(b"b")])
        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            wanted = b"(selected-delayed (MessageNew MessageExpunge FlagChange))"
            await client.begin(tasks, b"a NOTIFY SET " + wanted, b"b SELECT INBOX")
            await inbox.expunge([Uid(1)])
            await inbox.append([NewMessage(b"c")])
            assert await client.hear() == [b"* 3 EXISTS", b"* 3 RECENT"]
            assert await client.say(b"c NOOP") == [b"* 1 EXPUNGE", b"* 2 RECENT", b"c OK NOOP completed"]
            client.client.end()

    asyncio.run(talk())


@pytest.mark.parametrize("wanted", [b"NONE", b"SET (personal (MailboxName))", b"SET (selected NONE)"])
def test_who_does_not_ask_for_the_selected_mailbox(wanted: bytes) -> None:
    """As Dovecot: nothing of it is told, and numbers stay."""

    async def talk() -> None:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a"), NewMessage(b"b")])
        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            await client.begin(tasks, b"a SELECT INBOX", b"b NOTIFY " + wanted)
            await inbox.append([NewMessage(b"c")])
            await inbox.change_flags([Uid(2)], FlagChange(FlagAction.ADD, Flag.SEEN))
            await inbox.expunge([Uid(1)])
            assert await client.say(b"c NOOP") == [b"c OK NOOP completed"]
            assert await client.say(b"d UID FETCH 1:* FLAGS") == [
                b"* 2 FETCH (UID 2 FLAGS (\\Seen \\Recent))",
                b"d OK [EXPUNGEISSUED] Some messages were already expunged",
            ]
            all_again = b"e NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))"
            assert await client.say(all_again) == [
                b"* 1 EXPUNGE",
                b"* 2 EXISTS",
                b"e OK NOTIFY completed",
            ]
            client.client.end()

    asyncio.run(talk())


def test_other_mailboxes() -> None:
    """§5.1 to §5.3: STATUS with what has changed, also in IDLE; not of the selected mailbox."""

    async def talk() -> None:
        account = new_account()
        sent = await account.open("Sent")
        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            await client.begin(tasks)
            events = b"(MessageNew MessageExpunge FlagChange)"
            assert await client.say(b"a NOTIFY SET STATUS (personal %b)" % events) == [
                b"* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1795352182 UNSEEN 0 HIGHESTMODSEQ 1)",
                b"* STATUS Sent (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1795352183 UNSEEN 0 HIGHESTMODSEQ 1)",
                b"a OK NOTIFY completed",
            ]
            await sent.append([NewMessage(b"a")])
            told = [b"* STATUS Sent (MESSAGES 1 UIDNEXT 2 UNSEEN 1 HIGHESTMODSEQ 2)"]
            assert await client.hear() == told
            assert await client.say(b"b IDLE") == [b"+ idling"]
            await sent.change_flags([Uid(1)], FlagChange(FlagAction.ADD, Flag.SEEN))
            assert await client.hear() == [b"* STATUS Sent (MESSAGES 1 UIDNEXT 2 UNSEEN 0 HIGHESTMODSEQ 3)"]
            await client.say(b"DONE")
            await client.say(b"c SELECT Sent")
            await sent.expunge([Uid(1)])
            assert await client.hear() == []
            client.client.end()

    asyncio.run(talk())


def test_the_first_group_counts() -> None:
    """Mailboxes by name, by what is above them, by subscription; NONE takes some away."""

    async def talk() -> None:
        account = new_account()
        for name in ("a", "a/b", "c", "d"):
            await account.create(name)
        await account.subscribe("c")
        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            await client.begin(tasks)
            news = b"(MessageNew MessageExpunge)"
            groups = b"(mailboxes a/b NONE) (subtree (a x) %b) (subscribed %b)" % (news, news)
            said = await client.say(b"a NOTIFY SET STATUS " + groups)
            names = [line.split(b" ")[2] for line in said[:-1]]
            assert names == [b"Sent", b"a", b"c"]
            for name in ("a", "a/b", "c", "d"):
                await (await account.open(name)).append([NewMessage(b"x")])
            assert sorted(await client.hear()) == [
                b"* STATUS a (MESSAGES 1 UIDNEXT 2 UNSEEN 1)",
                b"* STATUS c (MESSAGES 1 UIDNEXT 2 UNSEEN 1)",
            ]
            assert await client.say(b"b NOTIFY NONE") == [b"b OK NOTIFY completed"]
            await (await account.open("a")).append([NewMessage(b"x")])
            assert await client.hear() == []
            client.client.end()

    asyncio.run(talk())


def test_names_and_subscriptions() -> None:
    """§5.4, §5.5: LIST of what comes, goes, is renamed and subscribed; what comes is watched, too."""

    async def talk() -> None:
        account = new_account()
        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            events = b"(MessageNew MessageExpunge MailboxName SubscriptionChange)"
            await client.begin(tasks, b"a NOTIFY SET (personal %b)" % events)
            await account.create("new")
            assert await client.hear() == [b'* LIST () "/" new']
            await (await account.open("new")).append([NewMessage(b"x")])
            assert await client.hear() == [b"* STATUS new (MESSAGES 1 UIDNEXT 2 UNSEEN 1)"]
            await account.subscribe("new")
            assert await client.hear() == [b'* LIST (\\Subscribed) "/" new']
            await account.rename("new", "newer")
            assert await client.hear() == [b'* LIST () "/" newer ("OLDNAME" (new))']
            await (await account.open("newer")).append([NewMessage(b"x")])
            assert await client.hear() == [b"* STATUS newer (MESSAGES 2 UIDNEXT 3 UNSEEN 2)"]
            await account.delete("newer")
            assert await client.hear() == [b'* LIST (\\NonExistent) "/" newer']
            await account.unsubscribe("new")
            assert await client.hear() == [b'* LIST (\\NonExistent) "/" new']
            client.client.end()

    asyncio.run(talk())


def test_too_many_mailboxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """§5.8: NOTIFICATIONOVERFLOW, and no more of it."""
    monkeypatch.setattr(notify, "MAX_MAILBOXES", 2)

    async def talk() -> None:
        account = new_account()
        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            await client.begin(tasks, b"a NOTIFY SET (personal (MessageNew MessageExpunge))")
            await account.create("one more")
            overflow = [b"* OK [NOTIFICATIONOVERFLOW] Too many mailboxes to watch"]
            assert await client.hear() == overflow
            await (await account.open("Sent")).append([NewMessage(b"x")])
            assert await client.hear() == []
            client.client.end()

    asyncio.run(talk())


def test_what_other_programs_do(tmp_path: Path) -> None:
    """A delivery into another mailbox, a mailbox made by hand: noticed by inotify."""

    async def heard(client: Talk) -> list[bytes]:
        found: list[bytes] = []
        async with asyncio.timeout(45):
            while not found:
                found = await client.hear()
                await asyncio.sleep(0.01)
        return found

    async def talk() -> None:
        inotify = open_inotify(asyncio.get_running_loop())
        if inotify is None:
            pytest.skip("no inotify here")
        account = MaildirAccount(str(tmp_path / "Maildir"), inotify=inotify)
        await account.create("Lists")
        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            events = b"(MessageNew MessageExpunge MailboxName)"
            await client.begin(tasks, b"a NOTIFY SET (personal %b)" % events)
            message = tmp_path / "Maildir" / ".Lists" / "new" / "1.2.host"
            message.write_bytes(b"Subject: x\n\ny\n")
            assert await heard(client) == [b"* STATUS Lists (MESSAGES 1 UIDNEXT 2 UNSEEN 1)"]
            for place in ("cur", "new", "tmp"):
                os.makedirs(tmp_path / "made" / place)
            (tmp_path / "made").rename(tmp_path / "Maildir" / ".By hand")
            assert await heard(client) == [b'* LIST () "/" "By hand"']
            client.client.end()
        await account.close()
        inotify.close()

    asyncio.run(talk())
