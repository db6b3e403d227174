"""An smtp or lmtp service from its settings: tables, contexts and rules, opened.

FAULTS
    ConfigurationFault  a value, table or certificate that cannot be used, with its place
"""

import importlib
import os
from collections.abc import Callable, Iterable
from typing import Final

from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.content_checks import ContentChecks
from pillarbox.config.parameters.dane import Dane
from pillarbox.config.parameters.lmtp_client import LmtpDelivery
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.parameters.require_tls import RequireTls
from pillarbox.config.parameters.smtp_client_tls import SmtpClientTls
from pillarbox.config.parameters.smtp_server_tls import SmtpServerTls
from pillarbox.config.parameters.tls_library import TlsLibrary
from pillarbox.config.parameters.tls_reports import TlsReports
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.smtp.configured_lookups import mail_exchangers, open_resolvers
from pillarbox.delivery.smtp.dane_policy import DanePolicies, DaneRules, dane_rules
from pillarbox.delivery.smtp.destination import Destination, destination_reader, known_ports, port_number
from pillarbox.delivery.smtp.login_failures import LoginFailures
from pillarbox.delivery.smtp.requirement import RequirementPolicy
from pillarbox.delivery.smtp.service import Service
from pillarbox.delivery.smtp.service_flags import NO_FLAGS, ServiceFlags
from pillarbox.delivery.smtp.service_settings import ServiceSettings
from pillarbox.delivery.smtp.session import SessionRules
from pillarbox.delivery.smtp.source_addresses import source_addresses
from pillarbox.delivery.smtp.tls_policy import TlsPolicies
from pillarbox.delivery.smtp.tls_reports import Reporter
from pillarbox.delivery.smtp.workarounds import Workarounds
from pillarbox.filters.content_checks import ContentTables
from pillarbox.net.dns.records import Resolver
from pillarbox.net.tls_options import cipher_lists
from pillarbox.routing.address_maps import AddressMaps
from pillarbox.routing.configured_mappings import own_address_maps
from pillarbox.tables.cache_store import open_store
from pillarbox.tables.debugged_peers import debugged_peers
from pillarbox.tables.ehlo_keywords import KeywordPolicy
from pillarbox.tables.table import LookupTable
from pillarbox.tables.word_list import WordList, open_word_list
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.sasl.client import OPTIONS

_CERTIFICATES: Final = "pillarbox.delivery.smtp.certificates"


def open_service(
    name: str,
    program: str,
    snapshot: Snapshot,
    *,
    flags: ServiceFlags = NO_FLAGS,
    resolver: Resolver,
    proving: Resolver | None = None,
    search: Callable[[], Iterable[str]] = tuple,
    clock: Clock,
) -> Service:
    """The service, ready to deliver.  ConfigurationFault.

    `flags` are those of master.cf.

    `proving` asks the DNS for proofs, `search` tells resolv.conf's domains.
    """
    settings = ServiceSettings.of(snapshot, lmtp=program == "lmtp", clock=clock)
    client, lmtp, prefix, tables = settings.client, settings.lmtp, settings.prefix, settings.tables
    queue = snapshot.group(QueueManager)
    _check_sasl_options(settings)
    destinations = _destinations(settings)
    warnings: list[str] = []
    policies, rules = _tls_policies(settings, warnings)
    resolvers = open_resolvers(settings, resolver, proving=proving, search=search)
    if settings.tls.smtp_tls_per_site and settings.tls.smtp_tls_policy_maps:
        warnings.append(f"{prefix}_tls_per_site ignored when {prefix}_tls_policy_maps is not empty.")
    assumed = lmtp and snapshot.group(LmtpDelivery).lmtp_assume_final
    if assumed and "X" not in flags:
        warnings.append(f'lmtp_assume_final is obsolete; instead, specify "{flags.written}X" in master.cf')
    reporter = _reporter(settings, policies, resolvers.resolver, warn=warnings.append)
    return Service(
        name=name,
        program=program,
        rules=_session_rules(settings),
        exchangers=mail_exchangers(settings, resolvers.resolver),
        policies=policies,
        dane=DanePolicies(resolvers.resolver, policies, rules),
        passwords=_address_maps(settings, "sasl_password_maps", settings.sasl.smtp_sasl_password_maps),
        login_failures=_login_failures(settings),
        discarded=_discarded_keywords(settings),
        kept=_kept_destinations(settings),
        generic=_address_maps(settings, "generic_maps", client.smtp_generic_maps),
        checks=_content_tables(settings),
        reply_filter=_reply_filter(settings),
        status_filter=tables("smtp_delivery_status_filter", client.smtp_delivery_status_filter),
        status_filter_title=f"{prefix}_delivery_status_filter",
        dns_filter=resolvers.dns_filter,
        probed=resolvers.probed,
        destinations=destinations,
        queue_directory=snapshot.value("queue_directory"),
        soft_bounce=queue.soft_bounce,
        heeds_tls_required=snapshot.group(Cleanup).tls_required_enable,
        requirement=_requirement(settings),
        relayhost=queue.relayhost,
        reporter=reporter,
        keeps_transcripts="protocol" in queue.notify_classes,
        debugged=debugged_peers(snapshot, clock=clock),
        flags=flags,
        assumes_final=lmtp and (assumed or "X" in flags),
        workarounds=_workarounds(settings),
        minimal_backoff=queue.minimal_backoff_time,
        warnings=tuple(warnings),
    )


