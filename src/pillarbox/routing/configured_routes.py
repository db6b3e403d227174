"""Routes from main.cf: the domains of each class, the transports, and the tables, opened.

FAULTS
    ConfigurationFault  a table of an unknown type or a file that is not there, with the parameter's file and line
"""

from collections.abc import Callable
from typing import Final

import msgspec

from pillarbox.config.parameters.address_mapping import AddressMapping
from pillarbox.config.parameters.address_verification import AddressVerification
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.local_recipients import LocalRecipients
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.parameters.routing import Routing
from pillarbox.config.parameters.smtp_access import SmtpAccess
from pillarbox.config.parameters.smtp_server import SmtpServer
from pillarbox.config.parameters.virtual_delivery import VirtualDelivery
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import MatchList
from pillarbox.routing.address_syntax import AddressSyntax
from pillarbox.routing.domain_lists import DomainList, DomainPattern
from pillarbox.routing.own_addresses import own_addresses
from pillarbox.routing.resolution import Routes
from pillarbox.routing.rewriting import configured_rewriting
from pillarbox.tables.opening import open_default_table, open_tables
from pillarbox.tables.table import LookupTable, Opening, Warn, ignore_warning
from pillarbox.vocabulary.clock import Clock


def probe_routes(snapshot: Snapshot, routes: Routes, *, clock: Clock) -> Routes:
    """The routes of address probes: those of all mail, but for what address_verify_… parameters say."""
    probes = snapshot.group(AddressVerification)

    def tables(
        parameter: str, names: tuple[str, ...], usual: tuple[LookupTable, ...]
    ) -> tuple[LookupTable, ...]:
        if snapshot.value(parameter) == snapshot.value(parameter.removeprefix("address_verify_")):
            return usual
        return open_tables(names, where=snapshot.place_of(parameter), clock=clock, substitutes=False)

    return msgspec.structs.replace(
        routes,
        prefix="address_verify_",
        local_transport=probes.address_verify_local_transport,
        virtual_transport=probes.address_verify_virtual_transport,
        relay_transport=probes.address_verify_relay_transport,
        default_transport=probes.address_verify_default_transport,
        relayhost=probes.address_verify_relayhost,
        transport_maps=tables(
            "address_verify_transport_maps", probes.address_verify_transport_maps, routes.transport_maps
        ),
        sender_transports=tables(
            "address_verify_sender_dependent_default_transport_maps",
            probes.address_verify_sender_dependent_default_transport_maps,
            routes.sender_transports,
        ),
        sender_relayhosts=tables(
            "address_verify_sender_dependent_relayhost_maps",
            probes.address_verify_sender_dependent_relayhost_maps,
            routes.sender_relayhosts,
        ),
    )


Tables = tuple[LookupTable, ...]
OpenTables = Callable[[str, tuple[str, ...]], Tables]
"""Opens the tables of a parameter."""
_WITHOUT_SUBSTITUTION: Final = frozenset(
    ("transport_maps", "sender_dependent_default_transport_maps", "sender_dependent_relayhost_maps")
)
"""What a sender wrote must not choose where mail goes."""


def configured_routes(snapshot: Snapshot, *, clock: Clock, warn: Warn = ignore_warning) -> Routes:
    """The routes of trivial-rewrite(8).  Opens every table; `warn` hears of rules that are left out."""
    identity = snapshot.group(Identity)
    local = snapshot.group(LocalRecipients)
    virtual = snapshot.group(VirtualDelivery)
    queue = snapshot.group(QueueManager)
    routing, mapping = snapshot.group(Routing), snapshot.group(AddressMapping)

    def tables(parameter: str, names: tuple[str, ...]) -> Tables:
        return open_tables(
            names,
            where=snapshot.place_of(parameter),
            clock=clock,
            warn=warn,
            substitutes=parameter not in _WITHOUT_SUBSTITUTION,
        )

    def domains(parameter: str, listed: MatchList) -> DomainList:
        return _domains(snapshot, parameter, listed, clock=clock)

    return Routes(
        myorigin=identity.myorigin,
        missing_domain="" if identity.append_at_myorigin else identity.myhostname,
        local_domains=domains("mydestination", identity.mydestination),
        own_addresses=own_addresses(snapshot),
        virtual_alias_domains=domains("virtual_alias_domains", virtual.virtual_alias_domains),
        virtual_mailbox_domains=domains("virtual_mailbox_domains", virtual.virtual_mailbox_domains),
        relay_domains=domains("relay_domains", local.relay_domains),
        local_transport=queue.local_transport,
        virtual_transport=queue.virtual_transport,
        relay_transport=queue.relay_transport,
        default_transport=queue.default_transport,
        relayhost=queue.relayhost,
        recipient_delimiter=identity.recipient_delimiter,
        local_recipients=_local_recipients(snapshot, tables, clock=clock, warn=warn),
        virtual_aliases=tables("virtual_alias_maps", virtual.virtual_alias_maps),
        canonical=tables("canonical_maps", mapping.canonical_maps),
        sender_canonical=tables("sender_canonical_maps", mapping.sender_canonical_maps),
        recipient_canonical=tables("recipient_canonical_maps", mapping.recipient_canonical_maps),
        virtual_mailboxes=tables("virtual_mailbox_maps", virtual.virtual_mailbox_maps),
        relay_recipients=tables("relay_recipient_maps", local.relay_recipient_maps)
        if local.relay_recipient_maps
        else None,
        transport_maps=tables("transport_maps", routing.transport_maps),
        transport_subdomains="transport_maps" in local.parent_domain_matches_subdomains,
        sender_transports=tables(
            "sender_dependent_default_transport_maps", routing.sender_dependent_default_transport_maps
        ),
        sender_relayhosts=tables("sender_dependent_relayhost_maps", routing.sender_dependent_relayhost_maps),
        null_sender_transport_key=routing.empty_address_default_transport_maps_lookup_key,
        null_sender_relayhost_key=routing.empty_address_relayhost_maps_lookup_key,
        relocated=tables("relocated_maps", routing.relocated_maps),
        always_local=frozenset(
            (b"postmaster", b"mailer-daemon", identity.double_bounce_sender.lower().encode())
        ),
        relays_routes=identity.allow_untrusted_routing,
        unknown_alias="5.1.1 User unknown"
        + (" in virtual alias table" if snapshot.group(SmtpAccess).show_user_unknown_table_name else ""),
        syntax=_syntax(snapshot),
    )


