"""Parameters that are declared and that no program reads yet.

DESCRIPTION
    A declaration gives a parameter its type, default and documentation; it takes effect when some program
    reads the attribute.  Until then it stands here, and is treated like one that is not served: setting it is
    warned of, refused or told to be without effect.  A test compares this list with the source, so that it
    can only be true; whoever reads a parameter takes its name off.
"""

from functools import cache
from typing import Final

import msgspec

from pillarbox.config.treatment import Kind, Treatment


class Unread(msgspec.Struct, frozen=True):
    """Parameters that are treated alike; names between blanks."""

    kind: Kind
    reason: str
    names: str


_UNREAD: Final[tuple[Unread, ...]] = (
    Unread(
        Kind.LATER,
        "this is not served yet",
        "mail_version",
    ),
    Unread(
        Kind.NO_EFFECT,
        "a CR or LF that ends no line is always replaced",
        "cleanup_replace_stray_cr_lf",
    ),
    Unread(
        Kind.NO_EFFECT,
        "this file or directory is not used",
        "process_id_directory",
    ),
)


@cache
def unread() -> dict[str, Treatment]:
    """Parameters that are declared and not read, and what becomes of them."""
    return {name: Treatment(row.kind, row.reason) for row in _UNREAD for name in row.names.split()}
