"""Where mail goes that does not go where its domain alone would send it."""

from pillarbox.config.parameter import parameter, settings_group


@settings_group
class Routing:
    """Tables of transports, relays and people who have moved."""

    transport_maps: tuple[str, ...] = parameter(
        "",
        doc="Tables of transport:nexthop by user+extension@domain, user@domain, domain, .parent-domain or *. An "
        "empty transport or nexthop leaves that one as it is; after a transport, an empty nexthop is the domain.",
    )
    sender_dependent_relayhost_maps: tuple[str, ...] = parameter(
        "",
        doc="Tables of hosts that take the place of relayhost, by envelope sender or its @domain. With DUNNO it is "
        "relayhost.",
    )
    sender_dependent_default_transport_maps: tuple[str, ...] = parameter(
        "",
        doc="Tables of transport:nexthop that take the place of default_transport, by envelope sender or its "
        "@domain.",
    )
    empty_address_relayhost_maps_lookup_key: str = parameter(
        "<>", doc="Key of the null sender in sender_dependent_relayhost_maps."
    )
    empty_address_default_transport_maps_lookup_key: str = parameter(
        "<>", doc="Key of the null sender in sender_dependent_default_transport_maps."
    )
    relocated_maps: tuple[str, ...] = parameter(
        "", doc="Tables of people who have moved: mail for them is returned with what the table says of them."
    )
