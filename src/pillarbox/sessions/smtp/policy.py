"""What main.cf and the service's `-o` options say of SMTP sessions, read once at start.

FAULTS
    ConfigurationFault  a value or restriction that cannot be served
"""

import os
from typing import Final

import msgspec

from pillarbox.access.client import ClientFacts
from pillarbox.access.client_rates import Event, RateLimits
from pillarbox.access.configured_lists import configured_access
from pillarbox.access.decisions import AccessLists
from pillarbox.access.question import Codes
from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.content_filter import BeforeQueueFilter
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.parameters.require_tls import RequireTls
from pillarbox.config.parameters.smtp_server import SmtpServer as SmtpServerSettings
from pillarbox.config.parameters.smtp_server_sasl import SmtpServerSasl
from pillarbox.config.parameters.smtp_server_tls import SmtpServerTls
from pillarbox.config.parameters.virtual_delivery import VirtualDelivery
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import unescaped
from pillarbox.filters.configured_checks import configured_content_tables
from pillarbox.filters.content_checks import ContentTables
from pillarbox.queue.configured_rules import configured_rules
from pillarbox.queue.receive_options import ReceiveOptions, configured_receive_options
from pillarbox.queue.submission import Rules
from pillarbox.routing.address_lookup import find_first
from pillarbox.routing.configured_mappings import configured_mappings
from pillarbox.routing.configured_routes import fast_flush_domains
from pillarbox.routing.domain_lists import DomainList
from pillarbox.routing.mappings import Mappings
from pillarbox.routing.resolution import Resolver
from pillarbox.routing.rewriting import AddressRewriting, remote_rewriting
from pillarbox.sessions.smtp.before_queue_filter import FilterSettings
from pillarbox.sessions.smtp.command_filter import CommandFilter
from pillarbox.sessions.smtp.local_clients import LocalClients, configured_local_clients
from pillarbox.sessions.smtp.mechanisms import MechanismFilter, mechanism_filter
from pillarbox.sessions.smtp.reject_footer import RejectFooter
from pillarbox.sessions.smtp.trouble import CLASSES
from pillarbox.tables.debugged_peers import DebuggedPeers, debugged_peers
from pillarbox.tables.ehlo_keywords import KeywordPolicy
from pillarbox.tables.networks import with_networks
from pillarbox.tables.opening import is_asked_in_utf8, open_tables
from pillarbox.tables.server_address import endpoint
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.clock import Clock
from pillarbox.wire.smtp.command_grammar import is_header
from pillarbox.wire.smtp.dot_stream import BareNewline

UNSERVED_LEVELS: Final = ("fingerprint", "verify", "secure")
"""Of smtpd_tls_security_level: whether a client is who it says is a question of access, not of TLS."""


class SmtpPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One service's rules for its sessions."""

    service: str
    identity: Identity
    server: SmtpServerSettings
    sasl: SmtpServerSasl
    tls: SmtpServerTls
    virtual: VirtualDelivery
    codes: Codes
    rules: Rules
    soft_bounce: bool
    verp_delimiters: bytes  # default_verp_delimiters
    verp_filter: bytes  # verp_delimiter_filter
    lists: AccessLists
    mechanisms: MechanismFilter
    rates: RateLimits
    notes: tuple[str, ...]  # for the log, at start
    bare_newline: BareNewline
    requires_tls: RequireTls
    footer: RejectFooter
    keywords: KeywordPolicy
    command_filter: CommandFilter
    forbidden_commands: frozenset[bytes]
    noop_commands: frozenset[bytes]  # in lower case
    forbidden_tables: tuple[LookupTable, ...]  # of first words of such commands
    content_tables: ContentTables
    rewriting: AddressRewriting  # of envelopes, and of headers of local clients
    remote_rewriting: AddressRewriting | None  # of headers of other clients (remote_header_rewrite_domain)
    always_add_missing_headers: bool
    local_clients: LocalClients
    mappings: Mappings
    notify_classes: frozenset[str]
    debugged: DebuggedPeers  # debug_peer_list
    in_flow_delay: float  # seconds
    flush_sites: DomainList  # who may say ETRN
    queue_directory: str
    receive: ReceiveOptions
    proxy_filter: FilterSettings | None

    @property
    def host(self) -> bytes:
        """myhostname as it goes on the wire."""
        return self.identity.myhostname.encode()

    @property
    def tls_level(self) -> str:
        """none, may or encrypt: smtpd_tls_security_level, or what its older spellings say."""
        tls = self.tls
        if tls.smtpd_tls_security_level in UNSERVED_LEVELS:
            return "encrypt"
        if tls.smtpd_tls_security_level:
            return tls.smtpd_tls_security_level
        if tls.smtpd_enforce_tls:
            return "encrypt"
        return "may" if tls.smtpd_use_tls else "none"

    @property
    def may_use_tls(self) -> bool:
        """Whether clients are to be offered TLS, or to begin with it."""
        return self.tls_level != "none" or self.tls.smtpd_tls_wrappermode

    @property
    def needs_tls(self) -> bool:
        """Whether TLS is mandatory."""
        return self.tls_level == "encrypt" or self.tls.smtpd_tls_wrappermode

    @property
    def needs_certificate(self) -> bool:
        """smtpd_tls_req_ccert, where TLS is mandatory."""
        return self.tls.smtpd_tls_req_ccert and self.needs_tls

    @property
    def asks_for_certificates(self) -> bool:
        """smtpd_tls_ask_ccert, or more."""
        return self.tls.smtpd_tls_ask_ccert or self.tls.smtpd_tls_req_ccert

    def is_forbidden(self, line: bytes) -> bool:
        """smtpd_forbidden_commands, for a line that is no command: a browser, or a client that does not listen."""
        word = (line.split(None, 1) or [b""])[0].upper()
        if is_header(line) or word in self.forbidden_commands:
            return True
        text = word.decode("utf-8", "surrogateescape")
        try:
            return bool(text) and find_first(self.forbidden_tables, text) is not None
        except LookupFault:
            return False  # it is refused all the same, like any other that is no command

    def is_exempt_from_limits(self, client: ClientFacts) -> bool:
        """smtpd_client_event_limit_exceptions, and whoever speaks for others by XCLIENT."""
        server, address, name = self.server, client.address, client.name
        return server.smtpd_client_event_limit_exceptions.contains(
            address, name
        ) or server.smtpd_authorized_xclient_hosts.contains(address, name)

    def know_networks(self, client: ClientFacts) -> None:
        """Whether a client with this name and address is in mynetworks."""
        client.mynetworks_trouble = ""
        try:
            client.is_mynetworks = self.identity.mynetworks.holds(client.address, client.name)
        except LookupFault as fault:
            client.is_mynetworks, client.mynetworks_trouble = False, fault.reason


def configured_policy(
    snapshot: Snapshot, *, cleanup: Snapshot, service: str, resolver: Resolver, clock: Clock
) -> SmtpPolicy:
    """The policy of a service.  ConfigurationFault names what cannot be served.

    `cleanup` are the settings of the cleanup(8) that its mail goes through.
    """

    def tables(parameter: str, names: tuple[str, ...]) -> tuple[LookupTable, ...]:
        where = snapshot.place_of(parameter)
        return open_tables(names, where=where, clock=clock, utf8=is_asked_in_utf8(parameter))

    identity = with_networks(Identity, snapshot, clock=clock)
    server = with_networks(SmtpServerSettings, snapshot, clock=clock)
    rewriting = resolver.routes.syntax.rewriting
    rules = configured_rules(cleanup)
    receive = configured_receive_options(snapshot)
    access = configured_access(snapshot, clock=clock)
    return SmtpPolicy(
        service=service,
        identity=identity,
        server=server,
        sasl=with_networks(SmtpServerSasl, snapshot, clock=clock),
        tls=snapshot.group(SmtpServerTls),
        virtual=snapshot.group(VirtualDelivery),
        codes=access.codes,
        rules=msgspec.structs.replace(
            rules, message_size_limit=_smaller(server.message_size_limit, rules.message_size_limit)
        ),
        verp_delimiters=snapshot.group(QueueManager).default_verp_delimiters.encode(),
        verp_filter=snapshot.group(QueueManager).verp_delimiter_filter.encode(),
        soft_bounce=snapshot.group(QueueManager).soft_bounce,
        lists=access.lists,
        mechanisms=_mechanisms(snapshot, clock),
        rates=_rates(server, service),
        notes=access.notes,
        bare_newline=BareNewline(
            {"yes": "normalize"}.get(server.smtpd_forbid_bare_newline, server.smtpd_forbid_bare_newline)
        ),
        requires_tls=snapshot.group(RequireTls),
        footer=RejectFooter(
            server.smtpd_reject_footer,
            tables("smtpd_reject_footer_maps", server.smtpd_reject_footer_maps),
            allowed=unescaped(server.smtpd_expansion_filter),
        ),
        keywords=KeywordPolicy(
            server.smtpd_discard_ehlo_keywords,
            tables("smtpd_discard_ehlo_keyword_address_maps", server.smtpd_discard_ehlo_keyword_address_maps),
        ),
        command_filter=CommandFilter(tables("smtpd_command_filter", server.smtpd_command_filter)),
        noop_commands=frozenset(word.lower().encode() for word in server.smtpd_noop_commands),
        forbidden_commands=frozenset(
            word.upper().encode() for word in server.smtpd_forbidden_commands if ":" not in word
        ),
        forbidden_tables=tables(
            "smtpd_forbidden_commands", tuple(word for word in server.smtpd_forbidden_commands if ":" in word)
        ),
        content_tables=configured_content_tables(cleanup, clock=clock)
        if receive.header_body_checks
        else ContentTables(),
        receive=receive,
        proxy_filter=_proxy_filter(snapshot),
        rewriting=rewriting,
        remote_rewriting=remote_rewriting(rewriting, cleanup),
        debugged=debugged_peers(snapshot, clock=clock),
        always_add_missing_headers=cleanup.group(Cleanup).always_add_missing_headers,
        local_clients=configured_local_clients(snapshot, clock=clock),
        flush_sites=fast_flush_domains(snapshot, clock=clock),
        queue_directory=snapshot.group(Paths).queue_directory,
        notify_classes=_notify_classes(snapshot),
        in_flow_delay=snapshot.group(QueueManager).in_flow_delay,
        mappings=configured_mappings(cleanup, resolver=resolver, clock=clock),
    )


