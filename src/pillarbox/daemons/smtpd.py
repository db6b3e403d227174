"""The smtpd role: SMTP and submission services, from the connection to the queue file.

DESCRIPTION
    Each service of master.cf whose program is smtpd has a listener and settings of its own (`-o`).  One
    process serves all of them, with thousands of sessions.

FAULTS
    A mistake in the configuration ends the role before it serves, with the place and the mend.
"""

import asyncio
import socket
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from pillarbox.access.client import ClientFacts
from pillarbox.access.client_peaks import ClientPeaks
from pillarbox.access.client_rates import ClientRate, ClientRates
from pillarbox.auth.client import AuthClient
from pillarbox.auth.cyrus import CyrusLogins, CyrusSettings
from pillarbox.auth.logins import LoginChecker
from pillarbox.bounce.submission import Notifier
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.snapshot import Snapshot
from pillarbox.daemons.client_statistics import ClientStatistics
from pillarbox.daemons.proxies import as_postfix
from pillarbox.daemons.queue_hints import QueueHints
from pillarbox.daemons.smtpd_services import Service, open_services
from pillarbox.daemons.startup import (
    Control,
    Serve,
    resolver_options,
    role_clock,
    run_role,
    serve_until_ordered,
)
from pillarbox.net.client_names import UNKNOWN, ClientName, ClientNames
from pillarbox.net.connection import Connection
from pillarbox.net.dns.host_files import ResolverOptions
from pillarbox.net.dns.host_lookup import HostLookup
from pillarbox.net.dns.records import Resolver as DnsResolver
from pillarbox.net.dns.stub_resolver import StubResolver
from pillarbox.net.listeners import Listener
from pillarbox.net.proxied import NoHeader, receive_header
from pillarbox.net.startup import Startup, cleanup_of
from pillarbox.observability.events import ClientConnected, ClientDisconnected, Warned
from pillarbox.observability.log_file import LogFile
from pillarbox.queue.incoming import IncomingQueue, sweep
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.sessions.smtp.authentication import SmtpAuthenticator
from pillarbox.sessions.smtp.policy import SmtpPolicy
from pillarbox.sessions.smtp.session import SmtpSession
from pillarbox.sessions.smtp.session_reports import SessionReports
from pillarbox.sessions.smtp.trouble import ReportTo
from pillarbox.tables.dns_filter import FilteredResolver
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.reply import Reply

_AUTH_GREETING_SECONDS: Final = 2.0


