"""NOTIFY (RFC 5465): what a client hears without asking."""

import asyncio
import os
from pathlib import Path

import pytest

from fakes.guarded_account import GuardedAccount
from fakes.scripted_transport import ScriptedTransport
from pillarbox.files.inotify import open_inotify
from pillarbox.mailstore.mailbox import (
    Account,
    FlagAction,
    FlagChange,
    NewMessage,
)
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.observability.events import Event
from pillarbox.sessions.imap import notify
from pillarbox.sessions.imap.options import DEFAULTS, ImapOptions
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid


def ignore(event: Event) -> None:
    """No event is expected here."""


class Talk:
    """A running session, and its client."""

    def __init__(self, account: Account, options: ImapOptions = DEFAULTS) -> None:
        self.client = ScriptedTransport(ends=False)
        self._session = ImapSession(
            self.client, account, clock=ManualClock(), sink=ignore, login_tag=b"L", options=options
        )

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
            assert await client.hear() == [b"* 2 FETCH (UID 2 FLAGS (\\Seen \\Recent))"]  # §5.1
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


def test_other_mailboxes_with_condstore() -> None:
    """§5.1, §5.2: HIGHESTMODSEQ with what is new, and UIDVALIDITY with changes of flags."""

    async def talk() -> None:
        account = new_account()
        sent = await account.open("Sent")
        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            groups = b"(mailboxes Sent (MessageNew MessageExpunge))"
            await client.begin(tasks, b"a ENABLE CONDSTORE", b"b NOTIFY SET " + groups)
            await sent.append([NewMessage(b"a")])
            assert await client.hear() == [b"* STATUS Sent (MESSAGES 1 UIDNEXT 2 UNSEEN 1 HIGHESTMODSEQ 2)"]
            await client.say(b"c NOTIFY SET (mailboxes Sent (MessageNew MessageExpunge FlagChange))")
            await sent.change_flags([Uid(1)], FlagChange(FlagAction.ADD, Flag.SEEN))
            items = b"MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1795352183 UNSEEN 0 HIGHESTMODSEQ 3"
            assert await client.hear() == [b"* STATUS Sent (%b)" % items]
            await account.delete("Sent")
            await account.create("Sent")
            assert await client.hear() == [
                b"* STATUS Sent (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1795352184 UNSEEN 0 HIGHESTMODSEQ 1)"
            ]
            client.client.end()

    asyncio.run(talk())


def test_all_groups_count() -> None:
    """§6: mailboxes by name, by what is above them, by subscription; what each group wants of them is told."""

    async def talk() -> None:
        account = new_account()
        for name in ("a", "a/b", "c", "d"):
            await account.create(name)
        await account.subscribe("c")
        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            await client.begin(tasks)
            news = b"(MessageNew MessageExpunge)"
            groups = b"(mailboxes d NONE) (subtree (a x) %b) (subscribed %b)" % (news, news)
            said = await client.say(b"a NOTIFY SET STATUS " + groups)
            names = [line.split(b" ")[2] for line in said[:-1]]
            assert names == [b"Sent", b"a", b"a/b", b"c"]
            for name in ("a", "a/b", "c", "d"):
                await (await account.open(name)).append([NewMessage(b"x")])
            told = [b"a", b"a/b", b"c"]
            assert sorted(await client.hear()) == [
                b"* STATUS %b (MESSAGES 1 UIDNEXT 2 UNSEEN 1)" % name for name in told
            ]
            # The example of §6: of INBOX the first group wants messages, the second one subscriptions.
            wanted = b"(mailboxes INBOX (Messagenew messageExpunge)) (personal (SubscriptionChange))"
            assert await client.say(b"b NOTIFY SET " + wanted) == [b"b OK NOTIFY completed"]
            await (await account.open("INBOX")).append([NewMessage(b"x")])
            assert await client.hear() == [b"* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UNSEEN 1)"]
            await account.subscribe("INBOX")
            assert await client.hear() == [b'* LIST (\\Subscribed \\HasNoChildren) "/" INBOX']
            assert await client.say(b"c NOTIFY NONE") == [b"c OK NOTIFY completed"]
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
            assert await client.hear() == [b'* LIST (\\HasNoChildren) "/" new']
            await (await account.open("new")).append([NewMessage(b"x")])
            assert await client.hear() == [b"* STATUS new (MESSAGES 1 UIDNEXT 2 UNSEEN 1)"]
            await account.subscribe("new")
            assert await client.hear() == [b'* LIST (\\Subscribed \\HasNoChildren) "/" new']
            await account.rename("new", "newer")
            assert await client.hear() == [b'* LIST (\\HasNoChildren) "/" newer ("OLDNAME" (new))']
            await (await account.open("newer")).append([NewMessage(b"x")])
            assert await client.hear() == [b"* STATUS newer (MESSAGES 2 UIDNEXT 3 UNSEEN 2)"]
            await account.delete("newer")
            assert await client.hear() == [b'* LIST (\\NonExistent) "/" newer']
            await account.unsubscribe("new")
            assert await client.hear() == [b'* LIST (\\NonExistent) "/" new']
            client.client.end()

    asyncio.run(talk())