def _proxy_filter(snapshot: Snapshot) -> FilterSettings | None:
    settings, where = snapshot.group(BeforeQueueFilter), snapshot.where("smtpd_proxy_filter")
    name = settings.smtpd_proxy_filter
    if not name:
        return None
    directory = snapshot.group(Paths).queue_directory
    if name.lower().startswith("unix:"):
        place: tuple[str, str] | str = os.path.join(directory, name[5:])
    else:
        server = name[5:] if name.lower().startswith("inet:") else name
        place = endpoint(server, where=f"{where}, parameter smtpd_proxy_filter", known=False)
    return FilterSettings(
        name=name,
        place=place,
        hello=settings.smtpd_proxy_ehlo.encode(),
        timeout=settings.smtpd_proxy_timeout,
        stores="speed_adjust" in settings.smtpd_proxy_options,
        directory=os.path.join(directory, "incoming"),
    )


def _smaller(one: int, other: int) -> int:
    """The limit that is met first, of two; 0 is none."""
    return min(one, other) or max(one, other)


def _mechanisms(snapshot: Snapshot, clock: Clock) -> MechanismFilter:
    sasl = snapshot.group(SmtpServerSasl)
    return mechanism_filter(
        sasl.smtpd_sasl_security_options,
        sasl.smtpd_sasl_tls_security_options,
        sasl.smtpd_sasl_mechanism_filter,
        where=snapshot.place_of("smtpd_sasl_security_options"),
        clock=clock,
    )


def _rates(server: SmtpServerSettings, service: str) -> RateLimits:
    return RateLimits(
        service=service,
        limits={
            Event.CONNECTION: server.smtpd_client_connection_rate_limit,
            Event.MESSAGE: server.smtpd_client_message_rate_limit,
            Event.RECIPIENT: server.smtpd_client_recipient_rate_limit,
            Event.AUTH: server.smtpd_client_auth_rate_limit,
            Event.NEW_TLS: server.smtpd_client_new_tls_session_rate_limit,
        },
        unit=server.anvil_rate_time_unit,
        connections=server.smtpd_client_connection_count_limit,
        ipv4_prefix=server.smtpd_client_ipv4_prefix_length,
        ipv6_prefix=server.smtpd_client_ipv6_prefix_length,
    )


def _notify_classes(snapshot: Snapshot) -> frozenset[str]:
    """Of which sessions postmaster hears; `bounce` stands for 2bounce, too."""
    return frozenset(snapshot.group(QueueManager).notify_classes) & CLASSES
