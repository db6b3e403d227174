"""Messages that go through files say the same as those in memory: one conversation, with high and with low limits."""

import asyncio
import os
import re
from pathlib import Path

import pytest

from fakes.scripted_transport import ScriptedTransport
from fakes.varied_messages import varied_messages
from pillarbox.mailstore.mailbox import OverQuota
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.observability.events import Event
from pillarbox.sessions.imap.options import ImapOptions
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.sessions.pop3_session import Pop3Session
from pillarbox.vocabulary.clock import ManualClock

MIME = (
    b"Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n.dot\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nR3LDvMOfZSBhdXMg\r\nS8O2bG4=\r\n"
    b"--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nsoft=\r\n line=3D\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nNUL \0 inside\r\n--b--\r\n"
)
SHORT = [message for message in varied_messages(12) if len(message) < 2000]
SECTIONS = (
    b"BODY.PEEK[]",
    b"BODY.PEEK[]<10.40>",
    b"BODY.PEEK[]<5000.9>",
    b"BODY.PEEK[TEXT]",
    b"BODY.PEEK[HEADER]",
    b"BODY.PEEK[HEADER.FIELDS (Subject)]",
    b"BODY.PEEK[HEADER.FIELDS.NOT (Subject)]",
    b"BODY.PEEK[1]",
    b"BODY.PEEK[2.MIME]",
    b"BODY.PEEK[4]",
    b"BODY.PEEK[4.HEADER]",
    b"BODY.PEEK[4.TEXT]<2.5>",
    b"BODY.PEEK[7]",
    b"BINARY.PEEK[2]",
    b"BINARY.PEEK[2]<3.8>",
    b"BINARY.PEEK[3]",
    b"BINARY.PEEK[4]",
    b"BINARY.PEEK[4.1]",
    b"BINARY.PEEK[]<0.600>",
    b"BINARY.PEEK[1]",
    b"BINARY.PEEK[9]",
    b"BINARY.SIZE[2]",
    b"RFC822.SIZE",
    b"RFC822.HEADER",
    b"ENVELOPE",
    b"BODYSTRUCTURE",
    b"PREVIEW",
)


def ignore(event: Event) -> None:
    """Nothing is expected to be told."""


def literal(text: bytes) -> bytes:
    """One that waits for nothing."""
    return b"{%d+}\r\n%b" % (len(text), text)


def script(others: list[bytes]) -> list[bytes]:
    """Everything by which messages come and are read."""
    several = b" (\\Seen) ".join(map(literal, others))
    catenated = b'(TEXT %b URL "/INBOX/;UID=1/;SECTION=2" TEXT %b)' % (
        literal(b"Subject: c\r\n\r\n"),
        literal(b"more\r"),
    )
    url = b'(URL "/INBOX/;UID=1")'
    return [
        b"a APPEND INBOX (\\Flagged kept) %b\r\n" % literal(MIME),
        b"a APPEND INBOX %b\r\n" % several,
        b"a APPEND INBOX CATENATE %b\r\n" % catenated,
        b"a APPEND INBOX CATENATE %b\r\n" % url,
        b'a APPEND INBOX CATENATE (TEXT %b URL "/INBOX/;UID=99")\r\n' % literal(b"x" * 50),
        b"a APPEND Missing %b\r\na NOOP\r\n" % literal(MIME),
        b"a APPEND INBOX (\\Seen) %b trailing\r\n" % literal(MIME),
        b"a APPEND INBOX {60}\r\n",
        b"Subject: asked for\r\n\r\n" + b"y" * 38 + b"\r\n",
        b"a SELECT INBOX\r\n",
        b"a UID REPLACE 2 INBOX %b\r\n" % literal(MIME.replace(b"parts", b"replaced")),
        b"a SEARCH BODY K\xc3\xb6ln\r\na SEARCH TEXT inner\r\n",
        *(b"a FETCH 1:* (%b)\r\n" % section for section in SECTIONS),
        b"a FETCH 1 (BODY.PEEK[] BODY.PEEK[1] BINARY.PEEK[2] UID)\r\n",
        b"a COPY 1 INBOX\r\na FETCH * (RFC822.SIZE BODY.PEEK[TEXT])\r\n",
        b"a LOGOUT\r\n",
    ]


