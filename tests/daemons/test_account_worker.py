"""The account worker's end: whoever was handed over at the last moment does not keep it."""

import asyncio
import socket
from pathlib import Path

import pytest

from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.reading import parse_configuration
from pillarbox.daemons.account_worker import AccountWorker
from pillarbox.net.channel import Channel, FrameWriter
from pillarbox.net.handover import Peer, Session, ToWorker
from pillarbox.observability.events import Event

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
        async with asyncio.timeout(20):
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
