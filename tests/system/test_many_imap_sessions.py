"""Several IMAP sessions of one user at once, through the real processes, with other programs at the files."""

import asyncio
import imaplib
import random
import re
from collections.abc import Iterator
from typing import Final

import pytest

from fakes.imap_model import ACTIONS, ModelClient
from fakes.mail_system import MailSystem
from fakes.strange_programs import STRANGE_ACTIONS, do_strange_thing, touch_directories
from system.conftest import new_system

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]
PASSWORD: Final = "correct horse"
SESSIONS: Final = 4
STEPS: Final = 40
"""Commands of each session."""
_TAG: Final = re.compile(rb"([^ ]+) ")


@pytest.fixture(scope="module")
def mail_system() -> Iterator[MailSystem]:
    """A running system; its rights make no difference to what IMAP says."""
    system = new_system("rootless")
    system.configure_mailboxes("imap_metadata = yes\nimap_id_send = name Pillarbox\n")
    try:
        system.start()
        yield system
        assert system.stop() == 0
        assert "Traceback" not in system.log() + system.screen()
    finally:
        system.end()


def say(client: imaplib.IMAP4, line: bytes) -> list[bytes]:
    """A command in our own words; the lines of the answer."""
    client.send(b"x " + line + b"\r\n")
    lines: list[bytes] = []
    while not lines or not lines[-1].startswith(b"x "):
        lines.append(client.readline().rstrip())
    return lines


class SocketClient:
    """A connection of a session."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.transcript = bytearray()
        """What was said by both, shown when a test fails."""

    async def hear_greeting(self) -> None:
        """`* OK …`"""
        assert (await self._reader.readline()).startswith(b"* OK ")

    async def ask(self, line: bytes) -> bytes:
        """Say a command; the answer up to its tagged line."""
        found = _TAG.match(line)
        assert found is not None
        self._writer.write(line)
        self.transcript += line
        said = b""
        while True:
            answer = await self._reader.readline()
            assert answer, f"the connection ended after {line!r}: {said!r}"
            said += answer
            self.transcript += answer
            if answer.startswith(found[1] + b" "):
                return said

    def close(self) -> None:
        """The client goes."""
        self._writer.close()


def test_every_session_sees_the_same(mail_system: MailSystem) -> None:
    """Each client's numbers, flags and kept results are right, whatever happens between any two of its commands."""
    user = "crowd@pillarbox.test"
    mail_system.add_user(user, PASSWORD)
    port = mail_system.port("imap")
    maildir = mail_system.maildir(user)

    async def connect(number: int) -> tuple[SocketClient, ModelClient]:
        connection = SocketClient(*await asyncio.open_connection("127.0.0.1", port))
        await connection.hear_greeting()
        client = ModelClient(connection.ask)
        await client.say(b'LOGIN %b "%b"' % (user.encode(), PASSWORD.encode()))
        if number == 0:
            await client.enable_qresync()
            await client.say(b"APPEND INBOX {1+}\r\nx")
        await client.begin()
        return connection, client

    async def act(client: ModelClient, chance: random.Random) -> None:
        for _ in range(STEPS):
            await client.act(chance.choice(ACTIONS), chance.randrange(10))
            if chance.random() < 0.3:  # in the middle of what the others are doing
                do_strange_thing(maildir, chance.choice(STRANGE_ACTIONS), chance.randrange(10))

    async def run() -> None:
        pairs = [await connect(number) for number in range(SESSIONS)]
        clients = [client for _, client in pairs]
        try:
            async with asyncio.TaskGroup() as tasks:
                for seed, client in enumerate(clients):
                    tasks.create_task(act(client, random.Random(seed)))
            touch_directories(maildir)
            for client in clients:
                await client.say(b"NOOP")
            for client in clients:
                await client.check()
            assert len({tuple(client.uids) for client in clients}) == 1
            assert all(client.flags == clients[0].flags for client in clients)
        except BaseException:
            for number, (connection, _) in enumerate(pairs):
                print(f"session {number}:\n{connection.transcript.decode()}")
            raise
        finally:
            for connection, _ in pairs:
                connection.close()

    asyncio.run(run())


def test_extensions_through_the_processes(mail_system: MailSystem) -> None:
    """NOTIFY of a delivery by SMTP, names in UTF-8, annotations and special uses after another login, ID."""
    user = "notified@pillarbox.test"
    mail_system.add_user(user, PASSWORD)

    def log_in() -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", mail_system.port("imap"), timeout=20)
        assert b'* ID ("name" "Pillarbox")' in say(client, b"ID NIL")
        assert say(client, b'LOGIN %b "%b"' % (user.encode(), PASSWORD.encode()))[-1].startswith(b"x OK")
        return client

    client = log_in()
    assert say(client, b"ENABLE IMAP4rev2")[0] == b"* ENABLED IMAP4rev2"
    made = say(client, 'CREATE "Entwürfe" (USE (\\Drafts))'.encode())[-1]
    identity = re.search(rb"\[MAILBOXID \((F[0-9a-f]{32})\)\]", made)
    assert identity is not None, made
    assert say(client, b'SETMETADATA INBOX (/private/comment "mine")')[-1].startswith(b"x OK")
    say(client, b"SELECT INBOX")
    wanted = b"(selected (MessageNew (BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge FlagChange))"
    assert say(client, b"NOTIFY SET " + wanted)[-1].startswith(b"x OK")
    mail_system.send(b"Subject: pushed\r\n\r\nx\r\n", recipient=user)
    told = [client.readline().rstrip() for _ in range(3)]  # without a word of ours
    assert told[0] == b"* 1 EXISTS"
    assert told[1].startswith(b"* 1 FETCH (UID 1 BODY[HEADER.FIELDS (SUBJECT)] {")
    assert told[2] == b"Subject: pushed"
    client.shutdown()

    other = log_in()
    listed = say(other, b'LIST (SPECIAL-USE) "" "Entw*"')
    assert listed[0] == b'* LIST (\\Drafts) "/" Entw&APw-rfe'
    status = say(other, b"STATUS Entw&APw-rfe (MAILBOXID)")
    assert status[0] == b"* STATUS Entw&APw-rfe (MAILBOXID (%b))" % identity[1]
    assert b"mine)" in say(other, b"GETMETADATA INBOX /private/comment")
    other.shutdown()