def _session_rules(settings: ServiceSettings) -> SessionRules:
    """What holds for every session of the service, whichever its peer."""
    wanted = settings.sasl.smtp_sasl_mechanism_filter
    where = settings.where("smtp_sasl_mechanism_filter")
    return SessionRules(
        exchange=settings.exchange,
        client=settings.client,
        sasl=settings.sasl,
        tls=settings.tls,
        myhostname=settings.identity.myhostname,
        window=settings.identity.tcp_windowsize,
        sources=source_addresses(settings.client, settings.snapshot),
        lmtp=settings.lmtp,
        mechanisms=open_word_list(wanted, where=where, clock=settings.clock) if wanted else None,
    )


def _discarded_keywords(settings: ServiceSettings) -> KeywordPolicy:
    """What servers offer and are not to be taken at their word for."""
    client, maps = settings.client, "smtp_discard_ehlo_keyword_address_maps"
    return KeywordPolicy(
        client.smtp_discard_ehlo_keywords,
        settings.tables(maps, client.smtp_discard_ehlo_keyword_address_maps),
    )


def _kept_destinations(settings: ServiceSettings) -> WordList:
    """Destinations whose sessions are kept whatever the load."""
    name = "smtp_connection_cache_destinations"
    words = settings.client.smtp_connection_cache_destinations
    return open_word_list(words, where=settings.where(name), clock=settings.clock)


def _reply_filter(settings: ServiceSettings) -> LookupTable | None:
    """The table that puts replies in other words, if there is one."""
    name = settings.client.smtp_reply_filter
    return settings.tables("smtp_reply_filter", (name,))[0] if name else None


def _workarounds(settings: ServiceSettings) -> Workarounds:
    client = settings.client
    return Workarounds(
        client.smtp_pix_workarounds,
        settings.tables("smtp_pix_workaround_maps", client.smtp_pix_workaround_maps),
        threshold=client.smtp_pix_workaround_threshold_time,
        where=settings.where("smtp_pix_workarounds"),
    )


def _destinations(settings: ServiceSettings) -> Callable[[str], tuple[Destination, ...]]:
    """How nexthops are read: which port, and whether MX and SRV records are asked for."""
    client, exchange = settings.client, settings.exchange
    level = client.smtp_dns_support_level
    try:
        ports = known_ports(exchange.known_tcp_ports)
        port_number(client.smtp_tcp_port, ports)
    except ValueError as error:
        raise ConfigurationFault(settings.where("smtp_tcp_port"), str(error)) from error
    return destination_reader(
        port=client.smtp_tcp_port,
        ports=ports,
        lmtp=settings.lmtp,
        mx=level in ("enabled", "dnssec") or not (level or exchange.disable_dns_lookups),
        services=() if level == "disabled" else exchange.use_srv_lookup,
    )


def _address_maps(settings: ServiceSettings, parameter: str, names: tuple[str, ...]) -> AddressMaps:
    """Tables by address; `parameter` is without smtp_."""
    return own_address_maps(
        settings.snapshot,
        where=settings.where(f"smtp_{parameter}"),
        title=f"{settings.prefix}_{parameter}",
        names=names,
        kind="generic",
        clock=settings.clock,
    )


def _check_sasl_options(settings: ServiceSettings) -> None:
    for parameter in ("smtp_sasl_security_options", "smtp_sasl_tls_security_options"):
        unknown = set(getattr(settings.sasl, parameter)) - OPTIONS
        if unknown:
            raise ConfigurationFault(settings.where(parameter), f"unknown option {min(unknown)}")


