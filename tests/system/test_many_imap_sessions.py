"""Several IMAP sessions of one user at once, through the real processes, with other programs at the files."""

import asyncio
import imaplib
import random
import re
from collections.abc import Iterator
from typing import Final

import pytest

from fakes.imap_model import ACTIONS, ModelClient
from fakes.mail_system import PASSWORD, PATIENCE, MailSystem
from fakes.model_sessions import all_have_heard_the_same, model_sessions
from fakes.strange_programs import STRANGE_ACTIONS, do_strange_thing, touch_directories
from system.conftest import new_system

pytestmark = [pytest.mark.system, pytest.mark.proof]
SESSIONS: Final = 4
STEPS: Final = 40
"""Commands of each session."""


@pytest.fixture(scope="module")
def mail_system() -> Iterator[MailSystem]:
    """A running system; its rights make no difference to what IMAP says."""
    system = new_system("rootless")
    system.configure_mailboxes("imap_metadata = yes\nimap_id_send = name Pillarbox\n")
    with system.running():
        yield system


def say(client: imaplib.IMAP4, line: bytes) -> list[bytes]:
    """A command in our own words; the lines of the answer."""
    client.send(b"x " + line + b"\r\n")
    lines: list[bytes] = []
    while not lines or not lines[-1].startswith(b"x "):
        lines.append(client.readline().rstrip())
    return lines


def test_every_session_sees_the_same(mail_system: MailSystem) -> None:
    """Each client's numbers, flags and kept results are right, whatever happens between any two of its commands."""
    user = "crowd@pillarbox.test"
    mail_system.add_user(user, PASSWORD)
    maildir = mail_system.maildir(user)

    async def act(client: ModelClient, chance: random.Random) -> None:
        for _ in range(STEPS):
            await client.act(chance.choice(ACTIONS), chance.randrange(10))
            if chance.random() < 0.3:  # in the middle of what the others are doing
                do_strange_thing(maildir, chance.choice(STRANGE_ACTIONS), chance.randrange(10))

    async def run() -> None:
        async with model_sessions(mail_system.port("imap"), user, PASSWORD, count=SESSIONS) as clients:
            async with asyncio.TaskGroup() as tasks:
                for seed, client in enumerate(clients):
                    tasks.create_task(act(client, random.Random(seed)))
            touch_directories(maildir)
            await all_have_heard_the_same(clients)

    asyncio.run(run())


def test_extensions_through_the_processes(mail_system: MailSystem) -> None:
    """NOTIFY of a delivery by SMTP, names in UTF-8, annotations and special uses after another login, ID."""
    user = "notified@pillarbox.test"
    mail_system.add_user(user, PASSWORD)

    def log_in() -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", mail_system.port("imap"), timeout=PATIENCE)
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
