"""A whole Pillarbox for one test: real processes on ports of its own, started and stopped like an admin does.

DESCRIPTION
    `MailSystem` runs `pillarbox run` in a directory of its own, rootless or with root's rights, waits until both
    halves say that they are healthy, and knows every process that came of it: each carries the system's own
    mark in its environment.  `stop()` is Ctrl-C, and tells what was left behind.

    Rootless means: no root right inside.  Run by root, the system lives in a user namespace in which it is
    uid 1000 without a single capability; where namespaces are forbidden, it runs as user nobody.
"""

import os
import pwd
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from fakes.directories import PREFIXES, directory_of_this_process
from pillarbox.supervisor.status_query import ask_status

USER: Final = "me@pillarbox.test"
PASSWORD: Final = "correct horse"
"""Of those whom tests add; the first user has one of his own."""
STANDARD_PORTS: Final = {
    "smtp": 25,
    "submission": 587,
    "submissions": 465,
    "imap": 143,
    "imaps": 993,
    "pop3": 110,
    "pop3s": 995,
}
_NOBODY: Final = pwd.getpwnam("nobody")
_IN_USER_NAMESPACE: Final = (
    *("unshare", "--user", f"--map-user={_NOBODY.pw_uid}", f"--map-group={_NOBODY.pw_gid}"),
)
"""As somebody who has a name."""
AS_NOBODY: Final = (*("setpriv", f"--reuid={_NOBODY.pw_uid}", f"--regid={_NOBODY.pw_gid}", "--clear-groups"),)
_MARK: Final = "PILLARBOX_TEST_SYSTEM"
_MAKE_HOME: Final = """\
import datetime, os, pathlib, sys
from pillarbox.config.host_facts import host_facts
from pillarbox.config.reading import read_configuration
from pillarbox.supervisor.first_run import prepare
from pillarbox.supervisor.home import Home
from pillarbox.supervisor.mta_half import make_queue
from pillarbox.supervisor.system_users import system_users
owners = system_users() if os.getuid() == 0 else None
home = Home(pathlib.Path(sys.argv[1]))
prepare(home, owners=owners, now=datetime.datetime.now(datetime.UTC))
snapshot = read_configuration(str(home.etc), facts=host_facts()).snapshot
make_queue(snapshot, owners.mail_owner if owners is not None else None)
with open(home.users, "a") as users:
    for name in sys.argv[3:]:
        local_part, _, domain = name.partition("@")
        print(f"{name}:{{PLAIN}}{sys.argv[2]}::::{domain}/{local_part}::", file=users)
"""
"""The users' passwords are there to be read: with {ARGON2ID}, the first user's, each login takes a tenth of a second."""


class NoRootless(Exception):
    """This machine lets root become nobody else."""


@cache
def rootless_prefix() -> tuple[str, ...]:
    """What goes in front of a command to run it without root's rights."""
    if os.getuid() != 0:
        return ()
    for prefix in (_IN_USER_NAMESPACE, AS_NOBODY):
        if _can_run(prefix):
            return prefix
    raise NoRootless("neither a user namespace nor user nobody can run this Python")


@cache
def nobody_can_run_this() -> bool:
    """Whether another user may read the checkout and its Python: root's home directory is closed."""
    return _can_run(AS_NOBODY)


def _can_run(prefix: tuple[str, ...]) -> bool:
    probe = [*prefix, sys.executable, "-c", "import pillarbox.supervisor.foreground"]
    if not shutil.which(prefix[0]):
        return False
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


T = TypeVar("T")

PATIENCE: Final = 60.0
"""Seconds in which a process that is alive does its work, even if others keep it from running for some of them."""


def until(happened: Callable[[], T], *, seconds: float = PATIENCE, what: str | Callable[[], str]) -> T:
    """Look again and again, for a bounded time; a test that waits says for what.  What was seen at last.

    Only what was waited for is certain then: of what another process does besides, nothing is known.
    """
    begun = time.monotonic()
    while not (seen := happened()):
        waited = time.monotonic() - begun
        if waited > seconds:
            raise AssertionError(
                f"after {seconds:g} seconds still not: {what if isinstance(what, str) else what()}"
            )
        time.sleep(min(max(waited / 10, 0.005), 0.1))  # looking takes time from those who are waited for
    return seen