def _tls_policies(settings: ServiceSettings, warnings: list[str]) -> tuple[TlsPolicies, DaneRules]:
    """What TLS is wanted of whom.  Files that only root may read are read now; what cannot be is warned of."""
    snapshot, tls, where = settings.snapshot, settings.tls, settings.where
    try:
        policies = TlsPolicies(
            tls,
            settings.tables("smtp_tls_policy_maps", tls.smtp_tls_policy_maps),
            grades=cipher_lists(snapshot.group(SmtpServerTls)),
            library=snapshot.group(TlsLibrary),
            sites=settings.tables("smtp_tls_per_site", tls.smtp_tls_per_site),
            prefix=settings.prefix,
        )
        default = policies.default
        if default.level != "none" or tls.smtp_tls_policy_maps or tls.smtp_tls_per_site:
            importlib.import_module(_CERTIFICATES)  # now, while the role may still read what it likes
            policies.load()
            if policies.fault:
                warnings.append(f"{where('smtp_tls_cert_file')}: {policies.fault}: disabling TLS support")
            warnings += policies.warnings.values()
        _read_anchors(policies, tls, warnings)
        rules = dane_rules(snapshot.group(Dane), settings.client, tls, settings.exchange, lmtp=settings.lmtp)
    except ConfigurationFault as fault:
        raise ConfigurationFault(where("smtp_tls_security_level"), f"{fault.where}: {fault.what}") from fault
    return policies, rules


def _read_anchors(policies: TlsPolicies, tls: SmtpClientTls, warnings: list[str]) -> None:
    """Those of main.cf; without them mail that wants them waits."""
    if tls.smtp_tls_trust_anchor_file:
        try:
            policies.anchors(policies.at_level(policies.default, "verify"))
        except ConfigurationFault as fault:
            warnings.append(fault.what)


def _reporter(
    settings: ServiceSettings, policies: TlsPolicies, resolver: Resolver, *, warn: Callable[[str], None]
) -> Reporter | None:
    """Who tells of TLS that failed (RFC 8460), if it is wanted."""
    reports = settings.snapshot.group(TlsReports)
    if not reports.smtp_tlsrpt_enable or settings.lmtp or policies.default.level == "none":
        return None
    if not reports.smtp_tlsrpt_socket_name:
        warn(
            "TLSRPT support: parameter smtp_tlsrpt_socket_name has empty value -- "
            "TLSRPT support will be disabled"
        )
        return None
    place = os.path.join(settings.snapshot.value("queue_directory"), reports.smtp_tlsrpt_socket_name)
    return Reporter(place, resolver, monotonic=settings.clock.monotonic)


def _login_failures(settings: ServiceSettings) -> LoginFailures | None:
    """Passwords that servers have refused, if they are kept."""
    name = settings.sasl.smtp_sasl_auth_cache_name
    if not name:
        return None
    store = open_store(name, where=settings.where("smtp_sasl_auth_cache_name"))
    return LoginFailures(store, settings.sasl.smtp_sasl_auth_cache_time, clock=settings.clock)


def _content_tables(settings: ServiceSettings) -> ContentTables:
    """Header and body checks of what is sent."""
    client, tables = settings.client, settings.tables
    return ContentTables(
        header=tables("smtp_header_checks", client.smtp_header_checks),
        mime_header=tables("smtp_mime_header_checks", client.smtp_mime_header_checks),
        nested_header=tables("smtp_nested_header_checks", client.smtp_nested_header_checks),
        body=tables("smtp_body_checks", client.smtp_body_checks),
        header_limit=settings.snapshot.group(Cleanup).header_size_limit,
        body_limit=settings.snapshot.group(ContentChecks).body_checks_size_limit,
        prefix=f"{settings.prefix}_",
    )


def _requirement(settings: ServiceSettings) -> RequirementPolicy | None:
    """What REQUIRETLS asks of the next server (RFC 8689), if it is served."""
    if not settings.snapshot.group(RequireTls).requiretls_enable:
        return None
    policy = [
        settings.tables("smtp_requiretls_policy", (item,))[0] if ":" in item else item
        for item in settings.tls.smtp_requiretls_policy
    ]
    return RequirementPolicy(policy, parameter=settings.where("smtp_requiretls_policy"))
