"""A client of the doveadm service that speaks Dovecot's protocol (wire/doveadm_protocol.py): doveadm -S, dsync.

DESCRIPTION
    At a Unix socket its rights are its password.  At a port it says doveadm_username and doveadm_password, perhaps
    after STARTTLS, to which there is no answer but TLS's.

    `save` is followed by the message, a line end and a line of one dot; lines that begin with one have it twice.
    `dsync-server` is followed by dsync, and the connection ends with it.

FAULTS
    What the client does wrong, or may not do, is in the log; its connection ends.
"""

import hmac
import socket
import ssl
import tempfile
from collections.abc import Callable
from typing import Final

import msgspec

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.net import tls_relay
from pillarbox.observability.events import EventSink, MailboxNotice
from pillarbox.tools.auth_sockets import NoAnswer
from pillarbox.tools.doveadm_commands.users import lookup
from pillarbox.tools.doveadm_server.commands import named_by
from pillarbox.tools.doveadm_server.execution import Command, Execution
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire import doveadm_protocol
from pillarbox.wire.doveadm_protocol import Asked

_LONGEST: Final = 64 * 1024
_AT_ONCE: Final = 1 << 16
_EX_NOUSER: Final = 67
_EX_TEMPFAIL: Final = 75


class Door(msgspec.Struct, frozen=True):
    """Where a client has come in, and what counts there."""

    configuration: Configuration
    program: str
    """Who says something in the log: `doveadm(192.0.2.1)`."""
    tell: EventSink
    wants_password: bool
    context: Callable[[], ssl.SSLContext]
    """For TLS.  ConfigurationFault."""

    def error(self, text: str) -> None:
        """Say in the log what is wrong."""
        self.tell(MailboxNotice(self.program, "Error", text))

    def allows(self, name: str) -> bool:
        """Whether doveadm_allowed_commands has a command."""
        allowed = self.configuration.value("doveadm_allowed_commands")
        return not allowed or name in (part.strip() for part in allowed.split(","))


class _Over(Exception):
    """The client is gone, or has to go."""


