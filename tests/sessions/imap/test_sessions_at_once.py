"""Sessions that do everything at the same moment, on one account, with other programs at its files.

DESCRIPTION
    Real files and threads, so that nothing is in an order that somebody chose: each command is answered, whatever
    the others make of the mailbox meanwhile, and nothing goes wrong that the log would have to tell of.
"""

import asyncio
import random
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Final

import pytest

from fakes.examples import examples
from fakes.imap_model import ACTIONS, ModelClient
from fakes.scripted_transport import ScriptedTransport
from fakes.strange_programs import STRANGE_ACTIONS, do_strange_thing, touch_directories
from pillarbox.files.inotify import open_inotify
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import Event
from pillarbox.sessions.imap import fetch, session
from pillarbox.sessions.imap.session import ImapSession

SEEDS: Final = examples(12)
SESSIONS: Final = 4
STEPS: Final = 40
"""Commands of each session."""
SECONDS: Final = 50
"""A command that is not answered by then never will be."""
MAILBOXES: Final = (b"INBOX", b"A", b"A/B", b"Trash")
COMMANDS: Final = (
    b"SELECT %b",
    b"SELECT %b",
    b"EXAMINE %b",
    b"CREATE %b",
    b"DELETE %b",
    b"RENAME %b %b",
    b"SUBSCRIBE %b",
    b"UNSUBSCRIBE %b",
    b"APPEND %b {5+}\r\nhello",
    b"APPEND %b {5+}\r\nhello {5+}\r\nworld",
    b"REPLACE 1 %b {3+}\r\nabc",
    b"COPY 1:* %b",
    b"UID MOVE * %b",
    b"STATUS %b (MESSAGES UNSEEN UIDNEXT HIGHESTMODSEQ SIZE)",
    b'LIST "" "*" RETURN (STATUS (MESSAGES))',
    b"SEARCH TEXT o",
    b"UID SORT (SUBJECT) UTF-8 ALL",
    b"THREAD REFERENCES UTF-8 ALL",
    b"FETCH 1:* (ENVELOPE BODY[])",
    b"UID FETCH 1:* (FLAGS RFC822.SIZE PREVIEW) (CHANGEDSINCE 1)",
    b"STORE 1:* +FLAGS (\\Deleted $Work)",
    b"STORE * -FLAGS (\\Deleted)",
    b"EXPUNGE",
    b"CLOSE",
    b"NOOP",
    b"IDLE\r\nDONE",
    b"ENABLE QRESYNC",
    b"NOTIFY SET STATUS (PERSONAL (MessageNew MessageExpunge FlagChange MailboxName))",
    b"SEARCH RETURN (SAVE) ALL",
    b"UID STORE $ +FLAGS (\\Seen)",
)

Talk = Callable[[ScriptedTransport, random.Random], Coroutine[None, None, None]]


