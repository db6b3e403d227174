"""Clients that rest have no process: they are parked, and nobody notices but who counts processes."""

import asyncio
import os
import random
import re
import shutil
import signal
import socket
import ssl
import zlib
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from fakes.imap_model import ACTIONS, ModelClient
from fakes.mail_system import PASSWORD, PATIENCE, USER, MailSystem, kill, until
from fakes.model_sessions import all_have_heard_the_same, model_sessions
from fakes.strange_programs import STRANGE_ACTIONS, do_strange_thing
from system.conftest import new_system
from system.test_mailbox_reload import reload

pytestmark = [pytest.mark.system, pytest.mark.proof]
ROUNDS: Final = 6
"""How often the clients of the model are parked."""
RESTING: Final = tuple(f"resting-{number}@pillarbox.test" for number in range(4))
"""Users who do nothing else."""
SETTINGS: Final = """\
imap_hibernate_timeout = 1 secs
imap_idle_notify_interval = 3 secs
mail_max_userip_connections = 3
"""


@pytest.fixture(scope="module", params=("root", "rootless"))
def quick(request: pytest.FixtureRequest) -> Iterator[MailSystem]:
    """A running system that parks whoever says nothing for a second."""
    if request.param == "root" and os.getuid() != 0:
        pytest.skip("not root")
    system = new_system(request.param)
    system.configure_mailboxes(SETTINGS)
    try:
        system.make_home(RESTING)
        system.start()
        yield system
        assert "Traceback" not in system.log() + system.screen()
    finally:
        system.end()


def workers(system: MailSystem) -> list[int]:
    """Forked by the spawner."""
    spawner = system.roles()["spawner"]
    found = []
    for pid in system.processes():
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        if int(text.rpartition(") ")[2].split()[1]) == spawner:
            found.append(pid)
    return found


def until_parked(system: MailSystem) -> None:
    """No worker is left."""
    until(
        lambda: not workers(system), what=lambda: f"all are parked: {workers(system)} {system.log()[-2000:]}"
    )


class Client:
    """A client that has selected INBOX."""

    def __init__(self, system: MailSystem, *, tls: bool = False, user: str = USER) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.user = user
        place = ("127.0.0.1", system.port("imaps" if tls else "imap"))
        self.sock: socket.socket = socket.create_connection(place, timeout=PATIENCE)
        if tls:
            self.sock = context.wrap_socket(self.sock)
        self.file = self.sock.makefile("rwb")
        try:
            self._log_in(system)
        except BaseException:
            self.close()
            raise

    def _log_in(self, system: MailSystem) -> None:
        self.hear()
        password = system.password if self.user == USER else f'"{PASSWORD}"'
        self.ask(f"LOGIN {self.user} {password}".encode())
        self.ask(b"SELECT INBOX")

    def say(self, line: bytes) -> None:
        self.file.write(line + b"\r\n")
        self.file.flush()

    def hear(self) -> bytes:
        return self.file.readline().rstrip()

    def hear_news(self) -> bytes:
        """What is told, keep-alives apart."""
        while (line := self.hear()) == b"* OK Still here":
            continue
        return line

    def ask(self, line: bytes) -> list[bytes]:
        """A command; its answer."""
        self.say(b"x " + line)
        lines = [self.hear()]
        while not lines[-1].startswith(b"x "):
            assert lines[-1], f"the connection ended: {lines}"
            lines.append(self.hear())
        assert lines[-1].startswith(b"x OK"), lines
        return lines

    def idle(self) -> None:
        self.say(b"i IDLE")
        assert self.hear() == b"+ idling"

    def done(self) -> list[bytes]:
        self.say(b"DONE")
        lines = [self.hear()]
        while not lines[-1].startswith(b"i "):
            assert lines[-1]
            lines.append(self.hear())
        return lines

    def close(self) -> None:
        self.file.close()
        self.sock.close()