def free_offset() -> int:
    """A --port-offset whose seven ports nobody has; test processes beside one another choose from different ones."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    for offset in range(2000 + 1000 * number, 60000, 1000 * processes):
        if all(_is_free(port + offset) for port in STANDARD_PORTS.values()):
            return offset
    raise AssertionError("all ports are taken")


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class MailSystem:
    """One `pillarbox run`."""

    def __init__(self, *, rootless: bool, root: Path | None = None, wrapper: Sequence[str] = ()) -> None:
        self.rootless = rootless
        self._prefix = (*wrapper, *(rootless_prefix() if rootless else ()))
        self._own_directory = root is None
        self.root = root or directory_of_this_process(PREFIXES[1])
        self.root.chmod(0o755)
        if rootless and self._prefix[:1] == ("setpriv",):
            nobody = pwd.getpwnam("nobody")
            os.chown(self.root, nobody.pw_uid, nobody.pw_gid)
        self.data = self.root / "data"
        self.offset = free_offset()
        self.mark = uuid.uuid4().hex
        self.ignored: frozenset[str] = frozenset()  # of HUP and INT, those that it is started without hearing
        self.process: subprocess.Popen[bytes] | None = None
        self.started_in = 0.0

    # -- life ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, and wait until both halves are healthy."""
        begun = time.monotonic()
        self.launch()
        until(self._is_up_or_ended, what=lambda: f"both halves healthy:\n{self.log()}")
        self.started_in = time.monotonic() - begun
        if not self.is_healthy():
            raise AssertionError(f"the system ended at once:\n{self.screen()}\n{self.log()}")

    def launch(self, *arguments: str) -> None:
        """Start it without waiting."""
        self.launch_by(*self._command("run", "--port-offset", str(self.offset), *arguments))

    def launch_by(self, *command: str) -> None:
        """Start what starts it, without waiting.

        Whoever runs the tests may ignore SIGHUP or SIGINT, as nohup and a shell's background do.
        """
        signals = [
            f"--{'ignore' if name in self.ignored else 'default'}-signal={name}" for name in ("HUP", "INT")
        ]
        with open(self.root / "screen", "ab") as screen:
            self.process = subprocess.Popen(
                ["/usr/bin/env", *signals, *self._prefix, *command],
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=screen,
                env={**os.environ, _MARK: self.mark},
                start_new_session=True,
            )

    def processor_seconds(self) -> float:
        """Processor time of its processes so far, with that of children that have ended."""
        ticks = 0
        for pid in self.processes():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def make_home(self, users: Sequence[str] = ()) -> None:
        """Have what the first start makes before anything runs: configuration, users, certificate, queue."""
        command = [*self._prefix, sys.executable, "-c", _MAKE_HOME, str(self.data), PASSWORD, *users]
        subprocess.run(command, check=True, timeout=PATIENCE)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Ctrl-C in the foreground; the exit status.  Nothing may be left."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        until(lambda: not self.processes(), what=self.leftovers)
        return status

    def end(self) -> None:
        """After the test: everything goes, whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.processes():
            kill(pid)
        until(lambda: not self.processes(), what=self.leftovers)
        if self._own_directory:
            for directory in self.root.rglob("*"):
                if directory.is_dir() and not directory.is_symlink():
                    directory.chmod(0o755)
            shutil.rmtree(self.root)

    def command(self, *arguments: str, content: str = "") -> "subprocess.CompletedProcess[str]":
        """Another pillarbox(1) command on the same data, with the same rights."""
        return subprocess.run(
            [*self._prefix, *self._command(*arguments)],
            input=content,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def doveadm(self, *arguments: str, content: str = "") -> "subprocess.CompletedProcess[str]":
        """doveadm(1) on the same data, with the same rights."""
        configuration = str(self.data / "run" / "dovecot.conf")
        return subprocess.run(
            [*self._prefix, sys.executable, "-m", "pillarbox.tools.doveadm", "-c", configuration, *arguments],
            input=content,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pillarbox.tools.pillarbox", *arguments, "--data", str(self.data)]

    @contextmanager
    def running(self) -> Iterator["MailSystem"]:
        """Started, and at the end stopped without a complaint; nothing is left, whatever happens."""
        try:
            self.start()
            yield self
            assert self.stop() == 0
            assert "Traceback" not in self.log() + self.screen()
            assert "did not end" not in self.log()
        finally:
            self.end()

    # -- what it says ----------------------------------------------------------------------------------

    def half(self, name: str) -> dict[str, object] | None:
        """What one supervisor says."""
        return ask_status(str(self.data / "run" / f"{name}.status"))

    def is_healthy(self) -> bool:
        """Both halves run and all their roles serve."""
        halves = [self.half(name) for name in ("mta", "mailbox")]
        return all(half is not None and half["healthy"] for half in halves)

    def until_healthy(self) -> None:
        """Wait for it."""
        until(self.is_healthy, what=lambda: f"both halves healthy:\n{self.log()[-3000:]}")

    def roles(self) -> dict[str, int]:
        """Role or supervisor → process id; `login/2` is the second process of a role."""
        found = {"foreground": self.process.pid} if self.process is not None else {}
        for name in ("mta", "mailbox"):
            half = self.half(name)
            if half is None:
                continue
            pid, roles = half["pid"], half["roles"]
            assert isinstance(pid, int)
            assert isinstance(roles, list)
            found[f"{name} supervisor"] = pid
            for entry in roles:
                role, others = (
                    entry["role"],
                    sum(1 for known in found if known.split("/")[0] == entry["role"]),
                )
                found[f"{role}/{others + 1}" if others else role] = entry["pid"]
        return found

    def _is_up_or_ended(self) -> bool:
        assert self.process is not None
        return self.is_healthy() or self.process.poll() is not None

    def screen(self) -> str:
        """What stands on the terminal."""
        return (self.root / "screen").read_text(errors="replace")

    def log(self) -> str:
        """The log file."""
        path = self.data / "log" / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def processes(self) -> list[int]:
        """Every process of the system that is alive, whoever its parent is."""
        return [pid for pid in _all_processes() if self._is_ours(pid)]

    def leftovers(self) -> str:
        """What a test says when a process is left."""
        commands = [
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ") for pid in self.processes()
        ]
        return f"no process left: {commands}"

    def _is_ours(self, pid: int) -> bool:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        return f"{_MARK}={self.mark}".encode() in environment.split(b"\0")

    # -- how to reach it -------------------------------------------------------------------------------

    def port(self, name: str) -> int:
        """The port of a service."""
        return STANDARD_PORTS[name] + self.offset

    @property
    def password(self) -> str:
        """The first user's."""
        return (self.data / "etc" / "password").read_text().strip()

    def maildir(self, user: str = USER) -> Path:
        """Where a user's mail lies."""
        local_part, _, domain = user.partition("@")
        return self.data / "mail" / domain / local_part / "Maildir"

    def delivered(self, user: str = USER) -> list[Path]:
        """The message files of INBOX."""
        return [path for name in ("new", "cur") for path in (self.maildir(user) / name).glob("*")]

    def add_user(self, name: str, password: str) -> None:
        """`pillarbox user add`, and the system knows.

        As root smtpd may not read the users: those that could not know them take no connections any more.
        """
        before = self._smtpd_processes()
        done = self.command("user", "add", name, "--password-stdin", content=password + "\n")
        assert (done.returncode, done.stderr) == (0, "")
        if not self.rootless:
            until(lambda: not before & self._smtpd_processes(), what="a new smtpd has taken over")
        until(lambda: self.accepts(name), what=f"{name} is known to SMTP")

    def _smtpd_processes(self) -> set[int]:
        return {pid for role, pid in self.roles().items() if role.split("/")[0] == "smtpd"}

    def accepts(self, recipient: str) -> bool:
        """Whether RCPT TO says 250."""
        try:
            with smtplib.SMTP("127.0.0.1", self.port("smtp"), timeout=10) as client:
                client.ehlo()
                client.mail("sender@example.test")
                return client.rcpt(recipient)[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    def send(self, message: bytes, *, recipient: str = USER, sender: str = "sender@example.test") -> None:
        """One message by SMTP."""
        with smtplib.SMTP("127.0.0.1", self.port("smtp"), timeout=PATIENCE) as client:
            client.sendmail(sender, [recipient], message)

    def configure(self, **values: str) -> None:
        """Change main.cf; the first start has made it."""
        path = self.data / "etc" / "main.cf"
        with open(path, "a", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in values.items())

    def configure_mailboxes(self, text: str) -> None:
        """Settings of the mailbox half, for the next start."""
        path = self.data / "etc" / "dovecot.conf"
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.rootless and self._prefix[:1] == ("setpriv",):
            for directory in (self.data, path.parent):
                shutil.chown(directory, "nobody")
        path.write_text(text)


PATIENT_WITH_GUESSERS: Final = """\
auth_failure_delay = 0s
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
"""
"""Mailbox settings by which wrong passwords are refused at once, however many there were."""


def kill(pid: int, number: int = signal.SIGKILL) -> bool:
    """Send a signal; False if there is no such process any more."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def has_ended(pid: int) -> bool:
    """Whether a process does nothing any more, even if its parent has not asked for its end yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def _all_processes() -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isascii() and name.isdigit():
            yield int(name)
