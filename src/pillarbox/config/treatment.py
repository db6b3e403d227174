"""What becomes of a parameter that is set: served, served later, refused, or without effect here.

DESCRIPTION
    Nothing that an admin writes is ignored in silence.  A known parameter that this system does not serve is
    of one of three kinds:

        LATER       known, and not served yet; nothing dangerous follows from that.  A start warns of it.
        REFUSED     ignoring it would let somebody in, let something bad pass, or lose mail.  No start.
        NO_EFFECT   it is about something that does not exist here.  A start says so, once.

    The tables (folder `unserved`) are text in the syntax of main.cf, so that the defaults can be compared with
    those of Postfix.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final

import msgspec


class Kind(Enum):
    """What a start makes of a parameter that is set."""

    SERVED = "served"
    LATER = "not served yet"
    REFUSED = "refused"
    NO_EFFECT = "no effect"
    UNKNOWN = "unknown"


class Treatment(msgspec.Struct, frozen=True):
    """The kind, and the reason in the words that follow "because"."""

    kind: Kind
    reason: str = ""
    default: str = ""


class Section(msgspec.Struct, frozen=True):
    """Parameters that are treated alike; `table` holds one `name = default` per line."""

    kind: Kind
    reason: str
    table: str

    def treatments(self) -> Iterator[tuple[str, Treatment]]:
        """Name and treatment of each parameter in the table."""
        for line in _CONTINUATION.sub(" ", self.table).strip().split("\n"):
            name, _equals, default = line.partition("=")
            yield name.strip(), Treatment(self.kind, self.reason, default.strip())


_CONTINUATION: Final = re.compile(r"\n[ \t]+")
