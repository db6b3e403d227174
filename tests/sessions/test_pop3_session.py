"""POP3 after login, as transcripts and otherwise."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.scripted_transport import ScriptedTransport, read_transcript
from pillarbox.mailstore.mailbox import NewMessage, StoreUnavailable
from pillarbox.mailstore.maildir.pop3_session_lock import SessionLocked
from pillarbox.mailstore.memory import account as memory_account
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.mailstore.memory.mailbox import MemoryMailbox
from pillarbox.observability.events import Event, MailboxNotice, MailUser
from pillarbox.sessions import pop3_session
from pillarbox.sessions.ended import Ended
from pillarbox.sessions.pop3_options import Pop3Options, Pop3Workaround
from pillarbox.sessions.pop3_session import Pop3Session
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid

TRANSCRIPTS = sorted((Path(__file__).parents[1] / "transcripts" / "pop3").glob("*.txt"))
MESSAGES = [
    b"Subject: m0\r\n\r\n.dot\r\n..\r\nline\r\nlast",
    b"Subject: m1\r\n\r\n.dot\r\n..\r\nline\r\nlast\r\n",
    b"Subject: m2\n\n",
]


def ignore(event: Event) -> None:
    """Nothing is expected to be told."""


async def play(
    chunks: list[bytes], *, messages: Sequence[bytes] = MESSAGES, options: Pop3Options | None = None
) -> tuple[bytes, Ended, MemoryMailbox]:
    """A session over messages; what the server said, the end, and the mailbox."""
    account = MemoryAccount(clock=ManualClock())
    inbox = await account.open("INBOX")
    await inbox.append([NewMessage(content) for content in messages])
    transport = ScriptedTransport(chunks)
    ended = await Pop3Session(transport, account, sink=ignore, options=options).run()
    assert transport.closed
    return bytes(transport.sent), ended, inbox


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    """The server says what the transcript says, wherever the client's bytes are cut."""
    client, server = read_transcript(path)
    said, _, _ = asyncio.run(play([client]))
    assert server.decode() == said.decode()
    said, _, _ = asyncio.run(play([client[i : i + 1] for i in range(len(client))]))
    assert server == said


@given(data=st.data(), path=st.sampled_from(TRANSCRIPTS))
def test_transcript_in_any_chunks(data: st.DataObject, path: Path) -> None:
    """The same with cuts anywhere."""
    client, server = read_transcript(path)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(client)), max_size=6, unique=True)))
    chunks = [client[a:b] for a, b in zip([0, *cuts], [*cuts, len(client)], strict=True) if a < b]
    said, _, _ = asyncio.run(play(chunks))
    assert server == said


def test_quit_deletes_and_marks_what_was_read() -> None:
    """RFC 1939 §6: the UPDATE state; the log tells figures as Dovecot does."""
    _, ended, inbox = asyncio.run(play([b"RETR 2\r\nTOP 1 0\r\nDELE 3\r\nQUIT\r\n"]))
    assert list(inbox.messages.uids) == [1, 2]
    assert list(inbox.messages.flags) == [0, int(Flag.SEEN)]
    assert ended == Ended("Logged out", "top=1/20, retr=1/54, del=1/3, size=87")


def test_without_quit_nothing_is_deleted() -> None:
    """RFC 1939 §6: "the POP3 session does NOT enter the UPDATE state"; but what was retrieved was read."""
    _, ended, inbox = asyncio.run(play([b"RETR 2\r\nDELE 3\r\n"]))
    assert list(inbox.messages.uids) == [1, 2, 3]
    assert list(inbox.messages.flags) == [0, int(Flag.SEEN), 0]
    assert ended.reason == "Connection closed"


def test_rset_takes_deletions_back() -> None:
    """RFC 1939 §5 RSET."""
    said, _, inbox = asyncio.run(play([b"DELE 1\r\nRSET\r\nQUIT\r\n"]))
    assert said.endswith(b"+OK\r\n+OK Logging out.\r\n")
    assert len(inbox.messages) == 3


def test_a_message_that_is_gone_is_an_error() -> None:
    """Another session may have expunged it; numbers stay what they were at login."""

    async def talk() -> None:
        account = MemoryAccount(clock=ManualClock())
        inbox = await account.open("INBOX")
        uids = await inbox.append([NewMessage(b"a"), NewMessage(b"b")])
        client = ScriptedTransport(ends=False)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Pop3Session(client, account, sink=ignore).run())
            await client.rest()
            await inbox.expunge(uids[:1])
            await inbox.append([NewMessage(b"c")])
            assert await client.ask(b"RETR 1\r\n") == b"-ERR Message 1 expunged.\r\n"
            assert await client.ask(b"TOP 1 0\r\n") == b"-ERR Message 1 expunged.\r\n"
            assert await client.ask(b"RETR 2\r\n") == b"+OK 1 octets\r\nb\r\n.\r\n"
            assert await client.ask(b"STAT\r\n") == b"+OK 2 2\r\n"
            client.end()

    asyncio.run(talk())


