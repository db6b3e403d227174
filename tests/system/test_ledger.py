"""The ledger: whatever was promised with 250 is in a mailbox, whoever is killed at whichever moment.

DESCRIPTION
    Our own client sends over several connections and writes a line, fsynced, for each 250.  Meanwhile processes
    are killed with SIGKILL at random moments: every role, the account worker, the delivery agent, both
    supervisors and the foreground.  What does not start again by itself is started.  In the end each line's
    message must be in the mailbox; a message may be there twice, but not be missing.
"""

import asyncio
import os
import random
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from fakes.mail_system import USER, MailSystem, kill, until

pytestmark = [pytest.mark.system, pytest.mark.slow]

SESSIONS = 8
KILLS = 26
TOKEN = re.compile(rb"(?m)^X-Ledger: (\S+)\r?$")
VICTIMS = (
    "smtpd",
    "qmgr",
    "delivery",
    "agent",
    "auth",
    "spawner",
    "login",
    "mta supervisor",
    "mailbox supervisor",
    "foreground",
)


class Ledger:
    """A file of promises."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.count = 0

    def promise(self, token: str) -> None:
        """The server has said 250 for this message."""
        os.write(self._file, token.encode() + b"\n")
        os.fsync(self._file)
        self.count += 1

    def promised(self) -> set[bytes]:
        """All of them, as the file has them."""
        os.close(self._file)
        return set(self._path.read_bytes().split())


class Load:
    """Clients that send one message after the other, and come again when the connection is lost."""

    def __init__(self, port: int, ledger: Ledger, seed: int) -> None:
        self._port = port
        self._ledger = ledger
        self._seed = seed
        self.enough = False

    async def run(self) -> None:
        """All sessions."""
        async with asyncio.TaskGroup() as tasks:
            for session in range(SESSIONS):
                tasks.create_task(self._client(session))

    async def _client(self, session: int) -> None:
        number = 0
        chance = random.Random(self._seed * 1000 + session)
        while not self.enough:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            try:
                await _expect(reader, b"220")
                writer.write(b"EHLO ledger.example\r\n")
                await _expect(reader, b"250")
                while not self.enough:
                    number += 1
                    token = f"{session}-{number}"
                    await self._send(reader, writer, token, chance.choice((200, 4096, 30000)))
                    self._ledger.promise(token)
            except (OSError, EOFError):
                continue
            finally:
                writer.close()

    async def _send(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str, size: int
    ) -> None:
        writer.write(b"MAIL FROM:<ledger@example.test>\r\n")
        await _expect(reader, b"250")
        writer.write(b"RCPT TO:<" + USER.encode() + b">\r\nDATA\r\n")
        await _expect(reader, b"250")
        await _expect(reader, b"354")
        line = b"ledger " * 10 + b"\r\n"
        writer.write(b"X-Ledger: %s\r\n\r\n%s.\r\n" % (token.encode(), line * (size // len(line) + 1)))
        await _expect(reader, b"250")


async def _expect(reader: asyncio.StreamReader, code: bytes) -> None:
    """A reply with this code; anything else ends the session."""
    async with asyncio.timeout(20):
        line = await reader.readline()
        while line[3:4] == b"-":
            line = await reader.readline()
    if not line.startswith(code):
        raise EOFError(line)


class Killer:
    """Kills somebody at random moments, and starts again what ends for good."""

    def __init__(self, system: MailSystem, ledger: Ledger, seed: int) -> None:
        self._system = system
        self._ledger = ledger
        self._chance = random.Random(seed)
        self.killed: Counter[str] = Counter()

    async def run(self) -> None:
        """Every victim at least twice, in random order, while messages flow."""
        victims = [VICTIMS[number % len(VICTIMS)] for number in range(KILLS)]
        self._chance.shuffle(victims)
        for victim in victims:
            await self._flow()
            await asyncio.sleep(self._chance.uniform(0, 0.3))
            pid = self._pid(victim)
            if pid is not None and kill(pid):
                self.killed[victim] += 1
            if victim in ("mta supervisor", "mailbox supervisor", "foreground"):
                await asyncio.to_thread(self._start_again)

    async def _flow(self) -> None:
        """Some messages have been accepted since the last one was killed."""
        wanted = self._ledger.count + SESSIONS
        deadline = time.monotonic() + 40
        while self._ledger.count < wanted:
            assert time.monotonic() < deadline, f"no mail is taken any more:\n{self._system.log()[-3000:]}"
            await asyncio.sleep(0.005)

    def _pid(self, victim: str) -> int | None:
        roles = self._system.roles()
        if victim != "agent":
            return roles.get(victim)
        children = [pid for pid in self._system.processes() if _parent(pid) == roles.get("delivery")]
        return self._chance.choice(children) if children else None

    def _start_again(self) -> None:
        assert self._system.process is not None
        self._system.process.wait(20)
        until(lambda: not self._system.processes(), what=self._system.leftovers)
        self._system.start()


def _parent(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[1])


@pytest.mark.timeout(180)
def test_what_was_promised_is_delivered(
    fresh_system: MailSystem,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every line of the ledger is a message in the mailbox after 20 and more kills over all processes."""
    seed = int(os.environ.get("LEDGER_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
    with capsys.disabled():
        print(f"\nledger: LEDGER_SEED={seed}")
    fresh_system.start()
    fresh_system.configure(
        minimal_backoff_time="1s", maximal_backoff_time="1s", queue_run_delay="1s", transport_retry_time="1s"
    )
    assert fresh_system.stop() == 0
    fresh_system.start()
    ledger = Ledger(tmp_path / "ledger")
    load = Load(fresh_system.port("smtp"), ledger, seed)
    killer = Killer(fresh_system, ledger, seed)

    async def scene() -> None:
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(load.run())
            try:
                await killer.run()
            finally:
                load.enough = True
            await sending

    asyncio.run(scene())
    assert killer.killed.total() >= 20, killer.killed
    fresh_system.until_healthy(seconds=60)
    until(
        lambda: not waiting(fresh_system),
        what=lambda: f"the queue is empty: {waiting(fresh_system)}",
        seconds=60,
    )
    promised = ledger.promised()
    delivered = Counter(
        token for path in fresh_system.delivered() for token in TOKEN.findall(path.read_bytes())
    )
    missing = promised - set(delivered)
    twice = sum(count - 1 for count in delivered.values())
    with capsys.disabled():
        print(
            f"ledger: {len(promised)} promised, {len(missing)} missing, {twice} duplicates, "
            f"{killer.killed.total()} killed: {dict(sorted(killer.killed.items()))}"
        )

    assert missing == set(), f"LEDGER_SEED={seed}\n{fresh_system.log()[-3000:]}"
    assert len(promised) >= KILLS * SESSIONS
    assert fresh_system.stop() == 0


def waiting(system: MailSystem) -> list[str]:
    """Messages that are still in the queue."""
    spool = system.data / "spool"
    return [
        path.name
        for name in ("incoming", "active", "deferred")
        for path in (spool / name).rglob("*")
        if path.is_file() and "." not in path.name
    ]
