"""Mail that goes through a filter before it is delivered, and what is left out when it comes back."""

from pillarbox.config.parameter import parameter, settings_group


@settings_group
class ContentFilter:
    """After-queue content filters (FILTER_README)."""

    content_filter: str = parameter(
        "",
        doc="Filter, as transport:destination, that gets all mail, and gives back what is to be delivered by a "
        "service of its own, for which this is empty.",
    )
    default_filter_nexthop: str = parameter(
        "", doc="Destination for a filter that has none. Empty: the recipient's domain."
    )
    receive_override_options: tuple[str, ...] = parameter(
        "",
        doc="What is not done with mail that comes in, such as what comes back from a filter: "
        "no_unknown_recipient_checks, no_address_mappings, no_header_body_checks, no_milters.",
    )
