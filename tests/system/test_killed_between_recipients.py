"""A server answers for one recipient and lets the other wait: whoever is killed meanwhile, nobody gets it twice."""

import contextlib
import os
import re
import signal
import smtplib
from collections.abc import Iterator

import pytest

from fakes.mail_system import PATIENCE, USER, MailSystem, until
from fakes.scripted_server import SILENCE, ScriptedServer
from pillarbox.queue.file_source import FileSource
from pillarbox.queue.queue_file import read_message
from system.conftest import new_system

pytestmark = pytest.mark.system


class Hesitant(ScriptedServer):
    """An LMTP server that takes carol never, and says of the others what became of the first only."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1", 0, {".": self._answer, "RCPT": self._recipient}, lmtp=True)
        self.answers = 0
        self.is_whole = False

    def _answer(self, _line: bytes) -> bytes:
        self.answers += 1
        return b"250 2.0.0 Stored" if self.answers == 1 or self.is_whole else SILENCE

    def _recipient(self, line: bytes) -> bytes:
        return b"550 5.1.1 Who is that?" if b"carol" in line else b"250 2.1.5 Ok"

    def asked_for(self, name: bytes) -> int:
        """How often the recipient was named."""
        return sum(line.startswith(b"RCPT TO:<" + name) for line in self.said)


@pytest.fixture(scope="module")
def hesitant() -> Iterator[Hesitant]:
    """The server."""
    server = Hesitant()
    yield server
    server.close()


@pytest.fixture(scope="module")
def system(hesitant: Hesitant) -> Iterator[MailSystem]:
    """A system that tries again each second, and starts roles again at once."""
    system = new_system("rootless")
    try:
        system.make_home()
        system.configure(
            minimal_backoff_time="1s",
            maximal_backoff_time="1s",
            queue_run_delay="1s",
            service_throttle_time="1s",
            transport_retry_time="1s",
            relay_domains="hesitant.test",
            transport_maps=f"inline:{{ hesitant.test=lmtp:inet:[127.0.0.1]:{hesitant.port} }}",
            lmtp_tls_security_level="none",
        )
        system.start()
        yield system
        assert system.stop() == 0
        assert "Traceback" not in system.log() + system.screen()
    finally:
        system.end()


def has_line(log: str, name: str, status: str) -> bool:
    """Whether a recipient has had that fate."""
    return bool(re.search(rf"to=<{name}@hesitant\.test>.* status={status} ", log))


def undone(system: MailSystem) -> list[bytes]:
    """Who still gets something, by all queue files for the server."""
    found: list[bytes] = []
    for queue in ("incoming", "active", "deferred"):
        for path in (system.data / "spool" / queue).rglob("*"):
            with contextlib.suppress(FileNotFoundError, IsADirectoryError), path.open("rb") as file:
                found += [one.address for one in read_message(FileSource(file.fileno())).to_do]
    return [address for address in found if address.endswith(b"@hesitant.test")]


@pytest.mark.parametrize("victims", [["smtp"], ["qmgr", "smtp"]], ids="+".join)
def test_nobody_gets_it_twice(system: MailSystem, hesitant: Hesitant, victims: list[str]) -> None:
    """The first is logged and marked while the second waits; after the crash only the second is asked for."""
    hesitant.conversations.clear()
    hesitant.answers = 0
    hesitant.is_whole = False
    logged = len(system.log())
    names = ("first", "carol", "second")
    with smtplib.SMTP("127.0.0.1", system.port("smtp"), timeout=PATIENCE) as client:
        client.sendmail(USER, [f"{name}@hesitant.test" for name in names], b"Subject: x\r\n\r\nx\r\n")

    def log() -> str:
        return system.log()[logged:]

    until(
        lambda: has_line(log(), "first", "sent") and has_line(log(), "carol", "bounced"),
        what=lambda: f"lines of those whose fate is known:\n{log()}",
    )
    assert not has_line(log(), "second", "sent")
    until(lambda: undone(system) == [b"second@hesitant.test"], what=lambda: f"marks: {undone(system)}")
    hesitant.is_whole = True
    for victim in victims:
        os.kill(system.roles()[victim], signal.SIGKILL)
    until(
        lambda: has_line(log(), "second", "sent"),
        seconds=90,
        what=lambda: f"the second gets it:\n{log()}",
    )
    until(lambda: "sender non-delivery notification" in log(), what=lambda: f"carol's bounce:\n{log()}")
    assert hesitant.asked_for(b"first") == 1
    assert hesitant.asked_for(b"carol") == 1
    assert hesitant.asked_for(b"second") == 2
    assert log().count("sender non-delivery notification") == 1
    until(lambda: undone(system) == [], what="an empty queue")
    system.until_healthy()