async def sessions_talk(maildir: Path, seed: int, talk: Talk) -> list[Event]:
    """Each session says what `talk` has it say; what the log was told."""
    inotify = open_inotify(asyncio.get_running_loop())
    account = MaildirAccount(str(maildir), inotify=inotify)
    transports = [ScriptedTransport(ends=False) for _ in range(SESSIONS)]
    events: list[Event] = []
    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as sessions:
        for transport in transports:
            talker = ImapSession(transport, account, clock=SystemClock(), sink=events.append, login_tag=b"L")
            sessions.create_task(talker.run())
            await transport.rest()
        async with asyncio.TaskGroup() as talks:
            for number, transport in enumerate(transports):
                talks.create_task(talk(transport, random.Random(seed * SESSIONS + number)))
        for transport in transports:
            transport.end()
    await account.close()
    if inotify is not None:
        inotify.close()
    return events


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_command_is_answered(tmp_path: Path, seed: int) -> None:
    """Mailboxes are made, renamed and deleted under those who use them."""
    maildir = tmp_path / "Maildir"

    async def talk(transport: ScriptedTransport, chance: random.Random) -> None:
        for number in range(STEPS):
            line = re.sub(rb"%b", lambda _: chance.choice(MAILBOXES), chance.choice(COMMANDS))
            answer = await transport.ask(b"t%d %b\r\n" % (number, line))
            if b"* BYE" in answer:  # its mailbox was deleted
                return
            assert re.search(rb"(?m)^t%d (OK|NO|BAD) " % number, answer), (line, answer)
            assert b"SERVERBUG" not in answer, (line, answer)
            if chance.random() < 0.3:
                directory = maildir / chance.choice(("", ".A", ".A.B", ".Trash"))
                try:
                    do_strange_thing(directory, chance.choice(STRANGE_ACTIONS), chance.randrange(10))
                except FileNotFoundError:  # no such mailbox at the moment
                    continue

    assert [] == asyncio.run(sessions_talk(maildir, seed, talk))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_client_knows_the_truth_in_the_end(tmp_path: Path, seed: int) -> None:
    """RFC 3501 §5.2, §7.4.1: no change of INBOX goes untold, no number changes its meaning unsaid."""
    maildir = tmp_path / "Maildir"
    clients: list[ModelClient] = []
    done = asyncio.Barrier(SESSIONS)

    async def talk(transport: ScriptedTransport, chance: random.Random) -> None:
        client = ModelClient(transport.ask)
        clients.append(client)
        if len(clients) == 1:
            await client.say(b"CREATE Trash")
            await client.enable_qresync()
        await client.begin()
        for _ in range(STEPS):
            await client.act(chance.choice(ACTIONS), chance.randrange(10))
            if chance.random() < 0.3:
                do_strange_thing(maildir, chance.choice(STRANGE_ACTIONS), chance.randrange(10))
        await done.wait()
        touch_directories(maildir)
        await client.say(b"NOOP")
        await done.wait()
        await client.check()

    assert [] == asyncio.run(sessions_talk(maildir, seed, talk))
    assert 1 == len({tuple(client.uids) for client in clients})
    assert all(client.flags == clients[0].flags for client in clients)


AHEAD: Final = (
    b"FETCH 1:* (UID FLAGS)",
    b"FETCH 1:* (UID BODY.PEEK[])",
    b"FETCH 1:* (UID BODY.PEEK[])",
    b"UID FETCH 1:* (FLAGS)",
    b"NOOP",
    b"NOOP",
    b"CHECK",
    b"SEARCH ALL",
    b"STATUS Trash (MESSAGES)",
    b'LIST "" *',
    b"STORE 1 +FLAGS (\\Deleted)",
    b"EXPUNGE",
    b"APPEND INBOX {1+}\r\nx",
    b"COPY 1 Trash",
)
"""What is sent ahead: a FETCH goes on while others are answered."""


@pytest.mark.parametrize("seed", range(SEEDS))
def test_commands_that_are_sent_ahead(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3501 §5.5: whatever runs at the same time, each number means what the client must believe."""
    monkeypatch.setattr(session, "PATIENCE", 0)
    monkeypatch.setattr(fetch, "MANY", 1)
    maildir = tmp_path / "Maildir"
    clients: list[ModelClient] = []
    done = asyncio.Barrier(SESSIONS)

    async def talk(transport: ScriptedTransport, chance: random.Random) -> None:
        client = ModelClient(transport.ask)
        clients.append(client)
        await client.say(b"CREATE Trash" if len(clients) == 1 else b"NOOP")
        await client.say(b"SELECT INBOX")
        await client.say(b"APPEND INBOX {1+}\r\nx")
        for _ in range(STEPS // 2):
            commands = chance.choices(AHEAD, k=chance.randrange(1, 5))
            sent = b"".join(b"t%d %b\r\n" % pair for pair in enumerate(commands))
            transport.feed(sent)
            said = await transport.more()
            while not all(
                re.search(rb"(?m)^t%d (?:OK|NO|BAD) " % number, said) for number in range(len(commands))
            ):
                assert not transport.closed, (sent, said)
                said += await transport.more()
            client.learn(said)
        await done.wait()
        await client.say(b"NOOP")
        await done.wait()
        await client.check()

    assert [] == asyncio.run(sessions_talk(maildir, seed, talk))
    assert 1 == len({tuple(client.uids) for client in clients})
