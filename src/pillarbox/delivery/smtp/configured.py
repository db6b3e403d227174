"""An smtp or lmtp service from its settings: tables, contexts and rules, opened.

FAULTS
    ConfigurationFault  a value, table or certificate that cannot be used, with its place
"""

import importlib
import os
import random
from collections.abc import Callable, Iterable
from ipaddress import ip_interface
from typing import Final, Literal

from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.content_checks import ContentChecks
from pillarbox.config.parameters.dane import Dane
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.lmtp_client import LmtpClient, LmtpClientSasl, LmtpClientTls, LmtpDelivery
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.parameters.require_tls import RequireTls
from pillarbox.config.parameters.smtp_client import MailExchange, SmtpClient
from pillarbox.config.parameters.smtp_client_sasl import SmtpClientSasl
from pillarbox.config.parameters.smtp_client_tls import SmtpClientTls
from pillarbox.config.parameters.smtp_server_tls import SmtpServerTls
from pillarbox.config.parameters.tls_library import TlsLibrary
from pillarbox.config.parameters.tls_reports import TlsReports
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.smtp.dane_policy import DanePolicies, dane_rules
from pillarbox.delivery.smtp.destination import destination_reader, known_ports, port_number
from pillarbox.delivery.smtp.login_failures import LoginFailures
from pillarbox.delivery.smtp.mail_exchangers import MailExchangers, Rules
from pillarbox.delivery.smtp.requirement import RequirementPolicy
from pillarbox.delivery.smtp.service import Service
from pillarbox.delivery.smtp.session import SessionRules
from pillarbox.delivery.smtp.tls_policy import TlsPolicies
from pillarbox.delivery.smtp.tls_reports import Reporter
from pillarbox.delivery.smtp.workarounds import Workarounds
from pillarbox.filters.content_checks import ContentTables
from pillarbox.net.dns.dnssec_probe import ProbedResolver
from pillarbox.net.dns.host_lookup import HostLookup, Lookup
from pillarbox.net.dns.records import Resolver
from pillarbox.net.dns.searching import SearchingResolver
from pillarbox.net.tls_options import cipher_lists
from pillarbox.routing.configured_mappings import own_address_maps
from pillarbox.tables.cache_store import open_store
from pillarbox.tables.debugged_peers import debugged_peers
from pillarbox.tables.dns_filter import FilteredResolver
from pillarbox.tables.opening import is_asked_in_utf8, open_tables
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.sasl_client import OPTIONS

_CERTIFICATES: Final = "pillarbox.delivery.smtp.certificates"


