"""Mail that goes through a filter before it is queued or delivered, and what is left out when it comes back."""

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import Seconds


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
        words=("no_unknown_recipient_checks", "no_address_mappings", "no_header_body_checks", "no_milters"),
        doc="What is not done with mail that comes in, such as what comes back from a filter: "
        "no_unknown_recipient_checks, no_address_mappings, no_header_body_checks, no_milters.",
    )


@settings_group
class BeforeQueueFilter:
    """Before-queue content filters (SMTPD_PROXY_README)."""

    smtpd_proxy_filter: str = parameter(
        "",
        doc="Server that gets each message before it is accepted, by SMTP: host:port, inet:host:port or unix:path. "
        "It gives back what is to be delivered to a service for which this is empty.",
    )
    smtpd_proxy_ehlo: str = parameter("$myhostname", doc="The name that is given to the filter with EHLO.")
    smtpd_proxy_options: tuple[str, ...] = parameter(
        "",
        words=("speed_adjust",),
        doc="With speed_adjust, connect to the filter when the whole message has come.",
    )
    smtpd_proxy_timeout: Seconds = parameter(
        "100s", minimum=1, doc="Time to connect to the filter, and for each of its replies."
    )
