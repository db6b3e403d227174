"""Local delivery: parameters that are known and not served."""

from typing import Final

from pillarbox.config.treatment import Kind, Section

SECTIONS: Final[tuple[Section, ...]] = (
    Section(
        Kind.LATER,
        "delivery results are not rewritten by this yet",
        """
default_delivery_status_filter =
local_delivery_status_filter = $default_delivery_status_filter
pipe_delivery_status_filter = $default_delivery_status_filter
virtual_delivery_status_filter = $default_delivery_status_filter
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "the biff service of old terminals is not told of mail",
        """
biff = yes
""",
    ),
)