class LineClient:
    """One."""

    def __init__(self, client: socket.socket, door: Door) -> None:
        self._client = client
        self._door = door
        self._buffer = bytearray()
        self._minor = 0
        self._frames = False

    def serve(self) -> None:
        """Until it goes."""
        try:
            self._greet()
            while True:
                self._obey(self._line())
        except (_Over, OSError):
            self._client.close()

    def _greet(self) -> None:
        minor = doveadm_protocol.client_version(self._line())
        if minor is None:
            self._door.error("doveadm client not compatible with this server (mixed old and new binaries?)")
            raise _Over
        self._minor = minor
        if minor:
            self._client.sendall(doveadm_protocol.version_line("doveadm-client"))
        if self._door.wants_password:
            self._client.sendall(b"-\n")
            self._log_in()
        self._client.sendall(b"+\n")
        self._frames = minor > 0

    def _log_in(self) -> None:
        line = self._line()
        if line == b"STARTTLS":
            try:
                context = self._door.context()
                self._client = tls_relay.behind(context.wrap_socket(self._client, server_side=True))
            except (OSError, ConfigurationFault) as error:
                self._refuse(f"SSL init failed: {error}")
            line = self._line()
        value = self._door.configuration.value
        if not value("doveadm_password"):
            self._refuse("doveadm_password not set, remote authentication disabled")
        given = doveadm_protocol.read_login(line)
        if given is None:
            self._refuse("doveadm client attempted non-PLAIN authentication")
        elif given[0] != value("doveadm_username"):
            self._refuse(f"doveadm client didn't authenticate as '{value('doveadm_username')}'")
        elif not hmac.compare_digest(given[1].encode(), value("doveadm_password").encode()):
            self._refuse("doveadm client authenticated with wrong password")

    def _refuse(self, text: str) -> None:
        self._door.error(text)
        self._client.sendall(b"-\n")
        raise _Over

    def _obey(self, line: bytes) -> None:
        asked = doveadm_protocol.read_command(line)
        if asked is None:
            self._fail("doveadm client: No command given")
            raise _Over
        command = named_by(asked.words)
        if command is None:
            self._fail(f"doveadm: Client sent unknown command: {asked.words[0]}")
            self._say(b"\n-\n")
            return
        if not self._door.allows(command.name):
            self._fail(f"doveadm client isn't allowed to use command: {command.name}")
            raise _Over
        if command.name == "dsync-server":
            self._synchronize(asked)
            raise _Over
        execution = Execution(self._door.configuration, self._door.program, self._door.tell)
        if command.name == "save":
            with tempfile.TemporaryFile(dir=self._door.configuration.value("mail_temp_dir")) as message:
                self._take_message(message.write)
                message.seek(0)
                asked = msgspec.structs.replace(asked, words=_without_file(asked.words))
                status = execution.run(_command(asked, message.fileno()), self._say, self._tell_client)
        else:
            status = execution.run(_command(asked), self._say, self._tell_client)
        self._say(b"\n" + doveadm_protocol.result_line(status))

    def _synchronize(self, asked: Asked) -> None:
        """dsync, once it is known that there is the user."""
        try:
            answer = lookup(self._door.configuration, asked.user)
        except NoAnswer as fault:
            self._fail(str(fault))
            self._say(b"\n" + doveadm_protocol.result_line(_EX_TEMPFAIL))
            return
        if answer.word != "USER":
            text = "User doesn't exist" if answer.word == "NOTFOUND" else "userdb lookup failed"
            self._fail(text, f"{self._door.program.removesuffix(')')},{asked.user})")
            status = _EX_NOUSER if answer.word == "NOTFOUND" else _EX_TEMPFAIL
            self._say(b"\n" + doveadm_protocol.result_line(status))
            return
        self._say(b"\n+\n")
        execution = Execution(self._door.configuration, self._door.program, self._door.tell)
        execution.run(_command(asked, feed=self._client), self._say, self._tell_client)

    def _take_message(self, write: Callable[[bytes], object]) -> None:
        """Up to the line of one dot; the end of the line before it is not the message's."""
        end = b""
        while (line := self._line(limit=0)) not in (b".", b".\r"):
            text = line.removesuffix(b"\r")
            write(end + text[text.startswith(b".") :])
            end = b"\n"

    def _fail(self, text: str, program: str = "") -> None:
        """`program`: who says it, if it is not the door."""
        program = program or self._door.program
        self._door.tell(MailboxNotice(program, "Error", text))
        self._tell_client("Error", f"{program}: {text}")

    def _tell_client(self, severity: str, text: str) -> None:
        if self._frames:
            self._client.sendall(doveadm_protocol.log_frame(severity, text))

    def _say(self, octets: bytes) -> None:
        if octets:
            self._client.sendall(doveadm_protocol.frame(0, octets) if self._frames else octets)

    def _line(self, *, limit: int = _LONGEST) -> bytes:
        """`limit`: octets; 0 for none.  _Over."""
        start = 0
        while (end := self._buffer.find(b"\n", start)) < 0:
            start = len(self._buffer)
            octets = self._client.recv(_AT_ONCE)
            if not octets or (limit and start > limit):
                raise _Over
            self._buffer += octets
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line


def _command(asked: Asked, standard_input: int = -1, *, feed: socket.socket | None = None) -> Command:
    return Command(asked.words, asked.user, input=standard_input, feed=feed)


def _without_file(words: tuple[str, ...]) -> tuple[str, ...]:
    """`save`, whose message has come: no file of this host is meant."""
    kept: list[str] = []
    takes_value = False
    for word in words:
        if takes_value or word.startswith("-") or word == "save":
            kept.append(word)
        takes_value = word in ("-m", "-u", "-F", "-S", "--mailbox", "--user")
    return tuple(kept)
