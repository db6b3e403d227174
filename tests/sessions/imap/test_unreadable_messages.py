"""A message whose file is damaged is left out, all others are told, and at the end NO: the session goes on."""

import asyncio
import gzip
import os
from pathlib import Path

import pytest

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.observability.events import Event, MailboxNotice, MailUser
from pillarbox.sessions.imap.options import ImapOptions
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.sessions.pop3_session import Pop3Session
from pillarbox.vocabulary.clock import ManualClock

NO = b"x NO [SERVERBUG] Internal error occurred. Refer to server log for more information."
DAMAGED = "1600000001.M1P1.h"
CASES = [  # command, what else is told: of messages 1 and 3
    (b"FETCH 1:* RFC822.SIZE", b"* 1 FETCH (RFC822.SIZE 27)\r\n* 3 FETCH (RFC822.SIZE 27)\r\n"),
    (b"FETCH 1:* PREVIEW", b'* 1 FETCH (PREVIEW "needle")\r\n* 3 FETCH (PREVIEW "needle")\r\n'),
    (b"FETCH 1:* BINARY.SIZE[1]", b"* 1 FETCH (BINARY.SIZE[1] 8)\r\n* 3 FETCH (BINARY.SIZE[1] 8)\r\n"),
    (
        b"FETCH 1:* (UID BODY.PEEK[TEXT])",
        b"* 1 FETCH (UID 1 BODY[TEXT] {8}\r\nneedle\r\n)\r\n* 3 FETCH (UID 3 BODY[TEXT] {8}\r\nneedle\r\n)\r\n",
    ),
    (
        b"FETCH 2:3 BODY.PEEK[HEADER.FIELDS (SUBJECT)]",
        b"* 3 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {19}\r\nSubject: good 2\r\n\r\n)\r\n",
    ),
    (b"FETCH 2 ENVELOPE", b""),
    (b"UID FETCH 2 BODY.PEEK[]", b""),
    (b"SEARCH BODY needle", b"* SEARCH 1 3\r\n"),
    (b"SEARCH SUBJECT good", b"* SEARCH 1 3\r\n"),
    (b"SEARCH LARGER 3", b"* SEARCH 1 3\r\n"),
    (b"UID SEARCH RETURN (COUNT) TEXT needle", b'* ESEARCH (TAG "x") UID COUNT 2\r\n'),
    (b"SORT (REVERSE SUBJECT) UTF-8 ALL", b"* SORT 3 1 2\r\n"),
    (b"SORT (REVERSE SUBJECT) UTF-8 ALL", b"* SORT 3 1 2\r\n"),
    (b"SORT (SIZE) UTF-8 ALL", b"* SORT 2 1 3\r\n"),
    (b"THREAD REFERENCES UTF-8 ALL", b"* THREAD (2)(1)(3)\r\n"),
    (b"THREAD REFERENCES UTF-8 ALL", b"* THREAD (2)(1)(3)\r\n"),
    (b"STATUS INBOX (SIZE)", b""),
]
NEEDS_NO_FILE = [
    (b"FETCH 2 (UID FLAGS)", b"* 2 FETCH (UID 2 FLAGS (\\Seen))\r\nx OK Fetch completed"),
    (
        b"FETCH 2 INTERNALDATE",
        b'* 2 FETCH (INTERNALDATE "13-Sep-2020 12:26:40 +0000")\r\nx OK Fetch completed',
    ),
    (b"SEARCH SEEN", b"* SEARCH 1 2 3\r\nx OK Search completed"),
]


def damaged_maildir(root: Path) -> None:
    """Three messages, the second of which is packed and cut short; their names tell no sizes."""
    for place in ("cur", "new", "tmp"):
        (root / place).mkdir(parents=True)
    for number in range(3):
        content = b"Subject: good %d\n\nneedle\n" % number
        if number == 1:
            content = gzip.compress(content + os.urandom(500))[:-100]
        path = root / "cur" / f"160000000{number}.M1P1.h:2,S"
        path.write_bytes(content)
        os.utime(path, (1_600_000_000, 1_600_000_000))


def test_all_others_are_told(tmp_path: Path) -> None:
    """FETCH, SEARCH, SORT and THREAD, each time again; the log has the path of the file."""
    damaged_maildir(tmp_path / "Maildir")
    told: list[Event] = []

    async def scene() -> None:
        account = MaildirAccount(str(tmp_path / "Maildir"))
        transport = ScriptedTransport(ends=False)
        options = ImapOptions(user="me")
        session = ImapSession(
            transport, account, clock=ManualClock(), sink=told.append, login_tag=b"L", options=options
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(session.run())
            await transport.rest()
            await transport.ask(b"x SELECT INBOX\r\n")
            for command, others in CASES:
                told.clear()
                assert (await transport.ask(b"x %b\r\n" % command)).startswith(others + NO), command
                assert told, command
                for event in told:
                    assert isinstance(event, MailboxNotice)
                    assert event.program == MailUser("imap", "me")
                    assert event.text.startswith(str(tmp_path / "Maildir" / "cur" / DAMAGED))
                    assert event.text.endswith("message file is cut short")
            for command, answer in NEEDS_NO_FILE:
                told.clear()
                assert (await transport.ask(b"x %b\r\n" % command)).startswith(answer), command
                assert not told
            [path] = (tmp_path / "Maildir" / "cur").glob(f"{DAMAGED}*")
            path.write_bytes(b"Subject: repaired\n\nneedle\n")
            for command in (
                b"THREAD REFERENCES UTF-8 ALL",
                b"SORT (SUBJECT) UTF-8 ALL",
                b"FETCH 1:* ENVELOPE",
            ):
                assert b"x OK" in await transport.ask(b"x %b\r\n" % command)
            transport.end()
        await account.close()

    asyncio.run(scene())


def test_pop3_needs_all_sizes(tmp_path: Path) -> None:
    """A client that numbers messages by what it is told once gets all of them or none."""
    damaged_maildir(tmp_path / "Maildir")

    async def scene() -> bytes:
        account = MaildirAccount(str(tmp_path / "Maildir"))
        transport = ScriptedTransport([b"STAT\r\n"])
        await Pop3Session(transport, account, sink=lambda event: None).run()
        await account.close()
        return transport.take_sent()

    assert asyncio.run(scene()).startswith(b"-ERR [SYS/TEMP] Internal error occurred.")


@pytest.mark.parametrize("command", [b"COPY 1:* Other", b"MOVE 2:3 Other"])
def test_what_is_not_read_is_copied(tmp_path: Path, command: bytes) -> None:
    """COPY and MOVE carry the file, damaged or not."""
    damaged_maildir(tmp_path / "Maildir")

    async def scene() -> bytes:
        account = MaildirAccount(str(tmp_path / "Maildir"))
        transport = ScriptedTransport([b"x CREATE Other\r\nx SELECT INBOX\r\nx %b\r\n" % command])
        await ImapSession(
            transport,
            account,
            clock=ManualClock(),
            sink=lambda event: None,
            login_tag=b"L",
            options=ImapOptions(),
        ).run()
        await account.close()
        return transport.take_sent()

    assert b"x NO" not in asyncio.run(scene())
