"""receive_override_options: what is left out for mail that was here before.

STANDARDS
    FILTER_README
"""

import msgspec

from pillarbox.config.parameters.content_filter import ContentFilter
from pillarbox.config.snapshot import Snapshot


class ReceiveOptions(msgspec.Struct, frozen=True):
    """What is done with mail that comes in by one service."""

    unknown_recipient_checks: bool = True
    address_mappings: bool = True  # canonical, masquerading, virtual aliases, copies
    header_body_checks: bool = True
    content_filter: bytes = b""  # transport:destination


def configured_receive_options(snapshot: Snapshot) -> ReceiveOptions:
    """The options of one service."""
    settings = snapshot.group(ContentFilter)
    words = settings.receive_override_options
    return ReceiveOptions(
        unknown_recipient_checks="no_unknown_recipient_checks" not in words,
        address_mappings="no_address_mappings" not in words,
        header_body_checks="no_header_body_checks" not in words,
        content_filter=settings.content_filter.encode("utf-8", "surrogateescape"),
    )