async def answers(root: Path, steps: list[bytes]) -> list[bytes]:
    """What a session says."""
    account = MaildirAccount(str(root))
    clock = ManualClock()
    transport = ScriptedTransport(ends=False)
    found: list[bytes] = []
    async with asyncio.TaskGroup() as tasks:
        session = ImapSession(
            transport, account, clock=clock, sink=ignore, login_tag=b"L", options=ImapOptions()
        )
        tasks.create_task(session.run())
        await transport.rest()
        found += [_without_what_varies(await transport.ask(step)) for step in steps]
    await account.close()
    assert [] == os.listdir(root / "tmp")
    return found


def _without_what_varies(said: bytes) -> bytes:
    said = re.sub(
        rb"APPENDUID \d+|COPYUID \d+|UIDVALIDITY \d+|HIGHESTMODSEQ \d+|MAILBOXID \(\w+\)", b"", said
    )
    return re.sub(rb"\(0\.\d+ \+ 0\.000 secs\)", b"", said)


def lower_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is huge."""
    for name in (
        "sessions.imap.append.SPOOL_AT",
        "sessions.imap.catenation.SPOOL_AT",
        "sessions.imap.append.KEPT_AT",
    ):
        monkeypatch.setattr(f"pillarbox.{name}", 20)
    for name in ("message_files.LARGE", "spool.LARGE"):
        monkeypatch.setattr(f"pillarbox.mailstore.content.{name}", 20)
    monkeypatch.setattr("pillarbox.mailstore.content.large_content.BLOCK", 33)


def test_imap_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """APPEND, MULTIAPPEND, CATENATE, REPLACE, COPY, SEARCH, and FETCH of all sorts of sections."""
    steps = script(SHORT[::3])
    expected = asyncio.run(answers(tmp_path / "small", steps))
    lower_limits(monkeypatch)
    found = asyncio.run(answers(tmp_path / "huge", steps))
    for step, theirs, ours in zip(steps, expected, found, strict=True):
        assert theirs == ours, step
    assert b"K\xc3\xb6ln" in b"".join(found)


def test_pop3_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RETR and TOP, dots doubled wherever blocks end."""
    messages = [MIME, b".\r\n..\r\n\r\n.", b"Subject: x\r\n\r\n" + b"\r\n.a" * 200, *SHORT]
    append = [b"a APPEND INBOX %b\r\n" % literal(message) for message in messages]
    asyncio.run(answers(tmp_path / "M", [*append, b"a LOGOUT\r\n"]))

    async def retrieve() -> bytes:
        transport = ScriptedTransport(ends=False)
        said = b""
        async with asyncio.TaskGroup() as tasks:
            account = MaildirAccount(str(tmp_path / "M"))
            tasks.create_task(Pop3Session(transport, account, sink=ignore).run())
            await transport.rest()
            for number in range(1, len(messages) + 1):
                for step in (b"RETR %d", b"TOP %d 0", b"TOP %d 2", b"TOP %d 999999"):
                    said += await transport.ask(step % number + b"\r\n")
            await transport.ask(b"QUIT\r\n")
        return said

    expected = asyncio.run(retrieve())
    lower_limits(monkeypatch)
    assert expected == asyncio.run(retrieve())
    assert b"\r\n..dot\r\n" in expected


