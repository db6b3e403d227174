"""An SMTP session with a client that reads from a script, a real queue, and its log."""

import asyncio
import ssl
from collections.abc import Callable, Collection, Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path

from fakes.immediate_fsyncs import ImmediateFsyncs
from fakes.scripted_authenticator import ScriptedAuthenticator
from fakes.scripted_transport import ScriptedTransport
from fakes.zones import ZoneResolver, Zones
from pillarbox.access.client import ClientFacts
from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.snapshot import Snapshot
from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.files.fsync_batch import Fsyncs, background_fsyncs
from pillarbox.net.connection import IdleTimeout
from pillarbox.net.dns.host_lookup import HOSTS, HostLookup
from pillarbox.net.tls_faults import TlsFault
from pillarbox.observability.events import Event, Warned
from pillarbox.observability.log_lines import render
from pillarbox.queue.content_lines import read_content
from pillarbox.queue.incoming import IncomingQueue
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_file import QueueMessage, read_message
from pillarbox.queue.records import BytesSource
from pillarbox.routing.configured_routes import configured_routes
from pillarbox.routing.resolution import Resolver
from pillarbox.sessions.smtp.policy import configured_policy
from pillarbox.sessions.smtp.session import SmtpSession
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import QueueId

SETTINGS = {
    "compatibility_level": "3.9",
    "myhostname": "mx.test",
    "mydomain": "test",
    "mydestination": "mx.test",
    "local_recipient_maps": "inline:{ root=x }",
    "virtual_mailbox_domains": "box.test",
    "virtual_mailbox_maps": "inline:{ me@box.test=me, you@box.test=you }",
    "virtual_alias_domains": "alias.test",
    "virtual_alias_maps": "inline:{ info@box.test=me@box.test, { all@alias.test=me@box.test, you@box.test }, "
    "loop@alias.test=loop2@alias.test, loop2@alias.test=loop@alias.test }",
    "mynetworks": "127.0.0.0/8",
    "smtpd_sasl_auth_enable": "yes",
    "smtpd_sasl_type": "dovecot",
    "smtpd_error_sleep_time": "0",
}
CLIENT = "client.test[192.0.2.7]"


class Transport(ScriptedTransport):
    """A scripted client that TLS can be put on, and that may fall silent."""

    idle_limit = 300.0
    is_full = False
    tls: ssl.SSLObject | None = None
    local_address = ("192.0.2.1", 25)

    def __init__(
        self,
        chunks: Iterable[bytes],
        *,
        tls_fails: bool = False,
        silent: bool = False,
        early: bool = False,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """`before` is called before each chunk; the first of an early client is there before it is greeted."""
        super().__init__(chunks)
        self.has_input = early
        self._before = before
        self._tls_fails = tls_fails
        self._silent = silent

    async def receive(self) -> bytes:
        """The next chunk; a silent client ends with the timeout."""
        self._before()
        self.has_input = False
        data = await super().receive()
        if not data and self._silent:
            raise IdleTimeout
        return data

    async def gather(self, octets: int, mark: bytes = b"") -> bytes:
        """Whatever comes next: a client may fall silent at any place."""
        return await self.receive()

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """The handshake."""
        if self._tls_fails:
            raise TlsFault("TLS handshake failed", "error:0A0000C1:SSL routines::no shared cipher")


class Conversation:
    """What came of it."""

    def __init__(self, said: bytes, lines: list[str], queued: list[QueueId], root: Path) -> None:
        self.said = said
        self.lines = lines
        self.queued = queued
        self.incoming = sorted(path.name for path in (root / "incoming").iterdir())
        self._root = root

    @property
    def replies(self) -> list[str]:
        """Its lines, without the greeting."""
        return self.said.decode().split("\r\n")[1:-1]

    def message(self) -> tuple[QueueMessage, list[bytes]]:
        """The one message in the queue: envelope and content."""
        (queue_id,) = self.queued
        source = BytesSource((self._root / "incoming" / queue_id).read_bytes())
        message = read_message(source)
        return message, list(read_content(source, message.data_offset))


def converse(
    root: Path,
    chunks: bytes | Iterable[bytes],
    *,
    settings: Mapping[str, str] | None = None,
    address: str = "192.0.2.7",
    tls: bool = False,
    tls_fails: bool = False,
    silent: bool = False,
    early: bool = False,
    file_system: FileSystem = DISK,
    zones: Zones | None = None,
    failing: Collection[str] = (),
    name: str = "client.test",
    pause: float = 0.0,
    hosts: str = HOSTS,
) -> Conversation:
    """Serve a client that sends these chunks, one for each time that it is listened to, after a pause (seconds)."""
    level = {"smtpd_tls_security_level": "may"} if tls else {}
    values = {**SETTINGS, "queue_directory": str(root), **level, **(settings or {})}
    snapshot = Snapshot.of(values, facts=HostFacts(hostname="mx.test"))
    clock = ManualClock()
    directories = QueueDirectories(str(root))
    root.mkdir(exist_ok=True)
    directories.create()
    resolver = Resolver(configured_routes(snapshot, clock=clock), rewrites=True)
    policy = configured_policy(snapshot, cleanup=snapshot, service="smtp", resolver=resolver, clock=clock)
    events: list[Event] = []
    resolver.warn = lambda text: events.append(Warned(text, "trivial-rewrite"))
    queued: list[QueueId] = []
    transport = Transport(
        [chunks] if isinstance(chunks, bytes) else chunks,
        tls_fails=tls_fails,
        silent=silent,
        early=early,
        before=lambda: clock.advance(pause),
    )
    peer = ip_address(address)

    def fsyncs() -> Fsyncs:
        return background_fsyncs() if file_system is DISK else ImmediateFsyncs(file_system)

    async def serve() -> None:
        queue = IncomingQueue(directories, clock=clock, file_system=file_system, fsyncs=fsyncs)
        try:
            await SmtpSession(
                transport,
                ClientFacts(
                    address=peer,
                    port=4321,
                    name=name,
                    reverse_name=name,
                    is_mynetworks=policy.identity.mynetworks.contains(peer),
                ),
                policy=policy,
                queue=queue,
                resolver=resolver,
                dns=(dns := ZoneResolver(zones or {}, failing=failing)),
                hosts=HostLookup(dns, clock=clock, methods=("native",), hosts_path=hosts),
                clock=clock,
                tell=events.append,
                queued=queued.append,
                authenticator=ScriptedAuthenticator(),
                tls_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None,
            ).run()
        finally:
            queue.close()

    asyncio.run(serve())
    assert transport.closed
    lines = [rendered[1] for rendered in map(render, events) if rendered is not None]
    return Conversation(bytes(transport.sent), lines, queued, root)
