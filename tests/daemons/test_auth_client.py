"""Connections of the auth role's clients, several lines at once."""

import asyncio
import base64
import socket

import pytest

from pillarbox.auth.server import AuthServer
from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.reading import parse_configuration
from pillarbox.daemons.auth_client import AuthClientConnection
from pillarbox.net.connection import Connection
from pillarbox.vocabulary.clock import ManualClock

CONFIGURATION = """
mail_location = maildir:~/Maildir
auth_mechanisms = plain login external cram-md5
auth_failure_delay = 0
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=1000 gid=1000 home=/home/%u
}
"""
RIGHT = base64.b64encode(b"\0me\0secret")


async def hear(said: bytes) -> list[bytes]:
    """What a client hears behind the greeting, to the end, who says this in one write(2)."""
    settings = mailbox_settings(parse_configuration(CONFIGURATION), hostname="mx.example.org")
    server = AuthServer(settings, clock=ManualClock(), tell=lambda _event: None)
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    heard = b""
    with theirs:
        async with asyncio.TaskGroup() as tasks:
            _, connection = await loop.connect_accepted_socket(Connection, ours)
            tasks.create_task(AuthClientConnection(server, connection, tasks, redeemable=False).run())
            await loop.sock_sendall(theirs, b"VERSION\t1\t2\nCPID\t1\n" + said)
            while b"9\t" not in heard.partition(b"DONE\n")[2]:
                heard += await loop.sock_recv(theirs, 65536)
            theirs.shutdown(socket.SHUT_WR)
        server.close()
    return heard.partition(b"DONE\n")[2].splitlines()


@pytest.mark.parametrize(
    "begun",
    [
        b"AUTH\t1\tPLAIN\tservice=imap\tresp=" + RIGHT,
        b"AUTH\t1\tPLAIN\tservice=imap\tresp=%%%",
        b"AUTH\t1\tPLAIN\tservice=imap\tresp=AAAA",
        b"AUTH\t1\tEXTERNAL\tservice=imap\tresp==",
        b"AUTH\t1\tCRAM-MD5\tservice=imap\nCONT\t1\t" + base64.b64encode(b"me " + b"0" * 32),
    ],
    ids=["password", "no base64", "malformed", "certificate", "proof"],
)
def test_a_login_that_is_cancelled_at_once(begun: bytes) -> None:
    """Nobody is told what came of it, and the others are served: theirs is the same process."""
    heard = asyncio.run(hear(begun + b"\nCANCEL\t1\nAUTH\t9\tPLAIN\tservice=imap\tresp=" + RIGHT + b"\n"))
    assert heard[-1] == b"OK\t9\tuser=me"
    assert all(line.startswith(b"CONT\t1\t") for line in heard[:-1])
