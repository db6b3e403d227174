"""A connection to a doveadm service, this host's or another's (-S, tcp:HOST[:PORT]); wire/doveadm_protocol.py.

DESCRIPTION
    `ServiceConnection` is connected, perhaps by TLS, and logged in.  `Commands` has commands done by it, one after
    the other; `DoveadmService` begins dsync, for which it speaks the minor version 0, so that no log lines come
    between.

FAULTS
    Fatal          it cannot be reached, or refuses the command
    LoginFailed    it is no such service, or refuses the password

STANDARDS
    Dovecot 2.3, doveadm protocol 1.2
"""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.net import tls_relay
from pillarbox.tools.doveadm_commands.faults import EX_NOUSER, EX_TEMPFAIL, Fatal
from pillarbox.wire import doveadm_protocol
from pillarbox.wire.doveadm_protocol import Asked, FrameReader
from pillarbox.wire.dsync.fields import unescape

CONNECT_SECONDS: Final = 30
_ADDRESS: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d{1,5}))?")
_LONGEST: Final = 8192
_AT_ONCE: Final = 1 << 16


class LoginFailed(Exception):
    """What went wrong before any command."""


class Login(msgspec.Struct, frozen=True):
    """How a service is reached."""

    port: int
    """Where none is named."""
    name: str
    password: str
    context: ssl.SSLContext | None = None
    """For TLS from the first octet."""

    @classmethod
    def of(cls, configuration: Configuration, *, tls: bool = False) -> "Login":
        """As the settings say.  Fatal."""
        value = configuration.value
        context = _client_context(configuration) if tls else None
        return cls(
            configuration.number("doveadm_port"),
            value("doveadm_username"),
            value("doveadm_password"),
            context,
        )


