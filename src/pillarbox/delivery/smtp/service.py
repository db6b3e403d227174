"""One smtp or lmtp service of master.cf, opened: what its deliveries have in common (configured.py makes it)."""

from collections.abc import Callable

import msgspec

from pillarbox.delivery.smtp.dane_policy import DanePolicies
from pillarbox.delivery.smtp.destination import Destination
from pillarbox.delivery.smtp.login_failures import LoginFailures
from pillarbox.delivery.smtp.mail_exchangers import MailExchangers
from pillarbox.delivery.smtp.requirement import RequirementPolicy
from pillarbox.delivery.smtp.service_flags import ServiceFlags
from pillarbox.delivery.smtp.session import SessionRules
from pillarbox.delivery.smtp.tls_policy import TlsPolicies
from pillarbox.delivery.smtp.tls_reports import Reporter
from pillarbox.delivery.smtp.workarounds import Workarounds
from pillarbox.filters.content_checks import ContentTables
from pillarbox.net.dns.dnssec_probe import ProbedResolver
from pillarbox.observability import events
from pillarbox.routing.address_maps import AddressMaps
from pillarbox.tables.debugged_peers import DebuggedPeers
from pillarbox.tables.dns_filter import FilteredResolver
from pillarbox.tables.ehlo_keywords import KeywordPolicy
from pillarbox.tables.table import LookupTable
from pillarbox.tables.word_list import WordList


class Service(msgspec.Struct, kw_only=True):
    """Tables, contexts and rules."""

    name: str
    program: str  # smtp or lmtp
    rules: SessionRules
    exchangers: MailExchangers
    policies: TlsPolicies
    dane: DanePolicies
    passwords: AddressMaps  # smtp_sasl_password_maps
    login_failures: LoginFailures | None  # smtp_sasl_auth_cache_name
    discarded: KeywordPolicy  # EHLO keywords by the server's address
    kept: WordList  # smtp_connection_cache_destinations: hosts without brackets and ports
    generic: AddressMaps  # smtp_generic_maps
    checks: ContentTables  # smtp_header_checks and its kin
    reply_filter: LookupTable | None
    status_filter: tuple[LookupTable, ...]
    status_filter_title: str  # its parameter
    destinations: Callable[[str], tuple[Destination, ...]]  # of a nexthop; ValueError
    dns_filter: FilteredResolver | None  # smtp_dns_reply_filter
    probed: ProbedResolver | None  # dnssec_probe
    queue_directory: str
    soft_bounce: bool
    heeds_tls_required: bool
    requirement: RequirementPolicy | None  # smtp_requiretls_policy; None: requiretls_enable = no
    flags: ServiceFlags
    assumes_final: bool  # lmtp_assume_final, or flags=X
    relayhost: str
    reporter: Reporter | None  # smtp_tlsrpt_enable
    keeps_transcripts: bool  # notify_classes has protocol
    debugged: DebuggedPeers  # debug_peer_list
    workarounds: Workarounds
    minimal_backoff: float  # seconds
    warnings: tuple[str, ...] = ()  # of settings, for the log at start
    tell: events.EventSink = lambda _: None  # set when the log is there

    @property
    def lmtp(self) -> bool:
        """Which protocol."""
        return self.rules.lmtp
