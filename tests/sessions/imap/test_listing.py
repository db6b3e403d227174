"""LIST's answers are kept while nothing changes, and only so long."""

import asyncio
import os
from pathlib import Path

from fakes.guarded_account import GuardedAccount
from fakes.imap_talk import play
from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.namespaces.namespaced_account import NamespacedAccount
from pillarbox.observability.events import Event
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock

ALL = b'a LIST "" *\r\n'
SUBSCRIBED = b'a LIST (SUBSCRIBED) "" *\r\n'
LSUB = b'a LSUB "" *\r\n'
COUNTS = b'a LIST "" * RETURN (STATUS (MESSAGES))\r\n'


def ignore(event: Event) -> None:
    """Nothing is expected to be told."""


def test_what_is_kept_goes_with_each_change(tmp_path: Path) -> None:
    """Each way to change the mailboxes, by this session or another program, is seen by all forms of LIST."""

    async def talk() -> None:
        root = tmp_path / "M"
        store = MaildirAccount(str(root))
        account = NamespacedAccount(store, prefix="", separator=".")
        transport = ScriptedTransport(ends=False)
        session = ImapSession(transport, account, clock=ManualClock(), sink=ignore, login_tag=b"L")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(session.run())
            await transport.rest()
            await change_and_look(transport, store, root)
            transport.end()

    asyncio.run(talk())


async def change_and_look(transport: ScriptedTransport, store: MaildirAccount, root: Path) -> None:
    """One change after the other, and what LIST says."""

    async def names(command: bytes) -> list[bytes]:
        lines = (await transport.ask(command)).split(b"\r\n")
        assert lines[-2].startswith(b"a OK")
        return [line.rpartition(b" ")[2] for line in lines[:-2] if line.startswith((b"* LIST", b"* LSUB"))]

    await transport.ask(b"a CREATE Entw&APw-rfe.x\r\n")
    expected = [b"Entw&APw-rfe", b"Entw&APw-rfe.x", b"INBOX"]
    assert expected == await names(ALL)
    assert expected == await names(ALL)
    assert [] == await names(SUBSCRIBED) == await names(LSUB)
    await transport.ask(b"a SUBSCRIBE INBOX\r\n")
    assert [b"INBOX"] == await names(SUBSCRIBED) == await names(LSUB)
    (root / "subscriptions").write_bytes(b"V\t2\n\ngone\n")
    assert [b"gone"] == await names(SUBSCRIBED) == await names(LSUB)
    for place in ("cur", "new", "tmp"):
        os.makedirs(root / ".Theirs" / place)
    assert [*expected, b"Theirs"] == await names(ALL)
    await transport.ask(b"a DELETE Theirs\r\n")
    await transport.ask(b"a RENAME Entw&APw-rfe.x Mine\r\n")
    assert [b"INBOX", b"Mine"] == await names(ALL) == await names(COUNTS)
    await transport.ask(b"a ENABLE IMAP4rev2\r\n")
    await transport.ask('a CREATE "ü" (USE (\\Drafts))\r\n'.encode())
    assert [b"INBOX", b"Mine", '"ü"'.encode()] == await names(ALL)
    assert b'\\Drafts) "." "\xc3\xbc"' in await transport.ask(ALL)

    box = await store.open("Mine")
    for count in (1, 2):
        await box.append([NewMessage(b"x")])
        assert b"* STATUS Mine (MESSAGES %d)" % count in await transport.ask(COUNTS)
    box.close()
    assert b"* STATUS Mine (MESSAGES 2 UIDNEXT 3)" in await transport.ask(
        COUNTS.replace(b"MESSAGES", b"MESSAGES UIDNEXT")
    )


def test_a_list_is_the_same_while_nothing_changes(tmp_path: Path) -> None:
    """So that what was made of it is found again, by other sessions, too."""

    async def look() -> None:
        store = MaildirAccount(str(tmp_path / "M"))
        await store.create("a/b")
        # Its time stamp is too young to believe in, so that the directory is listed each time; the list is the same.
        first = await NamespacedAccount(store, prefix="", separator=".").list_mailboxes()
        assert first is await NamespacedAccount(store, prefix="", separator=".").list_mailboxes()
        assert first is not await NamespacedAccount(store, prefix="x.", separator=".").list_mailboxes()
        await store.subscribe("a/b")
        assert first is not await NamespacedAccount(store, prefix="", separator=".").list_mailboxes()

    asyncio.run(look())


def test_status_of_what_may_not_be_read() -> None:
    """RFC 5819 §2: \\Noselect in LIST, no STATUS, and the others as ever."""
    account = GuardedAccount(clock=ManualClock(), special_use={"Sent": b"\\Sent"})
    said, _ = asyncio.run(
        play(
            [
                b'a LIST "" * RETURN (STATUS (MESSAGES))\r\n',
                b'b LIST "" * RETURN (CHILDREN STATUS (MESSAGES))\r\n',
            ],
            account,
        )
    )
    assert [line for line in said.split(b"\r\n") if b"Sent" in line or line[:2] in (b"a ", b"b ")] == [
        b'* LIST (\\Noselect) "/" Sent',
        b"a OK List completed (0.001 + 0.000 secs).",
        b'* LIST (\\Noselect \\HasNoChildren) "/" Sent',
        b"b OK List completed (0.001 + 0.000 secs).",
    ]
    assert said.count(b"* STATUS INBOX (MESSAGES 0)") == 2
