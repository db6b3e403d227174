"""Debian's Dovecot and our mailbox half, each with the same dovecot.conf in a directory of its own.

Each has ports and directories that nobody else has, so that both run at the same time, and beside other tests.
Root is needed: mail belongs to nobody.
"""

import imaplib
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from fakes.imap_exchanges import MARKED
from fakes.mail_system import PATIENCE, has_ended, kill, until

COMMON: Final = """\
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_uid = nobody
mail_gid = nogroup
mail_home = {base}/home/%u
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = {fields}
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
"""
"""Every user logs in with `secret`."""

_TIMES: Final = re.compile(rb" \([0-9.+ ]+ secs\)\.?")
_STAMPS: Final = (
    (re.compile(rb"(UIDVALIDITY|HIGHESTMODSEQ|APPENDUID|COPYUID) \d+"), rb"\1 N"),
    (re.compile(rb"^x NO \[NONEXISTENT\] "), b"x NO "),  # RFC 5530; Dovecot has it for some commands only
    (re.compile(rb"\[MAILBOXID \(F[0-9a-f]{32}\)\] "), b""),  # RFC 8474, which Dovecot 2.3 has not
    (MARKED, b""),
    (re.compile(rb'"\d\d-[A-Z][a-z]{2}-\d{4} [0-9:]{8} [-+]\d{4}"'), b'"DATE"'),
)


class Server:
    """One of the two."""

    def __init__(
        self,
        program: Sequence[str],
        doveadm: Sequence[str],
        settings: str,
        fields: str,
        *,
        name: str,
        place: str | None = None,
    ) -> None:
        """`place`: where its directory is, if not in that of all temporary files."""
        self.name = name
        self.base = Path(tempfile.mkdtemp(prefix=f"pair-{name}-", dir=place))
        self.base.chmod(0o755)
        self.port = _free_port()
        self._program = list(program)
        self._doveadm = list(doveadm)
        self._stopping: int | None = None
        self.configuration = self.base / "dovecot.conf"
        fields = fields.replace("{base}", str(self.base))
        self.pop3 = _free_port() if "{pop3}" in settings else 0
        settings = settings.replace("{base}", str(self.base)).replace("{pop3}", str(self.pop3))
        settings = settings.replace("{port}", str(self.port))
        text = COMMON.format(base=self.base, port=self.port, fields=fields) + settings
        self.configuration.write_text(text)
        (self.base / "home").mkdir()
        shutil.chown(self.base / "home", "nobody", "nogroup")

    def start(self, program: Sequence[str] = ()) -> None:
        """It serves when this returns; `program` in its place, from now on."""
        self._program = list(program) or self._program
        screen = self.base / "screen"  # not a pipe, which the daemons would keep open
        with screen.open("wb") as output:
            done = subprocess.run(
                [*self._program, "-c", str(self.configuration)],
                check=False,
                timeout=PATIENCE,
                stdout=output,
                stderr=output,
            )
        assert done.returncode == 0, screen.read_text()

    def ask_to_stop(self) -> None:
        """It begins to stop, if it runs, which takes Debian's a second of sleep; `stop()` waits for the end."""
        pid_file = self.base / "run" / "master.pid"
        if self._stopping is None and pid_file.exists():
            self._stopping = int(pid_file.read_text())
            kill(self._stopping, signal.SIGTERM)

    def stop(self) -> None:
        """It is gone when this returns."""
        self.ask_to_stop()
        if (pid := self._stopping) is not None:
            until(lambda: has_ended(pid), what=f"{self.name} has stopped")
            self._stopping = None

    def end(self) -> None:
        """Nothing is left."""
        try:
            self.stop()
        finally:
            # Processes that have said goodbye may still be closing their files.
            until(self._is_removed, what=f"{self.base} is removed")

    def _is_removed(self) -> bool:
        shutil.rmtree(self.base, ignore_errors=True)
        return not self.base.exists()

    def home(self, user: str = "me") -> Path:
        """A user's home directory."""
        return self.base / "home" / user

    def log(self) -> str:
        """What it has logged."""
        path = self.base / "log"
        return path.read_text() if path.exists() else ""

    def imap(self, user: str = "me") -> "Talk":
        """A client that has logged in."""
        return Talk(self.port, user)

    @property
    def doveadm_command(self) -> list[str]:
        """What doveadm's words stand behind."""
        return [*self._doveadm, "-c", str(self.configuration)]

    def doveadm(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """doveadm with this configuration."""
        command = [*self.doveadm_command, *words]
        return subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)

    def lmtp(self, *messages: bytes, to: Sequence[str] = ("me",), sender: str = "s@example.org") -> list[str]:
        """What LMTP says to each message and recipient, without session ids."""
        said: list[str] = []
        with _UnixLmtp(str(self.base / "run" / "lmtp")) as client:
            for message in messages:
                client.docmd("MAIL", f"FROM:<{sender}>")
                accepted = 0
                for address in to:
                    code, text = client.docmd("RCPT", f"TO:<{address}>")
                    if code == 250:
                        accepted += 1
                    else:
                        said.append(f"RCPT {code} {text.decode()}")
                if not accepted:
                    client.docmd("RSET")
                    continue
                client.docmd("DATA")
                client.send(message.replace(b"\n", b"\r\n") + b".\r\n")
                for _ in range(accepted):
                    code, text = client.getreply()
                    said.append(re.sub(r"> [A-Za-z0-9+/]{20,}(:\S+)? ", "> ID ", f"{code} {text.decode()}"))
        return said


