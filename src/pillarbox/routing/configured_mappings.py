"""Address mappings from main.cf.

FAULTS
    ConfigurationFault  a table that cannot be opened
"""

from pillarbox.config.parameters.address_mapping import AddressMapping
from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.parameters.virtual_delivery import VirtualDelivery
from pillarbox.config.snapshot import Snapshot
from pillarbox.routing.address_lookup import text_of
from pillarbox.routing.address_maps import AddressMaps, IsLocal
from pillarbox.routing.alias_expansion import AliasLimits
from pillarbox.routing.configured_routes import own_domains
from pillarbox.routing.mappings import Mapping, Mappings
from pillarbox.routing.masquerading import ExceptedUser, Masquerading, masquerade_domains
from pillarbox.routing.own_addresses import is_own_literal, own_addresses
from pillarbox.routing.resolution import Resolver
from pillarbox.routing.rewriting import AddressRewriting, configured_rewriting
from pillarbox.tables.opening import open_tables
from pillarbox.tables.table import LookupTable, Warn, ignore_warning
from pillarbox.vocabulary.clock import Clock


def configured_mappings(
    snapshot: Snapshot, *, resolver: Resolver, clock: Clock, warn: Warn = ignore_warning
) -> Mappings:
    """The mappings of a cleanup(8) with these settings.

    What is local, and how addresses are completed, says `resolver`.  `warn` hears of rules that are left out.
    """
    settings = snapshot.group(AddressMapping)
    virtual = snapshot.group(VirtualDelivery)
    rewriting = resolver.routes.syntax.rewriting

    def is_local(domain: bytes) -> bool:
        return resolver.is_local(text_of(domain))

    def opened(parameter: str, names: tuple[str, ...], kind: str = "") -> AddressMaps:
        tables = open_tables(names, where=snapshot.place_of(parameter), clock=clock, warn=warn)
        return _address_maps(snapshot, parameter, tables, kind, is_local=is_local, rewriting=rewriting)

    return Mappings(
        rewriting=rewriting,
        sender_canonical=Mapping(
            opened("sender_canonical_maps", settings.sender_canonical_maps, "canonical"),
            frozenset(settings.sender_canonical_classes),
        ),
        recipient_canonical=Mapping(
            opened("recipient_canonical_maps", settings.recipient_canonical_maps, "canonical"),
            frozenset(settings.recipient_canonical_classes),
        ),
        canonical=Mapping(
            opened("canonical_maps", settings.canonical_maps, "canonical"),
            frozenset(settings.canonical_classes),
        ),
        masquerading=Masquerading(
            masquerade_domains(settings.masquerade_domains), _exceptions(snapshot, settings, clock)
        ),
        masquerade_classes=frozenset(settings.masquerade_classes),
        aliases=opened("virtual_alias_maps", virtual.virtual_alias_maps, "virtual"),
        alias_limits=AliasLimits(
            recursion=virtual.virtual_alias_recursion_limit,
            expansion=virtual.virtual_alias_expansion_limit,
            address_length=virtual.virtual_alias_address_length_limit,
        ),
        sender_bcc=opened("sender_bcc_maps", settings.sender_bcc_maps),
        recipient_bcc=opened("recipient_bcc_maps", settings.recipient_bcc_maps),
        always_bcc=settings.always_bcc,
        keeps_original=snapshot.group(QueueManager).enable_original_recipient,
        empty_address=snapshot.group(QueueManager).empty_address_recipient.encode(),
        duplicate_limit=snapshot.group(Cleanup).duplicate_filter_limit,
        most_header_tokens=snapshot.group(Cleanup).header_address_token_limit,
    )


def own_address_maps(
    snapshot: Snapshot, *, where: str, title: str, names: tuple[str, ...], kind: str, clock: Clock
) -> AddressMaps:
    """The tables of one parameter, opened, for a program that resolves no addresses."""
    tables = open_tables(names, where=where, clock=clock)
    rewriting = configured_rewriting(snapshot)
    if not tables:
        return _address_maps(
            snapshot, title, tables, kind, is_local=lambda domain: False, rewriting=rewriting
        )
    domains, own = own_domains(snapshot, clock=clock), own_addresses(snapshot)
    myorigin = snapshot.group(Identity).myorigin.lower()

    def is_local(domain: bytes) -> bool:
        text = text_of(domain)
        return text == myorigin or domains.holds(text) or is_own_literal(text, own)

    return _address_maps(snapshot, title, tables, kind, is_local=is_local, rewriting=rewriting)


def _address_maps(
    snapshot: Snapshot,
    title: str,
    tables: tuple[LookupTable, ...],
    kind: str,
    *,
    is_local: IsLocal,
    rewriting: AddressRewriting,
) -> AddressMaps:
    """Tables that were opened; `kind` as in propagate_unmatched_extensions."""
    propagating = snapshot.group(VirtualDelivery).propagate_unmatched_extensions
    return AddressMaps(
        title=title,
        tables=tables,
        delimiters=snapshot.group(Identity).recipient_delimiter,
        is_local=is_local,
        rewriting=rewriting,
        propagate=kind in propagating,
    )


def _exceptions(snapshot: Snapshot, settings: AddressMapping, clock: Clock) -> tuple[ExceptedUser, ...]:
    where = snapshot.place_of("masquerade_exceptions")
    return tuple(
        ExceptedUser(
            pattern.text.lower(),
            open_tables((pattern.text,), where=where, clock=clock)[0] if pattern.is_table else None,
            pattern.negated,
        )
        for pattern in settings.masquerade_exceptions.patterns
    )