def test_a_full_disk_is_told_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the message is read and thrown away; the session goes on, and nothing is left in tmp/."""
    lower_limits(monkeypatch)

    def full(fd: int, chunks: object) -> int:
        raise OSError(28, "No space left on device")

    async def no_room(self: MaildirMailbox, size: int) -> None:
        raise OverQuota("no room")

    async def talk() -> list[bytes]:
        with monkeypatch.context() as patch:
            patch.setattr("os.writev", full)
            found = await answers(
                tmp_path / "M", [b"a APPEND INBOX %b\r\na NOOP\r\n" % literal(MIME), b"a LOGOUT\r\n"]
            )
        with monkeypatch.context() as patch:
            patch.setattr(MaildirMailbox, "spool", no_room)
            found += await answers(
                tmp_path / "N", [b"a APPEND INBOX %b\r\na NOOP\r\n" % literal(MIME), b"a LOGOUT\r\n"]
            )
        return found

    (tmp_path / "M" / "tmp").mkdir(parents=True)
    full_disk, _, over_quota, _ = asyncio.run(talk())
    assert re.fullmatch(rb"a NO \[OVERQUOTA\][^\r]*\r\na OK NOOP[^\r]*\r\n", full_disk)
    assert re.fullmatch(rb"a NO \[OVERQUOTA\][^\r]*\r\na OK NOOP[^\r]*\r\n", over_quota)


def test_a_client_that_goes_amid_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left of it."""
    lower_limits(monkeypatch)

    async def talk() -> None:
        transport = ScriptedTransport(ends=False)
        async with asyncio.TaskGroup() as tasks:
            account = MaildirAccount(str(tmp_path / "M"))
            session = ImapSession(transport, account, clock=ManualClock(), sink=ignore, login_tag=b"L")
            tasks.create_task(session.run())
            await transport.rest()
            await transport.ask(b"a APPEND INBOX {5000+}\r\n" + b"x" * 2500)
            assert 1 == len(os.listdir(tmp_path / "M" / "tmp"))
            transport.end()
        assert [] == os.listdir(tmp_path / "M" / "tmp")

    asyncio.run(talk())


def test_messages_before_one_that_is_refused_go_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MULTIAPPEND is all or none: what has come of it is not taken for the messages of the next command."""
    lower_limits(monkeypatch)
    first, second = b"Subject: first\r\n\r\n" + b"1" * 50, b"Subject: second\r\n\r\n" + b"2" * 50

    async def talk() -> None:
        account = MaildirAccount(str(tmp_path / "M"))
        await account.create("Other")
        transport = ScriptedTransport(ends=False)
        async with asyncio.TaskGroup() as tasks:
            session = ImapSession(
                transport,
                account,
                clock=ManualClock(),
                sink=ignore,
                login_tag=b"L",
                options=ImapOptions(message_size_limit=100),
            )
            tasks.create_task(session.run())
            await transport.rest()
            several = b"a APPEND INBOX %b %b\r\n" % (literal(first), literal(second))
            assert b"a NO [LIMIT]" in await transport.ask(several)
            assert b"b OK [APPENDUID" in await transport.ask(b"b APPEND Other %b\r\n" % literal(second))
            assert b"c NO [TRYCREATE]" in await transport.ask(b"c APPEND Missing %b\r\n" % literal(first))
            await transport.ask(b"d EXAMINE Other\r\n")
            assert second in await transport.ask(b"e FETCH 1:* BODY.PEEK[]\r\n")
            assert b"* STATUS INBOX (MESSAGES 0)" in await transport.ask(b"f STATUS INBOX (MESSAGES)\r\n")
            transport.end()
        for name in ("tmp", ".Other/tmp"):
            assert [] == os.listdir(tmp_path / "M" / name)

    asyncio.run(talk())


def test_a_mailbox_that_goes_while_its_message_comes(tmp_path: Path) -> None:
    """The client is told to make it anew; nothing else of it comes back."""

    async def talk() -> None:
        account = MaildirAccount(str(tmp_path / "M"))
        await account.create("Gone")
        transport = ScriptedTransport(ends=False)
        async with asyncio.TaskGroup() as tasks:
            session = ImapSession(transport, account, clock=ManualClock(), sink=ignore, login_tag=b"L")
            tasks.create_task(session.run())
            await transport.rest()
            assert b"+ OK" in await transport.ask(b"a APPEND Gone {5}\r\n")
            await account.delete("Gone")
            assert b"a NO [TRYCREATE]" in await transport.ask(b"hello\r\n")
            transport.end()
        assert not (tmp_path / "M" / ".Gone").exists()

    asyncio.run(talk())