def test_asking_for_a_message_that_is_gone_ends() -> None:
    """A client that would ask for ever is told so, as by Dovecot."""

    async def talk() -> None:
        account = MemoryAccount(clock=ManualClock())
        inbox = await account.open("INBOX")
        uids = await inbox.append([NewMessage(b"a"), NewMessage(b"b")])
        client = ScriptedTransport(ends=False)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Pop3Session(client, account, sink=ignore).run())
            await client.rest()
            await inbox.expunge(uids)
            for number in (1, 2, *[1, 2] * 9, 1):
                assert await client.ask(b"RETR %d\r\n" % number) == b"-ERR Message %d expunged.\r\n" % number
            said = await client.ask(b"RETR 2\r\n")
            assert said == b"-ERR Message 2 expunged.\r\n-ERR Too many bad commands.\r\n"

    asyncio.run(talk())


def test_too_many_bad_commands() -> None:
    """The twentieth in a row ends the session, as with Dovecot."""
    said, ended, _ = asyncio.run(play([b"FOO\r\n" * 25]))
    assert (
        said
        == b"+OK Logged in.\r\n" + b"-ERR Unknown command: FOO\r\n" * 20 + b"-ERR Too many bad commands.\r\n"
    )
    assert ended.reason == "Too many bad commands."


def test_workarounds() -> None:
    """pop3_client_workarounds: no octet of zeros, and an empty line behind a header that has none."""
    messages = [b"Subject: n\r\n\r\n\0.\0\r\n", b"Subject: e\r\n", b"\r\nbody\r\n"]
    asked = [b"RETR 1\r\nRETR 2\r\nTOP 2 0\r\nRETR 3\r\nQUIT\r\n"]
    plain, _, _ = asyncio.run(play(asked, messages=messages))
    assert b"\r\n\0.\0\r\n.\r\n" in plain
    assert plain.count(b"Subject: e\r\n.\r\n") == 2
    options = Pop3Options(workarounds=frozenset(Pop3Workaround))
    said, _, _ = asyncio.run(play(asked, messages=messages, options=options))
    expected = plain.replace(b"\0", b"\x80").replace(b"Subject: e\r\n.\r\n", b"Subject: e\r\n\r\n.\r\n")
    assert expected == said


@pytest.mark.parametrize("stays", [False, True])
def test_flags_that_are_not_updated(*, stays: bool) -> None:
    """pop3_no_flag_updates: what was retrieved stays unread; what was deleted goes."""
    asked = [b"RETR 1\r\nDELE 2\r\nQUIT\r\n"]
    _, _, inbox = asyncio.run(play(asked, options=Pop3Options(no_flag_updates=stays)))
    assert [0 if stays else int(Flag.SEEN), 0] == list(inbox.messages.flags)


def test_deleted_by_a_flag() -> None:
    """pop3_deleted_flag: what has it is not there; pop3_delete_type = flag: QUIT sets it."""
    options = Pop3Options(deleted_flag=b"Gone", flags_deleted=True)

    async def talk() -> tuple[list[int], bytes]:
        account = MemoryAccount(clock=ManualClock())
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a"), NewMessage(b"b", keywords=(b"gone",)), NewMessage(b"c")])
        transport = ScriptedTransport([b"STAT\r\nRETR 2\r\nDELE 1\r\nQUIT\r\n"])
        await Pop3Session(transport, account, sink=ignore, options=options).run()
        return list(inbox.messages.keywords), bytes(transport.sent)

    keywords, said = asyncio.run(talk())
    assert keywords == [1, 1, 0]
    assert b"+OK 2 2\r\n+OK 1 octets\r\nc\r\n.\r\n" in said


def test_last() -> None:
    """pop3_enable_last (RFC 1460): the highest number that was retrieved; RSET makes all unread."""
    said, _, _ = asyncio.run(play([b"LAST\r\n"]))
    assert said.endswith(b"-ERR Unknown command: LAST\r\n")
    asked = [b"LAST\r\nRETR 2\r\nRETR 1\r\nLAST\r\nRSET\r\nLAST\r\nQUIT\r\n"]
    said, _, inbox = asyncio.run(play(asked, options=Pop3Options(has_last=True)))
    assert said.startswith(b"+OK Logged in.\r\n+OK 0\r\n")
    assert said.endswith(b"+OK 2\r\n+OK\r\n+OK 0\r\n+OK Logging out.\r\n")
    assert list(inbox.messages.flags) == [0, 0, 0]


def test_a_mailbox_that_is_locked() -> None:
    """pop3_lock_session."""

    class Locked(AbstractAsyncContextManager[None]):
        async def __aenter__(self) -> None:
            raise SessionLocked

        async def __aexit__(self, *fault: object) -> None:
            return None

    client = ScriptedTransport([])

    async def run() -> Ended:
        account = MemoryAccount(clock=ManualClock())
        return await Pop3Session(client, account, sink=ignore, lock=Locked()).run()

    assert asyncio.run(run()).reason == "Couldn't lock POP3 session"
    assert client.take_sent() == b"-ERR [IN-USE] Mailbox is locked by another POP3 session.\r\n"


