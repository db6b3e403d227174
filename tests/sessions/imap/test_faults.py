"""What the IMAP session says and logs when a store, a message or a client is not as it should be."""

import asyncio
import errno

import pytest

from fakes.imap_talk import Talk, ignore, lines_of, new_account, play
from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.deliver import fault_of
from pillarbox.mailstore.mailbox import (
    MessageGone,
    NewMessage,
    StoreBusy,
    StoreUnavailable,
)
from pillarbox.mailstore.memory.mailbox import MemoryMailbox
from pillarbox.observability.events import Event, MailboxNotice, MailUser
from pillarbox.sessions.ended import Ended
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import Uid


def test_a_message_too_large_is_refused_before_it_comes() -> None:
    """RFC 4469 §3 TOOBIG: the limit counts all messages of one command."""

    async def talk() -> None:
        async with asyncio.TaskGroup() as tasks:
            talk = Talk(new_account())
            await talk.begin(tasks)
            assert await talk.say(b"a APPEND INBOX {1001}") == [
                b"a NO [TOOBIG] Message is larger than 1000 bytes"
            ]
            assert await talk.say(b"b APPEND INBOX {999}") == [b"+ OK"]
            assert await talk.say(b"x" * 999 + b" {2}") == [
                b"b NO [LIMIT] Messages of one command are larger than 1000 bytes"
            ]
            # RFC 7888 §4: what is sent unasked and too big goes nowhere, and the next command is understood.
            assert await talk.say(b"b APPEND INBOX {1001+}\r\n" + b"z" * 1001) == [
                b"b NO [TOOBIG] Message is larger than 1000 bytes"
            ]
            assert await talk.say(b"b STATUS INBOX (APPENDLIMIT MESSAGES)") == [
                b"* STATUS INBOX (MESSAGES 0 APPENDLIMIT 1000)",
                b"b OK Status completed",
            ]
            assert (await talk.say(b"b CAPABILITY"))[0].endswith(b" APPENDLIMIT=1000")
            assert (await talk.say(b"c STATUS INBOX (MESSAGES)"))[0] == b"* STATUS INBOX (MESSAGES 0)"
            talk.client.end()

    asyncio.run(talk())


def test_a_full_store_is_told() -> None:
    """OVERQUOTA (RFC 5530), as Dovecot words it; the session goes on."""

    async def talk() -> None:
        account = new_account()
        (await account.open("INBOX")).size_limit = 3
        said, _ = await play([b"a APPEND INBOX {4+}\r\nabcd\r\nb NOOP\r\n"], account)
        assert lines_of(said) == [
            b"a NO [OVERQUOTA] Quota exceeded (mailbox for user is full)",
            b"b OK NOOP completed",
        ]

    asyncio.run(talk())


def test_a_store_that_fails_tells_the_log() -> None:
    """The client hears SERVERBUG and no path; the log hears the reason."""
    events: list[Event] = []

    async def talk() -> bytes:
        account = new_account()

        async def broken(name: str, *, read_only: bool = False) -> MemoryMailbox:
            raise StoreUnavailable(f"/var/mail/{name}: Permission denied")

        account.open = broken  # type: ignore[method-assign]
        client = ScriptedTransport([b"a SELECT INBOX\r\nb APPEND INBOX {1+}\r\nx\r\nc NOOP\r\n"])
        await ImapSession(client, account, clock=ManualClock(), sink=events.append, login_tag=b"L").run()
        return client.take_sent()

    sent = asyncio.run(talk())
    assert sent.count(b"NO [SERVERBUG] Internal error occurred.") == 2
    assert b"c OK NOOP" in sent
    assert b"Permission" not in sent
    assert events == [MailboxNotice(MailUser("imap", ""), "Error", "/var/mail/INBOX: Permission denied")] * 2


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (OSError(errno.EACCES, "Permission denied"), b"[NOPERM] Permission denied"),
        (OSError(errno.EROFS, "Read-only file system"), b"[NOPERM] Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), b"[OVERQUOTA] Not enough disk space"),
        (
            OSError(errno.EDQUOT, "Disk quota exceeded"),
            b"[OVERQUOTA] Quota exceeded (mailbox for user is full)",
        ),
        (OSError(errno.EIO, "Input/output error"), b"[SERVERBUG] Internal error occurred."),
    ],
    ids=lambda value: value.strerror if isinstance(value, OSError) else "",
)
def test_what_the_disk_says_has_a_code(problem: OSError, code: bytes) -> None:
    """RFC 5530: what clients can act upon; the session goes on."""

    async def talk() -> bytes:
        account = new_account()

        async def broken(name: str) -> None:
            raise fault_of(problem, name)

        account.create = broken  # type: ignore[method-assign]
        events: list[Event] = []
        client = ScriptedTransport([b"a CREATE x\r\nb NOOP\r\n"])
        await ImapSession(client, account, clock=ManualClock(), sink=events.append, login_tag=b"L").run()
        return client.take_sent()

    said = asyncio.run(talk())
    assert b"a NO " + code in said
    assert b"b OK NOOP" in said


def test_what_is_locked_or_gone_has_a_code() -> None:
    """INUSE and EXPUNGEISSUED (RFC 5530)."""

    async def talk() -> bytes:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a")])

        async def busy(name: str) -> None:
            raise StoreBusy("subscriptions.lock: locked by another program")

        async def gone(uids: object, target: object, *, keeping: object = None) -> list[tuple[Uid, Uid]]:
            raise MessageGone("1")

        account.unsubscribe = busy  # type: ignore[method-assign]
        inbox.copy = gone  # type: ignore[method-assign]
        client = ScriptedTransport(
            [b"a UNSUBSCRIBE x\r\nb SELECT INBOX\r\nc COPY 1 Sent\r\nd MOVE 1 Sent\r\n"]
        )
        await ImapSession(client, account, clock=ManualClock(), sink=ignore, login_tag=b"L").run()
        return client.take_sent()

    said = asyncio.run(talk())
    assert b"a NO [INUSE] Timeout while waiting for lock" in said
    assert b"c NO [EXPUNGEISSUED] Some of the requested messages no longer exist" in said
    assert b"d NO [EXPUNGEISSUED] " in said


def test_the_log_tells_how_a_session_ended() -> None:
    """Dovecot's logout line: bytes, and what was deleted and read."""

    async def talk() -> Ended:
        account = new_account()
        await (await account.open("INBOX")).append([NewMessage(b"Subject: x\r\n\r\nbody")])
        script = (
            b"a SELECT INBOX\r\nb FETCH 1 BODY[]\r\nc FETCH 1 BODY.PEEK[HEADER]\r\n"
            b"d STORE 1 +FLAGS (\\Deleted)\r\ne EXPUNGE\r\nf LOGOUT\r\n"
        )
        client = ScriptedTransport([script])
        ended = await ImapSession(
            client, account, clock=ManualClock(), sink=ignore, login_tag=b"L", unread=b"z NOOP\r\n"
        ).run()
        expected = (
            f"in={len(script) + 6} out={len(client.sent)} deleted=1 expunged=1 trashed=0"
            " hdr_count=1 hdr_bytes=14 body_count=1 body_bytes=18"
        )
        assert expected == ended.figures
        return ended

    assert asyncio.run(talk()).reason == "Logged out"


def test_a_client_that_goes_away() -> None:
    """The reason tells what it did last, as Dovecot's."""
    _, ended = asyncio.run(play([]))
    assert ended.reason == "Connection closed (No commands sent)"
    _, ended = asyncio.run(play([b"a NOOP\r\nb LO"]))
    assert ended.reason == "Connection closed (noop finished 0.000 secs ago)"