class CompressingClient(Client):
    """One that says COMPRESS when it has logged in (RFC 4978)."""

    def _log_in(self, system: MailSystem) -> None:
        super()._log_in(system)
        self.ask(b"COMPRESS DEFLATE")
        self._deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        self._inflate = zlib.decompressobj(-15)
        self._heard = b""
        self.is_compressing = True

    is_compressing = False

    def say(self, line: bytes) -> None:
        if self.is_compressing:
            self.file.write(self._deflate.compress(line + b"\r\n") + self._deflate.flush(zlib.Z_SYNC_FLUSH))
            self.file.flush()
        else:
            super().say(line)

    def hear(self) -> bytes:
        if not self.is_compressing:
            return super().hear()
        while b"\n" not in self._heard:
            octets = self.sock.recv(4096)
            if not octets:
                return b""
            self._heard += self._inflate.decompress(octets)
        line, _, self._heard = self._heard.partition(b"\n")
        return line.rstrip()


Connect = Callable[..., Client]


@pytest.fixture
def connect(quick: MailSystem) -> Iterator[Connect]:
    """New clients, which are gone after the test."""
    clients: list[Client] = []

    def new_client(kind: type[Client] = Client, *, tls: bool = False, user: str = USER) -> Client:
        clients.append(kind(quick, tls=tls, user=user))
        return clients[-1]

    yield new_client
    for client in clients:
        client.close()
    if quick.process is None or quick.process.poll() is not None:
        return  # the end of the server was the test
    until(lambda: USER not in quick.doveadm("who", "-1").stdout, what="all have gone")


def test_mail_for_clients_that_are_parked(quick: MailSystem, connect: Connect) -> None:
    """They hear of keep-alives and deliveries, their commands are answered as ever, and their octets are counted.

    Also under TLS, and with COMPRESS, both of whose streams go on from worker to worker.
    """
    clients = [
        connect(kind, tls=tls, user=user)
        for user, (kind, tls) in zip(
            RESTING, product((Client, CompressingClient), (False, True)), strict=True
        )
    ]
    for number in (1, 2):
        for client in clients:
            client.idle()
        until_parked(quick)
        for client in clients:
            assert [client.hear(), client.hear()] == [b"* OK Still here"] * 2
        assert workers(quick) == []
        for client in clients:
            quick.send(b"Subject: wake up\r\n\r\nx\r\n", recipient=client.user)
        for client in clients:
            assert client.hear_news() == b"* %d EXISTS" % number
            assert client.hear_news().endswith(b" RECENT")
        until_parked(quick)
        for client in clients:
            assert client.done()[-1].startswith(b"i OK Idle completed")
        until_parked(quick)
        for client in clients:
            fetched = client.ask(b"FETCH %d (FLAGS)" % number)
            assert fetched[0] == b"* %d FETCH (FLAGS (\\Recent))" % number
    for client in clients:
        client.idle()
    until_parked(quick)
    for client in clients:
        client.close()
    ended = re.compile(r"imap\(([^)]*)\).*Connection closed \(idle finished")
    until(lambda: {*RESTING} <= {*ended.findall(quick.log())}, what="the sessions have ended in the log")
    until(lambda: "@" not in quick.doveadm("who", "-1").stdout, what="nobody is there")


def test_what_another_session_does_is_told(quick: MailSystem, connect: Connect) -> None:
    """Flags, expunges and new messages, exactly, after somebody else was there; whoever did not idle hears later."""
    quick.send(b"Subject: one\r\n\r\nx\r\n")
    idling, silent = connect(), connect()
    until(lambda: idling.ask(b"NOOP") and len(quick.delivered()) > 0, what="a message")
    known = int(silent.ask(b"STATUS INBOX (MESSAGES)")[0].split()[-1].rstrip(b")"))
    silent.ask(b"NOOP")
    idling.ask(b"NOOP")
    idling.idle()
    until_parked(quick)
    other = connect()
    other.ask(b"STORE 1 +FLAGS (\\Flagged)")
    assert idling.hear_news().startswith(b"* 1 FETCH (FLAGS (\\Flagged")
    until_parked(quick)
    other.ask(b"STORE 1 +FLAGS (\\Deleted)")
    other.ask(b"EXPUNGE")
    heard = idling.hear_news()
    if b"FETCH" in heard:  # unless both came while a worker was started
        assert heard.startswith(b"* 1 FETCH (FLAGS (\\Flagged \\Deleted")
        heard = idling.hear_news()
    assert heard == b"* 1 EXPUNGE"
    until_parked(quick)
    told = silent.ask(b"NOOP")
    assert b"* 1 EXPUNGE" in told
    assert int(silent.ask(b"STATUS INBOX (MESSAGES)")[0].split()[-1].rstrip(b")")) == known - 1
    idling.done()


