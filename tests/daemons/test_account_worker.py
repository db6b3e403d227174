"""The account worker: its end, which nobody delays, and what a mistake of ours ends."""

import asyncio
import re
import socket
from pathlib import Path

import pytest

from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.reading import parse_configuration
from pillarbox.daemons.account_worker import AccountWorker
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.net.channel import Channel, FrameWriter
from pillarbox.net.handover import Peer, Session, ToWorker
from pillarbox.observability.events import Event, MailboxNotice, MailUser

CONFIGURATION = """\
ssl = no
mail_location = maildir:~/Maildir
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=1000 gid=1000 home=/nonexistent
}
"""


@pytest.mark.parametrize("service", ["imap", "pop3"])
def test_session_that_comes_with_the_end(tmp_path: Path, service: str) -> None:
    """The spawner is gone, and so its last session is: the client is told, and the worker ends."""
    settings = mailbox_settings(parse_configuration(CONFIGURATION), hostname="mx.example.org")
    spawner, ours = socket.socketpair()
    client, served = socket.socketpair()
    peer = Peer(service, "127.0.0.1", "127.0.0.1", "session", True)
    writer = FrameWriter()
    writer.put(Session(peer, "user", str(tmp_path), "", b"a", b"", {}), [served.fileno()])
    writer.write_to(spawner)
    spawner.close()
    served.close()
    told: list[Event] = []

    async def life() -> None:
        channel: Channel[ToWorker] = Channel(ours, ToWorker)
        async with asyncio.timeout(45):
            await AccountWorker(channel, settings=settings, tell=told.append, inotify=None).run()
            await asyncio.sleep(0)  # connections that were closed are told so

    with client:
        asyncio.run(life())
        received = b""
        while data := client.recv(65536):
            received += data
    assert b"a OK" in received if service == "imap" else received.startswith(b"+OK")
    assert received.endswith(
        {"imap": b"* BYE Server shutting down.\r\n", "pop3": b"shutting down.\r\n"}[service]
    )


def test_a_mistake_ends_its_own_session_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log says what and where; whoever else is served notices nothing."""
    settings = mailbox_settings(parse_configuration(CONFIGURATION), hostname="mx.example.org")
    spawner, ours = socket.socketpair()
    told: list[Event] = []

    async def broken(account: MaildirAccount, name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(MaildirAccount, "subscribe", broken)

    async def log_in(session: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        client, served = socket.socketpair()
        peer = Peer("imap", "127.0.0.1", "127.0.0.1", session, True)
        writer = FrameWriter()
        writer.put(Session(peer, "user", str(tmp_path), "", b"a", b"", {}), [served.fileno()])
        writer.write_to(spawner)
        served.close()
        streams = await asyncio.open_connection(sock=client)
        assert (await streams[0].readline()).startswith(b"a OK")
        return streams

    async def life() -> None:
        channel: Channel[ToWorker] = Channel(ours, ToWorker)
        async with asyncio.timeout(45), asyncio.TaskGroup() as tasks:
            worker = AccountWorker(channel, settings=settings, tell=told.append, inotify=None)
            tasks.create_task(worker.run())
            reader, writer = await log_in("one")
            other_reader, other_writer = await log_in("two")
            writer.write(b"b SELECT INBOX\r\nc SUBSCRIBE INBOX\r\n")
            assert b"b OK" in await reader.read()
            other_writer.write(b"b NOOP\r\n")
            assert (await other_reader.readline()).startswith(b"b OK")
            spawner.close()
            writer.close()
            other_writer.close()

    asyncio.run(life())
    (notice,) = [event for event in told if isinstance(event, MailboxNotice)]
    assert isinstance(notice.program, MailUser)
    assert ("imap", "user", "one", "Fatal") == (
        notice.program.service,
        notice.program.user,
        notice.program.session,
        notice.severity,
    )
    assert re.fullmatch(r"KeyError: 'INBOX' at \S+/test_account_worker\.py:\d+, in broken", notice.text)
