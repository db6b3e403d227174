"""How the whole system ends: by signals, at any moment, patiently or not; and that nobody is left behind."""

import imaplib
import re
import signal
import smtplib
import socket
from pathlib import Path

import pytest

from fakes.logs import until_logged
from fakes.mail_system import PATIENCE, USER, MailSystem, kill, until
from system.conftest import new_system

pytestmark = pytest.mark.system

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_signals_stop_everything(fresh_system: MailSystem, number: signal.Signals) -> None:
    """Ctrl-C, a polite kill, a terminal that goes away: exit status 0, no process left, with clients inside."""
    fresh_system.start()
    with (
        smtplib.SMTP("127.0.0.1", fresh_system.port("smtp"), timeout=PATIENCE) as sending,
        socket.create_connection(("127.0.0.1", fresh_system.port("imap")), timeout=PATIENCE) as reading,
    ):
        sending.ehlo()
        reading.sendall(f'a LOGIN {USER} "{fresh_system.password}"\r\nb SELECT INBOX\r\n'.encode())
        received = b""
        while b"\nb OK" not in received:
            received += reading.recv(65536)
        assert fresh_system.stop(number) == 0
        received = b""
        while data := reading.recv(65536):
            received += data
        assert received.startswith(b"* BYE")  # RFC 3501 §7.1.5
        sending.close()


def test_killed_foreground_leaves_nothing(fresh_system: MailSystem) -> None:
    """kill -9 of the command: both halves see it and end; nobody is left; the next start works."""
    fresh_system.start()
    with imaplib.IMAP4("127.0.0.1", fresh_system.port("imap"), timeout=PATIENCE) as client:
        client.login(USER, fresh_system.password)  # a worker is there, too
    assert fresh_system.process is not None
    assert kill(fresh_system.process.pid)
    fresh_system.process.wait()
    until(lambda: not fresh_system.processes(), what=fresh_system.leftovers)
    fresh_system.start()
    assert fresh_system.stop() == 0


def test_while_it_starts(rootless_system: MailSystem) -> None:
    """SIGTERM before anything serves: what has been started ends, and no more is."""
    rootless_system.make_home()
    rootless_system.launch()
    until(lambda: len(rootless_system.processes()) >= 3, what="the foreground and both supervisors are there")
    assert rootless_system.stop(signal.SIGTERM) == 0
    assert "did not end" not in rootless_system.log()


def test_second_signal_is_for_the_impatient(rootless_system: MailSystem) -> None:
    """A role that does nothing is waited for, which the log says; not so after a second SIGTERM."""
    rootless_system.start()
    assert rootless_system.process is not None
    stuck = rootless_system.roles()["smtpd"]
    assert kill(stuck, signal.SIGSTOP)
    assert kill(rootless_system.process.pid, signal.SIGTERM)
    until_logged(rootless_system, "Killed with signal 15")
    assert rootless_system.stop(signal.SIGTERM) == 0
    assert "terminating on signal 15" in rootless_system.log()
    assert "did not end" not in rootless_system.log()


def test_nohup(rootless_system: MailSystem) -> None:
    """Who was started with SIGHUP ignored goes on when his terminal is gone."""
    rootless_system.ignored = frozenset({"HUP"})
    rootless_system.start()
    assert rootless_system.process is not None
    ignored = re.search(
        r"(?m)^SigIgn:\t(\w+)$", Path(f"/proc/{rootless_system.process.pid}/status").read_text()
    )
    assert ignored is not None
    assert int(ignored[1], 16) & 1 << signal.SIGHUP - 1
    assert kill(rootless_system.process.pid, signal.SIGHUP)
    rootless_system.send(b"Subject: still here\r\n\r\n")
    until(rootless_system.delivered, what="mail is delivered")
    assert rootless_system.stop(signal.SIGTERM) == 0


@pytest.mark.root
def test_make_run_in_the_background() -> None:
    """As a shell starts it with &: SIGINT is ignored, and SIGTERM to make ends all of it."""
    system = new_system("root")
    system.ignored = frozenset({"INT"})
    arguments = f"ARGUMENTS=--port-offset {system.offset} --data {system.data}"
    try:
        system.launch_by("make", "-C", str(REPOSITORY), "run", arguments)
        system.until_healthy()
        assert system.stop(signal.SIGTERM) == -signal.SIGTERM  # which is how make ends
        assert "terminating on signal 15" in system.log()
        assert "did not end" not in system.log()
    finally:
        system.end()