def _syntax(snapshot: Snapshot) -> AddressSyntax:
    """What addresses may be, and how they are completed."""
    identity, queue = snapshot.group(Identity), snapshot.group(QueueManager)
    return AddressSyntax(
        rewriting=configured_rewriting(snapshot),
        host=identity.myhostname.encode(),
        empty_address=queue.empty_address_recipient.encode(),
        looks_into_quotes=identity.resolve_dequoted_address,
        null_domain=identity.resolve_null_domain,
        numeric_domain=identity.resolve_numeric_domain,
        minus_user=identity.allow_min_user,
        utf8=snapshot.group(SmtpServer).smtputf8_enable,
    )


def _local_recipients(snapshot: Snapshot, tables: OpenTables, *, clock: Clock, warn: Warn) -> Tables | None:
    """local_recipient_maps; as long as nobody has set it or alias_maps, tables that are missing are none."""
    names = snapshot.group(LocalRecipients).local_recipient_maps
    if not names:
        return None
    parameter = "local_recipient_maps"
    if any(snapshot.explicit(name) is not None for name in (parameter, "alias_maps")):
        return tables(parameter, names)
    opening = Opening(where=snapshot.place_of(parameter), clock=clock, warn=warn)
    return tuple(open_default_table(name, opening) for name in names)


def server_routes(own: Snapshot, rewrite: Snapshot, *, clock: Clock) -> Routes:
    """The routes that an SMTP server knows, with settings of its `own`: it asks trivial-rewrite(8) where mail goes.

    Who is a recipient there, the server looks up itself.
    """
    routes, asked = configured_routes(own, clock=clock), configured_routes(rewrite, clock=clock)
    return msgspec.structs.replace(
        asked,
        recipient_delimiter=routes.recipient_delimiter,
        local_recipients=routes.local_recipients,
        virtual_aliases=routes.virtual_aliases,
        canonical=routes.canonical,
        sender_canonical=routes.sender_canonical,
        recipient_canonical=routes.recipient_canonical,
        virtual_mailboxes=routes.virtual_mailboxes,
        relay_recipients=routes.relay_recipients,
        always_local=routes.always_local,
        relays_routes=routes.relays_routes,
        syntax=msgspec.structs.replace(
            asked.syntax, empty_address=routes.syntax.empty_address, utf8=routes.syntax.utf8
        ),
    )


def mailbox_routes(snapshot: Snapshot, routes: Routes, *, clock: Clock, warn: Warn) -> Routes:
    """The routes for virtual(8): what a sender wrote must not choose the file that mail is written to."""
    parameter = "virtual_mailbox_maps"
    names = snapshot.group(VirtualDelivery).virtual_mailbox_maps
    if not any(kind in name for name in names for kind in ("regexp:", "pcre:")):
        return routes
    tables = open_tables(names, where=snapshot.place_of(parameter), clock=clock, warn=warn, substitutes=False)
    return msgspec.structs.replace(routes, virtual_mailboxes=tables)


def own_domains(snapshot: Snapshot, *, clock: Clock) -> DomainList:
    """mydestination."""
    return _domains(snapshot, "mydestination", snapshot.group(Identity).mydestination, clock=clock)


def relay_domains(snapshot: Snapshot, *, clock: Clock) -> DomainList:
    """relay_domains."""
    listed = snapshot.group(LocalRecipients).relay_domains
    return _domains(snapshot, "relay_domains", listed, clock=clock)


def _domains(snapshot: Snapshot, parameter: str, listed: MatchList, *, clock: Clock) -> DomainList:
    where = snapshot.place_of(parameter)
    subdomains = parameter in snapshot.group(LocalRecipients).parent_domain_matches_subdomains
    if any(pattern.negated for pattern in listed.patterns):
        ordered = tuple(
            DomainPattern(
                table=open_tables([pattern.text], where=where, clock=clock)[0], negated=pattern.negated
            )
            if pattern.is_table
            else DomainPattern(_a_labels(pattern.text.lower()), negated=pattern.negated)
            for pattern in listed.patterns
        )
        return DomainList(match_subdomains=subdomains, ordered=ordered, parameter=parameter)
    names = frozenset(map(_a_labels, listed.names))
    tables = open_tables(listed.tables, where=where, clock=clock)
    return DomainList(names, tables, subdomains, parameter=parameter)


def _a_labels(name: str) -> str:
    """A domain as it is compared (RFC 5891)."""
    return name if name.isascii() else name.encode("idna").decode()


def fast_flush_domains(snapshot: Snapshot, *, clock: Clock) -> DomainList:
    """fast_flush_domains: sites whose deferred mail can be asked for."""
    listed = snapshot.group(QueueManager).fast_flush_domains
    return _domains(snapshot, "fast_flush_domains", listed, clock=clock)