def test_silence_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 1939 §3: the autologout timer; nothing is deleted."""
    monkeypatch.setattr(pop3_session, "INACTIVITY", 0.001)
    client = ScriptedTransport(ends=False)

    async def run() -> Ended:
        return await Pop3Session(client, MemoryAccount(clock=ManualClock()), sink=ignore).run()

    assert asyncio.run(run()).reason == "Disconnected for inactivity."
    assert client.take_sent() == b"+OK Logged in.\r\n-ERR Disconnected for inactivity.\r\n"


def test_shutdown_is_told() -> None:
    """SYS/TEMP (RFC 3206): try again later."""
    client = ScriptedTransport(ends=False)

    async def run() -> Ended:
        session = Pop3Session(client, MemoryAccount(clock=ManualClock()), sink=ignore, unread=b"NOOP\r\n")
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(session.run())
            await client.rest()
            session.shutdown()
        return task.result()

    assert asyncio.run(run()).reason == "Server shutting down."
    assert client.take_sent() == b"-ERR [SYS/TEMP] Server shutting down.\r\n"


def test_a_mailbox_that_cannot_be_opened() -> None:
    """The client hears SYS/TEMP, the log the reason."""
    events: list[Event] = []
    client = ScriptedTransport([b"STAT\r\n"])

    async def run() -> Ended:
        account = MemoryAccount(clock=ManualClock())

        async def broken(name: str, *, read_only: bool = False) -> MemoryMailbox:
            raise StoreUnavailable("no such disk")

        account.open = broken  # type: ignore[method-assign]
        return await Pop3Session(client, account, sink=events.append, mail_user=who).run()

    who = MailUser("pop3", "me", "S1")
    assert asyncio.run(run()).reason == "Couldn't open INBOX"
    assert client.take_sent().startswith(b"-ERR [SYS/TEMP] Internal error occurred.")
    assert events == [MailboxNotice(who, "Error", "no such disk")]


class Counted(MemoryMailbox):
    """A mailbox that notes which messages are read, and which of them ahead."""

    reads: ClassVar[list[int]] = []
    ahead: ClassVar[list[int]] = []

    async def content(self, uid: Uid) -> bytes:
        """As its parent."""
        self.reads.append(uid)
        return await super().content(uid)

    def content_at_once(self, uid: Uid, *, limit: int) -> bytes | None:
        """As its parent."""
        self.ahead.append(uid)
        return super().content_at_once(uid, limit=limit)


READ_AHEAD = [
    ("one after the other", b"RETR 1|DELE 1|RETR 2|DELE 2|RETR 3|DELE 3|RETR 4|RETR 5", [1, 2], [3, 4, 5]),
    ("not the one after it", b"RETR 2|RETR 3|RETR 1|RETR 4", [2, 3, 1, 4], [4]),
    ("deleted already", b"DELE 3|RETR 1|RETR 2|NOOP", [1, 2], []),
    ("from the end", b"RETR 5|RETR 4|RETR 3", [5, 4, 3], []),
    ("sent ahead", b"RETR 1\r\nRETR 2\r\nRETR 3", [1, 2, 3], [4]),
]


@pytest.mark.parametrize(
    ("name", "commands", "read", "ahead"), READ_AHEAD, ids=[row[0] for row in READ_AHEAD]
)
def test_the_next_message_is_read_while_the_client_is_busy(
    name: str, commands: bytes, read: list[int], ahead: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it has asked for two in their order; what it is told is the same, and no message is another's."""
    monkeypatch.setattr(memory_account, "MemoryMailbox", Counted)
    monkeypatch.setattr(Counted, "reads", [])
    monkeypatch.setattr(Counted, "ahead", [])
    asked = commands.split(b"|")
    said, _, _ = asyncio.run(
        play([line + b"\r\n" for line in asked], messages=[b"%d\r\n" % number for number in range(1, 6)])
    )
    assert (read, ahead) == (Counted.reads, Counted.ahead)
    numbers = re.findall(rb"RETR (\d)", commands)
    assert numbers == re.findall(rb"\+OK 3 octets\r\n(\d)\r\n\.\r\n", said)


def test_a_message_that_was_read_ahead_can_be_asked_for_by_top() -> None:
    """Other commands do not care."""
    said, _, _ = asyncio.run(play([b"RETR 1\r\n", b"RETR 2\r\n", b"TOP 3 0\r\n", b"RETR 3\r\n"]))
    assert said.endswith(b"+OK\r\nSubject: m2\r\n\r\n.\r\n+OK 15 octets\r\nSubject: m2\r\n\r\n.\r\n")