def open_service(
    name: str,
    program: str,
    snapshot: Snapshot,
    *,
    resolver: Resolver,
    proving: Resolver | None = None,
    search: Callable[[], Iterable[str]] = tuple,
    clock: Clock,
) -> Service:
    """The service, ready to deliver.  ConfigurationFault.

    `proving` asks the DNS for proofs, `search` tells resolv.conf's domains.
    """
    lmtp = program == "lmtp"
    client = snapshot.group(LmtpClient if lmtp else SmtpClient)
    sasl = snapshot.group(LmtpClientSasl if lmtp else SmtpClientSasl)
    tls = snapshot.group(LmtpClientTls if lmtp else SmtpClientTls)
    exchange = snapshot.group(MailExchange)
    identity = snapshot.group(Identity)
    queue = snapshot.group(QueueManager)
    grades = snapshot.group(SmtpServerTls)
    prefix = "lmtp" if lmtp else "smtp"

    def where(parameter: str) -> str:
        parameter = parameter.replace("smtp_", f"{prefix}_", 1)
        return f"{snapshot.where(parameter)}, parameter {parameter}"

    def tables(parameter: str, names: tuple[str, ...]) -> tuple[LookupTable, ...]:
        return open_tables(names, where=where(parameter), clock=clock, utf8=is_asked_in_utf8(parameter))

    for parameter in ("smtp_sasl_security_options", "smtp_sasl_tls_security_options"):
        unknown = set(getattr(sasl, parameter)) - OPTIONS
        if unknown:
            raise ConfigurationFault(where(parameter), f"unknown option {min(unknown)}")
    try:
        ports = known_ports(exchange.known_tcp_ports)
        port_number(client.smtp_tcp_port, ports)
    except ValueError as error:
        raise ConfigurationFault(where("smtp_tcp_port"), str(error)) from error
    try:
        policies = TlsPolicies(
            tls,
            tables("smtp_tls_policy_maps", tls.smtp_tls_policy_maps),
            grades=cipher_lists(grades),
            library=snapshot.group(TlsLibrary),
            sites=tables("smtp_tls_per_site", tls.smtp_tls_per_site),
            prefix=prefix,
        )
        default = policies.default
        if default.level != "none" or tls.smtp_tls_policy_maps or tls.smtp_tls_per_site:
            importlib.import_module(_CERTIFICATES)  # now, while the role may still read what it likes
        if default.level != "none":  # files that only root may read are read now
            policies.context(policies.at_level(default, "encrypt") if default.is_by_dns else default)
        if tls.smtp_tls_trust_anchor_file:
            policies.anchors(policies.at_level(default, "verify"))
        rules = dane_rules(snapshot.group(Dane), client, tls, exchange, lmtp=lmtp)
    except ConfigurationFault as fault:
        raise ConfigurationFault(where("smtp_tls_security_level"), f"{fault.where}: {fault.what}") from fault
    protocols = set(identity.inet_protocols)
    own = {str(ip_interface(address).ip) for _, address in snapshot.facts.interfaces}
    own |= {address.strip("[]") for address in identity.proxy_interfaces}
    probed: ProbedResolver | None = None
    if client.smtp_dns_support_level == "dnssec" and proving is not None:
        try:
            resolver = probed = ProbedResolver(proving, exchange.dnssec_probe)
        except ValueError as error:
            raise ConfigurationFault(where("dnssec_probe"), str(error)) from error
    resolver = _searching(resolver, client, where=where("smtp_dns_resolver_options"), search=search)
    dns_filter: FilteredResolver | None = None
    if client.smtp_dns_reply_filter:
        title = f"{prefix}_dns_reply_filter"
        names = tables("smtp_dns_reply_filter", client.smtp_dns_reply_filter)
        resolver = dns_filter = FilteredResolver(resolver, names, parameter=title)
    reports = snapshot.group(TlsReports)
    reporter: Reporter | None = None
    warnings: list[str] = []
    if tls.smtp_tls_per_site and tls.smtp_tls_policy_maps:
        warnings.append(f"{prefix}_tls_per_site ignored when {prefix}_tls_policy_maps is not empty.")
    if reports.smtp_tlsrpt_enable and not lmtp and policies.default.level != "none":
        if reports.smtp_tlsrpt_socket_name:
            place = os.path.join(snapshot.value("queue_directory"), reports.smtp_tlsrpt_socket_name)
            reporter = Reporter(place, resolver, monotonic=clock.monotonic)
        else:
            warnings.append(
                "TLSRPT support: parameter smtp_tlsrpt_socket_name has empty value -- "
                "TLSRPT support will be disabled"
            )
    is_without_dns = client.smtp_dns_support_level == "disabled"
    exchangers = MailExchangers(
        resolver,
        HostLookup(
            resolver,
            clock=clock,
            methods=("files",)
            if is_without_dns
            else _methods(client.smtp_host_lookup, where=where("smtp_host_lookup")),
            ipv4=bool(protocols & {"all", "ipv4"}),
            ipv6=bool(protocols & {"all", "ipv6"}),
        ),
        rules=Rules(
            preference=client.smtp_address_preference,
            balance=client.smtp_balance_inet_protocols,
            randomize=client.smtp_randomize_addresses,
            address_limit=client.smtp_mx_address_limit,
            ignore_mx_fault=exchange.ignore_mx_lookup_error,
            defer_without_address=client.smtp_defer_if_no_mx_address_found,
            own_addresses=frozenset(own),
            ignore_srv_fault=exchange.ignore_srv_lookup_error,
            may_do_without_srv=exchange.allow_srv_lookup_fallback,
            canonical_names=client.smtp_cname_overrides_servername,
            myhostname=identity.myhostname,
        ),
        shuffle=random.shuffle,
    )
    return Service(
        name=name,
        program=program,
        rules=SessionRules(
            exchange=exchange,
            client=client,
            sasl=sasl,
            tls=tls,
            myhostname=identity.myhostname,
            window=identity.tcp_windowsize,
            lmtp=lmtp,
        ),
        exchangers=exchangers,
        policies=policies,
        dane=DanePolicies(resolver, policies, rules),
        passwords=tables("smtp_sasl_password_maps", sasl.smtp_sasl_password_maps),
        login_failures=LoginFailures(
            open_store(sasl.smtp_sasl_auth_cache_name, where=where("smtp_sasl_auth_cache_name")),
            sasl.smtp_sasl_auth_cache_time,
            clock=clock,
        )
        if sasl.smtp_sasl_auth_cache_name
        else None,
        discarded=tables(
            "smtp_discard_ehlo_keyword_address_maps", client.smtp_discard_ehlo_keyword_address_maps
        ),
        kept=tables(
            "smtp_connection_cache_destinations",
            tuple(filter(_is_table, client.smtp_connection_cache_destinations)),
        ),
        generic=own_address_maps(
            snapshot,
            where=where("smtp_generic_maps"),
            title=f"{prefix}_generic_maps",
            names=client.smtp_generic_maps,
            kind="generic",
            clock=clock,
        ),
        checks=ContentTables(
            header=tables("smtp_header_checks", client.smtp_header_checks),
            mime_header=tables("smtp_mime_header_checks", client.smtp_mime_header_checks),
            nested_header=tables("smtp_nested_header_checks", client.smtp_nested_header_checks),
            body=tables("smtp_body_checks", client.smtp_body_checks),
            body_limit=snapshot.group(ContentChecks).body_checks_size_limit,
            prefix=f"{prefix}_",
        ),
        reply_filter=tables("smtp_reply_filter", (client.smtp_reply_filter,))[0]
        if client.smtp_reply_filter
        else None,
        status_filter=tables("smtp_delivery_status_filter", client.smtp_delivery_status_filter),
        dns_filter=dns_filter,
        probed=probed,
        destinations=destination_reader(
            port=client.smtp_tcp_port,
            ports=ports,
            lmtp=lmtp,
            mx=client.smtp_dns_support_level in ("enabled", "dnssec")
            or not (client.smtp_dns_support_level or exchange.disable_dns_lookups),
            services=() if is_without_dns else exchange.use_srv_lookup,
        ),
        queue_directory=snapshot.value("queue_directory"),
        soft_bounce=queue.soft_bounce,
        heeds_tls_required=snapshot.group(Cleanup).tls_required_enable,
        requirement=RequirementPolicy(
            [
                tables("smtp_requiretls_policy", (item,))[0] if ":" in item else item
                for item in tls.smtp_requiretls_policy
            ],
            parameter=where("smtp_requiretls_policy"),
        )
        if snapshot.group(RequireTls).requiretls_enable
        else None,
        relayhost=queue.relayhost,
        reporter=reporter,
        keeps_transcripts="protocol" in queue.notify_classes,
        debugged=debugged_peers(snapshot, clock=clock),
        assumes_final=lmtp and snapshot.group(LmtpDelivery).lmtp_assume_final,
        workarounds=Workarounds(
            client.smtp_pix_workarounds,
            tables("smtp_pix_workaround_maps", client.smtp_pix_workaround_maps),
            where=where("smtp_pix_workarounds"),
        ),
        minimal_backoff=queue.minimal_backoff_time,
        warnings=tuple(warnings),
    )


def _searching(
    resolver: Resolver, client: SmtpClient, *, where: str, search: Callable[[], Iterable[str]]
) -> Resolver:
    options = set(client.smtp_dns_resolver_options)
    if unknown := options - {"res_defnames", "res_dnsrch"}:
        raise ConfigurationFault(
            where, f'unknown DNS resolver option "{min(unknown)}"', mend="res_defnames or res_dnsrch"
        )
    if not options:
        return resolver
    return SearchingResolver(
        resolver, search, defnames="res_defnames" in options, dnsrch="res_dnsrch" in options
    )


def _methods(words: tuple[str, ...], *, where: str) -> tuple[Lookup, ...]:
    names: dict[str, Literal["dns", "native"]] = {"dns": "dns", "native": "native"}
    found: list[Lookup] = []
    for word in words:
        if word not in names:
            raise ConfigurationFault(where, f'"{word}" is no way to look up hosts', mend="dns or native")
        found.append(names[word])
    return tuple(found) or ("dns",)


def _is_table(word: str) -> bool:
    """Whether a word is type:table, and no destination with a port or a kind of socket."""
    kind, colon, name = word.partition(":")
    return bool(colon) and kind[:1] != "[" and kind not in ("inet", "unix") and not name.isdigit()