class _UnixLmtp(smtplib.LMTP):
    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.ehlo_or_helo_if_needed()

    def ehlo_or_helo_if_needed(self) -> None:
        """LHLO."""
        self.lhlo("client.example")

    def lhlo(self, name: str) -> None:
        """LHLO."""
        self.docmd("LHLO", name)


class Talk:
    """An IMAP client that shows what it hears."""

    def __init__(self, port: int, user: str) -> None:
        self._client = imaplib.IMAP4("127.0.0.1", port, timeout=PATIENCE)
        self._client.login(user, "secret")

    def say(self, command: bytes, literal: bytes | None = None) -> list[bytes]:
        """The answers to a command: untagged lines sorted, then the tagged one; times and stamps left out."""
        self.send(command, literal)
        return self.hear()

    def send(self, command: bytes, literal: bytes | None = None) -> None:
        """A command to which the answers are heard later."""
        data = b"x " + command
        if literal is not None:
            data += b" {%d+}\r\n%b" % (len(literal), literal)
        self._client.send(data + b"\r\n")

    def hear(self) -> list[bytes]:
        """The answers to the command that was sent, as `say` gives them."""
        lines: list[bytes] = []
        while not lines or not lines[-1].startswith(b"x "):
            line = self._client.readline()
            if not line:
                return [*sorted(lines), b"(closed)"]
            line = _TIMES.sub(b"", line.rstrip(b"\r\n"))
            for pattern, text in _STAMPS:
                line = pattern.sub(text, line)
            if line != b"* OK Ok":
                lines.append(line)
        return [*sorted(lines[:-1]), lines[-1]]

    def close(self) -> None:
        """The connection ends; the server has seen it when this returns.  OSError if it had ended it already."""
        try:
            self._client.send(b"z LOGOUT\r\n")
            while self._client.readline():
                pass
        finally:
            self._client.shutdown()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def dovecot_pair(
    settings: str,
    *,
    fields: str = "allow_all_users=yes",
    prepare: Callable[[Server], None] | None = None,
) -> Iterator[tuple[Server, Server]]:
    """(ours, theirs), both started, with these settings besides the common ones.

    {base} is the directory, {port} and {pop3} are ports of each one's own.

    `fields` are the arguments of the static userdb; `prepare` is called with each server before it is started.
    """
    with ExitStack() as stack:
        servers = []
        for name, program, doveadm in (
            ("ours", [sys.executable, "-m", "pillarbox.tools.dovecot"], _OUR_DOVEADM),
            ("theirs", ["/usr/sbin/dovecot"], ["/usr/bin/doveadm"]),
        ):
            server = Server(program, doveadm, settings, fields, name=name)
            stack.callback(server.end)
            if prepare is not None:
                prepare(server)
            server.start()
            servers.append(server)
        for server in servers:
            stack.callback(server.ask_to_stop)
        yield servers[0], servers[1]


_OUR_DOVEADM: Final = [sys.executable, "-m", "pillarbox.tools.doveadm"]


def play(
    server: Server, script: Sequence[bytes | tuple[bytes, bytes]], user: str = "me"
) -> list[list[bytes]]:
    """A conversation: commands, or (command, literal); each with its answers."""
    talk = server.imap(user)
    said = []
    for step in script:
        command, literal = step if isinstance(step, tuple) else (step, None)
        said.append([command, *talk.say(command, literal)])
        if said[-1][-1] == b"(closed)":
            talk = server.imap(user)
    talk.close()
    return said


def differences(ours: list[list[bytes]], theirs: list[list[bytes]]) -> str:
    """Where the two differ, to be shown."""
    return "\n".join(
        f"ours   {one}\ntheirs {other}\n" for one, other in zip(ours, theirs, strict=True) if one != other
    )
