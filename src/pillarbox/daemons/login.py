"""The login role: IMAP and POP3 clients before they are logged in, and TLS for as long as they stay.

DESCRIPTION
    The role opens no file and knows no user.  A client that logged in goes to the spawner with a ticket: in clear
    text its socket goes along; under TLS the role keeps the TLS session and relays.

FAULTS
    No auth server, or no spawner: the client is told to come back later.
"""

import asyncio
import functools
import os
import socket
import ssl
from collections.abc import Iterable
from typing import Final

import msgspec

from pillarbox.auth.client import AuthClient
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.daemons.login_authenticator import LoginAuthenticator
from pillarbox.daemons.login_facts import LoginFacts
from pillarbox.daemons.login_peer import LoginPeer, session_id
from pillarbox.daemons.login_tls import ClientCertificate, tls_contexts
from pillarbox.daemons.proxies import as_dovecot
from pillarbox.daemons.startup import Control, Serve, run_role, serve_until_ordered
from pillarbox.net.channel import ChannelClosed
from pillarbox.net.connection import Connection, IdleTimeout
from pillarbox.net.handover import Handover, HandoverDone, Peer
from pillarbox.net.listeners import Listener
from pillarbox.net.proxied import NoHeader, receive_header
from pillarbox.net.question_channel import QuestionChannel
from pillarbox.net.startup import Startup
from pillarbox.net.system_clock import SystemClock
from pillarbox.net.tls_faults import TlsFault
from pillarbox.observability.events import ClientIdentified, EventSink, LoggedIn, LoginEnded, MailboxNotice
from pillarbox.sessions.imap.login_session import ImapLoginSession
from pillarbox.sessions.mailbox_login import Attempts, HandOver, LoginPolicy, NotLoggedIn
from pillarbox.sessions.pop3_login_session import Pop3LoginSession
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.vocabulary.ip_addresses import Network, is_within, network
from pillarbox.wire.proxy_protocol import ProxyHeader

_TOO_MANY: Final = "Maximum number of connections from user+IP exceeded (mail_max_userip_connections={})"
_FAILURE: Final = (
    *(b"UNAVAILABLE", b"SYS/TEMP"),
    b"Internal login failure. Refer to server log for more information.",
)


class SpawnerClient:
    """Hands sessions to the spawner and hears what became of them."""

    def __init__(self, path: str, tasks: asyncio.TaskGroup) -> None:
        self._spawner = QuestionChannel(path, HandoverDone, tasks=tasks)

    async def hand_over(
        self, handover: HandOver, peer: Peer, *, unread: bytes, descriptor: int
    ) -> HandoverDone:
        """The spawner's answer; the descriptor stays the caller's."""
        ticket = handover.ticket

        def frame(number: int) -> Handover:
            return Handover(
                number,
                peer,
                ticket.request_id,
                ticket.client_pid,
                ticket.cookie,
                handover.tag,
                handover.unread + unread,
                handover.asked_capabilities,
            )

        try:
            return await self._spawner.ask(frame, [descriptor])
        except (OSError, ChannelClosed):
            return HandoverDone(0, refusal="the spawner does not answer")

    def connect(self) -> None:
        """Open the channel now, if the spawner is there."""
        self._spawner.connect()

    def close(self) -> None:
        """Close the channel."""
        self._spawner.close()