class SmtpdRole:
    """All services of the process."""

    def __init__(
        self,
        services: list[Service],
        directories: QueueDirectories,
        *,
        snapshot: Snapshot,
        long_ids: bool,
        clock: Clock,
        name_servers: ResolverOptions | None,
        syslog_name: str,
        log: LogFile,
    ) -> None:
        """`snapshot` is what main.cf says, for the process as a whole.

        `name_servers` instead of those of the host; `syslog_name` is master(8)'s."""
        self._syslog_name = syslog_name
        self._services = services
        self._clock = clock
        self._queue = IncomingQueue(
            directories,
            clock=self._clock,
            long_ids=long_ids,
            may_wait=lambda: self._connections == 1,
        )
        self._hints = QueueHints(f"{directories.root}/private/pillarbox-qmgr", self._queue)
        self._log = log
        self._dns = StubResolver(clock=clock, options=name_servers)
        self._hosts = HostLookup(self._dns, clock=clock, methods=("native",))
        self._names = ClientNames(clock, resolver=self._dns if name_servers else None)
        peaks = ClientPeaks(clock)
        self._rates = ClientRates(clock, peaks)
        self._statistics = ClientStatistics(peaks, snapshot, log.named(syslog_name))
        self._connections = 0
        self._auth: dict[str | CyrusSettings, LoginChecker] = {}
        self._resolvers: dict[str, FilteredResolver] = {}
        self._reporters: dict[str, SessionReports] = {}

    async def run(self, control: Control) -> None:
        """Serve until told to stop."""
        async with asyncio.TaskGroup() as tasks:
            taking = tasks.create_task(self._hints.take_files())
            listeners = [await self._listen(service, tasks) for service in self._services]
            for note in dict.fromkeys(note for service in self._services for note in service.policy.notes):
                self._log.named(self._services[0].syslog_name)(Warned(note))
            lacks = {service.name: service.tls_fault for service in self._services if service.tls_fault}
            await serve_until_ordered(control, listeners, lacks=lacks, draining=self._statistics.report)
            for auth in self._auth.values():
                auth.close()
            taking.cancel()
        await self._hints.close()
        self._queue.close()

    async def _listen(self, service: Service, tasks: asyncio.TaskGroup) -> Listener:
        async def serve(connection: Connection) -> None:
            self._connections += 1
            try:
                if service.load is None:
                    await self._serve(connection, service)
                    return
                # Who comes too early waits for the greeting, as before a busy master(8).
                async with service.load as load:
                    strained = service.under_stress if load.is_under_stress else None
                    await self._serve(connection, strained or service)
            finally:
                self._connections -= 1

        if service.load is not None:
            service.load.tell = self._log.named(self._syslog_name, "master")
        if service.policy.sasl.smtpd_sasl_auth_enable and service.logins not in self._auth:
            self._auth[service.logins] = (
                AuthClient(service.logins, tasks=tasks)
                if isinstance(service.logins, str)
                else CyrusLogins(service.logins, warn=self._warn_of(service))
            )
        listener = Listener(serve, tasks=tasks, tell=self._log.named(service.syslog_name))
        await listener.start(service.sock)
        return listener

    def _warn_of(self, service: Service) -> Callable[[str], None]:
        tell = self._log.named(service.syslog_name)
        return lambda text: tell(Warned(text))

    async def _serve(self, connection: Connection, service: Service) -> None:
        policy = service.policy
        peer, local = connection.peer_address, connection.local_address
        if not peer[0]:  # gone before we looked
            connection.abort()
            return
        connection.idle_limit = policy.server.smtpd_timeout
        if policy.server.smtpd_upstream_proxy_protocol:
            try:
                peer, local = await _proxied_addresses(connection, policy, peer, local)
            except NoHeader as trouble:
                await self._refuse_proxy(connection, service, trouble)
                return
        client = await self._client_facts(service, peer, local)
        rate = self._rates.of(client.address, policy.rates)
        if not policy.rates.is_counted or policy.is_exempt_from_limits(client):
            await self._serve_client(connection, client, service, rate)
            return
        with self._statistics.client():
            warning = rate.connect(client.label)
            try:
                if warning:
                    self._refuse(connection, client, service, warning)
                else:
                    await self._serve_client(connection, client, service, rate)
            finally:
                rate.disconnect()

    async def _serve_client(
        self, connection: Connection, client: ClientFacts, service: Service, rate: ClientRate
    ) -> None:
        await self._know_mechanisms(service)
        await self._session(connection, client, service, rate).run()

    def _refuse(self, connection: Connection, client: ClientFacts, service: Service, warning: str) -> None:
        """A client that has too many connections, or comes too often."""
        tell = self._log.named(service.syslog_name)
        tell(ClientConnected(client.label))
        tell(Warned(warning))
        tell(ClientDisconnected(client.label, ()))
        address = client.address_text.encode()
        refusal = b"4.7.0 %s Error: too many connections from %s" % (service.policy.host, address)
        connection.send(Reply(421, (refusal,)).encode())
        connection.close()

    async def _client_facts(
        self, service: Service, peer: tuple[str, int], local: tuple[str, int]
    ) -> ClientFacts:
        """Who is at `peer`, an address and a port, and has connected to `local`."""
        policy = service.policy
        address, text = _client_address(peer[0])
        found = ClientName(UNKNOWN, UNKNOWN)
        if policy.server.smtpd_peername_lookup:
            found = await self._names.lookup(peer[0])
            if found.warning:
                self._log.named(service.syslog_name)(Warned(found.warning))
        client = ClientFacts(
            address=address,
            port=peer[1],
            shows_port=policy.server.smtpd_client_port_logging,
            name=found.verified,
            reverse_name=found.reverse,
            may_get_name=found.may_change,
            may_get_reverse_name=found.may_change and found.reverse == UNKNOWN,
            server_address=local[0],
            server_port=local[1],
            address_text=text,
        )
        policy.know_networks(client)
        return client

    async def _refuse_proxy(self, connection: Connection, service: Service, trouble: NoHeader) -> None:
        """Nobody is known to speak with: without that a stranger would have the proxy's rights."""
        tell = self._log.named(service.syslog_name)
        tell(Warned(as_postfix(trouble)))
        proxy = await self._client_facts(service, connection.peer_address, connection.local_address)
        tell(ClientConnected(proxy.label))
        tell(ClientDisconnected(proxy.label, ()))
        connection.send(Reply(421, (b"4.3.0 %s Server local error" % service.policy.host,)).encode())
        connection.close()

    async def _know_mechanisms(self, service: Service) -> None:
        """EHLO shows what the authentication server has, so it has to have been asked."""
        auth = self._auth.get(service.logins)
        if auth is None or auth.mechanisms:
            return
        try:
            async with asyncio.timeout(_AUTH_GREETING_SECONDS):
                await auth.connect()
        except TimeoutError:
            pass  # nothing is offered to this client

    def _session(
        self, connection: Connection, client: ClientFacts, service: Service, rate: ClientRate | None
    ) -> SmtpSession:
        auth = self._auth.get(service.logins)
        log = self._log.named(service.syslog_name, of_cleanup=service.cleanup_syslog_name)
        service.resolver.warn = lambda text: log(Warned(text, "trivial-rewrite"))
        return SmtpSession(
            connection,
            client,
            policy=service.policy,
            queue=self._queue,
            resolver=service.resolver,
            dns=self._resolver(service),
            hosts=self._hosts,
            clock=self._clock,
            tell=log,
            queued=self._hints,
            authenticator=SmtpAuthenticator(
                auth,
                service=service.policy.sasl.smtpd_sasl_service,
                local=connection.local_address[0],
                remote=client.address_text,
            )
            if auth
            else None,
            tls_context=service.tls_context,
            rate=rate,
            report=self._reporter(service),
            take_time=self._hints.take_time,
        )

    def _resolver(self, service: Service) -> DnsResolver:
        """What restrictions ask: the DNS, without what smtpd_dns_reply_filter takes out."""
        if not service.dns_filter:
            return self._dns
        known = self._resolvers.get(service.name)
        if known is None:
            known = self._resolvers[service.name] = FilteredResolver(
                self._dns, service.dns_filter, parameter="smtpd_dns_reply_filter"
            )
            known.tell = self._log.named(service.syslog_name)
        return known

    def _reporter(self, service: Service) -> ReportTo | None:
        """Who tells postmaster of the service's sessions (notify_classes); None: nobody."""
        policy = service.policy
        if not policy.notify_classes:
            return None
        known = self._reporters.get(service.name)
        if known is None:
            known = self._reporters[service.name] = SessionReports(
                Notifier(
                    self._queue,
                    rules=service.bounces,
                    submission=policy.rules,
                    mappings=policy.mappings,
                    clock=self._clock,
                    tell=self._log.named(service.syslog_name, of_cleanup=service.cleanup_syslog_name),
                ),
                mail_name=policy.identity.mail_name,
                queued=self._hints,
                tell=self._log.named(service.syslog_name),
            )
        return known.report