def test_names_above_and_below() -> None:
    """§5.4: the mailbox above has children or not; what is renamed with one above it is not told."""

    async def talk() -> None:
        account = new_account()
        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            await client.begin(tasks, b"a NOTIFY SET (personal (MailboxName))")
            await account.create("a/b")
            assert await client.hear() == [
                b'* LIST (\\NonExistent \\HasChildren) "/" a',
                b'* LIST (\\HasNoChildren) "/" a/b',
            ]
            await account.create("a")
            assert await client.hear() == [b'* LIST (\\HasChildren) "/" a']
            await account.rename("a", "c")
            assert await client.hear() == [b'* LIST (\\HasChildren) "/" c ("OLDNAME" (a))']
            await account.delete("c/b")
            assert await client.hear() == [
                b'* LIST (\\HasNoChildren) "/" c',
                b'* LIST (\\NonExistent) "/" c/b',
            ]
            client.client.end()

    asyncio.run(talk())


def test_what_the_client_did_itself() -> None:
    """§5: "The server SHOULD omit notifying the client if the event is caused by this client"."""

    async def talk() -> None:
        account = new_account()
        async with asyncio.TaskGroup() as tasks:
            client, other = Talk(account), Talk(account)
            notify = b"a NOTIFY SET (personal (MailboxName SubscriptionChange))"
            await client.begin(tasks, notify)
            await other.begin(tasks, notify)
            for line, heard in (
                (b"b CREATE new", b'* LIST (\\HasNoChildren) "/" new'),
                (b"b SUBSCRIBE new", b'* LIST (\\Subscribed \\HasNoChildren) "/" new'),
                (b"b UNSUBSCRIBE new", b'* LIST (\\HasNoChildren) "/" new'),
                (b"b RENAME new newer", b'* LIST (\\HasNoChildren) "/" newer ("OLDNAME" (new))'),
                (b"b DELETE newer", b'* LIST (\\NonExistent) "/" newer'),
            ):
                assert [line[:5] for line in await client.say(line)] == [b"b OK "]
                assert await client.hear() == []
                assert await other.hear() == [heard]
            client.client.end()
            other.client.end()

    asyncio.run(talk())


def test_annotations() -> None:
    """§5.6, §5.7: the names of what others have set or removed, where METADATA is served."""

    async def talk() -> None:
        account = new_account()
        options = ImapOptions(metadata=True)
        async with asyncio.TaskGroup() as tasks:
            client, other = Talk(account, options), Talk(account, options)
            await other.begin(tasks, b'a SETMETADATA INBOX (/private/comment "x")')
            events = b"(MailboxName MailboxMetadataChange ServerMetadataChange)"
            await client.begin(tasks, b"a NOTIFY SET (personal %b)" % events)
            await other.say(b'b SETMETADATA INBOX (/private/comment "y" /shared/comment "z")')
            assert await client.hear() == [b"* METADATA INBOX /private/comment /shared/comment"]
            await other.say(b'c SETMETADATA INBOX (/private/comment NIL /shared/comment "z")')
            assert await client.hear() == [b"* METADATA INBOX /private/comment"]
            await other.say(b'd SETMETADATA "" (/private/vendor/x "y")')
            assert await client.hear() == [b'* METADATA "" /private/vendor/x']
            await other.say(b"e CREATE new")
            assert await client.hear() == [b'* LIST (\\HasNoChildren) "/" new']
            await other.say(b'f SETMETADATA new (/private/comment "y")')
            assert await client.hear() == [b"* METADATA new /private/comment"]
            await client.say(b'g SETMETADATA INBOX (/private/comment "mine")')
            assert await client.hear() == []
            await client.say(b"h NOTIFY SET (mailboxes Sent (MailboxMetadataChange))")
            await other.say(b'i SETMETADATA INBOX (/private/comment "y")')
            await other.say(b'j SETMETADATA Sent (/private/comment "y")')
            assert await client.hear() == [b"* METADATA Sent /private/comment"]
            client.client.end()
            other.client.end()

    asyncio.run(talk())


