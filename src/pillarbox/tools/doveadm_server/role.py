"""The doveadm role: takes clients of the doveadm service, and serves each in a child.

DESCRIPTION
        service doveadm {
          inet_listener {
            port = 2425
          }
          inet_listener http {
            port = 8080
          }
        }
        doveadm_password = secret

    The role has root's rights, as doveadm has that root runs: commands become the owner of the mail that they work
    on.  It speaks to nobody itself.  The configuration is that of its start; a reload begins a new one.

LIMITS
    `MAX_CLIENTS` at once; others wait.  A client may be silent for `SILENT_SECONDS`.

FAULTS
    A certificate that cannot be loaded is in the log when a client wants TLS; there is none then

STANDARDS
    Dovecot 2.3, service doveadm
"""

import functools
import os
import selectors
import signal
import socket
import ssl
from typing import Final

import msgspec

from pillarbox.config.dovecot.reading import Configuration, read_configuration
from pillarbox.config.dovecot.service_listeners import DOVEADM_HTTP
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.daemons.login_tls import context_of
from pillarbox.daemons.startup import open_log, refuse
from pillarbox.net import last_seconds, tls_relay
from pillarbox.net.accepting import Acceptor
from pillarbox.net.channel import ChannelClosed, FrameReader, FrameWriter, receive_available
from pillarbox.net.forks import fork
from pillarbox.net.startup import Drain, Draining, FromSupervisor, Ready, Startup
from pillarbox.observability.events import MailboxNotice
from pillarbox.observability.log_file import LogFile
from pillarbox.tools.doveadm_server.http_client import HttpClient
from pillarbox.tools.doveadm_server.line_client import Door, LineClient
from pillarbox.vocabulary.faults import ConfigurationFault

MAX_CLIENTS: Final = 100
SILENT_SECONDS: Final = 600.0


class Place(msgspec.Struct, frozen=True):
    """What a listening socket is for."""

    is_http: bool = False
    has_tls: bool = False
    is_port: bool = True


def place_of(name: str, settings: MailboxSettings) -> Place:
    """By the name of the socket."""
    inet = settings.listener_names().get(name)
    if inet is None:
        return Place(is_port=False)
    return Place(inet[0].service == DOVEADM_HTTP, inet[0].tls)


class DoveadmServer:
    """The role's loop: listeners, the control channel, children."""

    def __init__(self, startup: Startup, configuration: Configuration, log: LogFile) -> None:
        self._settings = MailboxSettings.decode(startup.settings)
        self._configuration = configuration
        self._log = log
        self._control = socket.socket(fileno=startup.control)
        self._orders: FrameReader[FromSupervisor] = FrameReader(msgspec.msgpack.Decoder(FromSupervisor))
        self._selector = selectors.DefaultSelector()
        self._listeners: dict[socket.socket, Place] = {
            socket.socket(fileno=descriptor): place_of(name, self._settings)
            for name, descriptor in startup.listeners.items()
        }
        self._acceptors = {
            sock: Acceptor(sock, tell=functools.partial(self._tell, "Error")) for sock in self._listeners
        }
        self._children: dict[int, int] = {}
        """pidfd → process id."""
        self._is_full = self._drains = False

    def serve(self) -> None:
        """Run until the supervisor says Stop or is gone, or, after Drain, until the last client has gone."""
        self._say(Ready(os.getpid()))
        self._selector.register(self._control, selectors.EVENT_READ)
        self._listen()
        while not (self._drains and not self._children):
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    if not self._take_orders():
                        return
                elif key.fd in self._children:
                    self._bury(key.fd)
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._listeners:
                    self._take(key.fileobj)

    def _listen(self) -> None:
        for sock in self._listeners:
            self._selector.register(sock, selectors.EVENT_READ)

    def _stop_listening(self) -> None:
        for sock in self._listeners:
            self._selector.unregister(sock)

    def _take_orders(self) -> bool:
        """Whether to go on."""
        try:
            octets, descriptors = receive_available(self._control)
            frames = self._orders.feed(octets, descriptors)
        except (OSError, ChannelClosed):
            return False
        for order, passed in frames:
            if passed:
                self._log.redirect(*passed)
            if not isinstance(order, Drain):
                return False
            if not self._drains:
                self._drains = True
                if not self._is_full:
                    self._stop_listening()
                for sock in self._listeners:
                    sock.close()
                self._listeners.clear()
                self._say(Draining())
        return bool(octets)

    def _say(self, frame: Ready | Draining) -> None:
        writer = FrameWriter()
        writer.put(frame)
        try:
            writer.write_to(self._control)
        except OSError:
            return  # the next order says so

    def _take(self, listener: socket.socket) -> None:
        client = self._acceptors[listener].accept()
        if client is None:
            return
        with client:
            client.setblocking(True)
            try:
                pid = fork(functools.partial(self._serve, client, self._listeners[listener]))
            except OSError as error:
                self._tell("Error", f"fork() failed: {error.strerror}")
                return
        descriptor = os.pidfd_open(pid)
        self._children[descriptor] = pid
        self._selector.register(descriptor, selectors.EVENT_READ)
        if len(self._children) >= MAX_CLIENTS:
            self._is_full = True
            self._stop_listening()
            self._tell(
                "Warning", f"service(doveadm): process_limit ({MAX_CLIENTS}) reached, client connections wait"
            )

    def _bury(self, descriptor: int) -> None:
        """A client is gone."""
        self._selector.unregister(descriptor)
        os.waitpid(self._children.pop(descriptor), 0)
        os.close(descriptor)
        if self._is_full and not self._drains:
            self._is_full = False
            self._listen()

    def _tell(self, severity: str, text: str) -> None:
        self._log(MailboxNotice("doveadm", severity, text))

    # -- in a child --------------------------------------------------------------------------------------

    def _serve(self, client: socket.socket, place: Place) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        self._selector.close()
        self._control.close()
        for sock in self._listeners:
            sock.close()
        for descriptor in self._children:
            os.close(descriptor)
        client.settimeout(SILENT_SECONDS)
        address = _address(client)
        door = Door(
            self._configuration,
            f"doveadm({address})" if address else "doveadm",
            self._log,
            place.is_port,
            self._context,
        )
        if place.has_tls:
            try:
                client = tls_relay.behind(self._context().wrap_socket(client, server_side=True))
            except (ConfigurationFault, OSError) as error:
                door.error(f"SSL handshake failed: {error}")
                return
        if place.is_http:
            HttpClient(client, address, door).serve()
        else:
            LineClient(client, door).serve()

    def _context(self) -> ssl.SSLContext:
        """ConfigurationFault."""
        settings = self._settings
        if settings.ssl == "no":
            raise ConfigurationFault("ssl", "SSL is disabled (ssl=no)")
        return context_of((settings.ssl_cert, settings.ssl_key), settings, [])


def _address(client: socket.socket) -> str:
    """Of the client; empty at a Unix socket."""
    if client.family == socket.AF_UNIX:
        return ""
    try:
        host: str = client.getpeername()[0]
    except OSError:
        return "unknown"
    return host.removeprefix("::ffff:")


def main(startup: Startup) -> None:
    """Entry of the role."""
    last_seconds.begin_with_parents_end(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    log = open_log(startup)
    try:
        configuration = read_configuration(MailboxSettings.decode(startup.settings).configuration)
    except ConfigurationFault as fault:
        refuse(startup, log, str(fault))
    DoveadmServer(startup, configuration, log).serve()