def open_role(startup: Startup) -> Serve:
    """Settings, tables, certificates and sockets of all services."""
    clock = role_clock(startup)
    warnings: list[str] = []
    snapshots = {
        name: Snapshot.decode(startup.snapshots[name])
        for name in startup.snapshots
        if name in startup.listeners
    }
    cleanups = {name: Snapshot.decode(startup.snapshots[cleanup_of(name)]) for name in snapshots}
    sockets = {name: socket.socket(fileno=startup.listeners[name]) for name in snapshots}
    rewrite = Snapshot.decode(startup.snapshots["rewrite"])
    services = open_services(snapshots, cleanups, sockets, rewrite=rewrite, warnings=warnings, clock=clock)
    snapshot = next(iter(snapshots.values()))
    settings = snapshot.group(QueueManager)
    directories = QueueDirectories(
        snapshot.value("queue_directory"), hashed=settings.hash_queue_names, depth=settings.hash_queue_depth
    )

    async def serve(control: Control, log: LogFile) -> None:
        for warning in dict.fromkeys(warnings):
            log(Warned(warning))
        sweep(directories)
        role = SmtpdRole(
            services,
            directories,
            snapshot=snapshot,
            long_ids=settings.enable_long_queue_ids,
            clock=clock,
            name_servers=resolver_options(startup),
            syslog_name=startup.syslog_name,
            log=log,
        )
        await role.run(control)

    return serve


@lru_cache(maxsize=1024)
def _client_address(text: str) -> tuple[IPv4Address | IPv6Address, str]:
    """A client's address and its text, which busy clients bring with each connection."""
    address = ip_address(text)
    return address, str(address)


async def _proxied_addresses(
    connection: Connection, policy: SmtpPolicy, proxy: tuple[str, int], local: tuple[str, int]
) -> tuple[tuple[str, int], tuple[str, int]]:
    """The client's address and the server's, as the proxy says.  NoHeader, also for a client it does not know."""
    header = await receive_header(connection, seconds=policy.server.smtpd_upstream_proxy_timeout)
    if header.client is not None and header.server is not None:
        return header.client, header.server
    if header.is_local:
        return proxy, local
    raise NoHeader(b"PROXY UNKNOWN")


def main(startup: Startup) -> None:
    """Entry of the role."""
    run_role(open_role, startup)