class LoginRole:
    """All clients of the process."""

    def __init__(
        self,
        settings: MailboxSettings,
        *,
        contexts: dict[tuple[str, str], ssl.SSLContext],
        tell: EventSink,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._settings = settings
        self._contexts = contexts
        self._rules = settings.connection_rules()
        self._tell = tell
        self._tasks = tasks
        self._clock = SystemClock()
        self._auth = AuthClient(f"{settings.base_dir}/auth-login", tasks=tasks)
        self._spawner = SpawnerClient(f"{settings.base_dir}/spawner", tasks)
        self._trusted = _networks("login_trusted_networks", settings.login_trusted_networks)
        self._proxies = _networks("haproxy_trusted_networks", settings.haproxy_trusted_networks)
        self._waiting: dict[ImapLoginSession | Pop3LoginSession, None] = {}  # the oldest first
        self._logging_in = 0
        self._closing = False
        self._sockets = {name: socket for name, (socket, _) in settings.listener_names().items()}

    async def start(self) -> None:
        """Connect to this generation's auth server and spawner, which know of each other's logins."""
        await self._auth.connect()
        self._spawner.connect()

    def close(self) -> None:
        """Let the auth server and the spawner go."""
        self._auth.close()
        self._spawner.close()

    def close_soon(self) -> None:
        """Close when the last client has logged in: those who then are served need neither."""
        self._closing = True
        if not self._logging_in:
            self.close()

    async def serve(self, connection: Connection, name: str) -> None:
        """One client, from its greeting until it is handed over or gone."""
        self._logging_in += 1
        try:
            relayed = await self._log_in(connection, name)
        finally:
            self._logging_in -= 1
            if self._closing and not self._logging_in:
                self.close()
        if relayed is not None:
            await self._relay(connection, relayed)

    async def _log_in(self, connection: Connection, name: str) -> socket.socket | None:
        """The end of a pair that the TLS session is to be relayed to, if there is one."""
        service = self._sockets[name].service
        (remote, port), local = connection.peer_address, connection.local_address[0]
        if not remote:
            connection.abort()
            return None
        facts = LoginFacts(self._settings.log_lines, connection, self._sockets[name].name)
        is_secured = self._is_secured(remote, local)
        if self._sockets[name].is_proxied:
            header = await self._proxied(connection, service, remote)
            if header is None:
                connection.abort()
                return None
            if header.client is not None and header.server is not None:
                (remote, port), local = header.client, header.server[0]
                facts.come_through_proxy(header)
            is_secured = header.has_tls or self._is_trusted(remote)
        client = LoginPeer(
            Peer(service, remote, local, session_id(self._clock.now(), port, remote), False), facts
        )
        attempts = Attempts(self._clock, missing=ClientCertificate(self._settings, connection).missing)
        outcome: HandOver | NotLoggedIn
        try:
            if self._sockets[name].tls:
                await self._begin_tls(connection, client.peer)
            outcome = await self._converse(connection, client, facts, is_secured=is_secured)
        except TlsFault as fault:
            connection.abort()
            outcome = attempts.ended_by_tls(fault)
        except IdleTimeout:
            connection.abort()
            outcome = attempts.ended("Inactivity")
        security = _security(connection, is_secured=is_secured)
        peer = client.peer
        if isinstance(outcome, NotLoggedIn):
            ended = (outcome.reason, outcome.user, outcome.method, peer.remote, peer.local)
            where = (outcome.tls or security, peer.session, facts.now())
            self._tell(LoginEnded(service, *ended, *where))
            return None
        peer = msgspec.structs.replace(peer, secured=bool(security))
        return await self._hand_over(connection, outcome, peer, security, facts)

    def _setting(self, name: str, peer: Peer) -> str:
        return self._rules.value(name, protocol=peer.service, local=peer.local, remote=peer.remote)

    def _context(self, peer: Peer) -> ssl.SSLContext | None:
        """With the certificate for a client that names no host; None if TLS is not for this client."""
        if self._setting("ssl", peer) == "no":
            return None
        pair = self._rules.certificate(protocol=peer.service, local=peer.local, remote=peer.remote)
        return self._contexts.get(pair)

    async def _begin_tls(self, connection: Connection, peer: Peer) -> None:
        context = self._context(peer)
        if context is None:
            raise TlsFault("no certificate is configured")
        await connection.start_tls(context)

    async def _proxied(self, connection: Connection, service: str, proxy: str) -> ProxyHeader | None:
        """What a proxy says of its client; None, and a line in the log, if nobody can be served."""
        if not any(is_within(proxy, block) for block in self._proxies):
            self._tell(
                MailboxNotice(f"{service}-login", "Error", f"haproxy: Client not trusted (rip={proxy})")
            )
            return None
        try:
            return await receive_header(connection, seconds=self._settings.haproxy_timeout)
        except NoHeader as trouble:
            self._tell(MailboxNotice(f"{service}-login", "Error", as_dovecot(trouble, proxy)))
            return None

    async def _converse(
        self, connection: Connection, client: LoginPeer, facts: LoginFacts, *, is_secured: bool
    ) -> HandOver | NotLoggedIn:
        peer = client.peer
        is_trusted = self._is_trusted(peer.remote)
        kind = ImapLoginSession if peer.service == "imap" else Pop3LoginSession
        await self._auth.connect()
        certificate = ClientCertificate(self._settings, connection)
        session = kind(
            connection,
            LoginAuthenticator(
                *(self._auth, client, certificate, self._tell),
                trusted=is_trusted,
                facts=facts,
                clock=self._clock,
            ),
            clock=self._clock,
            policy=LoginPolicy(
                greeting=self._setting("login_greeting", peer).encode(),
                cleartext_allowed=self._setting("disable_plaintext_auth", peer) == "no",
                server_id=self._settings.imap_id_send,
                literal_minus=self._settings.imap_literal_minus,
                id_log=self._settings.imap_id_log,
                capability=self._settings.imap_capability,
                timestamp=self._auth.timestamp(self._clock.now(), os.uname().nodename),
            ),
            secured=connection.tls is not None or is_secured,
            tls_context=None if connection.tls is not None else self._context(peer),
            missing=certificate.missing,
            believe=client.believe if is_trusted else None,
        )
        self._waiting[session] = None
        if len(self._waiting) > self._settings.login_client_limit:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.make_room()
        try:
            return await session.run()
        finally:
            self._waiting.pop(session, None)
            if isinstance(session, ImapLoginSession) and session.identity:
                security = _security(connection, is_secured=is_secured)
                peer = client.peer
                where = (peer.remote, peer.local, security, peer.session, facts.now())
                self._tell(ClientIdentified(session.identity, *where))

    def _is_secured(self, remote: str, local: str) -> bool:
        """Nobody can listen on a connection within the host (Dovecot's rule), or in a trusted network."""
        return remote == local or self._is_trusted(remote)

    def _is_trusted(self, remote: str) -> bool:
        return any(is_within(remote, block) for block in self._trusted)

    async def _hand_over(
        self, connection: Connection, handover: HandOver, peer: Peer, security: str, facts: LoginFacts
    ) -> socket.socket | None:
        relayed = connection.tls is not None
        if relayed:
            ours, theirs = socket.socketpair()
            descriptor, unread = theirs.detach(), b""
        else:
            ours = None
            descriptor, unread = connection.detach()
        try:
            done = await self._spawner.hand_over(handover, peer, unread=unread, descriptor=descriptor)
            if done.refusal:
                self._tell(
                    MailboxNotice(
                        f"{peer.service}-login",
                        "Error",
                        f"Internal login failure: {done.refusal} (user=<{handover.ticket.user}>, "
                        f"rip={peer.remote}, lip={peer.local}, session=<{peer.session}>)",
                    )
                )
                self._answer(connection if relayed else None, descriptor, _refusal(handover.tag, *_FAILURE))
                return None
            if done.limit:
                text = _TOO_MANY.format(done.limit)
                who = (handover.ticket.user, handover.method, peer.remote, peer.local)
                self._tell(LoginEnded(peer.service, text, *who, security, peer.session, facts.now()))
                line = _refusal(handover.tag, b"LIMIT", b"IN-USE", text.encode("ascii"))
                self._answer(connection if relayed else None, descriptor, line)
                return None
        finally:
            os.close(descriptor)
        self._tell(
            LoggedIn(
                peer.service,
                handover.ticket.user,
                handover.method,
                peer.remote,
                peer.local,
                done.worker,
                security,
                peer.session,
                facts.now() | handover.ticket.facts,
            )
        )
        return ours

    def _answer(self, connection: Connection | None, descriptor: int, line: bytes) -> None:
        """The login was right, and nothing is done with it."""
        if connection is not None:
            connection.send(line)
            connection.close()
            return
        with socket.socket(fileno=os.dup(descriptor)) as client:
            client.setblocking(False)
            try:
                client.send(line)
            except OSError:
                return

    async def _relay(self, client: Connection, sock: socket.socket) -> None:
        """Clear text between the worker and the client's TLS session, until either is gone."""
        loop = asyncio.get_running_loop()
        sock.setblocking(False)
        _, worker = await loop.create_unix_connection(Connection, sock=sock)
        client.idle_limit = 0
        client.forward_to(worker)
        worker.forward_to(client)
        async with asyncio.TaskGroup() as ends:
            down = ends.create_task(worker.until_end())
            up = ends.create_task(client.until_end())
            await asyncio.wait((down, up), return_when=asyncio.FIRST_COMPLETED)
            # What the worker said last must reach the client; what the client says then reaches nobody.
            up.cancel()
            down.cancel()
        client.close()
        worker.close()


def _networks(name: str, texts: Iterable[str]) -> list[Network]:
    """The networks of a setting.  ConfigurationFault."""
    found: list[Network] = []
    for text in texts:
        try:
            found.append(network(text))
        except ValueError:
            raise ConfigurationFault(name, f"Invalid network '{text}'", mend="write 192.0.2.0/24") from None
    return found


def _security(connection: Connection, *, is_secured: bool) -> str:
    """As the log tells it."""
    return "TLS" if connection.tls else "secured" if is_secured else ""


def _refusal(tag: bytes, imap_code: bytes, pop3_code: bytes, text: bytes) -> bytes:
    """The line of either protocol; `tag` is empty for POP3."""
    return b"%b NO [%b] %b\r\n" % (tag, imap_code, text) if tag else b"-ERR [%b] %b\r\n" % (pop3_code, text)


def open_role(startup: Startup) -> Serve:
    """The certificates and the sockets."""
    settings = MailboxSettings.decode(startup.settings)
    warnings: list[str] = []
    for name in ("login_trusted_networks", "haproxy_trusted_networks"):
        _networks(name, getattr(settings, name))
    lacks: dict[str, str] = {}
    contexts = tls_contexts(settings, warnings, lacks)
    sockets = {name: socket.socket(fileno=descriptor) for name, descriptor in startup.listeners.items()}

    async def serve(control: Control, tell: EventSink) -> None:
        for warning in dict.fromkeys(warnings):
            tell(MailboxNotice("master", "Warning", warning))
        async with asyncio.TaskGroup() as tasks:
            role = LoginRole(settings, contexts=contexts, tell=tell, tasks=tasks)
            await role.start()
            listeners: list[Listener] = []
            for name, sock in sockets.items():
                listener = Listener(functools.partial(role.serve, name=name), tasks=tasks, tell=tell)
                await listener.start(sock)
                listeners.append(listener)
            await serve_until_ordered(control, listeners, lacks=lacks, draining=role.close_soon)
            role.close()

    return serve


def main(startup: Startup) -> None:
    """Entry of the role."""
    run_role(open_role, startup)
