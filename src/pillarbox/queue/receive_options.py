"""receive_override_options: what is left out for mail that was here before.

FAULTS
    ConfigurationFault  a word that is none of them

STANDARDS
    FILTER_README
"""

from typing import Final

import msgspec

from pillarbox.config.parameters.content_filter import ContentFilter
from pillarbox.config.snapshot import Snapshot
from pillarbox.vocabulary.faults import ConfigurationFault

_WORDS: Final = (
    "no_unknown_recipient_checks",
    "no_address_mappings",
    "no_header_body_checks",
    "no_milters",
)


class ReceiveOptions(msgspec.Struct, frozen=True):
    """What is done with mail that comes in by one service."""

    unknown_recipient_checks: bool = True
    address_mappings: bool = True  # canonical, masquerading, virtual aliases, copies
    header_body_checks: bool = True
    content_filter: bytes = b""  # transport:destination


def configured_receive_options(snapshot: Snapshot) -> ReceiveOptions:
    """The options of one service."""
    settings = snapshot.group(ContentFilter)
    words = {word.lower() for word in settings.receive_override_options}
    parameter = "receive_override_options"
    for word in sorted(words - set(_WORDS)):
        raise ConfigurationFault(
            snapshot.where(parameter),
            f'parameter {parameter}: unknown value "{word}"',
            mend=f"the values are {', '.join(_WORDS)}",
        )
    return ReceiveOptions(
        unknown_recipient_checks="no_unknown_recipient_checks" not in words,
        address_mappings="no_address_mappings" not in words,
        header_body_checks="no_header_body_checks" not in words,
        content_filter=settings.content_filter.encode("utf-8", "surrogateescape"),
    )