def test_what_may_not_be_read() -> None:
    """§3.1, §5.9: \\NoAccess, at once or when that is noticed; the other mailboxes are told of."""

    async def talk() -> None:
        account = GuardedAccount(clock=ManualClock(), special_use={"Sent": b"\\Sent"})
        inbox = await account.open("INBOX")
        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            await client.begin(tasks)
            wanted = b"a NOTIFY SET (personal (MessageNew MessageExpunge))"
            assert await client.say(wanted) == [
                b'* LIST (\\NoAccess) "/" Sent',
                b"a OK NOTIFY completed",
            ]
            await inbox.append([NewMessage(b"a")])
            assert await client.hear() == [b"* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UNSEEN 1)"]
            account.forbidden = "INBOX"
            await inbox.append([NewMessage(b"a")])
            assert await client.hear() == [b'* LIST (\\NoAccess) "/" INBOX']
            await account.create("new")  # when names change, it is tried again
            assert await client.hear() == [b'* LIST (\\Subscribed \\HasNoChildren \\Sent) "/" Sent']
            client.client.end()

    asyncio.run(talk())


def test_results_with_what_is_new_in_them() -> None:
    """§7: EXISTS, FETCH and ESEARCH of a new message that matches; not of one whose flags come to match."""

    async def talk() -> None:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a")])
        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            await client.begin(tasks, b"a SELECT INBOX")
            said = await client.say(b"a00 SEARCH RETURN (COUNT UPDATE (UID BODY[])) SEEN")
            assert said == [b'* ESEARCH (TAG "a00") COUNT 0', b"a00 OK Search completed"]
            await inbox.append([NewMessage(b"b"), NewMessage(b"c", flags=Flag.SEEN)])
            assert await client.say(b"b NOOP") == [
                b"* 3 EXISTS",
                b"* 3 RECENT",
                b"* 3 FETCH (UID 3 BODY[] {1}",
                b"c)",
                b'* ESEARCH (TAG "a00") ADDTO (0 3)',
                b"b OK NOOP completed",
            ]
            await inbox.change_flags([Uid(1)], FlagChange(FlagAction.ADD, Flag.SEEN))
            assert await client.say(b"c NOOP") == [
                b"* 1 FETCH (FLAGS (\\Seen \\Recent))",
                b'* ESEARCH (TAG "a00") ADDTO (0 1)',
                b"c OK NOOP completed",
            ]
            client.client.end()

    asyncio.run(talk())


def test_too_many_mailboxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """§5.8: NOTIFICATIONOVERFLOW, and no more of it."""
    monkeypatch.setattr(notify, "MAX_MAILBOXES", 2)

    async def talk() -> None:
        account = new_account()
        async with asyncio.TaskGroup() as tasks:
            client = Talk(account)
            await client.begin(tasks, b"a NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))")
            await account.create("one more")
            overflow = b"OK [NOTIFICATIONOVERFLOW] Too many mailboxes to watch"
            assert await client.hear() == [
                b'* LIST (\\HasNoChildren) "/" "one more"',
                b"* " + overflow,
            ]
            await (await account.open("Sent")).append([NewMessage(b"x")])
            assert await client.hear() == []
            # What is too much from the beginning is refused, and what was asked for before goes on.
            await client.say(b"b NOTIFY SET (mailboxes Sent (MessageNew MessageExpunge))")
            all_of_them = b"NOTIFY SET (personal (MessageNew MessageExpunge))"
            assert await client.say(b"c " + all_of_them) == [b"c " + overflow.replace(b"OK", b"NO", 1)]
            await (await account.open("Sent")).append([NewMessage(b"x")])
            assert await client.hear() == [b"* STATUS Sent (MESSAGES 2 UIDNEXT 3 UNSEEN 2)"]
            client.client.end()

    asyncio.run(talk())


def test_what_other_programs_do(tmp_path: Path) -> None:
    """A delivery into another mailbox, a mailbox made by hand, an annotation: noticed by inotify."""

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
            client = Talk(account, ImapOptions(metadata=True))
            events = b"(MessageNew MessageExpunge MailboxName MailboxMetadataChange)"
            await client.begin(tasks, b"a NOTIFY SET (personal %b)" % events)
            message = tmp_path / "Maildir" / ".Lists" / "new" / "1.2.host"
            message.write_bytes(b"Subject: x\n\ny\n")
            assert await heard(client) == [b"* STATUS Lists (MESSAGES 1 UIDNEXT 2 UNSEEN 1)"]
            for place in ("cur", "new", "tmp"):
                os.makedirs(tmp_path / "made" / place)
            (tmp_path / "made").rename(tmp_path / "Maildir" / ".By hand")
            assert await heard(client) == [b'* LIST (\\HasNoChildren) "/" "By hand"']
            another = MaildirAccount(str(tmp_path / "Maildir"))
            await another.change_attributes("Lists", {"private/comment": b"x"})
            assert await heard(client) == [b"* METADATA Lists /private/comment"]
            await another.close()
            client.client.end()
        await account.close()
        inotify.close()

    asyncio.run(talk())