def test_a_client_of_notify_is_parked_too(quick: MailSystem, connect: Connect) -> None:
    """It hears of mail, of other mailboxes and of their names, in IDLE or not; files of ours beside wake nobody."""
    client = connect()
    client.ask(b"CREATE Noted")
    count = int(client.ask(b"STATUS INBOX (MESSAGES)")[0].split()[-1].rstrip(b")"))
    client.ask(
        b"NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge))"
        b" (PERSONAL (MessageNew MessageExpunge MailboxName SubscriptionChange))"
    )
    until_parked(quick)
    quick.send(b"Subject: wake up\r\n\r\nx\r\n")
    assert client.hear_news() == b"* %d EXISTS" % (count + 1)
    assert client.hear_news().endswith(b" RECENT")
    assert client.hear_news().startswith(b"* %d FETCH (UID " % (count + 1))
    until_parked(quick)
    message = quick.maildir(USER) / ".Noted" / "new" / "1700000000.M1P1.example"
    message.write_bytes(b"Subject: x\n\nx\n")
    shutil.chown(message, *owner_of(message.parent))
    assert client.hear_news() == b"* STATUS Noted (MESSAGES 1 UIDNEXT 2 UNSEEN 1)"
    client.idle()
    until_parked(quick)
    quick.doveadm("mailbox", "create", "-u", USER, "Made")
    assert client.hear_news() == b'* LIST (\\HasNoChildren) "/" Made'
    until_parked(quick)
    quick.doveadm("mailbox", "subscribe", "-u", USER, "Made")
    assert client.hear_news() == b'* LIST (\\Subscribed \\HasNoChildren) "/" Made'
    client.done()


def owner_of(path: Path) -> tuple[int, int]:
    """uid and gid."""
    status = path.stat()
    return status.st_uid, status.st_gid


def test_every_session_sees_the_same(quick: MailSystem) -> None:
    """Several clients act at random, are parked, and act again; other programs touch the files meanwhile."""
    user = "model@pillarbox.test"
    quick.add_user(user, PASSWORD)
    maildir = quick.maildir(user)

    async def act(client: ModelClient, chance: random.Random) -> None:
        for _ in range(chance.randrange(8)):
            await client.act(chance.choice(ACTIONS), chance.randrange(10))

    async def run() -> None:
        chances = [random.Random(number) for number in range(3)]
        async with model_sessions(quick.port("imap"), user, PASSWORD, count=3) as clients:
            for _ in range(ROUNDS):
                async with asyncio.TaskGroup() as tasks:
                    for client, chance in zip(clients, chances, strict=True):
                        tasks.create_task(act(client, chance))
                await asyncio.to_thread(until_parked, quick)
                for _ in range(3):
                    do_strange_thing(maildir, chances[0].choice(STRANGE_ACTIONS), chances[0].randrange(10))
            await all_have_heard_the_same(clients)

    asyncio.run(run())
    until(lambda: user not in quick.doveadm("who", "-1").stdout, what="all have gone")


def test_who_and_kick(quick: MailSystem, connect: Connect) -> None:
    """doveadm sees who is parked, and can send him away."""
    client = connect()
    client.idle()
    until_parked(quick)
    assert quick.doveadm("who", "-1").stdout.count(USER) == 1
    assert quick.doveadm("kick", USER).returncode == 0
    assert client.hear_news() == b"* BYE Server shutting down."
    assert client.hear() == b""