def _client_context(configuration: Configuration) -> ssl.SSLContext:
    """By which a service's certificate is checked."""
    file, directory = configuration.value("ssl_client_ca_file"), configuration.value("ssl_client_ca_dir")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not configuration.yes("ssl_client_require_valid_cert"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        if file or directory:
            context.load_verify_locations(file or None, directory or None)
    except OSError as error:
        raise Fatal(f"ssl_client_ca_file, ssl_client_ca_dir: {error.strerror or error}") from error
    return context


class ServiceConnection:
    """Logged in."""

    def __init__(self, where: str, login: Login, *, minor: int) -> None:
        """`where`: HOST, HOST:PORT or the path of a Unix socket.  Fatal, LoginFailed."""
        self.where = where
        self.socket = _connected(where, login)
        self._minor = minor
        self._frames = FrameReader()
        try:
            self._log_in(login)
        except OSError as error:
            self.close()
            raise LoginFailed(f"doveadm server disconnected: {error.strerror or error}") from error
        except LoginFailed:
            self.close()
            raise

    def close(self) -> None:
        """Nothing more is said."""
        self.socket.close()

    def _log_in(self, login: Login) -> None:
        self.socket.sendall(b"VERSION\tdoveadm-server\t1\t%d\n" % self._minor)
        answer = self.line()
        if answer.startswith("VERSION\tdoveadm-client\t"):
            answer = self.line()
        if answer == "+":
            return
        if not login.password:
            raise LoginFailed("doveadm_password not set, can't authenticate to remote server")
        self.socket.sendall(doveadm_protocol.login_line(login.name, login.password))
        if self.line() != "+":
            raise LoginFailed("doveadm authentication failed")

    def line(self) -> str:
        """One line that is in no frame, octet by octet: what follows is not ours."""
        line = bytearray()
        while not line.endswith(b"\n"):
            octet = self.socket.recv(1)
            if not octet or len(line) > _LONGEST:
                raise LoginFailed("doveadm server disconnected before handshake: EOF")
            line += octet
        return line[:-1].decode("utf-8", "replace")


def _connected(where: str, login: Login) -> socket.socket:
    if where.startswith("/"):
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(where)
        except OSError as error:
            client.close()
            raise Fatal(f"net_connect_unix({where}) failed: {error.strerror}") from error
        return client
    found = _ADDRESS.fullmatch(where)
    port = int((found and found["port"]) or login.port)
    if found is None or not 0 < port < 65536:
        raise Fatal(f"tcp:{where}: there is no such address, or doveadm_port is not set")
    host = found["v6"] or found["host"]
    try:
        client = socket.create_connection((host, port), CONNECT_SECONDS)
    except OSError as error:
        raise Fatal(f"connect({host}:{port}) failed: {error.strerror or error}") from error
    if login.context is not None:
        try:
            client = tls_relay.behind(login.context.wrap_socket(client, server_hostname=host))
        except ssl.SSLCertVerificationError as error:
            text = (
                f"Received invalid SSL certificate: {error.verify_message} (check ssl_client_ca_* settings?)"
            )
            raise Fatal(f"{where}: {text}") from error
        except OSError as error:
            raise Fatal(f"{where}: SSL handshake failed: {error.strerror or error}") from error
    client.settimeout(None)
    return client


class Commands(ServiceConnection):
    """Has commands done."""

    def __init__(self, where: str, login: Login) -> None:
        """Fatal, LoginFailed."""
        super().__init__(where, login, minor=doveadm_protocol.MINOR)

    def run(
        self,
        asked: Asked,
        name_words: int,
        *,
        message: Iterator[bytes] | None,
        values: Callable[[list[str]], object],
        logged: Callable[[str, str], object],
    ) -> int:
        """Have it done; its exit status.  LoginFailed if the connection ends.

        `message`: lines that are to follow; `values` and `logged` hear what comes.
        """
        try:
            self.socket.sendall(doveadm_protocol.command_line(asked, name_words=name_words))
            for piece in message or ():
                self.socket.sendall(piece)
            answer = _Answer(values)
            while octets := self.socket.recv(_AT_ONCE):
                for channel, part in self._frames.feed(octets):
                    if channel == doveadm_protocol.LOG:
                        logged(*doveadm_protocol.read_log_line(part))
                    elif (status := answer.feed(part)) is not None:
                        return status
        except OSError as error:
            raise LoginFailed(error.strerror or str(error)) from error
        raise LoginFailed("EOF")


class _Answer:
    """Values of rows, an empty line, and how it has ended."""

    def __init__(self, values: Callable[[list[str]], object]) -> None:
        self._values = values
        self._value = b""
        self._end: bytes | None = None

    def feed(self, octets: bytes) -> int | None:
        """More of it; the exit status, if it is complete."""
        if self._end is None:
            before, newline, end = (self._value + octets).partition(b"\n")
            *found, self._value = before.split(b"\t")
            if found:
                self._values([unescape(value).decode("utf-8", "surrogateescape") for value in found])
            if not newline:
                return None
            self._end = end
        else:
            self._end += octets
        line, newline, _ = self._end.partition(b"\n")
        return (doveadm_protocol.read_result(line) or 0) if newline else None


class DoveadmService:
    """A service that dsync is to be spoken to by."""

    def __init__(self, where: str, user: str, login: Login) -> None:
        """Fatal."""
        try:
            self._connection = ServiceConnection(where, login, minor=0)
        except LoginFailed as fault:
            raise Fatal(f"{where}: {fault}") from fault
        try:
            self._begin(where, user)
        except LoginFailed as fault:
            self.end()
            raise Fatal(f"{where}: {fault}") from fault
        except Fatal:
            self.end()
            raise
        self.reading = self.writing = self._connection.socket.fileno()

    def _begin(self, where: str, user: str) -> None:
        asked = Asked("", user, ("dsync-server", f"-u{user}"))
        try:
            self._connection.socket.sendall(doveadm_protocol.command_line(asked, name_words=1))
            answer = self._connection.line() or self._connection.line()
        except OSError as error:
            raise Fatal(f"{where}: doveadm server disconnected: {error.strerror or error}") from error
        status = doveadm_protocol.read_result(answer.encode())
        if status == EX_NOUSER:
            raise Fatal("Unknown user in remote", status=EX_NOUSER)
        if status != 0:
            status = EX_TEMPFAIL if status is None else status
            raise Fatal(f"Failed to start remote dsync-server command: Remote exit_code={status}")

    def end(self) -> str:
        """The connection ends; nothing is wrong with that."""
        self._connection.close()
        return ""
