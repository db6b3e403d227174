"""Local delivery: parameters that are known and not served."""

from typing import Final

from pillarbox.config.treatment import Kind, Section

SECTIONS: Final[tuple[Section, ...]] = (
    Section(
        Kind.NO_EFFECT,
        "the biff service of old terminals is not told of mail",
        """
biff = yes
""",
    ),
)