def test_parked_clients_count(quick: MailSystem, connect: Connect) -> None:
    """mail_max_userip_connections."""
    clients = [connect() for _ in range(3)]
    until_parked(quick)
    with pytest.raises(AssertionError, match="Maximum number of connections"):
        connect()
    for client in clients:
        client.ask(b"NOOP")


def test_a_worker_that_is_killed_and_a_spawner_that_is(quick: MailSystem, connect: Connect) -> None:
    """Connections end; whoever comes next is served."""
    client = connect()
    until(lambda: len(workers(quick)) == 1, what=lambda: f"one worker: {workers(quick)}")
    [worker] = workers(quick)
    assert kill(worker, signal.SIGKILL)
    assert client.hear() == b""

    client = connect()
    client.idle()
    until_parked(quick)
    assert kill(quick.roles()["spawner"], signal.SIGKILL)
    while client.hear():
        continue
    client.close()
    quick.until_healthy()
    client = connect()
    client.ask(b"NOOP")


def test_the_end_of_the_server(quick: MailSystem, connect: Connect) -> None:
    """BYE, and the line in the log that the session would have had.  It is the last test of that system."""
    client, compressing = connect(), connect(CompressingClient)
    for one in (client, compressing):
        one.idle()
    until_parked(quick)
    before = quick.log()
    assert quick.stop() == 0
    for one in (client, compressing):
        assert one.hear_news() == b"* BYE Server shutting down."
        assert one.hear() == b""
        one.close()
    line = re.compile(
        r"imap\([^)]*\)<\d+><[^>]+>: (?:Info: )?Disconnected: Server shutting down\. in=\d+ out=(\d+) "
    )
    found = line.search(quick.log()[len(before) :])
    assert found is not None
    assert int(found[1]) > 500


def test_a_reload_cuts_nobody_who_is_parked() -> None:
    """The generation that holds him stays for him: he hears of mail, and his commands are answered."""
    system = new_system("rootless")
    system.configure_mailboxes(SETTINGS)
    try:
        system.start()
        idling, silent = Client(system), Client(system)
        idling.idle()
        until_parked(system)
        reload(system)
        system.send(b"Subject: after the reload\r\n\r\nx\r\n")
        assert idling.hear_news() == b"* 1 EXISTS"
        assert b"* 1 EXISTS" in silent.ask(b"NOOP")
        assert system.doveadm("who", "-1").stdout.count(USER) == 2
        newcomer = Client(system)
        assert newcomer.ask(b"FETCH * (FLAGS)")[0].startswith(b"* 1 FETCH")
        for client in (idling, silent, newcomer):
            client.close()
        assert system.stop() == 0
        assert "Traceback" not in system.log() + system.screen()
    finally:
        system.end()


AUTOEXPUNGE: Final = """\
imap_hibernate_timeout = 1 secs
namespace inbox {
  inbox = yes
  mailbox few {
    auto = create
    autoexpunge = 30d
    autoexpunge_max_mails = 1
  }
}
"""


def test_parked_sessions_end_with_autoexpunge() -> None:
    """When the client goes, and when the server ends: a worker does what is to be done then."""
    system = new_system("rootless")
    system.configure_mailboxes(AUTOEXPUNGE)
    try:
        system.start()

        def count() -> int:
            return sum(len(os.listdir(system.maildir(USER) / ".few" / name)) for name in ("new", "cur"))

        for way in ("goes", "ends"):
            client = Client(system)
            for _ in range(2):
                client.say(b"a APPEND few {1+}\r\nx")
                assert client.hear().startswith(b"a OK")
            client.idle()
            until_parked(system)
            assert count() >= 2
            if way == "goes":
                client.close()
            else:
                assert system.stop() == 0
                assert client.hear_news() == b"* BYE Server shutting down."
                client.close()
            until(lambda: count() == 1, what="autoexpunge")
        assert "Disconnected: Server shutting down. in=" in system.log()
        assert "Traceback" not in system.log() + system.screen()
    finally:
        system.end()
