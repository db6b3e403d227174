"""Where an smtp or lmtp service finds hosts: the resolvers that its settings put before each other, and MX hosts.

FAULTS
    ConfigurationFault  a value or table that cannot be used, with its place
"""

import random
from collections.abc import Callable, Iterable

import msgspec

from pillarbox.config.parameters.smtp_client import SmtpClient
from pillarbox.delivery.smtp.mail_exchangers import MailExchangers, Rules
from pillarbox.delivery.smtp.service_settings import ServiceSettings
from pillarbox.net.dns.dnssec_probe import ProbedResolver
from pillarbox.net.dns.host_lookup import HostLookup, Lookup
from pillarbox.net.dns.records import Resolver
from pillarbox.net.dns.searching import SearchingResolver
from pillarbox.routing.own_addresses import own_addresses
from pillarbox.tables.dns_filter import FilteredResolver
from pillarbox.vocabulary.faults import ConfigurationFault


class Resolvers(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asked, and those in front of it that have something to tell."""

    resolver: Resolver
    probed: ProbedResolver | None = None
    dns_filter: FilteredResolver | None = None


def open_resolvers(
    settings: ServiceSettings,
    resolver: Resolver,
    *,
    proving: Resolver | None,
    search: Callable[[], Iterable[str]],
) -> Resolvers:
    """`resolver` with smtp_dns_support_level, smtp_dns_resolver_options and smtp_dns_reply_filter.

    `proving` asks the DNS for proofs, `search` tells resolv.conf's domains.
    """
    client = settings.client
    probed: ProbedResolver | None = None
    if client.smtp_dns_support_level == "dnssec" and proving is not None:
        try:
            resolver = probed = ProbedResolver(proving, settings.exchange.dnssec_probe)
        except ValueError as error:
            raise ConfigurationFault(settings.where("dnssec_probe"), str(error)) from error
    resolver = _searching(resolver, client, search=search)
    dns_filter: FilteredResolver | None = None
    if client.smtp_dns_reply_filter:
        tables = settings.tables("smtp_dns_reply_filter", client.smtp_dns_reply_filter)
        title = f"{settings.prefix}_dns_reply_filter"
        resolver = dns_filter = FilteredResolver(resolver, tables, parameter=title)
    return Resolvers(resolver=resolver, probed=probed, dns_filter=dns_filter)


def mail_exchangers(settings: ServiceSettings, resolver: Resolver) -> MailExchangers:
    """The hosts of a destination, in the order that the settings want."""
    client, exchange, identity = settings.client, settings.exchange, settings.identity
    level = client.smtp_dns_support_level
    asks_no_mx = level == "disabled" or (exchange.disable_dns_lookups and not level)
    protocols = set(identity.inet_protocols)
    return MailExchangers(
        resolver,
        HostLookup(
            resolver,
            clock=settings.clock,
            methods=("native",) if asks_no_mx else _methods(client.smtp_host_lookup),
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
            own_addresses=own_addresses(settings.snapshot),
            ignore_srv_fault=exchange.ignore_srv_lookup_error,
            may_do_without_srv=exchange.allow_srv_lookup_fallback,
            canonical_names=client.smtp_cname_overrides_servername,
            myhostname=identity.myhostname,
        ),
        shuffle=random.shuffle,
    )


def _searching(resolver: Resolver, client: SmtpClient, *, search: Callable[[], Iterable[str]]) -> Resolver:
    options = set(client.smtp_dns_resolver_options)
    if not options:
        return resolver
    return SearchingResolver(
        resolver, search, defnames="res_defnames" in options, dnsrch="res_dnsrch" in options
    )


def _methods(words: tuple[str, ...]) -> tuple[Lookup, ...]:
    names: dict[str, Lookup] = {"dns": "dns", "native": "native"}
    return tuple(names[word] for word in sorted(words))  # in this order, as smtp(8), whatever theirs is
